package table_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// requests notes what reaches a store, data files left out, by verb and kind of file.
type requests struct {
	mu   sync.Mutex
	seen []string
}

func (r *requests) hook(op storetest.Op) storetest.Outcome {
	skip := op.Verb == storetest.Open || op.Verb == storetest.Create || op.Verb == storetest.Chunk || strings.Contains(op.Key, "bucket-")
	if skip {
		return storetest.Outcome{}
	}
	key := op.Key
	if rest, ok := strings.CutPrefix(key, "manifest/"); ok {
		key = "manifest/" + strings.TrimRight(rest, "0123456789-abcdef")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, string(op.Verb)+" "+key)
	return storetest.Outcome{}
}

// A small commit by a warm writer on a quiet table: what it asks of the store.
func TestASmallCommitCostsSevenRequests(t *testing.T) {
	for name, yaml := range map[string]string{
		"keyed":  keyed,
		"append": "columns: [{name: k, type: BIGINT}, {name: v, type: STRING}]\noptions: {bucket: -1}",
	} {
		t.Run(name, func(t *testing.T) {
			mem := store.NewMem()
			if err := table.Create(ctx, mem, define(t, yaml)); err != nil {
				t.Fatal(err)
			}
			var r requests
			counter := store.Counting(storetest.Faulty(mem, r.hook))
			tab := reopen(t, counter)
			w := newWriter(t, tab, "service")
			commit(t, w, tab, `{"k":1,"v":"a"}`)
			for i := range 20 {
				r.seen = nil
				before := counter.Counts()
				commit(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"b"}`, i))
				want := []string{
					"CreateIfAbsent snapshot/snapshot-" + fmt.Sprint(i+2), "ReadAll snapshot/snapshot-" + fmt.Sprint(i+1),
					"Write manifest/manifest", "Write manifest/manifest-list", "Write manifest/manifest-list", "Write snapshot/LATEST",
				}
				if name == "keyed" { // another writer's numbers must not pass ours unseen
					want = append(want, "Stat snapshot/snapshot-"+fmt.Sprint(i+2))
				}
				limit := int64(8)               // one of them the data file
				if name == "append" && i == 9 { // there are more than ten snapshots: how old is the oldest?
					want, limit = append(want, "List snapshot", "ReadAll snapshot/EARLIEST", "ReadAll snapshot/snapshot-1"), 11
				}
				slices.Sort(want)
				slices.Sort(r.seen)
				if d := cmp.Diff(want, r.seen); d != "" {
					t.Fatalf("commit %d (-want +got):\n%s", i, d)
				}
				if n := counter.Counts().Sub(before).Requests(); n > limit {
					t.Errorf("commit %d: %d requests", i, n)
				}
			}
		})
	}
}

func TestReplayDoesNothingAlsoFromAFreshProcess(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	w := newWriter(t, tab, "svc")
	if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 7)
	if err != nil {
		t.Fatal(err)
	}
	data, err := table.MarshalMessages(msgs)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		tab := tab
		if i > 1 {
			tab = reopen(t, st)
		}
		c, err := tab.NewCommitter(ctx, "svc")
		if err != nil {
			t.Fatal(err)
		}
		got, err := table.UnmarshalMessages(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Commit(ctx, 7, got); err != nil {
			t.Fatal(err)
		}
		if at, err := tab.Snapshots().Latest(ctx); err != nil || at.ID != 1 {
			t.Fatalf("commit %d: snapshot %v, %v", i, at, err)
		}
		if next, err := c.NextIdentifier(ctx); err != nil || next != 8 {
			t.Errorf("next identifier %d, %v", next, err)
		}
	}
	load(t, tab, `{"k":2,"v":"z"}`)
	c, _ := reopen(t, st).NewCommitter(ctx, "svc")
	if next, err := c.NextIdentifier(ctx); err != nil || next != 8 {
		t.Errorf("next identifier behind another user's commit: %d, %v", next, err)
	}
	other, _ := tab.NewCommitter(ctx, "new")
	if next, err := other.NextIdentifier(ctx); err != nil || next != 1 {
		t.Errorf("next identifier of a new user: %d, %v", next, err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"z"}`)
}

func TestABatchUserCommitsOnce(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w := newWriter(t, tab, "job")
	if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, table.BatchIdentifier)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Commit(ctx, table.BatchIdentifier, msgs); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(t, w, tab, `{"k":2,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	failsWith(t, w.CommitNext(ctx), table.ErrInvalid, "batch commit", "another user")
	if at, err := tab.Snapshots().Latest(ctx); err != nil || at.ID != 1 {
		t.Errorf("snapshot %v, %v", at, err)
	}
}

func TestNothingToCommitMakesNoSnapshot(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w := newWriter(t, tab, "")
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil || len(msgs) > 0 {
		t.Fatal(msgs, err)
	}
	if err := w.Commit(ctx, 1, nil); err != nil {
		t.Fatal(err)
	}
	if at, err := tab.Snapshots().Latest(ctx); err != nil || at != nil {
		t.Errorf("snapshot %v, %v", at, err)
	}
	if got := lines(t, tab, table.ScanOptions{}); len(got) > 0 {
		t.Error(got)
	}
}

// The answer to the create of the snapshot is lost: the same call, repeated by
// this writer or by another process, settles it, whether the create arrived or not.
func TestALostAnswerIsSettledByReplay(t *testing.T) {
	lost := errors.New("connection reset")
	for name, out := range map[string]storetest.Outcome{"arrived": {Lose: lost}, "lost": {Fail: lost}} {
		for _, how := range []string{"CommitNext", "elsewhere"} {
			t.Run(name+" "+how, func(t *testing.T) {
				mem := store.NewMem()
				tab := create(t, mem, keyed)
				load(t, tab, `{"k":0,"v":"old"}`)
				down := true
				sick := storetest.Faulty(mem, func(op storetest.Op) storetest.Outcome {
					switch {
					case !down || op.Key != "snapshot/snapshot-2":
						return storetest.Outcome{}
					case op.Verb == storetest.CreateIfAbsent:
						return out
					case op.Verb == storetest.ReadAll: // and it cannot be read back either
						return storetest.Outcome{Fail: lost}
					}
					return storetest.Outcome{}
				})
				tab = reopen(t, sick)
				w := newWriter(t, tab, "svc")
				if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
					t.Fatal(err)
				}
				var msgs []table.CommitMessage
				var err error
				if how == "CommitNext" {
					err = w.CommitNext(ctx)
				} else {
					if msgs, err = w.Prepare(ctx, 1); err != nil {
						t.Fatal(err)
					}
					err = w.Commit(ctx, 1, msgs)
				}
				failsWith(t, err, table.ErrUncertain, "repeat the commit")
				down = false
				if how == "CommitNext" {
					commit(t, w, tab, `{"k":2,"v":"b"}`)
				} else {
					c, err := reopen(t, mem).NewCommitter(ctx, "svc")
					if err != nil {
						t.Fatal(err)
					}
					if err := c.Commit(ctx, 1, msgs); err != nil {
						t.Fatal(err)
					}
					load(t, reopen(t, mem), `{"k":2,"v":"b"}`)
				}
				fresh := reopen(t, mem)
				if at, err := fresh.Snapshots().Latest(ctx); err != nil || at.ID != 3 {
					t.Errorf("snapshot %v, %v", at, err)
				}
				expect(t, fresh, table.ScanOptions{}, `{"k":0,"v":"old"}`, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
				sound(t, fresh)
			})
		}
	}
}

// After an unsettled commit the files may be live: Close must leave them.
func TestCloseLeavesFilesOfAnUncertainCommit(t *testing.T) {
	mem := store.NewMem()
	create(t, mem, keyed)
	gone := errors.New("gone")
	tab := reopen(t, storetest.Faulty(mem, func(op storetest.Op) storetest.Outcome {
		switch {
		case op.Key == "snapshot/snapshot-1" && op.Verb == storetest.CreateIfAbsent:
			return storetest.Outcome{Lose: gone}
		case op.Key == "snapshot/snapshot-1":
			return storetest.Outcome{Fail: gone}
		}
		return storetest.Outcome{}
	}))
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	failsWith(t, w.CommitNext(ctx), table.ErrUncertain)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, reopen(t, mem), table.ScanOptions{}, `{"k":1,"v":"a"}`)
}

// A CommitNext that failed for certain keeps its rows; without another try
// Close removes the files.
func TestAFailedCommitNextIsRepeatedOrCleanedUp(t *testing.T) {
	for _, again := range []bool{true, false} {
		mem := store.NewMem()
		create(t, mem, keyed)
		full := true
		tab := reopen(t, storetest.Faulty(mem, func(op storetest.Op) storetest.Outcome {
			if full && strings.HasPrefix(op.Key, "manifest/") {
				return storetest.Outcome{Fail: storetest.ErrDiskFull}
			}
			return storetest.Outcome{}
		}))
		w := newWriter(t, tab, "svc")
		if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
			t.Fatal(err)
		}
		failsWith(t, w.CommitNext(ctx), storetest.ErrDiskFull, "no space left")
		full = false
		if again {
			commit(t, w, tab)
			expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if left := orphans(t, mem, tab); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	const writers, commits = 20, 10
	st := store.NewMem()
	first := create(t, st, keyed, "bucket=2", "commit.max-retries=1000", "commit.timeout=10 min")
	var group sync.WaitGroup
	for n := range writers {
		tab := reopen(t, st)
		group.Go(func() {
			w, err := tab.NewWriter(ctx, table.WriterOptions{User: fmt.Sprint("w", n)})
			if err != nil {
				t.Error(err)
				return
			}
			defer w.Close()
			for i := range commits {
				if err := write(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"own"}`, n*1000+i), fmt.Sprintf(`{"k":-1,"v":"%d-%d"}`, n, i)); err != nil {
					t.Error(err)
					return
				}
				if err := w.CommitNext(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if at, err := first.Snapshots().Latest(ctx); err != nil || at.ID != writers*commits {
		t.Errorf("snapshot %v, %v: want %d", at, err, writers*commits)
	}
	if got := lines(t, first, table.ScanOptions{}); len(got) != writers*commits+1 {
		t.Errorf("%d rows, want %d", len(got), writers*commits+1)
	}
	sound(t, first)
	if left := orphans(t, st, first); len(left) > 0 {
		t.Errorf("%d data files that no snapshot names", len(left))
	}
}

// Messages cross processes as JSON, so what they say is checked before it
// becomes metadata.
func TestImpossibleMessagesAreRefused(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	w := newWriter(t, tab, "")
	if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tab.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(m *table.CommitMessage){
		"partition":   func(m *table.CommitMessage) { m.Partition = []byte{1} },
		"bucket 1":    func(m *table.CommitMessage) { m.Bucket = 1 },
		"bucket -1":   func(m *table.CommitMessage) { m.Bucket = -1 },
		"3 buckets":   func(m *table.CommitMessage) { m.TotalBuckets = 3 },
		"file name":   func(m *table.CommitMessage) { m.NewFiles[0].Name = "../../schema/schema-0" },
		"rows":        func(m *table.CommitMessage) { m.NewFiles[0].Rows = -1 },
		"key range":   func(m *table.CommitMessage) { m.NewFiles[0].MinKey = nil },
		"the schema":  func(m *table.CommitMessage) { m.NewFiles[0].SchemaID = 99 },
		"impossible ": func(m *table.CommitMessage) { m.NewFiles[0].Level = 77 },
	} {
		data, err := table.MarshalMessages(msgs)
		if err != nil {
			t.Fatal(err)
		}
		bad, err := table.UnmarshalMessages(data)
		if err != nil {
			t.Fatal(err)
		}
		spoil(&bad[0])
		failsWith(t, c.Commit(ctx, 1, bad), nil, what)
		failsWith(t, c.Overwrite(ctx, 1, nil, bad), nil, what)
		if what == "file name" {
			failsWith(t, tab.Abort(ctx, bad), table.ErrInvalid, what)
		}
	}
	if _, err := st.Stat(ctx, "schema/schema-0"); err != nil {
		t.Error(err)
	}
	if err := tab.Abort(ctx, msgs); err != nil {
		t.Error(err)
	}
	if left := dataFiles(t, st); len(left) > 0 {
		t.Errorf("after Abort: %q", left)
	}
}
