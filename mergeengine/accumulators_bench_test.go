package mergeengine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/sketch"
	"github.com/tidelake/tidelake/schema"
)

// Keys of four versions each; one operation folds one key.
func BenchmarkAccumulators(b *testing.B) {
	s, err := sketch.NewHLL(1, 2, 3, 4, 5)
	if err != nil {
		b.Fatal(err)
	}
	hll, err := s.Bytes()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name, typ string
		make      maker
		o         schema.FieldOptions
		value     func(i int) string
	}{
		{"listagg", "STRING", newListagg, schema.FieldOptions{Delimiter: ","}, func(i int) string { return fmt.Sprintf(`"word%d"`, i) }},
		{"listagg distinct", "STRING", newListagg, schema.FieldOptions{Delimiter: ",", Distinct: true}, func(i int) string { return fmt.Sprintf(`"word%d,x"`, i) }},
		{"collect", "ARRAY<BIGINT>", newCollect, schema.FieldOptions{}, func(i int) string { return fmt.Sprintf("[%d,2,3,4,5]", i) }},
		{"collect distinct", "ARRAY<BIGINT>", newCollect, schema.FieldOptions{Distinct: true}, func(i int) string { return fmt.Sprintf("[%d,2,3,4,5]", i) }},
		{"merge_map", "MAP<INT, STRING>", newMergeMap, schema.FieldOptions{}, func(i int) string {
			return fmt.Sprintf(`[{"key":%d,"value":"a"},{"key":2,"value":"b"}]`, i+10)
		}},
		{"nested_update", "ARRAY<ROW<k INT, v STRING>>", newNestedUpdate, schema.FieldOptions{NestedKey: []string{"k"}, CountLimit: 1000}, func(i int) string {
			return fmt.Sprintf(`[{"k":%d,"v":"a"},{"k":2,"v":"b"}]`, i)
		}},
		{"hll_sketch", "BYTES", unionOf("hll_sketch", newHLL), schema.FieldOptions{}, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			typ, err := schema.ParseType(c.typ)
			if err != nil {
				b.Fatal(err)
			}
			dt, err := schema.ArrowType(typ)
			if err != nil {
				b.Fatal(err)
			}
			in := array.NewBuilder(memory.DefaultAllocator, dt)
			for i := range 4096 {
				if c.value == nil {
					in.(*array.BinaryBuilder).Append(hll)
				} else if err := in.UnmarshalJSON([]byte("[" + c.value(i%7) + "]")); err != nil {
					b.Fatal(err)
				}
			}
			col := in.NewArray()
			acc, err := c.make(schema.Field{Name: strings.ToLower(c.name), Type: typ}, c.o)
			if err != nil {
				b.Fatal(err)
			}
			out := array.NewBuilder(memory.DefaultAllocator, dt)
			b.ReportAllocs()
			for b.Loop() {
				acc.reset()
				for i := range 4 {
					if err := acc.add(col, (out.Len()*4+i)%4096); err != nil {
						b.Fatal(err)
					}
				}
				if err := acc.appendTo(out); err != nil {
					b.Fatal(err)
				}
				if out.Len() == 1024 {
					out.NewArray().Release()
				}
			}
		})
	}
}
