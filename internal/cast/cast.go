// Package cast turns columns of one type into columns of another, as Paimon
// does when it reads a file through a schema in which the type was altered.
//
//	the type in the file ──► New(from, to, zone) ──► Func ──► whole Arrow columns
//
// The results are Paimon's to the bit, odd ones included: whole numbers wrap,
// floating-point numbers saturate, a DECIMAL that does not fit becomes null,
// texts are cut and padded to their length, a TIMESTAMP before 1970 becomes a
// DATE by rounding towards 1970. A text that is no value of the type it is cast
// to is an error. The matrix of what casts at all is schema.SupportsCast.
//
// Nested types cast to text only; what is inside them is cast by whoever takes
// them apart.
package cast

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Func casts a column, which it borrows; the result is the caller's to release.
// It is safe for concurrent use. Errors name the value and the type.
type Func func(col arrow.Array, mem memory.Allocator) (arrow.Array, error)

// New is the cast from one type to another. Zone is the session's, for what
// lies between TIMESTAMP_LTZ and types without a zone. Types that do not cast
// are ErrUnsupported.
func New(from, to schema.Type, zone *time.Location) (Func, error) {
	if !schema.SupportsCast(from, to, true) {
		return nil, fault.Unsupported(fmt.Sprintf("reading values written as %s through type %s", from, to),
			"Paimon has no cast between them either; read the snapshots before the type change by id")
	}
	if zone == nil {
		zone = time.UTC
	}
	c := caster{from: from, to: to, zone: zone}
	return func(col arrow.Array, mem memory.Allocator) (arrow.Array, error) {
		if from.EqualIgnoringNullability(to) {
			col.Retain()
			return col, nil
		}
		return c.cast(col, mem)
	}, nil
}

type caster struct {
	from, to schema.Type
	zone     *time.Location
}

func (c caster) cast(col arrow.Array, mem memory.Allocator) (arrow.Array, error) {
	switch c.to.Kind {
	case schema.Boolean:
		b := array.NewBooleanBuilder(mem)
		return fill(col, b, b.Append, c.toBool(col))
	case schema.TinyInt:
		b := array.NewInt8Builder(mem)
		return fill(col, b, b.Append, toInteger[int8](c, col))
	case schema.SmallInt:
		b := array.NewInt16Builder(mem)
		return fill(col, b, b.Append, toInteger[int16](c, col))
	case schema.Int:
		b := array.NewInt32Builder(mem)
		return fill(col, b, b.Append, toInteger[int32](c, col))
	case schema.BigInt:
		b := array.NewInt64Builder(mem)
		return fill(col, b, b.Append, toInteger[int64](c, col))
	case schema.Float:
		b := array.NewFloat32Builder(mem)
		return fill(col, b, b.Append, toFloat[float32](c, col))
	case schema.Double:
		b := array.NewFloat64Builder(mem)
		return fill(col, b, b.Append, toFloat[float64](c, col))
	case schema.Decimal:
		b := array.NewDecimal128Builder(mem, &arrow.Decimal128Type{Precision: int32(c.to.Precision), Scale: int32(c.to.Scale)})
		return fill(col, b, b.Append, c.toDecimal(col))
	case schema.Date:
		b := array.NewDate32Builder(mem)
		return fill(col, b, b.Append, c.toDate(col))
	case schema.Time:
		b := array.NewTime32Builder(mem, &arrow.Time32Type{Unit: arrow.Millisecond})
		return fill(col, b, b.Append, c.toTime(col))
	case schema.Timestamp, schema.TimestampLTZ:
		typ, err := schema.ArrowField(schema.Field{Name: "t", Type: c.to})
		if err != nil {
			return nil, err
		}
		b := array.NewTimestampBuilder(mem, typ.Type.(*arrow.TimestampType))
		return fill(col, b, b.Append, c.toTimestamp(col))
	case schema.Binary, schema.VarBinary:
		b := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
		return fill(col, b, b.Append, c.toBytes(col))
	}
	b := array.NewStringBuilder(mem)
	return fill(col, b, b.BinaryBuilder.Append, c.toText(col))
}

// verdict is what becomes of one value.
type verdict uint8

const (
	value  verdict = iota
	null           // it does not fit and becomes null
	refuse         // it is no value of the type: an error
)

// fill casts every value of col that is not null.
func fill[T any](col arrow.Array, b array.Builder, put func(T), at func(i int) (T, verdict)) (arrow.Array, error) {
	defer b.Release()
	b.Reserve(col.Len())
	for i := range col.Len() {
		if col.IsNull(i) {
			b.AppendNull()
			continue
		}
		switch v, how := at(i); how {
		case value:
			put(v)
		case null:
			b.AppendNull()
		default:
			return nil, fault.Invalid(fmt.Sprintf("value %s of a row written before cannot be read as the type it was altered to; alter it back", shown(col, i)))
		}
	}
	return b.NewArray(), nil
}

func shown(col arrow.Array, i int) string {
	text := fmt.Sprintf("%q", col.ValueStr(i))
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return text
}
