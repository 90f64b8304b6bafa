package table_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// A diff tells how one version of a table became another.
func ExampleTable_Diff() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	w.Put(ctx, table.Row{"id": 1, "name": "Ada"})
	w.Put(ctx, table.Row{"id": 2, "name": "Grace"})
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	w.Put(ctx, table.Row{"id": 1, "name": "Ada Lovelace"})
	w.Delete(ctx, table.Row{"id": 2})
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	d, err := t.Diff(ctx, table.ScanOptions{Between: &table.Between{
		From: table.Version{Snapshot: 1}, To: table.Version{Snapshot: 2}, Mode: table.ChangesDiff,
	}})
	if err != nil {
		panic(err)
	}
	for rec, err := range d.Batches(ctx) {
		if err != nil {
			panic(err)
		}
		kinds := rec.Column(0).(*array.Int8)
		for i, kind := range kinds.Values() {
			fmt.Println(schema.RowKind(kind), rec.Column(2).ValueStr(i))
		}
	}
	// Output:
	// +I 1
	// -D 2
}
