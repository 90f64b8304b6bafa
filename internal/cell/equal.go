package cell

import (
	"bytes"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Equal tells whether cell i of a and cell j of b hold the same value, or are
// both null.
func Equal(a arrow.Array, i int, b arrow.Array, j int) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) && b.IsNull(j)
	}
	switch x := a.(type) {
	case *array.Boolean:
		return x.Value(i) == b.(*array.Boolean).Value(j)
	case *array.Int8:
		return x.Value(i) == b.(*array.Int8).Value(j)
	case *array.Int16:
		return x.Value(i) == b.(*array.Int16).Value(j)
	case *array.Int32:
		return x.Value(i) == b.(*array.Int32).Value(j)
	case *array.Int64:
		return x.Value(i) == b.(*array.Int64).Value(j)
	case *array.Float32:
		return floatBits(float64(x.Value(i))) == floatBits(float64(b.(*array.Float32).Value(j)))
	case *array.Float64:
		return floatBits(x.Value(i)) == floatBits(b.(*array.Float64).Value(j))
	case *array.Decimal128:
		return x.Value(i) == b.(*array.Decimal128).Value(j)
	case *array.Date32:
		return x.Value(i) == b.(*array.Date32).Value(j)
	case *array.Time32:
		return x.Value(i) == b.(*array.Time32).Value(j)
	case *array.Timestamp:
		return x.Value(i) == b.(*array.Timestamp).Value(j)
	case *array.String:
		return x.Value(i) == b.(*array.String).Value(j)
	case *array.Binary:
		return bytes.Equal(x.Value(i), b.(*array.Binary).Value(j))
	}
	return equalNested(a, i, b, j)
}

// floatBits makes all NaNs one value and tells -0 from 0.
func floatBits(v float64) uint64 {
	if v != v {
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(v)
}

func equalNested(a arrow.Array, i int, b arrow.Array, j int) bool {
	switch x := a.(type) {
	case *array.Struct:
		y := b.(*array.Struct)
		for f := range x.NumField() {
			if !Equal(x.Field(f), i, y.Field(f), j) {
				return false
			}
		}
		return true
	case *array.List:
		ea, from, to := Elements(x, i)
		eb, bfrom, bto := Elements(b.(*array.List), j)
		if to-from != bto-bfrom {
			return false
		}
		for k := range to - from {
			if !Equal(ea, from+k, eb, bfrom+k) {
				return false
			}
		}
		return true
	case *array.Map:
		return equalMaps(x, i, b.(*array.Map), j)
	}
	panic("cell: Arrow type " + a.DataType().String() + " is no column's type")
}

// equalMaps compares without regard to the order of entries.
func equalMaps(a *array.Map, i int, b *array.Map, j int) bool {
	ea, from, to := Elements(a, i)
	eb, bfrom, bto := Elements(b, j)
	if to-from != bto-bfrom {
		return false
	}
	for k := from; k < to; k++ {
		found := false
		for l := bfrom; l < bto && !found; l++ {
			found = Equal(ea, k, eb, l)
		}
		if !found {
			return false
		}
	}
	return true
}

// Elements is the range of elements of row i of a list or map: rows from up to
// but without to of the array. The elements of a map are its entries, a struct
// of key and value. A null row has none.
func Elements(l array.ListLike, i int) (elements arrow.Array, from, to int) {
	if l.IsNull(i) {
		return l.ListValues(), 0, 0
	}
	lo, hi := l.ValueOffsets(i)
	return l.ListValues(), int(lo), int(hi)
}
