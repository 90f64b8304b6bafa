package bucket

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// The function mod: the value of one INT or BIGINT column modulo the number
// of buckets, never negative; null counts as 0.

func checkMod(types []schema.Type) error {
	if len(types) == 1 && (types[0].Kind == schema.Int || types[0].Kind == schema.BigInt) {
		return nil
	}
	return fault.Invalid("bucket function mod takes a bucket key of one INT or BIGINT column")
}

func (f *Function) assignMod(dst []int32, col arrow.Array) error {
	switch a := col.(type) {
	case *array.Int64:
		modIntegers(dst, a.Values(), a, int64(f.n))
	case *array.Int32:
		modIntegers(dst, a.Values(), a, int64(f.n))
	default:
		return fault.Invalid(fmt.Sprintf("array of type %s for an integer bucket key", col.DataType()))
	}
	return nil
}

func modIntegers[T int32 | int64](dst []int32, values []T, arr arrow.Array, n int64) {
	nulls := arr.NullN() > 0
	for row, v := range values {
		if nulls && arr.IsNull(row) {
			v = 0
		}
		dst[row] = int32(floorMod(int64(v), n))
	}
}

func (f *Function) ofMod(values []any) (int, error) {
	if len(values) != 1 {
		return 0, fault.Invalid(fmt.Sprintf("bucket key of %d columns, expected 1", len(values)))
	}
	var v int64
	switch x := values[0].(type) {
	case nil:
	case int32:
		v = int64(x)
	case int64:
		v = x
	default:
		return 0, fault.Invalid(fmt.Sprintf("value of Go type %T for an integer bucket key", x))
	}
	return int(floorMod(v, int64(f.n))), nil
}

func floorMod(v, n int64) int64 {
	m := v % n
	if m < 0 {
		m += n
	}
	return m
}
