package catalog_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func TestATableThatCouldNotBeReadIsNotMade(t *testing.T) {
	ctx := context.Background()
	c := catalog.New(store.NewMem(), table.Settings{}, table.Components{})
	if err := c.CreateDatabase(ctx, "app"); err != nil {
		t.Fatal(err)
	}
	def, err := schema.ParseDefinition([]byte(`{"columns": [{"name": "id", "type": "INT"}, {"name": "n", "type": "INT"}],
		"primary-key": ["id"], "options": {"bucket": "1", "scan.fallback-snapshot-branch": "b"}}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateTable(ctx, catalog.Identifier{Database: "app", Table: "sums"}, def)
	if !errors.Is(err, table.ErrUnsupported) {
		t.Errorf("%v, want a refusal", err)
	}
	if tables, err := c.Tables(ctx, "app"); err != nil || len(tables) > 0 {
		t.Errorf("left behind: %q %v", tables, err)
	}
}
