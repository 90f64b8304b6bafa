package datafile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/cespare/xxhash/v2"

	"github.com/tidelake/tidelake/internal/fault"
)

// A Parquet file may have a Bloom filter for each column chunk:
//
//	header | blocks of 256 bits
//
// A value's hash picks one block, and a bit in each of its eight words.
// They lie between the page indexes and the metadata, so they mostly come
// with these.

// blockBytes is the size of a block.
const blockBytes = 32

// salts choose the bits of a block.
var salts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

// bloom is the filter of a chunk: its blocks.
type bloom []byte

func (b bloom) has(hash uint64) bool {
	n := uint64(len(b) / blockBytes)
	block := b[(hash>>32)*n>>32*blockBytes:]
	for i, salt := range salts {
		if binary.LittleEndian.Uint32(block[4*i:])>>(uint32(hash)*salt>>27)&1 == 0 {
			return false
		}
	}
	return true
}

// Filter are the Bloom filters of one column, by row group. It may be used
// from many goroutines, as long as its File is open.
type Filter struct {
	file *File
	leaf *node

	mu   sync.Mutex
	read map[int]bloom // by row group; nil for one without
}

// Filter gives the Bloom filters of a column, nil when it has none. Their
// bytes came with the metadata or are read when they are first asked for.
func (f *File) Filter(column string) *Filter {
	leaf := f.root.kid(column)
	if leaf == nil || leaf.leaf < 0 || leaf.maxRep > 0 {
		return nil
	}
	for g := range f.meta.groups {
		if f.meta.groups[g].chunks[leaf.leaf].bloom.off > 0 {
			return &Filter{file: f, leaf: leaf, read: make(map[int]bloom)}
		}
	}
	return nil
}

// Held is how many bytes of memory the filters take, beyond those of the File.
func (f *Filter) Held() int64 {
	var n int64
	for g := range f.file.meta.groups {
		if x := f.file.meta.groups[g].chunks[f.leaf.leaf].bloom; x.off < f.file.tail.off {
			n += x.len
		}
	}
	return n
}

// MayHold is false when none of the row groups that hold some of the rows has
// the value of col at row, which is not null. Errors: ErrCorrupt, and those of
// the store.
func (f *Filter) MayHold(ctx context.Context, rows RowRange, col arrow.Array, row int) (bool, error) {
	var buf [16]byte
	value, ok := plainValue(buf[:0], f.leaf, col, row)
	if !ok {
		return true, nil
	}
	hash := xxhash.Sum64(value)
	starts := f.file.starts
	g, found := slices.BinarySearch(starts, rows.From)
	if !found {
		g--
	}
	for ; g+1 < len(starts) && starts[g] < rows.To; g++ {
		b, err := f.group(ctx, g)
		if err != nil {
			return false, err
		}
		if starts[g+1] > starts[g] && (b == nil || b.has(hash)) {
			return true, nil
		}
	}
	return false, nil
}

// group is the filter of a row group.
func (f *Filter) group(ctx context.Context, g int) (bloom, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.read[g]; ok {
		return b, nil
	}
	ch := &f.file.meta.groups[g].chunks[f.leaf.leaf]
	var b bloom
	if ch.bloom.off > 0 && !ch.encrypted && !ch.elsewhere {
		var err error
		if b, err = f.file.bloom(ctx, ch.bloom); err != nil {
			return nil, fmt.Errorf("row group %d: Bloom filter of column %q: %w", g, f.leaf.name, err)
		}
	}
	f.read[g] = b
	return b, nil
}

// headerBytes is as many as the header of a filter may take.
const headerBytes = 64

// bloom reads a filter. Older writers do not tell its length.
func (f *File) bloom(ctx context.Context, at extent) (bloom, error) {
	t := f.at(ctx)
	bad := func(err error) error { return fault.Corrupt(t.name, "parquet Bloom filter", err) }
	left := f.meta.end - at.off
	if left <= 0 || at.len < 0 || at.len > left {
		return nil, bad(fmt.Errorf("%d bytes at %d lie outside the data, which ends at %d", at.len, at.off, f.meta.end))
	}
	n := at.len
	if n == 0 {
		n = min(headerBytes, left)
	}
	data, err := t.read(at.off, n)
	if err != nil {
		return nil, err
	}
	size, head, known, err := parseBloomHeader(data)
	switch {
	case err != nil:
		return nil, bad(err)
	case !known:
		return nil, nil
	case size > left-head || at.len > 0 && size > at.len-head:
		return nil, bad(fmt.Errorf("a filter of %d bytes does not fit", size))
	case head+size <= n:
		return data[head : head+size : head+size], nil
	}
	return t.read(at.off+head, size)
}

// parseBloomHeader gives the bytes of the filter and of the header before it.
// A filter of an algorithm that is not known is no filter.
func parseBloomHeader(data []byte) (size, head int64, known bool, err error) {
	t := &thrift{b: data}
	choices := 0
	choice := func(typ byte) {
		t.fields(typ, func(id int16, typ byte) bool {
			if id == 1 {
				choices++
			}
			return false
		})
	}
	t.fields(tStruct, func(id int16, typ byte) bool {
		switch id {
		case 1:
			size = int64(t.int32(typ))
		case 2, 3, 4: // split blocks, XXH64, not compressed: each the first of its kind
			choice(typ)
		default:
			return false
		}
		return true
	})
	switch {
	case t.err != nil:
		return 0, 0, false, t.err
	case size <= 0 || size%blockBytes != 0:
		return 0, 0, false, errors.New("its size is not that of some blocks")
	}
	return size, int64(t.pos), choices == 3, nil
}

// plainValue appends a value as a column of the leaf's type stores it, unless
// there is more than one way: negative zero, NaN.
func plainValue(dst []byte, leaf *node, col arrow.Array, row int) (value []byte, ok bool) {
	switch c := col.(type) {
	case *array.String:
		v := c.Value(row)
		return append(dst, v...), leaf.physical == pBytes
	case *array.Binary:
		return c.Value(row), leaf.physical == pBytes
	case *array.Float32:
		v := c.Value(row)
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v)), leaf.physical == pFloat && (v < 0 || v > 0)
	case *array.Float64:
		v := c.Value(row)
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v)), leaf.physical == pDouble && (v < 0 || v > 0)
	}
	v, ok := integer(leaf, col, row)
	switch leaf.physical {
	case pInt32:
		return binary.LittleEndian.AppendUint32(dst, uint32(v)), ok
	case pInt64:
		return binary.LittleEndian.AppendUint64(dst, uint64(v)), ok
	}
	return nil, false
}

// integer is the number that stands for a value in a column of integers.
func integer(leaf *node, col arrow.Array, row int) (v int64, ok bool) {
	switch c := col.(type) {
	case *array.Int8:
		return int64(c.Value(row)), leaf.annotation == annNone
	case *array.Int16:
		return int64(c.Value(row)), leaf.annotation == annNone
	case *array.Int32:
		return int64(c.Value(row)), leaf.annotation == annNone
	case *array.Int64:
		return c.Value(row), leaf.annotation == annNone
	case *array.Date32:
		return int64(c.Value(row)), leaf.annotation == annNone
	case *array.Time32:
		return int64(c.Value(row)), leaf.annotation == annMillis && c.DataType().(*arrow.Time32Type).Unit == arrow.Millisecond
	case *array.Timestamp:
		switch c.DataType().(*arrow.TimestampType).Unit {
		case arrow.Second:
			return int64(c.Value(row)) * 1000, leaf.annotation == annMillis
		case arrow.Millisecond:
			return int64(c.Value(row)), leaf.annotation == annMillis
		case arrow.Microsecond:
			return int64(c.Value(row)), leaf.annotation == annMicros
		}
	case *array.Decimal128:
		d := c.Value(row)
		return int64(d.LowBits()), leaf.annotation == annDecimal && leaf.scale == c.DataType().(*arrow.Decimal128Type).Scale
	}
	return 0, false
}
