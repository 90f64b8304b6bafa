package lsm

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// rankField is the column of a joined run that says of each row what [Run].Rank
// said of its batch. Its name is reserved, so no column of a table has it.
var rankField = arrow.Field{Name: schema.LevelName, Type: arrow.PrimitiveTypes.Int32}

// Join puts runs together that are too many to be merged at once: what it
// returns holds every row of them in key order, with all columns that a
// [Merge] by spec needs, and how old the file of each row is. Stored and read
// again as one Run, in place of those that were joined, it changes nothing in
// what such a merge with Versions gives. Runs may be joined runs themselves.
//
// Join takes runs over unless there is an error; errors are those of NewMerge.
func Join(runs []Run, spec MergeSpec) (*Merge, error) {
	if spec.Alloc == nil {
		spec.Alloc = memory.DefaultAllocator
	}
	spec.Schema = arrow.NewSchema(append(slices.Clone(spec.Schema.Fields()), rankField), nil)
	spec.Engine, spec.Versions, spec.Levels, spec.Changes = AllVersions{}, true, nil, nil
	spec.WithKeys, spec.WithSequence, spec.WithKind, spec.DropDeletes = false, true, true, false
	spec.Output = spec.Output[:0:0]
	for _, f := range spec.Schema.Fields() {
		spec.Output = append(spec.Output, f.Name)
	}
	ranked := make([]Run, len(runs))
	for i, r := range runs {
		ranked[i] = &rankedRun{Run: r, mem: spec.Alloc}
	}
	return NewMerge(ranked, spec)
}

// rankedRun adds the rank column to the batches of a run that has none yet.
type rankedRun struct {
	Run
	mem  memory.Allocator
	from *arrow.Schema
	to   *arrow.Schema
}

func (r *rankedRun) Next() (arrow.RecordBatch, error) {
	rec, err := r.Run.Next()
	if err != nil || rec.Schema().HasField(rankField.Name) {
		return rec, err
	}
	defer rec.Release()
	if s := rec.Schema(); s != r.from {
		r.from, r.to = s, arrow.NewSchema(append(slices.Clone(s.Fields()), rankField), nil)
	}
	ranks := constant(int32(r.Run.Rank()), int(rec.NumRows()), r.mem)
	defer ranks.Release()
	return array.NewRecordBatch(r.to, append(slices.Clone(rec.Columns()), ranks), rec.NumRows()), nil
}

// constant is a column of n equal numbers.
func constant(value int32, n int, mem memory.Allocator) arrow.Array {
	buf := memory.NewResizableBuffer(mem)
	defer buf.Release()
	buf.Resize(n * arrow.Int32SizeBytes)
	cells := arrow.Int32Traits.CastFromBytes(buf.Bytes())
	for i := range cells {
		cells[i] = value
	}
	data := array.NewData(rankField.Type, n, []*memory.Buffer{nil, buf}, nil, 0, 0)
	defer data.Release()
	return array.NewInt32Data(data)
}
