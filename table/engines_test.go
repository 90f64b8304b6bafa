package table_test

import (
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

const stock = `
columns: [{name: k, type: INT}, {name: a, type: INT}, {name: b, type: STRING}, {name: g, type: INT}]
primary-key: [k]
options: {bucket: 1, write-only: true}
`

// No file holds the sum, and each column comes from another file.
func TestAFilterIsForTheFoldedRow(t *testing.T) {
	tab := create(t, store.NewMem(), stock, "merge-engine=aggregation", "fields.a.aggregate-function=sum")
	load(t, tab, `{"k":1,"a":1,"b":"x","g":null}`, `{"k":2,"a":9,"b":"z","g":1}`)
	load(t, tab, `{"k":1,"a":2,"b":null,"g":7}`, `{"k":3,"a":3,"b":"w","g":7}`)
	expect(t, tab, table.ScanOptions{Where: "a = 3 AND b = 'x' AND g = 7"}, `{"k":1,"a":3,"b":"x","g":7}`)
	expect(t, tab, table.ScanOptions{Where: "a = 1"})
	expect(t, tab, table.ScanOptions{Where: "a = 2"})
	sound(t, tab)
}

// A projection reads what decides about its columns too.
func TestAProjectionKeepsTheOrderOfItsGroup(t *testing.T) {
	tab := create(t, store.NewMem(), stock, "merge-engine=partial-update", "fields.g.sequence-group=a")
	load(t, tab, `{"k":1,"a":1,"b":"x","g":5}`)
	load(t, tab, `{"k":1,"a":2,"b":"y","g":4}`)
	expect(t, tab, table.ScanOptions{Columns: []string{"a"}}, `{"a":1}`)
	expect(t, tab, table.ScanOptions{Columns: []string{"b"}, Where: "a = 1"}, `{"b":"y"}`)
	expect(t, tab, table.ScanOptions{Columns: []string{"b"}, Where: "a = 2"})
}

func TestARetractionThatAFunctionCannotDoWritesNothing(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, stock, "merge-engine=aggregation", "fields.a.aggregate-function=max")
	w := newWriter(t, tab, "w")
	err := write(t, w, tab, `{"k":1,"a":1,"b":"x","g":1}`, `{"_kind":"-D","k":1,"a":1,"b":"x","g":1}`)
	if err == nil {
		err = w.CommitNext(ctx)
	}
	failsWith(t, err, fault.ErrInvalid, "column a", "max", "fields.a.ignore-retract")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if s, err := tab.Snapshots().Latest(ctx); s != nil || err != nil {
		t.Errorf("snapshot %v, %v", s, err)
	}
	if files := dataFiles(t, st); len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
}

func TestMergingMustNotEmptyAColumnThatIsNotNull(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: INT}, {name: a, type: INT NOT NULL}, {name: g, type: INT}]
primary-key: [k]
options: {bucket: 1, write-only: true, merge-engine: partial-update, fields.g.sequence-group: a}
`)
	load(t, tab, `{"k":1,"a":1,"g":1}`)
	load(t, tab, `{"_kind":"-D","k":1,"a":1,"g":2}`)
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err = range s.Batches(ctx) {
	}
	failsWith(t, err, fault.ErrInvalid, "column a", "NOT NULL")
}

func TestATableWhoseEngineCannotBeIsNotMade(t *testing.T) {
	for _, option := range []string{"fields.b.aggregate-function=sum", "fields.a.aggregate-function=listagg"} {
		sc := define(t, stock, "merge-engine=aggregation", option)
		failsWith(t, table.Create(ctx, store.NewMem(), sc), fault.ErrInvalid, "column")
	}
}
