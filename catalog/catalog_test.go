package catalog_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

var ctx = context.Background()

func id(text string) catalog.Identifier {
	db, tab, _ := strings.Cut(text, ".")
	return catalog.Identifier{Database: db, Table: tab}
}

func definition(t *testing.T) schema.Definition {
	t.Helper()
	def, err := schema.ParseDefinition([]byte(`{"columns": [{"name": "id", "type": "BIGINT NOT NULL"}], "primary-key": ["id"], "options": {"bucket": "1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// each runs a test over a warehouse in memory and one in a directory.
func each(t *testing.T, test func(t *testing.T, c *catalog.Catalog)) {
	t.Run("mem", func(t *testing.T) { test(t, catalog.New(store.NewMem(), table.Settings{}, table.Components{})) })
	t.Run("local", func(t *testing.T) {
		c, err := catalog.Open(ctx, t.TempDir(), table.Settings{}, table.Components{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		test(t, c)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, err, class error, part string) {
	t.Helper()
	if err == nil || class != nil && !errors.Is(err, class) || !strings.Contains(err.Error(), part) {
		t.Errorf("%v; want %v with %q", err, class, part)
	}
}

func TestDatabasesAreMadeListedAndDropped(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		must(t, c.CreateDatabase(ctx, "b"))
		must(t, c.CreateDatabase(ctx, "a"))
		fails(t, c.CreateDatabase(ctx, "a"), table.ErrExists, "a")
		if got, err := c.Databases(ctx); err != nil || !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%q, %v", got, err)
		}
		_, err := c.CreateTable(ctx, id("a.t"), definition(t))
		must(t, err)
		fails(t, c.DropDatabase(ctx, "a", false), table.ErrInvalid, "cascade")
		must(t, c.DropDatabase(ctx, "a", true))
		must(t, c.DropDatabase(ctx, "b", false))
		fails(t, c.DropDatabase(ctx, "b", false), table.ErrNotFound, "b")
		if got, err := c.Databases(ctx); err != nil || len(got) > 0 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestTablesAreMadeListedRenamedAndDropped(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		must(t, c.CreateDatabase(ctx, "a"))
		must(t, c.CreateDatabase(ctx, "b"))
		tab, err := c.CreateTable(ctx, id("a.t"), definition(t))
		must(t, err)
		_, err = c.CreateTable(ctx, id("a.t"), definition(t))
		fails(t, err, table.ErrExists, "a.t")
		_, err = c.CreateTable(ctx, id("nowhere.t"), definition(t))
		fails(t, err, table.ErrNotFound, "nowhere")
		w, err := tab.NewWriter(ctx, table.WriterOptions{})
		must(t, err)
		must(t, w.Put(ctx, table.Row{"id": 7}))
		must(t, w.CommitNext(ctx))
		must(t, w.Close())

		must(t, c.RenameTable(ctx, id("a.t"), id("b.u")))
		fails(t, c.RenameTable(ctx, id("a.t"), id("b.v")), table.ErrNotFound, "a.t")
		_, err = c.CreateTable(ctx, id("a.t"), definition(t))
		must(t, err)
		fails(t, c.RenameTable(ctx, id("a.t"), id("b.u")), table.ErrExists, "b.u")
		fails(t, c.RenameTable(ctx, id("a.t"), id("c.u")), table.ErrNotFound, "c")
		moved, err := c.Table(ctx, id("b.u"))
		must(t, err)
		s, err := moved.Scan(ctx, table.ScanOptions{})
		must(t, err)
		if n, err := s.Count(ctx); err != nil || n != 1 {
			t.Errorf("%d rows after the renaming, %v", n, err)
		}
		must(t, c.Store().MakeDir(ctx, "b.db/notes")) // no schema: not a table
		if got, err := c.Tables(ctx, "b"); err != nil || !slices.Equal(got, []string{"u"}) {
			t.Errorf("%q, %v", got, err)
		}
		must(t, c.DropTable(ctx, id("b.u")))
		fails(t, c.DropTable(ctx, id("b.u")), table.ErrNotFound, "b.u")
		_, err = c.Table(ctx, id("b.u"))
		fails(t, err, table.ErrNotFound, "b.u")
	})
}

func TestNamesThatAreNotOneDirectoryAreRefused(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		must(t, c.CreateDatabase(ctx, "a"))
		for _, name := range []string{"", "..", "x/y", `x\y`, ".hidden", "t$snapshots", "a\x00b"} {
			_, err := c.CreateTable(ctx, catalog.Identifier{Database: "a", Table: name}, definition(t))
			fails(t, err, table.ErrInvalid, "name")
			_, err = c.Table(ctx, catalog.Identifier{Database: "a", Table: name})
			fails(t, err, table.ErrInvalid, "name")
			fails(t, c.DropTable(ctx, catalog.Identifier{Database: name, Table: "t"}), table.ErrInvalid, "name")
			fails(t, c.CreateDatabase(ctx, name), table.ErrInvalid, "name")
			fails(t, c.DropDatabase(ctx, name, true), table.ErrInvalid, "name")
			fails(t, c.RenameTable(ctx, id("a.t"), catalog.Identifier{Database: "a", Table: name}), nil, "")
		}
		for _, text := range []string{"", "a", "a.", ".t", "a.b.c", "sys.t", "a/b.t", "a.t$", "a.$files", "a.t$branch_", "a.t$branch_b$", "a.t$x$files", "a.t$branch_b$files$x", "a.t$branch_b/c"} {
			_, err := catalog.ParseIdentifier(text)
			fails(t, err, table.ErrInvalid, "")
		}
		got, err := catalog.ParseIdentifier("a.t")
		if err != nil || got.String() != "a.t" {
			t.Errorf("%v, %v", got, err)
		}
	})
}

// Of many that create one table at once, one succeeds.
func TestOneOfManyCreatorsWins(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		must(t, c.CreateDatabase(ctx, "a"))
		var won atomic.Int64
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				_, err := c.CreateTable(ctx, id("a.t"), definition(t))
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, table.ErrExists) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if won.Load() != 1 {
			t.Errorf("%d creators won", won.Load())
		}
	})
}

func TestNamesOfBranchesAndSystemTablesAreTakenApart(t *testing.T) {
	for text, want := range map[string]catalog.Identifier{
		"a.t":                 {Database: "a", Table: "t"},
		"a.t$files":           {Database: "a", Table: "t", System: "files"},
		"a.t$branch_b":        {Database: "a", Table: "t", Branch: "b"},
		"a.t$branch_b$files":  {Database: "a", Table: "t", Branch: "b", System: "files"},
		"a.t$branch_1.2$tags": {Database: "a", Table: "t", Branch: "1.2", System: "tags"},
		"a.t$branches":        {Database: "a", Table: "t", System: "branches"},
	} {
		got, err := catalog.ParseIdentifier(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%s: %#v, %v", text, got, err)
		}
	}
}

func TestSystemTablesAreNoTablesOfACatalog(t *testing.T) {
	each(t, func(t *testing.T, c *catalog.Catalog) {
		must(t, c.CreateDatabase(ctx, "a"))
		if _, err := c.CreateTable(ctx, id("a.t"), definition(t)); err != nil {
			t.Fatal(err)
		}
		system := catalog.Identifier{Database: "a", Table: "t", System: "files"}
		for _, name := range []catalog.Identifier{system, {Database: "a", Table: "t", Branch: "b"}} {
			_, err := c.CreateTable(ctx, name, definition(t))
			fails(t, err, table.ErrInvalid, name.String())
			fails(t, c.DropTable(ctx, name), table.ErrInvalid, name.String())
			fails(t, c.RenameTable(ctx, name, id("a.u")), table.ErrInvalid, name.String())
			fails(t, c.RenameTable(ctx, id("a.t"), name), table.ErrInvalid, name.String())
		}
		_, err := c.Table(ctx, system)
		fails(t, err, table.ErrInvalid, "a.t$files")
	})
}
