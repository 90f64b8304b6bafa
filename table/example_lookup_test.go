package table_test

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// newOrders makes a table whose key has two columns.
func newOrders(ctx context.Context) *table.Table {
	c := catalog.New(store.NewMem(), table.Settings{}, table.Components{})
	def, err := schema.ParseDefinition([]byte(`
columns:
  - {name: user, type: STRING NOT NULL}
  - {name: nr, type: INT NOT NULL}
  - {name: item, type: STRING}
primary-key: [user, nr]
options: {bucket: 2, bucket-key: user, write-only: true}
`))
	if err != nil {
		panic(err)
	}
	if err := c.CreateDatabase(ctx, "app"); err != nil {
		panic(err)
	}
	t, err := c.CreateTable(ctx, catalog.Identifier{Database: "app", Table: "orders"}, def)
	if err != nil {
		panic(err)
	}
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	w.Put(ctx, table.Row{"user": "ada", "nr": 1, "item": "pencil"})
	w.Put(ctx, table.Row{"user": "ada", "nr": 2, "item": "paper"})
	w.Put(ctx, table.Row{"user": "bob", "nr": 1, "item": "lamp"})
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
	return t
}

// A key is a struct or a map; where it is one column, the value itself does.
func ExampleTable_Get() {
	ctx := context.Background()
	rows, err := newOrders(ctx).Get(ctx, table.Row{"user": "ada", "nr": 2}, table.Row{"user": "eve", "nr": 1})
	if err != nil {
		panic(err)
	}
	fmt.Println(rows[0]["item"])
	fmt.Println(rows[1] == nil)
	// Output:
	// paper
	// true
}

// A Lookup keeps what it has read, and moves on with the table.
func ExampleTable_NewLookup() {
	ctx := context.Background()
	t := newOrders(ctx)
	l, err := t.NewLookup(ctx, table.LookupOptions{Columns: []string{"item"}})
	if err != nil {
		panic(err)
	}
	defer l.Close()
	w, _ := t.NewWriter(ctx, table.WriterOptions{})
	defer w.Close()
	w.Put(ctx, table.Row{"user": "bob", "nr": 1, "item": "light"})
	w.CommitNext(ctx)

	key := table.Row{"user": "bob", "nr": 1}
	before, _ := l.Get(ctx, key)
	if err := l.Refresh(ctx); err != nil {
		panic(err)
	}
	after, _ := l.Get(ctx, key)
	fmt.Println(before[0], after[0])
	// Output: map[item:lamp] map[item:light]
}

// Many keys travel as columns.
func ExampleLookup_GetBatch() {
	ctx := context.Background()
	l, err := newOrders(ctx).NewLookup(ctx, table.LookupOptions{})
	if err != nil {
		panic(err)
	}
	defer l.Close()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "user", Type: arrow.BinaryTypes.String}, {Name: "nr", Type: arrow.PrimitiveTypes.Int32}}, nil))
	defer b.Release()
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"bob", "eve", "ada"}, nil)
	b.Field(1).(*array.Int32Builder).AppendValues([]int32{1, 1, 2}, nil)
	keys := b.NewRecordBatch()
	defer keys.Release()

	found, err := l.GetBatch(ctx, keys)
	if err != nil {
		panic(err)
	}
	defer found.Release()
	fmt.Println(found.At, found.Batch.Column(2))
	// Output: [0 -1 1] ["lamp" "paper"]
}

// The leading columns of a key find all rows that share them.
func ExampleLookup_GetPrefix() {
	ctx := context.Background()
	l, err := newOrders(ctx).NewLookup(ctx, table.LookupOptions{})
	if err != nil {
		panic(err)
	}
	defer l.Close()
	for rows, err := range l.GetPrefix(ctx, table.Row{"user": "ada"}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(rows.Column(1), rows.Column(2))
	}
	// Output: [1 2] ["pencil" "paper"]
}
