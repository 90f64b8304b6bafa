package conform_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/float16"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/conform"
)

func TestUnsignedAndHalfNumbersAreTakenExactlyOrNotAtAll(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	u := array.NewUint64Builder(mem)
	u.AppendValues([]uint64{7, 0, math.MaxUint64}, []bool{true, false, true})
	wide := u.NewArray()
	u.AppendValues([]uint64{7, math.MaxUint64, math.MaxInt64}, []bool{true, false, true})
	narrow := u.NewArray()
	h := array.NewFloat16Builder(mem)
	h.AppendValues([]float16.Num{float16.New(1.5), {}, float16.New(-2)}, []bool{true, false, true})
	half := h.NewArray()
	for _, c := range []struct {
		in   arrow.Array
		to   arrow.DataType
		want string
	}{
		{wide, &arrow.Decimal128Type{Precision: 20}, "[7 (null) 18446744073709551615]"},
		{wide, &arrow.Decimal128Type{Precision: 19}, "row 2: decimal 18446744073709551615 does not fit"},
		{wide, arrow.PrimitiveTypes.Int64, "row 2: value 18446744073709551615 of arrow type uint64 does not fit int64"},
		{narrow, arrow.PrimitiveTypes.Int64, "[7 (null) 9223372036854775807]"},
		{narrow, arrow.PrimitiveTypes.Int32, "row 2: value 9223372036854775807 of arrow type uint64 does not fit int32"},
		{half, arrow.PrimitiveTypes.Float32, "[1.5 (null) -2]"},
		{half, arrow.PrimitiveTypes.Float64, "[1.5 (null) -2]"},
		{half, arrow.PrimitiveTypes.Int32, "float16"},
	} {
		got, err := conform.Array(c.in, c.to, mem)
		text := fmt.Sprint(err)
		if err == nil {
			text = got.String()
			got.Release()
		}
		if !strings.HasPrefix(text, c.want) && (err == nil || !strings.Contains(text, c.want)) {
			t.Errorf("%s to %s: %s, want %s", c.in.DataType(), c.to, text, c.want)
		}
	}
	for _, a := range []interface{ Release() }{wide, narrow, half, u, h} {
		a.Release()
	}
}
