package table_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// keysThatMove is a table in which a key has one partition of many.
const keysThatMove = `
columns: [{name: p, type: INT NOT NULL}, {name: k, type: BIGINT NOT NULL}]
primary-key: [k]
partition-by: [p]
options: {bucket: -1, write-only: true}
`

// The ids of snapshots that a rollback has taken away are given out again. A Lookup
// that stays open answers from the new ones.
func TestALookupGoesOnInATableThatWasRolledBack(t *testing.T) {
	for after, name := range []string{"to fewer", "to as many", "to more"} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed)
			for i := range 3 {
				load(t, tab, fmt.Sprintf(`{"k":1,"v":"old%d"}`, i), fmt.Sprintf(`{"k":%d,"v":"gone"}`, 10+i))
			}
			l := openLookup(t, tab, table.LookupOptions{})
			getAll(t, l, `{"k":1}`)
			if _, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 1}); err != nil {
				t.Fatal(err)
			}
			want := []string{`{"k":1,"v":"old0"}`, `{"k":10,"v":"gone"}`, "", ""}
			for i := range after + 1 {
				load(t, tab, fmt.Sprintf(`{"k":1,"v":"new%d"}`, i))
				want[0] = fmt.Sprintf(`{"k":1,"v":"new%d"}`, i)
			}
			if err := l.Refresh(ctx); err != nil {
				t.Fatal(err)
			}
			got := getAll(t, l, `{"k":1}`, `{"k":10}`, `{"k":11}`, `{"k":12}`)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("rows (-want +got):\n%s", d)
			}
		})
	}
}

// A writer that stays open places the keys of a table that was rolled back by what
// others have made of it since, or says that it cannot.
func TestAWriterPlacesKeysOfATableThatWasRolledBack(t *testing.T) {
	for after, name := range []string{"to as many", "to more"} {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), keysThatMove)
			w := newWriter(t, tab, "service")
			commit(t, w, tab, `{"p":1,"k":1}`)
			commit(t, w, tab, `{"p":1,"k":2}`)
			if _, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 1}); err != nil {
				t.Fatal(err)
			}
			for i := range after + 1 {
				load(t, tab, fmt.Sprintf(`{"p":5,"k":%d}`, 2+i))
			}
			commit(t, w, tab, `{"p":7,"k":2}`)
			want := []string{`{"k":1,"p":1}`, `{"k":2,"p":7}`}
			if after > 0 {
				want = append(want, `{"k":3,"p":5}`)
			}
			expect(t, tab, table.ScanOptions{Columns: []string{"k", "p"}}, want...)
		})
	}
}

// Rows that were placed before a rollback are not committed onto what came after it.
func TestKeysPlacedBeforeARollbackAreRefused(t *testing.T) {
	tab := create(t, store.NewMem(), keysThatMove)
	w := newWriter(t, tab, "service")
	commit(t, w, tab, `{"p":1,"k":1}`)
	commit(t, w, tab, `{"p":1,"k":2}`)
	if err := write(t, w, tab, `{"p":7,"k":3}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 9)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 1}); err != nil {
		t.Fatal(err)
	}
	load(t, tab, `{"p":5,"k":3}`)
	failsWith(t, w.Commit(ctx, 9, msgs), table.ErrConflict, "snapshot 2", "taken back")
	expect(t, tab, table.ScanOptions{}, `{"p":1,"k":1}`, `{"p":5,"k":3}`)
}
