package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // --time-zone works on machines without zone files

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	_ "github.com/tidelake/tidelake/io/store/cloud"
	"github.com/tidelake/tidelake/table"
)

// app is what every command shares: the streams and the global flags.
type app struct {
	in         io.Reader
	out, err   io.Writer
	prompt     bool             // in is a terminal
	progressOn bool             // err is a terminal
	binaryOff  bool             // out is a terminal
	world      table.Components // the clock and the like; tests decide them

	warehouse, zone string
	json, outside   bool
	loc             *time.Location // of zone
	said            *saidNotes     // set where notes repeat
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "tidelake",
		Short: "Primary-key tables on object storage, in the Apache Paimon format",
		Long: `Tidelake writes, reads and checks tables in the Apache Paimon format, in a
directory or a bucket. Run "tidelake quickstart" for a tour on real change events.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused: a feature that is not built.`,
		Example: `  tidelake quickstart
  tidelake db create shop
  tidelake table create shop.orders --schema orders.yaml
  tidelake write shop.orders orders.csv
  tidelake read shop.orders --where "amount > 100" --format table`,
		Version:                    versionText(),
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE:          func(*cobra.Command, []string) error { return a.loadZone() },
	}
	root.Args = noCommand(root)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; see %q", err, cmd.CommandPath()+" --help")
	})
	f := root.PersistentFlags()
	f.StringVar(&a.warehouse, "warehouse", defaultWarehouse(), "directory or URL (s3://, gs://, azblob://) of the warehouse; also TIDELAKE_WAREHOUSE")
	f.StringVar(&a.zone, "time-zone", "UTC", "session time zone: times without an offset, LTZ partitions, times in listings")
	f.BoolVar(&a.json, "json", false, "print JSON lines instead of tables and sentences")
	f.BoolVar(&a.outside, "allow-outside-roots", false, "read data files that a table declares outside the warehouse")
	root.AddCommand(quickstartCommand(a), dbCommand(a), tableCommand(a), alterCommand(a), writeCommand(a), deleteCommand(a), updateCommand(a), readCommand(a), getCommand(a), compactCommand(a), tagCommand(a), branchCommand(a), rollbackCommand(a), consumerCommand(a), expireCommand(a), cleanCommand(a), checkCommand(a), versionCommand(a))
	root.AddCommand(tailCommand(a))
	root.AddCommand(inspectCommands(a)...)
	root.AddCommand(diffCommand(a))
	a.polish(root)
	return root
}

func defaultWarehouse() string {
	if w := os.Getenv("TIDELAKE_WAREHOUSE"); w != "" {
		return w
	}
	return "./warehouse"
}

// polish makes wrong arguments of any command usage errors, and completes
// table names in a shell.
func (a *app) polish(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				var told usageError
				if errors.As(err, &told) {
					return usage("%w; see %q", err, c.CommandPath()+" --help")
				}
				return usage("wrong arguments: write %q; see %q", strings.TrimSuffix(c.UseLine(), " [flags]"), c.CommandPath()+" --help")
			}
			return nil
		}
	}
	if strings.Contains(cmd.Use, "DB.T") {
		cmd.ValidArgsFunction = a.completeTable
	}
	for _, sub := range cmd.Commands() {
		a.polish(sub)
	}
}

// noCommand is the Args of a command that only holds others: what is left is a
// name that none of them has.
func noCommand(group *cobra.Command) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		near := ""
		if s := group.SuggestionsFor(args[0]); len(s) > 0 {
			near = " (did you mean " + strings.Join(s, " or ") + "?)"
		}
		return usage("unknown command %q%s", args[0], near)
	}
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names := make([]string, len(subs))
			for i, s := range subs {
				names[i] = s.Name()
			}
			return usage("%s what? use %s; see %q", cmd.Name(), strings.Join(names, ", "), cmd.CommandPath()+" --help")
		}}
	g.Args = noCommand(g)
	g.AddCommand(subs...)
	return g
}

// loadZone reads --time-zone.
func (a *app) loadZone() error {
	loc, err := time.LoadLocation(a.zone)
	if err != nil || a.zone == "" {
		return usage("--time-zone %q is not known: use a name such as UTC, Europe/Berlin or America/New_York", a.zone)
	}
	a.loc = loc
	return nil
}

// open opens the warehouse. Close it in the end.
func (a *app) open(ctx context.Context) (*catalog.Catalog, error) {
	world := a.world
	if world.Logger == nil {
		world.Logger = slog.New(warnings{a})
	}
	c, err := catalog.Open(ctx, a.warehouse, table.Settings{TimeZone: a.loc, AllowOutsideRoots: a.outside}, world)
	if errors.Is(err, table.ErrInvalid) {
		return nil, usage("--warehouse %q: %w", a.warehouse, err)
	}
	return c, err
}

// with runs f on the warehouse.
func (a *app) with(ctx context.Context, f func(*catalog.Catalog) error) error {
	c, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// withTable runs f on one table of the warehouse.
func (a *app) withTable(ctx context.Context, name string, f func(*table.Table) error) error {
	id, err := identifier(name)
	if err != nil {
		return err
	}
	return a.with(ctx, func(c *catalog.Catalog) error {
		t, err := a.openTable(ctx, c, id)
		if err != nil {
			return err
		}
		return f(t)
	})
}
