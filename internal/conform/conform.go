// Package conform turns Arrow arrays that users bring into the one canonical
// Arrow type of a column: the same values in another layout.
//
//	large_utf8, utf8_view, dictionary ─┐
//	list named "item", other map names ─┼─► the type schema.ArrowType gives
//	narrower integers, other time units ┘
//
// A conversion is done only where every value survives it exactly; a value
// that does not is an error that names its row. Nothing is ever wrapped,
// rounded or cut.
package conform

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Array returns arr as type want. The result is a new reference that the
// caller releases; it shares arr's buffers where the layout allows. It is safe
// for concurrent use. Errors name the row (from 0) and the two types.
func Array(arr arrow.Array, want arrow.DataType, mem memory.Allocator) (arrow.Array, error) {
	have := arr.DataType()
	if identical(have, want) {
		arr.Retain()
		return arr, nil
	}
	switch a := arr.(type) {
	case array.ExtensionArray:
		return Array(a.Storage(), want, mem)
	case *array.Null:
		return array.MakeArrayOfNull(mem, want, arr.Len()), nil
	case *array.Dictionary:
		return dictionary(a, want, mem)
	}
	switch w := want.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		return bytesLike(arr, want, mem)
	case *arrow.ListType:
		return list(arr, w, mem)
	case *arrow.MapType:
		return mapOf(arr, w, mem)
	case *arrow.StructType:
		return structOf(arr, w, mem)
	case *arrow.Decimal128Type:
		return decimals(arr, w, mem)
	}
	return numbers(arr, want, mem)
}

// identical is type equality including child names, without field metadata.
func identical(a, b arrow.DataType) bool {
	if a.ID() != b.ID() {
		return false
	}
	switch x := a.(type) {
	case *arrow.ListType:
		y := b.(*arrow.ListType)
		return x.ElemField().Name == y.ElemField().Name && x.ElemField().Nullable == y.ElemField().Nullable && identical(x.Elem(), y.Elem())
	case *arrow.MapType:
		y := b.(*arrow.MapType)
		return x.KeyField().Name == y.KeyField().Name && x.ItemField().Name == y.ItemField().Name &&
			x.ItemField().Nullable == y.ItemField().Nullable &&
			identical(x.KeyType(), y.KeyType()) && identical(x.ItemType(), y.ItemType())
	case *arrow.StructType:
		y := b.(*arrow.StructType)
		if x.NumFields() != y.NumFields() {
			return false
		}
		for i := range x.NumFields() {
			if x.Field(i).Name != y.Field(i).Name || x.Field(i).Nullable != y.Field(i).Nullable || !identical(x.Field(i).Type, y.Field(i).Type) {
				return false
			}
		}
		return true
	}
	return arrow.TypeEqual(a, b)
}

func mismatch(have, want arrow.DataType) error {
	return fmt.Errorf("arrow type %s cannot hold the column's values as %s", have, want)
}

// dictionary expands codes into plain values by conforming the dictionary once.
func dictionary(a *array.Dictionary, want arrow.DataType, mem memory.Allocator) (arrow.Array, error) {
	values, err := Array(a.Dictionary(), want, mem)
	if err != nil {
		return nil, err
	}
	defer values.Release()
	b := array.NewBuilder(mem, want)
	defer b.Release()
	b.Reserve(a.Len())
	add, err := appender(b, values)
	if err != nil {
		return nil, err
	}
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		add(a.GetValueIndex(i))
	}
	return b.NewArray(), nil
}

// appender returns a typed copy of values' cell i to b.
func appender(b array.Builder, values arrow.Array) (func(i int), error) {
	orNull := func(add func(i int)) func(i int) {
		return func(i int) {
			if values.IsNull(i) {
				b.AppendNull()
				return
			}
			add(i)
		}
	}
	switch v := values.(type) {
	case *array.String:
		return orNull(func(i int) { b.(*array.StringBuilder).Append(v.Value(i)) }), nil
	case *array.Binary:
		return orNull(func(i int) { b.(*array.BinaryBuilder).Append(v.Value(i)) }), nil
	case *array.Int32:
		return orNull(func(i int) { b.(*array.Int32Builder).Append(v.Value(i)) }), nil
	case *array.Int64:
		return orNull(func(i int) { b.(*array.Int64Builder).Append(v.Value(i)) }), nil
	case *array.Float64:
		return orNull(func(i int) { b.(*array.Float64Builder).Append(v.Value(i)) }), nil
	case *array.Decimal128:
		return orNull(func(i int) { b.(*array.Decimal128Builder).Append(v.Value(i)) }), nil
	case *array.Date32:
		return orNull(func(i int) { b.(*array.Date32Builder).Append(v.Value(i)) }), nil
	case *array.Timestamp:
		return orNull(func(i int) { b.(*array.TimestampBuilder).Append(v.Value(i)) }), nil
	}
	return nil, fmt.Errorf("arrow dictionary of %s is not among the dictionaries read here; send the column plain", values.DataType())
}

type byteValues interface {
	arrow.Array
	Value(i int) string
}

type rawValues interface {
	arrow.Array
	Value(i int) []byte
}

// bytesLike copies any text or byte layout into utf8 or binary.
func bytesLike(arr arrow.Array, want arrow.DataType, mem memory.Allocator) (arrow.Array, error) {
	text := want.ID() == arrow.STRING
	var at func(i int) string
	switch a := arr.(type) {
	case byteValues: // string, large_string, string_view
		at = a.Value
	case rawValues:
		if text {
			return nil, mismatch(arr.DataType(), want)
		}
		at = func(i int) string { return string(a.Value(i)) }
	default:
		return nil, mismatch(arr.DataType(), want)
	}
	if text {
		b := array.NewStringBuilder(mem)
		defer b.Release()
		b.Reserve(arr.Len())
		for i := range arr.Len() {
			if arr.IsNull(i) {
				b.AppendNull()
			} else {
				b.Append(at(i))
			}
		}
		return b.NewArray(), nil
	}
	b := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
	defer b.Release()
	b.Reserve(arr.Len())
	for i := range arr.Len() {
		if arr.IsNull(i) {
			b.AppendNull()
		} else {
			b.AppendString(at(i))
		}
	}
	return b.NewArray(), nil
}
