package lsm

import (
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"github.com/tidelake/tidelake/mergeengine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBufferFlushesWhatTheRowAtATimeModelSays(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			checkBuffer(t, newWorld(seed, mem))
		})
	}
}

func checkBuffer(t testing.TB, w *world) {
	b, err := NewBuffer(w.bufferSpec())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	next := int64(100)
	for range 2 { // a flushed buffer is as good as new
		rows := w.fill(t, b, next)
		if b.Rows() != int64(len(rows)) {
			t.Fatalf("Rows is %d after %d", b.Rows(), len(rows))
		}
		if n := b.RefBytes(); n < int64(len(rows))*sortBytes {
			t.Fatalf("RefBytes is %d", n)
		}
		var out []arrow.RecordBatch
		got, err := b.Flush(next, func(rec arrow.RecordBatch) error {
			if rec.NumRows() == 0 || int(rec.NumRows()) > b.spec.BatchRows {
				t.Fatalf("batch of %d rows", rec.NumRows())
			}
			if !rec.Schema().Equal(b.Schema()) {
				t.Fatal("batch of another schema")
			}
			rec.Retain()
			out = append(out, rec)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := next + int64(len(rows)); got != want {
			t.Fatalf("next number is %d, want %d", got, want)
		}
		w.checkStored(t, out, modelMerge(rows, w.desc))
		releaseAll(out)
		next = got
	}
}

func TestMergeReadsWhatTheRowAtATimeModelSays(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			checkMerge(t, newWorld(seed, mem))
		})
	}
}

// checkMerge flushes several buffers, some with sequence numbers that were
// given out before, and merges the results.
func checkMerge(t testing.TB, w *world) {
	spec := w.bufferSpec()
	spec.OmitKeys = true
	var runs []Run
	var stored []modelRow
	count := []int{0, 1, 2, 3, 8, 40}[w.rng.IntN(6)]
	next := int64(0)
	for i := range count {
		b, err := NewBuffer(spec)
		if err != nil {
			t.Fatal(err)
		}
		if w.rng.IntN(4) == 0 {
			next = 0
		}
		rows := modelMerge(w.fill(t, b, next), w.desc)
		for j := range rows {
			rows[j].rank = count - i
		}
		stored = append(stored, rows...)
		run := &sliceRun{name: fmt.Sprint("run ", i), rank: count - i}
		defer run.release()
		next, err = b.Flush(next, func(rec arrow.RecordBatch) error {
			w.cut(run, rec)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
		if w.rng.IntN(3) == 0 {
			runs[i] = Prefetch(run, w.rng.IntN(4))
		}
	}
	want := modelMerge(stored, w.desc)
	drop := w.rng.IntN(2) == 0
	if drop {
		kept := want[:0]
		for _, r := range want {
			if !mergeengine.Retracts(r.kind) {
				kept = append(kept, r)
			}
		}
		want = kept
	}
	var names []string
	for _, f := range w.schema.Fields() {
		names = append(names, f.Name)
	}
	mergeSpec := MergeSpec{Schema: w.schema, Key: w.key, Sequence: w.seq, SequenceDescending: w.desc,
		Output: names, WithKeys: w.rng.IntN(2) == 0, WithSequence: true, WithKind: true, DropDeletes: drop,
		BatchRows: []int{0, 1, 10, 200}[w.rng.IntN(4)], Parallel: w.rng.IntN(4), Alloc: w.mem}
	runs, release := w.joinSome(t, runs, &mergeSpec)
	defer release()
	m, err := NewMerge(runs, mergeSpec)
	if err != nil {
		t.Fatal(err)
	}
	out := collect(t, m)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	w.checkStored(t, out, want)
	releaseAll(out)
}

// joinSome joins random runs, some of them again, ahead of a merge by spec. It
// must not change what the merge gives. Release them behind it.
func (w *world) joinSome(t testing.TB, runs []Run, spec *MergeSpec) (_ []Run, release func()) {
	var made []*sliceRun
	for range w.rng.IntN(4) {
		w.rng.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
		n := w.rng.IntN(len(runs) + 1)
		m, err := Join(slices.Clone(runs[:n]), *spec)
		if err != nil {
			t.Fatal(err)
		}
		joined := &sliceRun{name: "joined", rank: 1 << 20} // each row has its own
		out := collect(t, m)
		for _, rec := range out {
			w.cut(joined, rec)
		}
		releaseAll(out)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		made = append(made, joined)
		runs, spec.Versions = append(runs[n:], joined), true
	}
	return runs, func() {
		for _, r := range made {
			r.release()
		}
	}
}

// cut appends rec to a run in random pieces, empty ones among them.
func (w *world) cut(run *sliceRun, rec arrow.RecordBatch) {
	for at := int64(0); at < rec.NumRows(); {
		n := min(int64(w.rng.IntN([]int{2, 20, 400}[w.rng.IntN(3)])), rec.NumRows()-at)
		run.recs = append(run.recs, rec.NewSlice(at, at+n))
		at += n
	}
}

func FuzzBufferAndMerge(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		checkBuffer(t, newWorld(seed, mem))
		checkMerge(t, newWorld(seed, mem))
	})
}

// Runs of all versions, some of them joined by a merge that loses none, give
// what one flush of all rows gives.
func TestRunsOfAllVersionsMergeAsOneFlush(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			checkVersions(t, newWorld(seed, mem))
		})
	}
}

func checkVersions(t testing.TB, w *world) {
	spec := w.bufferSpec()
	if w.rng.IntN(3) > 0 {
		spec.Engine = AllVersions{}
	}
	var names []string
	for _, f := range w.schema.Fields() {
		names = append(names, f.Name)
	}
	merge := func(runs []Run, engine mergeengine.Engine) []arrow.RecordBatch {
		m, err := NewMerge(runs, MergeSpec{Schema: w.schema, Key: w.key, Sequence: w.seq, SequenceDescending: w.desc, Engine: engine, Versions: true,
			Output: names, WithSequence: true, WithKind: true, BatchRows: []int{0, 1, 10, 200}[w.rng.IntN(4)], Alloc: w.mem})
		if err != nil {
			t.Fatal(err)
		}
		out := collect(t, m)
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var runs []Run
	var all []modelRow
	next := int64(0)
	for i := range 1 + w.rng.IntN(9) {
		b, err := NewBuffer(spec)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		all = append(all, w.fill(t, b, next)...)
		sorted, err := b.Sorted(next, Reduction(spec.Engine))
		if err != nil {
			t.Fatal(err)
		}
		next += b.Rows()
		runs = append(runs, sorted)
		if w.rng.IntN(3) == 0 {
			joined := &sliceRun{name: fmt.Sprint("joined at ", i)}
			defer joined.release()
			out := merge(runs, Reduction(spec.Engine))
			for _, rec := range out {
				w.cut(joined, rec)
			}
			releaseAll(out)
			runs = []Run{joined}
		}
	}
	out := merge(runs, mergeengine.Deduplicate{})
	w.checkStored(t, out, modelMerge(all, w.desc))
	releaseAll(out)
}
