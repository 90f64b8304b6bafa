package take_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/take"
)

var (
	point = arrow.StructOf(
		arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		arrow.Field{Name: "y", Type: arrow.BinaryTypes.String, Nullable: true})
	types = []arrow.DataType{
		arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16,
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float32,
		arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
		&arrow.Decimal128Type{Precision: 20, Scale: 2}, arrow.FixedWidthTypes.Date32,
		arrow.FixedWidthTypes.Time32ms, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
		&arrow.FixedSizeBinaryType{ByteWidth: 3}, arrow.Null,
		arrow.ListOf(arrow.PrimitiveTypes.Int64), arrow.ListOf(arrow.ListOf(arrow.BinaryTypes.String)),
		point, arrow.ListOf(point), arrow.MapOf(arrow.BinaryTypes.String, arrow.ListOf(point)),
	}
)

// fill appends one random value, null one time in five.
func fill(b array.Builder, r *rand.Rand) {
	if r.IntN(5) == 0 {
		b.AppendNull()
		return
	}
	n := r.IntN(100)
	switch b := b.(type) {
	case *array.ListBuilder:
		b.Append(true)
		for range r.IntN(4) {
			fill(b.ValueBuilder(), r)
		}
	case *array.MapBuilder:
		b.Append(true)
		for i := range r.IntN(3) {
			b.KeyBuilder().(*array.StringBuilder).Append(fmt.Sprint("k", i))
			fill(b.ItemBuilder(), r)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			fill(b.FieldBuilder(i), r)
		}
	case *array.Decimal128Builder:
		b.Append(decimal128.FromI64(int64(n)))
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte{1, 2, byte(n)})
	case *array.BooleanBuilder:
		b.Append(n%2 == 0)
	case *array.StringBuilder:
		b.Append(fmt.Sprint(n))
	case *array.BinaryBuilder:
		b.Append([]byte{byte(n)})
	case *array.NullBuilder:
		b.AppendNull()
	default:
		if err := b.AppendValueFromString(fmt.Sprint(n)); err != nil {
			b.AppendEmptyValue()
		}
	}
}

func random(alloc memory.Allocator, dt arrow.DataType, n int, r *rand.Rand) arrow.Array {
	b := array.NewBuilder(alloc, dt)
	defer b.Release()
	for range n {
		fill(b, r)
	}
	return b.NewArray()
}

// same compares one gathered cell with its source.
func same(a arrow.Array, i int, b arrow.Array, j int) bool {
	if a.IsNull(i) || b.IsNull(j) {
		return a.IsNull(i) == b.IsNull(j)
	}
	return array.SliceEqual(a, int64(i), int64(i+1), b, int64(j), int64(j+1))
}

func TestEveryTypeGathersTheRowsAsked(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, dt := range types {
		t.Run(dt.String(), func(t *testing.T) {
			alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer alloc.AssertSize(t, 0)
			whole := random(alloc, dt, 200, r)
			defer whole.Release()
			sliced := array.NewSlice(whole, 13, 180) // an offset that no byte boundary helps
			defer sliced.Release()
			for _, src := range []arrow.Array{whole, sliced} {
				for _, n := range []int{0, 1, 7, 64, 300} {
					rows := make([]int32, n)
					for i := range rows {
						rows[i] = int32(r.IntN(src.Len()))
					}
					check(t, alloc, src, rows)
				}
				check(t, alloc, src, []int32{5, 6, 7, 8})
				check(t, alloc, src, []int32{8, 7, 6, 5})
			}
		})
	}
}

func check(t *testing.T, alloc memory.Allocator, src arrow.Array, rows []int32) {
	t.Helper()
	got, err := take.Array(src, rows, alloc)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	if got.Len() != len(rows) {
		t.Fatalf("%d rows, want %d", got.Len(), len(rows))
	}
	nulls := 0
	for i, r := range rows {
		if !same(got, i, src, int(r)) {
			t.Fatalf("row %d is not row %d of the source: %v", i, r, got)
		}
		if src.IsNull(int(r)) {
			nulls++
		}
	}
	if src.DataType().ID() != arrow.NULL && got.NullN() != nulls {
		t.Fatalf("%d nulls, want %d", got.NullN(), nulls)
	}
}

func TestConsecutiveRowsShareMemory(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	rec := numbers(alloc, 10)
	defer rec.Release()
	before := alloc.CurrentAlloc()
	got, err := take.Record(rec, []int32{3, 4, 5}, alloc)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	if alloc.CurrentAlloc() != before {
		t.Error("consecutive rows were copied")
	}
	if s := got.Column(0).String(); s != "[3 4 5]" {
		t.Error(s)
	}
}

func TestUnknownArrowTypeIsRefusedWithoutLeaking(t *testing.T) {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	dict := array.NewDictionaryBuilder(alloc, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String})
	defer dict.Release()
	for _, s := range []string{"a", "b", "a"} {
		if err := dict.(*array.BinaryDictionaryBuilder).AppendString(s); err != nil {
			t.Fatal(err)
		}
	}
	arr := dict.NewArray()
	defer arr.Release()
	if _, err := take.Array(arr, []int32{2, 0}, alloc); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
}

func numbers(alloc memory.Allocator, n int) arrow.RecordBatch {
	b := array.NewRecordBuilder(alloc, arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil))
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
	}
	return b.NewRecordBatch()
}

func ExampleRecord() {
	rec := numbers(memory.DefaultAllocator, 10)
	defer rec.Release()
	got, err := take.Record(rec, []int32{9, 0, 4}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer got.Release()
	fmt.Println(got.Column(0))
	// Output: [9 0 4]
}

func BenchmarkRecordOfLongs(b *testing.B) {
	rec := numbers(memory.DefaultAllocator, 1<<16)
	defer rec.Release()
	rows := make([]int32, 0, 1<<15)
	for i := int32(0); i < 1<<16; i += 2 {
		rows = append(rows, i)
	}
	b.SetBytes(int64(len(rows) * 8))
	for b.Loop() {
		out, err := take.Record(rec, rows, nil)
		if err != nil {
			b.Fatal(err)
		}
		out.Release()
	}
}

// The entries of the rows taken follow one another, those of row 1 come first
// in the column: they must not come out as those of row 1.
func TestMapTakenWithConsecutiveEntriesKeepsItsOwn(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := array.NewMapBuilder(mem, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int32, false)
	defer b.Release()
	for row := range int32(6) {
		b.Append(true)
		for e := range row % 3 {
			b.KeyBuilder().(*array.Int32Builder).Append(10*row + e)
			b.ItemBuilder().(*array.Int32Builder).Append(100 * row)
		}
	}
	col := b.NewMapArray()
	defer col.Release()
	got, err := take.Array(col, []int32{0, 4, 5}, mem)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	m := got.(*array.Map)
	if text := fmt.Sprint(m.Keys(), m.Items()); text != "[40 50 51] [400 500 500]" {
		t.Errorf("keys and items are %s", text)
	}
}
