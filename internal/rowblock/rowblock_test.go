package rowblock_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowblock"
)

var everyType = arrow.NewSchema([]arrow.Field{
	{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "i", Type: arrow.PrimitiveTypes.Int32},
	{Name: "d", Type: &arrow.Decimal128Type{Precision: 30, Scale: 2}, Nullable: true},
	{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "l", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	{Name: "m", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.ListOf(arrow.PrimitiveTypes.Int64)), Nullable: true},
	{Name: "r", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		arrow.Field{Name: "y", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64), Nullable: true}), Nullable: true},
}, nil)

func rows(r *rand.Rand, n int) arrow.RecordBatch {
	var text strings.Builder
	maybe := func(v string) string {
		if r.IntN(3) == 0 {
			return "null"
		}
		return v
	}
	for range n {
		list := func() string { return []string{"[]", `["a"]`, `["bc",null,""]`}[r.IntN(3)] }
		text.WriteString(`{"b":` + maybe("true") + `,"i":` + []string{"1", "-7"}[r.IntN(2)] + `,"d":` + maybe(`"12.34"`) + `,"s":` + maybe(`"text"`) +
			`,"l":` + maybe(list()) + `,"m":` + maybe(`[{"key":"k","value":[1,2]},{"key":"z","value":[]}]`) + `,"r":` + maybe(`{"x":`+maybe("false")+`,"y":`+maybe("[1.5,null]")+`}`) + "}\n")
	}
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, everyType, strings.NewReader("["+strings.ReplaceAll(strings.TrimSpace(text.String()), "\n", ",")+"]"))
	if err != nil {
		panic(err)
	}
	return rec
}

func TestBlocksGiveBackTheirRows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	all := rows(r, 200)
	for range 100 {
		start := r.IntN(200)
		part := all.NewSlice(int64(start), int64(start+r.IntN(201-start)))
		from := r.IntN(int(part.NumRows()) + 1)
		to := from + r.IntN(int(part.NumRows())+1-from)
		block, err := rowblock.Append([]byte{1, 2, 3}, part, from, to)
		if err != nil {
			t.Fatal(err)
		}
		block = append([]byte(nil), block[3:]...)
		got, err := rowblock.Decode(everyType, to-from, block)
		if err != nil {
			t.Fatal(err)
		}
		want := part.NewSlice(int64(from), int64(to))
		if !array.RecordEqual(got, want) {
			t.Fatalf("rows %d to %d of %d: %v, want %v", from, to, start, got, want)
		}
	}
}

func TestACutBlockIsAnError(t *testing.T) {
	block, err := rowblock.Append(nil, rows(rand.New(rand.NewPCG(1, 2)), 20), 0, 20)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(block) - 8 {
		if _, err := rowblock.Decode(everyType, 20, block[:n:n]); err == nil {
			t.Fatalf("%d of %d bytes are enough", n, len(block))
		}
	}
}
