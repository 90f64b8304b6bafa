package datafile

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Nested values are stored as the entries of their leaves, each with two
// levels: how deep the path to it is defined, and which list it repeats.
//
//	f ARRAY<INT>     [1, null] · [] · null
//	definition        3   2      1    0      3 value, 2 null element, 1 empty, 0 null
//	repetition        0   1      0    0      0 starts a row
//
// A slot rebuilds one Arrow array from the levels of a leaf below it. An entry
// belongs to the slot when its innermost enclosing list has an element there
// (definition ≥ floor) and it does not repeat a deeper list (repetition ≤ rep).

// maxEntries bounds the elements of one row.
const maxEntries = 1 << 24

// batchEntries ends a batch early.
const batchEntries = 1 << 21

type slot struct {
	kind  schema.Kind
	dt    arrow.DataType
	path  string
	def   uint8 // from here on the value is not null
	rep   uint8 // lists around it
	floor uint8 // from here on there is a place for it
	item  uint8 // lists: from here on there is an element
	kids  []*slot
	leaf  *leafReader // of a scalar, else the first leaf below
}

// build makes the Arrow data of the batch. Scalars take their leaf's buffers.
func (s *slot) build(alloc memory.Allocator) (arrow.ArrayData, error) {
	switch {
	case len(s.kids) == 0:
		bufs, nulls := s.leaf.finish()
		return newData(s.dt, s.leaf.slots, bufs, nil, nulls), nil
	case s.kind == schema.Row:
		return s.buildRow(alloc)
	default:
		return s.buildList(alloc)
	}
}

// newData hands its references to buffers and children over to the array.
func newData(dt arrow.DataType, n int, bufs []*memory.Buffer, kids []arrow.ArrayData, nulls int) arrow.ArrayData {
	d := array.NewData(dt, n, bufs, kids, nulls, 0)
	for _, b := range bufs {
		if b != nil {
			b.Release()
		}
	}
	for _, k := range kids {
		k.Release()
	}
	return d
}

// children builds the arrays below, all of which must have n slots.
func (s *slot) children(alloc memory.Allocator, n int) (kids []arrow.ArrayData, err error) {
	for _, k := range s.kids {
		d, e := k.build(alloc)
		if e == nil {
			kids = append(kids, d)
			if d.Len() != n {
				e = fmt.Errorf("%s has %d places for the %d of %s", k.path, d.Len(), n, s.path)
			}
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		for _, k := range kids {
			k.Release()
		}
		return nil, err
	}
	return kids, nil
}

func (s *slot) buildRow(alloc memory.Allocator) (arrow.ArrayData, error) {
	valid := newBits(alloc, len(s.leaf.defs))
	for i, d := range s.leaf.defs {
		if d >= s.floor && s.leaf.reps[i] <= s.rep {
			valid.add(d >= s.def)
		}
	}
	bits := valid.finish()
	kids, err := s.children(alloc, valid.n)
	if err != nil {
		releaseBuffer(bits)
		return nil, err
	}
	return newData(s.dt, valid.n, []*memory.Buffer{bits}, kids, valid.nulls), nil
}

func (s *slot) buildList(alloc memory.Allocator) (arrow.ArrayData, error) {
	defs, reps := s.leaf.defs, s.leaf.reps
	valid := newBits(alloc, len(defs))
	offs := memory.NewResizableBuffer(alloc)
	offs.Resize(4 * (len(defs) + 1))
	out := view[int32](offs.Bytes())
	items := int32(0)
	for i, d := range defs {
		if d < s.floor {
			continue
		}
		if reps[i] <= s.rep {
			out[valid.n] = items
			valid.add(d >= s.def)
		}
		if reps[i] <= s.rep+1 && d >= s.item {
			items++
		}
	}
	out[valid.n] = items
	offs.ResizeNoShrink(4 * (valid.n + 1))
	bits := valid.finish()
	kids, err := s.children(alloc, int(items))
	if err == nil && s.kind != schema.Array {
		kids, err = s.entries(kids)
	}
	if err != nil {
		releaseBuffer(bits)
		offs.Release()
		return nil, err
	}
	return newData(s.dt, valid.n, []*memory.Buffer{bits, offs}, kids, valid.nulls), nil
}

// entries joins keys and values of a map.
func (s *slot) entries(kids []arrow.ArrayData) ([]arrow.ArrayData, error) {
	if kids[0].NullN() > 0 {
		kids[0].Release()
		kids[1].Release()
		return nil, fmt.Errorf("%s has a null key", s.path)
	}
	n := kids[0].Len()
	return []arrow.ArrayData{newData(s.dt.(*arrow.MapType).Elem(), n, []*memory.Buffer{nil}, kids, 0)}, nil
}

func releaseBuffer(b *memory.Buffer) {
	if b != nil {
		b.Release()
	}
}

// bitsBuilder collects validity.
type bitsBuilder struct {
	buf      *memory.Buffer
	bits     []byte
	n, nulls int
}

func newBits(alloc memory.Allocator, most int) *bitsBuilder {
	b := &bitsBuilder{buf: memory.NewResizableBuffer(alloc)}
	b.buf.Resize((most + 7) / 8)
	b.bits = b.buf.Bytes()
	clear(b.bits)
	return b
}

func (b *bitsBuilder) add(valid bool) {
	if valid {
		b.bits[b.n>>3] |= 1 << (b.n & 7)
	} else {
		b.nulls++
	}
	b.n++
}

// finish returns the bitmap, nil when nothing is null.
func (b *bitsBuilder) finish() *memory.Buffer {
	if b.nulls == 0 {
		b.buf.Release()
		return nil
	}
	b.buf.ResizeNoShrink((b.n + 7) / 8)
	return b.buf
}

// take refills the queue of levels from the page, opening the next when the
// current one is used up. io.EOF means the end of the chunk.
func (l *leafReader) take() error {
	if l.left == 0 {
		if err := l.nextPage(0); err != nil {
			return err
		}
	}
	n := min(l.left, len(l.queue))
	l.qdef, l.qrep = l.queue[:n], l.queuR[:n]
	if l.node.maxRep > 0 {
		if err := l.rep.levels(l.qrep, l.scratch[:], uint8(l.node.maxRep)); err != nil {
			return err
		}
	}
	if l.node.maxDef > 0 {
		if err := l.def.levels(l.qdef, l.scratch[:], uint8(l.node.maxDef)); err != nil {
			return err
		}
	}
	l.left -= n
	return nil
}

// rowsIn finds how many entries of the queue belong to the next n rows. open
// says that a row has begun before the queue.
func (l *leafReader) rowsIn(n int, open bool) (entries, rows int, err error) {
	if !open && l.qrep[0] != 0 {
		return 0, 0, errors.New("row begins in the middle of a list")
	}
	if l.node.maxRep == 0 {
		k := min(n, len(l.qdef))
		return k, k, nil
	}
	for i, r := range l.qrep {
		if r == 0 {
			if rows == n {
				return i, rows, nil
			}
			rows++
		}
	}
	return len(l.qrep), rows, nil
}

// walk passes the entries of n rows to f, in pieces that lie in one page.
func (l *leafReader) walk(n int, f func(defs, reps []uint8) error) error {
	open, entries := false, 0
	for {
		if len(l.qdef) == 0 {
			err := l.take()
			if errors.Is(err, io.EOF) && n == 0 && open {
				return nil
			}
			if err != nil {
				return noEOF(err)
			}
		}
		k, rows, err := l.rowsIn(n, open)
		if err != nil {
			return err
		}
		n -= rows
		l.row += int64(rows)
		if entries += k; entries > maxEntries {
			return fault.Unsupported(fmt.Sprintf("more than %d elements within a few rows", maxEntries), "split the rows")
		}
		defs, reps := l.qdef[:k], l.qrep[:k]
		l.qdef, l.qrep = l.qdef[k:], l.qrep[k:]
		if err := f(defs, reps); err != nil {
			return err
		}
		open = true
		if n == 0 && (len(l.qdef) > 0 || l.node.maxRep == 0) {
			return nil
		}
	}
}

// readNested appends n rows to the batch.
func (l *leafReader) readNested(n int) error {
	return l.walk(n, func(defs, reps []uint8) error {
		l.defs = append(l.defs, defs...)
		l.reps = append(l.reps, reps...)
		l.growValid(l.slots + len(defs))
		valid, top := l.valid.Bytes(), uint8(l.node.maxDef)
		slots, values := 0, 0
		for _, d := range defs {
			if d < l.floor {
				continue
			}
			at := l.slots + slots
			bit := byte(1) << (at & 7)
			if d == top {
				valid[at>>3] |= bit
				values++
			} else {
				valid[at>>3] &^= bit
			}
			slots++
		}
		for left := values; left > 0; {
			k := min(left, max(l.vec.room(), 1))
			if err := l.vec.read(k); err != nil {
				return err
			}
			left -= k
		}
		l.vec.spread(valid, l.slots, slots, values)
		l.slots += slots
		l.values += values
		return nil
	})
}

// skipNested steps over entries up to a row.
func (l *leafReader) skipNested(row int64) error {
	for l.row < row {
		err := l.walk(int(min(row-l.row, 1024)), func(defs, _ []uint8) error {
			values := 0
			for _, d := range defs {
				if int(d) == l.node.maxDef {
					values++
				}
			}
			return l.vec.skip(values)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
