package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// An expiry that was killed leaves snapshots that lack files. Nobody can give one
// a name any more, or go back to it, unless a tag holds it.
func TestAHalfExpiredSnapshotGetsNoName(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "bucket=1", soon, "snapshot.num-retained.min=1000")
	rounds(5)(t, tab)
	rows := states(t, tab)
	tagged(t, tab, "held", table.TagOptions{Snapshot: 3})
	dying := storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		return storetest.Outcome{Crash: op.Verb == storetest.Delete && strings.HasPrefix(op.Key, "manifest/")}
	})
	if _, err := reopen(t, dying).Expire(ctx, last(2)); err == nil {
		t.Fatal("the expiry was not killed")
	}
	if _, err := scanLines(ctx, tab, table.ScanOptions{Snapshot: 4}); err == nil {
		t.Fatal("snapshot 4 is whole")
	}
	_, err := tab.CreateTag(ctx, "x", table.TagOptions{Snapshot: 4})
	failsWith(t, err, table.ErrNotFound, "snapshot 4", "begun to take its files", "newer")
	failsWith(t, tab.CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 4}), table.ErrNotFound, "snapshot 4")
	_, err = tab.Rollback(ctx, table.RollbackOptions{Snapshot: 4})
	failsWith(t, err, table.ErrNotFound, "snapshot 4")
	_, err = tab.ReplaceTag(ctx, "held", table.TagOptions{Snapshot: 4})
	failsWith(t, err, table.ErrNotFound, "snapshot 4")
	if tree := storetest.Tree(t, st, "branch"); len(tree) > 0 {
		t.Errorf("%q is left of the branch", tree)
	}
	tagged(t, tab, "again", table.TagOptions{Snapshot: 3})
	for _, name := range []string{"held", "again"} {
		expect(t, tab, table.ScanOptions{Tag: name}, slices.Clone(rows[3])...)
	}
	expired(t, tab, last(2))
	tidy(t, st, tab)
	if _, err := tab.Rollback(ctx, table.RollbackOptions{Tag: "held"}); err != nil {
		t.Fatal(err)
	}
	rounds(2)(t, reopen(t, st)) // under ids that had begun to expire
	tagged(t, tab, "new", table.TagOptions{Snapshot: 4})
	sound(t, reopen(t, st))
}

// What a commit has written before its snapshot is there is spared for its age.
func TestCleaningRacingACommit(t *testing.T) {
	for n, met := int64(1), true; met; n += 3 * slow {
		met = false
		st := store.NewMem()
		tab := create(t, st, versions, "bucket=1", soon)
		rounds(2)(t, tab)
		if err := st.Write(ctx, strays[0], []byte("stray")); err != nil {
			t.Fatal(err)
		}
		w, _ := world(t)
		now := time.Now().Add(24 * time.Hour)
		w.Clock = func() time.Time { return now }
		rounds(1)(t, reopen(t, storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
			if op.N == n {
				met = true
				r, err := reopenIn(t, st, w).Clean(ctx, table.CleanOptions{Delete: true})
				if err != nil || r.Files > 1 {
					t.Errorf("call %d: %+v %v", n, r, err)
				}
			}
			return storetest.Outcome{}
		})))
		allThere(t, st, tab)
		sound(t, reopen(t, st))
		if t.Failed() {
			return
		}
	}
}

// Whatever replaces files takes away only what it has read: rows that others
// commit meanwhile are there afterwards.
func TestReplacingFilesDeletesNoneThatItNeverSaw(t *testing.T) {
	overwrites := func(tab *table.Table) error {
		w, err := tab.NewWriter(ctx, table.WriterOptions{})
		if err != nil {
			return err
		}
		defer w.Close()
		if err := w.Put(ctx, table.Row{"k": 1, "p": 1, "v": "new"}); err != nil {
			return err
		}
		msgs, err := w.Prepare(ctx, 1)
		if err != nil {
			return err
		}
		c, err := tab.NewCommitter(ctx, "")
		if err != nil {
			return err
		}
		return c.Overwrite(ctx, 1, nil, msgs) // the partitions that it touches
	}
	for name, c := range map[string]struct {
		yaml string
		work work
		late int // the partition of the late row
	}{
		"a compaction of an append table": {plain, func(tab *table.Table) error { return compacted(ctx, tab) }, 1},
		"a compaction":                    {byPart, func(tab *table.Table) error { return compacted(ctx, tab) }, 1},
		"a delete":                        {plain, func(tab *table.Table) error { return deleted(ctx, tab) }, 1},
		"an update":                       {plain, func(tab *table.Table) error { return updated(ctx, tab) }, 1},
		"an overwrite":                    {byPart, overwrites, 7},
	} {
		t.Run(name, func(t *testing.T) {
			base := store.NewMem()
			tab := create(t, base, c.yaml)
			for i := range 6 {
				load(t, tab, fmt.Sprintf(`{"k":%d,"p":1,"v":"b"}`, i+10))
			}
			for n, more := int64(2), true; more; n += 3 * slow {
				st := copyOf(t, base)
				more = false
				sick := storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
					if op.N == n {
						more = true
						load(t, reopen(t, st), fmt.Sprintf(`{"k":777,"p":%d,"v":"late"}`, c.late))
					}
					return storetest.Outcome{}
				})
				if err := c.work(reopen(t, sick)); err != nil {
					t.Errorf("call %d: %v", n, err)
				}
				if got := lines(t, reopen(t, st), table.ScanOptions{Where: "k = 777"}); more != (len(got) == 1) {
					t.Errorf("call %d: the late row is %q", n, got)
				}
				sound(t, reopen(t, st))
				if t.Failed() {
					return
				}
			}
		})
	}
}
