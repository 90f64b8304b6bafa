package table_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// A whole picture first, then every change. The token that is kept with each
// snapshot lets another process go on from there.
func ExampleTable_Stream() {
	ctx := context.Background()
	t := newUsers(ctx)
	write := func(rows ...[]any) {
		w, err := t.NewWriter(ctx, table.WriterOptions{})
		if err != nil {
			panic(err)
		}
		defer w.Close()
		for _, row := range rows {
			w.WriteRow(ctx, row[0].(schema.RowKind), table.Row{"id": row[1], "name": row[2]})
		}
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
	write([]any{schema.Insert, 1, "Ada"}, []any{schema.Insert, 2, "Grace"})
	s, err := t.Stream(ctx, table.StreamOptions{UntilSnapshot: 3})
	if err != nil {
		panic(err)
	}
	write([]any{schema.UpdateAfter, 1, "Ada Lovelace"})
	write([]any{schema.Delete, 2, "Grace"})

	kept := "" // in the program's own store
	for changes, err := range s.Snapshots(ctx) {
		if err != nil {
			panic(err)
		}
		for rec, err := range changes.Batches() {
			if err != nil {
				panic(err)
			}
			kinds, ids, names := rec.Column(0).(*array.Int8), rec.Column(2).(*array.Int64), rec.Column(3).(*array.String)
			for i := range int(rec.NumRows()) {
				fmt.Println(changes.Snapshot.ID, schema.RowKind(kinds.Value(i)), ids.Value(i), names.Value(i))
			}
		}
		kept = s.Token()
	}

	write([]any{schema.Insert, 3, "Edsger"})
	if s, err = t.Stream(ctx, table.StreamOptions{Token: kept, UntilSnapshot: 4}); err != nil {
		panic(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Println(rec.NumRows(), "more row")
	}
	// Output:
	// 1 +I 1 Ada
	// 1 +I 2 Grace
	// 2 +U 1 Ada Lovelace
	// 3 -D 2 Grace
	// 1 more row
}
