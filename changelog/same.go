package changelog

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/cell"
)

// Same tells whether cell i of a and cell j of b, of one column, count as equal
// where updates that change nothing are left out. It is the equality of the
// code that real Paimon generates for that, which finds a difference where
// there is none:
//
//   - a NaN equals nothing; -0 equals 0
//   - lists with a null in them equal nothing, unless both were looked up (packed)
//   - maps with a null value equal nothing, nor do those with a key of bytes
//   - values of maps that are numbers, dates or times are equal only where Java
//     has one object for all of a value: for whole numbers from -128 to 127
//
// An update too many does no harm to who follows a table; one that Paimon tells
// and we do not would let two followers of equal tables differ.
func Same(a arrow.Array, i int, b arrow.Array, j int, packed bool) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) && b.IsNull(j)
	}
	switch x := a.(type) {
	case *array.Float32:
		return x.Value(i) == b.(*array.Float32).Value(j)
	case *array.Float64:
		return x.Value(i) == b.(*array.Float64).Value(j)
	case *array.Struct:
		for f := range x.NumField() {
			if !Same(x.Field(f), i, b.(*array.Struct).Field(f), j, packed) {
				return false
			}
		}
		return true
	case *array.List:
		return packed && cell.Equal(a, i, b, j) || !packed && sameLists(x, i, b.(*array.List), j)
	case *array.Map:
		return sameMaps(x, i, b.(*array.Map), j, packed)
	}
	return cell.Equal(a, i, b, j)
}

func sameLists(a *array.List, i int, b *array.List, j int) bool {
	x, from, to := cell.Elements(a, i)
	y, at, end := cell.Elements(b, j)
	if to-from != end-at {
		return false
	}
	for k := from; k < to; k++ {
		if x.IsNull(k) || !Same(x, k, y, at+k-from, false) {
			return false
		}
	}
	return true
}

func sameMaps(a *array.Map, i int, b *array.Map, j int, packed bool) bool {
	x, from, to := cell.Elements(a, i)
	y, at, end := cell.Elements(b, j)
	if to-from != end-at {
		return false
	}
	for k := from; k < to; k++ {
		if !hasEntry(y.(*array.Struct), at, end, x.(*array.Struct), k, packed) {
			return false
		}
	}
	return true
}

// hasEntry finds entry k of x among some entries of a map.
func hasEntry(entries *array.Struct, from, to int, x *array.Struct, k int, packed bool) bool {
	key, value := x.Field(0), x.Field(1)
	if _, bytes := key.(*array.Binary); bytes || value.IsNull(k) || !oneObject(value, k) {
		return false
	}
	for l := from; l < to; l++ {
		if cell.Equal(key, k, entries.Field(0), l) {
			return !entries.Field(1).IsNull(l) && Same(value, k, entries.Field(1), l, packed)
		}
	}
	return false
}

// oneObject tells that Java compares such a value by what it is, or has one
// object for all that are equal to it.
func oneObject(a arrow.Array, i int) bool {
	var n int64
	switch x := a.(type) {
	case *array.Float32, *array.Float64:
		return false
	case *array.Int16:
		n = int64(x.Value(i))
	case *array.Int32:
		n = int64(x.Value(i))
	case *array.Int64:
		n = x.Value(i)
	case *array.Date32:
		n = int64(x.Value(i))
	case *array.Time32:
		n = int64(x.Value(i))
	}
	return n >= -128 && n <= 127
}
