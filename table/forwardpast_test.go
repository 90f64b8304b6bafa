package table_test

import (
	"errors"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// grownApart is a table and a branch of its third snapshot, which begins with its
// sixth by now. Both have altered their columns and grown to the eighth.
func grownApart(t *testing.T) (store.Store, *table.Table, *table.Table) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	grow(t, tab, 3)
	if err := tab.CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 3}); err != nil {
		t.Fatal(err)
	}
	compactAll(t, st) // takes away files that the branch has
	for of, name := range map[*table.Table]string{tab: "mine", openBranch(t, st, "b"): "theirs"} {
		if _, err := of.Alter(ctx, schema.AddColumn{Path: schema.Path{name}, Type: schema.Type{Kind: schema.BigInt, Nullable: true}}); err != nil {
			t.Fatal(err)
		}
	}
	tab, b := reopen(t, st), openBranch(t, st, "b")
	grow(t, tab, 8)
	grow(t, b, 8)
	expired(t, b, last(3))
	return st, tab, b
}

// What a table has from before a branch begins need not be the past of that: files
// that it took away there are rows of the branch.
func TestFastForwardToABranchThatHasForgottenWhereItLeft(t *testing.T) {
	st, tab, b := grownApart(t)
	for id, next := range map[string]int64{"behind": 6, "ahead": 7} {
		if err := tab.ResetConsumer(ctx, id, next); err != nil {
			t.Fatal(err)
		}
	}
	if err := tab.FastForward(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	tab = reopen(t, st)
	forwarded(t, tab, b)
	for _, id := range []string{"behind", "ahead"} {
		if c, err := tab.Consumer(ctx, id); err != nil || c.Next != snapshot.Stranded {
			t.Errorf("consumer %s: %+v %v", id, c, err)
		}
	}
	if err := tab.DeleteBranch(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	want := lines(t, tab, table.ScanOptions{})
	expired(t, tab, last(1))
	expect(t, tab, table.ScanOptions{}, want...)
	sound(t, tab)
}

// forwarded proves that a table is what a branch is.
func forwarded(t *testing.T, tab, b *table.Table) {
	t.Helper()
	if first, err := tab.Snapshots().Earliest(ctx); err != nil || first.ID != 6 {
		t.Errorf("it begins with %+v: %v", first, err)
	}
	for _, id := range []int64{6, 8} {
		expect(t, tab, table.ScanOptions{Snapshot: id}, lines(t, b, table.ScanOptions{Snapshot: id})...)
	}
	sound(t, tab)
}

func TestFastForwardThatCrashesAnywhereIsFinishedByTheNext(t *testing.T) {
	st, _, b := grownApart(t)
	for n := int64(1); ; n++ {
		own := copyOf(t, st)
		faulty := storetest.Faulty(own, func(op storetest.Op) storetest.Outcome { return storetest.Outcome{Crash: op.N == n} })
		sick, err := table.Open(ctx, faulty, "db.t", table.Settings{}, table.Components{})
		if err == nil {
			err = sick.FastForward(ctx, "b")
		}
		if err == nil && n > faulty.Calls() {
			return
		}
		if err := reopen(t, own).FastForward(ctx, "b"); err != nil {
			t.Fatal(n, err)
		}
		if forwarded(t, reopen(t, own), b); t.Failed() {
			t.Fatal("call ", n)
		}
	}
}

// A tag from before a branch begins may hold another past than the branch's, of
// which neither expiry nor the branch's schemas know.
func TestFastForwardRefusesTagsThatMayBeOfAnotherPast(t *testing.T) {
	st, tab, _ := grownApart(t)
	tagged(t, tab, "past", table.TagOptions{Snapshot: 2})
	before := stored(t, st)
	err := tab.FastForward(ctx, "b")
	failsWith(t, err, table.ErrInvalid, "tag past", "begins with snapshot 6", "delete the tag")
	if len(before) != len(stored(t, st)) {
		t.Error("it has changed something")
	}
	if err := errors.Join(tab.DeleteTag(ctx, "past"), tab.FastForward(ctx, "b")); err != nil {
		t.Fatal(err)
	}
}
