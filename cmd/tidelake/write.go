package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

type writeFlags struct {
	format, badRows, source, null, times, decimals string
	commitEvery, watermark                         int64
	create, noHeader, dropUnknown                  bool
	primaryKey, partitionBy, options               []string
}

const noWatermark = math.MinInt64 // Paimon's word for none

var writeFormats = []string{"jsonl", "csv", "parquet", "debezium-json", "canal-json"}

func writeCommand(a *app) *cobra.Command {
	var f writeFlags
	cmd := &cobra.Command{Use: "write DB.T [FILE|-]", Short: "Write rows or change events into a table", Args: cobra.RangeArgs(1, 2),
		Long: `Write rows or change events from a file, or standard input, into a table.

In a primary-key table a row replaces the row of the same key. A JSON row may
carry "_kind": "+I", "-U", "+U" or "-D", a CSV file a column of that name. The
whole input is one commit unless --commit-every is given; input without rows
makes no snapshot. A malformed row stops the write before it changes anything
(behind the commits of --commit-every), or goes to --bad-rows.

Without --format the name of the file tells: .jsonl, .ndjson and .json, .csv,
.parquet, each also with .gz; anything else is JSON lines.`,
		Example: `  tidelake write shop.orders orders.jsonl
  tidelake write shop.orders orders.csv.gz --commit-every 1000000
  producer | tidelake write shop.orders - --format csv --no-header
  tidelake write shop.orders orders.parquet --create --primary-key id
  tidelake write shop.orders events.jsonl --format debezium-json --source shop.orders --create`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file := "-"
			if len(args) == 2 {
				file = args[1]
			}
			if !cmd.Flags().Changed("format") {
				f.format = formatOf(file)
			}
			if err := f.check(cmd.Flags().Changed); err != nil {
				return err
			}
			return a.write(cmd.Context(), args[0], file, &f)
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.format, "format", "", strings.Join(writeFormats, ", ")+" (default by the file's name, else jsonl)")
	fl.Int64Var(&f.commitEvery, "commit-every", 0, "commit after this many rows (default once, at the end)")
	fl.Int64Var(&f.watermark, "watermark", noWatermark, "record with the last commit that the table is complete up to this event time, in epoch milliseconds")
	fl.Lookup("watermark").DefValue = ""
	fl.StringVar(&f.badRows, "bad-rows", "", "write malformed rows to this file, one JSON object each, and go on")
	fl.BoolVar(&f.create, "create", false, "create the table if it is not there, as typed input (parquet, change events) describes it")
	fl.StringSliceVar(&f.primaryKey, "primary-key", nil, "with --create: the key columns, where the input does not tell them")
	fl.StringSliceVar(&f.partitionBy, "partition-by", nil, "with --create: the partition columns")
	fl.StringArrayVar(&f.options, "option", nil, "with --create: a table option KEY=VALUE; may be repeated")
	fl.StringVar(&f.source, "source", "", "change events: only those of this source table: DB.TABLE, TABLE, or a pattern such as shop.orders_*")
	fl.BoolVar(&f.dropUnknown, "drop-unknown", false, "change events: leave out columns that the table does not have")
	fl.StringVar(&f.times, "time-precision-mode", "", "debezium-json without schemas: the connector's time.precision.mode")
	fl.StringVar(&f.decimals, "decimal-handling-mode", "", "debezium-json without schemas: the connector's decimal.handling.mode")
	fl.StringVar(&f.null, "null", "", "csv: the text without quotes that stands for null")
	fl.BoolVar(&f.noHeader, "no-header", false, "csv: the first line is a row, columns are in the table's order")
	formats(cmd, "format", writeFormats)
	return cmd
}

// formatOf tells a format from the name of a file.
func formatOf(file string) string {
	switch filepath.Ext(strings.TrimSuffix(strings.ToLower(file), ".gz")) {
	case ".csv":
		return "csv"
	case ".parquet":
		return "parquet"
	}
	return "jsonl"
}

// check refuses flags that would do nothing.
func (f *writeFlags) check(set func(string) bool) error {
	if !slices.Contains(writeFormats, f.format) {
		return usage("--format %q: use %s", f.format, strings.Join(writeFormats, ", "))
	}
	events := f.format == "debezium-json" || f.format == "canal-json"
	for _, rule := range []struct {
		flags string
		fits  bool
		with  string
	}{
		{"primary-key partition-by option", f.create, "--create"},
		{"source drop-unknown", events, "change events (--format debezium-json or canal-json)"},
		{"time-precision-mode decimal-handling-mode", f.format == "debezium-json", "--format debezium-json"},
		{"null no-header", f.format == "csv", "--format csv"},
		{"bad-rows", f.format != "parquet", "text formats: a parquet file has no malformed rows, it is malformed as a whole"},
		{"create", f.format == "parquet" || events, "typed input (parquet, debezium-json, canal-json): for others make the table with \"tidelake table create\" first"},
	} {
		for _, flag := range strings.Fields(rule.flags) {
			if set(flag) && !rule.fits {
				return usage("--%s goes with %s", flag, rule.with)
			}
		}
	}
	if set("commit-every") && f.commitEvery <= 0 {
		return usage("--commit-every takes a positive number; leave it out for one commit")
	}
	for _, o := range f.options {
		if k, _, ok := strings.Cut(o, "="); !ok || k == "" {
			return usage("--option %q is not KEY=VALUE", o)
		}
	}
	return nil
}

func (a *app) write(ctx context.Context, name, file string, f *writeFlags) error {
	id, err := identifier(name)
	if err != nil {
		return err
	}
	in, err := a.openInput(ctx, file, f)
	if err != nil {
		return err
	}
	defer in.Close()
	return a.with(ctx, func(c *catalog.Catalog) error {
		t, made, err := a.target(ctx, c, id, in, f)
		if err != nil {
			return err
		}
		bad, err := openBadRows(f.badRows, file)
		if err != nil {
			return err
		}
		done, err := a.copyRows(ctx, t, in, f, bad)
		if err := errors.Join(err, bad.close()); err != nil {
			if made && done.commits == 0 {
				err = fmt.Errorf("%w (table %s was made and is empty: \"tidelake table drop %s\" undoes that)", err, id, id)
			}
			return err
		}
		return a.sayWritten(t, done, bad.rows, in.passedOver())
	})
}

func (a *app) openInput(ctx context.Context, file string, f *writeFlags) (input, error) {
	open := newTextInput
	switch f.format {
	case "parquet":
		open = newParquetInput
	case "debezium-json", "canal-json":
		open = newEventInput
	}
	if file == "-" {
		if a.prompt {
			a.note("reading %s from the terminal, up to its end (ctrl-D)", f.format)
		}
		return open(&unzipping{from: interruptible(ctx, a.in)}, f)
	}
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	if info, err := r.Stat(); err == nil && info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%s is a directory: name a file", file), r.Close())
	}
	if strings.HasSuffix(strings.ToLower(file), ".gz") {
		return open(&unzipping{from: r, name: file + ": ", always: true}, f)
	}
	return open(r, f)
}

// interruptible reads r until ctx is done, though a read of a terminal or a
// pipe may block for ever: that one is left behind.
func interruptible(ctx context.Context, r io.Reader) io.ReadCloser {
	from, to := io.Pipe()
	context.AfterFunc(ctx, func() { to.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(to, r)
		to.CloseWithError(err) // nil is the end
	}()
	return from
}

// target opens the table, and makes it first where --create asks for it.
func (a *app) target(ctx context.Context, c *catalog.Catalog, id catalog.Identifier, in input, f *writeFlags) (t *table.Table, made bool, err error) {
	if !f.create {
		t, err = a.openTable(ctx, c, id)
		return t, false, err
	}
	t, err = c.Table(ctx, id)
	if err == nil && len(f.primaryKey)+len(f.partitionBy)+len(f.options) > 0 {
		a.note("%s is there already: --primary-key, --partition-by and --option change nothing", id)
	}
	if !errors.Is(err, table.ErrNotFound) {
		return t, false, err
	}
	def, notes, err := in.definition()
	if err != nil {
		return nil, false, err
	}
	for _, n := range notes {
		a.note("%s", n)
	}
	if err := f.complete(&def); err != nil {
		return nil, false, err
	}
	if err := c.CreateDatabase(ctx, id.Database); err != nil && !errors.Is(err, table.ErrExists) {
		return nil, false, err
	}
	t, err = c.CreateTable(ctx, id, def)
	return t, err == nil, err
}

// complete adds to an inferred definition what the flags say, and refuses one
// that could not be written before anything is made.
func (f *writeFlags) complete(def *schema.Definition) error {
	if len(f.primaryKey) > 0 {
		def.PrimaryKey = f.primaryKey
	}
	if len(f.partitionBy) > 0 {
		def.PartitionBy = f.partitionBy
	}
	if def.Options == nil {
		def.Options = make(map[string]string)
	}
	if len(def.PrimaryKey) > 0 {
		def.Options["bucket"] = "1" // simpler to think of than dynamic buckets
	}
	for _, o := range f.options {
		k, v, _ := strings.Cut(o, "=")
		def.Options[k] = v
	}
	sc, err := def.Table(time.Now().UnixMilli())
	if err != nil {
		return err
	}
	options, err := schema.ParseOptions(sc.Options)
	if err != nil {
		return err
	}
	return options.CheckWrite(sc)
}
