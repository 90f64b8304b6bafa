package conform

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// numbers converts between integer widths, float widths and time units, value by value and exactly.
func numbers(arr arrow.Array, want arrow.DataType, mem memory.Allocator) (arrow.Array, error) {
	if out := floats(arr, want, mem); out != nil {
		return out, nil
	}
	if err := signed(arr, want); err != nil {
		return nil, err
	}
	from, ok := integers(arr)
	if !ok {
		return nil, mismatch(arr.DataType(), want)
	}
	mul, div, ok := unitRatio(arr.DataType(), want)
	if !ok {
		return nil, mismatch(arr.DataType(), want)
	}
	b := array.NewBuilder(mem, want)
	defer b.Release()
	put, lo, hi := integerBuilder(b)
	if put == nil {
		return nil, mismatch(arr.DataType(), want)
	}
	b.Reserve(arr.Len())
	for i := range arr.Len() {
		if arr.IsNull(i) {
			b.AppendNull()
			continue
		}
		v := from(i)
		if v%div != 0 || (mul > 1 && (v > math.MaxInt64/mul || v < math.MinInt64/mul)) || v/div*mul < lo || v/div*mul > hi {
			return nil, fmt.Errorf("row %d: value %d of arrow type %s does not fit %s exactly", i, v, arr.DataType(), want)
		}
		put(v / div * mul)
	}
	return b.NewArray(), nil
}

// floats widens, which is exact; nil where neither side is a float of that kind.
func floats(arr arrow.Array, want arrow.DataType, mem memory.Allocator) arrow.Array {
	var at func(i int) float64
	switch a := arr.(type) {
	case *array.Float16:
		at = func(i int) float64 { return float64(a.Value(i).Float32()) }
	case *array.Float32:
		at = func(i int) float64 { return float64(a.Value(i)) }
	default:
		return nil
	}
	if want.ID() != arrow.FLOAT32 && want.ID() != arrow.FLOAT64 {
		return nil
	}
	b := array.NewBuilder(mem, want)
	defer b.Release()
	b.Reserve(arr.Len())
	for i := range arr.Len() {
		if arr.IsNull(i) {
			b.AppendNull()
			continue
		}
		switch b := b.(type) {
		case *array.Float32Builder:
			b.Append(float32(at(i)))
		case *array.Float64Builder:
			b.Append(at(i))
		}
	}
	return b.NewArray()
}

// signed refuses unsigned 64-bit values that an int64 cannot hold.
func signed(arr arrow.Array, want arrow.DataType) error {
	a, ok := arr.(*array.Uint64)
	if !ok {
		return nil
	}
	for i, v := range a.Values() {
		if v > math.MaxInt64 && a.IsValid(i) {
			return fmt.Errorf("row %d: value %d of arrow type %s does not fit %s exactly", i, v, arr.DataType(), want)
		}
	}
	return nil
}

// integers reads any integer or time array as int64; see signed for those of unsigned 64 bits.
func integers(arr arrow.Array) (func(i int) int64, bool) {
	switch a := arr.(type) {
	case *array.Int8:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Int16:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Int32:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Int64:
		return a.Value, true
	case *array.Uint8:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Uint16:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Uint32:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Uint64:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Date32:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Date64:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Time32:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Time64:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	case *array.Timestamp:
		return func(i int) int64 { return int64(a.Value(i)) }, true
	}
	return nil, false
}

func integerBuilder(b array.Builder) (put func(int64), lo, hi int64) {
	switch b := b.(type) {
	case *array.Int8Builder:
		return func(v int64) { b.Append(int8(v)) }, math.MinInt8, math.MaxInt8
	case *array.Int16Builder:
		return func(v int64) { b.Append(int16(v)) }, math.MinInt16, math.MaxInt16
	case *array.Int32Builder:
		return func(v int64) { b.Append(int32(v)) }, math.MinInt32, math.MaxInt32
	case *array.Int64Builder:
		return b.Append, math.MinInt64, math.MaxInt64
	case *array.Date32Builder:
		return func(v int64) { b.Append(arrow.Date32(v)) }, math.MinInt32, math.MaxInt32
	case *array.Time32Builder:
		return func(v int64) { b.Append(arrow.Time32(v)) }, 0, 86_399_999
	case *array.TimestampBuilder:
		return func(v int64) { b.Append(arrow.Timestamp(v)) }, math.MinInt64, math.MaxInt64
	}
	return nil, 0, 0
}

// unitRatio says by what a value of one type is multiplied and divided to
// become the other; false where the two do not measure the same thing. A
// timestamp with a zone never becomes one without, nor the reverse.
func unitRatio(have, want arrow.DataType) (mul, div int64, ok bool) {
	hc, hn := measure(have)
	wc, wn := measure(want)
	if hc == "" || hc != wc {
		return 0, 0, false
	}
	if wn >= hn {
		return wn / hn, 1, true
	}
	return 1, hn / wn, true
}

// measure names what a type counts and how many of its units make a day or a second.
func measure(t arrow.DataType) (class string, perUnit int64) {
	ticks := func(u arrow.TimeUnit) int64 { return int64(arrow.Second.Multiplier() / u.Multiplier()) }
	switch t := t.(type) {
	case *arrow.Date32Type:
		return "date", 1
	case *arrow.Date64Type:
		return "date", 86_400_000
	case *arrow.Time32Type:
		return "time", ticks(t.Unit)
	case *arrow.Time64Type:
		return "time", ticks(t.Unit)
	case *arrow.TimestampType:
		if t.TimeZone == "" {
			return "timestamp", ticks(t.Unit)
		}
		return "timestamp with zone", ticks(t.Unit)
	}
	if arrow.IsInteger(t.ID()) {
		return "integer", 1
	}
	return "", 0
}

// decimals brings decimals and integers to the column's precision and scale.
func decimals(arr arrow.Array, want *arrow.Decimal128Type, mem memory.Allocator) (arrow.Array, error) {
	var at func(i int) decimal128.Num
	var scale int32
	if d, ok := arr.(*array.Decimal128); ok {
		at, scale = d.Value, arr.DataType().(*arrow.Decimal128Type).Scale
	} else if u, ok := arr.(*array.Uint64); ok {
		at = func(i int) decimal128.Num { return decimal128.FromU64(u.Value(i)) }
	} else if n, ok := integers(arr); ok && arrow.IsInteger(arr.DataType().ID()) {
		at = func(i int) decimal128.Num { return decimal128.FromI64(n(i)) }
	} else {
		return nil, mismatch(arr.DataType(), want)
	}
	b := array.NewDecimal128Builder(mem, want)
	defer b.Release()
	b.Reserve(arr.Len())
	for i := range arr.Len() {
		if arr.IsNull(i) {
			b.AppendNull()
			continue
		}
		v, err := at(i).Rescale(scale, want.Scale)
		if err != nil || !v.FitsInPrecision(want.Precision) {
			return nil, fmt.Errorf("row %d: decimal %s does not fit %s exactly", i, at(i).ToString(scale), want)
		}
		b.Append(v)
	}
	return b.NewArray(), nil
}
