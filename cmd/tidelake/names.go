package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/table"
)

// identifier is the name of a table, or of a branch of one.
func identifier(name string) (catalog.Identifier, error) {
	id, err := anyIdentifier(name)
	if err == nil && id.System != "" {
		err = usage("%s is a system table: it can only be read, with \"tidelake read '%s'\"", id, id)
	}
	return id, err
}

// anyIdentifier is identifier, or the name of a system table.
func anyIdentifier(name string) (catalog.Identifier, error) {
	id, err := catalog.ParseIdentifier(name)
	if err != nil {
		return id, usageError{err}
	}
	return id, nil
}

// openTable opens a table; when it is not there the error says what is.
func (a *app) openTable(ctx context.Context, c *catalog.Catalog, id catalog.Identifier) (*table.Table, error) {
	t, err := c.Table(ctx, id)
	if errors.Is(err, table.ErrNotFound) {
		return nil, a.missingTable(ctx, c, id, err)
	}
	return t, err
}

// missingTable is the error for a table that is not there.
func (a *app) missingTable(ctx context.Context, c *catalog.Catalog, id catalog.Identifier, cause error) error {
	tables, err := c.Tables(ctx, id.Database)
	if errors.Is(err, table.ErrNotFound) {
		return a.missingDatabase(ctx, c, id.Database)
	}
	if err != nil {
		return err
	}
	if id.Branch != "" && slices.Contains(tables, id.Table) {
		return cause // it names the branches
	}
	hint := literal.DidYouMean(id.Table, tables)
	if hint == "" {
		hint = fmt.Sprintf(" (\"tidelake table list %s\" lists what is there, \"tidelake table create %s --schema FILE\" makes it)", id.Database, id)
	}
	return fmt.Errorf("table %s: %w in %s%s", id, table.ErrNotFound, a.warehouse, hint)
}

func (a *app) missingDatabase(ctx context.Context, c *catalog.Catalog, db string) error {
	all, err := c.Databases(ctx)
	if err != nil {
		return err
	}
	hint := literal.DidYouMean(db, all)
	if hint == "" {
		hint = fmt.Sprintf(" (make it with \"tidelake db create %s\")", db)
	}
	return fmt.Errorf("database %s: %w in %s%s", db, table.ErrNotFound, a.warehouse, hint)
}

// hintDatabase adds what to do to an error about a database that is not there.
func (a *app) hintDatabase(ctx context.Context, c *catalog.Catalog, db string, err error) error {
	if errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrUnsupported) && checkDatabase(db) != nil {
		return usageError{err}
	}
	if !errors.Is(err, table.ErrNotFound) {
		return err
	}
	all, listErr := c.Databases(ctx)
	if listErr != nil || slices.Contains(all, db) {
		return err
	}
	return a.missingDatabase(ctx, c, db)
}

// checkDatabase tells a name that no database can have.
func checkDatabase(db string) error {
	_, err := catalog.ParseIdentifier(db + ".t")
	return err
}

// completeTable offers the tables of the warehouse to a shell.
func (a *app) completeTable(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	var found []string
	err := a.with(ctx, func(c *catalog.Catalog) error {
		all, err := allTables(ctx, c)
		for _, name := range all {
			if strings.HasPrefix(name, word) {
				found = append(found, name)
			}
		}
		return err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// allTables lists the tables of some databases, or of all.
func allTables(ctx context.Context, c *catalog.Catalog, dbs ...string) ([]string, error) {
	if len(dbs) == 0 {
		var err error
		if dbs, err = c.Databases(ctx); err != nil {
			return nil, err
		}
	}
	var found []string
	for _, db := range dbs {
		tables, err := c.Tables(ctx, db)
		if err != nil {
			return nil, err
		}
		for _, t := range tables {
			found = append(found, db+"."+t)
		}
	}
	return found, nil
}

// formats lets a shell complete the values of a flag.
func formats(cmd *cobra.Command, flag string, values []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is not there: a mistake of this program
	}
}
