package datafile

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/klauspost/compress/huff0"
)

// Ids, hashes and codes are strings of one length. In a page each stands
// behind its length, four bytes that are always the same, and zstd spends most
// of its time on finding that out. packStrided knows: it writes a zstd frame
// in which every length is a copy of the one before it, at a distance of one
// stride, and all else are literals under a Huffman code.
//
//	page    levels | length text | length text | length text | …
//	frame   levels   length text | copy   text | copy   text | …
//
// The first block holds the levels, one text and the first copy, whose
// distance it spells out; the others say "as before" in no bits at all.
func packStrided(dst, src []byte, levels, stride int) ([]byte, error) {
	h := huffPool.Get().(*huffScratch)
	defer huffPool.Put(h)
	dst = append(dst, 0x28, 0xb5, 0x2f, 0xfd, 0xa0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(src)))
	first := levels + stride
	body := rawLiterals(nil, src[:first])
	body = append(body, 1, sequencesOfOneKind)
	body = firstCopy(body, first, stride)
	dst = append(appendBlockHead(dst, blockPacked, len(body), false), body...)

	text := stride - lengthBytes
	for rest := src[first+lengthBytes:]; len(rest) > 0; {
		// Units of text and copied length; the very last has no length behind it.
		n := min(zstdBlock/stride, (len(rest)+lengthBytes)/stride)
		part := rest[:min(len(rest), n*stride)]
		rest = rest[len(part):]
		var err error
		if dst, err = stridedBlock(dst, part, text, len(rest) == 0, h); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

const lengthBytes = 4

// canStride says whether packStrided can take a page: texts of some length, a
// start that fits its first block, and enough of them that this block, a little
// larger than what it holds, is not larger than the page: zstd forbids that.
func canStride(page, levels, stride int) bool {
	return stride >= lengthBytes+4 && stride <= zstdBlock/16 && levels <= zstdBlock/4 && page >= levels+4*stride
}

func appendBlockHead(dst []byte, kind, size int, last bool) []byte {
	v := uint32(size)<<3 | uint32(kind)<<1 | uint32(b2i(last))
	return append(dst, byte(v), byte(v>>8), byte(v>>16))
}

func rawLiterals(dst, lits []byte) []byte {
	head := uint32(3)<<2 | uint32(len(lits))<<4
	return append(append(dst, byte(head), byte(head>>8), byte(head>>16)), lits...)
}

// Literal length, distance and match length have one code each in a block.
const sequencesOfOneKind = 1<<6 | 1<<4 | 1<<2

// Codes of a match of four bytes, and of the distance used last.
const (
	matchOfFour  = 1
	sameDistance = 0
)

// firstCopy is a sequence: so many literals, then four bytes from a stride ago.
func firstCopy(dst []byte, literals, stride int) []byte {
	litCode, litBase, litBits := literalCode(literals)
	distance := uint64(stride + 3)
	distBits := bits.Len64(distance) - 1
	dst = append(dst, byte(litCode), byte(distBits), matchOfFour)
	// Read from the end: a 1, the rest of the distance, of the literals.
	stream := uint64(literals-litBase) | (distance&(1<<distBits-1)|1<<distBits)<<litBits
	for ; stream > 0; stream >>= 8 {
		dst = append(dst, byte(stream))
	}
	return dst
}

func stridedBlock(dst, part []byte, text int, last bool, h *huffScratch) ([]byte, error) {
	stride := text + lengthBytes
	lits := h.lits[:0]
	copies := 0
	for from := 0; from < len(part); from += stride {
		lits = append(lits, part[from:from+text]...)
		if from+stride <= len(part) {
			copies++
		}
	}
	h.lits = lits
	head := len(dst)
	dst = append(dst, 0, 0, 0)
	body := len(dst)
	packed, _, err := huff0.Compress4X(lits, &h.Scratch)
	switch {
	case errors.Is(err, huff0.ErrUseRLE):
		v := uint32(1) | 3<<2 | uint32(len(lits))<<4
		dst = append(dst, byte(v), byte(v>>8), byte(v>>16), lits[0])
	case errors.Is(err, huff0.ErrIncompressible) || err == nil && len(packed) >= len(lits):
		dst = rawLiterals(dst, lits)
	case err != nil:
		return dst, err
	default:
		dst = packedLiterals(dst, len(lits), packed)
	}
	dst = equalCopies(dst, copies, text)
	if len(dst)-body >= len(part) {
		return append(appendBlockHead(dst[:head], blockRaw, len(part), last), part...), nil
	}
	appendBlockHead(dst[:head], blockPacked, len(dst)-body, last)
	return dst, nil
}

// packedLiterals heads Huffman-coded literals: four streams, sizes of 18 bits.
func packedLiterals(dst []byte, size int, packed []byte) []byte {
	v := uint64(2) | 3<<2 | uint64(size)<<4 | uint64(len(packed))<<22
	dst = append(dst, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32))
	return append(dst, packed...)
}

// equalCopies are n sequences of the same literal length, each followed by a
// match of four bytes at the last distance.
func equalCopies(dst []byte, n, literals int) []byte {
	if n < 128 {
		dst = append(dst, byte(n))
	} else {
		dst = append(dst, byte(n>>8)+128, byte(n))
	}
	if n == 0 {
		return dst
	}
	code, base, width := literalCode(literals)
	dst = append(dst, sequencesOfOneKind, byte(code), sameDistance, matchOfFour)
	var acc uint64
	have := 0
	for range n {
		acc |= uint64(literals-base) << have
		for have += width; have >= 8; have -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	return append(dst, byte(acc)|1<<have)
}

// literalCode is zstd's code for a number of literals: the code, the least
// number that has it, and how many bits say the rest.
func literalCode(n int) (code, base, width int) {
	switch {
	case n < 16:
		return n, n, 0
	case n < 24:
		return 16 + (n-16)/2, n &^ 1, 1
	case n < 32:
		return 20 + (n-24)/4, n &^ 3, 2
	case n < 48:
		return 22 + (n-32)/8, n &^ 7, 3
	case n < 64:
		return 24, 48, 4
	}
	width = bits.Len(uint(n)) - 1
	return 19 + width, 1 << width, width
}
