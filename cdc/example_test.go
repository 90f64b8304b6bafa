package cdc_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/tidelake/tidelake/cdc"
	"github.com/tidelake/tidelake/schema"
)

func ExampleNewDebezium() {
	input := `{"before":null,"after":{"id":1,"name":"Ann"},"op":"c","source":{"connector":"mysql","db":"shop","table":"customers"}}
{"before":{"id":1,"name":"Ann"},"after":null,"op":"d","source":{"connector":"mysql","db":"shop","table":"customers"}}`

	table := &schema.Table{PrimaryKeys: []string{"id"}, Fields: []schema.Field{
		{ID: 0, Name: "id", Type: schema.Type{Kind: schema.Int}},
		{ID: 1, Name: "name", Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength, Nullable: true}},
	}}
	mapper, err := cdc.NewMapper(table, cdc.MapperOptions{})
	if err != nil {
		panic(err)
	}
	events := cdc.NewDebezium(strings.NewReader(input), cdc.Options{})
	for {
		event, err := events.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(err)
		}
		rows, err := mapper.Rows(&event)
		if err != nil {
			panic(err)
		}
		for _, row := range rows {
			fmt.Println(event.Table, row.Kind, row.Values)
		}
	}
	// Output:
	// shop.customers +I [1 Ann]
	// shop.customers -D [1 Ann]
}

func ExampleNewCanal() {
	input := `{"data":[{"id":"7","size":"2"}],"database":"shop","table":"shirts","type":"INSERT","isDdl":false,
 "pkNames":["id"],"mysqlType":{"id":"bigint(20)","size":"enum('S','M','L')"},"old":null}`

	events := cdc.NewCanal(strings.NewReader(strings.ReplaceAll(input, "\n", "")), cdc.Options{Tables: []string{"shop.*"}})
	event, err := events.Next()
	if err != nil {
		panic(err)
	}
	size, _ := event.After.Get("size")
	fmt.Println(event.Op, event.Table, string(size.JSON()))
	// Output: insert shop.shirts "2"
}

func ExampleInfer() {
	input := `{"data":[{"id":"7","price":"9.90"}],"database":"shop","table":"shirts","type":"INSERT","pkNames":["id"],"mysqlType":{"id":"bigint(20)","price":"decimal(10,2)"}}`
	event, err := cdc.NewCanal(strings.NewReader(input), cdc.Options{}).Next()
	if err != nil {
		panic(err)
	}
	def, _, err := cdc.Infer([]cdc.Event{event})
	if err != nil {
		panic(err)
	}
	for _, c := range def.Columns {
		fmt.Println(c.Name, c.Type)
	}
	fmt.Println(def.PrimaryKey)
	// Output:
	// id BIGINT NOT NULL
	// price DECIMAL(10, 2)
	// [id]
}
