package datafile

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/tidelake/tidelake/schema"
)

// A column's least and greatest value are kept at three levels, each merged
// into the next when it ends: page (column index), chunk (footer) and file
// (manifest). Only the page level looks at values, while they are hot in cache.

// fixedValue are the physical types held as numbers.
type fixedValue interface {
	int32 | int64 | float32 | float64
}

// span is the range of some values in the order of Java's Float.compare: -0
// below +0, and NaN, which is only noted, above everything.
type span[T fixedValue] struct {
	min, max T // of what is not NaN
	has, nan bool
}

func (s *span[T]) add(vals []T) {
	if !s.has {
		for len(vals) > 0 && vals[0] != vals[0] {
			s.nan = true
			vals = vals[1:]
		}
		if len(vals) == 0 {
			return
		}
		s.min, s.max, s.has = vals[0], vals[0], true
	}
	lo, hi := s.min, s.max
	nan := false
	for _, v := range vals {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
		nan = nan || v != v
	}
	s.min, s.max, s.nan = lo, hi, s.nan || nan
	if lo == 0 || hi == 0 {
		s.addZeros(vals)
	}
}

// addZeros tells -0 from +0 where zero is a bound; min and max of the language do.
func (s *span[T]) addZeros(vals []T) {
	for _, v := range vals {
		if v == 0 {
			s.min, s.max = min(s.min, v), max(s.max, v)
		}
	}
}

func (s *span[T]) merge(o *span[T]) {
	switch {
	case !o.has:
	case !s.has:
		s.min, s.max, s.has = o.min, o.max, true
	default:
		s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	}
	s.nan = s.nan || o.nan
}

// encode gives the bounds to Parquet, which has none when there is a NaN, and
// zeros of either sign because readers compare them as equal.
func (s *span[T]) encode() metadata.EncodedStatistics {
	var e metadata.EncodedStatistics
	if !s.has || s.nan {
		return e
	}
	lo, hi := s.min, s.max
	if lo == 0 {
		lo = T(math.Copysign(0, -1))
	}
	if hi == 0 {
		hi = 0
	}
	e.SetMin(appendFixed(nil, []T{lo})).SetMax(appendFixed(nil, []T{hi}))
	return e
}

// values are the bounds the manifest records: with NaN the greatest value.
func (s *span[T]) values(t schema.Type) (lo, hi any) {
	if !s.has && !s.nan {
		return nil, nil
	}
	nan := T(math.Float64frombits(0x7ff8000000000000)) // Java's bits
	least, greatest := s.min, s.max
	if !s.has {
		least = nan
	}
	if s.nan {
		greatest = nan
	}
	return metaValue(t, least), metaValue(t, greatest)
}

// bytesSpan is the range of byte strings in unsigned order. It owns its bytes.
type bytesSpan struct {
	min, max []byte
	has      bool
}

func (s *bytesSpan) add(v []byte) {
	switch {
	case !s.has:
		s.min, s.max, s.has = append(s.min[:0], v...), append(s.max[:0], v...), true
	case bytes.Compare(v, s.min) < 0:
		s.min = append(s.min[:0], v...)
	case bytes.Compare(v, s.max) > 0:
		s.max = append(s.max[:0], v...)
	}
}

func (s *bytesSpan) merge(o *bytesSpan) {
	if o.has {
		s.add(o.min)
		s.add(o.max)
	}
}

// Bounds of byte strings are cut in the page index, where they only locate,
// and left out of the footer when long: readers may take those for values.
const (
	maxIndexBound  = 64
	maxFooterBound = 2048
)

func (s *bytesSpan) encodePage() metadata.EncodedStatistics {
	var e metadata.EncodedStatistics
	if !s.has {
		return e
	}
	e.SetMin(bytes.Clone(s.min[:min(len(s.min), maxIndexBound)]))
	if hi, ok := cutUp(s.max, maxIndexBound); ok {
		e.SetMax(hi)
	} else {
		e.SetMax(bytes.Clone(s.max))
	}
	return e
}

func (s *bytesSpan) encodeChunk() metadata.EncodedStatistics {
	var e metadata.EncodedStatistics
	if s.has && len(s.min) <= maxFooterBound && len(s.max) <= maxFooterBound {
		e.SetMin(bytes.Clone(s.min)).SetMax(bytes.Clone(s.max))
	}
	return e
}

// cutUp shortens v to at most n bytes that still are not less than v: the last
// byte that can grow does, and what follows it goes. False when none can.
// Characters are kept whole, so text stays text.
func cutUp(v []byte, n int) ([]byte, bool) {
	if len(v) <= n {
		return bytes.Clone(v), true
	}
	cut := bytes.Clone(v[:n])
	for len(cut) > 0 {
		last := len(cut) - 1
		if cut[last] < 0x7f { // the end of one-byte characters; longer ones are dropped
			cut[last]++
			return cut, true
		}
		cut = cut[:last]
	}
	return nil, false
}

// decimalSpan is the range of wide decimals.
type decimalSpan struct {
	min, max decimal128.Num
	has      bool
}

func (s *decimalSpan) add(v decimal128.Num) {
	if !s.has {
		s.min, s.max, s.has = v, v, true
	}
	if v.Less(s.min) {
		s.min = v
	}
	if v.Greater(s.max) {
		s.max = v
	}
}

func (s *decimalSpan) merge(o *decimalSpan) {
	if o.has {
		s.add(o.min)
		s.add(o.max)
	}
}

func (s *decimalSpan) encode(width int) metadata.EncodedStatistics {
	var e metadata.EncodedStatistics
	if s.has {
		e.SetMin(appendDecimal(nil, s.min, width)).SetMax(appendDecimal(nil, s.max, width))
	}
	return e
}

// appendDecimal appends the width low bytes, big-endian.
func appendDecimal(dst []byte, v decimal128.Num, width int) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(v.HighBits()))
	binary.BigEndian.PutUint64(b[8:], v.LowBits())
	return append(dst, b[16-width:]...)
}

// metaValue turns a bound held as a number into the metadata value of its type.
func metaValue[T fixedValue](t schema.Type, v T) any {
	switch t.Kind {
	case schema.TinyInt:
		return int8(v)
	case schema.SmallInt:
		return int16(v)
	case schema.Int, schema.Date, schema.Time:
		return int32(v)
	case schema.BigInt:
		return int64(v)
	case schema.Float:
		return float32(v)
	case schema.Double:
		return float64(v)
	case schema.Decimal:
		return decimal128.FromI64(int64(v))
	case schema.Timestamp, schema.TimestampLTZ:
		if t.Precision <= 3 {
			return schema.TimestampValue{Millis: int64(v)}
		}
		millis := floorDiv(int64(v), 1000)
		return schema.TimestampValue{Millis: millis, Nanos: int32(int64(v)-millis*1000) * 1000}
	}
	return nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
