package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// bitSource is one source's bitmap: bit off+row belongs to row. No bits means
// all ones.
type bitSource struct {
	bits []byte
	off  int
}

// bitColumn gathers bits: the validity of any column, the values of a boolean one.
type bitColumn struct {
	src  []bitSource
	ones []byte // shared by sources without nulls when others have some
	rows int    // most rows of any source so far
}

func (b *bitColumn) grow(slot int) {
	for len(b.src) <= slot {
		b.src = append(b.src, bitSource{})
	}
}

// take gathers the bits of sel and counts the zeros among them.
func (b *bitColumn) take(sel Selection, mem memory.Allocator) (*memory.Buffer, int) {
	n := sel.Len()
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(int(bitutil.BytesForBits(int64(n))))
	out := buf.Bytes()
	if sel.spans != nil {
		b.takeSpans(sel.spans, out)
	} else {
		b.takeRefs(sel.refs, out)
	}
	if n&7 != 0 {
		out[len(out)-1] &= byte(1)<<(n&7) - 1
	}
	return buf, n - bitutil.CountSetBits(out, 0, n)
}

func (b *bitColumn) takeRefs(refs []Ref, out []byte) {
	src := b.filled()
	full := len(refs) / 8
	for i := range full {
		var v byte
		for j, r := range refs[i*8 : i*8+8 : i*8+8] {
			s := &src[r>>32]
			k := uint(uint32(r)) + uint(s.off)
			v |= s.bits[k>>3] >> (k & 7) & 1 << j
		}
		out[i] = v
	}
	if full*8 == len(refs) {
		return
	}
	var v byte
	for j, r := range refs[full*8:] {
		s := &src[r>>32]
		k := uint(uint32(r)) + uint(s.off)
		v |= s.bits[k>>3] >> (k & 7) & 1 << j
	}
	out[full] = v
}

// filled gives every source bits, so that the loop need not ask.
func (b *bitColumn) filled() []bitSource {
	if need := b.rows/8 + 1; len(b.ones) < need {
		b.ones = make([]byte, need)
		for i := range b.ones {
			b.ones[i] = 0xff
		}
	}
	for i := range b.src {
		if s := &b.src[i]; s.bits == nil {
			s.bits, s.off = b.ones, 0
		}
	}
	return b.src
}

func (b *bitColumn) takeSpans(spans []span, out []byte) {
	at := 0
	for _, sp := range spans {
		s := b.src[sp.first.Source()]
		if s.bits == nil {
			bitutil.SetBitsTo(out, int64(at), int64(sp.n), true)
		} else {
			bitutil.CopyBitmap(s.bits, s.off+sp.first.Row(), sp.n, out, at)
		}
		at += sp.n
	}
}

// validity gathers null bitmaps and stays out of the way while there is no null.
type validity struct {
	bits  bitColumn
	nulls []bool // by source
	count int    // sources with nulls
}

func (v *validity) set(slot int, a arrow.Array) {
	v.clear(slot)
	v.bits.grow(slot)
	for len(v.nulls) <= slot {
		v.nulls = append(v.nulls, false)
	}
	v.bits.rows = max(v.bits.rows, a.Len())
	v.bits.src[slot] = bitSource{}
	if NullCount(a) > 0 {
		v.bits.src[slot] = bitSource{a.NullBitmapBytes(), a.Data().Offset()}
		v.nulls[slot] = true
		v.count++
	}
}

func (v *validity) clear(slot int) {
	if slot < len(v.nulls) && v.nulls[slot] {
		v.nulls[slot] = false
		v.count--
	}
	if slot < len(v.bits.src) {
		v.bits.src[slot] = bitSource{}
	}
}

// isNull asks for one row.
func (v *validity) isNull(r Ref) bool {
	if v.count == 0 {
		return false
	}
	s := &v.bits.src[r.Source()]
	if s.bits == nil {
		return false
	}
	k := r.Row() + s.off
	return s.bits[k>>3]>>(k&7)&1 == 0
}

// take returns nil when no cell is null.
func (v *validity) take(sel Selection, mem memory.Allocator) (*memory.Buffer, int) {
	n := sel.Len()
	if n == 0 || v.count == 0 && sel.valid == nil {
		return nil, 0
	}
	if v.count == 0 {
		buf := newBuffer(mem, len(sel.valid))
		copy(buf.Bytes(), sel.valid)
		return buf, n - bitutil.CountSetBits(sel.valid, 0, n)
	}
	buf, nulls := v.bits.take(sel, mem)
	if sel.valid != nil {
		out := buf.Bytes()
		for i, b := range sel.valid {
			out[i] &= b
		}
		nulls = n - bitutil.CountSetBits(out, 0, n)
	}
	if nulls == 0 {
		buf.Release()
		return nil, 0
	}
	return buf, nulls
}

// NullCount counts the nulls of a. Unlike NullN of an array it does not
// store what it counts in the array, which other goroutines may be reading too.
func NullCount(a arrow.Array) int {
	if n := a.Data().NullN(); n >= 0 {
		return n
	}
	bitmap := a.NullBitmapBytes()
	if len(bitmap) == 0 {
		return 0
	}
	return a.Len() - bitutil.CountSetBits(bitmap, a.Data().Offset(), a.Len())
}
