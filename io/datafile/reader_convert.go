package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// newVector chooses how the leaf's physical values become cells of the wanted
// type, or says that they cannot.
func newVector(leaf *node, t schema.Type, alloc memory.Allocator) (vector, error) {
	c := coded{physical: leaf.physical}
	switch leaf.physical {
	case pInt32, pFloat:
		c.width = 4
	case pInt64, pDouble:
		c.width = 8
	case pInt96:
		c.width = 12
	case pFixed:
		if c.width = int(leaf.length); c.width <= 0 {
			return nil, fmt.Errorf("values of %d bytes", c.width)
		}
	}
	cannot := fmt.Errorf("%s cannot be read from %s", t, physicalNames[leaf.physical])
	want := func(physical int32) error {
		if leaf.physical != physical {
			return cannot
		}
		return nil
	}
	switch t.Kind {
	case schema.Boolean:
		return &boolVector{alloc: alloc}, want(pBoolean)
	case schema.TinyInt:
		return &fixedVector[int8]{coded: c, alloc: alloc, plain: narrow[int8]}, want(pInt32)
	case schema.SmallInt:
		return &fixedVector[int16]{coded: c, alloc: alloc, plain: narrow[int16]}, want(pInt32)
	case schema.Int, schema.Date, schema.Time:
		return &fixedVector[int32]{coded: c, alloc: alloc, plain: same4}, want(pInt32)
	case schema.BigInt:
		return &fixedVector[int64]{coded: c, alloc: alloc, plain: same8}, want(pInt64)
	case schema.Float:
		return &fixedVector[int32]{coded: c, alloc: alloc, plain: same4}, want(pFloat)
	case schema.Double:
		return &fixedVector[int64]{coded: c, alloc: alloc, plain: same8}, want(pDouble)
	case schema.Timestamp, schema.TimestampLTZ:
		return timestampVector(c, leaf, t, alloc, cannot)
	case schema.Decimal:
		return decimalVector(c, leaf, t, alloc, cannot)
	case schema.Char, schema.VarChar, schema.Binary, schema.VarBinary:
		if leaf.physical != pFixed {
			return &bytesVector{coded: c, alloc: alloc}, want(pBytes)
		}
		return &bytesVector{coded: c, alloc: alloc}, nil
	}
	return nil, cannot
}

func same4(dst []int32, src []byte) error {
	if littleEndian {
		copy(raw(dst), src)
		return nil
	}
	for i := range dst {
		dst[i] = int32(binary.LittleEndian.Uint32(src[4*i:]))
	}
	return nil
}

func same8(dst []int64, src []byte) error {
	if littleEndian {
		copy(raw(dst), src)
		return nil
	}
	for i := range dst {
		dst[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return nil
}

func narrow[T int8 | int16](dst []T, src []byte) error {
	lost := int32(0)
	for i := range dst {
		v := int32(binary.LittleEndian.Uint32(src[4*i:]))
		dst[i] = T(v)
		lost |= v ^ int32(T(v))
	}
	if lost != 0 {
		return errors.New("an integer is too large for its type")
	}
	return nil
}

// Units of time, as parts of a second.
const (
	milli = 1_000
	micro = 1_000_000
	nano  = 1_000_000_000
)

// arrowUnit is the unit of Arrow timestamps of a precision.
func arrowUnit(precision int) int64 {
	switch {
	case precision <= 0:
		return 1
	case precision <= 3:
		return milli
	case precision <= 6:
		return micro
	}
	return nano
}

// errEra is the one limit of Arrow's timestamps: 64 bits of nanoseconds.
func errEra() error {
	return fault.Unsupported("a timestamp of precision above 6 outside 1677-09-21 to 2262-04-11", "alter the column to TIMESTAMP(6)")
}

func timestampVector(c coded, leaf *node, t schema.Type, alloc memory.Allocator, cannot error) (vector, error) {
	v := &fixedVector[int64]{coded: c, alloc: alloc}
	to := arrowUnit(t.Precision)
	switch leaf.physical {
	case pInt96:
		v.plain = func(dst []int64, src []byte) error { return int96(dst, src, to) }
		return v, nil
	case pInt64:
		from, err := leafUnit(leaf, t)
		if err != nil {
			return nil, err
		}
		v.plain = func(dst []int64, src []byte) error {
			if err := same8(dst, src); err != nil {
				return err
			}
			return rescale(dst, from, to)
		}
		return v, nil
	}
	return nil, cannot
}

// leafUnit is the unit of a 64-bit timestamp in the file.
func leafUnit(leaf *node, t schema.Type) (int64, error) {
	switch leaf.annotation {
	case annMillis:
		return milli, nil
	case annMicros:
		return micro, nil
	case annNanos:
		return nano, nil
	}
	switch {
	case t.Precision <= 3:
		return milli, nil
	case t.Precision <= 6:
		return micro, nil
	}
	return 0, fmt.Errorf("%s is stored as INT64 without a unit", t)
}

// rescale changes the unit of timestamps, rounding down.
func rescale(ts []int64, from, to int64) error {
	switch {
	case from < to:
		f := to / from
		limit := (1<<63 - 1) / f
		for i, v := range ts {
			if v > limit || v < -limit {
				w, ok := scaleEdge(v, f)
				if !ok {
					return outOfRange(to)
				}
				ts[i] = w
				continue
			}
			ts[i] = v * f
		}
	case from > to:
		f := from / to
		for i, v := range ts {
			ts[i] = divDown(v, f)
		}
	}
	return nil
}

// scaleEdge multiplies at the edge of the range, where only exact checks help.
func scaleEdge(v, f int64) (int64, bool) {
	w := v * f
	return w, w/f == v
}

func outOfRange(unit int64) error {
	if unit == nano {
		return errEra()
	}
	return errors.New("a timestamp is out of range")
}

func divDown(v, f int64) int64 {
	q := v / f
	if v%f < 0 {
		q--
	}
	return q
}

// julianEpoch is the Julian day number of 1970-01-01.
const julianEpoch = 2440588

// int96 reads nanoseconds of the day and Julian day. Writers that divide
// towards zero leave negative nanoseconds before 1970; they simply add up.
func int96(dst []int64, src []byte, unit int64) error {
	per := nano / unit
	limit := int64(1<<63-1)/unit - 1 // in seconds, exact enough away from the edge
	for i := range dst {
		b := src[12*i : 12*i+12]
		n := int64(binary.LittleEndian.Uint64(b))
		sec := (int64(int32(binary.LittleEndian.Uint32(b[8:])))-julianEpoch)*86400 + divDown(n, nano)
		n -= divDown(n, nano) * nano
		if sec > limit || sec < -limit {
			v, ok := int96Edge(sec, n/per, unit)
			if !ok {
				return outOfRange(unit)
			}
			dst[i] = v
			continue
		}
		dst[i] = sec*unit + n/per
	}
	return nil
}

// int96Edge computes sec*unit + part with exact checks; part is not negative.
func int96Edge(sec, part, unit int64) (int64, bool) {
	if sec < 0 { // come from above, so that no step in between overflows
		sec++
		part -= unit
	}
	v, ok := scaleEdge(sec, unit)
	if !ok {
		return 0, false
	}
	w := v + part
	return w, (part >= 0) == (w >= v)
}

func decimalVector(c coded, leaf *node, t schema.Type, alloc memory.Allocator, cannot error) (vector, error) {
	if leaf.annotation == annDecimal && int(leaf.scale) != t.Scale {
		return nil, fmt.Errorf("%s is stored with scale %d", t, leaf.scale)
	}
	v := &fixedVector[decimal128.Num]{coded: c, alloc: alloc}
	switch leaf.physical {
	case pInt32:
		v.plain = decimal4
	case pInt64:
		v.plain = decimal8
	case pFixed:
		w := c.width
		v.plain = func(dst []decimal128.Num, src []byte) (err error) {
			for i := range dst {
				if dst[i], err = bigDecimal(src[i*w : i*w+w]); err != nil {
					return err
				}
			}
			return nil
		}
	case pBytes:
		v.one = bigDecimal
	default:
		return nil, cannot
	}
	return v, nil
}

func decimal4(dst []decimal128.Num, src []byte) error {
	for i := range dst {
		v := int64(int32(binary.LittleEndian.Uint32(src[4*i:])))
		dst[i] = decimal128.New(v>>63, uint64(v))
	}
	return nil
}

func decimal8(dst []decimal128.Num, src []byte) error {
	src = src[:8*len(dst)]
	for i := range dst {
		v := int64(binary.LittleEndian.Uint64(src[8*i:]))
		dst[i] = decimal128.New(v>>63, uint64(v))
	}
	return nil
}

// bigDecimal reads a big-endian two's complement integer of any length that
// fits 128 bits.
func bigDecimal(b []byte) (decimal128.Num, error) {
	if len(b) == 0 {
		return decimal128.Num{}, errors.New("a decimal has no bytes")
	}
	sign := byte(int8(b[0]) >> 7)
	for len(b) > 16 {
		if b[0] != sign || byte(int8(b[1])>>7) != sign {
			return decimal128.Num{}, errors.New("a decimal exceeds 128 bits")
		}
		b = b[1:]
	}
	var full [16]byte
	if sign != 0 {
		for i := range full {
			full[i] = sign
		}
	}
	copy(full[16-len(b):], b)
	return decimal128.New(int64(binary.BigEndian.Uint64(full[:8])), binary.BigEndian.Uint64(full[8:])), nil
}
