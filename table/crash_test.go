package table_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

var (
	oldRows = []string{`{"k":1,"v":"old"}`, `{"k":2,"v":"old"}`, `{"k":3,"v":"old"}`}
	newRows = []string{`{"k":1,"v":"old"}`, `{"k":2,"v":"new"}`, `{"k":4,"v":"new"}`}
)

// attempt writes one commit of two flushes through a store that may fail.
func attempt(tab *table.Table, user string) error {
	w, err := tab.NewWriter(ctx, table.WriterOptions{User: user})
	if err != nil {
		return err
	}
	defer w.Close()
	for _, row := range []table.Row{{"k": 2, "v": "new"}, {"k": 4, "v": "new"}} {
		if err := w.Put(ctx, row); err != nil {
			return err
		}
	}
	if err := w.Delete(ctx, table.Row{"k": 3}); err != nil {
		return err
	}
	return w.CommitNext(ctx)
}

// stores are where a crash is tried: files leave other traces than objects.
func stores(t *testing.T) map[string]func() store.Store {
	return map[string]func() store.Store{
		"mem": store.NewMem,
		"local": func() store.Store {
			st, err := store.NewLocal(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return st
		},
	}
}

// whole proves that a reader sees the old rows or the new ones, and says which.
func whole(t *testing.T, tab *table.Table) (isNew bool) {
	t.Helper()
	got := lines(t, tab, table.ScanOptions{})
	switch {
	case cmp.Equal(got, oldRows):
		return false
	case cmp.Equal(got, newRows):
		return true
	}
	t.Errorf("neither the old rows nor the new ones: %q", got)
	return false
}

// eachCall runs an attempt once for every call of the store that it makes,
// with that call going wrong.
func eachCall(t *testing.T, open func() store.Store, out func(op storetest.Op) storetest.Outcome, judge func(t *testing.T, k int64, below store.Store, err error)) {
	for k := int64(1); ; k++ {
		below := open()
		load(t, create(t, below, keyed, "bucket=2"), oldRows...)
		hit := false
		sick := storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
			if op.N != k {
				return storetest.Outcome{}
			}
			hit = true
			return out(op)
		})
		parts, _ := world(t)
		tab, err := table.Open(ctx, sick, "db.t", table.Settings{Parallel: 1}, parts)
		if err == nil {
			err = attempt(tab, "svc")
		}
		if !hit {
			if err != nil || k < 12 {
				t.Fatalf("%d calls, %v", k, err)
			}
			return
		}
		judge(t, k, below, err)
		if t.Failed() {
			t.Fatalf("at call %d", k)
		}
	}
}

// The process dies at any one call of the store. A reader sees one of the two
// states whole, and the next process goes on from there.
func TestACrashAtAnyCallLeavesOneOfTwoStates(t *testing.T) {
	for name, open := range stores(t) {
		for _, keep := range []int{0, 40} {
			if name == "local" && keep == 0 || slow > 1 && keep > 0 {
				continue
			}
			t.Run(fmt.Sprint(name, keep), func(t *testing.T) {
				eachCall(t, open, func(storetest.Op) storetest.Outcome { return storetest.Outcome{Crash: true, Keep: keep} },
					func(t *testing.T, k int64, below store.Store, err error) {
						// Only the hint LATEST is written after the snapshot, and it may fail.
						tab := reopen(t, below)
						isNew := whole(t, tab)
						if err == nil && !isNew {
							t.Error("the commit succeeded, and its rows are not there")
						}
						sound(t, tab)
						goOn(t, below, isNew)
					})
			})
		}
	}
}

// goOn is the next incarnation of the same service.
func goOn(t *testing.T, st store.Store, isNew bool) {
	t.Helper()
	tab := reopen(t, st)
	if !isNew {
		if err := attempt(tab, "svc"); err != nil {
			t.Error(err)
		}
	}
	if !whole(t, tab) {
		t.Error("the next process did not get its rows in")
	}
	load(t, tab, `{"k":9,"v":"more"}`)
	if got := lines(t, reopen(t, st), table.ScanOptions{}); len(got) != len(newRows)+1 {
		t.Errorf("%q", got)
	}
	sound(t, tab)
}

// A call fails once, or is done and says that it failed: an error means that
// nothing is visible yet or that a repetition settles it; never a wrong state,
// and no data file that nothing refers to.
func TestAFailureOfAnyCallIsCleanOrUncertain(t *testing.T) {
	bad := errors.New("503 slow down")
	for name, out := range map[string]storetest.Outcome{"failed": {Fail: bad}, "answer lost": {Lose: bad}} {
		t.Run(name, func(t *testing.T) {
			eachCall(t, store.NewMem, func(storetest.Op) storetest.Outcome { return out },
				func(t *testing.T, k int64, below store.Store, err error) {
					tab := reopen(t, below)
					isNew := whole(t, tab)
					switch {
					case err == nil && !isNew:
						t.Error("the commit succeeded, and its rows are not there")
					case err != nil && isNew && !errors.Is(err, table.ErrUncertain):
						t.Errorf("the commit is there, and its error does not say that it may be: %v", err)
					case err != nil && !errors.Is(err, bad):
						t.Errorf("the cause is not named: %v", err)
					}
					sound(t, tab)
					if left := orphans(t, below, tab); len(left) > 0 && err == nil { // after an error the store may not even delete
						t.Errorf("left behind: %q (%v)", left, err)
					}
					goOn(t, below, isNew)
				})
		})
	}
}

// The disk is full after any number of bytes.
func TestAFullDiskIsNamedAndHarmsNothing(t *testing.T) {
	for quota := int64(0); ; quota += 97 * slow {
		below := store.NewMem()
		load(t, create(t, below, keyed, "bucket=2"), oldRows...)
		tab := reopen(t, storetest.Faulty(below, storetest.Quota(quota)))
		err := attempt(tab, "svc")
		isNew := whole(t, reopen(t, below))
		if err == nil {
			if !isNew {
				t.Error("the commit succeeded, and its rows are not there")
			}
			if quota < 1000 {
				t.Errorf("a commit within %d bytes", quota)
			}
			return
		}
		failsWith(t, err, storetest.ErrDiskFull, "db.t", "no space left on device")
		if isNew && !errors.Is(err, table.ErrUncertain) {
			t.Errorf("quota %d: committed, but said %v", quota, err)
		}
		if left := orphans(t, below, reopen(t, below)); len(left) > 0 && !errors.Is(err, table.ErrUncertain) {
			t.Errorf("quota %d: left behind: %q", quota, left)
		}
		goOn(t, below, isNew)
		if t.Failed() {
			t.Fatalf("with %d bytes left", quota)
		}
	}
}

// A context that ends during any call ends the commit with its error; files
// that a call started earlier are not harmed by that call's own context.
func TestCancelledContextsEndCalls(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, "columns: [{name: k, type: BIGINT}, {name: v, type: STRING}]\noptions: {bucket: -1, write-buffer-size: 1 kb}")
	w := newWriter(t, tab, "")
	rec, _ := batch(t, tab.Schema().Fields, nil, `{"k":1,"v":"`+strings.Repeat("x", 3000)+`"}`)
	defer rec.Release()
	for range 3 { // each write has a context of its own; the file stays open over all
		short, stop := context.WithCancel(ctx)
		if err := w.Write(short, rec); err != nil {
			t.Fatal(err)
		}
		stop()
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, tab, table.ScanOptions{}); len(got) != 3 {
		t.Errorf("%d rows", len(got))
	}
	dead, stop := context.WithCancel(ctx)
	stop()
	failsWith(t, w.Write(dead, rec), context.Canceled)
	failsWith(t, w.Write(ctx, rec), context.Canceled, "an earlier call failed")
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range s.Batches(dead) {
		last = err
	}
	failsWith(t, last, context.Canceled)
}
