package mergeengine_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// A column keeps the longest text that any version of the row had.
func ExampleRegisterAggregate() {
	err := mergeengine.RegisterAggregate("acme.longest", mergeengine.FoldOf(func(acc, in string) string {
		if len(in) > len(acc) {
			return in
		}
		return acc
	}))
	if err != nil && !errors.Is(err, table.ErrExists) {
		panic(err)
	}
	t := create(`
columns:
  - {name: id, type: BIGINT NOT NULL}
  - {name: title, type: STRING}
primary-key: [id]
options: {bucket: 1, merge-engine: aggregation, fields.title.aggregate-function: acme.longest}`)
	put(t, table.Row{"id": 1, "title": "sketch"}, table.Row{"id": 1, "title": "a finished work"})
	put(t, table.Row{"id": 1, "title": "correction"})
	show(t)
	// Output: 1 a finished work
}

// Of the versions of a row the one with the highest priority stays.
func ExampleRegisterEngine() {
	err := mergeengine.RegisterEngine("acme.by-priority", func(t *schema.Table) (mergeengine.RowMerger, error) {
		f, exists := t.Field("priority")
		if !exists || f.Type.Kind != schema.Int {
			return nil, fmt.Errorf("it needs a column priority of type INT")
		}
		priority := t.Index("priority")
		return func(v *mergeengine.Versions, row *mergeengine.Row) error {
			best := int32(-1)
			for i := range v.Len() {
				col, at := v.Cell(priority, i)
				if p := col.(*array.Int32).Value(at); col.IsValid(at) && p >= best {
					best = p
					row.Take(i)
				}
			}
			return nil
		}, nil
	})
	if err != nil && !errors.Is(err, table.ErrExists) {
		panic(err)
	}
	t := create(`
columns:
  - {name: id, type: BIGINT NOT NULL}
  - {name: source, type: STRING}
  - {name: priority, type: INT}
primary-key: [id]
options: {bucket: 1, merge-engine: acme.by-priority}`)
	put(t, table.Row{"id": 1, "source": "register", "priority": 9})
	put(t, table.Row{"id": 1, "source": "hearsay", "priority": 2}, table.Row{"id": 2, "source": "hearsay", "priority": 2})
	show(t)
	// Output:
	// 1 register 9
	// 2 hearsay 2
}

// A column of bitmaps: the users seen, whatever the number of rows that said so.
func ExampleEncodeBitmap64() {
	t := create(`
columns:
  - {name: day, type: DATE NOT NULL}
  - {name: users, type: BYTES}
primary-key: [day]
options: {bucket: 1, merge-engine: aggregation, fields.users.aggregate-function: rbm64}`)
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	for _, seen := range [][]uint64{{7, 1 << 40}, {7, 8}} {
		users, err := mergeengine.EncodeBitmap64(roaring64.BitmapOf(seen...))
		if err != nil {
			panic(err)
		}
		put(t, table.Row{"day": day, "users": users})
	}
	s, err := t.Scan(context.Background(), table.ScanOptions{Columns: []string{"users"}})
	if err != nil {
		panic(err)
	}
	for rec, err := range s.Batches(context.Background()) {
		if err != nil {
			panic(err)
		}
		users, err := mergeengine.DecodeBitmap64(rec.Column(0).(*array.Binary).Value(0))
		fmt.Println(users.ToArray(), err)
	}
	// Output: [7 8 1099511627776] <nil>
}

func create(definition string) *table.Table {
	def, err := schema.ParseDefinition([]byte(definition))
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	c := catalog.New(store.NewMem(), table.Settings{}, table.Components{})
	if err := c.CreateDatabase(ctx, "app"); err != nil {
		panic(err)
	}
	t, err := c.CreateTable(ctx, catalog.Identifier{Database: "app", Table: "t"}, def)
	if err != nil {
		panic(err)
	}
	return t
}

// put writes rows and commits them.
func put(t *table.Table, rows ...table.Row) {
	ctx := context.Background()
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, row := range rows {
		if err := w.Put(ctx, row); err != nil {
			panic(err)
		}
	}
	if err := w.CommitNext(ctx); err != nil {
		panic(err)
	}
}

func show(t *table.Table) {
	ctx := context.Background()
	s, err := t.Scan(ctx, table.ScanOptions{})
	if err != nil {
		panic(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			panic(err)
		}
		for row := range int(rec.NumRows()) {
			var cells []any
			for _, col := range rec.Columns() {
				cells = append(cells, col.ValueStr(row))
			}
			fmt.Println(cells...)
		}
	}
}
