package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// gates hold compactions up where they open their first file: the n-th
// compaction waits for the n-th gate. Writers open no data file otherwise.
type gates struct {
	mu    sync.Mutex
	known map[string]bool
	fresh func(key string) <-chan struct{} // asked once a file
}

func (g *gates) hook(op storetest.Op) storetest.Outcome {
	if op.Verb != storetest.Open || !strings.Contains(op.Key, "bucket-") {
		return storetest.Outcome{}
	}
	g.mu.Lock()
	var wait <-chan struct{}
	if !g.known[op.Key] {
		g.known[op.Key] = true
		wait = g.fresh(op.Key)
	}
	g.mu.Unlock()
	if wait != nil {
		<-wait
	}
	return storetest.Outcome{}
}

// wide is a row that fills a write buffer of 1 kb.
func wide(k int) string { return fmt.Sprintf(`{"k":%d,"v":"%s"}`, k, strings.Repeat("x", 1200)) }

// A writer that has compacted meets the commit of another one while its next
// compaction runs.
func TestACompactionThatWaitsMeetsTheCommitOfAnother(t *testing.T) {
	below := store.NewMem()
	create(t, below, compacting, "num-sorted-run.compaction-trigger=4", "num-sorted-run.stop-trigger=6", "write-buffer-size=1 kb", "write-buffer-spillable=false")
	first, second := make(chan struct{}), make(chan struct{})
	opened := 0
	g := &gates{known: map[string]bool{}, fresh: func(string) <-chan struct{} {
		if opened++; opened <= 4 {
			return first
		}
		return second
	}}
	tab := reopen(t, storetest.Faulty(below, g.hook))
	w := newWriter(t, tab, "svc")
	for k := range 8 {
		if k == 7 {
			close(first) // which the writer waits for now
		}
		if err := write(t, w, tab, wide(k)); err != nil {
			t.Fatal(err)
		}
	}
	load(t, reopen(t, below), `{"k":100,"v":"other"}`)
	if err := write(t, w, tab, `{"k":5,"v":"last"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	close(second)
	if err != nil {
		t.Fatal(err)
	}
	if len(msgs) != 1 || len(msgs[0].CompactBefore) != 4 {
		t.Errorf("the compaction was not handed out: %d files", len(msgs[0].CompactBefore))
	}
	if err := w.Commit(ctx, 1, msgs); err != nil {
		t.Fatal(err)
	}
	commit(t, w, tab, `{"k":6,"v":"next"}`)
	expect(t, tab, table.ScanOptions{}, wide(0), wide(1), wide(2), wide(3), wide(4), wide(7), `{"k":5,"v":"last"}`, `{"k":6,"v":"next"}`, `{"k":100,"v":"other"}`)
	sound(t, tab)
}

// closing is a context that ends when a data file is closed, so that whatever
// waits after that fails.
type closing struct {
	mu   sync.Mutex
	stop context.CancelFunc
}

func (c *closing) begin() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	var own context.Context
	own, c.stop = context.WithCancel(ctx)
	return own
}

func (c *closing) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
}

func TestAWriterWaitsForItsCompactionOnlyAboveTheStopTrigger(t *testing.T) {
	below := store.NewMem()
	create(t, below, compacting, "num-sorted-run.compaction-trigger=2", "num-sorted-run.stop-trigger=4", "write-buffer-size=1 kb", "write-buffer-spillable=false")
	held := make(chan struct{})
	g := &gates{known: map[string]bool{}, fresh: func(string) <-chan struct{} { return held }}
	var c closing
	tab := reopen(t, storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.Close && strings.Contains(op.Key, "bucket-") {
			return storetest.Outcome{Then: c.end}
		}
		return g.hook(op)
	}))
	w := newWriter(t, tab, "svc")
	full := func(k int) error {
		rec, kinds := batch(t, tab.Schema().Fields, memory.DefaultAllocator, wide(k))
		defer rec.Release()
		return w.WriteKinds(c.begin(), rec, kinds)
	}
	for k := range 5 { // five runs, one above the trigger: the next flush finds them
		if err := full(k); err != nil {
			t.Fatalf("it waits with %d runs: %v", k, err)
		}
	}
	if err := full(5); !errors.Is(err, context.Canceled) {
		t.Errorf("it does not wait: %v", err)
	}
	close(held)
}

// Others win every race for the snapshot of a compaction: its rows are
// committed before it, so no conflict may be told, after which their files
// would be removed.
func TestRowsAreKeptWhenTheirCompactionNeverGetsASnapshot(t *testing.T) {
	below := store.NewMem()
	create(t, below, compacting, "num-sorted-run.compaction-trigger=2", "commit.max-retries=2", eager)
	load(t, reopen(t, below), `{"k":1,"v":"old"}`)
	others, busy := 0, false
	tab := reopen(t, storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
		if busy && op.Verb == storetest.CreateIfAbsent && strings.HasPrefix(op.Key, "snapshot/") && op.Key != "snapshot/snapshot-2" {
			others++
			load(t, reopen(t, below), fmt.Sprintf(`{"k":%d,"v":"other"}`, 10+others))
		}
		return storetest.Outcome{}
	}))
	w := waiting(t, tab, "svc")
	if err := write(t, w, tab, `{"k":2,"v":"new"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil || len(msgs) != 1 || len(msgs[0].CompactBefore) == 0 {
		t.Fatal(len(msgs), err)
	}
	busy = true
	if err := w.Commit(ctx, 1, msgs); err != nil {
		t.Error(err)
	}
	busy = false
	if others == 0 {
		t.Error("nobody was in the way")
	}
	commit(t, w, tab, `{"k":3,"v":"next"}`)
	want := []string{`{"k":1,"v":"old"}`, `{"k":2,"v":"new"}`, `{"k":3,"v":"next"}`}
	for i := range others {
		want = append(want, fmt.Sprintf(`{"k":%d,"v":"other"}`, 11+i))
	}
	expect(t, tab, table.ScanOptions{}, want...)
	sound(t, tab)
	if left := orphans(t, below, tab); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// The same of an overwrite: its rows are in, so that its compaction lost every
// race is no error after which somebody would delete their files.
func TestOverwritesAreKeptWhenTheirCompactionNeverGetsASnapshot(t *testing.T) {
	below := store.NewMem()
	create(t, below, compacting, "num-sorted-run.compaction-trigger=2", "commit.max-retries=2", eager, "write-buffer-size=1 kb", "write-buffer-spillable=false")
	others, busy, first := 0, false, true
	tab := reopen(t, storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
		if busy && op.Verb == storetest.CreateIfAbsent && strings.HasPrefix(op.Key, "snapshot/") {
			if !first {
				others++
				load(t, reopen(t, below), fmt.Sprintf(`{"k":%d,"v":"other"}`, 1000+others))
			}
			first = false
		}
		return storetest.Outcome{}
	}))
	w := waiting(t, tab, "svc")
	var want []string
	for k := range 40 {
		row := fmt.Sprintf(`{"k":%d,"v":"%s"}`, k, strings.Repeat("x", 100))
		want = append(want, row)
		if err := write(t, w, tab, row); err != nil {
			t.Fatal(err)
		}
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil || len(msgs) != 1 || len(msgs[0].CompactBefore) == 0 {
		t.Fatal(len(msgs), err)
	}
	c, err := tab.NewCommitter(ctx, "svc")
	if err != nil {
		t.Fatal(err)
	}
	busy = true
	if err := c.Overwrite(ctx, 1, nil, msgs); err != nil {
		t.Error(err)
	}
	busy = false
	if others == 0 {
		t.Error("nobody was in the way")
	}
	for i := range others {
		want = append(want, fmt.Sprintf(`{"k":%d,"v":"other"}`, 1001+i))
	}
	expect(t, tab, table.ScanOptions{}, want...)
	sound(t, tab)
}

// A compaction finds a file gone that others have compacted, while rows of
// this writer wait for their commit: the next one must not forget these, or it
// drops deletes too early.
func TestDeletesOutliveACompactionThatFoundItsFilesGone(t *testing.T) {
	below := store.NewMem()
	create(t, below, compacting, "num-sorted-run.compaction-trigger=4", "num-sorted-run.stop-trigger=20")
	load(t, reopen(t, below), `{"k":5,"v":"a"}`)
	load(t, reopen(t, below), `{"k":5,"v":"b"}`)
	other := reopen(t, below)
	tasks, err := other.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil || len(tasks) != 1 {
		t.Fatal(len(tasks), err)
	}
	theirs, err := other.RunCompaction(ctx, tasks[0])
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	var gone atomic.Bool
	tab := reopen(t, storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.Open && strings.Contains(op.Key, "bucket-") {
			once.Do(func() {
				gone.Store(true)
				old := dataFilesAt(t, below)
				c, err := other.NewCommitter(ctx, "")
				if err == nil {
					err = c.Commit(ctx, 1, []table.CommitMessage{theirs})
				}
				if err != nil {
					t.Error(err)
				}
				for _, f := range old { // as if the snapshots that name them had expired
					if err := below.Delete(ctx, f); err != nil {
						t.Error(err)
					}
				}
			})
		}
		return storetest.Outcome{}
	}))
	w := waiting(t, tab, "svc")
	var all [][]table.CommitMessage
	for i, row := range []string{`{"k":1,"v":"insert"}`, `{"_kind":"-D","k":1,"v":null}`, `{"k":2,"v":"x"}`, `{"k":3,"v":"x"}`, `{"k":4,"v":"x"}`, `{"k":6,"v":"x"}`} {
		if err := write(t, w, tab, row); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, int64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, msgs)
	}
	if !gone.Load() {
		t.Error("no file was missed")
	}
	for i, msgs := range all {
		if err := w.Commit(ctx, int64(i+1), msgs); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, reopen(t, below), table.ScanOptions{}, `{"k":2,"v":"x"}`, `{"k":3,"v":"x"}`, `{"k":4,"v":"x"}`, `{"k":5,"v":"b"}`, `{"k":6,"v":"x"}`)
}

// dataFilesAt are the data files of the newest snapshot.
func dataFilesAt(t *testing.T, st store.Store) (out []string) {
	for f, err := range reopen(t, st).Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f.Path)
	}
	return out
}
