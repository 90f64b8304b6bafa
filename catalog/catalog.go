// Package catalog finds tables by name. The catalog of a warehouse is its
// directory layout (Paimon's file-system catalog), so there is nothing to run
// and every engine that opens the same warehouse sees the same tables:
//
//	warehouse/
//	└── sales.db/            database "sales"
//	    └── orders/          table "sales.orders"
//	        └── schema/schema-0
package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// Catalog is the file-system catalog of one warehouse. It is safe for
// concurrent use. Renaming is atomic in local directories only.
type Catalog struct {
	store    store.Store
	settings table.Settings
	world    table.Components
}

// New makes the catalog of the warehouse whose root directory st is. Tables it
// opens share st, settings and world.
func New(st store.Store, settings table.Settings, world table.Components) *Catalog {
	return &Catalog{store: st, settings: settings, world: world}
}

// Open opens the warehouse at a URL: a directory, or s3://, gs://, azblob://,
// mem:// (see store.Open). Close it in the end.
func Open(ctx context.Context, url string, settings table.Settings, world table.Components) (*Catalog, error) {
	st, err := store.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	return New(st, settings, world), nil
}

// Close closes the warehouse's store. Tables opened from it are unusable then.
func (c *Catalog) Close() error { return c.store.Close() }

// Store is the warehouse's root.
func (c *Catalog) Store() store.Store { return c.store }

func databaseDir(db string) string    { return db + ".db" }
func tableDir(id Identifier) string   { return databaseDir(id.Database) + "/" + id.Table }
func missingDatabase(db string) error { return notFound("database " + db) }

func notFound(what string) error {
	return &fault.Error{Class: fault.ErrNotFound, Detail: what}
}

// Databases lists the databases by name.
func (c *Catalog) Databases(ctx context.Context) ([]string, error) {
	var out []string
	for info, err := range c.store.List(ctx, "") {
		if err != nil {
			return nil, err
		}
		if name, ok := strings.CutSuffix(info.Name, ".db"); ok && info.Dir && name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (c *Catalog) hasDatabase(ctx context.Context, db string) error {
	if err := checkName("database", db); err != nil {
		return err
	}
	ok, err := store.DirExists(ctx, c.store, databaseDir(db))
	if err == nil && !ok {
		err = missingDatabase(db)
	}
	return err
}

// CreateDatabase makes an empty database. It fails with ErrExists where there is one.
func (c *Catalog) CreateDatabase(ctx context.Context, db string) error {
	err := c.hasDatabase(ctx, db)
	if err == nil {
		return &fault.Error{Class: fault.ErrExists, Detail: "database " + db}
	}
	if !errors.Is(err, fault.ErrNotFound) {
		return err
	}
	return c.store.MakeDir(ctx, databaseDir(db))
}

// DropDatabase removes a database; with cascade, its tables and all their data too.
func (c *Catalog) DropDatabase(ctx context.Context, db string, cascade bool) error {
	tables, err := c.Tables(ctx, db)
	if err != nil {
		return err
	}
	if len(tables) > 0 && !cascade {
		return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("database %s holds %d tables", db, len(tables)), Hint: "drop them first, or ask for cascade"}
	}
	return c.store.DeleteDir(ctx, databaseDir(db))
}

// Tables lists the tables of a database by name.
func (c *Catalog) Tables(ctx context.Context, db string) ([]string, error) {
	if err := c.hasDatabase(ctx, db); err != nil {
		return nil, err
	}
	var out []string
	for info, err := range c.store.List(ctx, databaseDir(db)) {
		if err != nil {
			return nil, err
		}
		if !info.Dir || strings.HasPrefix(info.Name, ".") {
			continue
		}
		is, err := c.isTable(ctx, Identifier{Database: db, Table: info.Name})
		if err != nil {
			return nil, err
		}
		if is {
			out = append(out, info.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}

// isTable tells that a directory holds a schema file.
func (c *Catalog) isTable(ctx context.Context, id Identifier) (bool, error) {
	for info, err := range c.store.List(ctx, tableDir(id)+"/schema") {
		if err != nil {
			return false, err
		}
		if strings.HasPrefix(info.Name, "schema-") {
			return true, nil
		}
	}
	return false, nil
}

// CreateTable makes an empty table from a definition and opens it. It reports
// every fault of the definition at once (ErrInvalid), ErrExists where a table
// is, ErrNotFound without the database, ErrUnsupported for a table that could
// not be read afterwards.
func (c *Catalog) CreateTable(ctx context.Context, id Identifier, def schema.Definition) (*table.Table, error) {
	if err := errors.Join(id.checkWhole("created"), c.hasDatabase(ctx, id.Database)); err != nil {
		return nil, err
	}
	sc, err := def.Table(c.now())
	if err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Op: "create", Table: id.String(), Err: err}
	}
	if err := readable(sc); err != nil {
		return nil, &fault.Error{Op: "create", Table: id.String(), Err: err}
	}
	if err := table.Create(ctx, store.Sub(c.store, tableDir(id)), sc); err != nil {
		return nil, &fault.Error{Op: "create", Table: id.String(), Err: err}
	}
	return c.Table(ctx, id)
}

// readable refuses a table that could not be opened afterwards.
func readable(sc *schema.Table) error {
	options, err := schema.ParseOptions(sc.Options)
	if err != nil {
		return err
	}
	return options.CheckRead(sc)
}

func (c *Catalog) now() int64 {
	if c.world.Clock != nil {
		return c.world.Clock().UnixMilli()
	}
	return time.Now().UnixMilli()
}

// Table opens a table by name. System tables are read through the table that
// they belong to, see table.System.
func (c *Catalog) Table(ctx context.Context, id Identifier) (*table.Table, error) {
	if err := errors.Join(id.check(), id.checkData("opened as a table")); err != nil {
		return nil, err
	}
	return table.OpenBranch(ctx, store.Sub(c.store, tableDir(id)), id.Branch, id.String(), c.settings, c.world)
}

// AlterTable publishes the schema that follows the table's newest one; see
// table.Alter.
func (c *Catalog) AlterTable(ctx context.Context, id Identifier, changes []schema.Change, o table.AlterOptions) (*schema.Table, error) {
	if err := errors.Join(id.check(), id.checkData("altered"), c.mustBeTable(ctx, id.Main())); err != nil {
		return nil, err
	}
	if id.Branch != "" {
		o.Branch = id.Branch
	}
	return table.Alter(ctx, store.Sub(c.store, tableDir(id)), id.String(), changes, o, c.world)
}

// DropTable removes a table with all its data, snapshots and schemas. Data in
// external paths is left where it is.
func (c *Catalog) DropTable(ctx context.Context, id Identifier) error {
	if err := c.mustBeTable(ctx, id); err != nil {
		return err
	}
	return c.store.DeleteDir(ctx, tableDir(id))
}

func (c *Catalog) mustBeTable(ctx context.Context, id Identifier) error {
	if err := errors.Join(checkName("database", id.Database), id.checkWhole("altered, renamed or dropped")); err != nil {
		return err
	}
	is, err := c.isTable(ctx, id)
	if err == nil && !is {
		err = notFound("table " + id.String())
	}
	return err
}

// RenameTable moves a table to a name that is free, also in another database.
func (c *Catalog) RenameTable(ctx context.Context, from, to Identifier) error {
	if err := c.mustBeTable(ctx, from); err != nil {
		return err
	}
	if err := errors.Join(to.checkWhole("the new name of a table"), c.hasDatabase(ctx, to.Database)); err != nil {
		return err
	}
	taken, err := store.DirExists(ctx, c.store, tableDir(to))
	if err != nil {
		return err
	}
	if taken {
		return &fault.Error{Class: fault.ErrExists, Detail: "table " + to.String()}
	}
	return c.store.RenameDir(ctx, tableDir(from), tableDir(to))
}
