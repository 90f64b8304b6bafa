package vector

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func TestNullRefsGatherNulls(t *testing.T) {
	list := arrow.ListOf(arrow.BinaryTypes.String)
	for dt, text := range map[arrow.DataType]string{
		arrow.PrimitiveTypes.Int32:                    `[1, null, 3, 4]`,
		arrow.PrimitiveTypes.Float64:                  `[1.5, 2.5, 3.5, 4.5]`,
		arrow.FixedWidthTypes.Boolean:                 `[true, false, null, true]`,
		arrow.BinaryTypes.String:                      `["one", "a word of more than sixteen letters", null, "four"]`,
		list:                                          `[["a", "b"], null, [], ["c", null]]`,
		arrow.StructOf(field("x", list)):              `[{"x": ["a"]}, null, {"x": null}, {"x": ["b", "c"]}]`,
		&arrow.Decimal128Type{Precision: 5, Scale: 1}: `["1.5", null, "3.5", "4.5"]`,
	} {
		t.Run(dt.String(), func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			a, _, err := array.FromJSON(mem, dt, strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Release()
			g, err := NewGatherer(dt, mem)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.Set(3, a); err != nil {
				t.Fatal(err)
			}
			for _, rows := range [][]int{{}, {-1, -1}, {3, 2, 1, 0}, {-1, 3}, {3, -1}, {0, -1, 1, -1, 2, -1, 3, -1, -1, 0, 1}} {
				checkNulls(t, g, a, rows)
			}
		})
	}
}

func field(name string, dt arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: dt, Nullable: true}
}

// checkNulls takes rows of source 3, -1 for a null.
func checkNulls(t *testing.T, g *Gatherer, a arrow.Array, rows []int) {
	t.Helper()
	refs := make([]Ref, len(rows))
	for i, row := range rows {
		refs[i] = NullRef
		if row >= 0 {
			refs[i] = MakeRef(3, row)
			if g.IsNull(refs[i]) != a.IsNull(row) {
				t.Errorf("row %d: IsNull is %v", row, g.IsNull(refs[i]))
			}
		}
	}
	got, err := g.Take(SelectNulls(refs))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	nulls := 0
	for i, row := range rows {
		want := array.NullValueStr
		if row >= 0 {
			want = a.ValueStr(row)
		}
		if want == array.NullValueStr {
			nulls++
		}
		if s := got.ValueStr(i); s != want {
			t.Errorf("%v: cell %d is %s, want %s", rows, i, s, want)
		}
	}
	if got.Len() != len(rows) || got.NullN() != nulls {
		t.Errorf("%v: %d cells, %d nulls, want %d", rows, got.Len(), got.NullN(), nulls)
	}
}
