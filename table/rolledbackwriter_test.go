package table_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// A writer that stays open while its table is rolled back goes on from what the
// table is then. What it meets is no corrupt file.
func TestAWriterGoesOnInATableThatWasRolledBack(t *testing.T) {
	for name, between := range map[string]int{"at once": 0, "after others": 3} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed, "changelog-producer=lookup", "write-only=false")
			w := newWriter(t, tab, "service")
			commit(t, w, tab, `{"k":1,"v":"a"}`)
			commit(t, w, tab, `{"k":1,"v":"b"}`, `{"k":2,"v":"x"}`)
			if _, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 2}); err != nil {
				t.Fatal(err)
			}
			for range between {
				load(t, reopen(t, st), `{"k":9,"v":"o"}`)
			}
			from := latestID(t, tab) + 1
			for range 2 { // the first has to find out, perhaps
				commit(t, w, tab, `{"k":1,"v":"c"}`, `{"k":2,"v":"d"}`)
			}
			expect(t, tab, table.ScanOptions{Where: "k < 9"}, `{"k":1,"v":"c"}`, `{"k":2,"v":"d"}`)
			got := shorten(streamLines(t, reopen(t, st), table.StreamOptions{Snapshot: from, UntilSnapshot: latestID(t, tab)}))
			for i := range got {
				_, got[i], _ = strings.Cut(got[i], ":")
			}
			if d := cmp.Diff([]string{"-U 1 a", "+U 1 c", "+I 2 d"}, got[:min(3, len(got))]); d != "" {
				t.Errorf("changes (-want +got):\n%s", d)
			}
			clean(t, tab)
		})
	}
}

// After a rollback a service sends its rows again under the identifiers that they had.
func TestRowsThatWereRolledBackAreCommittedUnderTheirIdentifierAgain(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w := newWriter(t, tab, "service")
	send := func(id int64) {
		t.Helper()
		if err := w.Put(ctx, table.Row{"k": id, "v": "a"}); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, id)
		if err == nil {
			err = w.Commit(ctx, id, msgs)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	send(1)
	send(2)
	if _, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 1}); err != nil {
		t.Fatal(err)
	}
	send(2)
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"a"}`)
}
