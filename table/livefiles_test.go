package table_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/table"
)

// withoutSnapshots removes the snapshots before the newest, as if they had expired.
func withoutSnapshots(t *testing.T, st store.Store) {
	t.Helper()
	newest, err := reopen(t, st).Snapshots().Latest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range storetest.Tree(t, st, "") {
		id, found := strings.CutPrefix(key, "snapshot/snapshot-")
		if n, err := strconv.ParseInt(id, 10, 64); found && err == nil && n < newest.ID {
			if err := st.Delete(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// compactAll is a job of another process.
func compactAll(t *testing.T, st store.Store) {
	t.Helper()
	if _, err := reopen(t, st).Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
}

// keepsUp commits rows one by one and proves that the writer still compacts:
// a tenth of them would be left on level 0 otherwise.
func keepsUp(t *testing.T, w *table.Writer, tab *table.Table, st store.Store) {
	t.Helper()
	for k := range 10 {
		commit(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"on"}`, 100+k))
	}
	zero := 0
	for f, err := range reopen(t, st).Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Level == 0 {
			zero++
		}
	}
	if zero > 5 {
		t.Errorf("nothing is compacted any more: %d files of level 0", zero)
	}
	sound(t, reopen(t, st))
}

// leaping is a table whose clock can be set forward, beyond what a writer
// believes of a quiet table.
func leaping(t *testing.T, st store.Store) (tab *table.Table, leap func()) {
	w, _ := world(t)
	clock := stopped(&w, noon)
	return reopenIn(t, st, w), func() { clock.pass(time.Hour) }
}

// A file of the writer is committed, compacted away by others, and all the
// snapshots that showed it expire before the writer looks.
func TestAWriterCompactsOnAfterItsFileCameAndWentUnseen(t *testing.T) {
	st := store.NewMem()
	create(t, st, compacting, "num-sorted-run.compaction-trigger=3", "manifest.merge-min-count=1", "manifest.full-compaction-threshold-size=1 b")
	var once sync.Once
	tab, leap := leaping(t, storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.CreateIfAbsent && op.Key == "snapshot/snapshot-2" {
			once.Do(func() { load(t, reopen(t, st), `{"k":50,"v":"other"}`) })
		}
		return storetest.Outcome{}
	}))
	w := waiting(t, tab, "svc")
	commit(t, w, tab, `{"k":1,"v":"a"}`)
	commit(t, w, tab, `{"k":2,"v":"b"}`)
	compactAll(t, st)
	load(t, reopen(t, st), `{"k":51,"v":"other"}`)
	withoutSnapshots(t, st)
	leap()
	keepsUp(t, w, tab, st)
}

// A commit whose answer was lost is repeated after others have compacted its file.
func TestARepeatedCommitBringsNoFileBackThatOthersRemoved(t *testing.T) {
	st := store.NewMem()
	create(t, st, compacting, "bucket=2", "num-sorted-run.compaction-trigger=2", eager)
	armed, dark := false, false
	tab := reopen(t, storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		switch {
		case armed && op.Verb == storetest.CreateIfAbsent:
			dark = true
			return storetest.Outcome{Lose: errSlow}
		case dark && strings.HasPrefix(op.Key, "snapshot/"):
			return storetest.Outcome{Fail: errSlow}
		}
		return storetest.Outcome{}
	}))
	w := waiting(t, tab, "svc")
	commit(t, w, tab, `{"k":1,"v":"a"}`)
	if err := write(t, w, tab, rowsOfKeys(1, 40)...); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 2)
	if err != nil || len(msgs) != 2 {
		t.Fatal(len(msgs), err)
	}
	own := slices.IndexFunc(msgs, func(m table.CommitMessage) bool { return len(m.CompactBefore) == 0 })
	if own < 0 || len(msgs[1-own].CompactBefore) == 0 {
		t.Fatal("one bucket was to be compacted")
	}
	armed = true
	failsWith(t, w.Commit(ctx, 2, msgs), table.ErrUncertain)
	armed, dark = false, false
	other := reopen(t, st)
	tasks, err := other.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	tasks = slices.DeleteFunc(tasks, func(task table.CompactTask) bool { return task.Bucket != msgs[own].Bucket })
	if len(tasks) != 1 {
		t.Fatal(len(tasks))
	}
	m, err := other.RunCompaction(ctx, tasks[0])
	if err != nil {
		t.Fatal(err)
	}
	c, err := other.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(ctx, 1, []table.CommitMessage{m}); err != nil {
		t.Fatal(err)
	}
	if err := write(t, w, tab, `{"k":200,"v":"x"}`); err != nil {
		t.Fatal(err)
	}
	next, err := w.Prepare(ctx, 3) // sees both commits
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx, 2, msgs); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(ctx, 3, next); err != nil {
		t.Fatal(err)
	}
	for k := range 6 {
		commit(t, w, tab, rowsOfKeys(300+20*k, 20)...)
	}
	if got := levels(t, reopen(t, st)); strings.Contains(got, "0=") {
		t.Errorf("a bucket is compacted no more: %s", got)
	}
	sound(t, reopen(t, st))
}

func rowsOfKeys(from, n int) []string {
	var rows []string
	for k := range n {
		rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"x"}`, from+k))
	}
	return rows
}

// Rows that overwrite others are written by a writer that goes on after that.
func TestAWriterGoesOnAfterItsRowsReplacedAllOthers(t *testing.T) {
	for name, options := range map[string][]string{
		"rows alone":                   {"num-sorted-run.compaction-trigger=3"},
		"with a compaction of older":   {"num-sorted-run.compaction-trigger=2", eager},
		"with a compaction of its own": {"num-sorted-run.compaction-trigger=2", "write-buffer-size=1 kb", "write-buffer-spillable=false"},
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, compacting, options...)
			w := waiting(t, tab, "svc")
			commit(t, w, tab, `{"k":1,"v":"a"}`)
			if err := write(t, w, tab, wide(2), wide(3)); err != nil {
				t.Fatal(err)
			}
			if err := write(t, w, tab, wide(4)); err != nil {
				t.Fatal(err)
			}
			msgs, err := w.Prepare(ctx, 2)
			if err != nil {
				t.Fatal(err)
			}
			c, err := tab.NewCommitter(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Overwrite(ctx, 1, nil, msgs); err != nil {
				t.Fatal(err)
			}
			expect(t, tab, table.ScanOptions{}, wide(2), wide(3), wide(4))
			keepsUp(t, w, tab, st)
			if left := orphans(t, st, tab); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// The compaction that an overwrite gives up read what another message of the
// same overwrite brings, so to the writer it looks as if it could be committed.
func TestAWriterGoesOnAfterAnOverwriteGaveItsCompactionUp(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, compacting, "num-sorted-run.compaction-trigger=2", eager)
	w := waiting(t, tab, "svc")
	var msgs []table.CommitMessage
	for n := range int64(2) {
		if err := write(t, w, tab, wide(int(n))); err != nil {
			t.Fatal(err)
		}
		own, err := w.Prepare(ctx, n+1)
		if err != nil {
			t.Fatal(err)
		}
		msgs = append(msgs, own...)
	}
	if len(msgs) != 2 || len(msgs[1].CompactBefore) != 2 {
		t.Fatalf("%d messages: not what was to be shown", len(msgs))
	}
	c, err := tab.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Overwrite(ctx, 1, nil, msgs); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, wide(0), wide(1))
	keepsUp(t, w, tab, st)
	if left := orphans(t, st, tab); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A compaction that leaves nothing is handed out alone and given up.
func TestAWriterCompactsOnAfterACompactionToNothingWasGivenUp(t *testing.T) {
	below := store.NewMem()
	create(t, below, compacting, "num-sorted-run.compaction-trigger=2", eager)
	load(t, reopen(t, below), `{"k":1,"v":"a"}`)
	held := make(chan struct{})
	g := &gates{known: map[string]bool{}, fresh: func(string) <-chan struct{} { return held }}
	tab := reopen(t, storetest.Faulty(below, g.hook))
	w := newWriter(t, tab, "svc")
	commit(t, w, tab, `{"_kind":"-D","k":1,"v":null}`)
	close(held)
	var msgs []table.CommitMessage
	for len(msgs) == 0 { // until the compaction is there
		var err error
		if msgs, err = w.Prepare(ctx, 2); err != nil {
			t.Fatal(err)
		}
	}
	if len(msgs[0].NewFiles)+len(msgs[0].CompactAfter) > 0 || len(msgs[0].CompactBefore) != 2 {
		t.Fatalf("%+v", msgs)
	}
	if err := tab.Abort(ctx, msgs); err != nil {
		t.Fatal(err)
	}
	for k := range 10 {
		commit(t, w, tab, fmt.Sprintf(`{"k":2,"v":"%d"}`, k))
	}
	for f, err := range reopen(t, below).Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(msgs[0].CompactBefore, func(b manifest.DataFile) bool { return strings.HasSuffix(f.Path, b.Name) }) {
			t.Errorf("%s is never compacted", f.Path)
		}
	}
	expect(t, tab, table.ScanOptions{}, `{"k":2,"v":"9"}`)
	sound(t, tab)
}

// A reload that fails leaves the writer with what it knew: else it would drop
// deletes while older rows live on.
func TestDeletesOutliveAFailureToReadTheTableAgain(t *testing.T) {
	for k := 1; ; k++ {
		below := store.NewMem()
		create(t, below, compacting, "num-sorted-run.compaction-trigger=2", "write-buffer-size=1 kb", "bucket=1")
		load(t, reopen(t, below), `{"k":1,"v":"old"}`)
		calls := 0
		var counting, hit atomic.Bool
		tab, leap := leaping(t, storetest.Faulty(below, inTurn(func(op storetest.Op) storetest.Outcome {
			if counting.Load() {
				if calls++; calls == k {
					hit.Store(true)
					return storetest.Outcome{Fail: errSlow}
				}
			}
			return storetest.Outcome{}
		})))
		w := waiting(t, tab, "svc")
		commit(t, w, tab, `{"k":1,"v":"own"}`)
		for i := range 3 {
			load(t, reopen(t, below), fmt.Sprintf(`{"k":%d,"v":"other"}`, 10+i), `{"k":1,"v":"later"}`)
		}
		withoutSnapshots(t, below)
		leap()
		counting.Store(true)
		err := write(t, w, tab, wide(2))
		counting.Store(false)
		if err == nil {
			commit(t, w, tab, `{"_kind":"-D","k":1,"v":null}`)
			commit(t, w, tab, `{"k":3,"v":"x"}`)
			expect(t, tab, table.ScanOptions{}, wide(2), `{"k":3,"v":"x"}`, `{"k":10,"v":"other"}`, `{"k":11,"v":"other"}`, `{"k":12,"v":"other"}`)
			sound(t, tab)
		} else if !errors.Is(err, errSlow) {
			t.Fatal(err)
		}
		if t.Failed() {
			t.Fatal("call", k)
		}
		if !hit.Load() {
			return
		}
	}
}

// deaf does not hear that a snapshot was created, and then nothing of the
// chain: for the rest of that commit, or for ever.
func deaf(key string, lasting bool) storetest.Hook {
	state := "hears"
	return inTurn(func(op storetest.Op) storetest.Outcome {
		switch {
		case state == "hears" && op.Verb == storetest.CreateIfAbsent && op.Key == key:
			state = "deaf"
			return storetest.Outcome{Lose: errSlow}
		case state == "deaf" && strings.HasPrefix(op.Key, "snapshot/"):
			if !lasting && op.Verb == storetest.Open || !lasting && op.Verb == storetest.ReadAll && op.Key == "snapshot/snapshot-1" {
				state = "healed"
			}
			return storetest.Outcome{Fail: errSlow}
		}
		return storetest.Outcome{}
	})
}

// inTurn is a hook for calls of several goroutines.
func inTurn(h storetest.Hook) storetest.Hook {
	var mu sync.Mutex
	return func(op storetest.Op) storetest.Outcome {
		mu.Lock()
		defer mu.Unlock()
		return h(op)
	}
}

// The files of a compaction live on when the store stays silent after its commit.
func TestACompactionStaysWhoseCommitIsNeverAnswered(t *testing.T) {
	st := store.NewMem()
	create(t, st, keyed)
	load(t, reopen(t, st), `{"k":1,"v":"a"}`)
	load(t, reopen(t, st), `{"k":2,"v":"b"}`)
	tab := reopen(t, storetest.Faulty(st, deaf("snapshot/snapshot-3", true)))
	_, err := tab.Compact(ctx, table.CompactOptions{Full: true})
	failsWith(t, err, table.ErrUncertain)
	expect(t, reopen(t, st), table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
}

// The answer to the commit of a change gets lost: it is settled where the store
// answers again, and else the error says whose commit to look for.
func TestAChangeWhoseAnswerIsLostCanBeSettled(t *testing.T) {
	for _, lasting := range []bool{false, true} {
		t.Run(fmt.Sprint("lasting ", lasting), func(t *testing.T) {
			st := store.NewMem()
			create(t, st, keyed)
			load(t, reopen(t, st), `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
			tab := reopen(t, storetest.Faulty(st, deaf("snapshot/snapshot-2", lasting)))
			report, err := tab.Update(ctx, []table.Assignment{{Name: "v", Expr: "'new'"}}, table.ChangeOptions{Where: "k = 1"})
			expect(t, reopen(t, st), table.ScanOptions{}, `{"k":1,"v":"new"}`, `{"k":2,"v":"b"}`)
			newest, lookErr := reopen(t, st).Snapshots().Latest(ctx)
			if lookErr != nil {
				t.Fatal(lookErr)
			}
			if lasting {
				failsWith(t, err, table.ErrUncertain, newest.CommitUser, strconv.FormatInt(newest.CommitIdentifier, 10))
			} else if err != nil || report.Rows != 1 {
				t.Error(report, err)
			}
		})
	}
}

// A commit is repeated, and others have compacted its files in between: that
// its compaction came too late must not read as if its rows had.
func TestARepeatedCommitIsNoConflictBecauseOfItsCompaction(t *testing.T) {
	st := store.NewMem()
	create(t, st, compacting, "num-sorted-run.compaction-trigger=2", eager)
	load(t, reopen(t, st), `{"k":1,"v":"a"}`)
	tab := reopen(t, storetest.Faulty(st, deaf("snapshot/snapshot-2", false)))
	w := waiting(t, tab, "svc")
	if err := write(t, w, tab, `{"k":2,"v":"b"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil || len(msgs) != 1 || len(msgs[0].CompactBefore) != 2 {
		t.Fatal(len(msgs), err)
	}
	c, err := tab.NewCommitter(ctx, "svc")
	if err != nil {
		t.Fatal(err)
	}
	failsWith(t, c.Commit(ctx, 1, msgs), table.ErrUncertain)
	compactAll(t, st)
	if err := c.Commit(ctx, 1, msgs); err != nil {
		t.Error(err)
	}
	expect(t, reopen(t, st), table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	keepsUp(t, w, tab, st)
}

// A table that is dropped does not come back as a chain without a schema.
func TestAWriterOfADroppedTableSaysSo(t *testing.T) {
	for _, early := range []bool{false, true} {
		st := store.NewMem()
		tab := create(t, st, compacting, "num-sorted-run.compaction-trigger=2")
		w := newWriter(t, tab, "svc")
		commit(t, w, tab, `{"k":1,"v":"a"}`)
		if early {
			if err := write(t, w, tab, `{"k":2,"v":"b"}`); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range storetest.Tree(t, st, "") {
			if err := st.Delete(ctx, key); err != nil {
				t.Fatal(err)
			}
		}
		err := write(t, w, tab, `{"k":3,"v":"c"}`)
		if err == nil {
			err = w.CommitNext(ctx)
		}
		failsWith(t, err, table.ErrNotFound)
		for _, key := range storetest.Tree(t, st, "") {
			if strings.HasPrefix(key, "snapshot/") && !strings.HasSuffix(key, "/") {
				t.Errorf("%s was made", key)
			}
		}
	}
}

// Others compact a file that a compaction of the writer has read too, while
// rows of the writer wait for their commit: it must go on knowing these.
func TestDeletesOutliveACompactionThatOthersMadeFirst(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, compacting, "num-sorted-run.compaction-trigger=2", eager)
	load(t, reopen(t, st), `{"k":5,"v":"old"}`)
	w := waiting(t, tab, "svc")
	var all [][]table.CommitMessage
	for i, row := range []string{`{"k":1,"v":"insert"}`, `{"_kind":"-D","k":1,"v":null}`} {
		if err := write(t, w, tab, row); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, int64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if len(msgs) != 1 || len(msgs[0].CompactBefore) != 2 {
				t.Fatalf("%+v", msgs)
			}
			compactAll(t, st)
		}
		all = append(all, msgs)
	}
	for i, msgs := range all {
		if err := w.Commit(ctx, int64(i+1), msgs); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, reopen(t, st), table.ScanOptions{}, `{"k":5,"v":"old"}`)
	keepsUp(t, w, tab, st)
}

// A committer knows a snapshot that has expired together with the next ones, and
// took it for the newest: what others had done since was refused as a conflict.
func TestACommitThatFollowsExpiredSnapshotsIsNoConflict(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, compacting, "bucket=-1", "write-only=true")
	w := newWriter(t, tab, "svc")
	commit(t, w, tab, `{"k":1,"v":"a"}`)
	c, err := tab.NewCommitter(ctx, "svc")
	if err != nil {
		t.Fatal(err)
	}
	for id := int64(2); id <= 4; id++ {
		if err := write(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"a"}`, id)); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		do := c.Commit
		if id == 4 {
			withoutSnapshots(t, st)
			do = w.Commit
		}
		if err := do(ctx, id, msgs); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, reopen(t, st), table.ScanOptions{Columns: []string{"k"}}, `{"k":1}`, `{"k":2}`, `{"k":3}`, `{"k":4}`)
	sound(t, reopen(t, st))
}

// What a writer has compacted and not committed overlaps what others committed
// meanwhile on the same level: its own is lost, and no reason to end.
func TestAWriterGoesOnBesideFilesThatItsOwnOverlap(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, compacting, "deletion-vectors.enabled=true")
	w := waiting(t, tab, "svc")
	commit(t, w, tab, rowsOfKeys(3, 90)...)
	var msgs [2][]table.CommitMessage
	for n := range msgs {
		if err := write(t, w, tab, fmt.Sprintf(`{"k":1,"v":"own %d"}`, n)); err != nil {
			t.Fatal(err)
		}
		var err error
		if msgs[n], err = w.Prepare(ctx, int64(n+2)); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			commit(t, waiting(t, reopen(t, st), "other"), tab, `{"k":1,"v":"other"}`, `{"k":2,"v":"other"}`)
		}
	}
	for n := range msgs {
		if err := w.Commit(ctx, int64(n+2), msgs[n]); err != nil {
			t.Fatal(err)
		}
	}
	keepsUp(t, w, tab, st)
	compactAll(t, st)
	expect(t, reopen(t, st), table.ScanOptions{Where: "k < 3"}, `{"k":1,"v":"own 1"}`, `{"k":2,"v":"other"}`)
}
