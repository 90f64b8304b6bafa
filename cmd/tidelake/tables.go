package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func dbCommand(a *app) *cobra.Command {
	cascade := false
	create := &cobra.Command{Use: "create DB", Short: "Create a database", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				if err := c.CreateDatabase(cmd.Context(), args[0]); err != nil {
					return err
				}
				return a.say("created database "+args[0], cell{"database", args[0]})
			})
		}}
	list := &cobra.Command{Use: "list", Short: "List the databases", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				all, err := c.Databases(cmd.Context())
				return a.names("database", all, err)
			})
		}}
	drop := &cobra.Command{Use: "drop DB", Short: "Drop a database", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				if err := c.DropDatabase(cmd.Context(), args[0], cascade); err != nil {
					return err
				}
				return a.say("dropped database "+args[0], cell{"database", args[0]})
			})
		}}
	drop.Flags().BoolVar(&cascade, "cascade", false, "drop its tables and all their data too")
	return group("db", "Create, list and drop databases", create, list, drop)
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
	file := ""
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
  comment: orders of the shop`,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := identifier(args[0])
			if err != nil {
				return err
			}
			def, err := readDefinition(file)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				if _, err := c.CreateTable(cmd.Context(), id, def); err != nil {
					return err
				}
				return a.say("created table "+id.String(), cell{"table", id.String()})
			})
		}}
	cmd.Flags().StringVar(&file, "schema", "", "file with the definition (required)")
	return cmd
}

func readDefinition(file string) (schema.Definition, error) {
	if file == "" {
		return schema.Definition{}, usage("--schema FILE is required")
	}
	data, err := os.ReadFile(file)
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
				dbs := args
				if len(dbs) == 0 {
					all, err := c.Databases(cmd.Context())
					if err != nil {
						return err
					}
					dbs = all
				}
				var found []string
				for _, db := range dbs {
					tables, err := c.Tables(cmd.Context(), db)
					if err != nil {
						return err
					}
					for _, t := range tables {
						found = append(found, db+"."+t)
					}
				}
				return a.names("table", found, nil)
			})
		}}
}

func tableShow(a *app) *cobra.Command {
	return &cobra.Command{Use: "show DB.T", Short: "Show a table's columns, keys and options", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				if a.json {
					data, err := t.Schema().Marshal()
					if err != nil {
						return err
					}
					_, err = fmt.Fprintln(a.out, strings.TrimSpace(string(data)))
					return err
				}
				return a.showTable(t)
			})
		}}
}

func (a *app) showTable(t *table.Table) error {
	sc := t.Schema()
	fmt.Fprintf(a.out, "table        %s\n", t.Name())
	if sc.Comment != "" {
		fmt.Fprintf(a.out, "comment      %s\n", sc.Comment)
	}
	if len(sc.PrimaryKeys) > 0 {
		fmt.Fprintf(a.out, "primary key  %s\n", strings.Join(sc.PrimaryKeys, ", "))
	}
	if len(sc.PartitionKeys) > 0 {
		fmt.Fprintf(a.out, "partitioned  %s\n", strings.Join(sc.PartitionKeys, ", "))
	}
	fmt.Fprintf(a.out, "schema id    %d\n\n", sc.ID)
	l := a.listing()
	for _, f := range sc.Fields {
		def := ""
		if f.Default != nil {
			def = *f.Default
		}
		if err := l.row(cell{"id", f.ID}, cell{"column", f.Name}, cell{"type", f.Type.String()}, cell{"default", def}, cell{"comment", f.Description}); err != nil {
			return err
		}
	}
	if err := l.flush(); err != nil || len(sc.Options) == 0 {
		return err
	}
	fmt.Fprintln(a.out)
	return a.options(t)
}

func (a *app) options(t *table.Table) error {
	l := a.listing()
	keys := make([]string, 0, len(t.Schema().Options))
	for k := range t.Schema().Options {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if err := l.row(cell{"option", k}, cell{"value", t.Schema().Options[k]}); err != nil {
			return err
		}
	}
	return l.flush()
}

func tableDrop(a *app) *cobra.Command {
	return &cobra.Command{Use: "drop DB.T", Short: "Drop a table and all its data", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := identifier(args[0])
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				if err := c.DropTable(cmd.Context(), id); err != nil {
					return err
				}
				return a.say("dropped table "+id.String(), cell{"table", id.String()})
			})
		}}
}

func tableRename(a *app) *cobra.Command {
	return &cobra.Command{Use: "rename DB.T DB.NEW", Short: "Rename a table", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := identifier(args[0])
			if err != nil {
				return err
			}
			to, err := identifier(args[1])
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(c *catalog.Catalog) error {
				if err := c.RenameTable(cmd.Context(), from, to); err != nil {
					return err
				}
				return a.say("renamed table "+from.String()+" to "+to.String(), cell{"table", to.String()})
			})
		}}
}
