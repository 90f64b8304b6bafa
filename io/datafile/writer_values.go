package datafile

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/tidelake/tidelake/schema"
)

// values encodes the non-null values of one leaf column, page by page. bind
// names the array that rows then refer to; put appends rows of it, none of
// which may be null. One goroutine at a time.
type values interface {
	bind(a arrow.Array)
	put(lo, hi int) error // rows lo..hi-1
	putRows(rows []int32) error
	fit(lo, hi, room int) int // how many of rows lo..hi-1 take at most room bytes unencoded
	raw() int                 // unencoded bytes in the page so far

	// encode appends the page's values, by dictionary or plain; it does not end
	// the page. Text is never kept with its lengths apart
	// (DELTA_LENGTH_BYTE_ARRAY): Paimon's reader takes the wrong lengths after
	// the first batch of a page.
	encode(dst []byte) ([]byte, parquet.Encoding)
	// stride is what every value takes in the plain page, its length included,
	// if they are strings of one length; else 0.
	stride() int
	// endPage starts the next page and tells the bounds of the last.
	endPage() metadata.EncodedStatistics
	// endChunk starts the next chunk. It appends the dictionary, if pages refer
	// to one, and says how many entries it has.
	endChunk(dst []byte) (dict []byte, entries int, stats metadata.EncodedStatistics)
	// bounds are the least and greatest value of all chunks ended so far.
	bounds(t schema.Type) (lo, hi any)
}

// newValues picks the encoder of a type. trial is nil when no dictionary is wanted.
func newValues(t schema.Type, d dictTrial) values {
	switch t.Kind {
	case schema.Boolean:
		return &boolValues{}
	case schema.TinyInt:
		return &fixedValues[int32]{trial: d, source: func(a arrow.Array) fixedSource[int32] {
			return converted(a.(*array.Int8).Int8Values(), func(v int8) (int32, bool) { return int32(v), true })
		}}
	case schema.SmallInt:
		return &fixedValues[int32]{trial: d, source: func(a arrow.Array) fixedSource[int32] {
			return converted(a.(*array.Int16).Int16Values(), func(v int16) (int32, bool) { return int32(v), true })
		}}
	case schema.Int:
		return &fixedValues[int32]{trial: d, source: func(a arrow.Array) fixedSource[int32] {
			return fixedSource[int32]{view: a.(*array.Int32).Int32Values()}
		}}
	case schema.Date:
		return &fixedValues[int32]{trial: d, source: func(a arrow.Array) fixedSource[int32] {
			return fixedSource[int32]{view: cast[int32](a.(*array.Date32).Date32Values())}
		}}
	case schema.Time:
		return &fixedValues[int32]{trial: d, source: func(a arrow.Array) fixedSource[int32] {
			return fixedSource[int32]{view: cast[int32](a.(*array.Time32).Time32Values())}
		}}
	case schema.BigInt:
		return &fixedValues[int64]{trial: d, source: func(a arrow.Array) fixedSource[int64] {
			return fixedSource[int64]{view: a.(*array.Int64).Int64Values()}
		}}
	case schema.Float:
		return &fixedValues[float32]{trial: d, source: func(a arrow.Array) fixedSource[float32] {
			return fixedSource[float32]{view: a.(*array.Float32).Float32Values()}
		}}
	case schema.Double:
		return &fixedValues[float64]{trial: d, source: func(a arrow.Array) fixedSource[float64] {
			return fixedSource[float64]{view: a.(*array.Float64).Float64Values()}
		}}
	case schema.Decimal:
		return newDecimalValues(t, d)
	case schema.Timestamp, schema.TimestampLTZ:
		return newTimestampValues(t, d)
	}
	return &bytesValues{dict: bytesDict{}, trial: d, source: stringSource, ordered: true}
}

func newTimestampValues(t schema.Type, d dictTrial) values {
	stamps := func(a arrow.Array) []int64 { return cast[int64](a.(*array.Timestamp).TimestampValues()) }
	switch {
	case t.Precision == 0: // seconds in Arrow, milliseconds in the file
		return &fixedValues[int64]{trial: d, source: func(a arrow.Array) fixedSource[int64] {
			return converted(stamps(a), func(v int64) (int64, bool) {
				return v * 1000, v <= math.MaxInt64/1000 && v >= math.MinInt64/1000
			})
		}}
	case t.Precision <= 6:
		return &fixedValues[int64]{trial: d, source: func(a arrow.Array) fixedSource[int64] {
			return fixedSource[int64]{view: stamps(a)}
		}}
	}
	return &bytesValues{dict: bytesDict{width: 12}, trial: d, source: func(a arrow.Array) bytesSource {
		ns := stamps(a)
		var buf [12]byte
		return bytesSource{width: 12, at: func(i int) ([]byte, bool) {
			putInt96(&buf, ns[i])
			return buf[:], true
		}}
	}}
}

// putInt96 writes nanoseconds of the day and the Julian day, little-endian.
func putInt96(dst *[12]byte, ns int64) {
	const day = 24 * 60 * 60 * 1e9
	days := floorDiv(ns, day)
	binary.LittleEndian.PutUint64(dst[:], uint64(ns-days*day))
	binary.LittleEndian.PutUint32(dst[8:], uint32(days+2440588))
}

func newDecimalValues(t schema.Type, d dictTrial) values {
	nums := func(a arrow.Array) []decimal128.Num { return a.(*array.Decimal128).Values() }
	limit := decimal128.GetScaleMultiplier(t.Precision)
	switch {
	case t.Precision <= 9:
		bound := int64(limit.LowBits())
		return &fixedValues[int32]{trial: d, source: func(a arrow.Array) fixedSource[int32] {
			return converted(nums(a), func(v decimal128.Num) (int32, bool) {
				n := int64(v.LowBits())
				return int32(n), v.HighBits() == n>>63 && n < bound && n > -bound
			})
		}}
	case t.Precision <= 18:
		bound := int64(limit.LowBits())
		return &fixedValues[int64]{trial: d, source: func(a arrow.Array) fixedSource[int64] {
			return converted(nums(a), func(v decimal128.Num) (int64, bool) {
				n := int64(v.LowBits())
				return n, v.HighBits() == n>>63 && n < bound && n > -bound
			})
		}}
	}
	width := decimalBytes(t.Precision)
	least := limit.Negate()
	return &bytesValues{dict: bytesDict{width: width}, trial: d, decimal: true, source: func(a arrow.Array) bytesSource {
		vals := nums(a)
		buf := make([]byte, 0, 16)
		return bytesSource{width: width, at: func(i int) ([]byte, bool) {
			v := vals[i]
			buf = appendDecimal(buf[:0], v, width)
			return buf, v.Less(limit) && v.Greater(least)
		}}
	}}
}

// cast views values of one type as another of the same size and form.
func cast[T, S any](s []S) []T {
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// appendFixed appends the little-endian form, which is that of memory on
// every machine the library is built for.
func appendFixed[T fixedValue](dst []byte, vals []T) []byte {
	return append(dst, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(vals))), len(vals)*int(unsafe.Sizeof(*new(T))))...)
}

// boolValues packs booleans, eight to a byte.
type boolValues struct {
	bits        []byte
	off         int // of row 0 in bits
	page        []byte
	n, trues    int
	chunk, file boolSpan
}

type boolSpan struct{ no, yes bool }

func (s *boolSpan) merge(o boolSpan) { s.no, s.yes = s.no || o.no, s.yes || o.yes }

func (s boolSpan) encode() metadata.EncodedStatistics {
	var e metadata.EncodedStatistics
	if s.no || s.yes {
		e.SetMin([]byte{b2i(!s.no)}).SetMax([]byte{b2i(s.yes)})
	}
	return e
}

func b2i(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (v *boolValues) bind(a arrow.Array) {
	d := a.Data()
	v.bits, v.off = nil, d.Offset()
	if b := d.Buffers()[1]; b != nil {
		v.bits = b.Bytes()
	}
}

func (v *boolValues) room(n int) {
	for len(v.page)*8 < v.n+n {
		v.page = append(v.page, 0)
	}
}

func (v *boolValues) put(lo, hi int) error {
	n := hi - lo
	v.room(n)
	bitutil.CopyBitmap(v.bits, v.off+lo, n, v.page, v.n)
	v.trues += bitutil.CountSetBits(v.bits, v.off+lo, n)
	v.n += n
	return nil
}

func (v *boolValues) putRows(rows []int32) error {
	v.room(len(rows))
	for _, r := range rows {
		at := uint(v.off) + uint(r)
		bit := v.bits[at>>3] >> (at & 7) & 1
		mask := byte(1) << (v.n & 7)
		v.page[v.n>>3] = v.page[v.n>>3]&^mask | bit*mask
		v.trues += int(bit)
		v.n++
	}
	return nil
}

func (v *boolValues) fit(lo, hi, room int) int { return min(hi-lo, 8*room) }
func (v *boolValues) raw() int                 { return (v.n + 7) / 8 }

func (v *boolValues) encode(dst []byte) ([]byte, parquet.Encoding) {
	used := v.raw()
	if pad := v.n & 7; pad != 0 {
		v.page[used-1] &= 1<<pad - 1
	}
	return append(dst, v.page[:used]...), parquet.Encodings.Plain
}

func (v *boolValues) stride() int { return 0 }

func (v *boolValues) endPage() metadata.EncodedStatistics {
	page := boolSpan{no: v.trues < v.n, yes: v.trues > 0}
	v.chunk.merge(page)
	v.page, v.n, v.trues = v.page[:0], 0, 0
	return page.encode()
}

func (v *boolValues) endChunk(dst []byte) ([]byte, int, metadata.EncodedStatistics) {
	e := v.chunk.encode()
	v.file.merge(v.chunk)
	v.chunk = boolSpan{}
	return dst, 0, e
}

func (v *boolValues) bounds(schema.Type) (lo, hi any) {
	if !v.file.no && !v.file.yes {
		return nil, nil
	}
	return !v.file.no, v.file.yes
}
