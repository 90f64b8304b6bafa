package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// errShort is the cause of every error about input that ends within a value.
var errShort = errors.New("input ends within a value")

// Decoder walks the Avro encoding of values in a byte slice. After the first
// error all methods return zero values; check Err where a record ends. Bytes
// and Text return views of the input, which must not change while they are in
// use. It is not safe for concurrent use.
type Decoder struct {
	b   []byte
	i   int
	err error
}

// NewDecoder reads from b.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Reset starts over with new input.
func (d *Decoder) Reset(b []byte) { d.b, d.i, d.err = b, 0, nil }

// Err is the first error met.
func (d *Decoder) Err() error { return d.err }

// Fail makes err the decoder's error unless it has one, and ends the input.
func (d *Decoder) Fail(err error) {
	if d.err == nil {
		d.err = fmt.Errorf("at byte %d: %w", d.i, err)
	}
	d.i = len(d.b)
}

// Offset is the number of bytes consumed.
func (d *Decoder) Offset() int { return d.i }

// Left is the number of bytes not yet consumed.
func (d *Decoder) Left() int { return len(d.b) - d.i }

// Rest is a view of the bytes not yet consumed.
func (d *Decoder) Rest() []byte { return d.b[d.i:] }

// Since is a view of the bytes consumed since an earlier Offset.
func (d *Decoder) Since(offset int) []byte { return d.b[offset:d.i:d.i] }

// Long reads an int or a long.
func (d *Decoder) Long() int64 {
	if d.i < len(d.b) && d.b[d.i] < 0x80 {
		u := uint64(d.b[d.i])
		d.i++
		return int64(u>>1) ^ -int64(u&1)
	}
	return d.longSlow()
}

func (d *Decoder) longSlow() int64 {
	if d.err != nil {
		return 0
	}
	u, n := binary.Uvarint(d.b[d.i:])
	if n <= 0 {
		if n == 0 {
			d.Fail(errShort)
		} else {
			d.Fail(errors.New("number longer than 64 bits"))
		}
		return 0
	}
	d.i += n
	return int64(u>>1) ^ -int64(u&1)
}

// Int reads an int, refusing values beyond 32 bits.
func (d *Decoder) Int() int32 {
	v := d.Long()
	if v < math.MinInt32 || v > math.MaxInt32 {
		d.Fail(fmt.Errorf("%d is not a 32 bit number", v))
		return 0
	}
	return int32(v)
}

// Bool reads a boolean.
func (d *Decoder) Bool() bool {
	b := d.Fixed(1)
	if len(b) == 1 && b[0] > 1 {
		d.Fail(fmt.Errorf("byte %#x is not a boolean", b[0]))
	}
	return len(b) == 1 && b[0] == 1
}

// Float reads a float.
func (d *Decoder) Float() float32 {
	if b := d.Fixed(4); len(b) == 4 {
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// Double reads a double.
func (d *Decoder) Double() float64 {
	if b := d.Fixed(8); len(b) == 8 {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// Fixed is a view of the next n bytes, nil when there are fewer.
func (d *Decoder) Fixed(n int) []byte {
	if n < 0 || n > len(d.b)-d.i {
		d.Fail(errShort)
		return nil
	}
	b := d.b[d.i : d.i+n : d.i+n]
	d.i += n
	return b
}

// Bytes is a view of a bytes or string value; not nil unless there was an error.
func (d *Decoder) Bytes() []byte {
	n := d.Long()
	if d.err != nil {
		return nil
	}
	if n < 0 || n > int64(len(d.b)-d.i) {
		d.Fail(fmt.Errorf("length %d: %w", n, errShort))
		return nil
	}
	b := d.b[d.i : d.i+int(n) : d.i+int(n)]
	d.i += int(n)
	return b
}

// Text is a string value that shares the memory of the input.
func (d *Decoder) Text() string {
	b := d.Bytes()
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b)) // the input does not change, by the contract of Decoder
}

// Count reads the head of an array or map block: the number of items that
// follow, 0 at the end. minItem is the fewest bytes that an item can take; a
// count that cannot fit in what is left is an error, so that a loop over it,
// or a slice of it, is bounded by the input.
func (d *Decoder) Count(minItem int) int {
	n := d.Long()
	if n < 0 {
		if n == math.MinInt64 {
			d.Fail(errors.New("item count out of range"))
			return 0
		}
		n = -n
		if size := d.Long(); size < 0 || size > int64(d.Left()) {
			d.Fail(fmt.Errorf("block of %d bytes: %w", size, errShort))
			return 0
		}
	}
	if n > int64(d.Left())/int64(max(minItem, 1)) {
		d.Fail(fmt.Errorf("%d items: %w", n, errShort))
		return 0
	}
	return int(n)
}

// Branch reads the index of a union's branch, which must be below n.
func (d *Decoder) Branch(n int) int {
	k := d.Long()
	if k < 0 || k >= int64(n) {
		d.Fail(fmt.Errorf("union branch %d of %d", k, n))
		return 0
	}
	return int(k)
}

// Skip passes over one value of the schema.
func (d *Decoder) Skip(s *Schema) {
	switch s.Kind {
	case Null:
	case Boolean:
		d.Bool()
	case Int, Long:
		d.Long()
	case Enum:
		d.Branch(len(s.Symbols))
	case Float:
		d.Fixed(4)
	case Double:
		d.Fixed(8)
	case Bytes, String:
		d.Bytes()
	case Fixed:
		d.Fixed(s.Size)
	case Record:
		for i := range s.Fields {
			d.Skip(s.Fields[i].Type)
		}
	case Union:
		if k := d.Branch(len(s.Branches)); d.err == nil {
			d.Skip(s.Branches[k])
		}
	case Array, Map:
		d.skipItems(s)
	}
}

func (d *Decoder) skipItems(s *Schema) {
	for d.err == nil {
		n := d.itemCount(s)
		if n == 0 {
			return
		}
		for range n {
			if s.Kind == Map {
				d.Bytes()
			}
			d.Skip(s.Items)
			if d.err != nil {
				return
			}
		}
	}
}

// itemCount is Count for any schema. Items that take no bytes are allowed in
// any number, so they are not looped over.
func (d *Decoder) itemCount(s *Schema) int {
	least := s.Items.MinSize()
	if s.Kind == Map {
		least++
	}
	if least > 0 {
		return d.Count(least)
	}
	for d.err == nil {
		n := d.Long()
		if n < 0 {
			d.Long()
		}
		if n == 0 {
			break
		}
	}
	return 0
}
