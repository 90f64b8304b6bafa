package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func getCommand(a *app) *cobra.Command {
	var f readFlags
	var prefix bool
	cmd := &cobra.Command{Use: "get DB.T KEY...", Short: "Print the rows of keys", Args: cobra.MinimumNArgs(2),
		Long: `Print the rows of keys of a table with a primary key, in the order of the keys.

A key of one column is its value. A key of several columns is column=value,
joined by commas, or a JSON object, which any text fits into. Keys that are
not in the table are named in the error that ends the command.`,
		Example: `  tidelake get shop.users 17 42
  tidelake get shop.orders "user=ada,nr=2" --select item,amount
  tidelake get shop.orders '{"user":"a,b","nr":1}' --as-of "2026-01-31 12:00:00"
  tidelake get shop.orders --prefix user=ada`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.scanOptions(cmd, f)
			if err != nil {
				return err
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				return a.get(cmd.Context(), t, args[1:], table.LookupOptions{Columns: o.Columns, Snapshot: o.Snapshot, AsOf: o.AsOf, Tag: o.Tag, Watermark: o.Watermark}, f.format, prefix)
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.columns, "select", "", "columns to print, separated by commas (default all)")
	f.travel(cmd, "look into")
	fl.StringVar(&f.format, "format", "jsonl", strings.Join(readFormats, ", ")+" (an IPC stream)")
	fl.BoolVar(&prefix, "prefix", false, "the keys are the first columns of keys: print all rows that begin with them")
	formats(cmd, "format", readFormats)
	return cmd
}

func (a *app) get(ctx context.Context, t *table.Table, keys []string, o table.LookupOptions, format string, prefix bool) error {
	l, err := t.NewLookup(ctx, o)
	if errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrCorrupt) {
		return usageError{err} // --select, or a table without keys
	}
	if err != nil {
		return err
	}
	defer l.Close()
	found := &foundRows{lookup: l, prefix: prefix}
	for _, text := range keys {
		key, err := a.parseKey(l.KeyFields(), text)
		if err != nil {
			return usageError{err}
		}
		found.keys, found.texts = append(found.keys, key), append(found.texts, text)
	}
	out := bufio.NewWriterSize(a.out, 1<<16)
	err = errors.Join(printRows(ctx, out, found, format), out.Flush())
	switch {
	case errors.Is(err, errPipeClosed):
		return nil
	case errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrCorrupt):
		return usageError{err} // a key with columns missing
	}
	if err == nil && len(found.absent) > 0 {
		return fmt.Errorf("%w: %s has no row of key %s", table.ErrNotFound, t.Name(), strings.Join(found.absent, ", "))
	}
	return err
}

// parseKey reads a key of the command line.
func (a *app) parseKey(fields []schema.Field, text string) (table.Row, error) {
	if strings.HasPrefix(text, "{") {
		return a.jsonKey(fields, text)
	}
	if first, value, ok := strings.Cut(text, "="); len(fields) == 1 && !(ok && first == fields[0].Name) {
		return a.cellOf(fields[0], text)
	} else if len(fields) == 1 {
		return a.cellOf(fields[0], value)
	}
	key := table.Row{}
	for _, part := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(part, "=")
		at := slices.IndexFunc(fields, func(f schema.Field) bool { return f.Name == name })
		if why := wrongPart(ok, at < 0, key[name] != nil, part, name); why != "" {
			return nil, fmt.Errorf("key %q: %s; write column=value for the columns of the key (%s), joined by commas, or a JSON object",
				text, why, strings.Join(keyNames(fields), ", "))
		}
		cell, err := a.cellOf(fields[at], value)
		if err != nil {
			return nil, err
		}
		key[name] = cell[name]
	}
	return key, nil
}

func keyNames(fields []schema.Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

// wrongPart says what is wrong with one column=value of a key.
func wrongPart(assigns, unknown, twice bool, part, name string) string {
	switch {
	case !assigns:
		return fmt.Sprintf("%q is no column=value", part)
	case unknown:
		return fmt.Sprintf("the key has no column %q", name)
	case twice:
		return fmt.Sprintf("column %s comes twice", name)
	}
	return ""
}

func (a *app) cellOf(f schema.Field, text string) (table.Row, error) {
	v, err := predicate.CastLiteral(text, f.Type, a.loc)
	if err != nil {
		return nil, fmt.Errorf("key column %s: %w", f.Name, err)
	}
	switch f.Type.Kind {
	case schema.Date, schema.Time, schema.Timestamp, schema.TimestampLTZ, schema.Decimal:
		return table.Row{f.Name: text}, nil // a Row takes them as they are written
	}
	return table.Row{f.Name: v}, nil
}

// jsonKey reads a JSON object as write reads rows.
func (a *app) jsonKey(fields []schema.Field, text string) (table.Row, error) {
	open := slices.Clone(fields)
	for i := range open {
		open[i].Type.Nullable = true // a prefix lacks the last ones
	}
	d, err := rowjson.NewDecoder(open, rowjson.Options{Loc: a.loc})
	if err == nil {
		err = d.Row([]byte(text))
	}
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", text, err)
	}
	rec, _ := d.Flush()
	defer rec.Release()
	return table.RowOf(open, rec, 0), nil
}

// foundRows looks keys up when their rows are printed.
type foundRows struct {
	lookup *table.Lookup
	keys   []table.Row
	texts  []string
	prefix bool
	absent []string
}

func (f *foundRows) Fields() []schema.Field { return f.lookup.Fields() }
func (f *foundRows) Schema() *arrow.Schema  { return f.lookup.Schema() }

func (f *foundRows) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		if f.prefix {
			for i, key := range f.keys {
				rows := int64(0)
				for rec, err := range f.lookup.GetPrefix(ctx, key) {
					if !yield(rec, err) || err != nil {
						return
					}
					rows += rec.NumRows()
				}
				if rows == 0 {
					f.absent = append(f.absent, f.texts[i])
				}
			}
			return
		}
		keys := make([]any, len(f.keys))
		for i, k := range f.keys {
			keys[i] = k
		}
		found, err := f.lookup.GetRows(ctx, keys...)
		if err != nil {
			yield(nil, err)
			return
		}
		defer found.Release()
		for i, at := range found.At {
			if at < 0 {
				f.absent = append(f.absent, f.texts[i])
			}
		}
		yield(found.Batch, nil)
	}
}
