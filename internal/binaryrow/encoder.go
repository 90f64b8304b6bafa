package binaryrow

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Encoder writes rows of Arrow columns as row bodies without allocating. It
// borrows the columns: it is valid as long as they are. One goroutine may use
// it at a time.
type Encoder struct {
	cols   []column
	fixed  []byte // zeros, the length of the fixed part
	header int
}

// column is one Arrow array opened for its type; only the slice of that type is set.
type column struct {
	kind      schema.Kind
	precision int
	valid     arrow.Array // nil when no cell is null

	bools  *array.Boolean
	i8     []int8
	i16    []int16
	i32    []int32
	i64    []int64
	f32    []float32
	f64    []float64
	dec    []decimal128.Num
	text   *array.String
	binary *array.Binary
}

// NewEncoder opens the columns, which are of the canonical Arrow types of
// types. Nested types are fault.ErrUnsupported, another Arrow type than the
// canonical one fault.ErrInvalid.
func NewEncoder(types []schema.Type, cols []arrow.Array) (*Encoder, error) {
	if len(types) != len(cols) {
		return nil, fault.Invalid(fmt.Sprintf("binary row: %d arrays for %d columns", len(cols), len(types)))
	}
	e := &Encoder{
		cols:   make([]column, len(types)),
		fixed:  make([]byte, fixedSize(len(types))),
		header: headerSize(len(types)),
	}
	for i, t := range types {
		c, err := openColumn(t, cols[i])
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i, err)
		}
		e.cols[i] = c
	}
	return e, nil
}

// Append appends the body of row to dst.
func (e *Encoder) Append(dst []byte, row int) []byte {
	base := len(dst)
	dst = append(dst, e.fixed...)
	for i := range e.cols {
		dst = e.cols[i].append(dst, base, e.header+slotSize*i, i, row)
	}
	return dst
}

func (c *column) append(dst []byte, base, at, i, row int) []byte {
	if c.valid != nil && c.valid.IsNull(row) {
		return c.appendNull(dst, base, at, i)
	}
	slot := dst[base+at : base+at+slotSize]
	switch c.kind {
	case schema.Boolean:
		if c.bools.Value(row) {
			slot[0] = 1
		}
	case schema.TinyInt:
		slot[0] = byte(c.i8[row])
	case schema.SmallInt:
		le.PutUint16(slot, uint16(c.i16[row]))
	case schema.Int, schema.Date, schema.Time:
		le.PutUint32(slot, uint32(c.i32[row]))
	case schema.BigInt:
		le.PutUint64(slot, uint64(c.i64[row]))
	case schema.Float:
		le.PutUint32(slot, floatBits(c.f32[row]))
	case schema.Double:
		le.PutUint64(slot, doubleBits(c.f64[row]))
	case schema.Decimal:
		if c.precision > compactDigit {
			return appendBigDecimal(dst, base, at, c.dec[row])
		}
		le.PutUint64(slot, c.dec[row].LowBits())
	case schema.Timestamp, schema.TimestampLTZ:
		return appendTimestamp(dst, base, at, c.precision, splitTimestamp(c.i64[row], c.precision))
	case schema.Char, schema.VarChar:
		return appendBytes(dst, base, at, c.text.Value(row))
	case schema.Binary, schema.VarBinary:
		return appendBytes(dst, base, at, c.binary.Value(row))
	}
	return dst
}

func (c *column) appendNull(dst []byte, base, at, i int) []byte {
	setNull(dst[base:], i)
	t := schema.Type{Kind: c.kind, Precision: c.precision}
	n := reserved(&t)
	if n == 0 {
		return dst
	}
	le.PutUint64(dst[base+at:], place(len(dst)-base, 0))
	return append(dst, zero16[:n]...)
}

var zero16 [16]byte

// splitTimestamp turns an Arrow timestamp of the canonical unit of a precision
// into milliseconds and the rest.
func splitTimestamp(v int64, precision int) schema.TimestampValue {
	switch {
	case precision == 0:
		return schema.TimestampValue{Millis: v * 1000}
	case precision <= 3:
		return schema.TimestampValue{Millis: v}
	case precision <= 6:
		millis, rest := floorDiv(v, 1000)
		return schema.TimestampValue{Millis: millis, Nanos: int32(rest) * 1000}
	}
	millis, rest := floorDiv(v, 1_000_000)
	return schema.TimestampValue{Millis: millis, Nanos: int32(rest)}
}

func floorDiv(a, b int64) (quotient, remainder int64) {
	quotient, remainder = a/b, a%b
	if remainder < 0 {
		quotient, remainder = quotient-1, remainder+b
	}
	return quotient, remainder
}

func openColumn(t schema.Type, arr arrow.Array) (column, error) {
	c := column{kind: t.Kind, precision: t.Precision}
	if arr.NullN() > 0 {
		c.valid = arr
	}
	ok := false
	switch t.Kind {
	case schema.Boolean:
		c.bools, ok = arr.(*array.Boolean)
	case schema.TinyInt:
		c.i8, ok = numbers[int8](arr)
	case schema.SmallInt:
		c.i16, ok = numbers[int16](arr)
	case schema.Int:
		c.i32, ok = numbers[int32](arr)
	case schema.Date:
		ok = openDate(&c, arr)
	case schema.Time:
		ok = openTime(&c, arr)
	case schema.BigInt:
		c.i64, ok = numbers[int64](arr)
	case schema.Float:
		c.f32, ok = numbers[float32](arr)
	case schema.Double:
		c.f64, ok = numbers[float64](arr)
	case schema.Decimal:
		var a *array.Decimal128
		if a, ok = arr.(*array.Decimal128); ok {
			c.dec = a.Values()
		}
	case schema.Timestamp, schema.TimestampLTZ:
		var err error
		if ok, err = openTimestamp(&c, arr); err != nil {
			return c, err
		}
	case schema.Char, schema.VarChar:
		c.text, ok = arr.(*array.String)
	case schema.Binary, schema.VarBinary:
		c.binary, ok = arr.(*array.Binary)
	default:
		return c, unsupportedType(t)
	}
	if !ok {
		return c, fault.Invalid(fmt.Sprintf("array of type %s for a column of type %s", arr.DataType(), kindName(t.Kind)))
	}
	return c, nil
}

// numbers opens an array of plain numbers; values of sliced arrays are already
// cut. The functions after it see Arrow's named integers as what they are.
func numbers[T int8 | int16 | int32 | int64 | float32 | float64](arr arrow.Array) ([]T, bool) {
	if a, ok := arr.(interface{ Values() []T }); ok {
		return a.Values(), true
	}
	return nil, false
}

func openDate(c *column, arr arrow.Array) bool {
	a, ok := arr.(*array.Date32)
	if ok {
		c.i32 = arrow.GetData[int32](arrow.GetBytes(a.Values()))
	}
	return ok
}

func openTime(c *column, arr arrow.Array) bool {
	a, ok := arr.(*array.Time32)
	if !ok || a.DataType().(*arrow.Time32Type).Unit != arrow.Millisecond {
		return false
	}
	c.i32 = arrow.GetData[int32](arrow.GetBytes(a.Values()))
	return true
}

func openTimestamp(c *column, arr arrow.Array) (bool, error) {
	a, ok := arr.(*array.Timestamp)
	if !ok || a.DataType().(*arrow.TimestampType).Unit != timestampUnit(c.precision) {
		return false, nil
	}
	c.i64 = arrow.GetData[int64](arrow.GetBytes(a.Values()))
	if c.precision > 0 {
		return true, nil
	}
	for row, seconds := range c.i64 { // rows hold milliseconds, which reach less far
		if (seconds > math.MaxInt64/1000 || seconds < math.MinInt64/1000) && !arr.IsNull(row) {
			return false, fault.Invalid(fmt.Sprintf("row %d: timestamp of %d s is out of range", row, seconds))
		}
	}
	return true, nil
}

// timestampUnit is the canonical Arrow unit of a precision.
func timestampUnit(precision int) arrow.TimeUnit {
	switch {
	case precision == 0:
		return arrow.Second
	case precision <= 3:
		return arrow.Millisecond
	case precision <= 6:
		return arrow.Microsecond
	}
	return arrow.Nanosecond
}
