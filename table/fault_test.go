package table_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// A faultCase is one step of work on a table, during which one call of the
// store goes wrong.
type faultCase struct {
	yaml    string
	options []string
	before  func(t *testing.T, tab *table.Table)              // what is committed when the step begins
	step    func(ctx context.Context, tab *table.Table) error // may be repeated by another process
	onward  func(ctx context.Context, tab *table.Table) error // work that must go well after it
	service func(ctx context.Context, tab *table.Table) error // step again and onward by one writer; nil if the step has none
	tidy    bool                                              // the step itself deletes what it cannot commit
	told    bool                                              // all changes since the beginning give the table
}

var faultCases = map[string]faultCase{
	"deletion vectors":                 writes("deletion-vectors.enabled=true"),
	"deletion vectors by field":        writes("deletion-vectors.enabled=true", "sequence.field=s"),
	"first-row":                        writes("merge-engine=first-row"),
	"partial-update":                   writes("merge-engine=partial-update", eager),
	"partial-update with vectors":      writes("merge-engine=partial-update", "deletion-vectors.enabled=true"),
	"aggregation":                      writes("merge-engine=aggregation", "fields.n.aggregate-function=sum", eager),
	"aggregation with vectors":         writes("merge-engine=aggregation", "fields.n.aggregate-function=sum", "deletion-vectors.enabled=true"),
	"dynamic buckets":                  writes("bucket=-1", "dynamic-bucket.target-row-num=3", eager),
	"dynamic buckets with vectors":     writes("bucket=-1", "dynamic-bucket.target-row-num=3", "deletion-vectors.enabled=true"),
	"postponed rows":                   {yaml: versions, options: []string{"bucket=-2"}, before: loads(0), step: writeOnce(1), onward: thenMoved},
	"postponed rows that are moved":    {yaml: versions, options: []string{"bucket=-2", "postpone.default-bucket-num=2"}, before: loads(0, 1), step: moved, tidy: true, onward: thenMoved},
	"a job on vectors":                 {yaml: versions, options: []string{"bucket=1", "deletion-vectors.enabled=true", "write-only=true"}, before: loads(0, 1, 2), step: compacted, tidy: true, onward: writeOn(3)},
	"a job on an append table":         {yaml: plain, before: loadsPlain, step: compacted, tidy: true, onward: thenAppended},
	"rows deleted":                     {yaml: plain, before: loadsPlain, step: deleted, tidy: true, onward: thenAppended},
	"rows marked":                      {yaml: plain, options: []string{"deletion-vectors.enabled=true"}, before: loadsPlain, step: deleted, tidy: true, onward: thenAppended},
	"rows updated":                     {yaml: plain, before: loadsPlain, step: updated, tidy: true, onward: thenAppended},
	"rows marked and written anew":     {yaml: plain, options: []string{"deletion-vectors.enabled=true"}, before: loadsPlain, step: updated, tidy: true, onward: thenAppended},
	"a writer that tries again":        triesAgain("deletion-vectors.enabled=true"),
	"a folding one that tries again":   triesAgain("merge-engine=aggregation", "fields.n.aggregate-function=sum", "deletion-vectors.enabled=true"),
	"a first-row one that tries again": triesAgain("merge-engine=first-row"),
	"a dynamic one that tries again":   triesAgain("bucket=-1", "dynamic-bucket.target-row-num=3", eager),
	"changes of lookups":               telling("changelog-producer=lookup"),
	"changes of lookups with vectors":  telling("changelog-producer=lookup", "deletion-vectors.enabled=true"),
	"changes of first rows":            telling("changelog-producer=lookup", "merge-engine=first-row"),
	"changes of full compactions":      telling("changelog-producer=full-compaction", "full-compaction.delta-commits=1"),
	"changes as they come":             telling("changelog-producer=input", eager),
	"changes that a job tells": {yaml: versions, options: []string{"bucket=1", "changelog-producer=lookup", "write-only=true"}, before: loads(0, 1, 2),
		step: compacted, tidy: true, onward: compacted, told: true},
	"a column added": {yaml: versions, options: []string{eager}, before: loads(0), step: columnAdded, tidy: true, onward: writeOn(3)},
}

const soon = "num-sorted-run.compaction-trigger=2"

// writes is a writer that compacts a table with such options.
func writes(options ...string) faultCase {
	return faultCase{yaml: versions, options: append([]string{"bucket=1", soon}, options...), before: loads(0, 1), step: writeOnce(2), onward: writeOn(3), service: writeOn(2, 3)}
}

// telling is a writer of a table with a producer of changelogs.
func telling(options ...string) faultCase {
	c := writes(options...)
	c.told = true
	return c
}

// triesAgain is a writer that repeats a commit that failed.
func triesAgain(options ...string) faultCase {
	c := writes(options...)
	c.step, c.service, c.tidy = persist, nil, true
	return c
}

// persist is the commit of round 2, unless it is there, by CommitNext as often as a loop would.
func persist(ctx context.Context, tab *table.Table) error {
	w, err := tab.NewWriter(ctx, table.WriterOptions{User: "svc", WaitCompaction: true})
	if err != nil {
		return err
	}
	defer w.Close()
	c, err := tab.NewCommitter(ctx, "svc")
	if err != nil {
		return err
	}
	if next, err := c.NextIdentifier(ctx); err != nil || next > 3 {
		return err
	}
	if err := puts(ctx, w, 2); err != nil {
		return err
	}
	first := w.CommitNext(ctx)
	if first == nil {
		return nil
	}
	if err := w.CommitNext(ctx); err != nil {
		return errors.Join(first, err)
	}
	return nil
}

// puts writes the rows of a round: some keys of the rounds before, some of its own.
func puts(ctx context.Context, w *table.Writer, round int) error {
	for k := range 4 {
		row := table.Row{"k": round + 2*k, "v": fmt.Sprint("v", round), "n": 1 << (4 * round), "s": round}
		if err := w.Put(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// writeOnce is the commit of a round, which a replay never makes twice.
func writeOnce(rounds ...int) func(context.Context, *table.Table) error {
	return func(ctx context.Context, tab *table.Table) error {
		w, err := tab.NewWriter(ctx, table.WriterOptions{User: "svc", WaitCompaction: true})
		if err != nil {
			return err
		}
		defer w.Close()
		for _, round := range rounds {
			if err := puts(ctx, w, round); err != nil {
				return err
			}
			id := int64(round + 1)
			msgs, err := w.Prepare(ctx, id)
			if err != nil {
				return err
			}
			if err := w.Commit(ctx, id, msgs); err != nil {
				return err
			}
		}
		return nil
	}
}

// writeOn commits rounds, and then a job makes visible what a crash left at
// level 0 of buckets that got no row since.
func writeOn(rounds ...int) func(context.Context, *table.Table) error {
	return func(ctx context.Context, tab *table.Table) error {
		return errors.Join(writeOnce(rounds...)(ctx, tab), compacted(ctx, tab))
	}
}

func loads(rounds ...int) func(*testing.T, *table.Table) {
	return func(t *testing.T, tab *table.Table) {
		for _, r := range rounds {
			if err := writeOnce(r)(ctx, tab); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func loadsPlain(t *testing.T, tab *table.Table) {
	for i := range 6 {
		load(t, tab, row(i, "a", i), row(i+10, "b", i))
	}
	changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "k = 10"}))
}

func moved(ctx context.Context, tab *table.Table) error {
	_, err := tab.CompactPostponed(ctx)
	return err
}

func compacted(ctx context.Context, tab *table.Table) error {
	_, err := tab.Compact(ctx, table.CompactOptions{Full: true})
	return err
}

func deleted(ctx context.Context, tab *table.Table) error {
	_, err := tab.Delete(ctx, table.ChangeOptions{Where: "v = 'b' AND k < 14"})
	return err
}

func updated(ctx context.Context, tab *table.Table) error {
	_, err := tab.Update(ctx, []table.Assignment{{Name: "v", Value: "new"}}, table.ChangeOptions{Where: "v = 'b' AND k < 14"})
	return err
}

func columnAdded(ctx context.Context, tab *table.Table) error {
	if len(tab.Schema().Fields) > 4 {
		return nil
	}
	_, err := tab.Alter(ctx, schema.AddColumn{Path: schema.Path{"more"}, Type: schema.Type{Kind: schema.Int, Nullable: true}})
	return err
}

func thenMoved(ctx context.Context, tab *table.Table) error {
	return errors.Join(writeOnce(3)(ctx, tab), moved(ctx, tab))
}

func thenAppended(ctx context.Context, tab *table.Table) error {
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Put(ctx, table.Row{"k": 99, "v": "z", "p": 9}); err != nil {
		return err
	}
	return errors.Join(w.CommitNext(ctx), compacted(ctx, tab))
}

// copied is a store with the same files.
func copied(t *testing.T, from store.Store) store.Store {
	t.Helper()
	to := store.NewMem()
	for _, key := range storetest.Tree(t, from, "") {
		if strings.HasSuffix(key, "/") {
			continue
		}
		data, err := from.ReadAll(ctx, key)
		if err == nil {
			err = to.Write(ctx, key, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A faultRun is what a case gives when nothing goes wrong.
type faultRun struct {
	faultCase
	start  store.Store
	states [][]string // of the rows, from before the step to after it
	end    []string   // the rows after what comes next
}

func undisturbed(t *testing.T, c faultCase) *faultRun {
	t.Helper()
	r := &faultRun{faultCase: c, start: store.NewMem()}
	c.before(t, create(t, r.start, c.yaml, c.options...))
	st := copied(t, r.start)
	tab := reopen(t, st)
	first, err := tab.Snapshots().Latest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.states = append(r.states, lines(t, tab, table.ScanOptions{}))
	if err := c.step(ctx, tab); err != nil {
		t.Fatal(err)
	}
	tab = reopen(t, st)
	last, err := tab.Snapshots().Latest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id := first.ID + 1; id < last.ID; id++ {
		r.states = append(r.states, lines(t, tab, table.ScanOptions{Snapshot: id}))
	}
	r.states = append(r.states, lines(t, tab, table.ScanOptions{}))
	if len(r.states) < 3 && slices.Contains(c.options, soon) {
		t.Fatal("nothing was compacted")
	}
	if err := c.onward(ctx, tab); err != nil {
		t.Fatal(err)
	}
	tab = reopen(t, st)
	r.end = lines(t, tab, table.ScanOptions{})
	sound(t, tab)
	if got := madeOfChanges(t, tab); c.told && !slices.Equal(got, r.end) {
		t.Fatalf("the changes make %q, the table is %q", got, r.end)
	}
	return r
}

func (r *faultRun) after() []string { return r.states[len(r.states)-1] }

// faulty runs the step with the k-th call of the store going wrong. It tells
// whether there was such a call.
func (r *faultRun) faulty(t *testing.T, k int64, f faultKind) bool {
	t.Helper()
	below := copied(t, r.start)
	live, stop := context.WithCancel(ctx)
	defer stop()
	var hit atomic.Bool
	sick := f.from(below, k, &hit, stop)
	parts, _ := world(t)
	tab, err := table.Open(live, sick, "db.t", table.Settings{Parallel: 1}, parts)
	if err == nil {
		err = r.step(live, tab)
	}
	if !hit.Load() {
		if err != nil {
			t.Error(err)
		}
		return false
	}
	r.judge(t, below, f, k, err)
	return true
}

func (r *faultRun) judge(t *testing.T, below store.Store, f faultKind, k int64, err error) {
	t.Helper()
	tab := reopen(t, below)
	rows := lines(t, tab, table.ScanOptions{})
	if !slices.ContainsFunc(r.states, func(s []string) bool { return slices.Equal(s, rows) }) {
		t.Errorf("rows of no state: %q", rows)
	}
	switch {
	case err == nil && !slices.Equal(rows, r.after()):
		t.Errorf("no error, and the rows are %q", rows)
	case err != nil && !errors.Is(err, f.cause):
		t.Errorf("the cause is not named: %v", err)
	}
	certain := err == nil || r.tidy && !errors.Is(err, table.ErrUncertain) && !f.unheard
	if certain && !f.process {
		if left := append(orphans(t, below, tab), orphanIndexes(t, below, tab)...); len(left) > 0 {
			t.Errorf("left behind: %q (%v)", left, err)
		}
	}
	sound(t, tab)
	if err := r.again(tab, k); err != nil { // by another process, under the same user and identifier
		t.Errorf("once more: %v", err)
	}
	tab = reopen(t, below)
	expect(t, tab, table.ScanOptions{}, slices.Clone(r.end)...)
	sound(t, tab)
	if r.told {
		if got := madeOfChanges(t, tab); !slices.Equal(got, r.end) {
			t.Errorf("the changes make %q, the table is %q", got, r.end)
		}
	}
}

// again is the next process: it settles the step and goes on, with one writer or several.
func (r *faultRun) again(tab *table.Table, k int64) error {
	if r.service != nil && k/int64(len(faults))%2 == 0 {
		return r.service(ctx, tab)
	}
	if err := r.step(ctx, tab); err != nil {
		return err
	}
	tab, err := tab.Refresh(ctx)
	if err != nil {
		return err
	}
	return r.onward(ctx, tab)
}

// orphanIndexes are index files that no snapshot names.
func orphanIndexes(t *testing.T, st store.Store, tab *table.Table) []string {
	t.Helper()
	live := map[string]bool{}
	for s, err := range tab.Snapshots().All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		index, err := tab.IndexFiles(ctx, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range index {
			live[e.Name] = true
		}
	}
	return slices.DeleteFunc(storetest.Tree(t, st, ""), func(key string) bool {
		return !strings.HasPrefix(key, "index/") || strings.HasSuffix(key, "/") || live[key[strings.LastIndexByte(key, '/')+1:]]
	})
}

// A faultKind is one way in which a call goes wrong.
type faultKind struct {
	name    string
	cause   error
	process bool  // nobody is left to clean up
	unheard bool  // what was done is not known
	silence int64 // calls after it that fail as well
	outcome func(stop func()) storetest.Outcome
}

// from is a store whose k-th call goes wrong, after which hit is true. stop
// cancels the work.
func (f *faultKind) from(st store.Store, k int64, hit *atomic.Bool, stop func()) store.Store {
	return storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		switch {
		case op.N == k:
			hit.Store(true)
			return f.outcome(stop)
		case k < op.N && op.N <= k+f.silence:
			return storetest.Outcome{Fail: errSlow}
		}
		return storetest.Outcome{}
	})
}

var errSlow = errors.New("503 slow down")

func always(out storetest.Outcome) func(func()) storetest.Outcome {
	return func(func()) storetest.Outcome { return out }
}

var faults = []faultKind{
	{name: "crash", cause: storetest.ErrCrashed, process: true, outcome: always(storetest.Outcome{Crash: true})},
	{name: "torn", cause: storetest.ErrCrashed, process: true, outcome: always(storetest.Outcome{Crash: true, Keep: 40})},
	{name: "failed", cause: errSlow, outcome: always(storetest.Outcome{Fail: errSlow})},
	{name: "answer lost", cause: errSlow, unheard: true, outcome: always(storetest.Outcome{Lose: errSlow})},
	{name: "answer lost, then silence", cause: errSlow, unheard: true, silence: 15, outcome: always(storetest.Outcome{Lose: errSlow})},
	{name: "cancelled", cause: context.Canceled, outcome: func(stop func()) storetest.Outcome { stop(); return storetest.Outcome{Fail: context.Canceled} }},
	{name: "cancelled late", cause: context.Canceled, outcome: func(stop func()) storetest.Outcome { return storetest.Outcome{Then: stop} }},
}

// Any call of the store goes wrong in any way, during any kind of work: the
// rows are those before or after, a replay settles which, and work goes on.
//
// The ways take turns with the calls, and every other call is left out; with
// TIDELAKE_FAULTS=all each call goes wrong in every way, which takes minutes.
func TestAFaultAtAnyCallOfAnyWorkLosesNothing(t *testing.T) {
	all := os.Getenv("TIDELAKE_FAULTS") == "all"
	for name, c := range faultCases {
		t.Run(name, func(t *testing.T) {
			r := undisturbed(t, c)
			for i, f := range faults {
				t.Run(f.name, func(t *testing.T) {
					first, stride := int64(1), int64(1)
					if !all {
						first, stride = int64(i+1), slow*int64(2*len(faults)+1)
					}
					for k := first; r.faulty(t, k, f); k += stride {
						if t.Failed() {
							t.Fatalf("at call %d", k)
						}
					}
				})
			}
		})
	}
}

// The disk is full after any number of bytes, during any kind of work.
func TestAFullDiskDuringAnyWorkHarmsNothing(t *testing.T) {
	for name, c := range faultCases {
		t.Run(name, func(t *testing.T) {
			r := undisturbed(t, c)
			stride := int64(2999)
			if os.Getenv("TIDELAKE_FAULTS") == "all" {
				stride = 97
			}
			for quota := int64(0); ; quota += stride {
				below := copied(t, r.start)
				tab := reopen(t, storetest.Faulty(below, storetest.Quota(quota)))
				err := r.step(ctx, tab)
				r.judge(t, below, faultKind{cause: storetest.ErrDiskFull}, quota, err)
				if t.Failed() {
					t.Fatalf("with %d bytes left", quota)
				}
				if err == nil {
					break
				}
			}
		})
	}
}

// A lookup that follows a table answers right or not at all, and after a call
// that failed it answers again.
func TestALookupAfterAFaultAtAnyCallAnswersRight(t *testing.T) {
	for name, options := range map[string][]string{"merged": {"write-only=true", "bucket=1"}, "vectors": {"deletion-vectors.enabled=true"}, "first-row": {"merge-engine=first-row"}} {
		t.Run(name, func(t *testing.T) {
			for i, f := range faults {
				if f.process {
					continue
				}
				t.Run(f.name, func(t *testing.T) {
					for k := int64(1 + i); followed(t, k, f, options); k += 3 * slow {
						if t.Failed() {
							t.Fatalf("at call %d", k)
						}
					}
				})
			}
		})
	}
}

// followed looks keys up before and after a commit, with the k-th call of the
// store going wrong; it tells whether there was such a call.
func followed(t *testing.T, k int64, f faultKind, options []string) bool {
	t.Helper()
	below := store.NewMem()
	loads(0, 1)(t, create(t, below, versions, options...))
	live, stop := context.WithCancel(ctx)
	defer stop()
	var hit atomic.Bool
	tab := reopen(t, storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
		if op.N != k {
			return storetest.Outcome{}
		}
		hit.Store(true)
		return f.outcome(stop)
	}))
	o := table.LookupOptions{Dir: t.TempDir()}
	l, err := tab.NewLookup(live, o)
	if err != nil {
		if !errors.Is(err, f.cause) {
			t.Error(err)
		}
		l = openLookup(t, tab, o)
	}
	asks(t, live, l, f, lines(t, reopen(t, below), table.ScanOptions{}))
	writeAll(t, below)
	if err := l.Refresh(live); err != nil {
		if !errors.Is(err, f.cause) {
			t.Error(err)
		}
		if err := l.Refresh(ctx); err != nil {
			t.Error(err)
		}
	}
	asks(t, live, l, f, lines(t, reopen(t, below), table.ScanOptions{}))
	if err := l.Close(); err != nil { // it copies files in the background until then
		t.Error(err)
	}
	return hit.Load()
}

func writeAll(t *testing.T, st store.Store) { loads(2)(t, reopen(t, st)) }

// asks gets every key, once more if a call failed, and holds the answers against the rows.
func asks(t *testing.T, live context.Context, l *table.Lookup, f faultKind, want []string) {
	t.Helper()
	keys := make([]any, 12)
	for i := range keys {
		keys[i] = int64(i)
	}
	found, err := l.GetRows(live, keys...)
	if err != nil {
		if !errors.Is(err, f.cause) {
			t.Error(err)
		}
		if found, err = l.GetRows(ctx, keys...); err != nil {
			t.Error(err)
			return
		}
	}
	defer found.Release()
	got := jsonRows(t, l.Fields(), found.Batch)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("found %q, the table has %q", got, want)
	}
}
