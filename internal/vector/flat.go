package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// fixedColumn gathers cells of a fixed width. T is a type of that width, not
// always the column's own: only bits are moved.
type fixedColumn[T arrow.FixedWidthType] struct {
	dt    arrow.DataType
	width int
	vals  [][]T
	valid validity
}

func (c *fixedColumn[T]) set(slot int, a arrow.Array) {
	c.vals = setSlot(c.vals, slot, arrow.GetValues[T](a.Data(), 1))
	c.valid.set(slot, a)
}

func (c *fixedColumn[T]) clear(slot int) {
	c.vals[slot] = nil
	c.valid.clear(slot)
}

func (c *fixedColumn[T]) take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error) {
	n := sel.Len()
	buf := newBuffer(mem, n*c.width)
	out := arrow.GetData[T](buf.Bytes())
	if sel.spans != nil {
		for _, sp := range sel.spans {
			row := sp.first.Row()
			copy(out, c.vals[sp.first.Source()][row:row+sp.n])
			out = out[sp.n:]
		}
	} else {
		vals := c.vals
		for i, r := range sel.refs[:len(out)] {
			out[i] = vals[r>>32][uint32(r)]
		}
	}
	valid, nulls := c.valid.take(sel, mem)
	return newData(c.dt, n, nulls, nil, valid, buf), nil
}

// boolColumn gathers booleans, which Arrow keeps as bits.
type boolColumn struct {
	dt    arrow.DataType
	vals  bitColumn
	valid validity
}

func (c *boolColumn) set(slot int, a arrow.Array) {
	c.vals.grow(slot)
	src := bitSource{off: a.Data().Offset(), bits: []byte{}}
	if buf := a.Data().Buffers()[1]; buf != nil {
		src.bits = buf.Bytes()
	}
	c.vals.src[slot] = src
	c.valid.set(slot, a)
}

func (c *boolColumn) clear(slot int) {
	c.vals.src[slot] = bitSource{}
	c.valid.clear(slot)
}

func (c *boolColumn) take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error) {
	buf, _ := c.vals.take(sel, mem)
	valid, nulls := c.valid.take(sel, mem)
	return newData(c.dt, sel.Len(), nulls, nil, valid, buf), nil
}

// bytesColumn gathers strings and binaries.
type bytesColumn struct {
	dt    arrow.DataType
	src   []bytesSource
	valid validity
}

// bytesSource holds one offset more than rows; they point into data.
type bytesSource struct {
	offs []int32
	data []byte
}

func newBytesSource(a arrow.Array) bytesSource {
	bufs := a.Data().Buffers()
	if a.Len() == 0 || bufs[1] == nil {
		return bytesSource{offs: make([]int32, a.Len()+1)}
	}
	s := bytesSource{offs: arrow.GetOffsets[int32](a.Data(), 1)}
	if bufs[2] != nil {
		s.data = bufs[2].Bytes()
	}
	return s
}

func (c *bytesColumn) set(slot int, a arrow.Array) {
	c.src = setSlot(c.src, slot, newBytesSource(a))
	c.valid.set(slot, a)
}

func (c *bytesColumn) clear(slot int) {
	c.src[slot] = bytesSource{}
	c.valid.clear(slot)
}

func (c *bytesColumn) take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error) {
	n := sel.Len()
	total := c.size(sel)
	if tooLarge(total) {
		return nil, ErrTooLarge
	}
	offBuf := newBuffer(mem, (n+1)*4)
	dataBuf := newBuffer(mem, total)
	offs, data := arrow.GetData[int32](offBuf.Bytes()), dataBuf.Bytes()
	if sel.spans != nil {
		c.takeSpans(sel.spans, offs, data)
	} else {
		c.takeRefs(sel.refs, offs, data)
	}
	valid, nulls := c.valid.take(sel, mem)
	return newData(c.dt, n, nulls, nil, valid, offBuf, dataBuf), nil
}

func (c *bytesColumn) size(sel Selection) int {
	total := 0
	if sel.spans != nil {
		for _, sp := range sel.spans {
			offs, row := c.src[sp.first.Source()].offs, sp.first.Row()
			total += int(offs[row+sp.n] - offs[row])
		}
		return total
	}
	src := c.src
	for _, r := range sel.refs {
		offs, row := src[r>>32].offs, int(uint32(r))
		total += int(offs[row+1] - offs[row])
	}
	return total
}

// takeRefs copies cells in steps of 16 bytes where both sides have the room:
// most strings of tables are short, and a call of copy costs more than their
// bytes. Bytes beyond a cell are overwritten by the next one.
func (c *bytesColumn) takeRefs(refs []Ref, offs []int32, data []byte) {
	src := c.src
	at := 0
	offs[0] = 0
	for i, r := range refs {
		s := &src[r>>32]
		row := int(uint32(r))
		start, end := int(s.offs[row]), int(s.offs[row+1])
		n := end - start
		if n <= 16 && start+16 <= len(s.data) && at+16 <= len(data) {
			*(*[16]byte)(data[at:]) = *(*[16]byte)(s.data[start:])
		} else {
			copy(data[at:], s.data[start:end])
		}
		at += n
		offs[i+1] = int32(at)
	}
}

func (c *bytesColumn) takeSpans(spans []span, offs []int32, data []byte) {
	at, i := int32(0), 0
	offs[0] = 0
	for _, sp := range spans {
		s := &c.src[sp.first.Source()]
		row := sp.first.Row()
		from := s.offs[row : row+sp.n+1]
		shift := at - from[0]
		for j, o := range from[1:] {
			offs[i+j+1] = o + shift
		}
		copy(data[at:], s.data[from[0]:from[sp.n]])
		at += from[sp.n] - from[0]
		i += sp.n
	}
}
