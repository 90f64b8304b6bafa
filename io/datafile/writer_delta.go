package datafile

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// DELTA_BINARY_PACKED keeps integers as differences, in blocks of 128 with a
// least difference each and a bit width for each 32:
//
//	128 | 4 | count | first value |
//	    least difference | 4 widths | 32 differences | 32 | 32 | 32 |   …per block
//
// It serves keys, sequence numbers, times and decimals: a tenth of the bytes
// to compress, at the cost of copying them.
const (
	deltaValues = 128
	deltaMini   = 32
)

func appendDelta[T int32 | int64](dst []byte, vals []T) []byte {
	dst = binary.AppendUvarint(dst, deltaValues)
	dst = binary.AppendUvarint(dst, deltaValues/deltaMini)
	dst = binary.AppendUvarint(dst, uint64(len(vals)))
	if len(vals) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(vals[0]))
	for last, rest := vals[0], vals[1:]; len(rest) > 0; {
		n := min(len(rest), deltaValues)
		dst = appendDeltaBlock(dst, last, rest[:n])
		last, rest = rest[n-1], rest[n:]
	}
	return dst
}

func appendDeltaBlock[T int32 | int64](dst []byte, last T, vals []T) []byte {
	var diffs [deltaValues]T
	least := vals[0] - last // wraps, as does the reader
	for i, v := range vals {
		d := v - last
		diffs[i], last = d, v
		least = min(least, d)
	}
	dst = binary.AppendVarint(dst, int64(least))
	// Widths of miniblocks without values are 0 and nothing follows for them.
	widths := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = grow(dst, deltaValues*8+8)
	for m := 0; m*deltaMini < len(vals); m++ {
		part := diffs[m*deltaMini : (m+1)*deltaMini]
		used := part[:min(deltaMini, len(vals)-m*deltaMini)]
		var all uint64
		for i, d := range used {
			u := unsigned(d - least)
			part[i] = T(u)
			all |= u
		}
		clear(part[len(used):])
		width := bits.Len64(all)
		dst[widths+m] = byte(width)
		dst = appendMini(dst, part, width)
	}
	return dst
}

// unsigned reads the bits of v, of its own size.
func unsigned[T int32 | int64](v T) uint64 {
	if unsafe.Sizeof(v) == 4 {
		return uint64(uint32(v))
	}
	return uint64(v)
}

// appendMini packs 32 values; dst has room.
func appendMini[T int32 | int64](dst []byte, vals []T, width int) []byte {
	if width == 0 {
		return dst
	}
	at := len(dst)
	end := at + width*deltaMini/8
	buf := dst[:end+8]
	var acc uint64
	have := 0
	for _, v := range vals {
		u := unsigned(v)
		acc |= u << have
		if have += width; have >= 64 {
			binary.LittleEndian.PutUint64(buf[at:], acc)
			at += 8
			have -= 64
			acc = u >> (width - have)
		}
	}
	if have > 0 {
		binary.LittleEndian.PutUint64(buf[at:], acc)
	}
	return dst[:end]
}
