package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

type readFlags struct {
	columns, where, asOf, format string
	limit, snapshot              int64
	count                        bool
}

func readCommand(a *app) *cobra.Command {
	var f readFlags
	cmd := &cobra.Command{Use: "read DB.T", Short: "Read rows of the newest or an older snapshot", Args: cobra.ExactArgs(1),
		Example: `  tidelake read shop.orders --where "amount > 100 AND dt = '2026-01-01'" --select id,amount --limit 10
  tidelake read shop.orders --snapshot 3 --format csv
  tidelake read shop.orders --as-of "2026-01-31 12:00:00" --count`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error { return a.read(cmd.Context(), t, f) })
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.columns, "select", "", "columns to print, separated by commas (default all)")
	fl.StringVar(&f.where, "where", "", "filter: comparisons, IN, BETWEEN, LIKE, IS NULL, with AND, OR, NOT")
	fl.Int64Var(&f.limit, "limit", 0, "print at most this many rows (0: all)")
	fl.BoolVar(&f.count, "count", false, "print the number of rows only")
	fl.Int64Var(&f.snapshot, "snapshot", 0, "read this snapshot instead of the newest")
	fl.StringVar(&f.asOf, "as-of", "", "read the newest snapshot at this time: \"2026-01-31 12:00:00\", with an offset or in --time-zone, or epoch milliseconds")
	fl.StringVar(&f.format, "format", "jsonl", "jsonl, csv, table, parquet or arrow (an IPC stream)")
	return cmd
}

func (a *app) read(ctx context.Context, t *table.Table, f readFlags) error {
	o, err := a.scanOptions(f)
	if err != nil {
		return err
	}
	s, err := t.Scan(ctx, o)
	if err != nil {
		return err
	}
	if f.count {
		n, err := s.Count(ctx)
		if err != nil {
			return err
		}
		return a.say(strconv.FormatInt(n, 10), cell{"count", n})
	}
	out := bufio.NewWriterSize(a.out, 1<<16)
	if err := printScan(ctx, out, s, f.format); err != nil {
		out.Flush()
		return err
	}
	return out.Flush()
}

func (a *app) scanOptions(f readFlags) (table.ScanOptions, error) {
	o := table.ScanOptions{Where: f.where, Limit: f.limit, Snapshot: f.snapshot}
	if f.limit < 0 || f.snapshot < 0 {
		return o, usage("--limit and --snapshot take positive numbers")
	}
	switch f.format {
	case "jsonl", "csv", "table", "parquet", "arrow":
	default:
		return o, usage("--format %q: use jsonl, csv, table, parquet or arrow", f.format)
	}
	if f.columns != "" {
		for _, c := range strings.Split(f.columns, ",") {
			o.Columns = append(o.Columns, strings.TrimSpace(c))
		}
	}
	if f.asOf == "" {
		return o, nil
	}
	if f.snapshot != 0 {
		return o, usage("--snapshot and --as-of exclude each other")
	}
	var err error
	o.AsOf, err = a.parseTime(f.asOf)
	return o, err
}

func (a *app) parseTime(text string) (time.Time, error) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	settings, err := a.settings()
	if err != nil {
		return time.Time{}, err
	}
	v, err := predicate.CastLiteral(text, schema.Type{Kind: schema.TimestampLTZ, Precision: 9}, settings.TimeZone)
	if err != nil {
		return time.Time{}, usage("--as-of: %w", err)
	}
	return time.UnixMilli(v.(schema.TimestampValue).Millis), nil
}

// printScan writes a scan's rows in one of the formats.
func printScan(ctx context.Context, out io.Writer, s *table.Scan, format string) error {
	switch format {
	case "parquet":
		return printParquet(ctx, out, s)
	case "arrow":
		return printArrow(ctx, out, s)
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		return err
	}
	p := rowPrinter{out: out, enc: enc, format: format}
	if err := p.begin(s.Fields()); err != nil {
		return err
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return err
		}
		if err := p.batch(rec); err != nil {
			return err
		}
	}
	return p.end()
}

// rowPrinter writes rows as text.
type rowPrinter struct {
	out    io.Writer
	enc    *rowjson.Encoder
	format string
	tab    *tabwriter.Writer
	rows   int
	buf    []byte
}

// tableBlock is after how many rows a table's columns are aligned anew, so that memory stays bounded.
const tableBlock = 1000

func (p *rowPrinter) begin(fields []schema.Field) error {
	switch p.format {
	case "csv":
		_, err := p.out.Write(p.enc.AppendCSVHeader(nil, ','))
		return err
	case "table":
		p.tab = tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.Name
		}
		_, err := fmt.Fprintln(p.tab, strings.Join(names, "\t"))
		return err
	}
	return nil
}

func (p *rowPrinter) batch(rec arrow.RecordBatch) error {
	if err := p.enc.Bind(rec); err != nil {
		return err
	}
	for r := range int(rec.NumRows()) {
		switch p.format {
		case "csv":
			p.buf = p.enc.AppendCSV(p.buf, ',', r)
		case "table":
			if err := p.tableRow(int(rec.NumCols()), r); err != nil {
				return err
			}
		default:
			p.buf = append(p.enc.AppendRow(p.buf, r), '\n')
		}
		if len(p.buf) > 1<<16 {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

func (p *rowPrinter) flush() error {
	_, err := p.out.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}

// tableRow writes one aligned row; tabs and line ends within a cell become spaces.
func (p *rowPrinter) tableRow(cols, row int) error {
	var line []byte
	for c := range cols {
		if c > 0 {
			line = append(line, '\t')
		}
		from := len(line)
		var null bool
		if line, null = p.enc.AppendText(line, c, row); null {
			line = append(line[:from], "null"...)
		}
		for i, b := range line[from:] {
			if bytes.IndexByte([]byte("\t\n\v\f\r"), b) >= 0 {
				line[from+i] = ' '
			}
		}
	}
	if _, err := p.tab.Write(append(line, '\n')); err != nil {
		return err
	}
	if p.rows++; p.rows%tableBlock == 0 {
		return p.tab.Flush()
	}
	return nil
}

func (p *rowPrinter) end() error {
	if p.tab != nil {
		return p.tab.Flush()
	}
	return nil
}

func printParquet(ctx context.Context, out io.Writer, s *table.Scan) error {
	w, err := datafile.NewWriter(out, s.Fields(), datafile.WriterOptions{})
	if err != nil {
		return err
	}
	for rec, err := range s.Batches(ctx) {
		if err == nil {
			err = w.Write(rec)
		}
		if err != nil {
			w.Abort()
			return err
		}
	}
	_, err = w.Close()
	return err
}

func printArrow(ctx context.Context, out io.Writer, s *table.Scan) error {
	w := ipc.NewWriter(out, ipc.WithSchema(s.Schema()))
	for rec, err := range s.Batches(ctx) {
		if err == nil {
			err = w.Write(rec)
		}
		if err != nil {
			return err
		}
	}
	return w.Close()
}
