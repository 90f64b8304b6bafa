package main

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

type readFlags struct {
	columns, where, asOf, tag, format string
	limit, snapshot, watermark        int64
	count                             bool
}

var readFormats = []string{"jsonl", "csv", "table", "parquet", "arrow"}

func readCommand(a *app) *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{Use: "read DB.T", Short: "Read rows of the newest or an older snapshot", Args: cobra.ExactArgs(1),
		Long: `Read rows of the newest or an older snapshot.

A filter compares columns with literals: = <> < <= > >=, IN (...), BETWEEN,
LIKE, IS [NOT] NULL, joined by AND, OR, NOT and parentheses. Text, dates and
times stand in single quotes, names with odd letters in backticks.

A system table is read by its name behind a $, as in 'shop.orders$ro':
` + wrapped(table.SystemTables()) + `.
Those of a snapshot (files, manifests, partitions, buckets, statistics,
table_indexes) are of the newest, or of the one that is chosen.`,
		Example: `  tidelake read shop.orders --where "amount > 100 AND dt = '2026-01-01'" --select id,amount --limit 10
  tidelake read shop.orders --snapshot 3 --format csv
  tidelake read shop.orders --as-of "2026-01-31 12:00:00" --count
  tidelake read shop.orders --tag month-end --select id,amount
  tidelake read shop.orders --format parquet > orders.parquet
  tidelake read 'shop.orders$ro' --count`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.scanOptions(cmd, f)
			if err != nil {
				return err
			}
			id, err := anyIdentifier(args[0])
			if err != nil {
				return err
			}
			system := id.System
			id.System = ""
			return a.withTable(cmd.Context(), id.String(), func(t *table.Table) error { return a.read(cmd.Context(), t, system, o, f) })
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.columns, "select", "", "columns to print, separated by commas (default all)")
	fl.StringVar(&f.where, "where", "", "print only rows for which this is true")
	fl.Int64Var(&f.limit, "limit", 0, "print at most this many rows (default all)")
	fl.BoolVar(&f.count, "count", false, "print the number of rows only")
	f.travel(cmd, "read")
	fl.StringVar(&f.format, "format", "jsonl", strings.Join(readFormats, ", ")+" (an IPC stream)")
	formats(cmd, "format", readFormats)
	return cmd
}

// travelFlags choose a snapshot; they exclude each other.
var travelFlags = []string{"snapshot", "as-of", "tag", "watermark"}

// travel adds the flags that choose a snapshot.
func (f *readFlags) travel(cmd *cobra.Command, verb string) {
	fl := cmd.Flags()
	fl.Int64Var(&f.snapshot, "snapshot", 0, verb+" this snapshot instead of the newest")
	fl.StringVar(&f.asOf, "as-of", "", verb+" the newest snapshot at this time: \"2026-01-31 12:00:00\", with an offset or in --time-zone, or epoch milliseconds")
	fl.StringVar(&f.tag, "tag", "", verb+" the snapshot that this tag holds")
	fl.Int64Var(&f.watermark, "watermark", 0, verb+" the oldest snapshot whose watermark has come to this, in epoch milliseconds")
}

// chosen fills in the snapshot to read.
func (a *app) chosen(cmd *cobra.Command, f readFlags, o *table.ScanOptions) error {
	set := cmd.Flags().Changed
	var given []string
	for _, name := range travelFlags {
		if set(name) {
			given = append(given, "--"+name)
		}
	}
	switch {
	case len(given) > 1:
		return usage("%s exclude each other", strings.Join(given, " and "))
	case set("snapshot") && f.snapshot <= 0:
		return usage("--snapshot takes the id of a snapshot, from 1")
	case set("tag") && strings.TrimSpace(f.tag) == "":
		return usage("--tag is empty")
	}
	o.Snapshot, o.Tag = f.snapshot, f.tag
	if set("watermark") {
		o.Watermark = &f.watermark
	}
	var err error
	if set("as-of") {
		o.AsOf, err = a.parseTime("as-of", f.asOf)
	}
	return err
}

// wrapped lists words in lines that fit the help texts.
func wrapped(words []string) string {
	var b strings.Builder
	width := 0
	for i, w := range words {
		switch {
		case i == 0:
		case width+len(w) > 76:
			b.WriteString(",\n")
			width = 0
		default:
			b.WriteString(", ")
		}
		b.WriteString(w)
		width += len(w) + 2
	}
	return b.String()
}

// scanOptions checks the flags and turns them into a scan.
func (a *app) scanOptions(cmd *cobra.Command, f readFlags) (table.ScanOptions, error) {
	o := table.ScanOptions{Where: f.where, Limit: f.limit}
	set := cmd.Flags().Changed
	switch {
	case set("limit") && f.limit <= 0:
		return o, usage("--limit takes a positive number; leave it out for all rows")
	case set("count") && set("format"):
		return o, usage("--count prints one number: leave --format out")
	case set("where") && strings.TrimSpace(f.where) == "":
		return o, usage("--where is empty")
	case !slices.Contains(readFormats, f.format):
		return o, usage("--format %q: use %s", f.format, strings.Join(readFormats, ", "))
	case !f.count && a.binaryOff && (f.format == "parquet" || f.format == "arrow"):
		return o, usage("--format %s is not for a terminal: redirect the output to a file", f.format)
	}
	if set("select") {
		var err error
		if o.Columns, err = selected(f.columns); err != nil {
			return o, err
		}
	}
	return o, a.chosen(cmd, f, &o)
}

// selected reads --select.
func selected(list string) ([]string, error) {
	var columns []string
	for _, c := range strings.Split(list, ",") {
		if c = strings.TrimSpace(c); c == "" {
			return nil, usage("--select %q: a name is empty", list)
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// parseTime reads a time that a flag gives.
func (a *app) parseTime(flag, text string) (time.Time, error) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms).In(a.loc), nil
	}
	v, err := predicate.CastLiteral(text, schema.Type{Kind: schema.TimestampLTZ, Precision: 9}, a.loc)
	if err != nil {
		return time.Time{}, usage("--%s %q is not a time: write \"2026-01-31 12:00:00\", with an offset or in --time-zone, or epoch milliseconds", flag, text)
	}
	return time.UnixMilli(v.(schema.TimestampValue).Millis).In(a.loc), nil
}

// countedRows are rows to print or to count.
type countedRows interface {
	rowSource
	Count(ctx context.Context) (int64, error)
}

// openRows starts a read of a table, or of a system table of it.
func openRows(ctx context.Context, t *table.Table, system string, o table.ScanOptions) (rows countedRows, err error) {
	if system != "" {
		rows, err = t.System(ctx, system, o)
	} else {
		rows, err = t.Scan(ctx, o)
	}
	unknown := errors.Is(err, table.ErrNotFound) && system != "" && !slices.Contains(table.SystemTables(), strings.ToLower(system))
	if unknown || errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrCorrupt) {
		return nil, usageError{err} // the name, --select or --where
	}
	return rows, err
}

func (a *app) read(ctx context.Context, t *table.Table, system string, o table.ScanOptions, f readFlags) error {
	s, err := openRows(ctx, t, system, o)
	if err != nil {
		return err
	}
	return a.show(ctx, s, f)
}

// show prints rows, or how many they are.
func (a *app) show(ctx context.Context, s countedRows, f readFlags) error {
	if !f.count {
		return a.print(ctx, s, f.format)
	}
	n, err := s.Count(ctx)
	if err != nil {
		return err
	}
	return a.say(strconv.FormatInt(n, 10), cell{"count", n})
}

// print writes rows to standard output.
func (a *app) print(ctx context.Context, s rowSource, format string) error {
	out := bufio.NewWriterSize(a.out, 1<<16)
	err := errors.Join(printRows(ctx, out, s, format), out.Flush())
	if errors.Is(err, errPipeClosed) {
		return nil // head and its like have what they wanted
	}
	return err
}
