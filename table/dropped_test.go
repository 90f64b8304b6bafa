package table_test

import (
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// Who has a table open while it is dropped is told so: it does not look empty,
// and rows written into it are not taken as committed.
func TestATableThatWasDroppedIsNotTakenForAnEmptyOne(t *testing.T) {
	for name, commits := range map[string]int{"without a snapshot": 0, "with snapshots": 2} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed)
			w := newWriter(t, tab, "service")
			for range commits {
				commit(t, w, tab, `{"k":1,"v":"a"}`)
			}
			if err := write(t, w, tab, `{"k":2,"v":"b"}`); err != nil {
				t.Fatal(err)
			}
			for info, err := range st.List(ctx, "") {
				if err != nil {
					t.Fatal(err)
				}
				if err := st.DeleteDir(ctx, info.Name); err != nil {
					t.Fatal(err)
				}
			}
			what := "the table was dropped"
			_, err := tab.Scan(ctx, table.ScanOptions{})
			failsWith(t, err, table.ErrNotFound, what)
			_, err = tab.Get(ctx, 1)
			failsWith(t, err, table.ErrNotFound, what)
			_, err = tab.Stream(ctx, table.StreamOptions{})
			failsWith(t, err, table.ErrNotFound, what)
			_, err = tab.Compact(ctx, table.CompactOptions{})
			failsWith(t, err, table.ErrNotFound, what)
			for _, err := range tab.Files(ctx, 0) {
				failsWith(t, err, table.ErrNotFound, what)
			}
			failsWith(t, w.CommitNext(ctx), table.ErrNotFound, what)
			if at, err := tab.Snapshots().Latest(ctx); err != nil || at != nil {
				t.Errorf("there is a snapshot %v after the drop, and the error %v", at, err)
			}
		})
	}
}
