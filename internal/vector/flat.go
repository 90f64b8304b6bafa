package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// fixedColumn gathers cells of a fixed width. T is a type of that width: dates
// and times are the integers they are made of.
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

func (c *fixedColumn[T]) nulls() *validity { return &c.valid }

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

func (c *boolColumn) nulls() *validity { return &c.valid }

func (c *boolColumn) take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error) {
	buf, _ := c.vals.take(sel, mem)
	valid, nulls := c.valid.take(sel, mem)
	return newData(c.dt, sel.Len(), nulls, nil, valid, buf), nil
}

// bytesColumn gathers strings and binaries.
type bytesColumn struct {
	dt     arrow.DataType
	src    []bytesSource
	valid  validity
	starts []int32 // scratch of take
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

func (c *bytesColumn) nulls() *validity { return &c.valid }

func (c *bytesColumn) take(sel Selection, mem memory.Allocator) (arrow.ArrayData, error) {
	n := sel.Len()
	offBuf := newBuffer(mem, (n+1)*4)
	offs := arrow.GetData[int32](offBuf.Bytes())
	total := 0
	if sel.spans != nil {
		total = c.spanSize(sel.spans)
	} else {
		total = c.locate(sel.refs, offs)
		total -= c.emptyNulls(sel, offs)
	}
	if tooLarge(total) {
		offBuf.Release()
		return nil, ErrTooLarge
	}
	dataBuf := newBuffer(mem, total)
	if sel.spans != nil {
		c.takeSpans(sel.spans, offs, dataBuf.Bytes())
	} else {
		c.takeRefs(sel.refs, offs, dataBuf.Bytes())
	}
	valid, nulls := c.valid.take(sel, mem)
	return newData(c.dt, n, nulls, nil, valid, offBuf, dataBuf), nil
}

func (c *bytesColumn) spanSize(spans []span) (total int) {
	for _, sp := range spans {
		offs, row := c.src[sp.first.Source()].offs, sp.first.Row()
		total += int(offs[row+sp.n] - offs[row])
	}
	return total
}

// locate notes where each cell begins and where it will end, and returns the
// size of all. Copying then waits for one memory access a cell instead of two
// in a row. The ends are of no use if the size is too large.
func (c *bytesColumn) locate(refs []Ref, offs []int32) (total int) {
	if cap(c.starts) < len(refs) {
		c.starts = make([]int32, len(refs))
	}
	starts, ends, src := c.starts[:len(refs)], offs[1:len(refs)+1], c.src
	offs[0] = 0
	for i, r := range refs {
		cell := src[r>>32].offs[uint32(r):]
		start, end := cell[0], cell[1]
		total += int(end - start)
		starts[i], ends[i] = start, int32(total)
	}
	return total
}

// emptyNulls leaves nothing of the located cells that are null by choice, and
// returns how much that was.
func (c *bytesColumn) emptyNulls(sel Selection, offs []int32) (dropped int) {
	if sel.valid == nil {
		return 0
	}
	start := int32(0)
	for i, end := range offs[1 : len(sel.refs)+1] {
		if sel.isNull(i) {
			dropped += int(end - start)
		}
		offs[i+1] = end - int32(dropped)
		start = end
	}
	return dropped
}

// takeRefs copies located cells in steps of 16 bytes where both sides have
// the room: most strings of tables are short, and a call of copy costs more
// than their bytes. Bytes beyond a cell are overwritten by the next one.
func (c *bytesColumn) takeRefs(refs []Ref, offs []int32, data []byte) {
	src, starts, ends := c.src, c.starts[:len(refs)], offs[1:len(refs)+1]
	at := 0
	for i, r := range refs {
		from, start, end := src[r>>32].data, int(starts[i]), int(ends[i])
		n := end - at
		if n <= 16 && start+16 <= len(from) && at+16 <= len(data) {
			*(*[16]byte)(data[at:]) = *(*[16]byte)(from[start:])
		} else {
			copy(data[at:end], from[start:start+n])
		}
		at = end
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
