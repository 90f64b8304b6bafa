package table_test

import (
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// A coordinator that lost its name commits under another one what is committed
// already. That is refused, and must not cost the rows.
func TestMessagesThatAreCommittedTwiceLoseNothing(t *testing.T) {
	for name, options := range map[string][]string{"plain": nil, "vectors": {"deletion-vectors.enabled=true"}} {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), keyed, options...)
			rows := []string{`{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`, `{"k":2,"v":"c"}`}
			for _, row := range rows {
				load(t, tab, row)
			}
			tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{Full: true})
			if err != nil || len(tasks) != 1 {
				t.Fatal(len(tasks), err)
			}
			m, err := tab.RunCompaction(ctx, tasks[0])
			if err != nil {
				t.Fatal(err)
			}
			msgs := []table.CommitMessage{m}
			if err := committer(t, tab, "one").Commit(ctx, 1, msgs); err != nil {
				t.Fatal(err)
			}
			failsWith(t, committer(t, tab, "two").Commit(ctx, 1, msgs), table.ErrConflict, "committed already")
			failsWith(t, tab.Abort(ctx, msgs), table.ErrInvalid, "committed", m.CompactAfter[0].Name)
			expect(t, tab, table.ScanOptions{}, rows[1], rows[2])
			clean(t, tab)
		})
	}
}

func TestAbortKeepsRowsThatAreCommitted(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w := newWriter(t, tab, "w")
	if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx, 1, msgs); err != nil {
		t.Fatal(err)
	}
	failsWith(t, tab.Abort(ctx, msgs), table.ErrInvalid, "committed")
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`)
}

func committer(t *testing.T, tab *table.Table, user string) *table.Committer {
	t.Helper()
	c, err := tab.NewCommitter(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clean proves that every file that a snapshot names is there.
func clean(t *testing.T, tab *table.Table) {
	t.Helper()
	r, err := tab.Check(ctx, nil)
	if err != nil || len(r.Problems) > 0 {
		t.Error(err, r.Problems)
	}
}

// The newest snapshot names neither the changelog of a compaction nor what a
// later one has replaced, but others do.
func TestCompactionsCommittedTwiceKeepFilesThatOlderSnapshotsName(t *testing.T) {
	for name, later := range map[string]bool{"newest": false, "replaced since": true} {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), keyed, "write-only=true", "changelog-producer=lookup")
			load(t, tab, `{"k":1,"v":"a"}`)
			m := compactOnce(t, tab)
			if len(m.CompactChangelog) == 0 {
				t.Fatal("the compaction tells nothing")
			}
			if err := committer(t, tab, "one").Commit(ctx, 1, []table.CommitMessage{m}); err != nil {
				t.Fatal(err)
			}
			if later {
				load(t, tab, `{"k":1,"v":"b"}`)
				if err := committer(t, tab, "later").Commit(ctx, 1, []table.CommitMessage{compactOnce(t, tab)}); err != nil {
					t.Fatal(err)
				}
			}
			failsWith(t, committer(t, tab, "two").Commit(ctx, 1, []table.CommitMessage{m}), table.ErrConflict, "committed already")
			failsWith(t, tab.Abort(ctx, []table.CommitMessage{m}), table.ErrInvalid, "committed")
			clean(t, tab)
			tells(t, tab, table.StreamOptions{Snapshot: 1, UntilSnapshot: 2}, "2:+I 1 a")
		})
	}
}

func compactOnce(t *testing.T, tab *table.Table) table.CommitMessage {
	t.Helper()
	tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil || len(tasks) != 1 {
		t.Fatal(len(tasks), err)
	}
	m, err := tab.RunCompaction(ctx, tasks[0])
	if err != nil {
		t.Fatal(err)
	}
	return m
}
