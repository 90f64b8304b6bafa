package fileindex

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/cespare/xxhash/v2"
)

// mostProbes is more than any error rate of a 64-bit number asks for.
const mostProbes = 2048

// Bloom is a Bloom filter of the values of a column.
type Bloom struct {
	probes uint32
	bits   []byte
}

func parseBloom(body []byte) (*Bloom, error) {
	if len(body) < 5 || int64(len(body)-4) > math.MaxInt32/8 {
		return nil, fmt.Errorf("%d bytes are no filter", len(body))
	}
	b := &Bloom{probes: binary.BigEndian.Uint32(body), bits: body[4:]}
	if b.probes == 0 || b.probes > mostProbes {
		return nil, fmt.Errorf("%d hash functions are impossible", b.probes)
	}
	return b, nil
}

// Bytes is the size of the filter.
func (b *Bloom) Bytes() int { return len(b.bits) }

// Clone is the filter in memory of its own.
func (b *Bloom) Clone() *Bloom {
	return &Bloom{probes: b.probes, bits: append([]byte(nil), b.bits...)}
}

// MayHold is false when no row has the value of col at row, which is not null.
func (b *Bloom) MayHold(col arrow.Array, row int) bool {
	h, ok := hash(col, row)
	return !ok || b.has(h)
}

func (b *Bloom) has(h uint64) bool {
	at, step := uint32(h), uint32(h>>32)
	bits := uint32(len(b.bits)) * 8
	for range b.probes {
		at += step
		c := at
		if int32(c) < 0 {
			c = ^c
		}
		c %= bits
		if b.bits[c>>3]&(1<<(c&7)) == 0 {
			return false
		}
	}
	return true
}

// hash is what a value is known by in filters. Values of types that have no
// filters have none, and neither do those that are equal to others of another
// hash: zero, which may be negative, and NaN.
func hash(col arrow.Array, row int) (h uint64, ok bool) {
	switch c := col.(type) {
	case *array.Int8:
		return mix(int64(c.Value(row))), true
	case *array.Int16:
		return mix(int64(c.Value(row))), true
	case *array.Int32:
		return mix(int64(c.Value(row))), true
	case *array.Int64:
		return mix(c.Value(row)), true
	case *array.Date32:
		return mix(int64(c.Value(row))), true
	case *array.Time32:
		return mix(int64(c.Value(row))), true
	case *array.Timestamp:
		return mix(instant(c.DataType().(*arrow.TimestampType).Unit, int64(c.Value(row)))), true
	case *array.Float32:
		v := c.Value(row)
		return mix(int64(int32(math.Float32bits(v)))), v < 0 || v > 0
	case *array.Float64:
		v := c.Value(row)
		return mix(int64(math.Float64bits(v))), v < 0 || v > 0
	case *array.String:
		return xxhash.Sum64String(c.Value(row)), true
	case *array.Binary:
		return xxhash.Sum64(c.Value(row)), true
	}
	return 0, false
}

// instant is a time in milliseconds, or in microseconds when it may have some.
func instant(unit arrow.TimeUnit, v int64) int64 {
	switch unit {
	case arrow.Second:
		return v * 1000
	case arrow.Nanosecond:
		micros := v / 1000
		if v%1000 < 0 {
			micros--
		}
		return micros
	}
	return v
}

// mix is Thomas Wang's hash of a 64-bit integer, with arithmetic shifts.
func mix(k int64) uint64 {
	k = ^k + k<<21
	k ^= k >> 24
	k = k + k<<3 + k<<8
	k ^= k >> 14
	k = k + k<<2 + k<<4
	k ^= k >> 28
	k += k << 31
	return uint64(k)
}
