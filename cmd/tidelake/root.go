package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"
	_ "time/tzdata" // --time-zone works on machines without zone files

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	_ "github.com/tidelake/tidelake/io/store/cloud"
	"github.com/tidelake/tidelake/table"
)

// app is what every command shares: the streams and the global flags.
type app struct {
	in       io.Reader
	out, err io.Writer

	warehouse, zone string
	json, outside   bool
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "tidelake",
		Short:         "Primary-key tables on object storage, in the Apache Paimon format",
		Long:          "Tidelake writes, reads and checks tables in the Apache Paimon format.\nRun \"tidelake quickstart\" for a tour on real change events.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.StringVar(&a.warehouse, "warehouse", defaultWarehouse(), "directory or URL (s3://, gs://, azblob://, mem://) of the warehouse; also TIDELAKE_WAREHOUSE")
	f.StringVar(&a.zone, "time-zone", "UTC", "session time zone: times without an offset, LTZ partitions, file creation times")
	f.BoolVar(&a.json, "json", false, "print JSON lines instead of tables")
	f.BoolVar(&a.outside, "allow-outside-roots", false, "read data files from external paths that a table declares outside its directory")
	root.AddCommand(dbCommand(a), tableCommand(a), writeCommand(a), readCommand(a), checkCommand(a), quickstartCommand(a))
	root.AddCommand(inspectCommands(a)...)
	usageForArgs(root)
	return root
}

func defaultWarehouse() string {
	if w := os.Getenv("TIDELAKE_WAREHOUSE"); w != "" {
		return w
	}
	return "./warehouse"
}

// usageForArgs makes wrong arguments of any command usage errors.
func usageForArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage("%w; see %q", err, c.CommandPath()+" --help")
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		usageForArgs(sub)
	}
}

// group is a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage("which one? see %q", cmd.CommandPath()+" --help")
		}}
	g.AddCommand(subs...)
	return g
}

func (a *app) settings() (table.Settings, error) {
	loc, err := time.LoadLocation(a.zone)
	if err != nil {
		return table.Settings{}, usage("--time-zone %q: %w", a.zone, err)
	}
	return table.Settings{TimeZone: loc, AllowOutsideRoots: a.outside}, nil
}

// open opens the warehouse. Close it in the end.
func (a *app) open(ctx context.Context) (*catalog.Catalog, error) {
	settings, err := a.settings()
	if err != nil {
		return nil, err
	}
	logger := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: withoutTime}))
	return catalog.Open(ctx, a.warehouse, settings, table.Components{Logger: logger})
}

func withoutTime(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return attr
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
		t, err := c.Table(ctx, id)
		if err != nil {
			return err
		}
		return f(t)
	})
}

func identifier(name string) (catalog.Identifier, error) {
	id, err := catalog.ParseIdentifier(name)
	if err != nil {
		return id, usageError{err}
	}
	return id, nil
}
