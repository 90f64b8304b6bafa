package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// delta decodes DELTA_BINARY_PACKED: the first value, then blocks of
// differences, bit-packed in miniblocks relative to the least of their block.
// Like hybrid it decodes only what is asked for.
type delta struct {
	src    []byte
	minis  int // miniblocks in a block
	per    int // values in a miniblock
	left   int // values not yet read
	first  bool
	last   int64
	least  int64
	widths []byte // of the miniblocks left in the block
	packed []byte
	bit    int
	width  uint
	inMini int // values left in the miniblock
}

var errDelta = errors.New("delta-packed integers end early")

// deltaBlock bounds the size of a block; writers use 128.
const deltaBlock = 1 << 16

func (d *delta) reset(src []byte) error {
	*d = delta{src: src, first: true}
	block, err := d.uvarint()
	if err != nil {
		return err
	}
	minis, err := d.uvarint()
	if err != nil {
		return err
	}
	total, err := d.uvarint()
	if err != nil {
		return err
	}
	first, err := d.uvarint()
	if err != nil {
		return err
	}
	if block == 0 || block > deltaBlock || minis == 0 || minis > block || block%minis != 0 || block/minis%8 != 0 || total > 1<<31 {
		return fmt.Errorf("delta-packed integers in blocks of %d, %d miniblocks, %d in all", block, minis, total)
	}
	d.minis, d.per, d.left = int(minis), int(block/minis), int(total)
	d.last = zigzag(first)
	return nil
}

func zigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func (d *delta) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.src)
	if n <= 0 {
		return 0, errDelta
	}
	d.src = d.src[n:]
	return v, nil
}

// miniblock starts the next miniblock, of the next block when need be.
func (d *delta) miniblock() error {
	if len(d.widths) == 0 {
		least, err := d.uvarint()
		if err != nil {
			return err
		}
		if d.minis > len(d.src) {
			return errDelta
		}
		d.least = zigzag(least)
		d.widths, d.src = d.src[:d.minis], d.src[d.minis:]
	}
	d.width = uint(d.widths[0])
	d.widths = d.widths[1:]
	size := int(d.width) * d.per / 8
	if d.width > 64 {
		return errDelta
	}
	if size > len(d.src) { // the last one may lack its padding
		if int(d.width)*min(d.left, d.per) > 8*len(d.src) {
			return errDelta
		}
		size = len(d.src)
	}
	d.packed, d.src = d.src[:min(size+8, len(d.src))], d.src[size:] // with a few bytes more, so that values load as words
	d.bit, d.inMini = 0, d.per
	return nil
}

// read fills dst.
func (d *delta) read(dst []int64) error {
	if len(dst) > d.left {
		return errDelta
	}
	if d.first && len(dst) > 0 {
		dst[0] = d.last
		d.first = false
		d.left--
		dst = dst[1:]
	}
	for len(dst) > 0 {
		if d.inMini == 0 {
			if err := d.miniblock(); err != nil {
				return err
			}
		}
		n := min(len(dst), d.inMini)
		d.unpack(dst[:n])
		d.inMini -= n
		d.left -= n
		dst = dst[n:]
	}
	return nil
}

func (d *delta) unpack(dst []int64) {
	last, least, bit, w := d.last, d.least, d.bit, d.width
	switch {
	case w == 0:
		for i := range dst {
			last += least
			dst[i] = last
		}
	case w <= 56:
		mask := uint64(1)<<w - 1
		p, i := d.packed, 0
		for ; i < len(dst); i++ {
			at := bit >> 3
			if at+8 > len(p) {
				break
			}
			last += least + int64(binary.LittleEndian.Uint64(p[at:])>>(bit&7)&mask)
			dst[i] = last
			bit += int(w)
		}
		for ; i < len(dst); i++ { // at the end of the miniblock
			last += least + int64(load64(p, bit>>3)>>(bit&7)&mask)
			dst[i] = last
			bit += int(w)
		}
	default:
		for i := range dst {
			at, s := bit>>3, bit&7
			v := load64(d.packed, at) >> s
			if s > 0 {
				v |= load64(d.packed, at+8) << (64 - s)
			}
			last += least + int64(v<<(64-w)>>(64-w))
			dst[i] = last
			bit += int(w)
		}
	}
	d.last, d.bit = last, bit
}

// after returns what follows the integers, without decoding them.
func (d *delta) after() ([]byte, error) {
	e := *d
	if e.first && e.left > 0 {
		e.left--
		e.first = false
	}
	for e.left > 0 {
		if err := e.miniblock(); err != nil {
			return nil, err
		}
		e.left -= min(e.left, e.per)
	}
	return e.src, nil
}

// deltaBytes decodes DELTA_LENGTH_BYTE_ARRAY, whose lengths stand before all
// bytes, and DELTA_BYTE_ARRAY, where in addition each value repeats a prefix
// of the one before.
type deltaBytes struct {
	prefixed bool
	prefix   delta
	length   delta
	data     []byte
	last     []byte
	left     int
	at, have int
	prefixes [64]int64
	lengths  [64]int64
}

func (d *deltaBytes) reset(src []byte, prefixed bool) (err error) {
	d.prefixed, d.at, d.have = prefixed, 0, 0
	d.last = d.last[:0]
	if prefixed {
		if err := d.prefix.reset(src); err != nil {
			return err
		}
		if src, err = d.prefix.after(); err != nil {
			return err
		}
	}
	if err := d.length.reset(src); err != nil {
		return err
	}
	d.left = d.length.left
	if prefixed && d.prefix.left != d.left {
		return fmt.Errorf("%d prefixes for %d values", d.prefix.left, d.left)
	}
	d.data, err = d.length.after()
	return err
}

func (d *deltaBytes) refill() error {
	n := min(d.left, len(d.lengths))
	if n == 0 {
		return errDelta
	}
	if err := d.length.read(d.lengths[:n]); err != nil {
		return err
	}
	if d.prefixed {
		if err := d.prefix.read(d.prefixes[:n]); err != nil {
			return err
		}
	}
	d.at, d.have = 0, n
	d.left -= n
	return nil
}

// next returns the next value, which is valid until the call after.
func (d *deltaBytes) next() ([]byte, error) {
	if d.at == d.have {
		if err := d.refill(); err != nil {
			return nil, err
		}
	}
	n := d.lengths[d.at]
	if n < 0 || n > int64(len(d.data)) {
		return nil, fmt.Errorf("value of %d bytes, %d are left", n, len(d.data))
	}
	v := d.data[:n]
	d.data = d.data[n:]
	if d.prefixed {
		p := d.prefixes[d.at]
		if p < 0 || p > int64(len(d.last)) {
			return nil, fmt.Errorf("prefix of %d bytes of a value of %d", p, len(d.last))
		}
		if p+n > pageCap {
			return nil, errors.New("value is longer than a page may be")
		}
		d.last = append(d.last[:p], v...)
		v = d.last
	}
	d.at++
	return v, nil
}
