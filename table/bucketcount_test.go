package table_test

import (
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// A key must not get a second row in another bucket because the number of
// buckets was altered.
func TestRowsForAnotherNumberOfBucketsAreRefused(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyedDays)
	live := newWriter(t, tab, "live")
	commit(t, live, tab, dayRows[0])
	alter(t, st, "set bucket=3")

	for _, row := range []string{dayRows[0], `{"dt":"a","h":1,"k":2}`, `{"dt":"a","h":1,"k":3}`, `{"dt":"a","h":1,"k":4}`} {
		w := newWriter(t, reopen(t, st), "")
		failsWith(t, write(t, w, tab, row), table.ErrInvalid, "partition dt=a/h=1", "2 buckets", "set bucket to 2 again")
	}
	load(t, reopen(t, st), dayRows[3]) // a new partition has the new number

	rescale(t, reopen(t, st), table.Row{"dt": "a", "h": 1}, `{"dt":"a","h":1,"k":1,"v":"y"}`)
	load(t, reopen(t, st), `{"dt":"a","h":1,"k":1,"v":"z"}`)
	expect(t, reopen(t, st), table.ScanOptions{}, `{"dt":"a","h":1,"k":1,"v":"z"}`, dayRows[3])

	alter(t, st, "set bucket=2")
	w := newWriter(t, reopen(t, st), "")
	failsWith(t, write(t, w, tab, dayRows[0]), table.ErrInvalid, "3 buckets, and option bucket is 2 now")
}

// rescale overwrites by a writer opened for it.
func rescale(t *testing.T, tab *table.Table, inside table.Row, rows ...string) {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{Overwrite: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := write(t, w, tab, rows...); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tab.NewCommitter(ctx, w.User())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Overwrite(ctx, 1, inside, msgs); err != nil {
		t.Fatal(err)
	}
}
