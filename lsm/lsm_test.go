package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/manifest"
)

var tinySchema = arrow.NewSchema([]arrow.Field{
	{Name: "k", Type: arrow.PrimitiveTypes.Int64},
	{Name: "v", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

// stored makes a stored batch: rows are "key number kind text".
func stored(t testing.TB, mem memory.Allocator, rows ...string) arrow.RecordBatch {
	t.Helper()
	fields := append(slices.Clone(tinySchema.Fields()), sequenceField, kindField)
	b := array.NewRecordBuilder(mem, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, r := range rows {
		var key, number int64
		var kind int8
		var text string
		if _, err := fmt.Sscan(r, &key, &number, &kind, &text); err != nil {
			t.Fatal(err)
		}
		b.Field(0).(*array.Int64Builder).Append(key)
		b.Field(1).(*array.StringBuilder).Append(text)
		b.Field(2).(*array.Int64Builder).Append(number)
		b.Field(3).(*array.Int8Builder).Append(kind)
	}
	return b.NewRecordBatch()
}

func tinySpec(mem memory.Allocator) MergeSpec {
	return MergeSpec{Schema: tinySchema, Key: []string{"k"}, Output: []string{"k", "v"}, DropDeletes: true, Alloc: mem}
}

func texts(recs []arrow.RecordBatch) (out []string) {
	for _, r := range recs {
		for i := range int(r.NumRows()) {
			out = append(out, strings.Join(cellTexts(r, 0, i), " "))
		}
	}
	return out
}

func mergeTexts(t testing.TB, mem memory.Allocator, spec MergeSpec, runs ...Run) []string {
	t.Helper()
	m, err := NewMerge(runs, spec)
	if err != nil {
		t.Fatal(err)
	}
	out := collect(t, m)
	defer releaseAll(out)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return texts(out)
}

func want(t testing.TB, got []string, rows ...string) {
	t.Helper()
	if !slices.Equal(got, rows) {
		t.Errorf("got %q, want %q", got, rows)
	}
}

func TestTheYoungerFileWinsBetweenEqualNumbersWithinOneRunToo(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	// Each run has a file that is younger than one of the other.
	a := &sliceRun{name: "a", ranks: []int{3, 0}, recs: []arrow.RecordBatch{stored(t, mem, "1 5 0 old"), stored(t, mem, "2 5 0 new")}}
	b := &sliceRun{name: "b", ranks: []int{1, 2}, recs: []arrow.RecordBatch{stored(t, mem, "1 5 0 new"), stored(t, mem, "2 5 0 old")}}
	defer a.release()
	defer b.release()
	want(t, mergeTexts(t, mem, tinySpec(mem), a, b), "1 new", "2 new")
	if a.closed != 1 || b.closed != 1 {
		t.Errorf("closed %d and %d times", a.closed, b.closed)
	}
}

func TestKeysThatDoNotRiseAreCorruptAndNameTheRun(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, recs := range [][]arrow.RecordBatch{
		{stored(t, mem, "2 1 0 a", "1 1 0 b")},
		{stored(t, mem, "1 1 0 a", "1 2 0 b")},
		{stored(t, mem, "1 1 0 a"), stored(t, mem), stored(t, mem, "1 2 0 b")},
		{stored(t, mem, "1 1 7 a")},
	} {
		run := &sliceRun{name: "data-7.parquet", recs: recs}
		m, err := NewMerge([]Run{run, &sliceRun{name: "empty"}}, tinySpec(mem))
		if err != nil {
			t.Fatal(err)
		}
		rec, err := m.Next()
		for err == nil {
			rec.Release()
			rec, err = m.Next()
		}
		if !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "data-7.parquet") {
			t.Errorf("got %v", err)
		}
		if _, again := m.Next(); again != err {
			t.Errorf("then %v", again)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if run.closed != 1 {
			t.Errorf("closed %d times", run.closed)
		}
		run.release()
	}
}

func TestStringKeysOutOfOrderAreCorrupt(t *testing.T) {
	s := arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.BinaryTypes.String}}, nil)
	fields := append(slices.Clone(s.Fields()), sequenceField, kindField)
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"aa1", "zz2", "aa3"}, nil)
	b.Field(1).(*array.Int64Builder).AppendValues([]int64{1, 2, 3}, nil)
	b.Field(2).(*array.Int8Builder).AppendValues([]int8{0, 0, 0}, nil)
	run := &sliceRun{name: "x", recs: []arrow.RecordBatch{b.NewRecordBatch()}}
	m, err := NewMerge([]Run{run}, MergeSpec{Schema: s, Key: []string{"k"}, Output: []string{"k"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := m.Next(); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsOfRunsArePassedOnAndNothingLeaks(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	broken := errors.New("disk on fire")
	for _, depth := range []int{0, 3} {
		a := &sliceRun{name: "a", recs: []arrow.RecordBatch{stored(t, mem, "1 1 0 a", "5 1 0 a")}, fail: broken}
		b := &sliceRun{name: "b", recs: []arrow.RecordBatch{stored(t, mem, "2 1 0 a"), stored(t, mem, "9 1 0 a")}}
		runs := []Run{a, b}
		if depth > 0 {
			runs = []Run{Prefetch(a, depth), Prefetch(b, depth)}
		}
		m, err := NewMerge(runs, tinySpec(mem))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Next(); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		m.Close()
		m.Close()
		a.release()
		b.release()
	}
}

func TestCloseInTheMiddleReleasesEverything(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	var runs []Run
	for r := range 5 {
		run := &sliceRun{name: "r"}
		for i := range 50 {
			run.recs = append(run.recs, stored(t, mem, fmt.Sprint(i*10+r, 1, 0, " x")))
		}
		defer run.release()
		runs = append(runs, Prefetch(run, 2))
	}
	spec := tinySpec(mem)
	spec.BatchRows = 3
	m, err := NewMerge(runs, spec)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := m.Next()
	if err != nil {
		t.Fatal(err)
	}
	m.Close()
	if rec.NumRows() > 3 || texts([]arrow.RecordBatch{rec})[0] != "0 x" {
		t.Errorf("got %v", rec)
	}
	rec.Release()
	if _, err := m.Next(); !errors.Is(err, fault.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAThousandRunsOfOneRowBatches(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	var runs []Run
	var rows []string
	for r := range 1000 {
		run := &sliceRun{name: "r", rank: r}
		for i := range 5 {
			run.recs = append(run.recs, stored(t, mem, fmt.Sprint(i*700+r, r, 0, " x")))
		}
		defer run.release()
		runs = append(runs, run)
	}
	for k := range 4*700 + 1000 {
		rows = append(rows, fmt.Sprint(k, " x"))
	}
	spec := tinySpec(mem)
	spec.BatchRows = 64
	want(t, mergeTexts(t, mem, spec, runs...), rows...)
}

func TestBatchesOfDeletedRowsAreLetGoAsTheyCome(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	live, most := 0, 0
	gen := func(r int) Run {
		at := 0
		return &funcRun{next: func() (arrow.RecordBatch, error) {
			if at == 300 {
				return nil, io.EOF
			}
			var rows []string
			for i := range 300 {
				rows = append(rows, fmt.Sprint((at*300+i)*2+r, 1, 3, " x"))
			}
			at++
			live = mem.CurrentAlloc()
			most = max(most, live)
			return stored(t, mem, rows...), nil
		}}
	}
	want(t, mergeTexts(t, mem, tinySpec(mem), gen(0), gen(1)))
	if most > 1<<20 {
		t.Errorf("%d bytes were live at once", most)
	}
}

type funcRun struct {
	next func() (arrow.RecordBatch, error)
}

func (r *funcRun) Name() string                     { return "func" }
func (r *funcRun) Rank() int                        { return 0 }
func (r *funcRun) Next() (arrow.RecordBatch, error) { return r.next() }
func (r *funcRun) Close() error                     { return nil }

func TestARunAloneIsSlicedNotCopied(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	rec := stored(t, mem, "1 1 0 a", "2 1 0 b")
	run := &sliceRun{name: "r", recs: []arrow.RecordBatch{rec}}
	defer run.release()
	m, err := NewMerge([]Run{run}, tinySpec(mem))
	if err != nil {
		t.Fatal(err)
	}
	before := mem.CurrentAlloc()
	out := collect(t, m)
	if mem.CurrentAlloc() != before {
		t.Error("memory was allocated")
	}
	want(t, texts(out), "1 a", "2 b")
	m.Close()
	releaseAll(out)
}

func TestSpecificationsAreChecked(t *testing.T) {
	list := arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)}, {Name: "n", Type: arrow.Null}}, nil)
	for _, s := range []BufferSpec{
		{Schema: tinySchema}, {Schema: tinySchema, Key: []string{"x"}},
		{Schema: tinySchema, Key: []string{"k"}, Sequence: []string{"x"}},
		{Schema: list, Key: []string{"k"}}, {Schema: list, Key: []string{"n"}},
	} {
		if _, err := NewBuffer(s); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("buffer of %v: %v", s, err)
		}
		if _, err := NewMerge(nil, MergeSpec{Schema: s.Schema, Key: s.Key, Sequence: s.Sequence}); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("merge of %v: %v", s, err)
		}
	}
	if _, err := NewMerge(nil, MergeSpec{Schema: tinySchema, Key: []string{"k"}, Output: []string{"x"}}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("output: %v", err)
	}
}

func TestBufferRefusesWhatItCannotKeep(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b, err := NewBuffer(BufferSpec{Schema: tinySchema, Key: []string{"k"}, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	rb := array.NewRecordBuilder(mem, tinySchema)
	defer rb.Release()
	rb.Field(0).AppendNull()
	rb.Field(1).AppendNull()
	null := rb.NewRecordBatch()
	defer null.Release()
	rb.Field(0).(*array.Int64Builder).Append(1)
	rb.Field(1).AppendNull()
	good := rb.NewRecordBatch()
	defer good.Release()
	other := stored(t, mem, "1 1 0 a")
	defer other.Release()
	swapped := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{tinySchema.Field(1), tinySchema.Field(0)}, nil),
		[]arrow.Array{good.Column(1), good.Column(0)}, 1)
	defer swapped.Release()
	for name, err := range map[string]error{
		"null key":    b.Add(null, nil, nil),
		"row":         b.Add(good, nil, []int32{1}),
		"row below 0": b.Add(good, nil, []int32{-1}),
		"kinds":       b.Add(good, []int8{0, 0}, nil),
		"kind":        b.Add(good, []int8{4}, nil),
		"columns":     b.Add(other, nil, nil),
		"types":       b.Add(swapped, nil, nil),
	} {
		if !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b.Rows() != 0 {
		t.Errorf("%d rows", b.Rows())
	}
}

func TestAFailedFlushKeepsTheRows(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	w := newWorld(3, mem)
	b, err := NewBuffer(w.bufferSpec())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	rec, _ := w.batch(10)
	if err := b.Add(rec, nil, nil); err != nil {
		t.Fatal(err)
	}
	rec.Release()
	full := errors.New("disk full")
	if next, err := b.Flush(5, func(arrow.RecordBatch) error { return full }); err != full || next != 15 || b.Rows() != 10 {
		t.Errorf("next %d, rows %d, %v", next, b.Rows(), err)
	}
	if _, err := b.Flush(5, func(arrow.RecordBatch) error { return nil }); err != nil || b.Rows() != 0 {
		t.Errorf("%d rows, %v", b.Rows(), err)
	}
}

func TestBuffersOfOneBatchFlushAtTheSameTime(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	w := newWorld(8, mem)
	rec, _ := w.batch(500)
	defer rec.Release()
	spec := w.bufferSpec()
	var wg sync.WaitGroup
	for i := range 8 {
		b, err := NewBuffer(spec)
		if err != nil {
			t.Fatal(err)
		}
		var rows []int32
		for r := i; r < 500; r += 8 {
			rows = append(rows, int32(r))
		}
		wg.Go(func() {
			if err := b.Add(rec, nil, rows); err != nil {
				t.Error(err)
			}
			if _, err := b.Flush(0, func(arrow.RecordBatch) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestRadixSortsAreStableSorts(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := []int{0, 1, 20, 100, 3000, 20000}[rng.IntN(6)]
		mask := ^uint64(0) >> rng.IntN(64) << rng.IntN(20)
		items := make([]item, n)
		keys := make([][]byte, n)
		for i := range items {
			items[i] = item{rng.Uint64() & mask, vector.Ref(i)}
			keys[i] = bytes.Repeat([]byte{byte(rng.IntN(2))}, rng.IntN(40))
			if rng.IntN(2) == 0 {
				keys[i] = append(keys[i], byte(rng.IntN(3)))
			}
		}
		byWord := slices.Clone(items)
		slices.SortStableFunc(byWord, func(a, b item) int {
			if a.word < b.word {
				return -1
			}
			return b2i(a.word > b.word)
		})
		got, scratch := slices.Clone(items), make([]item, n)
		radixSort(got, scratch)
		if !slices.Equal(got, byWord) {
			t.Fatalf("seed %d: words", seed)
		}
		sorter := bytesSorter{key: func(r vector.Ref) []byte { return keys[r] }}
		sorter.sort(items, scratch, 0)
		for i := 1; i < n; i++ {
			a, b := items[i-1].ref, items[i].ref
			if c := bytes.Compare(keys[a], keys[b]); c > 0 || c == 0 && a > b {
				t.Fatalf("seed %d: keys %q and %q", seed, keys[a], keys[b])
			}
		}
	}
}

func file(name, lo, hi string) manifest.DataFile {
	return manifest.DataFile{Name: name, MinKey: []byte(lo), MaxKey: []byte(hi)}
}

func TestSectionsShareNoKeyAndRunsDoNotOverlap(t *testing.T) {
	files := []manifest.DataFile{
		file("6", "p", "p"), file("3", "d", "f"), file("1", "a", "c"), file("2", "b", "e"), file("5", "k", "m"), file("4", "f", "g"),
	}
	var got []string
	for _, section := range Sections(files, bytes.Compare) {
		var runs []string
		for _, run := range section {
			names := ""
			for _, f := range run {
				names += f.Name
			}
			runs = append(runs, names)
		}
		slices.Sort(runs)
		got = append(got, strings.Join(runs, " "))
	}
	want(t, got, "13 24", "5", "6")
	if files[0].Name != "6" {
		t.Error("the caller's files were sorted")
	}
	if s := Sections(nil, bytes.Compare); s != nil {
		t.Errorf("sections of nothing: %v", s)
	}
}

func TestLevelZeroComesNewestFirst(t *testing.T) {
	files := []manifest.DataFile{
		{Name: "top", Level: 5, MaxSequence: 99},
		{Name: "old", MaxSequence: 5, MinSequence: 1},
		{Name: "new", MaxSequence: 9, MinSequence: 6},
		{Name: "tie-late", MaxSequence: 5, MinSequence: 1, CreationTime: 7},
		{Name: "tie-min", MaxSequence: 5, MinSequence: 2},
		{Name: "mid", Level: 1},
	}
	ranks := Ranks(files)
	got := make([]string, len(files))
	for i, r := range ranks {
		got[r] = files[i].Name
	}
	want(t, got, "new", "old", "tie-late", "tie-min", "mid", "top")
}

func TestBatchesAreCutWhereCellsGetTooLarge(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	defer func(n int) { vector.MaxCells = n }(vector.MaxCells)
	vector.MaxCells = 10
	rb := array.NewRecordBuilder(mem, tinySchema)
	defer rb.Release()
	rb.Field(0).(*array.Int64Builder).AppendValues([]int64{4, 1, 3, 2, 5}, nil)
	rb.Field(1).(*array.StringBuilder).AppendValues([]string{"dddd", "aaaa", "cccc", "bbbb", "eeee"}, nil)
	rec := rb.NewRecordBatch()
	defer rec.Release()
	b, err := NewBuffer(BufferSpec{Schema: tinySchema, Key: []string{"k"}, OmitKeys: true, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	var runs []Run
	for range 2 {
		if err := b.Add(rec, nil, nil); err != nil {
			t.Fatal(err)
		}
		run := &sliceRun{name: "r"}
		defer run.release()
		if _, err := b.Flush(int64(len(runs)), func(rec arrow.RecordBatch) error {
			rec.Retain()
			run.recs = append(run.recs, rec)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(run.recs) != 3 { // five rows: two, and three which become one and two
			t.Errorf("%d batches", len(run.recs))
		}
		runs = append(runs, run)
	}
	want(t, mergeTexts(t, mem, tinySpec(mem), runs...), "1 aaaa", "2 bbbb", "3 cccc", "4 dddd", "5 eeee")
}

func TestColumnsOfRunsAreChecked(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	good := stored(t, mem, "1 1 0 a")
	defer good.Release()
	build := func(fields []arrow.Field, cols ...arrow.Array) arrow.RecordBatch {
		return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, 1)
	}
	f := good.Schema().Fields()
	renamed := func(i int, name string) []arrow.Field {
		out := slices.Clone(f)
		out[i].Name = name
		return out
	}
	retyped := func(i int, dt arrow.DataType) []arrow.Field {
		out := slices.Clone(f)
		out[i].Type = dt
		return out
	}
	null := array.MakeArrayOfNull(mem, arrow.PrimitiveTypes.Int64, 1)
	defer null.Release()
	k, v, seq, kind := good.Column(0), good.Column(1), good.Column(2), good.Column(3)
	for name, c := range map[string]struct {
		rec   arrow.RecordBatch
		class error
	}{
		"no key":       {build(renamed(0, "x"), k, v, seq, kind), fault.ErrCorrupt},
		"no value":     {build(renamed(1, "x"), k, v, seq, kind), fault.ErrCorrupt},
		"key twice":    {build(renamed(1, "k"), k, v, seq, kind), fault.ErrCorrupt},
		"no number":    {build(renamed(2, "x"), k, v, seq, kind), fault.ErrCorrupt},
		"no kind":      {build(renamed(3, "x"), k, v, seq, kind), fault.ErrCorrupt},
		"null key":     {build(f, null, v, seq, kind), fault.ErrCorrupt},
		"null number":  {build(f, k, v, null, kind), fault.ErrCorrupt},
		"type of key":  {build(retyped(0, v.DataType()), v, v, seq, kind), fault.ErrInvalid},
		"type of kind": {build(retyped(3, seq.DataType()), k, v, seq, seq), fault.ErrInvalid},
		"type of v":    {build(retyped(1, seq.DataType()), k, seq, seq, kind), fault.ErrInvalid},
	} {
		for _, depth := range []int{0, 1} {
			var run Run = &sliceRun{name: "bad.parquet", recs: []arrow.RecordBatch{c.rec}}
			if depth > 0 {
				run = Prefetch(run, depth)
			}
			m, err := NewMerge([]Run{run}, tinySpec(mem))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Next(); !errors.Is(err, c.class) || !strings.Contains(err.Error(), "bad.parquet") {
				t.Errorf("%s: %v", name, err)
			}
			m.Close()
		}
		c.rec.Release()
	}
}

func TestThePhysicalLayoutKeepsItsColumnOrder(t *testing.T) {
	spec := tinySpec(memory.DefaultAllocator)
	spec.WithKeys, spec.WithSequence, spec.WithKind = true, true, true
	m, err := NewMerge(nil, spec)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBuffer(BufferSpec{Schema: tinySchema, Key: []string{"k"}})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Schema().Equal(b.Schema()) {
		t.Errorf("merge emits %v, buffer %v", m.Schema(), b.Schema())
	}
	if _, err := m.Next(); err != io.EOF {
		t.Errorf("no runs: %v", err)
	}
	m.Close()
}
