package conform

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// list relabels a list's child, and rewrites the offsets of large and fixed-size lists.
func list(arr arrow.Array, want *arrow.ListType, mem memory.Allocator) (arrow.Array, error) {
	var values arrow.Array
	var bounds func(i int) (int64, int64)
	switch a := arr.(type) {
	case *array.List:
		elems, err := Array(a.ListValues(), want.Elem(), mem)
		if err != nil {
			return nil, fmt.Errorf("element: %w", err)
		}
		defer elems.Release()
		return relabel(arr, want, elems), nil
	case *array.LargeList:
		values, bounds = a.ListValues(), a.ValueOffsets
	case *array.FixedSizeList:
		values, bounds = a.ListValues(), a.ValueOffsets
	default:
		return nil, mismatch(arr.DataType(), want)
	}
	elems, err := Array(values, want.Elem(), mem)
	if err != nil {
		return nil, fmt.Errorf("element: %w", err)
	}
	defer elems.Release()
	return listFromBounds(arr, want, elems, bounds)
}

// listFromBounds builds a 32-bit list whose child rows lie one list after the other.
func listFromBounds(arr arrow.Array, want *arrow.ListType, elems arrow.Array, bounds func(i int) (int64, int64)) (arrow.Array, error) {
	offsets := make([]int32, arr.Len()+1)
	for i := range arr.Len() {
		from, to := bounds(i)
		if to > math.MaxInt32 {
			return nil, fmt.Errorf("row %d: a batch's lists hold more than %d elements; send smaller batches", i, math.MaxInt32)
		}
		if i == 0 {
			offsets[0] = int32(from)
		}
		offsets[i+1] = int32(to)
	}
	buf := memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(offsets))
	valid, nulls := validity(arr)
	data := array.NewData(want, arr.Len(), []*memory.Buffer{valid, buf}, []arrow.ArrayData{elems.Data()}, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

// validity returns arr's null bitmap with bit 0 at row 0.
func validity(arr arrow.Array) (*memory.Buffer, int) {
	if arr.NullN() == 0 {
		return nil, 0
	}
	bits := make([]byte, (arr.Len()+7)/8)
	for i := range arr.Len() {
		if arr.IsValid(i) {
			bits[i>>3] |= 1 << (i & 7)
		}
	}
	return memory.NewBufferBytes(bits), arr.NullN()
}

// relabel keeps arr's own buffers and swaps its type and children.
func relabel(arr arrow.Array, want arrow.DataType, children ...arrow.Array) arrow.Array {
	d := arr.Data()
	kids := make([]arrow.ArrayData, len(children))
	for i, c := range children {
		kids[i] = c.Data()
	}
	data := array.NewData(want, d.Len(), d.Buffers(), kids, d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data)
}

// mapOf relabels the entries of a map and conforms its keys and items.
func mapOf(arr arrow.Array, want *arrow.MapType, mem memory.Allocator) (arrow.Array, error) {
	a, ok := arr.(*array.Map)
	if !ok {
		return nil, mismatch(arr.DataType(), want)
	}
	// Not Keys and Items, which do not see where a slice of entries begins.
	old := a.ListValues().(*array.Struct)
	keys, err := Array(old.Field(0), want.KeyType(), mem)
	if err != nil {
		return nil, fmt.Errorf("map key: %w", err)
	}
	defer keys.Release()
	items, err := Array(old.Field(1), want.ItemType(), mem)
	if err != nil {
		return nil, fmt.Errorf("map value: %w", err)
	}
	defer items.Release()
	kids := []arrow.ArrayData{keys.Data(), items.Data()}
	entries := array.NewData(want.Elem(), keys.Len(), []*memory.Buffer{nil}, kids, 0, 0)
	defer entries.Release()
	d := a.Data()
	data := array.NewData(want, d.Len(), d.Buffers(), []arrow.ArrayData{entries}, d.NullN(), d.Offset())
	defer data.Release()
	return array.MakeFromData(data), nil
}

// structOf matches members by name; a member that is absent is null where it may be.
func structOf(arr arrow.Array, want *arrow.StructType, mem memory.Allocator) (arrow.Array, error) {
	a, ok := arr.(*array.Struct)
	if !ok {
		return nil, mismatch(arr.DataType(), want)
	}
	have := a.DataType().(*arrow.StructType)
	for i := range have.NumFields() {
		if _, ok := want.FieldIdx(have.Field(i).Name); !ok {
			return nil, fmt.Errorf("member %q is not part of the column's ROW type", have.Field(i).Name)
		}
	}
	kids := make([]arrow.ArrayData, want.NumFields())
	for i := range want.NumFields() {
		f := want.Field(i)
		member, err := memberOf(a, have, f, mem)
		if err != nil {
			return nil, err
		}
		defer member.Release()
		kids[i] = member.Data()
	}
	valid, nulls := validity(a)
	data := array.NewData(want, a.Len(), []*memory.Buffer{valid}, kids, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

func memberOf(a *array.Struct, have *arrow.StructType, f arrow.Field, mem memory.Allocator) (arrow.Array, error) {
	i, ok := have.FieldIdx(f.Name)
	if !ok {
		if !f.Nullable {
			return nil, fmt.Errorf("member %q is missing and may not be null", f.Name)
		}
		return array.MakeArrayOfNull(mem, f.Type, a.Len()), nil
	}
	member, err := Array(a.Field(i), f.Type, mem)
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", f.Name, err)
	}
	return member, nil
}
