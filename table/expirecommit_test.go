package table_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// Writers take away what has become too old with each commit, jobs do it for
// writers that are write-only, and a commit after which nothing is old asks
// the store for nothing.
func TestCommitsExpireSnapshots(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "bucket=1", "num-sorted-run.compaction-trigger=100", "snapshot.num-retained.min=2", "snapshot.num-retained.max=3")
	rounds(9)(t, tab)
	keptAre(t, tab, 7, 8, 9)
	tidy(t, st, tab)

	st = store.NewMem()
	tab = create(t, st, keyed, "snapshot.num-retained.min=2", "snapshot.num-retained.max=3")
	rounds(9)(t, tab)
	keptAre(t, tab, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if err := compacted(ctx, tab); err != nil {
		t.Fatal(err)
	}
	keptAre(t, tab, 8, 9, 10)
	tidy(t, st, tab)

	counter := store.Counting(store.NewMem())
	tab = create(t, counter, plain, "snapshot.num-retained.min=2")
	rounds(5)(t, tab)
	w := newWriter(t, tab, "w")
	commit(t, w, tab, row(1, "a", 1)) // finds out how old the oldest snapshot is
	commit(t, w, tab, row(1, "a", 1))
	before := counter.Counts()
	commit(t, w, tab, row(2, "b", 1))
	if n := counter.Counts().Sub(before).Requests(); n > 8 {
		t.Errorf("a commit with nothing to expire costs %d requests", n)
	}
}

// However much is old, a commit takes away no more than its time allows, and
// the next commits the rest.
func TestCommitsExpireNoMoreThanABudget(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	rounds(30)(t, tab)
	for _, key := range []string{"snapshot.num-retained.min", "snapshot.num-retained.max", "write-only"} {
		alterOption(t, tab, key, map[string]string{"write-only": "false"}[key])
		tab = reopen(t, st)
	}
	w, _ := world(t)
	w.Clock = flying(noon, time.Second)
	tab = reopenIn(t, st, w)
	c := newWriter(t, tab, "svc2")
	before := 30
	for n := 0; before > 2; n++ {
		commit(t, c, tab, fmt.Sprintf(`{"k":%d}`, n))
		left := len(snapshotIDs(t, tab))
		if left > before || n > 60 {
			t.Fatalf("%d snapshots are left after commit %d, %d before", left, n, before)
		}
		before = left
	}
	if latest := snapshotIDs(t, tab)[0]; latest < 29 {
		t.Errorf("begins with %d", latest)
	}
	tidy(t, st, tab)
}

// What becomes of expiry is no matter of the commit.
func TestCommitsStandWhateverBecomesOfExpiry(t *testing.T) {
	inner := store.NewMem()
	tab := create(t, inner, plain, "snapshot.num-retained.min=1", "snapshot.num-retained.max=1", "write-only=true")
	rounds(4)(t, tab)
	alterOption(t, tab, "write-only", "false")
	st := storetest.Faulty(inner, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.Delete && strings.Contains(op.Key, "manifest") {
			return storetest.Outcome{Fail: storetest.ErrInjected}
		}
		return storetest.Outcome{}
	})
	var log strings.Builder
	w, _ := world(t)
	w.Logger = slog.New(slog.NewTextHandler(&log, nil))
	tab = reopenIn(t, st, w)
	load(t, tab, row(1, "a", 1))
	if ids := snapshotIDs(t, tab); len(ids) != 5 {
		t.Errorf("snapshots %d", ids)
	}
	if !strings.Contains(log.String(), "injected fault") {
		t.Errorf("the log says %q", log.String())
	}
	load(t, reopen(t, inner), row(2, "a", 1))
	keptAre(t, tab, 6)
	tidy(t, inner, tab)
}

// Whatever call goes wrong, the table is whole, and the next expiry takes away
// what the first has left.
func TestExpiryThatCrashesAnywhereIsFinishedByTheNext(t *testing.T) {
	for name, c := range map[string]struct {
		options []string
		prepare func(*testing.T, store.Store)
	}{
		"plain":     {[]string{"changelog-producer=input"}, nil},
		"vectors":   {[]string{"deletion-vectors.enabled=true"}, nil},
		"tag":       {nil, func(t *testing.T, st store.Store) { setTag(t, st, "", "a", 3) }},
		"decoupled": {[]string{"changelog-producer=input", "changelog.num-retained.max=6", "snapshot.num-retained.max=5", "snapshot.num-retained.min=1", "write-only=true"}, nil},
		"delta":     {[]string{"changelog.num-retained.max=6", "snapshot.num-retained.max=5", "snapshot.num-retained.min=1", "write-only=true"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			begin := store.NewMem()
			rounds(5)(t, create(t, begin, versions, append([]string{"bucket=1", soon, "snapshot.num-retained.min=1000"}, c.options...)...))
			if c.prepare != nil {
				c.prepare(t, begin)
			}
			for n := int64(1); ; n++ {
				crash := n%2 == 0
				inner := copyOf(t, begin)
				tab := reopen(t, inner)
				st := storetest.Faulty(inner, func(op storetest.Op) storetest.Outcome {
					if op.N == n && crash {
						return storetest.Outcome{Crash: true}
					}
					if op.N == n {
						return storetest.Outcome{Fail: storetest.ErrInjected}
					}
					return storetest.Outcome{}
				})
				if sick, err := table.Open(ctx, st, "db.t", table.Settings{}, table.Components{Clock: func() time.Time { return noon }}); err == nil {
					_, err = sick.Expire(ctx, last(2))
					if err == nil && st.Crashed() && n < st.Calls() { // the hint is written last
						t.Errorf("call %d: a crash is no error", n)
					}
				}
				allStand(t, inner, tab)
				expired(t, tab, last(2))
				tidy(t, inner, tab)
				if t.Failed() {
					t.Fatalf("call %d, crash %v", n, crash)
				}
				if st.Calls() < n {
					break
				}
			}
		})
	}
}

// allStand proves that the last two snapshots are whole, and that older ones
// say of themselves what has become of them.
func allStand(t *testing.T, st store.Store, tab *table.Table) {
	t.Helper()
	ids := snapshotIDs(t, tab)
	for i, id := range ids {
		_, err := scanLines(ctx, tab, table.ScanOptions{Snapshot: id})
		switch {
		case err == nil:
		case i >= len(ids)-2:
			t.Errorf("snapshot %d: %v", id, err)
		default:
			failsWith(t, err, table.ErrNotFound, "expiring", fmt.Sprint("snapshot ", id))
		}
	}
	tags, err := tab.Snapshots().TagNames(ctx)
	if err != nil {
		t.Error(err)
	}
	for _, name := range tags {
		if _, err := scanLines(ctx, tab, table.ScanOptions{Tag: name}); err != nil {
			t.Error(err)
		}
	}
}

// Two that expire at once do not disturb each other, wherever one meets the other.
func TestTwoExpiriesAtOnce(t *testing.T) {
	begin := store.NewMem()
	rounds(6)(t, create(t, begin, versions, "bucket=1", soon, "changelog-producer=input", "snapshot.num-retained.min=1000"))
	setTag(t, begin, "", "a", 3)
	for n := int64(1); ; n++ {
		inner := copyOf(t, begin)
		tab := reopen(t, inner)
		st := storetest.Faulty(inner, func(op storetest.Op) storetest.Outcome {
			if op.N == n {
				expired(t, tab, last(2))
			}
			return storetest.Outcome{}
		})
		other, err := table.Open(ctx, st, "db.t", table.Settings{}, table.Components{Clock: func() time.Time { return noon }})
		if err == nil {
			_, err = other.Expire(ctx, last(4))
		}
		if err != nil {
			t.Errorf("call %d: %v", n, err)
		}
		expired(t, tab, last(2))
		tidy(t, inner, tab)
		if t.Failed() {
			t.Fatalf("call %d", n)
		}
		if st.Calls() < n {
			return
		}
	}
}

// A reader that has begun when its snapshot expires is told so, not which file
// is missing; one that begins afresh reads the newest.
func TestANewReaderMeetingAHalfExpiredSnapshot(t *testing.T) {
	begin := store.NewMem()
	tab := create(t, begin, versions, "bucket=1", soon, "snapshot.num-retained.min=1000")
	rounds(5)(t, tab)
	before := strings.Join(lines(t, tab, table.ScanOptions{}), "")
	for n := int64(1); ; n++ {
		inner := copyOf(t, begin)
		st := storetest.Faulty(inner, func(op storetest.Op) storetest.Outcome {
			if op.N == n {
				rounds(3)(t, reopen(t, inner))
				expired(t, reopen(t, inner), last(1))
			}
			return storetest.Outcome{}
		})
		got, err := readAtOnce(ctx, st)
		afresh, afreshErr := readAtOnce(ctx, inner)
		if afreshErr != nil {
			t.Errorf("call %d: afresh: %v", n, afreshErr)
		}
		if err != nil {
			failsWith(t, err, table.ErrNotFound, "expired while it was read", "scan again")
		} else if rows := strings.Join(got, ""); rows != before && rows != strings.Join(afresh, "") {
			t.Errorf("call %d: %q", n, got)
		}
		if t.Failed() {
			t.Fatalf("call %d", n)
		}
		if st.Calls() < n {
			return
		}
	}
}

func readAtOnce(ctx context.Context, st store.Store) ([]string, error) {
	tab, err := table.Open(ctx, st, "db.t", table.Settings{Parallel: 1}, table.Components{})
	if err != nil {
		return nil, err
	}
	return scanLines(ctx, tab, table.ScanOptions{})
}
