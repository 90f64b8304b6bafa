package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func dbCommand(a *app) *cobra.Command {
	list := &cobra.Command{Use: "list", Short: "List the databases", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				all, err := c.Databases(cmd.Context())
				return a.names("database", all, err)
			})
		}}
	return group("db", "Create, list and drop databases", dbCreate(a), list, dbDrop(a))
}

func dbCreate(a *app) *cobra.Command {
	unlessThere := false
	cmd := &cobra.Command{Use: "create DB", Short: "Create a database", Args: cobra.ExactArgs(1), Example: "  tidelake db create shop",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				err := c.CreateDatabase(cmd.Context(), args[0])
				if unlessThere && errors.Is(err, table.ErrExists) {
					return a.say("database "+args[0]+" is there already", cell{"database", args[0]}, cell{"created", false})
				}
				if err != nil && checkDatabase(args[0]) != nil {
					return usageError{err}
				}
				if err != nil {
					return err
				}
				return a.say("created database "+args[0], cell{"database", args[0]}, cell{"created", true})
			})
		}}
	cmd.Flags().BoolVar(&unlessThere, "if-not-exists", false, "do nothing when it is there already")
	return cmd
}

func dbDrop(a *app) *cobra.Command {
	var cascade, dry bool
	cmd := &cobra.Command{Use: "drop DB", Short: "Drop a database", Args: cobra.ExactArgs(1),
		Example: "  tidelake db drop shop\n  tidelake db drop shop --cascade --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, db := cmd.Context(), args[0]
			return a.with(ctx, func(c *catalog.Catalog) error {
				tables, err := c.Tables(ctx, db)
				if err != nil {
					return a.hintDatabase(ctx, c, db, err)
				}
				if len(tables) > 0 && !cascade {
					return fmt.Errorf("database %s holds %s: drop them first, or give --cascade", db, count(len(tables), "table"))
				}
				if dry {
					return a.say("would drop database "+db+" with "+count(len(tables), "table"), cell{"database", db}, cell{"tables", tables}, cell{"dropped", false})
				}
				if err := c.DropDatabase(ctx, db, cascade); err != nil {
					return err
				}
				return a.say("dropped database "+db, cell{"database", db}, cell{"tables", tables}, cell{"dropped", true})
			})
		}}
	cmd.Flags().BoolVar(&cascade, "cascade", false, "drop its tables and all their data too")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be dropped and drop nothing")
	return cmd
}

func (a *app) names(what string, names []string, err error) error {
	if err != nil {
		return err
	}
	l := a.listing()
	for _, n := range names {
		if err := l.row(cell{what, n}); err != nil {
			return err
		}
	}
	return l.flush()
}

func tableCommand(a *app) *cobra.Command {
	return group("table", "Create, list, show, rename and drop tables",
		tableCreate(a), tableList(a), tableShow(a), tableDrop(a), tableRename(a))
}

func tableCreate(a *app) *cobra.Command {
	file, unlessThere := "", false
	cmd := &cobra.Command{Use: "create DB.T --schema FILE", Short: "Create a table from a schema file (JSON or YAML)", Args: cobra.ExactArgs(1),
		Long: `Create a table from a schema file, JSON or YAML:

  columns:
    - {name: id, type: BIGINT NOT NULL, comment: the order}
    - {name: dt, type: DATE NOT NULL}
    - {name: tags, type: "ARRAY<STRING>"}
    - {name: amount, type: "DECIMAL(12, 2)", default: "0"}
  primary-key: [dt, id]
  partition-by: [dt]
  options: {bucket: 2}
  comment: orders of the shop

Types: BOOLEAN TINYINT SMALLINT INT BIGINT FLOAT DOUBLE DECIMAL(p, s) CHAR(n)
VARCHAR(n) STRING BINARY(n) VARBINARY(n) BYTES DATE TIME(p) TIMESTAMP(p)
TIMESTAMP_LTZ(p) ARRAY<t> MAP<k, v> MULTISET<t> ROW<name t, ...>, each with
NOT NULL where wanted, as text or as Paimon's JSON objects.

A table with a primary key takes a number of buckets in the option bucket, or
with -1 begins a new bucket whenever the last one has enough keys.`,
		Example: `  tidelake table create shop.orders --schema orders.yaml
  echo '{"columns":[{"name":"line","type":"STRING"}]}' | tidelake table create shop.logs --schema -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := identifier(args[0])
			if err != nil {
				return err
			}
			def, err := a.readDefinition(file)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(c *catalog.Catalog) error { return a.createTable(cmd.Context(), c, id, def, unlessThere) })
		}}
	cmd.Flags().StringVar(&file, "schema", "", "file with the definition, - for standard input (required)")
	cmd.Flags().BoolVar(&unlessThere, "if-not-exists", false, "do nothing when it is there already")
	return cmd
}

func (a *app) createTable(ctx context.Context, c *catalog.Catalog, id catalog.Identifier, def schema.Definition, unlessThere bool) error {
	t, err := c.CreateTable(ctx, id, def)
	if unlessThere && errors.Is(err, table.ErrExists) {
		return a.say("table "+id.String()+" is there already", cell{"table", id.String()}, cell{"created", false})
	}
	if err != nil {
		return a.hintDatabase(ctx, c, id.Database, err)
	}
	a.noteUnwritable(t)
	a.noteUntold(t)
	return a.say("created table "+id.String(), cell{"table", id.String()}, cell{"created", true})
}

// noteUnwritable says so of a table whose options leave its writing to others.
func (a *app) noteUnwritable(t *table.Table) {
	o := t.Options()
	if err := o.CheckWrite(t.Schema()); err != nil {
		text := strings.NewReplacer(table.ErrUnsupported.Error()+": ", "", "\n", "; ").Replace(err.Error())
		what := "can be read here, but only other engines write it"
		if f := o.FileFormat; f != "parquet" && f != "avro" {
			what = "holds rows only for other engines, which read and write it"
		}
		a.note("%s %s: %s", t.Name(), what, text)
	}
}

// noteUntold says so of a table whose options leave the telling of its changes
// to compaction jobs: who forgets these waits for changes in vain.
func (a *app) noteUntold(t *table.Table) {
	o := t.Options()
	if p := o.ChangelogProducer; o.WriteOnly && (p == "lookup" || p == "full-compaction") {
		full := ""
		if p == "full-compaction" {
			full = " --full"
		}
		a.note("with write-only=true no writer of %s tells what changed: changelog-producer=%s does at each `tidelake compact %s%s`, or take write-only back", t.Name(), p, t.Name(), full)
	}
}

func (a *app) readDefinition(file string) (schema.Definition, error) {
	var data []byte
	var err error
	switch file {
	case "":
		return schema.Definition{}, usage("--schema FILE is required; see \"tidelake table create --help\" for what it holds")
	case "-":
		data, err = io.ReadAll(a.in)
	default:
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return schema.Definition{}, err
	}
	def, err := schema.ParseDefinition(data)
	if err != nil {
		return def, fmt.Errorf("%s: %w", file, err)
	}
	return def, nil
}

func tableList(a *app) *cobra.Command {
	return &cobra.Command{Use: "list [DB]", Short: "List the tables of a database, or of all", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				found, err := allTables(cmd.Context(), c, args...)
				if err != nil && len(args) > 0 {
					err = a.hintDatabase(cmd.Context(), c, args[0], err)
				}
				return a.names("table", found, err)
			})
		}}
}

func tableShow(a *app) *cobra.Command {
	return &cobra.Command{Use: "show DB.T", Short: "Show a table's columns, keys and options", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				if a.json {
					return a.schemaLine(t.Schema())
				}
				return a.showTable(t.Name(), t.Schema())
			})
		}}
}

// schemaLine prints a schema as Paimon's JSON, on one line.
func (a *app) schemaLine(sc *schema.Table) error {
	data, err := sc.Marshal()
	if err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, data); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, line.String())
	return err
}

func (a *app) showTable(name string, sc *schema.Table) error {
	head := func(name, value string) error {
		if value == "" {
			return nil
		}
		_, err := fmt.Fprintf(a.out, "%-12s %s\n", name, value)
		return err
	}
	if err := errors.Join(head("table", name), head("comment", oneLine(sc.Comment)), head("primary key", strings.Join(sc.PrimaryKeys, ", ")),
		head("partitioned", strings.Join(sc.PartitionKeys, ", ")), head("schema id", fmt.Sprintln(sc.ID))); err != nil {
		return err
	}
	l := a.listing()
	for _, f := range sc.Fields {
		value := any(nil)
		if f.Default != nil {
			value = *f.Default
		}
		if err := l.row(cell{"id", f.ID}, cell{"column", f.Name}, cell{"type", f.Type.String()}, cell{"default", value}, cell{"comment", f.Description}); err != nil {
			return err
		}
	}
	if err := l.flush(); err != nil || len(sc.Options) == 0 {
		return err
	}
	if _, err := fmt.Fprintln(a.out); err != nil {
		return err
	}
	return a.options(sc)
}

func (a *app) options(sc *schema.Table) error {
	l := a.listing()
	for _, k := range slices.Sorted(maps.Keys(sc.Options)) {
		if err := l.row(cell{"option", k}, cell{"value", sc.Options[k]}); err != nil {
			return err
		}
	}
	return l.flush()
}

func tableDrop(a *app) *cobra.Command {
	var ifThere, dry bool
	cmd := &cobra.Command{Use: "drop DB.T", Short: "Drop a table and all its data", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := identifier(args[0])
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(c *catalog.Catalog) error { return a.dropTable(cmd.Context(), c, id, ifThere, dry) })
		}}
	cmd.Flags().BoolVar(&ifThere, "if-exists", false, "do nothing when it is not there")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be dropped and drop nothing")
	return cmd
}

func (a *app) dropTable(ctx context.Context, c *catalog.Catalog, id catalog.Identifier, ifThere, dry bool) error {
	tables, err := c.Tables(ctx, id.Database)
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		return err
	}
	switch there := slices.Contains(tables, id.Table); {
	case !there && ifThere:
		return a.say("table "+id.String()+" is not there", cell{"table", id.String()}, cell{"dropped", false})
	case !there:
		return a.missingTable(ctx, c, id, err)
	case dry:
		return a.wouldDrop(ctx, c, id)
	}
	if err := c.DropTable(ctx, id); err != nil {
		return err
	}
	return a.say("dropped table "+id.String(), cell{"table", id.String()}, cell{"dropped", true})
}

func (a *app) wouldDrop(ctx context.Context, c *catalog.Catalog, id catalog.Identifier) error {
	t, err := c.Table(ctx, id)
	if err != nil {
		return err
	}
	var files, rows, bytes int64
	for p, err := range t.Partitions(ctx, 0) {
		if err != nil {
			return err
		}
		files, rows, bytes = files+p.Files, rows+p.Rows, bytes+p.Bytes
	}
	return a.say(fmt.Sprintf("would drop table %s: the newest snapshot has %s, %s, %s", id, count(files, "file"), count(rows, "stored row"), count(bytes, "byte")),
		cell{"table", id.String()}, cell{"files", files}, cell{"rows", rows}, cell{"bytes", bytes}, cell{"dropped", false})
}

func tableRename(a *app) *cobra.Command {
	return &cobra.Command{Use: "rename DB.T NEW", Short: "Rename a table; NEW is a name, or DB.NAME to move it", Args: cobra.ExactArgs(2),
		Example: "  tidelake table rename shop.orders orders_2025\n  tidelake table rename shop.orders archive.orders",
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := identifier(args[0])
			if err != nil {
				return err
			}
			if !strings.Contains(args[1], ".") {
				args[1] = from.Database + "." + args[1]
			}
			to, err := identifier(args[1])
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return a.with(ctx, func(c *catalog.Catalog) error {
				if _, err := a.openTable(ctx, c, from); errors.Is(err, table.ErrNotFound) {
					return err
				}
				if err := c.RenameTable(ctx, from, to); err != nil {
					return a.hintDatabase(ctx, c, to.Database, err)
				}
				return a.say("renamed table "+from.String()+" to "+to.String(), cell{"table", to.String()}, cell{"was", from.String()})
			})
		}}
}
