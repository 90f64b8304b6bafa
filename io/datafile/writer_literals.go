package datafile

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/klauspost/compress/huff0"
)

// Most columns of numbers and ids hold no repeated strings of bytes: looking
// for them is most of what zstd does and brings nothing. packLiterals writes
// zstd frames without any: each block is its bytes under a Huffman code, or
// as they are. Every zstd decoder reads them, faster than usual.
//
//	28 b5 2f fd | a0 | 4 bytes size | block, block, …
//	block: 3 bytes (last, kind, size) | bytes, one repeated byte, or
//	       literals under Huffman codes and a 0 for "no sequences"
const zstdBlock = 128 << 10

const (
	blockRaw = iota
	blockRepeat
	blockPacked
)

var huffPool = sync.Pool{New: func() any {
	return &huff0.Scratch{Reuse: huff0.ReusePolicyNone}
}}

func packLiterals(dst, src []byte) ([]byte, error) {
	h := huffPool.Get().(*huff0.Scratch)
	defer huffPool.Put(h)
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, 0xa0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(src)))
	for {
		part := src[:min(len(src), zstdBlock)]
		src = src[len(part):]
		var err error
		if dst, err = appendLiterals(dst, part, len(src) == 0, h); err != nil || len(src) == 0 {
			return dst, err
		}
	}
}

func appendLiterals(dst, part []byte, last bool, h *huff0.Scratch) ([]byte, error) {
	const overhead = 5 + 1 // sizes before, sequence count after
	head := func(kind, size int) []byte {
		v := uint32(size)<<3 | uint32(kind)<<1
		if last {
			v |= 1
		}
		return append(dst, byte(v), byte(v>>8), byte(v>>16))
	}
	if len(part) < 256 { // not worth a table, or too small for one
		return append(head(blockRaw, len(part)), part...), nil
	}
	packed, _, err := huff0.Compress4X(part, h)
	switch {
	case errors.Is(err, huff0.ErrUseRLE):
		return append(head(blockRepeat, len(part)), part[0]), nil
	case errors.Is(err, huff0.ErrIncompressible) || err == nil && len(packed)+overhead >= len(part):
		return append(head(blockRaw, len(part)), part...), nil
	case err != nil:
		return dst, err
	}
	dst = head(blockPacked, len(packed)+overhead)
	// Packed literals in four streams, sizes of 18 bits each.
	sizes := uint64(2) | 3<<2 | uint64(len(part))<<4 | uint64(len(packed))<<22
	dst = append(dst, byte(sizes), byte(sizes>>8), byte(sizes>>16), byte(sizes>>24), byte(sizes>>32))
	dst = append(dst, packed...)
	return append(dst, 0), nil
}
