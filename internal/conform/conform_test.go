package conform

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// fromJSON builds an array of a type from its JSON text.
func fromJSON(t *testing.T, mem memory.Allocator, dt arrow.DataType, text string) arrow.Array {
	t.Helper()
	arr, _, err := array.FromJSON(mem, dt, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return arr
}

var (
	utcMicros  = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	canonList  = arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Int32, Nullable: true})
	canonMap   = arrow.MapOfWithMetadata(arrow.BinaryTypes.String, arrow.Metadata{}, arrow.PrimitiveTypes.Int32, arrow.Metadata{})
	canonRow   = arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, arrow.Field{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true})
	swappedRow = arrow.StructOf(arrow.Field{Name: "b", Type: arrow.BinaryTypes.LargeString, Nullable: true}, arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int8, Nullable: true})
)

func TestSameValuesInTheColumnsOwnType(t *testing.T) {
	for _, c := range []struct {
		from, to   arrow.DataType
		text, want string // want "" is text
	}{
		{arrow.BinaryTypes.LargeString, arrow.BinaryTypes.String, `["a",null,"ß"]`, ""},
		{arrow.BinaryTypes.StringView, arrow.BinaryTypes.String, `["a",null,"a text longer than a view holds"]`, ""},
		{arrow.BinaryTypes.LargeBinary, arrow.BinaryTypes.Binary, `["AQ==",null]`, ""},
		{arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, `["a"]`, `["YQ=="]`},
		{arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int64, `[1,null,-128]`, ""},
		{arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int16, `[32767,-32768]`, ""},
		{arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int32, `[2147483647]`, ""},
		{arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, `[1.5,null]`, ""},
		{arrow.FixedWidthTypes.Date64, arrow.FixedWidthTypes.Date32, `["2026-01-31"]`, ""},
		{arrow.FixedWidthTypes.Timestamp_ms, utcMicros, `["2026-01-31 10:11:12.345Z"]`, ""},
		{arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time32ms, `["10:11:12.345"]`, ""},
		{&arrow.Decimal128Type{Precision: 5, Scale: 1}, &arrow.Decimal128Type{Precision: 9, Scale: 3}, `["1.5"]`, `["1.500"]`},
		{arrow.PrimitiveTypes.Int32, &arrow.Decimal128Type{Precision: 9, Scale: 2}, `[7]`, `["7.00"]`},
		{arrow.ListOf(arrow.PrimitiveTypes.Int8), canonList, `[[1,null],null,[]]`, ""},
		{arrow.LargeListOf(arrow.PrimitiveTypes.Int32), canonList, `[[1],null,[],[2,3]]`, ""},
		{arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int32), canonList, `[[1,2],[3,4]]`, ""},
		{arrow.MapOf(arrow.BinaryTypes.LargeString, arrow.PrimitiveTypes.Int8), canonMap, `[[{"key":"a","value":1}],null]`, ""},
		{swappedRow, canonRow, `[{"b":"x","a":1},null]`, `[{"a":1,"b":"x"},null]`},
		{arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), canonRow, `[{"a":1}]`, `[{"a":1,"b":null}]`},
		{arrow.Null, canonRow, `[null,null]`, ""},
	} {
		t.Run(fmt.Sprintf("%s to %s", c.from, c.to), func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			in := fromJSON(t, memory.DefaultAllocator, c.from, c.text)
			defer in.Release()
			out, err := Array(in, c.to, mem)
			if err != nil {
				t.Fatal(err)
			}
			want := c.want
			if want == "" {
				want = c.text
			}
			expected := fromJSON(t, memory.DefaultAllocator, c.to, want)
			defer expected.Release()
			if !identical(out.DataType(), c.to) || !array.Equal(out, expected) {
				t.Errorf("got %s %v, want %s %v", out.DataType(), out, expected.DataType(), expected)
			}
			out.Release()
			mem.AssertSize(t, 0)
		})
	}
}

func TestSlicesKeepTheirWindow(t *testing.T) {
	in := fromJSON(t, memory.DefaultAllocator, swappedRow, `[{"b":"x","a":1},null,{"b":null,"a":3},{"b":"w","a":4}]`)
	defer in.Release()
	cut := array.NewSlice(in, 1, 3)
	defer cut.Release()
	out, err := Array(cut, canonRow, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Release()
	want := fromJSON(t, memory.DefaultAllocator, canonRow, `[null,{"a":3,"b":null}]`)
	defer want.Release()
	if !array.Equal(out, want) {
		t.Errorf("got %v, want %v", out, want)
	}
}

func TestDictionariesBecomePlain(t *testing.T) {
	dt := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.LargeString}
	values := fromJSON(t, memory.DefaultAllocator, arrow.BinaryTypes.LargeString, `["x",null,"y"]`)
	defer values.Release()
	codes := fromJSON(t, memory.DefaultAllocator, arrow.PrimitiveTypes.Int8, `[2,0,null,1]`)
	defer codes.Release()
	in := array.NewDictionaryArray(dt, codes, values)
	defer in.Release()
	out, err := Array(in, arrow.BinaryTypes.String, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Release()
	if got := fmt.Sprint(out); got != `["y" "x" (null) (null)]` {
		t.Error(got)
	}
}

func TestWhatDoesNotFitIsNamed(t *testing.T) {
	for _, c := range []struct {
		from, to   arrow.DataType
		text, part string
	}{
		{arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int32, `[1,2147483648]`, "row 1: value 2147483648"},
		{arrow.FixedWidthTypes.Time64us, arrow.FixedWidthTypes.Time32ms, `["00:00:00.000001"]`, "row 0"},
		{&arrow.Decimal128Type{Precision: 9, Scale: 2}, &arrow.Decimal128Type{Precision: 9, Scale: 1}, `["1.25"]`, "row 0: decimal 1.25"},
		{&arrow.Decimal128Type{Precision: 9, Scale: 0}, &arrow.Decimal128Type{Precision: 3, Scale: 0}, `["1000"]`, "row 0: decimal 1000"},
		{arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int32, `["1"]`, "cannot hold"},
		{arrow.BinaryTypes.Binary, arrow.BinaryTypes.String, `["AQ=="]`, "cannot hold"},
		{arrow.PrimitiveTypes.Uint64, arrow.PrimitiveTypes.Int64, `[9223372036854775808]`, "row 0"},
		{arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Float32, `[0.1]`, "cannot hold"},
		{arrow.FixedWidthTypes.Timestamp_ms, &arrow.TimestampType{Unit: arrow.Millisecond}, `["2026-01-31 10:11:12.345Z"]`, "cannot hold"},
		{arrow.StructOf(arrow.Field{Name: "z", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), canonRow, `[{"z":1}]`, `member "z"`},
		{arrow.ListOf(arrow.BinaryTypes.String), canonList, `[["x"]]`, "element"},
	} {
		in := fromJSON(t, memory.DefaultAllocator, c.from, c.text)
		out, err := Array(in, c.to, memory.DefaultAllocator)
		if err == nil {
			t.Errorf("%s to %s: got %v", c.from, c.to, out)
			out.Release()
		} else if !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
		in.Release()
	}
}
