package main

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strings"

	"github.com/tidelake/tidelake/cdc"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// eventInput is change events, as Debezium or Canal write them.
type eventInput struct {
	io.Closer
	dec    *cdc.Decoder
	flags  *writeFlags
	sample []readEvent // read ahead, to infer a table from
}

// readEvent is what one step of the decoder gave.
type readEvent struct {
	event cdc.Event
	err   error // of one line
}

// A table is inferred from the first events: so many, of so many bytes.
const (
	sampleEvents = 10_000
	sampleBytes  = 64 << 20
)

func newEventInput(r io.ReadCloser, f *writeFlags) (input, error) {
	o := cdc.Options{}
	if f.source != "" {
		o.Tables = strings.Split(f.source, ",")
	}
	in := &eventInput{Closer: r, flags: f}
	if f.format == "canal-json" {
		in.dec = cdc.NewCanal(r, o)
	} else {
		in.dec = cdc.NewDebezium(r, o)
	}
	return in, nil
}

// next gives the next event. An error within readEvent concerns its line only.
func (in *eventInput) next() (readEvent, error) {
	if len(in.sample) > 0 {
		e := in.sample[0]
		in.sample = in.sample[1:]
		return e, nil
	}
	e, err := in.dec.Next()
	var line *cdc.LineError
	if errors.As(err, &line) {
		return readEvent{err: err}, nil
	}
	if errors.Is(err, table.ErrInvalid) {
		return readEvent{}, usage("%w: see --source", err) // several tables, or a pattern that is none
	}
	return readEvent{event: e}, err
}

func (in *eventInput) definition() (schema.Definition, []string, error) {
	var all []readEvent
	var events []cdc.Event
	for size := 0; len(events) < sampleEvents && size < sampleBytes; {
		e, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return schema.Definition{}, nil, err
		}
		all = append(all, e)
		if e.err == nil {
			events = append(events, e.event)
			size += len(e.event.Text)
		}
	}
	in.sample = all
	if len(events) == 0 && len(all) > 0 {
		return schema.Definition{}, nil, all[0].err
	}
	return cdc.Infer(events)
}

func (in *eventInput) passedOver() string {
	c := in.dec.Counts()
	var parts []string
	for _, p := range []struct {
		n          int
		noun, more string
	}{{c.OtherTables, "event", " of other tables"}, {c.SchemaChanges, "schema change", ""}, {c.Tombstones, "tombstone", ""},
		{c.Transactions, "transaction marker", ""}, {c.Other, "message", " without a row"}} {
		if p.n > 0 {
			parts = append(parts, count(p.n, p.noun)+p.more)
		}
	}
	return strings.Join(parts, ", ")
}

func (in *eventInput) batches(t *table.Table, o rowjson.Options) iter.Seq2[rowjson.Batch, error] {
	return func(yield func(rowjson.Batch, error) bool) {
		c, err := newEventCopy(in, t, o)
		if err == nil {
			err = c.run(yield)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(rowjson.Batch{}, err)
		}
	}
}

// errStopped: the consumer wants no more.
var errStopped = errors.New("stopped")

// eventCopy turns events into batches.
type eventCopy struct {
	in     *eventInput
	mapper *cdc.Mapper
	rows   *rowjson.Appender
	fields []schema.Field
	noNaN  map[string]bool
	opts   rowjson.Options
	line   int64 // of the first row of the batch
}

// batchRows and batchBytes bound a batch of events.
const (
	batchRows  = 1 << 16
	batchBytes = 64 << 20
)

func newEventCopy(in *eventInput, t *table.Table, o rowjson.Options) (*eventCopy, error) {
	c := &eventCopy{in: in, fields: t.Schema().Fields, opts: o, noNaN: make(map[string]bool)}
	if c.opts.BatchRows == 0 {
		c.opts.BatchRows = batchRows
	}
	for _, name := range o.Rules.NoNaN {
		c.noNaN[name] = true
	}
	var err error
	c.mapper, err = cdc.NewMapper(t.Schema(), cdc.MapperOptions{Zone: o.Loc, DropUnknown: in.flags.dropUnknown,
		Times: cdc.TimePrecision(in.flags.times), Decimals: cdc.DecimalHandling(in.flags.decimals)})
	if err != nil {
		return nil, usageError{err}
	}
	nullable := make([]schema.Field, len(c.fields))
	for i, f := range c.fields {
		f.Type.Nullable = true // defaults are filled in later; what must not be null is checked here
		nullable[i] = f
	}
	c.rows, err = rowjson.NewAppender(nullable, nil)
	return c, err
}

func (c *eventCopy) run(yield func(rowjson.Batch, error) bool) error {
	for {
		e, err := c.in.next()
		if err == nil {
			if err = c.one(e); err == nil {
				if c.rows.Rows() >= c.opts.BatchRows || c.rows.Rows()&63 == 0 && c.rows.Bytes() >= batchBytes {
					err = c.flush(yield)
				}
			}
		}
		if err != nil {
			if flushed := c.flush(yield); flushed != nil {
				return flushed
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// one adds the rows of one event, or hands it to whom malformed rows go.
func (c *eventCopy) one(e readEvent) error {
	if e.err == nil {
		e.err = c.add(&e.event)
	}
	var line *cdc.LineError
	if !errors.As(e.err, &line) || errors.Is(e.err, table.ErrUnsupported) || c.opts.BadRow == nil {
		return e.err // what cannot be done is not a malformed row
	}
	return c.opts.BadRow(line.Text, &rowjson.RowError{Line: int64(line.Line), Err: line.Err})
}

func (c *eventCopy) add(e *cdc.Event) error {
	changes, err := c.mapper.Rows(e)
	if err != nil {
		return err
	}
	for i := range changes {
		if err := c.check(changes[i].Values); err != nil {
			return &cdc.LineError{Line: e.Line, Text: e.Text, Err: err}
		}
	}
	if c.rows.Rows() == 0 {
		c.line = int64(e.Line)
	}
	for i := range changes {
		if err := c.rows.Append(changes[i].Kind, changes[i].Values); err != nil {
			return &cdc.LineError{Line: e.Line, Text: e.Text, Err: err}
		}
	}
	return nil
}

// check refuses what the table would, while the line is known.
func (c *eventCopy) check(values []any) error {
	for i, f := range c.fields {
		switch v := values[i].(type) {
		case nil:
			if !f.Type.Nullable && f.Default == nil {
				return fmt.Errorf("column %s (%s): null in a NOT NULL column", f.Name, literal.TypeName(f.Type))
			}
		case float64:
			if c.noNaN[f.Name] && math.IsNaN(v) {
				return fmt.Errorf("column %s: NaN in a key or sequence column", f.Name)
			}
		case float32:
			if c.noNaN[f.Name] && math.IsNaN(float64(v)) {
				return fmt.Errorf("column %s: NaN in a key or sequence column", f.Name)
			}
		}
	}
	return nil
}

func (c *eventCopy) flush(yield func(rowjson.Batch, error) bool) error {
	rec, kinds := c.rows.Flush()
	if rec == nil {
		return nil
	}
	defer rec.Release()
	if !yield(rowjson.Batch{Record: rec, Kinds: kinds, Line: c.line}, nil) {
		return errStopped
	}
	return nil
}
