package vector

import (
	"errors"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
)

// ErrTooLarge says that the selected cells do not fit in one Arrow array,
// whose offsets are 32 bits wide. Take fewer rows at a time.
var ErrTooLarge = errors.New("more than 2 GiB of values for one array")

// column gathers one type. Sources are set by number; what a column borrows
// from an array stays valid as long as the array.
type column interface {
	set(slot int, a arrow.Array)
	clear(slot int)
	take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error)
	nulls() *validity
}

// Gatherer copies cells of one column out of many sources. Sources are
// borrowed: whoever sets one keeps it alive until it is cleared or replaced.
// Take may run on different Gatherers at the same time, not on one.
type Gatherer struct {
	dt  arrow.DataType
	mem memory.Allocator
	col column
	src []arrow.Array
}

// NewGatherer returns a Gatherer of columns of type dt.
func NewGatherer(dt arrow.DataType, mem memory.Allocator) (*Gatherer, error) {
	col, err := newColumn(dt)
	if err != nil {
		return nil, err
	}
	return &Gatherer{dt: dt, mem: mem, col: col}, nil
}

// Set makes a the given source. Its type must be the Gatherer's.
func (g *Gatherer) Set(source int, a arrow.Array) error {
	if dt := a.DataType(); dt != g.dt && !arrow.TypeEqual(dt, g.dt) {
		return fault.Invalid("column of type " + dt.String() + " where " + g.dt.String() + " is needed")
	}
	for len(g.src) <= source {
		g.src = append(g.src, nil)
	}
	g.src[source] = a
	g.col.set(source, a)
	return nil
}

// Clear forgets a source.
func (g *Gatherer) Clear(source int) {
	if source < len(g.src) && g.src[source] != nil {
		g.src[source] = nil
		g.col.clear(source)
	}
}

// Reset forgets all sources.
func (g *Gatherer) Reset() {
	for i := range g.src {
		g.Clear(i)
	}
}

// Take returns the selected cells as a new array, or [ErrTooLarge]. One
// stretch of a single source is not copied but sliced.
func (g *Gatherer) Take(sel Selection) (arrow.Array, error) {
	if sel.allNull() {
		return array.MakeArrayOfNull(g.mem, g.dt, sel.Len()), nil
	}
	if len(sel.spans) == 1 {
		sp := sel.spans[0]
		row := int64(sp.first.Row())
		return array.NewSlice(g.src[sp.first.Source()], row, row+int64(sp.n)), nil
	}
	data, err := g.col.take(sel, g.mem)
	if err != nil {
		return nil, err
	}
	defer data.Release()
	return array.MakeFromData(data), nil
}

func newColumn(dt arrow.DataType) (column, error) {
	switch dt.ID() {
	case arrow.BOOL:
		return &boolColumn{dt: dt}, nil
	case arrow.INT8:
		return &fixedColumn[int8]{dt: dt, width: 1}, nil
	case arrow.INT16:
		return &fixedColumn[int16]{dt: dt, width: 2}, nil
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return &fixedColumn[int32]{dt: dt, width: 4}, nil
	case arrow.INT64, arrow.TIMESTAMP:
		return &fixedColumn[int64]{dt: dt, width: 8}, nil
	case arrow.FLOAT32:
		return &fixedColumn[float32]{dt: dt, width: 4}, nil
	case arrow.FLOAT64:
		return &fixedColumn[float64]{dt: dt, width: 8}, nil
	case arrow.DECIMAL128:
		return &fixedColumn[decimal128.Num]{dt: dt, width: 16}, nil
	case arrow.STRING, arrow.BINARY:
		return &bytesColumn{dt: dt}, nil
	case arrow.LIST, arrow.MAP:
		elem, err := newColumn(dt.(arrow.ListLikeType).Elem())
		if err != nil {
			return nil, err
		}
		return &listColumn{dt: dt, elem: elem}, nil
	case arrow.STRUCT:
		st := dt.(*arrow.StructType)
		c := &structColumn{dt: dt}
		for i := range st.NumFields() {
			child, err := newColumn(st.Field(i).Type)
			if err != nil {
				return nil, err
			}
			c.fields = append(c.fields, child)
		}
		return c, nil
	}
	return nil, fault.Invalid("column of Arrow type " + dt.String() + ": not a canonical type of any table column")
}

// setSlot stores v at slot of a list that grows as needed.
func setSlot[T any](list []T, slot int, v T) []T {
	var zero T
	for len(list) <= slot {
		list = append(list, zero)
	}
	list[slot] = v
	return list
}

func newBuffer(mem memory.Allocator, bytes int) *memory.Buffer {
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(bytes)
	return buf
}

// newData hands the buffers over to the data.
func newData(dt arrow.DataType, n, nulls int, children []arrow.ArrayData, buffers ...*memory.Buffer) arrow.ArrayData {
	data := array.NewData(dt, n, buffers, children, nulls, 0)
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

// MaxCells bounds the bytes or elements of one array; offsets are 32 bits
// wide. It is a variable for tests only.
var MaxCells = math.MaxInt32

func tooLarge(n int) bool { return n > MaxCells }
