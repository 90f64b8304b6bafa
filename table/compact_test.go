package table_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

func compact(t testing.TB, tab *table.Table, o table.CompactOptions) table.CompactReport {
	t.Helper()
	r, err := tab.Compact(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newest(t testing.TB, tab *table.Table) int64 {
	t.Helper()
	at, err := tab.Snapshots().Latest(ctx)
	if err != nil || at == nil {
		t.Fatal(at, err)
	}
	return at.ID
}

// A job takes one step in a write-only table, and with Full the last one;
// where there is nothing to do it makes no snapshot.
func TestAJobCompactsWriteOnlyTables(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	if r := compact(t, tab, table.CompactOptions{}); r != (table.CompactReport{}) {
		t.Errorf("an empty table: %+v", r)
	}
	for i := range 3 {
		load(t, tab, fmt.Sprintf(`{"k":1,"v":"%d"}`, i), fmt.Sprintf(`{"k":%d,"v":"x"}`, i+2))
	}
	if r := compact(t, tab, table.CompactOptions{}); r.Tasks != 0 || r.Snapshots != 0 || newest(t, tab) != 3 {
		t.Errorf("three runs are too few: %+v", r)
	}
	load(t, tab, `{"k":7,"v":"x"}`, `{"_kind":"-D","k":2,"v":null}`)
	load(t, tab, `{"k":8,"v":"x"}`)
	want := []string{`{"k":1,"v":"2"}`, `{"k":3,"v":"x"}`, `{"k":4,"v":"x"}`, `{"k":7,"v":"x"}`, `{"k":8,"v":"x"}`}
	expect(t, tab, table.ScanOptions{}, want...)
	var last table.CompactProgress
	r := compact(t, tab, table.CompactOptions{Progress: func(p table.CompactProgress) { last = p }})
	if r.Tasks != 1 || r.FilesBefore != 5 || r.FilesAfter != 1 || r.Snapshots != 1 || r.BytesAfter == 0 || r.BytesBefore <= r.BytesAfter {
		t.Errorf("%+v", r)
	}
	if last.Tasks != 1 || last.TasksDone != 1 || last.Rows != 9 || last.RowsDone != 9 {
		t.Errorf("%+v", last)
	}
	if got := levels(t, tab); got != "{5=1}" {
		t.Error(got)
	}
	expect(t, tab, table.ScanOptions{}, want...)
	load(t, tab, `{"k":8,"v":"y"}`)
	if r := compact(t, tab, table.CompactOptions{}); r.Tasks != 0 {
		t.Errorf("%+v", r)
	}
	if r := compact(t, tab, table.CompactOptions{Full: true}); r.Tasks != 1 || r.FilesBefore != 2 || levels(t, tab) != "{5=1}" {
		t.Errorf("%+v", r)
	}
	if r := compact(t, tab, table.CompactOptions{Full: true}); r.Snapshots != 0 {
		t.Errorf("%+v", r)
	}
	sound(t, tab)
}

const parted = `
columns: [{name: p, type: STRING NOT NULL}, {name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}]
primary-key: [p, k]
partition-by: [p]
options: {bucket: 2, write-only: true}
`

// Plans keep to partitions, to idle ones, and to a number of bytes.
func TestWhatAPlanLeavesOut(t *testing.T) {
	st := store.NewMem()
	parts, _ := world(t)
	clock := stopped(&parts, noon)
	if err := table.Create(ctx, st, define(t, parted)); err != nil {
		t.Fatal(err)
	}
	tab := reopenIn(t, st, parts)
	for _, p := range []string{"a", "b"} {
		for k := range 6 {
			load(t, tab, fmt.Sprintf(`{"p":"%s","k":%d,"v":"x"}`, p, k))
		}
		clock.pass(time.Hour)
	}
	plan := func(o table.CompactOptions) []table.CompactTask {
		o.Full = true
		tasks, err := tab.PlanCompaction(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		return tasks
	}
	all := plan(table.CompactOptions{})
	if len(all) != 4 {
		t.Fatalf("%d tasks", len(all))
	}
	for _, task := range all {
		if task.Reads != len(task.Files) || task.Rows != int64(task.Reads) || task.Bytes == 0 || task.Snapshot != 12 || task.TotalBuckets != 2 {
			t.Errorf("%+v", task)
		}
	}
	if got := plan(table.CompactOptions{Partition: "p = 'b'"}); len(got) != 2 || got[0].Files[0].Name != all[2].Files[0].Name {
		t.Errorf("%+v", got)
	}
	if got := plan(table.CompactOptions{IdleFor: 90 * time.Minute}); len(got) != 2 || got[0].Files[0].Name != all[0].Files[0].Name {
		t.Errorf("%+v", got)
	}
	if got := plan(table.CompactOptions{IdleFor: 3 * time.Hour}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := plan(table.CompactOptions{MaxBytes: all[0].Bytes + all[1].Bytes}); len(got) < 1 || len(got) > 3 {
		t.Errorf("%d tasks", len(got))
	}
	_, err := tab.PlanCompaction(ctx, table.CompactOptions{Partition: "k = 1"})
	failsWith(t, err, table.ErrInvalid, "k")
	compact(t, tab, table.CompactOptions{Full: true, Partition: "p < 'b'"})
	if got := levels(t, tab); got != "{0=6, 5=2}" {
		t.Error(got)
	}
	sound(t, tab)
}

// Tasks go through bytes, are run by another process and committed by a third.
func TestTasksTravel(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	for i := range 6 {
		load(t, tab, fmt.Sprintf(`{"k":%d,"v":"x"}`, i%4))
	}
	tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := table.MarshalCompactTasks(tasks)
	if err != nil {
		t.Fatal(err)
	}
	worker := reopen(t, st)
	if tasks, err = table.UnmarshalCompactTasks(text); err != nil || len(tasks) != 1 {
		t.Fatal(tasks, err)
	}
	m, err := worker.RunCompaction(ctx, tasks[0])
	if err != nil {
		t.Fatal(err)
	}
	load(t, tab, `{"k":9,"v":"meanwhile"}`)
	c, err := reopen(t, st).NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a replay does nothing
		if err := c.Commit(ctx, 1, []table.CommitMessage{m}); err != nil {
			t.Fatal(err)
		}
	}
	if got := levels(t, tab); got != "{0=1, 5=1}" || newest(t, tab) != 8 {
		t.Error(got, newest(t, tab))
	}
	sound(t, tab)
	_, err = table.UnmarshalCompactTasks([]byte(`[{"who":1}]`))
	failsWith(t, err, table.ErrInvalid, "who")
	bad := tasks[0]
	bad.Files = slices.Clone(bad.Files)
	bad.Files[0].Name = "../x"
	_, err = worker.RunCompaction(ctx, bad)
	failsWith(t, err, table.ErrInvalid, "../x")
}

// Another compactor takes one bucket while a job runs: the job keeps its other
// buckets, plans that one again, and nobody sees an error.
func TestAJobThatIsOvertakenInOneBucket(t *testing.T) {
	below := store.NewMem()
	tab := create(t, below, keyed, "bucket=3")
	for i := range 5 {
		var rows []string
		for k := range 12 {
			rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"%d"}`, k, i))
		}
		load(t, tab, rows...)
	}
	want := lines(t, tab, table.ScanOptions{})
	tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil || len(tasks) != 3 {
		t.Fatal(tasks, err)
	}
	done := false
	st := storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
		if !done && op.Verb == storetest.CreateIfAbsent && strings.HasSuffix(op.Key, "snapshot-6") { // just before the job's commit
			done = true
			m, err := tab.RunCompaction(ctx, tasks[1])
			if err != nil {
				t.Error(err)
			}
			c, err := tab.NewCommitter(ctx, "")
			if err != nil {
				t.Error(err)
			}
			if err := c.Commit(ctx, 1, []table.CommitMessage{m}); err != nil {
				t.Error(err)
			}
		}
		return storetest.Outcome{}
	})
	r := compact(t, reopen(t, st), table.CompactOptions{Full: true})
	if !done || r.Overtaken != 1 || r.Tasks != 2 {
		t.Errorf("%v %+v", done, r)
	}
	if got := levels(t, tab); got != "{5=3}" {
		t.Error(got)
	}
	expect(t, tab, table.ScanOptions{}, want...)
	sound(t, tab)
	if left := orphans(t, below, tab); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// The job dies, or a call fails, at any call of the store: all rows are there,
// and the next job ends what was begun.
func TestAJobThatEndsAtAnyCallLosesNothing(t *testing.T) {
	bad := errors.New("503 slow down")
	for name, out := range map[string]storetest.Outcome{"crashed": {Crash: true}, "failed": {Fail: bad}, "answer lost": {Lose: bad}} {
		t.Run(name, func(t *testing.T) {
			for k := int64(1); ; k++ {
				below := store.NewMem()
				tab := create(t, below, keyed, "bucket=2")
				for i := range 3 {
					load(t, tab, fmt.Sprintf(`{"k":1,"v":"%d"}`, i), fmt.Sprintf(`{"k":%d,"v":"y"}`, i+2))
				}
				want := lines(t, tab, table.ScanOptions{})
				hit := false
				sick := storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
					if op.N == k {
						hit = true
						return out
					}
					return storetest.Outcome{}
				})
				parts, _ := world(t)
				job, err := table.Open(ctx, sick, "db.t", table.Settings{Parallel: 1}, parts)
				if err == nil {
					_, err = job.Compact(ctx, table.CompactOptions{Full: true})
				}
				after := reopen(t, below)
				expect(t, after, table.ScanOptions{}, want...)
				if err != nil && !hit {
					t.Fatal(err)
				}
				if left := orphans(t, below, after); err == nil && len(left) > 0 {
					t.Errorf("call %d: left behind: %q", k, left)
				}
				compact(t, after, table.CompactOptions{Full: true})
				if got := levels(t, after); got != "{5=2}" {
					t.Errorf("call %d: %s", k, got)
				}
				expect(t, after, table.ScanOptions{}, want...)
				sound(t, after)
				if t.Failed() {
					t.Fatalf("at call %d", k)
				}
				if !hit {
					return
				}
			}
		})
	}
}

// A writer's compactions that end at any call of the store lose nothing either.
func TestAWriterThatCompactsAndEndsAtAnyCall(t *testing.T) {
	bad := errors.New("503 slow down")
	for name, out := range map[string]storetest.Outcome{"crashed": {Crash: true}, "failed": {Fail: bad}, "answer lost": {Lose: bad}} {
		t.Run(name, func(t *testing.T) {
			for k := int64(1); ; k++ {
				below := store.NewMem()
				tab := create(t, below, compacting, "num-sorted-run.compaction-trigger=2", eager)
				load(t, tab, oldRows...)
				hit := false
				sick := storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
					if op.N == k {
						hit = true
						return out
					}
					return storetest.Outcome{}
				})
				parts, _ := world(t)
				sickly, err := table.Open(ctx, sick, "db.t", table.Settings{Parallel: 1}, parts)
				if err == nil {
					err = attempt(sickly, "svc")
				}
				after := reopen(t, below)
				isNew := whole(t, after)
				if err == nil && !isNew || err != nil && !hit {
					t.Errorf("call %d: new rows: %v, %v", k, isNew, err)
				}
				sound(t, after)
				goOn(t, below, isNew)
				if t.Failed() {
					t.Fatalf("at call %d", k)
				}
				if !hit {
					return
				}
			}
		})
	}
}

// A job whose context has ended commits what it had done, and says so.
func TestAJobThatIsCancelled(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	load(t, tab, oldRows...)
	load(t, tab, oldRows...)
	dead, stop := context.WithCancel(ctx)
	stop()
	_, err := tab.Compact(dead, table.CompactOptions{Full: true})
	failsWith(t, err, context.Canceled)
	if got := levels(t, tab); got != "{0=2}" {
		t.Error(got)
	}
}

// Small files of tables without a key are joined: five of them, or, in full, two.
func TestSmallFilesOfAppendTablesAreJoined(t *testing.T) {
	for name, c := range map[string]struct {
		options []string
		few     int // files too few for one step
		full    int // too few in full
	}{
		"no buckets": {[]string{"bucket=-1"}, 4, 1},
		"buckets":    {[]string{"bucket=1", "bucket-key=k", "write-only=true"}, 4, 2},
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, "columns: [{name: k, type: BIGINT}, {name: v, type: STRING}]", c.options...)
			n := 0
			add := func(times int) {
				for range times {
					load(t, tab, fmt.Sprintf(`{"k":%d,"v":"x"}`, n), fmt.Sprintf(`{"k":%d,"v":"x"}`, n))
					n++
				}
			}
			add(c.few)
			if r := compact(t, tab, table.CompactOptions{}); r.Tasks != 0 {
				t.Errorf("%+v", r)
			}
			add(5 - c.few)
			if r := compact(t, tab, table.CompactOptions{}); r.FilesBefore != 5 || r.FilesAfter != 1 || r.Snapshots != 1 {
				t.Errorf("%+v", r)
			}
			add(c.full - 1)
			if r := compact(t, tab, table.CompactOptions{Full: true}); r.Tasks != 0 {
				t.Errorf("%+v", r)
			}
			add(1)
			if r := compact(t, tab, table.CompactOptions{Full: true}); r.FilesBefore != c.full+1 || levels(t, tab) != "{0=1}" {
				t.Errorf("%+v %s", r, levels(t, tab))
			}
			var want []string
			for k := range n {
				want = append(want, fmt.Sprintf(`{"k":%d,"v":"x"}`, k), fmt.Sprintf(`{"k":%d,"v":"x"}`, k))
			}
			expect(t, tab, table.ScanOptions{}, want...)
			for f, err := range tab.Files(ctx, 0) {
				if err != nil || f.Source == nil || *f.Source != 1 || f.MinSequence != 0 || f.MaxSequence != int64(2*n-1) && name == "buckets" {
					t.Errorf("%+v %v", f, err)
				}
			}
			sound(t, tab)
		})
	}
}

// In a bucket without a key the writer joins neighbours, and rows keep their order.
func TestWritersJoinNeighboursInABucket(t *testing.T) {
	tab := create(t, store.NewMem(), "columns: [{name: k, type: BIGINT}, {name: v, type: BIGINT}]\noptions: {bucket: 1, bucket-key: k, compaction.min.file-num: 3}")
	w := waiting(t, tab, "")
	var got []string
	for i := range 7 {
		commit(t, w, tab, fmt.Sprintf(`{"k":1,"v":%d}`, i))
		got = append(got, levels(t, tab))
	}
	if want := []string{"{0=1}", "{0=2}", "{0=1}", "{0=2}", "{0=1}", "{0=2}", "{0=1}"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for r := range int(rec.NumRows()) {
			if v := rec.Column(1).ValueStr(r); v != fmt.Sprint(next) {
				t.Errorf("row %d: %s", next, v)
			}
			next++
		}
	}
	sound(t, tab)
}

// A full compaction takes deleted rows out of buckets of tables without a key,
// however few their files are.
func TestDeletedRowsLeaveBucketsOfTablesWithoutKeys(t *testing.T) {
	tab := create(t, store.NewMem(), "columns: [{name: k, type: BIGINT}]\noptions: {bucket: 1, bucket-key: k, write-only: true, deletion-vectors.enabled: true}")
	load(t, tab, `{"k":1}`, `{"k":2}`)
	load(t, tab, `{"k":3}`)
	compact := func() int64 {
		t.Helper()
		if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		for f, err := range tab.Files(ctx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			rows += f.Rows
		}
		sound(t, tab)
		return rows
	}
	changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "k = 2"}))
	if got := compact(); got != 2 {
		t.Errorf("%d rows are stored, of which 2 are alive", got)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":1}`, `{"k":3}`)
	changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "k > 0"}))
	if got := compact(); got != 0 {
		t.Errorf("%d rows are stored, none is alive", got)
	}
	expect(t, tab, table.ScanOptions{})
}
