package table

import (
	"context"
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// oneBatch is a rowSource whose context ends while it reads.
type oneBatch struct {
	rec arrow.RecordBatch
	end context.CancelFunc
}

func (o *oneBatch) Next() (arrow.RecordBatch, error) { o.end(); return o.rec, nil }
func (o *oneBatch) Close() error                     { return nil }

func TestSpillingThatIsCancelledGivesItsBatchBack(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	col := array.NewInt64Builder(mem)
	col.AppendValues([]int64{1, 2, 3}, nil)
	values := col.NewArray()
	col.Release()
	rec := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.PrimitiveTypes.Int64}}, nil), []arrow.Array{values}, 3)
	values.Release()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := (&spillFile{block: 1 << 10}).write(ctx, &oneBatch{rec, cancel}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
