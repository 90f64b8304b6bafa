package table_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// read reads snapshots of a stream until handle says that it is enough.
func read(t *testing.T, s *table.Stream, handle func(id int64, full bool) (more bool)) {
	t.Helper()
	for c, err := range s.Snapshots(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range c.Batches() {
			if err != nil {
				t.Fatal(err)
			}
		}
		if !handle(c.Snapshot.ID, c.Full) {
			return
		}
	}
}

func following(t *testing.T, tab *table.Table, o table.StreamOptions) *table.Stream {
	t.Helper()
	s, err := tab.Stream(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// recorded is the progress of consumer "c", 0 for none.
func recorded(t *testing.T, tab *table.Table) int64 {
	t.Helper()
	c, err := tab.Consumer(ctx, "c")
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		t.Fatal(err)
	}
	return c.Next
}

func wantRecorded(t *testing.T, tab *table.Table, want int64) {
	t.Helper()
	if got := recorded(t, tab); got != want {
		t.Errorf("the consumer is at %d, want %d", got, want)
	}
}

// grow makes the snapshots up to an id.
func grow(t *testing.T, tab *table.Table, upTo int64) {
	t.Helper()
	newest, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id := newest + 1; id <= upTo; id++ {
		load(t, tab, fmt.Sprintf(`{"k":%d,"v":"v"}`, id))
	}
}

func TestAConsumerGoesOnBehindWhatWasAcknowledged(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	grow(t, tab, 3)
	o := table.StreamOptions{Consumer: "c", UntilSnapshot: 5}
	// A full picture that was not read to its end is read again.
	s := following(t, tab, o)
	for range s.Snapshots(ctx) {
		if err := s.Acknowledge(ctx); err != nil {
			t.Fatal(err)
		}
		break
	}
	wantRecorded(t, tab, 0)
	s = following(t, tab, o)
	grow(t, tab, 6)
	var got []string
	read(t, s, func(id int64, full bool) bool {
		got = append(got, fmt.Sprint(id, full))
		if id <= 4 {
			if err := s.Acknowledge(ctx); err != nil {
				t.Fatal(err)
			}
			wantRecorded(t, tab, id+1)
		}
		return true
	})
	wantRecorded(t, tab, 5) // 5 was read and not acknowledged
	o.UntilSnapshot = 6
	read(t, following(t, tab, o), func(id int64, full bool) bool {
		got = append(got, fmt.Sprint(id, full))
		return true
	})
	if want := []string{"3 true", "4 false", "5 false", "5 false", "6 false"}; !slices.Equal(got, want) {
		t.Errorf("snapshots are %v, want %v", got, want)
	}
}

func TestAcknowledgingWithinASnapshotSpeaksOfThoseBefore(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	grow(t, tab, 3)
	s := following(t, tab, table.StreamOptions{Consumer: "c", Snapshot: 2, UntilSnapshot: 3})
	wantRecorded(t, tab, 2) // at once, so that it does not expire
	for rec, err := range s.Batches(ctx) {
		if err := errors.Join(err, s.Acknowledge(ctx)); err != nil || rec == nil {
			t.Fatal(err)
		}
		wantRecorded(t, tab, s.NextSnapshot())
	}
	wantRecorded(t, tab, 3)
	if err := s.Acknowledge(ctx); err != nil {
		t.Fatal(err)
	}
	wantRecorded(t, tab, 4)
}

func TestProgressAtLeastOnceIsRecordedNowAndThen(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed, "consumer-id=c", "consumer.mode=at-least-once")
	grow(t, tab, 5)
	w, _ := world(t)
	clock := stopped(&w, noon)
	tab = reopenIn(t, st, w)
	s := following(t, tab, table.StreamOptions{Snapshot: 1, UntilSnapshot: 5})
	read(t, s, func(id int64, _ bool) bool {
		switch id {
		case 3:
			wantRecorded(t, tab, 1) // no second has passed
			clock.pass(time.Second)
		case 4:
			wantRecorded(t, tab, 4)
		}
		return true
	})
	wantRecorded(t, tab, 6)
}

func TestAStreamWithoutAcknowledgementsRecordsNothing(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	grow(t, tab, 3)
	read(t, following(t, tab, table.StreamOptions{Consumer: "c", Snapshot: 1, UntilSnapshot: 3}), func(int64, bool) bool { return true })
	wantRecorded(t, tab, 1)
}

func TestAConsumerAheadOfTheTableIsAnError(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	grow(t, tab, 3)
	put := func(text string) {
		t.Helper()
		if err := st.Write(ctx, "consumer/consumer-c", []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	put(`{"nextSnapshot":9}`)
	_, err := tab.Stream(ctx, table.StreamOptions{Consumer: "c"})
	failsWith(t, err, table.ErrNotFound, "consumer c", "9", "newest is 3", "reset")
	put(`{"nextSnapshot":0}`)
	_, err = tab.Stream(ctx, table.StreamOptions{Consumer: "c"})
	failsWith(t, err, table.ErrInvalid, "snapshot 0")
	put(`{"nextSnapshot":4}`)
	following(t, tab, table.StreamOptions{Consumer: "c"})
	put(`{"nextSnapshot":1}`)
	if err := st.Delete(ctx, tab.Snapshots().Path(1)); err != nil {
		t.Fatal(err)
	}
	_, err = tab.Stream(ctx, table.StreamOptions{Consumer: "c"})
	failsWith(t, err, table.ErrNotFound, "consumer c", "snapshots 1 to 1 have expired", "reset")
	var gap *snapshot.OutOfRange
	if !errors.As(err, &gap) || !gap.Expired() {
		t.Errorf("gap is %+v", gap)
	}
	// Its progress can be ignored, and is then recorded anew.
	following(t, tab, table.StreamOptions{Consumer: "c", IgnoreProgress: true, Snapshot: 3})
	wantRecorded(t, tab, 3)
}

// A consumer that had read what was rolled back does not go on in the middle of
// what came in its place; those that had not read it do.
func TestAConsumerOfALostHistoryIsRefusedWhenTheTableHasGrownAgain(t *testing.T) {
	for how, back := range map[string]func(tab *table.Table) error{
		"rollback": func(tab *table.Table) error {
			_, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 2})
			return err
		},
		"fast-forward": func(tab *table.Table) error { return tab.FastForward(ctx, "b") },
	} {
		t.Run(how, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed)
			grow(t, tab, 2)
			if err := tab.CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 2}); err != nil {
				t.Fatal(err)
			}
			grow(t, tab, 5)
			for id, next := range map[string]int64{"behind": 2, "there": 3, "ahead": 4, "end": 6} {
				if err := tab.ResetConsumer(ctx, id, next); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // done again it changes nothing
				if err := back(tab); err != nil {
					t.Fatal(err)
				}
			}
			tab = reopen(t, st)
			grow(t, tab, 8)
			for _, id := range []string{"ahead", "end"} {
				_, err := tab.Stream(ctx, table.StreamOptions{Consumer: id})
				failsWith(t, err, table.ErrNotFound, "consumer "+id, "rolled back", "reset")
			}
			for id, next := range map[string]int64{"behind": 2, "there": 3} {
				if s := following(t, tab, table.StreamOptions{Consumer: id}); s.NextSnapshot() != next {
					t.Errorf("%s goes on with %d, want %d", id, s.NextSnapshot(), next)
				}
			}
			if err := tab.ResetConsumer(ctx, "ahead", 3); err != nil {
				t.Fatal(err)
			}
			following(t, tab, table.StreamOptions{Consumer: "ahead"})
		})
	}
}

// A reader that has not noticed yet that the table was rolled back behind it must
// not record where it was in the history that is gone.
func TestARollbackUnderAReaderIsNotHiddenByItsProgress(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "new": false} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed)
			grow(t, tab, 5)
			if known {
				if err := tab.ResetConsumer(ctx, "c", 4); err != nil {
					t.Fatal(err)
				}
			}
			s := following(t, tab, table.StreamOptions{Consumer: "c", Mode: table.LatestFull, UntilSnapshot: 5})
			if _, err := collect(t, s); err != nil {
				t.Fatal(err)
			}
			if _, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 2}); err != nil {
				t.Fatal(err)
			}
			for _, newest := range []int64{2, 4, 5, 8} {
				grow(t, tab, newest)
				failsWith(t, s.Acknowledge(ctx), table.ErrNotFound, "rolled back")
			}
			s, err := reopen(t, st).Stream(ctx, table.StreamOptions{Consumer: "c"})
			if known {
				failsWith(t, err, table.ErrNotFound, "consumer c", "rolled back", "reset")
			} else if err != nil || s.NextSnapshot() != 8 {
				t.Errorf("a new reader begins with %d: %v", s.NextSnapshot(), err)
			}
		})
	}
}

func TestWhatConsumersCannotDoIsRefused(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	grow(t, tab, 1)
	for _, o := range []table.StreamOptions{
		{Consumer: "a/b"}, {Consumer: "c", Shares: 2}, {Consumer: "c", ConsumerMode: "twice"},
	} {
		_, err := tab.Stream(ctx, o)
		failsWith(t, err, table.ErrInvalid)
	}
	failsWith(t, following(t, tab, table.StreamOptions{}).Acknowledge(ctx), table.ErrInvalid, "no consumer")
	_, err := create(t, store.NewMem(), keyed, "consumer-id=").Stream(ctx, table.StreamOptions{})
	failsWith(t, err, table.ErrInvalid, "consumer-id is empty")
}

// A reader of a quiet table must not be taken for one that is gone.
func TestAStreamThatWaitsRefreshesItsConsumer(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed, "consumer.expiration-time=3h")
	grow(t, tab, 1)
	count := store.Counting(st)
	w, _ := world(t)
	clock := stopped(&w, noon)
	enough := errors.New("enough")
	w.Sleep = func(context.Context, time.Duration) error {
		clock.pass(time.Minute)
		if clock.now().Sub(noon) > 250*time.Minute {
			return enough
		}
		return nil
	}
	s := following(t, reopenIn(t, count, w), table.StreamOptions{Consumer: "c", Mode: table.Latest})
	before := count.Counts()
	for _, err := range s.Snapshots(ctx) {
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	if n := count.Counts().Sub(before).Writes; n != 4 {
		t.Errorf("%d records in four hours and ten minutes", n)
	}
	wantRecorded(t, tab, 2)
}

// Readers that are gone hold back expiry for consumer.expiration-time and no longer.
func TestACommitForgetsConsumersThatAreGone(t *testing.T) {
	for expiration, left := range map[string]int64{"1h": 3, "100000d": 1} {
		st, err := store.NewLocal(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		create(t, st, compacting, "consumer.expiration-time="+expiration, "snapshot.num-retained.min=1", "snapshot.num-retained.max=1")
		w, _ := world(t)
		w.Clock = func() time.Time { return time.Now().Add(1000 * time.Hour) }
		tab := reopenIn(t, st, w)
		if err := tab.ResetConsumer(ctx, "gone", 1); err != nil {
			t.Fatal(err)
		}
		grow(t, tab, 3)
		first, err := tab.Snapshots().Earliest(ctx)
		if err != nil || first.ID != left {
			t.Errorf("with %s the oldest snapshot is %+v, want %d: %v", expiration, first, left, err)
		}
	}
}
