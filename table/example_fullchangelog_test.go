package table_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// A table whose writers put down no changelog: the stream finds out what each
// commit did to the rows.
func ExampleStreamOptions_fullChangelog() {
	ctx := context.Background()
	t := newUsers(ctx)
	write := func(kind schema.RowKind, id int, name string) {
		w, err := t.NewWriter(ctx, table.WriterOptions{})
		if err != nil {
			panic(err)
		}
		defer w.Close()
		w.WriteRow(ctx, kind, table.Row{"id": id, "name": name})
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
	write(schema.Insert, 1, "Ada")
	write(schema.Insert, 1, "Ada Lovelace")
	write(schema.Insert, 1, "Ada Lovelace") // nothing new
	write(schema.Delete, 1, "")

	s, err := t.Stream(ctx, table.StreamOptions{Snapshot: 1, UntilSnapshot: 4, FullChangelog: true})
	if err != nil {
		panic(err)
	}
	for changes, err := range s.Snapshots(ctx) {
		if err != nil {
			panic(err)
		}
		for rec, err := range changes.Batches() {
			if err != nil {
				panic(err)
			}
			kinds, names := rec.Column(0).(*array.Int8), rec.Column(3).(*array.String)
			for i := range int(rec.NumRows()) {
				fmt.Println(changes.Snapshot.ID, schema.RowKind(kinds.Value(i)), names.Value(i))
			}
		}
	}
	// Output:
	// 1 +I Ada
	// 2 -U Ada
	// 2 +U Ada Lovelace
	// 4 -D Ada Lovelace
}
