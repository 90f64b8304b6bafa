package catalog_test

import (
	"context"
	"fmt"
	"os"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func ExampleOpen() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "warehouse")
	defer os.RemoveAll(dir)
	c, err := catalog.Open(ctx, dir, table.Settings{}, table.Components{})
	if err != nil {
		panic(err)
	}
	defer c.Close()
	if err := c.CreateDatabase(ctx, "shop"); err != nil {
		panic(err)
	}
	def, err := schema.ParseDefinition([]byte(`{
		"columns": [{"name": "id", "type": "BIGINT NOT NULL"}, {"name": "total", "type": "DECIMAL(12, 2)"}],
		"primary-key": ["id"], "options": {"bucket": "2"}}`))
	if err != nil {
		panic(err)
	}
	if _, err := c.CreateTable(ctx, catalog.Identifier{Database: "shop", Table: "orders"}, def); err != nil {
		panic(err)
	}
	fmt.Println(c.Tables(ctx, "shop"))
	// Output: [orders] <nil>
}
