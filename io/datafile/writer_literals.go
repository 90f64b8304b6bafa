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

// huffScratch is the state of one encoder, with room for gathered literals.
type huffScratch struct {
	huff0.Scratch
	lits []byte
}

var huffPool = sync.Pool{New: func() any {
	return &huffScratch{Scratch: huff0.Scratch{Reuse: huff0.ReusePolicyNone}}
}}

func packLiterals(dst, src []byte) ([]byte, error) {
	h := huffPool.Get().(*huffScratch)
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

func appendLiterals(dst, part []byte, last bool, h *huffScratch) ([]byte, error) {
	const overhead = 5 + 1 // sizes before, sequence count after
	raw := func() ([]byte, error) {
		return append(appendBlockHead(dst, blockRaw, len(part), last), part...), nil
	}
	if len(part) < 256 { // not worth a table, or too small for one
		return raw()
	}
	packed, _, err := huff0.Compress4X(part, &h.Scratch)
	switch {
	case errors.Is(err, huff0.ErrUseRLE):
		return append(appendBlockHead(dst, blockRepeat, len(part), last), part[0]), nil
	case errors.Is(err, huff0.ErrIncompressible) || err == nil && len(packed)+overhead >= len(part):
		return raw()
	case err != nil:
		return dst, err
	}
	dst = appendBlockHead(dst, blockPacked, len(packed)+overhead, last)
	return append(packedLiterals(dst, len(part), packed), 0), nil
}
