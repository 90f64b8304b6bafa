package bucket

import (
	"fmt"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// The function hive: hashes of the columns joined as 31*h + hash, made
// non-negative by dropping the sign bit; null hashes to 0.

func checkHive(types []schema.Type) error {
	for _, t := range types {
		switch t.Kind {
		case schema.Boolean, schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt, schema.Float, schema.Double, schema.Date, schema.Time,
			schema.Char, schema.VarChar, schema.Binary, schema.VarBinary, schema.Decimal:
		default:
			return fault.Invalid("bucket function hive takes numbers, booleans, dates, strings and binaries")
		}
	}
	return nil
}

// assignHive keeps the running hash of every row in dst and adds one column after the other.
func (f *Function) assignHive(dst []int32, cols []arrow.Array) error {
	clear(dst)
	for i, col := range cols {
		hash, err := hiveColumn(f.types[i], col)
		if err != nil {
			return err
		}
		nulls := col.NullN() > 0
		for row := range dst {
			h := int32(0)
			if !nulls || col.IsValid(row) {
				h = hash(row)
			}
			dst[row] = 31*dst[row] + h
		}
	}
	for row, h := range dst {
		dst[row] = f.rem.of(uint32(h) & math.MaxInt32)
	}
	return nil
}

// hiveColumn opens a column as the hash of its non-null cells.
func hiveColumn(t schema.Type, col arrow.Array) (func(row int) int32, error) {
	switch a := col.(type) {
	case *array.Boolean:
		return func(row int) int32 { return hiveBool(a.Value(row)) }, nil
	case *array.Int8:
		return func(row int) int32 { return int32(a.Value(row)) }, nil
	case *array.Int16:
		return func(row int) int32 { return int32(a.Value(row)) }, nil
	case *array.Int32:
		return a.Value, nil
	case *array.Date32:
		return func(row int) int32 { return int32(a.Value(row)) }, nil
	case *array.Time32:
		return func(row int) int32 { return int32(a.Value(row)) }, nil
	case *array.Int64:
		return func(row int) int32 { return hiveLong(a.Value(row)) }, nil
	case *array.Float32:
		return func(row int) int32 { return hiveFloat(a.Value(row)) }, nil
	case *array.Float64:
		return func(row int) int32 { return hiveDouble(a.Value(row)) }, nil
	case *array.String:
		return func(row int) int32 { return hiveBytes(a.Value(row)) }, nil
	case *array.Binary:
		return func(row int) int32 { return hiveBytes(a.Value(row)) }, nil
	case *array.Decimal128:
		return func(row int) int32 { return hiveDecimal(a.Value(row), t.Scale) }, nil
	}
	return nil, fault.Invalid(fmt.Sprintf("array of type %s in a bucket key", col.DataType()))
}

func (f *Function) ofHive(values []any) (int, error) {
	if len(values) != len(f.types) {
		return 0, fault.Invalid(fmt.Sprintf("bucket key of %d columns, expected %d", len(values), len(f.types)))
	}
	h := int32(0)
	for i, v := range values {
		x, err := hiveValue(f.types[i], v)
		if err != nil {
			return 0, err
		}
		h = 31*h + x
	}
	return int(f.rem.of(uint32(h) & math.MaxInt32)), nil
}

func hiveValue(t schema.Type, v any) (int32, error) {
	switch x := v.(type) {
	case nil:
		return 0, nil
	case bool:
		return hiveBool(x), nil
	case int8:
		return int32(x), nil
	case int16:
		return int32(x), nil
	case int32:
		return x, nil
	case int64:
		return hiveLong(x), nil
	case float32:
		return hiveFloat(x), nil
	case float64:
		return hiveDouble(x), nil
	case string:
		return hiveBytes(x), nil
	case []byte:
		return hiveBytes(x), nil
	case decimal128.Num:
		return hiveDecimal(x, t.Scale), nil
	}
	return 0, fault.Invalid(fmt.Sprintf("value of Go type %T in a bucket key", v))
}

func hiveBool(v bool) int32 {
	if v {
		return 1
	}
	return 0
}

func hiveLong(v int64) int32 { return int32(v ^ int64(uint64(v)>>32)) }

func hiveFloat(v float32) int32 {
	switch {
	case v == 0:
		return 0
	case v != v:
		return 0x7fc00000
	}
	return int32(math.Float32bits(v))
}

func hiveDouble(v float64) int32 {
	switch {
	case v == 0:
		return 0
	case v != v:
		return 0x7ff80000
	}
	return hiveLong(int64(math.Float64bits(v)))
}

func hiveBytes[T string | []byte](v T) int32 {
	h := int32(0)
	for i := range len(v) {
		h = 31*h + int32(int8(v[i]))
	}
	return h
}

// hiveDecimal hashes a decimal without its trailing zeros: 31 times the hash
// of the unscaled number (its 32-bit words, most significant first, by powers
// of 31, with the sign) plus the scale that is left.
func hiveDecimal(v decimal128.Num, scale int) int32 {
	if v.Sign() == 0 {
		return 0
	}
	magnitude := v.Abs()
	hi, lo := uint64(magnitude.HighBits()), magnitude.LowBits()
	for ; scale > 0; scale-- {
		qhi, rest := hi/10, hi%10
		qlo, rest := bits.Div64(rest, lo, 10)
		if rest != 0 {
			break
		}
		hi, lo = qhi, qlo
	}
	h := int32(0)
	for _, word := range [4]uint32{uint32(hi >> 32), uint32(hi), uint32(lo >> 32), uint32(lo)} {
		h = 31*h + int32(word) // leading zero words add nothing to zero
	}
	return 31*h*int32(v.Sign()) + int32(scale)
}
