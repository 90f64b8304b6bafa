package main

import (
	"bufio"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// tailPrinter prints changes. What it has is flushed after each snapshot.
type tailPrinter struct {
	rowPrinter
	out    *bufio.Writer
	fields []schema.Field
	plain  *arrow.Schema // of fields
	ahead  int           // system columns that stand before the table's
	events *eventPrinter // nil for other formats
}

func newTailPrinter(out *bufio.Writer, t *table.Table, s *table.Stream, format string) (*tailPrinter, error) {
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		return nil, err
	}
	p := &tailPrinter{rowPrinter: rowPrinter{out: out, enc: enc, format: format}, out: out, fields: s.Fields(), ahead: s.Schema().NumFields() - len(s.Fields())}
	if p.plain, err = schema.ArrowSchema(p.fields); err != nil {
		return nil, err
	}
	if format == "debezium-json" {
		enc.Base64()
		p.events, err = newEventPrinter(t, p.fields)
		return p, err
	}
	if err := notOurs(p.fields, "_snapshot", "_kind"); err != nil {
		return nil, err
	}
	return p, p.header()
}

// notOurs refuses columns that bear the names of those which are put before them.
func notOurs(fields []schema.Field, names ...string) error {
	for _, f := range fields {
		if slices.Contains(names, f.Name) {
			return usage("column %s would be there twice, because the output has one of its own by that name: leave it out of --select", f.Name)
		}
	}
	return nil
}

// header prints the names of the columns, where the format has such a line.
func (p *tailPrinter) header() error {
	switch p.format {
	case "csv":
		_, err := p.out.Write(p.enc.AppendCSVHeader([]byte("_snapshot,_kind,"), ','))
		return err
	case "table":
		p.tab = tabwriter.NewWriter(p.out, 10, 0, 2, ' ', 0) // each snapshot is aligned on its own, most cells in wide columns
		all := []string{"_snapshot", "_kind"}
		for _, f := range p.fields {
			all = append(all, f.Name)
		}
		_, err := fmt.Fprintln(p.tab, strings.Join(all, "\t"))
		return err
	}
	return nil
}

// batch prints rows of one snapshot.
func (p *tailPrinter) batch(c *table.Changes, rec arrow.RecordBatch) error {
	rows := array.NewRecordBatch(p.plain, rec.Columns()[p.ahead:], rec.NumRows())
	defer rows.Release()
	if err := p.enc.Bind(rows); err != nil {
		return err
	}
	kinds := rec.Column(0).(*array.Int8)
	id := strconv.FormatInt(c.Snapshot.ID, 10)
	for r := range int(rec.NumRows()) {
		kind := schema.RowKind(kinds.Value(r))
		switch p.format {
		case "csv":
			p.buf = append(append(append(append(p.buf, id...), ','), kind.String()...), ',')
			p.buf = p.enc.AppendCSV(p.buf, ',', r)
		case "table":
			if _, err := p.tab.Write([]byte(id + "\t" + kind.String() + "\t")); err != nil {
				return err
			}
			if err := p.tableRow(len(p.fields), r); err != nil {
				return err
			}
		case "debezium-json":
			p.buf = p.events.row(p.buf, p.enc, c, kind, r)
		default:
			p.buf = append(append(append(p.buf, `{"_snapshot":`...), id...), `,"_kind":"`...)
			p.buf = append(append(p.buf, kind.String()...), `",`...)
			at := len(p.buf)
			p.buf = p.enc.AppendRow(p.buf, r)
			p.buf = append(slices.Delete(p.buf, at, at+1), '\n') // without its brace
		}
		if len(p.buf) > 1<<16 {
			if err := p.rowPrinter.flush(); err != nil {
				return err
			}
		}
	}
	return p.rowPrinter.flush()
}

// waits tells that the row before an update waits for the one after it.
func (p *tailPrinter) waits() bool { return p.events != nil && p.events.before != nil }

// pairUp reads on, row by row, until no row before an update waits any more: a
// stream that ended between the two would tell of a delete that never was. It
// returns where to go on behind that.
func (p *tailPrinter) pairUp(ctx context.Context, t *table.Table, s *table.Stream, o table.StreamOptions) (token string, err error) {
	o.Mode, o.Snapshot, o.Tag, o.Time, o.Token = "", 0, "", time.Time{}, s.Token()
	o.Consumer, o.Limit, o.UntilSnapshot, o.BatchRows = "", 0, s.NextSnapshot(), 1
	more, err := t.Stream(ctx, o)
	if err != nil {
		return "", err
	}
	for c, err := range more.Snapshots(ctx) {
		if err != nil {
			return "", err
		}
		for rec, err := range c.Batches() {
			if err == nil {
				err = p.batch(c, rec)
			}
			if err != nil || !p.waits() {
				return more.Token(), err
			}
		}
		if err := p.endSnapshot(c); err != nil {
			return "", err
		}
	}
	return more.Token(), nil
}

// endSnapshot hands out what was printed.
func (p *tailPrinter) endSnapshot(c *table.Changes) error {
	if p.events != nil {
		p.buf = p.events.end(p.buf, c)
	}
	return p.flush()
}

func (p *tailPrinter) flush() error {
	if err := p.rowPrinter.flush(); err != nil {
		return err
	}
	if p.tab != nil {
		if err := p.tab.Flush(); err != nil {
			return err
		}
	}
	return p.out.Flush()
}
