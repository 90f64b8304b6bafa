package datafile

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// Levels and dictionary indexes share one encoding, a mix of two kinds of run:
//
//	run of equal values   varint(n<<1)        value in ceil(width/8) bytes
//	groups of 8 values    varint(groups<<1|1) values packed, width bits each
//
// appendHybrid appends vals in that encoding. Only the last group may be
// padded, with zeros.
func appendHybrid[T uint8 | uint32](dst []byte, vals []T, width int) []byte {
	packed := 0 // vals[packed:i] waits to be written as groups
	i := 0
	for i+8 <= len(vals) {
		run := runLength(vals[i:])
		if run < 16 {
			i += 8
			continue
		}
		dst = appendGroups(dst, vals[packed:i], width)
		dst = appendRun(dst, run, uint32(vals[i]), width)
		i += run
		packed = i
	}
	return appendGroups(dst, vals[packed:], width)
}

// runLength is how often vals begins with the same value, cheaply 0 or so
// when the second differs.
func runLength[T uint8 | uint32](vals []T) int {
	first := vals[0]
	if vals[1] != first || vals[7] != first {
		return 0
	}
	n := 1
	for n < len(vals) && vals[n] == first {
		n++
	}
	return n
}

func appendRun(dst []byte, n int, value uint32, width int) []byte {
	dst = binary.AppendUvarint(dst, uint64(n)<<1)
	for ; width > 0; width -= 8 {
		dst = append(dst, byte(value))
		value >>= 8
	}
	return dst
}

func appendGroups[T uint8 | uint32](dst []byte, vals []T, width int) []byte {
	if len(vals) == 0 {
		return dst
	}
	groups := (len(vals) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	end := len(dst) + groups*width
	dst = grow(dst, groups*width+8)
	var acc uint64
	var have int
	at := len(dst)
	buf := dst[:cap(dst)]
	for _, v := range vals {
		acc |= uint64(v) << have
		have += width
		if have >= 32 {
			binary.LittleEndian.PutUint32(buf[at:], uint32(acc))
			at += 4
			acc >>= 32
			have -= 32
		}
	}
	for at < end {
		buf[at] = byte(acc)
		acc >>= 8
		at++
	}
	return buf[:end]
}

// nullBits are the definition levels of a flat nullable column in one page: a
// bitmap that exists only once a null was seen. A bitmap is, bit for bit, the
// packed form of levels 0 and 1, so it is written without a second look.
type nullBits struct {
	rows, nulls int
	bitmap      []byte
}

func (b *nullBits) reset() { b.rows, b.nulls = 0, 0 }

// add appends n rows whose validity starts at bit off; valid says how many of
// them are not null.
func (b *nullBits) add(validity []byte, off, n, valid int) {
	if valid < n && b.nulls == 0 {
		b.room(b.rows)
		bitutil.SetBitsTo(b.bitmap, 0, int64(b.rows), true)
	}
	if b.nulls > 0 || valid < n {
		b.room(b.rows + n)
		if valid == n {
			bitutil.SetBitsTo(b.bitmap, int64(b.rows), int64(n), true)
		} else {
			bitutil.CopyBitmap(validity, off, n, b.bitmap, b.rows)
		}
	}
	b.rows += n
	b.nulls += n - valid
}

func (b *nullBits) room(rows int) {
	need := (rows + 7) / 8
	if need > len(b.bitmap) {
		b.bitmap = grow(b.bitmap, need-len(b.bitmap))
		b.bitmap = b.bitmap[:cap(b.bitmap)]
	}
}

// appendTo appends the levels with the length that version 1 pages put first.
func (b *nullBits) appendTo(dst []byte) []byte {
	head := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	switch b.nulls {
	case 0:
		dst = appendRun(dst, b.rows, 1, 1)
	case b.rows:
		dst = appendRun(dst, b.rows, 0, 1)
	default:
		groups := (b.rows + 7) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		dst = append(dst, b.bitmap[:groups]...)
		if pad := b.rows % 8; pad != 0 {
			dst[len(dst)-1] &= 1<<pad - 1
		}
	}
	binary.LittleEndian.PutUint32(dst[head:], uint32(len(dst)-head-4))
	return dst
}

// appendLevels appends the levels of a nested column's page with their length.
func appendLevels(dst []byte, levels []uint8, highest int) []byte {
	head := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = appendHybrid(dst, levels, bits.Len(uint(highest)))
	binary.LittleEndian.PutUint32(dst[head:], uint32(len(dst)-head-4))
	return dst
}

// validRows appends to idx the rows of [lo, hi) that are not null.
func validRows(idx []int32, validity []byte, off, lo, hi int) []int32 {
	n := hi - lo
	start := len(idx)
	if cap(idx)-start < n {
		idx = append(make([]int32, 0, start+n), idx...)
	}
	idx = idx[:start+n]
	k := start
	for i := lo; i < hi; i++ {
		bit := validity[uint(off+i)>>3] >> (uint(off+i) & 7) & 1
		idx[k] = int32(i)
		k += int(bit)
	}
	return idx[:k]
}
