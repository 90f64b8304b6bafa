package rowjson

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// column builds one Arrow array. Its memory is kept from batch to batch; build
// copies the values into buffers of their exact size. Unlike Arrow's builders
// it can take rows back, so that a malformed row leaves nothing behind.
type column interface {
	head() *header
	null()                                    // appends a null
	json(p *parser) error                     // appends the value that p is at, which is not null
	value(v any) error                        // appends a Go value, which is not nil
	cut(n int)                                // drops all rows from n on
	key(dst []byte, row int) []byte           // appends bytes that are equal only for equal values
	size() int64                              // bytes held
	build(alloc memory.Allocator) *array.Data // the rows so far
}

// texter is a column that can hold the text of a CSV cell directly; the others take JSON text.
type texter interface{ text(s string) error }

// header is what all columns have: their type, and which rows are null.
type header struct {
	typ   schema.Type
	dt    arrow.DataType
	rows  int
	nulls int
	valid []byte // bit i is set when row i is not null
}

func (h *header) head() *header { return h }

func (h *header) push(valid bool) {
	if h.rows&7 == 0 {
		h.valid = append(h.valid, 0)
	}
	if valid {
		h.valid[h.rows>>3] |= 1 << (h.rows & 7)
	} else {
		h.nulls++
	}
	h.rows++
}

func (h *header) isValid(row int) bool { return bitutil.BitIsSet(h.valid, row) }

func (h *header) truncate(n int) {
	for h.rows > n {
		h.rows--
		if !h.isValid(h.rows) {
			h.nulls--
		}
		bitutil.ClearBit(h.valid, h.rows)
	}
	h.valid = h.valid[:(n+7)/8]
}

// clear is truncate(0) without a look at the rows.
func (h *header) clear() { h.rows, h.nulls, h.valid = 0, 0, h.valid[:0] }

// data copies buffers into the allocator's memory, or with a nil one borrows
// them, and makes Arrow data of them, which the caller releases.
func (h *header) data(alloc memory.Allocator, children []arrow.ArrayData, contents ...[]byte) *array.Data {
	buffers := make([]*memory.Buffer, 0, 3)
	if h.nulls == 0 {
		buffers = append(buffers, nil)
	} else {
		buffers = append(buffers, copied(alloc, h.valid))
	}
	for _, c := range contents {
		buffers = append(buffers, copied(alloc, c))
	}
	data := array.NewData(h.dt, h.rows, buffers, children, h.nulls, 0)
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	for _, c := range children {
		c.Release()
	}
	return data
}

func copied(alloc memory.Allocator, b []byte) *memory.Buffer {
	if alloc == nil {
		return memory.NewBufferBytes(b)
	}
	buf := memory.NewResizableBuffer(alloc)
	buf.Resize(len(b))
	copy(buf.Bytes(), b)
	return buf
}

// cellError is a value that its column cannot hold; path leads to the place within a nested value.
type cellError struct {
	path  string
	typ   schema.Type
	value string
	err   error
}

// Error continues "column NAME", which RowError begins.
func (e *cellError) Error() string {
	return fmt.Sprintf("%s (%s): %s %v", e.path, literal.TypeName(e.typ), e.value, e.err)
}

func (e *cellError) Unwrap() error { return e.err }

// within adds a step to the path of an error from inside a nested value.
func within(err error, step string) error {
	var cell *cellError
	if errors.As(err, &cell) {
		cell.path = step + cell.path
	}
	return err
}

// readJSON appends the value that p is at, null included.
func readJSON(p *parser, c column) error {
	if p.peek() == 'n' && p.word("null") {
		c.null()
		return nil
	}
	start := p.at
	err := c.json(p)
	if err == nil {
		return nil
	}
	var cell *cellError
	var syntax *syntaxError
	if errors.As(err, &cell) || errors.As(err, &syntax) {
		return err
	}
	p.depth = 0
	value, bad := p.excerpt(start)
	if bad != nil {
		return bad
	}
	return &cellError{typ: c.head().typ, value: value, err: err}
}

// readGo appends a Go value, nil and nil pointers included.
func readGo(v any, c column) error {
	if v == nil {
		c.null()
		return nil
	}
	err := c.value(v)
	if errors.Is(err, errNil) {
		c.null()
		return nil
	}
	var cell *cellError
	if err == nil || errors.As(err, &cell) {
		return err
	}
	return &cellError{typ: c.head().typ, value: describe(v), err: err}
}

func describe(v any) string {
	text := fmt.Sprintf("%v", v)
	return fmt.Sprintf("%T %s", v, literal.Quote(text))
}

// newColumn makes the builder of a type. loc is the zone of TIMESTAMP_LTZ text without an offset.
func newColumn(t schema.Type, loc *time.Location) (column, error) {
	dt, err := schema.ArrowType(t)
	if err != nil {
		return nil, err
	}
	h := header{typ: t, dt: dt}
	switch t.Kind {
	case schema.Boolean:
		return &booleans{header: h}, nil
	case schema.Char, schema.VarChar, schema.Binary, schema.VarBinary:
		return &texts{header: h, offsets: []int32{0}, hex: t.Kind == schema.Binary || t.Kind == schema.VarBinary}, nil
	case schema.TinyInt:
		return newIntegers[int8](h), nil
	case schema.SmallInt:
		return newIntegers[int16](h), nil
	case schema.Int:
		return newIntegers[int32](h), nil
	case schema.BigInt:
		return newIntegers[int64](h), nil
	case schema.Float:
		return newFloats[float32](h, 32), nil
	case schema.Double:
		return newFloats[float64](h, 64), nil
	case schema.Decimal:
		return newDecimals(h), nil
	case schema.Date:
		return newDates(h), nil
	case schema.Time:
		return newTimes(h), nil
	case schema.Timestamp, schema.TimestampLTZ:
		return newTimestamps(h, loc), nil
	case schema.Array:
		elem, err := newColumn(*t.Elem, loc)
		return &lists{header: h, offsets: []int32{0}, elem: elem}, err
	case schema.Map:
		return newMaps(h, *t.Key, *t.Elem, loc)
	case schema.Multiset:
		return newMaps(h, *t.Elem, schema.Type{Kind: schema.Int}, loc)
	case schema.Row:
		return newStructs(h, loc)
	}
	return nil, fault.Unsupported("rows with a column of type "+literal.TypeName(t), "leave the column out")
}

// errTooLong: offsets of Arrow's text and list arrays have 32 bits.
var errTooLong = errors.New("makes its batch exceed two gigabytes; use smaller batches")

func checkOffset(n int) error {
	if n > math.MaxInt32 {
		return errTooLong
	}
	return nil
}
