package datafile

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// A map may hold a slice of entries; its file must not hold the entries before
// the slice instead.
func TestMapOfSlicedEntriesIsWrittenWithItsOwn(t *testing.T) {
	fields := []schema.Field{field(1, "m", opt(mapOf(scalar(schema.Int), opt(scalar(schema.Int)))))}
	whole := newGen(8, 0.3, 0).batch(memory.DefaultAllocator, fields, 100)
	defer whole.Release()
	m := whole.Column(0).(*array.Map)
	lo, _ := m.ValueOffsets(50)
	_, hi := m.ValueOffsets(99)
	entries := array.NewSlice(m.ListValues(), lo, hi)
	defer entries.Release()
	offsets := array.NewInt32Builder(memory.DefaultAllocator)
	offsets.Append(0)
	for r := 50; r < 100; r++ {
		_, end := m.ValueOffsets(r)
		offsets.Append(int32(end - lo))
	}
	at := offsets.NewInt32Array()
	defer at.Release()
	data := array.NewData(m.DataType(), 50, []*memory.Buffer{nil, at.Data().Buffers()[1]}, []arrow.ArrayData{entries.Data()}, 0, 0)
	defer data.Release()
	sliced := array.NewMapData(data)
	defer sliced.Release()
	rec := array.NewRecordBatch(whole.Schema(), []arrow.Array{sliced}, 50)
	defer rec.Release()

	file, _ := writeAll(t, fields, WriterOptions{}, rec)
	if got, want := columnsJSON(t, file)[0], asJSON(t, sliced); got != want {
		t.Errorf("wrote\n%s, want\n%s", got, want)
	}
}
