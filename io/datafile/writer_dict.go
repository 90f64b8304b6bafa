package datafile

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
	"unsafe"
)

// Dictionaries number the distinct values of a column chunk. Both kinds are
// open-addressed tables of value numbers plus one; a slot of 0 is free.

// maxDictBytes is where a dictionary stops to pay: the limit of parquet-mr.
const maxDictBytes = 1 << 20

const minDictSlots = 64

// fixedDict numbers values of 4 or 8 bytes by their bits, so that two NaNs or
// the two zeros stay what they are.
type fixedDict[T fixedValue] struct {
	values []T
	slots  []uint32
	shift  uint
	last   T
	lastID uint32
}

func (d *fixedDict[T]) reset() {
	d.values = d.values[:0]
	clear(d.slots)
}

func (d *fixedDict[T]) bytes() int { return len(d.values) * int(unsafe.Sizeof(*new(T))) }

func valueBits[T fixedValue](v T) uint64 {
	if unsafe.Sizeof(v) == 4 {
		return uint64(*(*uint32)(unsafe.Pointer(&v)))
	}
	return *(*uint64)(unsafe.Pointer(&v))
}

// number appends the number of each value to ids.
func (d *fixedDict[T]) number(ids []uint32, vals []T) []uint32 {
	for _, v := range vals {
		if len(d.values) > 0 && valueBits(v) == valueBits(d.last) {
			ids = append(ids, d.lastID)
			continue
		}
		if 2*len(d.values) >= len(d.slots) {
			d.resize()
		}
		id := d.find(v)
		d.last, d.lastID = v, id
		ids = append(ids, id)
	}
	return ids
}

func (d *fixedDict[T]) find(v T) uint32 {
	mask := uint64(len(d.slots) - 1)
	key := valueBits(v)
	for at := key * 0x9E3779B97F4A7C15 >> d.shift; ; at = (at + 1) & mask {
		slot := d.slots[at]
		if slot == 0 {
			d.values = append(d.values, v)
			d.slots[at] = uint32(len(d.values))
			return uint32(len(d.values) - 1)
		}
		if valueBits(d.values[slot-1]) == key {
			return slot - 1
		}
	}
}

func (d *fixedDict[T]) resize() {
	n := max(minDictSlots, 2*len(d.slots))
	d.slots = make([]uint32, n)
	d.shift = uint(64 - bits.Len(uint(n-1)))
	mask := uint64(n - 1)
	for i, v := range d.values {
		at := valueBits(v) * 0x9E3779B97F4A7C15 >> d.shift
		for d.slots[at] != 0 {
			at = (at + 1) & mask
		}
		d.slots[at] = uint32(i + 1)
	}
}

// bytesDict numbers byte strings. The values lie one after the other in arena,
// already in the form of the dictionary page: with a length each unless they
// are all of one width.
type bytesDict struct {
	width  int // of every value; 0 when each carries its length
	arena  []byte
	ends   []uint32 // where value i ends in arena
	hashes []uint32
	slots  []uint32
	seed   maphash.Seed
	key    uint64
	seeded bool
}

func (d *bytesDict) reset() {
	d.arena, d.ends, d.hashes = d.arena[:0], d.ends[:0], d.hashes[:0]
	clear(d.slots)
}

func (d *bytesDict) bytes() int { return len(d.arena) }

func (d *bytesDict) value(id uint32) []byte {
	start := uint32(0)
	if id > 0 {
		start = d.ends[id-1]
	}
	if d.width == 0 {
		start += 4
	}
	return d.arena[start:d.ends[id]]
}

func (d *bytesDict) number(v []byte) uint32 {
	if 2*len(d.ends) >= len(d.slots) {
		d.resize()
	}
	h := d.hash(v)
	mask := uint32(len(d.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		slot := d.slots[at]
		if slot == 0 {
			if d.width == 0 {
				d.arena = binary.LittleEndian.AppendUint32(d.arena, uint32(len(v)))
			}
			d.arena = append(d.arena, v...)
			d.ends = append(d.ends, uint32(len(d.arena)))
			d.hashes = append(d.hashes, h)
			d.slots[at] = uint32(len(d.ends))
			return uint32(len(d.ends) - 1)
		}
		if d.hashes[slot-1] == h && bytes.Equal(d.value(slot-1), v) {
			return slot - 1
		}
	}
}

// hash of short values is one multiplication of their two ends, keyed against
// values made to collide.
func (d *bytesDict) hash(v []byte) uint32 {
	var a, b uint64
	switch n := len(v); {
	case n > 16:
		return uint32(maphash.Bytes(d.seed, v))
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(v), binary.LittleEndian.Uint64(v[n-8:])
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(v)), uint64(binary.LittleEndian.Uint32(v[n-4:]))
	case n > 0:
		a = uint64(v[0]) | uint64(v[n/2])<<8 | uint64(v[n-1])<<16
	}
	hi, lo := bits.Mul64(a^d.key, b^d.key>>7^uint64(len(v))^0x9E3779B97F4A7C15)
	return uint32(hi ^ lo)
}

func (d *bytesDict) resize() {
	if !d.seeded {
		d.seed, d.seeded = maphash.MakeSeed(), true
		d.key = maphash.Bytes(d.seed, nil) | 1
	}
	n := max(minDictSlots, 2*len(d.slots))
	d.slots = make([]uint32, n)
	mask := uint32(n - 1)
	for i, h := range d.hashes {
		at := h & mask
		for d.slots[at] != 0 {
			at = (at + 1) & mask
		}
		d.slots[at] = uint32(i + 1)
	}
}
