package cell

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

var typeNames = []string{"BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(30, 2)", "DATE", "TIME", "TIMESTAMP(3)",
	"STRING", "BYTES", "ARRAY<INT>", "ARRAY<ARRAY<STRING>>", "MAP<INT, STRING>", "MAP<STRING, ROW<a INT, b ARRAY<BYTES>>>", "ROW<a INT, b ROW<c STRING, d MAP<INT, INT>>>"}

// literal is a random JSON value of few different ones.
func literal(r *rand.Rand, t schema.Type) string {
	if t.Nullable && r.IntN(4) == 0 {
		return "null"
	}
	n := r.IntN(3)
	switch t.Kind {
	case schema.Boolean:
		return strconv.FormatBool(n == 0)
	case schema.Decimal:
		return fmt.Sprintf(`"%d.25"`, n-1)
	case schema.Date:
		return fmt.Sprintf(`"2024-01-0%d"`, n+1)
	case schema.Time:
		return fmt.Sprintf(`"00:00:0%d"`, n)
	case schema.Timestamp:
		return fmt.Sprintf(`"2024-01-01 00:00:00.00%d"`, n)
	case schema.VarChar:
		return []string{`""`, `"a"`, `"longer than a slot"`}[n]
	case schema.VarBinary:
		return []string{`""`, `"YQ=="`, `"YWJjZA=="`}[n]
	case schema.Row:
		var parts []string
		for _, f := range t.Fields {
			parts = append(parts, fmt.Sprintf("%q:%s", f.Name, literal(r, f.Type)))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case schema.Array, schema.Map:
		var parts []string
		for i := range n {
			if t.Kind == schema.Map {
				key := fmt.Sprint(i)
				if t.Key.Kind == schema.VarChar {
					key = strconv.Quote(key)
				}
				parts = append(parts, `{"key":`+key+`,"value":`+literal(r, *t.Elem)+`}`)
			} else {
				parts = append(parts, literal(r, *t.Elem))
			}
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return fmt.Sprint(n)
}

// random is an array of n random values, sliced out of a longer one.
func random(t *testing.T, r *rand.Rand, mem memory.Allocator, name string, n int) arrow.Array {
	t.Helper()
	typ, err := schema.ParseType(name)
	if err != nil {
		t.Fatal(err)
	}
	dt, err := schema.ArrowType(typ)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for range n + 3 {
		lines = append(lines, literal(r, typ))
	}
	whole, _, err := array.FromJSON(mem, dt, strings.NewReader("["+strings.Join(lines, ",")+"]"))
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Release()
	return array.NewSlice(whole, 2, int64(n+2))
}

func TestAppendedRangesAreTheCells(t *testing.T) {
	for _, name := range typeNames {
		r := rand.New(rand.NewPCG(1, 2))
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		a := random(t, r, mem, name, 40)
		b := array.NewBuilder(mem, a.DataType())
		var want []arrow.Array
		for range 20 {
			from := r.IntN(40)
			to := from + r.IntN(41-from)
			if err := Append(b, a, from, to); err != nil {
				t.Fatal(err)
			}
			want = append(want, array.NewSlice(a, int64(from), int64(to)))
		}
		got := b.NewArray()
		all, err := array.Concatenate(want, mem)
		if err != nil {
			t.Fatal(err)
		}
		if !array.Equal(got, all) {
			t.Errorf("%s: got %v, want %v", name, got, all)
		}
		for _, x := range append(want, a, got, all) {
			x.Release()
		}
		b.Release()
		mem.AssertSize(t, 0)
	}
}

func TestEqualCellsAreThoseThatArrowCallsEqualAndHaveOneHash(t *testing.T) {
	for _, name := range typeNames {
		r := rand.New(rand.NewPCG(3, 4))
		a, b := random(t, r, memory.DefaultAllocator, name, 30), random(t, r, memory.DefaultAllocator, name, 30)
		hashes, equal := map[uint64]bool{}, 0
		for i := range a.Len() {
			hashes[Hash(a, i)] = true
			for j := range b.Len() {
				same := Equal(a, i, b, j)
				if want := array.SliceEqual(a, int64(i), int64(i+1), b, int64(j), int64(j+1)); same != want {
					t.Errorf("%s: %s and %s: %v", name, a.ValueStr(i), b.ValueStr(j), same)
				}
				if same {
					equal++
					if Hash(a, i) != Hash(b, j) {
						t.Errorf("%s: %s has two hashes", name, a.ValueStr(i))
					}
				}
			}
		}
		if equal == 0 || len(hashes) < 3 {
			t.Errorf("%s: %d equal pairs, %d hashes", name, equal, len(hashes))
		}
	}
}

func TestNaNEqualsNaNAndZerosDiffer(t *testing.T) {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.AppendValues([]float64{math.NaN(), math.Float64frombits(0x7ff8000000000002), 0, math.Copysign(0, -1)}, nil)
	a := b.NewFloat64Array()
	if !Equal(a, 0, a, 1) || Hash(a, 0) != Hash(a, 1) {
		t.Error("two NaNs")
	}
	if Equal(a, 2, a, 3) {
		t.Error("0 and -0")
	}
}

func TestMapsAreEqualInAnyOrder(t *testing.T) {
	dt := arrow.MapOf(arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int32)
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(
		`[[{"key":1,"value":2},{"key":3,"value":4}],[{"key":3,"value":4},{"key":1,"value":2}],[{"key":1,"value":4},{"key":3,"value":2}]]`))
	if err != nil {
		t.Fatal(err)
	}
	if !Equal(a, 0, a, 1) || Hash(a, 0) != Hash(a, 1) || Equal(a, 0, a, 2) {
		t.Error("entries and their order")
	}
}

func TestAnIndexFindsWhatWasAdded(t *testing.T) {
	var x Index
	for _, n := range []int{0, 5, 3000, 2, 100} { // large, then small again
		x.Reset()
		find := func(v int) int {
			return x.Find(uint64(v%17), func(pos int) bool { return pos == v }) // many of one hash
		}
		for v := range n {
			if got := find(v); got != -1 {
				t.Fatalf("%d of %d is there before: %d", v, n, got)
			}
			x.Add(uint64(v % 17))
		}
		for v := range n {
			if got := find(v); got != v {
				t.Fatalf("%d of %d: %d", v, n, got)
			}
		}
		if x.Len() != n || n > 0 && len(x.slots) > max(16, 4*n) {
			t.Errorf("%d positions in %d slots", x.Len(), len(x.slots))
		}
	}
}

func TestValuesThatDoNotFitAnArrayAreAnError(t *testing.T) {
	defer func(n int) { vector.MaxCells = n }(vector.MaxCells)
	vector.MaxCells = 50
	r := rand.New(rand.NewPCG(5, 6))
	for _, name := range []string{"STRING", "BYTES", "ARRAY<INT>", "MAP<INT, INT>", "ROW<a STRING>", "ARRAY<STRING>"} {
		a := random(t, r, memory.DefaultAllocator, name, 100)
		b := array.NewBuilder(memory.DefaultAllocator, a.DataType())
		if err := Append(b, a, 0, 100); !errors.Is(err, vector.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ExampleAppendList() {
	dt := arrow.ListOf(arrow.PrimitiveTypes.Int64)
	lists, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(`[[1,2],null,[3,4,5]]`))
	if err != nil {
		panic(err)
	}
	var parts []Range
	for row := range lists.Len() {
		elements, from, to := Elements(lists.(*array.List), row)
		parts = append(parts, Range{elements, from, to})
	}
	b := array.NewBuilder(memory.DefaultAllocator, dt)
	if err := AppendList(b, parts); err != nil {
		panic(err)
	}
	fmt.Println(b.NewArray())
	// Output: [[1 2 3 4 5]]
}
