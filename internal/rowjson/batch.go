package rowjson

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// batch gathers rows column by column until they are flushed.
type batch struct {
	members
	schema *arrow.Schema
	alloc  memory.Allocator
	rows   []int8 // the row kinds
	mixed  bool   // some row is not +I
	rules  rules
}

func newBatch(fields []schema.Field, alloc memory.Allocator, loc *time.Location) (batch, error) {
	sc, err := schema.ArrowSchema(fields)
	if err != nil {
		return batch{}, err
	}
	if alloc == nil {
		alloc = memory.DefaultAllocator
	}
	m, err := newMembers(fields, loc)
	return batch{members: m, schema: sc, alloc: alloc}, err
}

// Rows is the number of rows that the next Flush returns.
func (b *batch) Rows() int { return len(b.rows) }

// Bytes is the memory that these rows hold, roughly.
func (b *batch) Bytes() int64 { return b.size() + int64(len(b.rows)) }

// end adds a row whose columns are in place, or takes back what an error left of it.
func (b *batch) end(kind schema.RowKind, err error) error {
	if err == nil {
		err = b.check(kind, len(b.rows))
	}
	if err != nil {
		for _, c := range b.cols {
			c.cut(len(b.rows)) // also what a nested value left half done
		}
		return b.rowError(err)
	}
	b.rows = append(b.rows, int8(kind))
	b.mixed = b.mixed || kind != schema.Insert
	return nil
}

// rowError names the column of an error, if it is about one.
func (b *batch) rowError(err error) error {
	row := &RowError{Err: err}
	var cell *cellError
	if errors.As(err, &cell) {
		row.Column = b.failed
	}
	return row
}

// Flush returns the rows so far as a batch that the caller releases, with
// their kinds, or nil kinds when every row is +I; nil, nil when there is no row.
func (b *batch) Flush() (arrow.RecordBatch, []int8) {
	if len(b.rows) == 0 {
		return nil, nil
	}
	rec := b.build(b.alloc)
	var kinds []int8
	if b.mixed {
		kinds = append(kinds, b.rows...)
	}
	b.rows, b.mixed = b.rows[:0], false
	return rec, kinds
}

func (b *batch) build(alloc memory.Allocator) arrow.RecordBatch {
	arrays := make([]arrow.Array, len(b.cols))
	for i, c := range b.cols {
		data := c.build(alloc)
		arrays[i] = array.MakeFromData(data)
		data.Release()
	}
	rec := array.NewRecordBatch(b.schema, arrays, int64(len(b.rows)))
	for _, a := range arrays {
		a.Release()
	}
	return rec
}

// Decoder makes Arrow batches of JSON rows, one object a row. It is not safe
// for concurrent use. It holds no memory of the allocator between flushes.
type Decoder struct {
	batch
	p     parser
	kind  schema.RowKind
	kinds int // how often the row has the member _kind
	other func(name string) (bool, error)
}

// NewDecoder makes a decoder of rows with the given fields; it uses Alloc,
// Loc and Rules of opts. The error is ErrUnsupported for a type that has no text.
func NewDecoder(fields []schema.Field, opts Options) (*Decoder, error) {
	opts = opts.withDefaults()
	b, err := newBatch(fields, opts.Alloc, opts.Loc)
	if err != nil {
		return nil, err
	}
	b.rules = opts.Rules.bind(fields)
	d := &Decoder{batch: b}
	d.other = d.member // made once, not for every row
	return d, nil
}

// Row adds one row; a column without a member is null. The error is a
// *RowError and leaves the decoder as it was before the row.
func (d *Decoder) Row(line []byte) error {
	d.p.reset(line)
	d.kind = schema.Insert
	var err error
	if d.p.peek() != '{' {
		if err = d.p.skip(); err == nil {
			err = errors.New("a row is an object, like {\"id\":1}")
		}
		return d.end(d.kind, err)
	}
	d.kinds = 0
	if err = d.json(&d.p, d.other); err == nil {
		err = d.p.finish()
	}
	return d.end(d.kind, err)
}

// member reads a member that is not a column.
func (d *Decoder) member(name string) (bool, error) {
	if name != KindName {
		return false, nil
	}
	if d.kinds++; d.kinds > 1 {
		return true, errors.New("the member _kind is there twice")
	}
	text, err := stringText(&d.p)
	if err == nil {
		d.kind, err = parseKind(text)
	}
	return true, err
}

func parseKind(text string) (schema.RowKind, error) {
	kind, err := schema.ParseRowKind(text)
	if err != nil {
		return 0, fmt.Errorf("the row kind %s is none of +I, -U, +U, -D", literal.Quote(text))
	}
	return kind, nil
}

// Appender makes Arrow batches of rows of Go values. It is not safe for
// concurrent use. It holds no memory of the allocator between flushes.
type Appender struct {
	batch
	lent arrow.RecordBatch // what Lend gave last
}

// NewAppender makes an appender of rows with the given fields. A nil alloc is memory.DefaultAllocator.
func NewAppender(fields []schema.Field, alloc memory.Allocator) (*Appender, error) {
	b, err := newBatch(fields, alloc, time.UTC)
	if err != nil {
		return nil, err
	}
	return &Appender{batch: b}, nil
}

// Lend is Flush without a copy, for rows that are read at once: the batch
// borrows the appender's memory and is good until the next Append. The caller
// releases it. It is nil when there is no row.
func (a *Appender) Lend() arrow.RecordBatch {
	if len(a.rows) == 0 {
		return nil
	}
	rec := a.again()
	if rec == nil {
		rec = a.build(nil)
		a.lent = rec
	}
	a.rows, a.mixed = a.rows[:0], false
	rec.Retain() // a.lent never lets go: all of it lies on Go's heap
	return rec
}

// again is what was lent before, if it shows the one row that is there now,
// which it does while the columns' memory is the same.
func (a *Appender) again() arrow.RecordBatch {
	if a.lent == nil || a.lent.NumRows() != 1 || len(a.rows) != 1 {
		return nil
	}
	for i, c := range a.cols {
		f, ok := c.(interface{ raw(from, to int) []byte })
		if b := a.lent.Column(i).Data().Buffers(); !ok || c.head().nulls > 0 || b[0] != nil || &f.raw(0, 1)[0] != &b[1].Bytes()[0] {
			return nil
		}
	}
	for _, c := range a.cols {
		c.cut(0)
	}
	return a.lent
}

// Append adds one row, given as one value a field; nil and nil pointers are
// null. The values are copied. The metadata values of package schema fit as
// they are; besides, integers of any width, json.Number, time.Time (on its own
// clock for DATE, TIME and TIMESTAMP, its moment for TIMESTAMP_LTZ, cut to the
// precision), time.Duration for TIME, text for DECIMAL, DATE, TIME, TIMESTAMP
// and TIMESTAMP_LTZ (UTC unless it has an offset), pointers to and named types
// of all of these. ARRAY is []any or another slice, MAP and MULTISET [][2]any
// or a map, ROW []any in the order of its members or map[string]any. The error
// is a *RowError and leaves the appender as it was before the row.
func (a *Appender) Append(kind schema.RowKind, values []any) error {
	if len(values) != len(a.cols) {
		return &RowError{Err: fmt.Errorf("the row has %d values, want %d", len(values), len(a.cols))}
	}
	if kind < schema.Insert || kind > schema.Delete {
		return &RowError{Err: fmt.Errorf("row kind %d is none of 0 to 3", int8(kind))}
	}
	for i, v := range values {
		if err := readGo(v, a.cols[i]); err != nil {
			a.failed = a.names[i]
			return a.end(kind, err)
		}
	}
	return a.end(kind, nil)
}
