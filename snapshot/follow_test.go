package snapshot_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
)

// waits is a sleep that records its lengths and does before each what it is told.
type waits struct {
	lengths []time.Duration
	then    func(n int)
}

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	w.lengths = append(w.lengths, d)
	if w.then != nil {
		w.then(len(w.lengths))
	}
	return ctx.Err()
}

// apart is a store of its own name: followers of other tests do not hear of it.
func apart(t *testing.T) store.Store { return store.Sub(store.NewMem(), t.Name()) }

// quiet hides a store's name, as another process would: its commits wake nobody.
type quiet struct{ store.Store }

func (quiet) URL() string { return "elsewhere" }

func (w *world) follower(ceiling time.Duration, sleep func(context.Context, time.Duration) error) *snapshot.Follower {
	return snapshot.NewFollower(w.chain(), snapshot.FollowOptions{Ceiling: ceiling, Clock: w.clock, Sleep: sleep})
}

func next(t *testing.T, f *snapshot.Follower, id int64) {
	t.Helper()
	s, err := f.Next(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if s.ID != id {
		t.Fatalf("snapshot is %d, want %d", s.ID, id)
	}
}

func TestFollowerMovesApartItsLooksAndComesCloseAgainAfterASnapshot(t *testing.T) {
	w := newWorld(t, apart(t))
	c := w.committer("u", over(quiet{w.st}))
	w.commit(c, adding(1, "a"))
	sleeps := &waits{}
	f := w.follower(16*time.Millisecond, sleeps.sleep)
	next(t, f, 1)
	sleeps.then = func(n int) {
		if n == 10 || n == 12 {
			w.commit(c, adding(int64(n), "f"+strings.Repeat("x", n)))
		}
	}
	next(t, f, 2)
	next(t, f, 3)
	l := sleeps.lengths
	if len(l) != 12 || l[0] != time.Millisecond || l[9] != 16*time.Millisecond || l[10] != time.Millisecond {
		t.Errorf("waits are %v", l)
	}
	for i := 1; i < 10; i++ {
		if l[i] < l[i-1] || l[i] > 2*l[i-1] {
			t.Errorf("waits are %v", l)
		}
	}
	got := f.Stats()
	if got.Polls != 15 || got.Requests != 15 || got.Snapshots != 3 || got.Wakes != 0 || got.Bytes == 0 {
		t.Errorf("counters are %+v", got)
	}
	if got.Lag <= 0 {
		t.Errorf("lag is %v", got.Lag)
	}
}

func TestAFollowerOfAnIdleTableMakesOneRequestAPollAndListsNothing(t *testing.T) {
	w := newWorld(t, apart(t))
	w.commit(w.committer("u"), adding(1, "a"))
	count := store.Counting(w.st)
	stop := errors.New("enough")
	polls := 0
	f := snapshot.NewFollower(snapshot.NewChain(count, ""), snapshot.FollowOptions{Sleep: func(context.Context, time.Duration) error {
		if polls++; polls == 1600 {
			return stop
		}
		return nil
	}})
	next(t, f, 1)
	if _, err := f.Next(ctx, 2); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	// Every sixteenth poll reads the snapshot before as well.
	if c := count.Counts(); c.Lists != 0 || c.Requests() != 1+1600+100 || f.Stats().Requests != c.Requests() {
		t.Errorf("requests are %+v, the follower's own count is %d", c, f.Stats().Requests)
	}
}

func TestACommitOfThisProcessWakesItsFollowers(t *testing.T) {
	w := newWorld(t, apart(t))
	c := w.committer("u")
	asleep := make(chan struct{}, 10)
	f := w.follower(time.Hour, func(ctx context.Context, _ time.Duration) error {
		asleep <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	// The first look finds nothing at all, the second that snapshot 1 is not 2.
	done := make(chan error, 1)
	for id := int64(1); id <= 2; id++ {
		go func() {
			_, err := f.Next(ctx, id)
			done <- err
		}()
		<-asleep
		w.commit(c, adding(id, "f"+strings.Repeat("x", int(id))))
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if s := f.Stats(); s.Wakes != 2 || s.Snapshots != 2 {
		t.Errorf("counters are %+v", s)
	}
	if n := snapshot.Sleepers(); n != 0 {
		t.Errorf("%d followers are still registered", n)
	}
}

func TestACommitToAnotherBranchWakesNoFollower(t *testing.T) {
	w := newWorld(t, apart(t))
	w.commit(w.committer("u"), adding(1, "a"))
	other := w.committer("v", func(c *snapshot.Config) { c.Branch = "b" })
	sleeps := &waits{then: func(n int) {
		if n == 1 {
			w.commit(other, adding(1, "b"))
			w.commit(other, adding(2, "c"))
		} else {
			w.commit(w.committer("w"), adding(1, "d"))
		}
	}}
	f := w.follower(time.Second, func(ctx context.Context, d time.Duration) error { return sleeps.sleep(ctx, d) })
	next(t, f, 1)
	next(t, f, 2)
	if s := f.Stats(); s.Wakes != 1 || len(sleeps.lengths) != 2 {
		t.Errorf("counters are %+v after %d waits", s, len(sleeps.lengths))
	}
}

func TestAFollowerEndsWithItsContext(t *testing.T) {
	w := newWorld(t, apart(t))
	w.commit(w.committer("u"), adding(1, "a"))
	ctx, cancel := context.WithCancel(ctx)
	f := w.follower(time.Hour, func(ctx context.Context, _ time.Duration) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if _, err := f.Next(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if n := snapshot.Sleepers(); n != 0 {
		t.Errorf("%d followers are still registered", n)
	}
}

// A slow reader must learn which snapshots it lost, and never skip them.
func TestAFollowerOfExpiredSnapshotsNamesTheGap(t *testing.T) {
	w := newWorld(t, apart(t))
	c := w.committer("u")
	for id := int64(1); id <= 5; id++ {
		w.commit(c, adding(id, "f"+strings.Repeat("x", int(id))))
	}
	f := w.follower(time.Second, (&waits{}).sleep)
	next(t, f, 1)
	w.expire(3)
	_, err := f.Next(ctx, 2)
	gap := wantGap(t, err)
	if !gap.Expired() || gap.Next != 2 || gap.Earliest != 4 || gap.Latest != 5 {
		t.Errorf("gap is %+v", gap)
	}
	if !strings.Contains(err.Error(), "snapshots 2 to 3 have expired") || !strings.Contains(err.Error(), "consumer") {
		t.Errorf("text is %v", err)
	}
	next(t, f, 4) // the choice to go on after the gap
}

func TestANewFollowerLearnsOfTheGapAtOnce(t *testing.T) {
	w := newWorld(t, apart(t))
	c := w.committer("u")
	for id := int64(1); id <= 5; id++ {
		w.commit(c, adding(id, "f"+strings.Repeat("x", int(id))))
	}
	w.expire(3)
	never := func(context.Context, time.Duration) error { t.Error("it waits"); return errors.New("waits") }
	_, err := w.follower(0, never).Next(ctx, 1)
	if gap := wantGap(t, err); !gap.Expired() {
		t.Errorf("gap is %+v", gap)
	}
	_, err = w.follower(0, never).Next(ctx, 7)
	if gap := wantGap(t, err); gap.Expired() || gap.Latest != 5 {
		t.Errorf("gap is %+v", gap)
	}
}

func TestAFollowerNoticesThatTheTableWasRolledBackOrMadeAnew(t *testing.T) {
	w := newWorld(t, apart(t))
	c := w.committer("u")
	for id := int64(1); id <= 5; id++ {
		w.commit(c, adding(id, "f"+strings.Repeat("x", int(id))))
	}
	forget := func(ids ...int64) {
		for _, id := range ids {
			if err := w.st.Delete(ctx, w.chain().Path(id)); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := w.follower(time.Second, (&waits{}).sleep)
	next(t, f, 5)
	forget(4, 5)
	_, err := f.Next(ctx, 6)
	if gap := wantGap(t, err); gap.Expired() || gap.Rewritten || gap.Latest != 3 {
		t.Errorf("gap is %+v", gap)
	}
	// The same length again, other snapshots.
	other := w.committer("v")
	w.commit(other, adding(1, "g"))
	w.commit(other, adding(2, "h"))
	_, err = f.Next(ctx, 6)
	if gap := wantGap(t, err); !gap.Rewritten {
		t.Errorf("gap is %+v", gap)
	}
	forget(1, 2, 3, 4, 5)
	_, err = f.Next(ctx, 6)
	if gap := wantGap(t, err); gap.Latest != 0 || !strings.Contains(err.Error(), "the table has none") {
		t.Errorf("gap is %+v: %v", gap, err)
	}
}

func wantGap(t *testing.T, err error) *snapshot.OutOfRange {
	t.Helper()
	var gap *snapshot.OutOfRange
	if !errors.As(err, &gap) {
		t.Fatalf("error is %v", err)
	}
	return gap
}
