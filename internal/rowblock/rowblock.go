// Package rowblock keeps rows as one piece of bytes: the buffers of their
// columns, one behind the other, each at a multiple of eight.
//
//	column 1                            column 2
//	nulls | validity? | values ········ nulls | validity? | offsets ·· | bytes ··· | …
//
// The types are not in it: whoever decodes a block knows them. So decoding
// copies nothing; a batch made of a block points into it, and a cache that
// counts the bytes of its blocks has counted all but the array headers. Blocks
// are for the memory and the temporary files of one process, in the byte order
// of the machine.
package rowblock

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
)

// Append adds the rows from up to to of rec as a block. It keeps nothing of
// rec. Errors: fault.ErrUnsupported for an Arrow type that no Paimon type maps to.
func Append(dst []byte, rec arrow.RecordBatch, from, to int) ([]byte, error) {
	w := writer{base: len(dst), buf: dst}
	for _, c := range rec.Columns() {
		if err := w.column(c.Data(), c.Data().Offset()+from, to-from); err != nil {
			return dst, err
		}
	}
	w.align()
	return w.buf, nil
}

type writer struct {
	base int
	buf  []byte
}

func (w *writer) align() {
	for (len(w.buf)-w.base)%8 != 0 {
		w.buf = append(w.buf, 0)
	}
}

func (w *writer) count(n int) {
	w.align()
	w.buf = binary.LittleEndian.AppendUint64(w.buf, uint64(n))
}

func (w *writer) bits(src []byte, off, n int) {
	w.align()
	at := len(w.buf)
	w.buf = append(w.buf, make([]byte, (n+7)/8)...)
	bitutil.CopyBitmap(src, off, n, w.buf[at:], 0)
}

// column writes the slots off to off+n of d, whatever its own window.
func (w *writer) column(d arrow.ArrayData, off, n int) error {
	var valid []byte
	nulls := 0
	if b := d.Buffers(); len(b) > 0 && b[0] != nil && b[0].Len() > 0 {
		valid = b[0].Bytes()
		nulls = n - bitutil.CountSetBits(valid, off, n)
	}
	w.count(nulls)
	if nulls > 0 {
		w.bits(valid, off, n)
	}
	switch dt := d.DataType().(type) {
	case *arrow.BooleanType:
		w.bits(bufferOf(d, 1), off, n)
	case *arrow.StringType, *arrow.BinaryType:
		from, to := w.offsets(d, off, n)
		w.count(to - from)
		w.buf = append(w.buf, bufferOf(d, 2)[from:to]...)
	case *arrow.ListType, *arrow.MapType:
		from, to := w.offsets(d, off, n)
		w.count(to - from)
		return w.column(d.Children()[0], d.Children()[0].Offset()+from, to-from)
	case *arrow.StructType:
		for _, c := range d.Children() {
			if err := w.column(c, c.Offset()+off, n); err != nil {
				return err
			}
		}
	case arrow.FixedWidthDataType:
		w.align()
		width := dt.Bytes()
		w.buf = append(w.buf, bufferOf(d, 1)[off*width:(off+n)*width]...)
	default:
		return fault.Unsupported("keeping columns of Arrow type "+dt.String(), "")
	}
	return nil
}

func bufferOf(d arrow.ArrayData, i int) []byte {
	if b := d.Buffers()[i]; b != nil {
		return b.Bytes()
	}
	return nil
}

// offsets writes n+1 offsets that begin at zero, and says what they began and ended at.
func (w *writer) offsets(d arrow.ArrayData, off, n int) (from, to int) {
	w.align()
	raw := bufferOf(d, 1)
	if n == 0 || len(raw) == 0 {
		w.buf = append(w.buf, make([]byte, 4*(n+1))...)
		return 0, 0
	}
	all := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(raw))), len(raw)/4)[off : off+n+1]
	for _, o := range all {
		w.buf = binary.NativeEndian.AppendUint32(w.buf, uint32(o-all[0]))
	}
	return int(all[0]), int(all[n])
}

// Decode gives the rows of a block, which they borrow. The block begins at a
// multiple of eight in memory, as every slice of its own does. Bytes that are
// no block of n rows of this schema are fault.ErrCorrupt.
func Decode(s *arrow.Schema, n int, block []byte) (arrow.RecordBatch, error) {
	r := reader{buf: block}
	cols := make([]arrow.Array, s.NumFields())
	for i := range cols {
		d := r.column(s.Field(i).Type, n)
		if r.err != nil {
			return nil, fault.Corrupt("", "block of rows", r.err)
		}
		cols[i] = array.MakeFromData(d)
	}
	return array.NewRecordBatch(s, cols, int64(n)), nil
}

var errShort = errors.New("it ends within a column")

type reader struct {
	buf []byte
	pos int
	err error
}

func (r *reader) take(n int) []byte {
	r.pos = (r.pos + 7) &^ 7
	if n < 0 || r.err != nil || n > len(r.buf)-r.pos {
		r.err = errShort
		return nil
	}
	b := r.buf[r.pos : r.pos+n : r.pos+n]
	r.pos += n
	return b
}

func (r *reader) count() int {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return int(binary.LittleEndian.Uint64(b))
}

func (r *reader) buffer(n int) *memory.Buffer { return memory.NewBufferBytes(r.take(n)) }

func (r *reader) column(dt arrow.DataType, n int) arrow.ArrayData {
	nulls := r.count()
	if nulls < 0 || nulls > n {
		r.err = errShort
		return nil
	}
	var valid *memory.Buffer
	if nulls > 0 {
		valid = r.buffer((n + 7) / 8)
	}
	switch t := dt.(type) {
	case *arrow.BooleanType:
		return array.NewData(dt, n, []*memory.Buffer{valid, r.buffer((n + 7) / 8)}, nil, nulls, 0)
	case *arrow.StringType, *arrow.BinaryType:
		offsets := r.buffer(4 * (n + 1))
		text := r.buffer(r.count())
		return array.NewData(dt, n, []*memory.Buffer{valid, offsets, text}, nil, nulls, 0)
	case *arrow.ListType:
		return r.list(dt, t.Elem(), n, nulls, valid)
	case *arrow.MapType:
		return r.list(dt, t.Elem(), n, nulls, valid)
	case *arrow.StructType:
		kids := make([]arrow.ArrayData, t.NumFields())
		for i := range kids {
			kids[i] = r.column(t.Field(i).Type, n)
		}
		if r.err != nil {
			return nil
		}
		return array.NewData(dt, n, []*memory.Buffer{valid}, kids, nulls, 0)
	case arrow.FixedWidthDataType:
		return array.NewData(dt, n, []*memory.Buffer{valid, r.buffer(n * t.Bytes())}, nil, nulls, 0)
	}
	r.err = errors.New("columns of Arrow type " + dt.String())
	return nil
}

func (r *reader) list(dt, elem arrow.DataType, n, nulls int, valid *memory.Buffer) arrow.ArrayData {
	offsets := r.buffer(4 * (n + 1))
	kid := r.column(elem, r.count())
	if r.err != nil {
		return nil
	}
	return array.NewData(dt, n, []*memory.Buffer{valid, offsets}, []arrow.ArrayData{kid}, nulls, 0)
}
