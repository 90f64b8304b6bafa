package rowjson_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

var orders = []schema.Field{
	{ID: 0, Name: "id", Type: schema.Type{Kind: schema.BigInt}},
	{ID: 1, Name: "price", Type: schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2, Nullable: true}},
	{ID: 2, Name: "at", Type: schema.Type{Kind: schema.TimestampLTZ, Precision: 3, Nullable: true}},
}

func ExampleReadJSON() {
	in := `{"id":1,"price":9.5,"at":"2026-01-31T10:00:00+01:00"}
{"_kind":"-D","id":2}
{"id":3,"prise":1}`
	for batch, err := range rowjson.ReadJSON(strings.NewReader(in), orders, rowjson.Options{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.Record.NumRows(), "rows of kinds", batch.Kinds)
		fmt.Println(batch.Record.Column(1))
	}
	// Output:
	// 2 rows of kinds [0 3]
	// [9.5 (null)]
	// line 3: no column is named "prise" (did you mean price?)
}

func ExampleReadCSV() {
	in := "price,id\n9.5,1\n,2\n"
	opts := rowjson.CSVOptions{Header: true}
	for batch, err := range rowjson.ReadCSV(strings.NewReader(in), orders, opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.Record.Column(0), batch.Record.Column(1))
	}
	// Output: [1 2] [9.5 (null)]
}

func ExampleAppender() {
	a, err := rowjson.NewAppender(orders, nil)
	if err == nil {
		err = a.Append(schema.Insert, []any{1, "9.50", time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, _ := a.Flush()
	defer batch.Release()
	enc, err := rowjson.NewEncoder(orders)
	if err == nil {
		err = enc.Bind(batch)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(enc.AppendRow(nil, 0)))
	// Output: {"id":1,"price":"9.50","at":"2026-01-31T09:00:00.000Z"}
}

func ExampleEncoder() {
	enc, err := rowjson.NewEncoder(orders)
	if err != nil {
		fmt.Println(err)
		return
	}
	out := enc.AppendCSVHeader(nil, ',')
	for batch, err := range rowjson.ReadJSON(strings.NewReader(`{"id":1,"price":"9.5"}`), orders, rowjson.Options{}) {
		if err == nil {
			err = enc.Bind(batch.Record)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		out = enc.AppendCSV(out, ',', 0)
	}
	_, _ = os.Stdout.Write(out)
	// Output:
	// id,price,at
	// 1,9.50,
}

func ExampleDecoder() {
	d, err := rowjson.NewDecoder(orders, rowjson.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Row([]byte(`{"id":1.5}`)))
	fmt.Println(d.Row([]byte(`{"id":1}`)))
	batch, _ := d.Flush()
	defer batch.Release()
	fmt.Println(batch.NumRows())
	// Output:
	// column id (BIGINT): 1.5 is not a whole number
	// <nil>
	// 1
}
