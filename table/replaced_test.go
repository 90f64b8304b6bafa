package table_test

import (
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// A process that hung, and was replaced by one of the same commit user, wakes up
// and commits under an identifier that the other has used. Its rows are not in
// the table, and it must not believe so.
func TestAWriterThatWasReplacedIsToldThatItsRowsAreNotCommitted(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	hung := newWriter(t, tab, "service")
	commit(t, hung, tab, `{"k":1,"v":"a"}`)
	commit(t, newWriter(t, reopen(t, st), "service"), tab, `{"k":2,"v":"b"}`)
	if err := write(t, hung, tab, `{"k":3,"v":"c"}`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		failsWith(t, hung.CommitNext(ctx), table.ErrConflict, "service", "identifier 2", "open a new writer")
	}
	if err := hung.Close(); err != nil {
		t.Error(err)
	}
	next := newWriter(t, tab, "service")
	commit(t, next, tab, `{"k":3,"v":"c"}`)
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"k":3,"v":"c"}`)
	if left := orphans(t, st, tab); len(left) > 0 {
		t.Error(left)
	}
}
