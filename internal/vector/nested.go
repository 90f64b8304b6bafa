package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// listColumn gathers lists and maps, which are lists of key-value structs:
// the elements of the selected rows are a selection of their own.
type listColumn struct {
	dt    arrow.DataType
	elem  column
	offs  [][]int32
	valid validity
}

func (c *listColumn) set(slot int, a arrow.Array) {
	offs := make([]int32, 1)
	if a.Len() > 0 {
		offs = arrow.GetOffsets[int32](a.Data(), 1)
	}
	c.offs = setSlot(c.offs, slot, offs)
	c.valid.set(slot, a)
	c.elem.set(slot, a.(array.ListLike).ListValues())
}

func (c *listColumn) clear(slot int) {
	c.offs[slot] = nil
	c.valid.clear(slot)
	c.elem.clear(slot)
}

func (c *listColumn) nulls() *validity { return &c.valid }

func (c *listColumn) take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error) {
	n := sel.Len()
	total := 0
	for i, r := range sel.refs {
		if sel.isNull(i) {
			continue
		}
		offs, row := c.offs[r.Source()], r.Row()
		total += int(offs[row+1] - offs[row])
		if tooLarge(total) {
			return nil, ErrTooLarge
		}
	}
	out := make([]int32, n+1)
	elems := make([]Ref, 0, total)
	for i, r := range sel.refs {
		// A null list may still point at elements: it becomes empty.
		if !sel.isNull(i) && !c.valid.isNull(r) {
			offs, row := c.offs[r.Source()], r.Row()
			first := MakeRef(r.Source(), int(offs[row]))
			for e := range Ref(offs[row+1] - offs[row]) {
				elems = append(elems, first+e)
			}
		}
		out[i+1] = int32(len(elems))
	}
	child, err := c.elem.take(Select(elems), mem)
	if err != nil {
		return nil, err
	}
	offBuf := newBuffer(mem, (n+1)*4)
	copy(arrow.GetData[int32](offBuf.Bytes()), out)
	valid, nulls := c.valid.take(sel, mem)
	return newData(c.dt, n, nulls, []arrow.ArrayData{child}, valid, offBuf), nil
}

// structColumn gathers each member with the same selection.
type structColumn struct {
	dt     arrow.DataType
	fields []column
	valid  validity
}

func (c *structColumn) set(slot int, a arrow.Array) {
	s := a.(*array.Struct)
	for i, f := range c.fields {
		f.set(slot, s.Field(i))
	}
	c.valid.set(slot, a)
}

func (c *structColumn) clear(slot int) {
	for _, f := range c.fields {
		f.clear(slot)
	}
	c.valid.clear(slot)
}

func (c *structColumn) nulls() *validity { return &c.valid }

func (c *structColumn) take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error) {
	children := make([]arrow.ArrayData, 0, len(c.fields))
	for _, f := range c.fields {
		child, err := f.take(sel, mem)
		if err != nil {
			for _, d := range children {
				d.Release()
			}
			return nil, err
		}
		children = append(children, child)
	}
	valid, nulls := c.valid.take(sel, mem)
	return newData(c.dt, sel.Len(), nulls, children, valid), nil
}
