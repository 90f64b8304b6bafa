package main

import (
	"context"
	"errors"
	"testing"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func TestOneTableThatFailsDoesNotKeepTheOthersFromTheirTurnButAnInterruptDoes(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := catalog.Open(ctx, t.TempDir(), table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.CreateDatabase(ctx, "db"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		def, err := schema.ParseDefinition([]byte("columns: [{name: k, type: INT}]"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CreateTable(ctx, catalog.Identifier{Database: "db", Table: name}, def); err != nil {
			t.Fatal(err)
		}
	}
	var turns []string
	broken := errors.New("broken")
	err = (&app{}).eachTable(ctx, c, []string{"db.a", "db.none", "db.b", "db.c"}, func(tab *table.Table) error {
		if turns = append(turns, tab.Name()); len(turns) == 2 {
			cancel()
		}
		return broken
	})
	if len(turns) != 2 || turns[1] != "db.b" || !errors.Is(err, broken) || !errors.Is(err, table.ErrNotFound) {
		t.Error(turns, err)
	}
}
