package table_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// Tags that go one after the other, in any order, take with them what only they
// held; what is left is what the others, and the snapshots, need.
func TestDeletingATagFreesWhatOnlyItHeld(t *testing.T) {
	for name, c := range expiring {
		t.Run(name, func(t *testing.T) {
			for _, order := range [][]string{{"a", "b", "c", "d"}, {"d", "c", "b", "a"}, {"b", "d", "a", "c"}} {
				st := store.NewMem()
				tab := create(t, st, c.yaml, append(c.options, "snapshot.num-retained.min=1000")...)
				c.fill(t, tab)
				rows, ids := states(t, tab), snapshotIDs(t, tab)
				at := map[string]int64{"a": ids[1], "b": ids[3], "c": ids[3], "d": ids[len(ids)-3]}
				for tag, id := range at {
					tagged(t, tab, tag, table.TagOptions{Snapshot: id})
				}
				expired(t, tab, last(2))
				tidy(t, st, tab)
				for i, tag := range order {
					if err := tab.DeleteTag(ctx, tag); err != nil {
						t.Fatal(err)
					}
					tidy(t, st, tab)
					for _, left := range order[i+1:] {
						expect(t, tab, table.ScanOptions{Tag: left}, slices.Clone(rows[at[left]])...)
					}
				}
				if err := compacted(ctx, tab); err != nil {
					t.Fatal(err)
				}
				sound(t, reopen(t, st))
			}
		})
	}
}

// A tag whose snapshot is there takes nothing with it.
func TestDeletingATagOfALiveSnapshotDeletesOneFile(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "bucket=1", soon, "snapshot.num-retained.min=1000")
	rounds(5)(t, tab)
	before := stored(t, st)
	tagged(t, tab, "x", table.TagOptions{Snapshot: 2})
	if err := tab.DeleteTag(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, stored(t, st)); d != "" {
		t.Error(d)
	}
}

// A branch that was made of a tag holds its files after it.
func TestDeletingATagLeavesWhatABranchOfItHolds(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "bucket=1", soon, "changelog-producer=input", "snapshot.num-retained.min=1000")
	rounds(9)(t, tab)
	rows := states(t, tab)
	tagged(t, tab, "x", table.TagOptions{Snapshot: 3})
	tagged(t, tab, "y", table.TagOptions{Snapshot: 6})
	expired(t, tab, last(2))
	if err := tab.CreateBranch(ctx, "b", table.BranchOptions{Tag: "x"}); err != nil {
		t.Fatal(err)
	}
	for _, tag := range []string{"x", "y"} {
		if err := tab.DeleteTag(ctx, tag); err != nil {
			t.Fatal(err)
		}
		tidy(t, st, tab)
	}
	b := openBranch(t, st, "b")
	rounds(2)(t, b)
	expect(t, b, table.ScanOptions{Tag: "x"}, slices.Clone(rows[3])...)
	if err := b.DeleteTag(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	expired(t, b, last(1))
	tidy(t, st, tab)
	sound(t, b)
	sound(t, reopen(t, st))
}

// Changelogs that outlived their snapshots are told by data files where nothing
// else tells them, and need those after the tag.
func TestDeletingATagLeavesWhatChangelogsNeed(t *testing.T) {
	for producer, more := range map[string][]string{"none": nil, "input": {"changelog-producer=input"}} {
		t.Run(producer, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, versions, append(more, "bucket=1", soon, "write-only=true", "changelog.num-retained.max=8", "snapshot.num-retained.min=1", "snapshot.num-retained.max=5")...)
			rounds(4)(t, tab)
			if err := compacted(ctx, tab); err != nil {
				t.Fatal(err)
			}
			rounds(4)(t, tab)
			tagged(t, tab, "x", table.TagOptions{Snapshot: 3})
			until := table.StreamOptions{Snapshot: 1, UntilSnapshot: latestID(t, tab)}
			told := streamLines(t, tab, until)
			expired(t, tab, last(2))
			tidy(t, st, tab)
			if err := tab.DeleteTag(ctx, "x"); err != nil {
				t.Fatal(err)
			}
			tidy(t, st, tab)
			kept := streamLines(t, tab, until) // from the oldest changelog on
			if d := cmp.Diff(told[len(told)-len(kept):], kept); d != "" || len(kept) < len(told)/2 {
				t.Errorf("the stream (-want +got):\n%s", d)
			}
			rounds(5)(t, tab)
			expired(t, tab, table.ExpireOptions{})
			tidy(t, st, tab)
		})
	}
}

// Tags that run out, and automatic ones that are too many, free their files like
// those that somebody deletes.
func TestTagsThatEndByThemselvesFreeTheirFiles(t *testing.T) {
	st := store.NewMem()
	w, _ := world(t)
	clock := stopped(&w, noon)
	if err := table.Create(ctx, st, define(t, versions, "bucket=1", soon, "tag.automatic-creation=process-time", "tag.creation-period=hourly",
		"tag.num-retained-max=2", "tag.default-time-retained=5 h", "snapshot.num-retained.min=1", "snapshot.num-retained.max=2")); err != nil {
		t.Fatal(err)
	}
	tab := reopenIn(t, st, w)
	writer, err := tab.NewWriter(ctx, table.WriterOptions{User: "svc", WaitCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for i := range 8 {
		clock.set(noon.Add(time.Duration(i) * time.Hour))
		commit(t, writer, tab, fmt.Sprintf(`{"k":%d,"v":"a"}`, i%3))
		tidy(t, st, tab)
	}
	names, err := tab.Snapshots().TagNames(ctx)
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	clock.pass(10 * time.Hour)
	gone, err := tab.ExpireTags(ctx, time.Time{})
	if err != nil || !slices.Equal(gone, names) {
		t.Error(gone, err)
	}
	tidy(t, st, tab)
	sound(t, reopenIn(t, st, w))
}
