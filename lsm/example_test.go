package lsm_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
)

var stock = arrow.NewSchema([]arrow.Field{
	{Name: "item", Type: arrow.BinaryTypes.String},
	{Name: "count", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
}, nil)

func changes(items []string, counts []int64) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, stock)
	defer b.Release()
	b.Field(0).(*array.StringBuilder).AppendValues(items, nil)
	b.Field(1).(*array.Int64Builder).AppendValues(counts, nil)
	return b.NewRecordBatch()
}

// memoryRun is a run of one batch.
type memoryRun struct {
	rec  arrow.RecordBatch
	rank int
}

func (r *memoryRun) Name() string { return "memory" }
func (r *memoryRun) Rank() int    { return r.rank }
func (r *memoryRun) Next() (rec arrow.RecordBatch, err error) {
	if r.rec == nil {
		return nil, io.EOF
	}
	rec, r.rec = r.rec, nil
	return rec, nil
}
func (r *memoryRun) Close() error { return nil }

func ExampleNewBuffer() {
	b, err := lsm.NewBuffer(lsm.BufferSpec{Schema: stock, Key: []string{"item"}})
	if err != nil {
		panic(err)
	}
	defer b.Close()
	rec := changes([]string{"pear", "apple", "pear"}, []int64{1, 2, 3})
	defer rec.Release()
	if err := b.Add(rec, []int8{0, 0, 2}, nil); err != nil {
		panic(err)
	}
	next, err := b.Flush(10, func(physical arrow.RecordBatch) error {
		for i := range int(physical.NumRows()) {
			var cells []string
			for c, col := range physical.Columns() {
				cells = append(cells, physical.ColumnName(c)+"="+col.ValueStr(i))
			}
			fmt.Println(strings.Join(cells, " "))
		}
		return nil
	})
	fmt.Println("next", next, err)
	// Output:
	// _KEY_item=apple _SEQUENCE_NUMBER=11 _VALUE_KIND=0 item=apple count=2
	// _KEY_item=pear _SEQUENCE_NUMBER=12 _VALUE_KIND=2 item=pear count=3
	// next 13 <nil>
}

func ExampleNewMerge() {
	var runs []lsm.Run
	next := int64(0)
	for i, rec := range []arrow.RecordBatch{
		changes([]string{"apple", "pear"}, []int64{1, 1}),
		changes([]string{"plum", "apple"}, []int64{5, 9}),
	} {
		b, err := lsm.NewBuffer(lsm.BufferSpec{Schema: stock, Key: []string{"item"}})
		if err != nil {
			panic(err)
		}
		b.Add(rec, nil, nil)
		rec.Release()
		next, err = b.Flush(next, func(physical arrow.RecordBatch) error {
			physical.Retain()
			runs = append(runs, &memoryRun{physical, 1 - i})
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	m, err := lsm.NewMerge(runs, lsm.MergeSpec{Schema: stock, Key: []string{"item"}, Output: []string{"item", "count"}, DropDeletes: true})
	if err != nil {
		panic(err)
	}
	defer m.Close()
	for {
		rec, err := m.Next()
		if err != nil {
			break // io.EOF
		}
		for i := range int(rec.NumRows()) {
			fmt.Println(rec.Column(0).ValueStr(i), rec.Column(1).ValueStr(i))
		}
		rec.Release()
	}
	// Output:
	// apple 9
	// pear 1
	// plum 5
}

// Rows that do not fit in memory at once are merged in two steps: the sorted
// runs in between lose nothing that the last merge needs.
func ExampleBuffer_Sorted() {
	spec := lsm.MergeSpec{Schema: stock, Key: []string{"item"}, Output: []string{"item", "count"}, Versions: true, WithSequence: true, WithKind: true}
	var runs []lsm.Run
	next := int64(0)
	for _, rec := range []arrow.RecordBatch{
		changes([]string{"apple", "pear", "apple"}, []int64{1, 2, 3}),
		changes([]string{"plum", "apple"}, []int64{4, 5}),
	} {
		b, err := lsm.NewBuffer(lsm.BufferSpec{Schema: stock, Key: []string{"item"}, Engine: lsm.AllVersions{}})
		if err != nil {
			panic(err)
		}
		defer b.Close()
		b.Add(rec, nil, nil)
		rec.Release()
		run, err := b.Sorted(next, lsm.AllVersions{})
		if err != nil {
			panic(err)
		}
		next += b.Rows()
		runs = append(runs, run)
	}
	spec.Engine = lsm.Reduction(lsm.AllVersions{}) // of the engine that merges in the end
	m, err := lsm.NewMerge(runs, spec)
	if err != nil {
		panic(err)
	}
	defer m.Close()
	rec, err := m.Next()
	if err != nil {
		panic(err)
	}
	defer rec.Release()
	for i := range int(rec.NumRows()) {
		fmt.Println(rec.Column(0).ValueStr(i), rec.Column(2).ValueStr(i), rec.Column(3).ValueStr(i))
	}
	// Output:
	// 0 apple 1
	// 2 apple 3
	// 4 apple 5
	// 1 pear 2
	// 3 plum 4
}

// Runs that are too many to be merged at once are joined first: a joined run
// has all their rows, and how old the file of each is.
func ExampleJoin() {
	spec := lsm.MergeSpec{Schema: stock, Key: []string{"item"}, Output: []string{"item", "count"}}
	var runs []lsm.Run
	for i, rec := range []arrow.RecordBatch{
		changes([]string{"apple", "apple"}, []int64{1, 2}),
		changes([]string{"apple", "pear"}, []int64{3, 4}),
	} {
		b, err := lsm.NewBuffer(lsm.BufferSpec{Schema: stock, Key: []string{"item"}})
		if err != nil {
			panic(err)
		}
		b.Add(rec, nil, nil)
		rec.Release()
		if _, err = b.Flush(0, func(physical arrow.RecordBatch) error {
			physical.Retain()
			runs = append(runs, &memoryRun{physical, 1 - i})
			return nil
		}); err != nil {
			panic(err)
		}
	}
	m, err := lsm.Join(runs, spec)
	if err != nil {
		panic(err)
	}
	defer m.Close()
	joined, err := m.Next()
	if err != nil {
		panic(err)
	}
	defer joined.Release()
	for i := range int(joined.NumRows()) {
		var cells []string
		for c, col := range joined.Columns() {
			cells = append(cells, joined.ColumnName(c)+"="+col.ValueStr(i))
		}
		fmt.Println(strings.Join(cells, " "))
	}
	// Output:
	// _SEQUENCE_NUMBER=0 _VALUE_KIND=0 item=apple count=3 _LEVEL=0
	// _SEQUENCE_NUMBER=1 _VALUE_KIND=0 item=apple count=2 _LEVEL=1
	// _SEQUENCE_NUMBER=1 _VALUE_KIND=0 item=pear count=4 _LEVEL=0
}

// Five runs in level 0 trigger a compaction into the highest level.
func ExamplePicker() {
	var files []manifest.DataFile
	for i := range 5 {
		files = append(files, manifest.DataFile{Name: fmt.Sprint("file-", i), Size: 1000, MaxSequence: int64(i), MinKey: []byte("a"), MaxKey: []byte("m")})
	}
	levels, err := lsm.NewLevels(bytes.Compare, files, 6)
	if err != nil {
		panic(err)
	}
	picker := lsm.NewPicker(lsm.PickOptions{Trigger: 5, SizeAmplification: 200, SizeRatio: 1, OffPeakStart: -1, OffPeakEnd: -1})
	if unit, ok := picker.Pick(levels, time.Now()); ok {
		fmt.Println(len(unit.Files), "files to level", unit.Output)
		for _, step := range unit.Steps(bytes.Compare, lsm.StepOptions{Small: 90 << 20}) {
			fmt.Println("moved:", len(step.Upgrade), "merged at once:", len(step.Rewrite[0]))
		}
	}
	// Output:
	// 5 files to level 5
	// moved: 0 merged at once: 5
}
