package lsm

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A writer has a buffer for every bucket that gets a row before a Prepare.
func TestABufferThatWaitsHoldsNothingForItsColumns(t *testing.T) {
	var fields []arrow.Field
	for i := range 500 {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("c%d", i), Type: arrow.PrimitiveTypes.Int64})
	}
	one, err := NewBuffer(BufferSpec{Schema: arrow.NewSchema(fields, nil), Key: []string{"c0"}})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { one.Like() }); n > 1 {
		t.Errorf("a buffer like another takes %v allocations", n)
	}
	b := one.Like()
	col := array.NewInt64Builder(memory.DefaultAllocator)
	defer col.Release()
	for range 2 {
		col.AppendValues([]int64{7, 3, 7}, nil)
		cells := col.NewInt64Array()
		cols := make([]arrow.Array, len(fields))
		for i := range cols {
			cols[i] = cells
		}
		rec := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, 3)
		if err := b.Add(rec, nil, nil); err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		if _, err := b.Flush(0, func(out arrow.RecordBatch) error {
			rows += out.NumRows()
			if !out.Schema().Equal(one.Schema()) {
				t.Errorf("it emits %v", out.Schema())
			}
			return nil
		}); err != nil || rows != 2 {
			t.Errorf("%d rows, %v", rows, err)
		}
		if b.emitter.gathers != nil || b.fold != nil {
			t.Error("it holds on to what emitting needs")
		}
		rec.Release()
		cells.Release()
	}
}
