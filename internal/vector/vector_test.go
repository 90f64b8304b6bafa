package vector

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
)

func parse(t testing.TB, mem memory.Allocator, dt arrow.DataType, json string) arrow.Array {
	t.Helper()
	a, _, err := array.FromJSON(mem, dt, strings.NewReader(json))
	if err != nil {
		t.Fatal(dt, err)
	}
	return a
}

var element = func(dt arrow.DataType) arrow.DataType {
	return arrow.ListOfField(arrow.Field{Name: "element", Type: dt, Nullable: true})
}

// samples are ascending values of each type.
var samples = []struct {
	dt   arrow.DataType
	json []string
}{
	{arrow.FixedWidthTypes.Boolean, []string{"false", "true"}},
	{arrow.PrimitiveTypes.Int8, []string{"-128", "-1", "0", "1", "127"}},
	{arrow.PrimitiveTypes.Int16, []string{"-32768", "-1", "0", "300"}},
	{arrow.PrimitiveTypes.Int32, []string{"-2147483648", "-1", "0", "1", "2147483647"}},
	{arrow.PrimitiveTypes.Int64, []string{"-9223372036854775808", "-1", "0", "1", "9223372036854775807"}},
	{arrow.PrimitiveTypes.Float32, []string{"-1e38", "-1.5", "0", "1e-40", "1.5", "1e38"}},
	{arrow.PrimitiveTypes.Float64, []string{"-1e300", "-1.5", "0", "1e-310", "1.5", "1e300"}},
	{&arrow.Decimal128Type{Precision: 18, Scale: 2}, []string{`"-9999999999999999.99"`, `"-0.01"`, `"0"`, `"0.01"`, `"9999999999999999.99"`}},
	{&arrow.Decimal128Type{Precision: 38, Scale: 0}, []string{`"-99999999999999999999999999999999999999"`, `"-18446744073709551616"`, `"-1"`, `"0"`, `"18446744073709551615"`, `"18446744073709551616"`, `"99999999999999999999999999999999999999"`}},
	{arrow.PrimitiveTypes.Date32, []string{`"1969-12-31"`, `"1970-01-01"`, `"2024-02-29"`}},
	{arrow.FixedWidthTypes.Time32ms, []string{`"00:00:00"`, `"00:00:00.001"`, `"23:59:59.999"`}},
	{arrow.FixedWidthTypes.Timestamp_us, []string{`"1969-12-31 23:59:59.999999Z"`, `"1970-01-01 00:00:00Z"`, `"2024-02-29 00:00:00.000001Z"`}},
	{arrow.BinaryTypes.String, []string{`""`, `"\u0000"`, `"\u0000\u0000"`, `"\u0000a"`, `"a"`, `"a\u0000"`, `"a\u0000b"`, `"a\u0001"`, `"aaaaaaaa"`, `"aaaaaaaab"`, `"aab"`, `"b"`, `"é"`, `"\uffff"`, `"😀"`}},
	{arrow.BinaryTypes.Binary, []string{`""`, `"AA=="`, `"AAA="`, `"AQ=="`, `"/w=="`, `"//8="`}},
	{element(arrow.PrimitiveTypes.Int32), []string{`[]`, `[1]`, `[1,null,3]`}},
	{element(element(arrow.BinaryTypes.String)), []string{`[]`, `[[]]`, `[["a",null],null,["b"]]`}},
	{arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), []string{`[]`, `[{"key":"a","value":1}]`, `[{"key":"b","value":null},{"key":"c","value":2}]`}},
	{arrow.StructOf(arrow.Field{Name: "a", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		arrow.Field{Name: "b", Type: element(arrow.BinaryTypes.String), Nullable: true}),
		[]string{`{"a":true,"b":["x"]}`, `{"a":null,"b":null}`, `{"a":false,"b":[]}`}},
}

func TestGatherEqualsCopyingCellByCell(t *testing.T) {
	for seed := range uint64(6) {
		for _, s := range samples {
			t.Run(fmt.Sprint(s.dt, seed), func(t *testing.T) {
				mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
				defer mem.AssertSize(t, 0)
				rng := rand.New(rand.NewPCG(seed, 3))
				g, err := NewGatherer(s.dt, mem)
				if err != nil {
					t.Fatal(err)
				}
				var sources []arrow.Array
				for slot := range 4 {
					a := source(t, mem, rng, s.dt, s.json)
					defer a.Release()
					sources = append(sources, a)
					if err := g.Set(slot, a); err != nil {
						t.Fatal(err)
					}
				}
				for range 6 {
					checkTake(t, g, sources, randomRefs(rng, sources))
				}
				g.Clear(1)
				g.Clear(9)
				if err := g.Set(1, sources[0]); err != nil {
					t.Fatal(err)
				}
				sources[1] = sources[0]
				checkTake(t, g, sources, randomRefs(rng, sources))
				g.Reset()
				checkTake(t, g, sources, nil)
			})
		}
	}
}

// source is a slice of an array, with nulls or without.
func source(t testing.TB, mem memory.Allocator, rng *rand.Rand, dt arrow.DataType, json []string) arrow.Array {
	n, nulls := rng.IntN(60), rng.IntN(2) == 0
	lead := rng.IntN(20)
	var cells []string
	for range lead + n {
		if nulls && rng.IntN(4) == 0 {
			cells = append(cells, "null")
		} else {
			cells = append(cells, json[rng.IntN(len(json))])
		}
	}
	whole := parse(t, mem, dt, "["+strings.Join(cells, ",")+"]")
	defer whole.Release()
	return array.NewSlice(whole, int64(lead), int64(lead+n))
}

// randomRefs jumps, or walks in stretches.
func randomRefs(rng *rand.Rand, sources []arrow.Array) (refs []Ref) {
	most := []int{1, 30}[rng.IntN(2)]
	for range rng.IntN(50) {
		s := rng.IntN(len(sources))
		if n := sources[s].Len(); n > 0 {
			from := rng.IntN(n)
			for row := from; row < min(n, from+1+rng.IntN(most)); row++ {
				refs = append(refs, MakeRef(s, row))
			}
		}
	}
	return refs
}

func checkTake(t *testing.T, g *Gatherer, sources []arrow.Array, refs []Ref) {
	t.Helper()
	got, err := g.Take(Select(refs))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	if v, ok := got.(interface{ ValidateFull() error }); ok {
		if err := v.ValidateFull(); err != nil {
			t.Fatal(err)
		}
	}
	if got.Len() != len(refs) || !arrow.TypeEqual(got.DataType(), g.dt) {
		t.Fatalf("%d cells of %s, want %d of %s", got.Len(), got.DataType(), len(refs), g.dt)
	}
	nulls := 0
	for i, r := range refs {
		src := sources[r.Source()]
		if src.IsNull(r.Row()) {
			nulls++
		}
		if a, b := got.ValueStr(i), src.ValueStr(r.Row()); a != b {
			t.Fatalf("cell %d: got %s, want %s", i, a, b)
		}
	}
	if got.NullN() != nulls {
		t.Fatalf("%d nulls, want %d", got.NullN(), nulls)
	}
}

func TestTooManyCellsForOneArrayAreRefusedNotWrapped(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	defer func(n int) { MaxCells = n }(MaxCells)
	MaxCells = 5
	text := element(arrow.BinaryTypes.String)
	for dt, json := range map[arrow.DataType]string{
		arrow.BinaryTypes.String:           `["abc"]`,
		element(arrow.PrimitiveTypes.Int8): `[[1,2,3]]`,
		text:                               `[["abc"]]`,
		arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Int8}, arrow.Field{Name: "a", Type: text}): `[{"x":1,"a":["abc"]}]`,
	} {
		a := parse(t, mem, dt, json)
		g, err := NewGatherer(dt, mem)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Set(0, a); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Take(Select([]Ref{0, 0})); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", dt, err)
		}
		a.Release()
	}
}

func TestOtherTypesAreRefused(t *testing.T) {
	if _, err := NewGatherer(arrow.ListOf(arrow.Null), memory.DefaultAllocator); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("list of null: %v", err)
	}
	g, err := NewGatherer(arrow.PrimitiveTypes.Int64, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Set(0, parse(t, memory.DefaultAllocator, arrow.PrimitiveTypes.Int32, "[1]")); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("int32 for int64: %v", err)
	}
	for _, types := range [][]arrow.DataType{nil, {arrow.ListOf(arrow.PrimitiveTypes.Int8)}} {
		if _, err := NewLayout(types); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("key of %v: %v", types, err)
		}
	}
}

// TestKeyVectorsSortLikeTheirColumns builds keys of one to three columns out
// of the ascending samples, so that positions in them tell the order.
func TestKeyVectorsSortLikeTheirColumns(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	scalar := samples[:14]
	for round := range 400 {
		var types []arrow.DataType
		var cols []arrow.Array
		var places [][]int
		n := 30
		for c := range 1 + rng.IntN(3) {
			s := scalar[rng.IntN(len(scalar))]
			if c == 0 {
				s = scalar[round%len(scalar)]
			}
			var cells []string
			var place []int
			for range n {
				p := rng.IntN(len(s.json))
				place = append(place, p)
				cells = append(cells, s.json[p])
			}
			types = append(types, s.dt)
			cols = append(cols, parse(t, memory.DefaultAllocator, s.dt, "["+strings.Join(cells, ",")+"]"))
			places = append(places, place)
		}
		l, err := NewLayout(types)
		if err != nil {
			t.Fatal(err)
		}
		var rows []int32
		if round%2 == 0 {
			for i := range n / 2 {
				rows = append(rows, int32(i*2))
			}
		}
		var k Keys
		if err := l.Build(&k, cols, rows); err != nil {
			t.Fatal(err)
		}
		for i := range k.Len() {
			for j := range k.Len() {
				want := 0
				for _, p := range places {
					want = cmp.Or(want, cmp.Compare(p[at(rows, i)], p[at(rows, j)]))
				}
				var got int
				if l.Exact() {
					got = cmp.Compare(k.Words()[i], k.Words()[j])
				} else {
					got = bytes.Compare(k.Bytes(i), k.Bytes(j))
				}
				if got != want {
					t.Fatalf("%v: rows %d and %d: %d, want %d", types, at(rows, i), at(rows, j), got, want)
				}
			}
		}
	}
}

func TestFloatsHaveOneZeroAndNaNIsGreatest(t *testing.T) {
	nan := math.Float64frombits(0xfff8000000000001) // negative, with a payload
	if orderFloat64(math.Copysign(0, -1)) != orderFloat64(0) || orderFloat64(nan) != orderFloat64(math.NaN()) {
		t.Error("doubles: not one zero and one NaN")
	}
	if orderFloat64(math.NaN()) <= orderFloat64(math.Inf(1)) || orderFloat64(math.Inf(-1)) >= orderFloat64(-math.MaxFloat64) {
		t.Error("doubles: infinities")
	}
	if orderFloat32(float32(math.Copysign(0, -1))) != orderFloat32(0) || orderFloat32(float32(math.NaN())) <= orderFloat32(float32(math.Inf(1))) {
		t.Error("floats")
	}
}

func TestADecimalBeyondItsPrecisionIsRefusedAsAKey(t *testing.T) {
	wide := parse(t, memory.DefaultAllocator, &arrow.Decimal128Type{Precision: 38, Scale: 0}, `["99999999999999999999999"]`)
	dt := &arrow.Decimal128Type{Precision: 10, Scale: 0}
	data := array.NewData(dt, 1, wide.Data().Buffers(), nil, 0, 0)
	l, err := NewLayout([]arrow.DataType{dt})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Build(new(Keys), []arrow.Array{array.MakeFromData(data)}, nil); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestNullIsTheSmallestInBothDirections(t *testing.T) {
	a := parse(t, memory.DefaultAllocator, arrow.BinaryTypes.String, `["b",null,"a",null]`)
	b := parse(t, memory.DefaultAllocator, arrow.PrimitiveTypes.Int32, `[1,2,null,3]`)
	for _, c := range []struct {
		desc bool
		want []int // signs of comparing rows 0-1, 0-2, 1-3, 2-1
	}{{false, []int{1, 1, -1, 1}}, {true, []int{1, -1, 1, 1}}} {
		o, err := NewOrder([]arrow.DataType{a.DataType(), b.DataType()}, c.desc)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Set(2, []arrow.Array{a, b}, nil); err != nil {
			t.Fatal(err)
		}
		for i, p := range [][2]int{{0, 1}, {0, 2}, {1, 3}, {2, 1}} {
			if got := o.Compare(MakeRef(2, p[0]), MakeRef(2, p[1])); cmp.Compare(got, 0) != c.want[i] {
				t.Errorf("descending %v: rows %v: %d", c.desc, p, got)
			}
		}
	}
}

func TestWordsAndCommonBeginnings(t *testing.T) {
	if w := Word([]byte("abcdefghij"), 1); w != 0x6263646566676869 {
		t.Errorf("%x", w)
	}
	if w := Word([]byte("abc"), 1); w != 0x6263<<48 {
		t.Errorf("%x", w)
	}
	if w := Word([]byte("abc"), 9); w != 0 {
		t.Errorf("%x", w)
	}
	for _, c := range []struct {
		a, b  string
		limit int
		want  int
	}{{"", "a", 9, 0}, {"abc", "abd", 9, 2}, {"0123456789ab", "0123456789xy", 99, 10}, {"0123456789", "0123456789", 4, 4}} {
		if got := Common([]byte(c.a), []byte(c.b), c.limit); got != c.want {
			t.Errorf("%q %q: %d", c.a, c.b, got)
		}
	}
}
