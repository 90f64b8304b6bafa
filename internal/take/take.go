// Package take gathers rows of Arrow arrays by position.
//
//	rows      [4 0 0 2]
//	column    [a b c d e]  ──▶  [e a a c]
//
// Rows that are consecutive (i, i+1, i+2, …) come out as a slice that shares
// the column's memory; all others are copied by one typed loop a column, into
// buffers of the allocator. Nested columns are gathered level by level: the
// rows of a list become the rows of its elements.
//
// The functions are pure and safe for concurrent use. The caller releases what
// they return.
package take

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
)

// Record gathers the given rows of every column of rec, in the order given; a
// row may be given more than once. Every row lies in 0..NumRows-1. A nil alloc
// is memory.DefaultAllocator. The error is ErrUnsupported for an Arrow type
// that no Paimon type maps to, or ErrInvalid when a gathered text column would
// pass two gigabytes.
func Record(rec arrow.RecordBatch, rows []int32, alloc memory.Allocator) (arrow.RecordBatch, error) {
	if lo, ok := consecutive(rows); ok {
		return rec.NewSlice(lo, lo+int64(len(rows))), nil
	}
	cols := make([]arrow.Array, 0, rec.NumCols())
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for _, col := range rec.Columns() {
		out, err := Array(col, rows, alloc)
		if err != nil {
			return nil, err
		}
		cols = append(cols, out)
	}
	return array.NewRecordBatch(rec.Schema(), cols, int64(len(rows))), nil
}

// Array is Record for one array.
func Array(arr arrow.Array, rows []int32, alloc memory.Allocator) (arrow.Array, error) {
	if alloc == nil {
		alloc = memory.DefaultAllocator
	}
	if lo, ok := consecutive(rows); ok {
		return array.NewSlice(arr, lo, lo+int64(len(rows))), nil
	}
	g := gatherer{alloc: alloc, rows: rows}
	defer g.release()
	data, err := g.gather(arr)
	if err != nil {
		return nil, err
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

// consecutive tells whether rows count up by one, and from where.
func consecutive(rows []int32) (int64, bool) {
	if len(rows) == 0 {
		return 0, true
	}
	first := rows[0]
	if int(rows[len(rows)-1]-first) != len(rows)-1 { // the common case of scattered rows
		return 0, false
	}
	for i, r := range rows {
		if r != first+int32(i) {
			return 0, false
		}
	}
	return int64(first), true
}

// gatherer gathers one array and owns the buffers made on the way.
type gatherer struct {
	alloc   memory.Allocator
	rows    []int32
	buffers []*memory.Buffer
}

func (g *gatherer) release() {
	for _, b := range g.buffers {
		b.Release()
	}
}

// buffer returns n fresh bytes; Arrow pads them to 64.
func (g *gatherer) buffer(n int) *memory.Buffer {
	b := memory.NewResizableBuffer(g.alloc)
	b.Resize(n)
	g.buffers = append(g.buffers, b)
	return b
}

// validity gathers the null bitmap: nil when no gathered row is null.
func (g *gatherer) validity(arr arrow.Array) (*memory.Buffer, int) {
	if arr.NullN() == 0 || arr.DataType().ID() == arrow.NULL {
		return nil, 0
	}
	src, offset := arr.NullBitmapBytes(), arr.Data().Offset()
	buf := g.buffer((len(g.rows) + 7) / 8)
	set := gatherBits(buf.Bytes(), src, offset, g.rows)
	return buf, len(g.rows) - set
}

// gatherBits writes whole bytes of gathered bits and counts those that are set.
func gatherBits(dst, src []byte, offset int, rows []int32) (set int) {
	for len(rows) > 0 {
		n := min(8, len(rows))
		var b byte
		for j, r := range rows[:n] {
			at := offset + int(r)
			bit := src[at>>3] >> (at & 7) & 1
			b |= bit << j
			set += int(bit)
		}
		dst[0], dst, rows = b, dst[1:], rows[n:]
	}
	return set
}

func (g *gatherer) gather(arr arrow.Array) (arrow.ArrayData, error) {
	valid, nulls := g.validity(arr)
	switch a := arr.(type) {
	case *array.Boolean:
		buf := g.buffer((len(g.rows) + 7) / 8)
		gatherBits(buf.Bytes(), a.Data().Buffers()[1].Bytes(), a.Data().Offset(), g.rows)
		return g.data(arr, nulls, nil, valid, buf), nil
	case *array.String:
		return g.variable(arr, a.ValueOffsets(), a.Data().Buffers()[2], valid, nulls)
	case *array.Binary:
		return g.variable(arr, a.ValueOffsets(), a.Data().Buffers()[2], valid, nulls)
	case *array.List:
		return g.list(arr, a, valid, nulls)
	case *array.Map:
		return g.list(arr, a, valid, nulls)
	case *array.Struct:
		return g.fields(a, valid, nulls)
	case *array.Null:
		return array.NewData(arr.DataType(), len(g.rows), []*memory.Buffer{nil}, nil, len(g.rows), 0), nil
	}
	if fixed, ok := arr.DataType().(arrow.FixedWidthDataType); ok && arr.DataType().ID() != arrow.DICTIONARY {
		return g.fixed(arr, fixed, valid, nulls)
	}
	return nil, fault.Unsupported("gathering rows of Arrow type "+arr.DataType().String(), "cast the column to the Arrow type of its table type")
}

func (g *gatherer) data(arr arrow.Array, nulls int, children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.ArrayData {
	return array.NewData(arr.DataType(), len(g.rows), buffers, children, nulls, 0)
}

func (g *gatherer) fixed(arr arrow.Array, dt arrow.FixedWidthDataType, valid *memory.Buffer, nulls int) (arrow.ArrayData, error) {
	width := dt.Bytes()
	src := arr.Data().Buffers()[1].Bytes()[arr.Data().Offset()*width:]
	buf := g.buffer(len(g.rows) * width)
	dst := buf.Bytes()
	switch width {
	case 1:
		gatherValues(dst, src, g.rows)
	case 2:
		gatherValues(arrow.Uint16Traits.CastFromBytes(dst), arrow.Uint16Traits.CastFromBytes(src), g.rows)
	case 4:
		gatherValues(arrow.Uint32Traits.CastFromBytes(dst), arrow.Uint32Traits.CastFromBytes(src), g.rows)
	case 8:
		gatherValues(arrow.Uint64Traits.CastFromBytes(dst), arrow.Uint64Traits.CastFromBytes(src), g.rows)
	case 16:
		gatherValues(arrow.Decimal128Traits.CastFromBytes(dst), arrow.Decimal128Traits.CastFromBytes(src), g.rows)
	default:
		for i, r := range g.rows {
			copy(dst[i*width:(i+1)*width], src[int(r)*width:])
		}
	}
	return g.data(arr, nulls, nil, valid, buf), nil
}

func gatherValues[T any](dst, src []T, rows []int32) {
	dst = dst[:len(rows)]
	for i, r := range rows {
		dst[i] = src[r]
	}
}

// variable gathers texts: first their new offsets, then their bytes.
func (g *gatherer) variable(arr arrow.Array, offsets []int32, values, valid *memory.Buffer, nulls int) (arrow.ArrayData, error) {
	out := g.buffer((len(g.rows) + 1) * arrow.Int32SizeBytes)
	starts := arrow.Int32Traits.CastFromBytes(out.Bytes())
	total, err := gatherOffsets(starts, offsets, g.rows)
	if err != nil {
		return nil, err
	}
	buf := g.buffer(total)
	if values != nil { // nil when every text is empty
		dst, src := buf.Bytes(), values.Bytes()
		for i, r := range g.rows {
			copy(dst[starts[i]:starts[i+1]], src[offsets[r]:offsets[r+1]])
		}
	}
	return g.data(arr, nulls, nil, valid, out, buf), nil
}

// gatherOffsets writes the offsets of the gathered rows and returns the last one.
func gatherOffsets(dst, offsets, rows []int32) (int, error) {
	total := int64(0)
	dst[0] = 0
	for i, r := range rows {
		total += int64(offsets[r+1] - offsets[r])
		if total > math.MaxInt32 {
			return 0, fault.Invalid("the gathered rows of a column exceed two gigabytes; use smaller batches")
		}
		dst[i+1] = int32(total)
	}
	return int(total), nil
}

// list gathers a list or a map: its offsets, and by them the rows of its elements.
func (g *gatherer) list(arr arrow.Array, l array.ListLike, valid *memory.Buffer, nulls int) (arrow.ArrayData, error) {
	var offsets []int32
	if buf := arr.Data().Buffers()[1]; arr.Len() > 0 {
		offsets = arrow.Int32Traits.CastFromBytes(buf.Bytes())[arr.Data().Offset():]
	}
	out := g.buffer((len(g.rows) + 1) * arrow.Int32SizeBytes)
	total, err := gatherOffsets(arrow.Int32Traits.CastFromBytes(out.Bytes()), offsets, g.rows)
	if err != nil {
		return nil, err
	}
	elements := make([]int32, 0, total)
	for _, r := range g.rows {
		for e := offsets[r]; e < offsets[r+1]; e++ {
			elements = append(elements, e)
		}
	}
	child, err := Array(l.ListValues(), elements, g.alloc)
	if err != nil {
		return nil, err
	}
	defer child.Release()
	if s, ok := child.(*array.Struct); ok && arr.DataType().ID() == arrow.MAP {
		entries := wholeEntries(s)
		defer entries.Release()
		return g.data(arr, nulls, []arrow.ArrayData{entries}, valid, out), nil
	}
	return g.data(arr, nulls, []arrow.ArrayData{child.Data()}, valid, out), nil
}

// wholeEntries moves the slice of a map's entries down to their members: the
// keys and items that array.Map offers ignore where a slice of entries begins.
func wholeEntries(s *array.Struct) arrow.ArrayData {
	return array.NewData(s.DataType(), s.Len(), []*memory.Buffer{nil}, []arrow.ArrayData{s.Field(0).Data(), s.Field(1).Data()}, 0, 0)
}

// fields gathers the members of a struct.
func (g *gatherer) fields(s *array.Struct, valid *memory.Buffer, nulls int) (arrow.ArrayData, error) {
	children := make([]arrow.ArrayData, 0, s.NumField())
	defer func() {
		for _, c := range children {
			c.Release()
		}
	}()
	for i := range s.NumField() {
		child, err := Array(s.Field(i), g.rows, g.alloc)
		if err != nil {
			return nil, err
		}
		child.Data().Retain()
		children = append(children, child.Data())
		child.Release()
	}
	return g.data(s, nulls, children, valid), nil
}
