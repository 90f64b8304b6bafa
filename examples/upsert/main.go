// Upsert makes a table, changes rows by key, commits them as one snapshot and
// reads them back: everything a service needs from this library. The table
// lies in memory; "./warehouse" or "s3://bucket/warehouse" in its place keeps it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// User is a row: columns id and name.
type User struct {
	ID   int64
	Name string
}

func main() {
	ctx := context.Background()
	c := must(catalog.Open(ctx, "mem://", table.Settings{}, table.Components{}))
	defer c.Close()
	check(c.CreateDatabase(ctx, "app"))
	t := must(c.CreateTable(ctx, catalog.Identifier{Database: "app", Table: "users"}, must(schema.ParseDefinition([]byte(
		`{"columns": [{"name": "id", "type": "BIGINT"}, {"name": "name", "type": "STRING"}],
		  "primary-key": ["id"], "options": {"bucket": "1"}}`)))))

	w := must(t.NewWriter(ctx, table.WriterOptions{}))
	defer w.Close()
	check(w.Put(ctx, User{1, "Ada"}))
	check(w.Put(ctx, User{2, "Grace"}))
	check(w.Put(ctx, User{1, "Ada Lovelace"})) // replaces the first
	check(w.Delete(ctx, User{ID: 2}))
	check(w.CommitNext(ctx)) // one snapshot, all or nothing

	s := must(t.Scan(ctx, table.ScanOptions{Where: "id < 10"}))
	for batch, err := range s.Batches(ctx) { // Arrow record batches
		check(err)
		fmt.Println(batch.Column(0), batch.Column(1)) // [1] ["Ada Lovelace"]
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
