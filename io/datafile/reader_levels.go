package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Levels, dictionary indexes and booleans of v2 pages share one encoding: runs
// that are either one value repeated or groups of eight values, bit-packed:
//
//	varint n<<1    | value in whole bytes              n times the value
//	varint n<<1|1  | n groups of 8 values, width bits  least significant bit first
//
// hybrid decodes it as it is asked to, so that a run of a billion equal values
// costs nothing until somebody wants them.
type hybrid struct {
	src    []byte // after the current run
	width  uint
	left   int // values left in the current run
	value  uint32
	packed []byte // the current run, when bit-packed
	bit    int    // position in packed
}

var errRuns = errors.New("runs of values end early")

func (h *hybrid) reset(src []byte, width uint) error {
	if width > 32 {
		return fmt.Errorf("runs of values with %d bits each", width)
	}
	*h = hybrid{src: src, width: width}
	return nil
}

// run starts the next run.
func (h *hybrid) run() error {
	if h.width == 0 { // no bits needed: an endless run of zeros, with or without bytes
		h.left, h.value, h.packed = 1<<30, 0, nil
		return nil
	}
	head, n := binary.Uvarint(h.src)
	if n <= 0 {
		return errRuns
	}
	h.src = h.src[n:]
	count := head >> 1
	if head&1 == 0 {
		return h.repeat(count)
	}
	size := count * uint64(h.width)
	if count > 1<<28 || size > uint64(len(h.src)) { // the last run of some writers lacks its padding
		size = uint64(len(h.src))
	}
	h.packed, h.src = h.src[:size], h.src[size:]
	h.bit = 0
	h.left = int(min(size*8/uint64(h.width), count*8))
	if h.left == 0 {
		return errRuns
	}
	return nil
}

func (h *hybrid) repeat(count uint64) error {
	size := int(h.width+7) / 8
	if size > len(h.src) || count == 0 || count > 1<<31 {
		return errRuns
	}
	var v uint32
	for i := range size {
		v |= uint32(h.src[i]) << (8 * i)
	}
	if h.width < 32 && v >= 1<<h.width {
		return fmt.Errorf("repeated value %d does not fit %d bits", v, h.width)
	}
	h.src = h.src[size:]
	h.left, h.value, h.packed = int(count), v, nil
	return nil
}

// read fills dst.
func (h *hybrid) read(dst []uint32) error {
	for len(dst) > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return err
			}
		}
		n := min(h.left, len(dst))
		if h.packed == nil {
			for i := range dst[:n] {
				dst[i] = h.value
			}
		} else {
			unpackBits(dst[:n], h.packed, h.bit, h.width)
			h.bit += n * int(h.width)
		}
		h.left -= n
		dst = dst[n:]
	}
	return nil
}

// levels fills dst with values that fit a byte and checks them against top.
func (h *hybrid) levels(dst []uint8, scratch []uint32, top uint8) error {
	for len(dst) > 0 {
		n := min(len(dst), len(scratch))
		if err := h.read(scratch[:n]); err != nil {
			return err
		}
		for i, v := range scratch[:n] {
			if v > uint32(top) {
				return fmt.Errorf("level %d is above %d", v, top)
			}
			dst[i] = uint8(v)
		}
		dst = dst[n:]
	}
	return nil
}

func (h *hybrid) skip(n int) error {
	for n > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return err
			}
		}
		k := min(h.left, n)
		h.bit += k * int(h.width)
		h.left -= k
		n -= k
	}
	return nil
}

// bits appends n one-bit values to a bitmap at position at, and counts the ones.
// Bit-packed levels lie in the file as Arrow wants them in a bitmap.
func (h *hybrid) bits(dst []byte, at, n int) (ones int, err error) {
	for n > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return 0, err
			}
		}
		k := min(h.left, n)
		switch {
		case h.packed != nil:
			ones += copyBits(dst, at, h.packed, h.bit, k)
			h.bit += k
		case h.value != 0:
			setBits(dst, at, k)
			ones += k
		default:
			clearBits(dst, at, k)
		}
		h.left -= k
		at += k
		n -= k
	}
	return ones, nil
}

// countBits steps over n one-bit values and counts the ones.
func (h *hybrid) countBits(n int) (ones int, err error) {
	var scrap [64]byte
	for n > 0 {
		k := min(n, 8*len(scrap))
		c, err := h.bits(scrap[:], 0, k)
		if err != nil {
			return 0, err
		}
		ones += c
		n -= k
	}
	return ones, nil
}

// load64 reads up to eight bytes of b from i on, zeros beyond its end.
func load64(b []byte, i int) uint64 {
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:])
	}
	var v uint64
	for s := 0; i < len(b); i, s = i+1, s+8 {
		v |= uint64(b[i]) << s
	}
	return v
}

// unpackBits reads len(dst) values of width bits each from bit on.
func unpackBits(dst []uint32, src []byte, bit int, width uint) {
	mask := uint32(1)<<width - 1
	if width == 32 {
		mask = ^uint32(0)
	}
	i := 0
	if width <= 8 {
		// A load moved by up to seven bits still holds seven values of eight
		// bits; from a byte boundary it holds eight.
		for ; i < len(dst) && bit&7 != 0; i, bit = i+1, bit+int(width) {
			dst[i] = uint32(load64(src, bit>>3)>>(bit&7)) & mask
		}
		for at := bit >> 3; i+8 <= len(dst) && at+8 <= len(src); i, at, bit = i+8, at+int(width), bit+8*int(width) {
			v := binary.LittleEndian.Uint64(src[at:])
			d := dst[i : i+8 : i+8]
			d[0] = uint32(v) & mask
			d[1] = uint32(v>>(width&63)) & mask
			d[2] = uint32(v>>(2*width&63)) & mask
			d[3] = uint32(v>>(3*width&63)) & mask
			d[4] = uint32(v>>(4*width&63)) & mask
			d[5] = uint32(v>>(5*width&63)) & mask
			d[6] = uint32(v>>(6*width&63)) & mask
			d[7] = uint32(v>>(7*width&63)) & mask
		}
	} else if width <= 16 {
		for ; i+3 <= len(dst) && bit>>3+8 <= len(src); i, bit = i+3, bit+3*int(width) {
			v := binary.LittleEndian.Uint64(src[bit>>3:]) >> (bit & 7)
			d := dst[i : i+3 : i+3]
			d[0] = uint32(v) & mask
			d[1] = uint32(v>>(width&63)) & mask
			d[2] = uint32(v>>(2*width&63)) & mask
		}
	}
	for ; i < len(dst); i, bit = i+1, bit+int(width) {
		dst[i] = uint32(load64(src, bit>>3)>>(bit&7)) & mask
	}
}

// copyBits copies n bits and counts the ones among them. Bits of dst from
// at+n to the end of their byte become zero.
func copyBits(dst []byte, at int, src []byte, from, n int) (ones int) {
	for at&7 != 0 && n > 0 {
		b := src[from>>3] >> (from & 7) & 1
		dst[at>>3] = dst[at>>3]&(1<<(at&7)-1) | b<<(at&7)
		ones += int(b)
		at, from, n = at+1, from+1, n-1
	}
	for ; n >= 56; at, from, n = at+56, from+56, n-56 {
		v := load64(src, from>>3) >> (from & 7) & (1<<56 - 1)
		ones += bits.OnesCount64(v)
		if at>>3+8 <= len(dst) {
			binary.LittleEndian.PutUint64(dst[at>>3:], v)
			continue
		}
		for i := range 7 {
			dst[at>>3+i] = byte(v >> (8 * i))
		}
	}
	if n > 0 {
		v := load64(src, from>>3) >> (from & 7) & (1<<n - 1)
		ones += bits.OnesCount64(v)
		for i := 0; i < n; i += 8 {
			dst[(at+i)>>3] = byte(v >> i)
		}
	}
	return ones
}

func setBits(dst []byte, at, n int) { fillBits(dst, at, n, 0xff) }

func clearBits(dst []byte, at, n int) { fillBits(dst, at, n, 0) }

// fillBits writes n equal bits; those after them in the last byte become zero.
func fillBits(dst []byte, at, n int, with byte) {
	if n == 0 {
		return
	}
	end := at + n
	first, last := at>>3, (end-1)>>3
	low := byte(1)<<(at&7) - 1
	keep := dst[first] & low
	for i := first; i <= last; i++ {
		dst[i] = with
	}
	dst[first] = keep | dst[first]&^low
	if end&7 != 0 {
		dst[last] &= 1<<(end&7) - 1
	}
}
