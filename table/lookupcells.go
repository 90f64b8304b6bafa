package table

import (
	"math"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// blockCells is one column of a block, laid open: a lookup takes single cells
// out of many blocks, and asking Arrow's arrays for each costs more than the
// cells do.
type blockCells struct {
	form  cellForm
	unit  uint8  // of timestamps
	width int32  // bytes, of fixed values
	off   int    // row 0 in valid, and in bits
	data  []byte // values, bits, or text
	valid []byte // nil when no cell is null
	offs  []int32
}

type cellForm uint8

const (
	cellNested cellForm = iota // not laid open
	cellFixed
	cellBits
	cellText
)

func cellsOf(a arrow.Array) blockCells {
	d := a.Data()
	c := blockCells{off: d.Offset()}
	buffers := d.Buffers()
	if a.NullN() > 0 {
		c.valid = buffers[0].Bytes()
	}
	switch t := d.DataType().(type) {
	case *arrow.BooleanType:
		c.form, c.data = cellBits, buffers[1].Bytes()
	case *arrow.StringType, *arrow.BinaryType:
		c.form = cellText
		c.offs = arrow.GetOffsets[int32](d, 1)
		if buffers[2] != nil {
			c.data = buffers[2].Bytes()
		}
	case arrow.FixedWidthDataType:
		c.form, c.width = cellFixed, int32(t.Bytes())
		c.data = buffers[1].Bytes()[c.off*t.Bytes():]
	}
	if t, ok := d.DataType().(*arrow.TimestampType); ok {
		c.unit = uint8(t.Unit)
	}
	return c
}

func (c *blockCells) isNull(row int32) bool {
	return c.valid != nil && bitutil.BitIsNotSet(c.valid, c.off+int(row))
}

func (c *blockCells) text(row int32) []byte { return c.data[c.offs[row]:c.offs[row+1]] }

func fixedCell[T any](c *blockCells, row int32) T {
	return *(*T)(unsafe.Pointer(&c.data[int(row)*int(unsafe.Sizeof(*new(T)))]))
}

// gatherCells makes a column of one cell a version; they are not nested.
func gatherCells(found []version, at int, dt arrow.DataType, mem memory.Allocator) (arrow.Array, error) {
	buffers := make([]*memory.Buffer, 2, 3)
	defer func() {
		for _, b := range buffers {
			if b != nil {
				b.Release()
			}
		}
	}()
	nulls := 0
	for _, v := range found {
		if v.block.cells[at].isNull(v.row) {
			nulls++
		}
	}
	if nulls > 0 {
		buffers[0] = newBuffer(mem, int(bitutil.BytesForBits(int64(len(found)))))
		for i, v := range found {
			bitutil.SetBitTo(buffers[0].Bytes(), i, !v.block.cells[at].isNull(v.row))
		}
	}
	switch found[0].block.cells[at].form {
	case cellBits:
		buffers[1] = newBuffer(mem, int(bitutil.BytesForBits(int64(len(found)))))
		for i, v := range found {
			c := &v.block.cells[at]
			bitutil.SetBitTo(buffers[1].Bytes(), i, bitutil.BitIsSet(c.data, c.off+int(v.row)))
		}
	case cellText:
		offs, text, err := gatherText(found, at, mem)
		if err != nil {
			return nil, err
		}
		buffers[1], buffers = offs, append(buffers, text)
	default:
		width := int(found[0].block.cells[at].width)
		buffers[1] = newBuffer(mem, width*len(found))
		gatherFixed(buffers[1].Bytes(), found, at, width)
	}
	d := array.NewData(dt, len(found), buffers, nil, nulls, 0)
	defer d.Release()
	return array.MakeFromData(d), nil
}

func newBuffer(mem memory.Allocator, n int) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(n)
	return b
}

func gatherFixed(dst []byte, found []version, at, width int) {
	if width == 8 {
		words := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(dst))), len(found))
		for i, v := range found {
			words[i] = fixedCell[uint64](&v.block.cells[at], v.row)
		}
		return
	}
	for i, v := range found {
		copy(dst[i*width:(i+1)*width], v.block.cells[at].data[int(v.row)*width:])
	}
}

func gatherText(found []version, at int, mem memory.Allocator) (offs, text *memory.Buffer, err error) {
	total := 0
	for _, v := range found {
		total += len(v.block.cells[at].text(v.row))
	}
	if total > math.MaxInt32 {
		return nil, nil, vector.ErrTooLarge
	}
	offs, text = newBuffer(mem, 4*(len(found)+1)), newBuffer(mem, total)
	ends := arrow.GetData[int32](offs.Bytes())
	end := 0
	ends[0] = 0
	for i, v := range found {
		end += copy(text.Bytes()[end:], v.block.cells[at].text(v.row))
		ends[i+1] = int32(end)
	}
	return offs, text, nil
}

// value is a cell as a Go value that Put takes; see goCell.
func (b *rowBlock) value(t *schema.Type, at int, row int32) any {
	c := &b.cells[at]
	if c.form == cellNested {
		return goCell(t, b.Column(at), int(row))
	}
	return c.value(t, row)
}

// touch reads where the cells of a row lie, of all columns, and returns
// something of each. They are far apart in memory that is rarely in the
// processor's caches: read one after the other, between all that is done for
// each, every one would be waited for alone.
func (b *rowBlock) touch(row int32) (all byte) {
	for i := range b.cells {
		c := &b.cells[i]
		switch c.form {
		case cellFixed:
			all ^= c.data[int(row)*int(c.width)]
		case cellText:
			if from := int(c.offs[row]); from < len(c.data) {
				all ^= c.data[from]
			}
		}
		if c.valid != nil {
			all ^= c.valid[(c.off+int(row))>>3]
		}
	}
	return all
}

// value is a cell that is not nested.
func (c *blockCells) value(t *schema.Type, row int32) any {
	switch {
	case c.isNull(row):
		return nil
	case c.form == cellBits:
		return bitutil.BitIsSet(c.data, c.off+int(row))
	}
	switch t.Kind {
	case schema.TinyInt:
		return fixedCell[int8](c, row)
	case schema.SmallInt:
		return fixedCell[int16](c, row)
	case schema.Int:
		return fixedCell[int32](c, row)
	case schema.BigInt:
		return fixedCell[int64](c, row)
	case schema.Float:
		return fixedCell[float32](c, row)
	case schema.Double:
		return fixedCell[float64](c, row)
	case schema.Char, schema.VarChar:
		return string(c.text(row))
	case schema.Binary, schema.VarBinary:
		return append([]byte{}, c.text(row)...)
	case schema.Decimal:
		return fixedCell[decimal128.Num](c, row)
	case schema.Date:
		return time.Unix(86_400*int64(fixedCell[int32](c, row)), 0).UTC()
	case schema.Timestamp, schema.TimestampLTZ:
		return fixedCell[arrow.Timestamp](c, row).ToTime(arrow.TimeUnit(c.unit))
	case schema.Time:
		return time.Duration(fixedCell[int32](c, row)) * time.Millisecond
	}
	return nil
}
