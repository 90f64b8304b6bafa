package table_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// A chore is work on what a table keeps.
type chore struct {
	before func(t *testing.T, st store.Store)
	step   func(ctx context.Context, tab *table.Table) error
	again  func(tab *table.Table) error // after an error; the step itself if nil
	holds  []string                     // what has a name afterwards, as "name:snapshot"; main is the table itself, a branch has a dollar
}

// The table has the snapshots from 4 on, and two tags of an expired one.
var chores = map[string]chore{
	"a tag created":    {step: tagsFifth, again: orExists(tagsFifth), holds: []string{"main:7", "new:5", "old:2", "older:2"}},
	"a tag replaced":   {step: replacesOld, holds: []string{"main:7", "old:5", "older:2"}},
	"a tag renamed":    {step: renamesOld, again: renamedAtLast, holds: []string{"main:7", "new:2", "older:2"}},
	"tags deleted":     {step: deletesTags, holds: []string{"main:7"}},
	"tags that end":    {before: shortLived, step: endsTags, holds: []string{"main:7", "old:2", "older:2"}},
	"a branch created": {step: branchesFrom(table.BranchOptions{Snapshot: 5}), again: makesAnew(table.BranchOptions{Snapshot: 5}), holds: []string{"main:7", "$b:5", "old:2", "older:2"}},
	"a branch of tag":  {step: branchesFrom(table.BranchOptions{Tag: "old"}), again: makesAnew(table.BranchOptions{Tag: "old"}), holds: []string{"main:7", "$b:2", "old:2", "older:2"}},
	"a branch deleted": {before: branched, step: deletesBranch, holds: []string{"main:7", "old:2", "older:2"}},
	"fast-forward":     {before: branched, step: forwards, holds: []string{"main:5", "$b:5", "old:2", "older:2"}},
	"rollback":         {step: backTo(table.RollbackOptions{Snapshot: 5}), holds: []string{"main:5", "old:2", "older:2"}},
	"rollback to tag":  {step: backTo(table.RollbackOptions{Tag: "old"}), holds: []string{"main:2", "old:2", "older:2"}},
	"expiry":           {step: expiresFast, holds: []string{"main:7", "old:2", "older:2"}},
	"cleaning":         {before: strayed, step: cleansNow, holds: []string{"main:7", "old:2", "older:2"}},
}

func tagsFifth(ctx context.Context, tab *table.Table) error {
	_, err := tab.CreateTag(ctx, "new", table.TagOptions{Snapshot: 5})
	return err
}

// orExists takes what is there already for done.
func orExists(step func(context.Context, *table.Table) error) func(*table.Table) error {
	return func(tab *table.Table) error {
		if err := step(ctx, tab); !errors.Is(err, table.ErrExists) {
			return err
		}
		return nil
	}
}

func replacesOld(ctx context.Context, tab *table.Table) error {
	_, err := tab.ReplaceTag(ctx, "old", table.TagOptions{Snapshot: 5})
	return err
}

func renamesOld(ctx context.Context, tab *table.Table) error { return tab.RenameTag(ctx, "old", "new") }

// renamedAtLast goes on with a rename that was broken off, when the tag may have both names.
func renamedAtLast(tab *table.Table) error {
	err := renamesOld(ctx, tab)
	if errors.Is(err, table.ErrExists) {
		return tab.DeleteTag(ctx, "old")
	}
	return orGone(err)
}

func orGone(err error) error {
	if errors.Is(err, table.ErrNotFound) {
		return nil
	}
	return err
}

func deletesTags(ctx context.Context, tab *table.Table) error {
	return errors.Join(orGone(tab.DeleteTag(ctx, "old")), orGone(tab.DeleteTag(ctx, "older")))
}

// shortLived makes tags whose time is over for whoever comes later.
func shortLived(t *testing.T, st store.Store) {
	tab := reopen(t, st)
	tagged(t, tab, "short", table.TagOptions{Snapshot: 4, Retained: time.Second})
	tagged(t, tab, "brief", table.TagOptions{Snapshot: 6, Retained: time.Second})
}

func endsTags(ctx context.Context, tab *table.Table) error {
	_, err := tab.ExpireTags(ctx, time.Time{})
	return err
}

func branchesFrom(o table.BranchOptions) func(context.Context, *table.Table) error {
	return func(ctx context.Context, tab *table.Table) error { return tab.CreateBranch(ctx, "b", o) }
}

// makesAnew deletes what is there of a branch and creates it.
func makesAnew(o table.BranchOptions) func(*table.Table) error {
	return func(tab *table.Table) error {
		return errors.Join(orGone(tab.DeleteBranch(ctx, "b")), tab.CreateBranch(ctx, "b", o))
	}
}

// branched makes a branch of the fifth snapshot.
func branched(t *testing.T, st store.Store) {
	if err := reopen(t, st).CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 5}); err != nil {
		t.Fatal(err)
	}
}

func deletesBranch(ctx context.Context, tab *table.Table) error {
	return orGone(tab.DeleteBranch(ctx, "b"))
}

func forwards(ctx context.Context, tab *table.Table) error { return tab.FastForward(ctx, "b") }

func backTo(o table.RollbackOptions) func(context.Context, *table.Table) error {
	return func(ctx context.Context, tab *table.Table) error {
		_, err := tab.Rollback(ctx, o)
		return err
	}
}

func expiresFast(ctx context.Context, tab *table.Table) error {
	_, err := tab.Expire(ctx, last(2))
	return err
}

// strayed leaves files that nothing names.
func strayed(t *testing.T, st store.Store) {
	for _, key := range strays {
		if err := st.Write(ctx, key, []byte("stray")); err != nil {
			t.Fatal(err)
		}
	}
}

func cleansNow(ctx context.Context, tab *table.Table) error {
	_, err := tab.Clean(ctx, table.CleanOptions{Delete: true})
	return err
}

// choreBase is a table of old snapshots, the first of which have expired, with the rows that each had.
func choreBase(t *testing.T, options ...string) (store.Store, map[int64][]string) {
	t.Helper()
	st := store.NewMem()
	tab := create(t, st, versions, append(options, "bucket=1", soon, "snapshot.num-retained.min=1000")...)
	rounds(4)(t, tab)
	tagged(t, tab, "old", table.TagOptions{Snapshot: 2})
	tagged(t, tab, "older", table.TagOptions{Snapshot: 2})
	rows := states(t, tab)
	expired(t, tab, table.ExpireOptions{RetainMin: 1, RetainMax: 100, OlderThan: noon.Add(1e6 * time.Hour), Limit: 3})
	if ids := snapshotIDs(t, tab); ids[0] != 4 || ids[len(ids)-1] != 7 {
		t.Fatal(ids)
	}
	return st, rows
}

// Any call of the store goes wrong in any way while a table is looked after: what
// has a name is whole, and done again the work is done.
//
// The ways take turns with the calls; with TIDELAKE_FAULTS=all each call goes
// wrong in every way.
func TestAFaultAtAnyCallOfAChoreLosesNothing(t *testing.T) {
	base, rows := choreBase(t)
	for name, c := range chores {
		t.Run(name, func(t *testing.T) {
			start := copyOf(t, base)
			if c.before != nil {
				c.before(t, start)
			}
			for i, f := range faults {
				first, stride := int64(1+i), slow*int64(4*len(faults)+1)
				if os.Getenv("TIDELAKE_FAULTS") == "all" {
					first, stride = 1, 1
				}
				for k := first; c.faulty(t, copyOf(t, start), rows, k, f); k += stride {
					if t.Failed() {
						t.Fatalf("%s at call %d", f.name, k)
					}
				}
			}
		})
	}
}

// faulty does the chore with the k-th call of the store going wrong, and tells
// whether there was such a call.
func (c *chore) faulty(t *testing.T, st store.Store, rows map[int64][]string, k int64, f faultKind) bool {
	t.Helper()
	live, stop := context.WithCancel(ctx)
	defer stop()
	var hit atomic.Bool
	tab := openOn(t, st)
	calls := f.from(st, k, &hit, stop)
	w, _ := world(t)
	w.Clock = func() time.Time { return time.Now().Add(48 * time.Hour) }
	sick, err := table.Open(live, calls, "db.t", table.Settings{Parallel: 1}, w)
	if err == nil {
		err = c.step(live, sick)
	}
	if err != nil && !errors.Is(err, f.cause) {
		t.Errorf("the cause is not named: %v", err)
	}
	named(t, st, tab, rows)
	if err != nil {
		again := c.again
		if again == nil {
			again = func(tab *table.Table) error { return c.step(ctx, tab) }
		}
		if err := again(tab); err != nil {
			t.Errorf("done again: %v", err)
		}
	}
	if d := cmp.Diff(sorted(c.holds), without(named(t, st, tab, rows), ".replacing-")); d != "" {
		t.Errorf("named (-want +got):\n%s", d)
	}
	if err := errors.Join(expires(tab), cleans(tab)); err != nil {
		t.Error(err)
	}
	allThere(t, st, tab)
	sound(t, reopen(t, st))
	return hit.Load()
}

// named reads the table and its tags and branches, which must be as their
// snapshots were, and lists them. A branch without rows is left out.
func named(t *testing.T, st store.Store, tab *table.Table, rows map[int64][]string) []string {
	t.Helper()
	var out []string
	check := func(name string, tab *table.Table, o table.ScanOptions, id int64) {
		t.Helper()
		expect(t, tab, o, slices.Clone(rows[id])...)
		out = append(out, fmt.Sprint(name, ":", id))
	}
	check("main", reopen(t, st), table.ScanOptions{}, latestID(t, tab))
	tags, err := tab.Tags(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range tags {
		check(tag.Name, tab, table.ScanOptions{Tag: tag.Name}, tag.ID)
	}
	names, err := tab.Branches(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if there, err := st.Stat(ctx, "branch/branch-"+name+"/schema/schema-0"); err != nil || there.Dir {
			continue
		}
		b := openBranch(t, st, name)
		if id := latestID(t, b); id > 0 {
			check("$"+name, b, table.ScanOptions{}, id)
		}
	}
	slices.Sort(out)
	return out
}

func without(names []string, part string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return strings.Contains(name, part) })
}

// Tags that a writer makes and deletes by itself are made up for by its next
// commits, whatever went wrong with them.
func TestAFaultWhileTagsComeAndGoByThemselvesLosesNothing(t *testing.T) {
	base := store.NewMem()
	create(t, base, versions, "bucket=1", soon, "tag.automatic-creation=process-time", "tag.creation-period=hourly", "tag.num-retained-max=1",
		"snapshot.num-retained.min=1", "snapshot.num-retained.max=2")
	w, _ := world(t)
	clock := stopped(&w, noon)
	at := func(st store.Store, h int) error {
		clock.set(noon.Add(time.Duration(h) * time.Hour))
		tab, err := table.Open(ctx, st, "db.t", table.Settings{Parallel: 1}, w)
		if err == nil {
			err = writeOnce(h)(ctx, tab)
		}
		return err
	}
	if err := errors.Join(at(base, 0), at(base, 1)); err != nil {
		t.Fatal(err)
	}
	for k := int64(1); ; k += 5 * slow {
		f := faults[k%int64(len(faults)-2)] // those that cancel nothing
		st, hit := copyOf(t, base), false
		sick := storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
			if op.N != k {
				return storetest.Outcome{}
			}
			hit = true
			return f.outcome(nil)
		})
		if err := at(sick, 2); err != nil && !errors.Is(err, f.cause) {
			t.Error(err)
		}
		tab := reopenIn(t, st, w)
		for i := range 3 {
			allStand(t, st, tab)
			if err := at(st, 2+i); err != nil {
				t.Error(err)
			}
		}
		names, err := tab.Snapshots().TagNames(ctx)
		if err != nil || !slices.Equal(names, []string{"2026-01-31 15"}) {
			t.Errorf("tags %q: %v", names, err)
		}
		allThere(t, st, tab)
		if t.Failed() {
			t.Fatalf("%s at call %d", f.name, k)
		}
		if !hit {
			return
		}
	}
}
