package schema

// Values of metadata (partitions, keys, statistics, literals) are held as any
// in one canonical Go type each, nil for null:
//
//	BOOLEAN bool · TINYINT int8 · SMALLINT int16 · INT, DATE (days), TIME (millis) int32 · BIGINT int64
//	FLOAT float32 · DOUBLE float64 · CHAR, VARCHAR string · BINARY, VARBINARY []byte
//	DECIMAL decimal128.Num · TIMESTAMP, TIMESTAMP_LTZ TimestampValue
//
// Bulk data never takes this form.

import (
	"bytes"
	"cmp"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Compare orders two metadata values of type t the way keys are ordered: null
// first, then by value; strings and binaries by unsigned bytes, false before
// true, NaN after every other number and equal to itself, −0 equal to 0. Nested
// types have no order and compare equal, and so do values that are not in the
// canonical Go type.
func Compare(t Type, a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(boolInt(a != nil), boolInt(b != nil))
	}
	switch t.Kind {
	case Boolean:
		x, y := pair[bool](a, b)
		return cmp.Compare(boolInt(x), boolInt(y))
	case TinyInt:
		return compareAs[int8](a, b)
	case SmallInt:
		return compareAs[int16](a, b)
	case Int, Date, Time:
		return compareAs[int32](a, b)
	case BigInt:
		return compareAs[int64](a, b)
	case Float:
		return compareFloats(pair[float32](a, b))
	case Double:
		return compareFloats(pair[float64](a, b))
	case Char, VarChar:
		return compareAs[string](a, b)
	case Binary, VarBinary:
		return bytes.Compare(pair[[]byte](a, b))
	case Decimal:
		x, y := pair[decimal128.Num](a, b)
		return x.Cmp(y)
	case Timestamp, TimestampLTZ:
		x, y := pair[TimestampValue](a, b)
		return cmp.Or(cmp.Compare(x.Millis, y.Millis), cmp.Compare(x.Nanos, y.Nanos))
	}
	return 0
}

func pair[T any](a, b any) (T, T) {
	x, okX := a.(T)
	y, okY := b.(T)
	if !okX || !okY {
		var zero T
		return zero, zero
	}
	return x, y
}

func compareAs[T cmp.Ordered](a, b any) int {
	x, y := pair[T](a, b)
	return cmp.Compare(x, y)
}

// compareFloats puts NaN last, where cmp.Compare would put it first.
func compareFloats[T float32 | float64](x, y T) int {
	if nx, ny := x != x, y != y; nx || ny {
		return cmp.Compare(boolInt(nx), boolInt(ny))
	}
	return cmp.Compare(x, y)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
