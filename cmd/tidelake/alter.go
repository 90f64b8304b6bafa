package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func alterCommand(a *app) *cobra.Command {
	var changes []schema.Change
	dry, file := false, ""
	cmd := &cobra.Command{Use: "alter DB.T", Short: "Change a table's columns, types, comments and options", Args: cobra.ExactArgs(1),
		Long: `Change a table's columns, types, comments and options, as one new schema.

All changes of one command happen together or not at all, in the order in which
they are given. No data is rewritten: rows written before are read through the
new schema, a column they do not have as null, another type by a cast.

A column is named by a path: address.city is a member of a ROW, tags.element
what an ARRAY holds, prices.value what a MAP holds. A name that is no plain word
stands in backquotes, a text that is none in single quotes.

Key columns stay: columns of the primary key and of the partition can neither be
dropped nor get another type. Options that written files rely on, such as
merge-engine, can only be set before the first write.`,
		Example: `  tidelake alter shop.orders --add "note STRING COMMENT 'free words' AFTER id"
  tidelake alter shop.orders --add "state STRING DEFAULT 'new'" --rename "qty quantity"
  tidelake alter shop.orders --type "quantity BIGINT" --move "quantity FIRST" --drop "address.zip"
  tidelake alter shop.orders --set write-only=true --reset snapshot.num-retained.max --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := identifier(args[0])
			if err != nil {
				return err
			}
			more, err := a.readChanges(file)
			if err != nil {
				return err
			}
			if changes = append(changes, more...); len(changes) == 0 {
				return usage("nothing to change; see %q", cmd.CommandPath()+" --help")
			}
			return a.with(cmd.Context(), func(c *catalog.Catalog) error { return a.alter(cmd.Context(), c, id, changes, dry) })
		}}
	f := cmd.Flags()
	for _, c := range changeFlags {
		f.Var(&changeFlag{verb: c.verb, kind: c.kind, list: &changes}, c.verb, c.help)
	}
	f.Lookup("drop-primary-key").NoOptDefVal = "true"
	f.StringVar(&file, "changes", "", "file with a JSON list of changes as Paimon's catalog servers exchange them, - for standard input; made behind the others")
	f.BoolVar(&dry, "dry-run", false, "show what the schema would be and change nothing")
	f.SortFlags = false
	return cmd
}

var changeFlags = []struct{ verb, kind, help string }{
	{"add", `"c TYPE …"`, `add a column: "c TYPE [DEFAULT 'x'] [COMMENT 'x'] [FIRST|LAST|AFTER d|BEFORE d]"`},
	{"drop", "c", "drop a column"},
	{"rename", `"c d"`, "rename column c to d; options that name it follow"},
	{"type", `"c TYPE"`, `change a type: "c TYPE [NULL|NOT NULL]"; without either, nullability stays`},
	{"nullable", "c", "let a column hold nulls"},
	{"not-null", "c", "forbid nulls, if alter-column-null-to-not-null.disabled is false"},
	{"default", `"c 'x'"`, "set the value that replaces nulls in rows written from now on; \"c\" alone removes it"},
	{"comment", `"c 'x'"`, `set a column's comment; "c" alone removes it`},
	{"move", `"c PLACE"`, `move a column: "c FIRST|LAST|AFTER d|BEFORE d"`},
	{"set", "KEY=VALUE", "set a table option"},
	{"reset", "KEY", "set a table option back to its default"},
	{"table-comment", "TEXT", "set the table's comment"},
	{"drop-primary-key", "bool", "make an append table of a primary-key table that was never written"},
}

// changeFlag adds each of its values to the one list that all share, so that
// changes come in the order of the command line.
type changeFlag struct {
	verb, kind string
	list       *[]schema.Change
}

// String is the default: none.
func (f *changeFlag) String() string { return "" }

// Type is what a value looks like in the help.
func (f *changeFlag) Type() string { return f.kind }

// Set takes one change.
func (f *changeFlag) Set(text string) error {
	var c []schema.Change
	switch f.verb {
	case "set":
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("KEY=VALUE expected")
		}
		c = []schema.Change{schema.SetOption{Key: key, Value: value}}
	case "reset":
		c = []schema.Change{schema.RemoveOption{Key: text}}
	case "table-comment":
		c = []schema.Change{schema.UpdateComment{Comment: text}}
	case "drop-primary-key":
		c = []schema.Change{schema.DropPrimaryKey{}}
	default:
		var err error
		if c, err = schema.ParseChange(f.verb, text); err != nil {
			return err
		}
	}
	*f.list = append(*f.list, c...)
	return nil
}

func (a *app) readChanges(file string) ([]schema.Change, error) {
	var data []byte
	var err error
	switch file {
	case "":
		return nil, nil
	case "-":
		data, err = io.ReadAll(a.in)
	default:
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	changes, err := schema.ParseChanges(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return changes, nil
}

func (a *app) alter(ctx context.Context, c *catalog.Catalog, id catalog.Identifier, changes []schema.Change, dry bool) error {
	sc, err := c.AlterTable(ctx, id, changes, table.AlterOptions{DryRun: dry})
	switch {
	case errors.Is(err, table.ErrNotFound):
		return a.missingTable(ctx, c, id, err)
	case err != nil:
		return err
	case dry && a.json:
		return a.schemaLine(sc)
	case dry:
		return a.showTable(id.String(), sc)
	}
	if t, err := c.Table(ctx, id); err == nil { // which warns of options without effect
		a.noteUnwritable(t)
		a.noteUntold(t)
	}
	return a.say(fmt.Sprintf("altered table %s: schema %d", id, sc.ID), cell{"table", id.String()}, cell{"schema_id", sc.ID})
}
