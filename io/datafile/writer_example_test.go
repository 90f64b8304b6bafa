package datafile_test

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
)

func ExampleNewWriter() {
	fields := []schema.Field{
		{ID: 0, Name: "id", Type: schema.Type{Kind: schema.BigInt}},
		{ID: 1, Name: "city", Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength, Nullable: true}},
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "city", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil))
	defer b.Release()
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{3, 1, 2}, nil)
	b.Field(1).(*array.StringBuilder).AppendValues([]string{"Oslo", "", "Graz"}, []bool{true, false, true})
	rec := b.NewRecordBatch()
	defer rec.Release()

	var out bytes.Buffer
	w, err := datafile.NewWriter(&out, fields, datafile.WriterOptions{Stats: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Abort() // does nothing after Close
	if err := w.Write(rec); err != nil {
		fmt.Println(err)
		return
	}
	res, err := w.Close()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.Rows, "rows")
	for i, c := range res.Columns {
		fmt.Println(fields[i].Name, c.Min, c.Max, c.Nulls)
	}
	// Output:
	// 3 rows
	// id 1 3 0
	// city Graz Oslo 1
}
