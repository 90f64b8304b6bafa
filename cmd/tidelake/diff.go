package main

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

var diffModes = []string{"auto", "delta", "changelog", "diff"}

func diffCommand(a *app) *cobra.Command {
	var f readFlags
	var mode string
	cmd := &cobra.Command{Use: "diff DB.T A B", Short: "Print what changed behind version A, up to and with version B", Args: cobra.ExactArgs(3),
		Long: `Print what changed behind version A, up to and with version B. Rows have the
kind of their change in _kind: +I, -U, +U or -D.

A version is a tag, a snapshot id or a time ("2026-01-31 12:00:00"), looked for
in this order; tag:X, snapshot:N and time:T say which. A may be 0, which is
before the first snapshot.

Modes: delta are rows as they were written, changelog the rows of changelogs,
both snapshot by snapshot; diff compares both versions key by key. auto is diff
between two tags, else changelog where the table has a changelog producer and
delta where it has none.`,
		Example: `  tidelake diff shop.orders 3 5
  tidelake diff shop.orders may june --where "amount > 100" --format csv
  tidelake diff shop.orders "2026-01-31 00:00:00" "2026-02-01 00:00:00" --mode diff --count
  tidelake diff 'shop.orders$binlog' 3 5`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.scanOptions(cmd, f)
			if err != nil {
				return err
			}
			if !slices.Contains(diffModes, mode) {
				return usage("--mode %q: use %s", mode, strings.Join(diffModes, ", "))
			}
			id, err := anyIdentifier(args[0])
			if err != nil {
				return err
			}
			system := id.System
			id.System = ""
			return a.withTable(cmd.Context(), id.String(), func(t *table.Table) error {
				if o.Between, err = a.between(cmd.Context(), t, args[1], args[2]); err != nil {
					return err
				}
				o.Between.Mode = table.ChangeMode(mode)
				return a.diff(cmd.Context(), t, system, o, f)
			})
		}}
	fl := cmd.Flags()
	fl.StringVar(&mode, "mode", "auto", strings.Join(diffModes, ", "))
	fl.StringVar(&f.columns, "select", "", "columns to print, separated by commas (default all)")
	fl.StringVar(&f.where, "where", "", "print only changes for whose row this is true")
	fl.Int64Var(&f.limit, "limit", 0, "print at most this many changes (default all)")
	fl.BoolVar(&f.count, "count", false, "print the number of changes only")
	fl.StringVar(&f.format, "format", "jsonl", strings.Join(readFormats, ", ")+" (an IPC stream)")
	formats(cmd, "format", readFormats)
	formats(cmd, "mode", diffModes)
	return cmd
}

// between reads the two versions of a command line.
func (a *app) between(ctx context.Context, t *table.Table, from, to string) (*table.Between, error) {
	var b table.Between
	var err error
	if b.From, err = a.version(ctx, t, from); err != nil {
		return nil, err
	}
	if b.To, err = a.version(ctx, t, to); err == nil && b.To == (table.Version{}) {
		err = usage("%q is before the first snapshot: nothing changed up to there", to)
	}
	return &b, err
}

// version reads one version: a tag, a snapshot id or a time.
func (a *app) version(ctx context.Context, t *table.Table, text string) (table.Version, error) {
	what, value, said := strings.Cut(text, ":")
	if said = said && slices.Contains([]string{"tag", "snapshot", "time"}, what); !said {
		what, value = "", text
	}
	if what == "" {
		_, err := t.Snapshots().Tag(ctx, value)
		if err == nil {
			what = "tag"
		} else if !errors.Is(err, table.ErrNotFound) && !errors.Is(err, table.ErrInvalid) {
			return table.Version{}, err
		}
	}
	if what == "tag" {
		return table.Version{Tag: value}, nil
	}
	id, err := strconv.ParseInt(value, 10, 64)
	if what != "time" && err == nil && id >= 0 {
		return table.Version{Snapshot: id}, nil
	}
	if what != "snapshot" {
		if v, err := predicate.CastLiteral(value, schema.Type{Kind: schema.TimestampLTZ, Precision: 9}, a.loc); err == nil {
			return table.Version{Time: time.UnixMilli(v.(schema.TimestampValue).Millis).In(a.loc)}, nil
		}
	}
	return table.Version{}, usage("%q is no version: write a tag that is there, a snapshot id, or a time such as \"2026-01-31 12:00:00\"", text)
}

func (a *app) diff(ctx context.Context, t *table.Table, system string, o table.ScanOptions, f readFlags) error {
	if system != "" {
		return a.read(ctx, t, system, o, f)
	}
	d, err := t.Diff(ctx, o)
	if errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrCorrupt) {
		return usageError{err} // --select, --where, or the order of versions
	}
	if err != nil {
		return err
	}
	if err := notOurs(d.Fields(), "_kind"); err != nil && !f.count {
		return err
	}
	return a.show(ctx, changedRows{d}, f)
}

// changedRows are changes with their kinds as text, in a first column.
type changedRows struct{ diff *table.Diff }

func (c changedRows) Count(ctx context.Context) (int64, error) { return c.diff.Count(ctx) }

func (c changedRows) Fields() []schema.Field {
	kind := schema.Field{ID: schema.NoID, Name: "_kind", Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength}}
	return append([]schema.Field{kind}, c.diff.Fields()...)
}

func (c changedRows) Schema() *arrow.Schema {
	own := c.diff.Schema().Fields()
	kind := arrow.Field{Name: "_kind", Type: arrow.BinaryTypes.String}
	return arrow.NewSchema(append([]arrow.Field{kind}, own[len(own)-len(c.diff.Fields()):]...), nil)
}

func (c changedRows) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	shown := c.Schema()
	return func(yield func(arrow.RecordBatch, error) bool) {
		for rec, err := range c.diff.Batches(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			b := array.NewStringBuilder(memory.DefaultAllocator)
			for _, kind := range rec.Column(0).(*array.Int8).Values() {
				b.Append(schema.RowKind(kind).String())
			}
			kinds := b.NewArray()
			b.Release()
			own := rec.Columns()[int(rec.NumCols())-len(c.diff.Fields()):]
			out := array.NewRecordBatch(shown, append([]arrow.Array{kinds}, own...), rec.NumRows())
			kinds.Release()
			more := yield(out, nil)
			out.Release()
			if !more {
				return
			}
		}
	}
}
