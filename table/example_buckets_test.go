package table_test

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// Rows of a table with bucket -2 wait until they are given buckets.
func ExampleTable_CompactPostponed() {
	ctx := context.Background()
	def, err := schema.ParseDefinition([]byte(`
columns: [{name: id, type: BIGINT NOT NULL}, {name: name, type: STRING}]
primary-key: [id]
options: {bucket: -2, postpone.default-bucket-num: 4}
`))
	if err != nil {
		panic(err)
	}
	sc, err := def.Table(1)
	if err != nil {
		panic(err)
	}
	st := store.NewMem()
	if err := table.Create(ctx, st, sc); err != nil {
		panic(err)
	}
	t, err := table.Open(ctx, st, "app.users", table.Settings{}, table.Components{})
	if err != nil {
		panic(err)
	}
	w, err := t.NewWriter(ctx, table.WriterOptions{User: "stream"})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	w.Put(ctx, table.Row{"id": 1, "name": "Ada"})
	w.Put(ctx, table.Row{"id": 2, "name": "Grace"})
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	visible := func() int64 {
		s, err := t.Scan(ctx, table.ScanOptions{})
		if err != nil {
			panic(err)
		}
		n, err := s.Count(ctx)
		if err != nil {
			panic(err)
		}
		return n
	}
	fmt.Println("visible:", visible())
	moved, err := t.CompactPostponed(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println("moved:", moved.Rows, "visible:", visible())
	// Output:
	// visible: 0
	// moved: 2 visible: 2
}
