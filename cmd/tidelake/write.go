package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

type writeFlags struct {
	format, badRows, source, null string
	commitEvery                   int64
	create, noHeader              bool
	primaryKey, partitionBy       []string
	options                       []string
}

func writeCommand(a *app) *cobra.Command {
	var f writeFlags
	cmd := &cobra.Command{Use: "write DB.T [FILE|-]", Short: "Write rows or change events into a table", Args: cobra.RangeArgs(1, 2),
		Long: `Write rows or change events from a file or standard input into a table.

In a primary-key table a row replaces the row of the same key. A JSON row may
carry "_kind": "+I", "-U", "+U" or "-D"; a CSV file a column of that name. The whole input is
one commit unless --commit-every is given; input without rows makes no snapshot.`,
		Example: `  tidelake write shop.orders orders.jsonl
  zcat dump.csv.gz | tidelake write shop.orders - --format csv --commit-every 1000000
  tidelake write shop.orders events.jsonl --format debezium-json --source shop.orders --create`,
		RunE: func(cmd *cobra.Command, args []string) error {
			file := "-"
			if len(args) == 2 {
				file = args[1]
			}
			return a.write(cmd.Context(), args[0], file, f)
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.format, "format", "jsonl", "jsonl, csv, parquet, debezium-json or canal-json")
	fl.Int64Var(&f.commitEvery, "commit-every", 0, "commit after this many rows (0: once, at the end)")
	fl.StringVar(&f.badRows, "bad-rows", "", "write malformed rows to this file, one JSON object each, and go on")
	fl.BoolVar(&f.create, "create", false, "create the table if it is not there, as typed input (parquet, change events) describes it")
	fl.StringSliceVar(&f.primaryKey, "primary-key", nil, "with --create: the key columns, where the input does not tell them")
	fl.StringSliceVar(&f.partitionBy, "partition-by", nil, "with --create: the partition columns")
	fl.StringArrayVar(&f.options, "option", nil, "with --create: a table option KEY=VALUE; may be repeated")
	fl.StringVar(&f.source, "source", "", "change events: only those of this source table (DB.TABLE or TABLE)")
	fl.StringVar(&f.null, "null", "", "csv: the text that stands for null")
	fl.BoolVar(&f.noHeader, "no-header", false, "csv: the first line is a row, columns are in the table's order")
	return cmd
}

// input is a source of rows, opened before the table is.
type input interface {
	// definition infers the table from typed input.
	definition() (schema.Definition, error)
	// batches yields rows for a table; a batch is borrowed until the next step.
	batches(t *table.Table, loc settingsOf) iter.Seq2[rowjson.Batch, error]
	Close() error
}

// settingsOf is what reading rows depends on beside the table.
type settingsOf struct {
	options rowjson.Options
	flags   writeFlags
}

func (a *app) write(ctx context.Context, name, file string, f writeFlags) error {
	id, err := identifier(name)
	if err != nil {
		return err
	}
	if f.commitEvery < 0 {
		return usage("--commit-every takes a positive number")
	}
	in, err := a.openInput(ctx, file, f)
	if err != nil {
		return err
	}
	defer in.Close()
	return a.with(ctx, func(c *catalog.Catalog) error {
		t, err := a.target(ctx, c, id, in, f)
		if err != nil {
			return err
		}
		bad, err := a.openBadRows(f.badRows)
		if err != nil {
			return err
		}
		written, err := a.copyRows(ctx, t, in, f, bad)
		if err := errors.Join(err, bad.close()); err != nil {
			return err
		}
		return a.sayWritten(t, written, bad.rows)
	})
}

func (a *app) openInput(ctx context.Context, file string, f writeFlags) (input, error) {
	open := map[string]func(io.ReadCloser) (input, error){
		"jsonl": newTextInput, "csv": newTextInput, "parquet": newParquetInput,
		"debezium-json": func(r io.ReadCloser) (input, error) { return newEventInput(r, f) },
		"canal-json":    func(r io.ReadCloser) (input, error) { return newEventInput(r, f) },
	}[f.format]
	if open == nil {
		return nil, usage("--format %q: use jsonl, csv, parquet, debezium-json or canal-json", f.format)
	}
	if f.create && (f.format == "jsonl" || f.format == "csv") {
		return nil, usage("--create needs typed input (parquet, debezium-json, canal-json): make the table with \"tidelake table create\" first")
	}
	if file == "-" {
		return open(io.NopCloser(a.in))
	}
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	return open(r)
}

// target opens the table, and creates it first where --create asks for it.
func (a *app) target(ctx context.Context, c *catalog.Catalog, id catalog.Identifier, in input, f writeFlags) (*table.Table, error) {
	t, err := c.Table(ctx, id)
	if !f.create || !errors.Is(err, table.ErrNotFound) {
		return t, err
	}
	def, err := in.definition()
	if err != nil {
		return nil, err
	}
	if len(f.primaryKey) > 0 {
		def.PrimaryKey = f.primaryKey
	}
	def.PartitionBy = f.partitionBy
	if def.Options == nil {
		def.Options = make(map[string]string)
	}
	if len(def.PrimaryKey) > 0 {
		def.Options["bucket"] = "1" // fixed buckets are what can be written so far
	}
	for _, o := range f.options {
		k, v, ok := strings.Cut(o, "=")
		if !ok {
			return nil, usage("--option %q is not KEY=VALUE", o)
		}
		def.Options[k] = v
	}
	if err := c.CreateDatabase(ctx, id.Database); err != nil && !errors.Is(err, table.ErrExists) {
		return nil, err
	}
	return c.CreateTable(ctx, id, def)
}

// written is what a write did.
type written struct{ rows, commits int64 }

func (a *app) copyRows(ctx context.Context, t *table.Table, in input, f writeFlags, bad *badRows) (done written, err error) {
	settings, err := a.settings()
	if err != nil {
		return done, err
	}
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	o := rowjson.Options{Loc: settings.TimeZone}
	if f.commitEvery > 0 {
		o.BatchRows = int(min(f.commitEvery, 1<<16))
	}
	if bad.out != nil {
		o.BadRow = bad.add
	}
	p := a.progress("writing " + t.Name())
	defer p.done()
	since := int64(0)
	for b, err := range in.batches(t, settingsOf{o, f}) {
		if err != nil {
			return done, err
		}
		for rest := b; rest.Record.NumRows() > 0; {
			n := rest.Record.NumRows()
			if f.commitEvery > 0 {
				n = min(n, f.commitEvery-since)
			}
			if err := writeBatch(ctx, w, head(rest, n)); err != nil {
				return done, err
			}
			rest = tail(rest, n)
			done.rows += n
			if since += n; f.commitEvery > 0 && since == f.commitEvery {
				if err := w.CommitNext(ctx); err != nil {
					return done, err
				}
				done.commits++
				since = 0
			}
			p.show("%d rows, %d commits", done.rows, done.commits)
		}
	}
	if since == 0 {
		return done, nil
	}
	done.commits++
	return done, w.CommitNext(ctx)
}

// writeBatch hands rows and kinds to the writer as one batch.
func writeBatch(ctx context.Context, w *table.Writer, b rowjson.Batch) error {
	defer b.Record.Release()
	if b.Kinds == nil {
		return w.Write(ctx, b.Record)
	}
	kinds := array.NewInt8Builder(memory.DefaultAllocator)
	defer kinds.Release()
	kinds.AppendValues(b.Kinds, nil)
	col := kinds.NewArray()
	defer col.Release()
	fields := append(append([]arrow.Field{}, b.Record.Schema().Fields()...), arrow.Field{Name: schema.ValueKindName, Type: arrow.PrimitiveTypes.Int8})
	cols := append(append([]arrow.Array{}, b.Record.Columns()...), col)
	rec := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, b.Record.NumRows())
	defer rec.Release()
	return w.Write(ctx, rec)
}

func head(b rowjson.Batch, n int64) rowjson.Batch {
	out := rowjson.Batch{Record: b.Record.NewSlice(0, n), Line: b.Line}
	if b.Kinds != nil {
		out.Kinds = b.Kinds[:n]
	}
	return out
}

func tail(b rowjson.Batch, n int64) rowjson.Batch {
	out := rowjson.Batch{Record: b.Record.NewSlice(n, b.Record.NumRows()), Line: b.Line}
	if b.Kinds != nil {
		out.Kinds = b.Kinds[n:]
	}
	return out
}

func (a *app) sayWritten(t *table.Table, w written, bad int64) error {
	sentence := fmt.Sprintf("wrote %d rows into %s in %d commits", w.rows, t.Name(), w.commits)
	if w.commits == 1 {
		sentence = strings.TrimSuffix(sentence, "s")
	}
	if bad > 0 {
		sentence += fmt.Sprintf("; %d malformed rows were left out", bad)
	}
	return a.say(sentence, cell{"table", t.Name()}, cell{"rows", w.rows}, cell{"commits", w.commits}, cell{"bad_rows", bad})
}

// badRows keeps malformed rows with their line and reason, in the file of --bad-rows.
type badRows struct {
	out  *os.File
	rows int64
}

func (a *app) openBadRows(path string) (*badRows, error) {
	if path == "" {
		return &badRows{}, nil
	}
	f, err := os.Create(path)
	return &badRows{out: f}, err
}

func (b *badRows) add(text []byte, err *rowjson.RowError) error {
	b.rows++
	line, jsonErr := json.Marshal(map[string]any{"line": err.Line, "error": err.Error(), "row": string(text)})
	if jsonErr != nil {
		return jsonErr
	}
	_, writeErr := b.out.Write(append(line, '\n'))
	return writeErr
}

func (b *badRows) close() error {
	if b.out == nil {
		return nil
	}
	return b.out.Close()
}
