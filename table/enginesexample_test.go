package table_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// merged writes rows, each in a commit of its own, and prints what a table of
// that definition makes of them.
func merged(definition string, rows ...table.Row) {
	ctx := context.Background()
	def, err := schema.ParseDefinition([]byte(definition))
	if err != nil {
		panic(err)
	}
	c := catalog.New(store.NewMem(), table.Settings{}, table.Components{})
	c.CreateDatabase(ctx, "app")
	t, err := c.CreateTable(ctx, catalog.Identifier{Database: "app", Table: "t"}, def)
	if err != nil {
		panic(err)
	}
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, row := range rows {
		if err := w.Put(ctx, row); err != nil {
			panic(err)
		}
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
	s, err := t.Scan(ctx, table.ScanOptions{})
	if err != nil {
		panic(err)
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		panic(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			panic(err)
		}
		enc.Bind(rec)
		for i := range int(rec.NumRows()) {
			fmt.Println(strings.TrimSpace(string(enc.AppendRow(nil, i))))
		}
	}
}

// With deduplicate, which is the default, the newest row of a key stays: by the
// sequence field where there is one, else by arrival.
func ExampleTable_deduplicate() {
	merged(`
columns: [{name: id, type: INT}, {name: city, type: STRING}, {name: moved, type: DATE}]
primary-key: [id]
options: {bucket: 1, merge-engine: deduplicate, sequence.field: moved}
`,
		table.Row{"id": 1, "city": "Turin", "moved": "2025-03-01"},
		table.Row{"id": 1, "city": "London", "moved": "2026-01-31"},
		table.Row{"id": 1, "city": "Paris", "moved": "2025-08-15"})
	// Output: {"id":1,"city":"London","moved":"2026-01-31"}
}

// With first-row the first row of a key stays, whatever comes later.
func ExampleTable_firstRow() {
	merged(`
columns: [{name: visitor, type: STRING}, {name: page, type: STRING}]
primary-key: [visitor]
options: {bucket: 1, merge-engine: first-row}
`,
		table.Row{"visitor": "ada", "page": "/welcome"},
		table.Row{"visitor": "ada", "page": "/prices"})
	// Output: {"visitor":"ada","page":"/welcome"}
}

// With partial-update each writer brings the columns that it knows. Those of a
// sequence group are as new as their sequence column says, whatever comes
// later: here the stock of version 7 stays.
func ExampleTable_partialUpdate() {
	merged(`
columns: [{name: id, type: INT}, {name: name, type: STRING}, {name: stock, type: INT}, {name: version, type: INT}]
primary-key: [id]
options: {bucket: 1, merge-engine: partial-update, fields.version.sequence-group: stock}
`,
		table.Row{"id": 1, "name": "tea", "stock": nil, "version": nil},
		table.Row{"id": 1, "name": nil, "stock": 40, "version": 7},
		table.Row{"id": 1, "name": nil, "stock": 99, "version": 6})
	// Output: {"id":1,"name":"tea","stock":40,"version":7}
}

// With aggregation each column has a function; without one the newest value
// that is not null stays.
func ExampleTable_aggregation() {
	merged(`
columns: [{name: shop, type: STRING}, {name: sold, type: BIGINT}, {name: best, type: "DECIMAL(10, 2)"}, {name: seller, type: STRING}]
primary-key: [shop]
options: {bucket: 1, merge-engine: aggregation, fields.sold.aggregate-function: sum, fields.best.aggregate-function: max}
`,
		table.Row{"shop": "Pier 7", "sold": 2, "best": "19.90", "seller": "Ada"},
		table.Row{"shop": "Pier 7", "sold": 5, "best": "4.50", "seller": nil},
		table.Row{"shop": "Pier 7", "sold": 1, "best": "7.00", "seller": "Grace"})
	// Output: {"shop":"Pier 7","sold":8,"best":"19.90","seller":"Grace"}
}
