package snapshot_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// onFirstCreate runs f just before the first create of a snapshot.
func (w *world) onFirstCreate(f func()) configure {
	done := false
	return over(storetest.Faulty(w.st, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.CreateIfAbsent && !done {
			done = true
			f()
		}
		return storetest.Outcome{}
	}))
}

func is(dt string) func([]byte) bool {
	return func(p []byte) bool { return string(p) == string(part(dt)) }
}

func newPartitionedWorld(t *testing.T, options ...string) *world {
	w := newWorld(t, store.NewMem(), options...)
	w.commit(w.committer("job"), snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{
		add("a1"), add("a2", bucket(1)), add("b1", in("b")), add("wait", bucket(-2)),
	}})
	return w
}

func (w *world) overwrite(r snapshot.OverwriteRequest) []int64 {
	w.t.Helper()
	r.Identifier = 100
	ids, err := w.committer("overwriter").Overwrite(ctx, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return ids
}

func TestStaticOverwriteReplacesThePartitionsThatMatch(t *testing.T) {
	w := newPartitionedWorld(t)
	mark := int64(5)
	w.overwrite(snapshot.OverwriteRequest{Match: is("a"), Description: "dt=a", Files: files("new"), Watermark: &mark, Properties: map[string]string{"k": "v"}})
	w.wantLive("new", "b1", "wait")
	if s := w.latest(); s.CommitKind != snapshot.Overwrite || *s.DeltaRecordCount != -10 || s.ChangelogManifestList != "" || *s.Watermark != 5 || s.Properties["k"] != "v" {
		t.Errorf("%+v", s)
	}
}

func TestStaticOverwriteRefusesFilesOutside(t *testing.T) {
	w := newPartitionedWorld(t)
	_, err := w.committer("job").Overwrite(ctx, snapshot.OverwriteRequest{Identifier: 9, Match: is("a"), Description: "dt=a", Files: []manifest.Entry{add("x"), add("y", in("c"))}})
	if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "file y: invalid: the file belongs to partition dt=c, which is not in dt=a") {
		t.Error(err)
	}
	w.wantLive("a1", "a2", "b1", "wait")
}

func TestOverwriteOfTheWholeTable(t *testing.T) {
	w := newPartitionedWorld(t)
	w.overwrite(snapshot.OverwriteRequest{Files: []manifest.Entry{add("new", in("z"))}})
	w.wantLive("new", "wait")
}

func TestDynamicOverwriteReplacesThePartitionsItWrites(t *testing.T) {
	w := newPartitionedWorld(t)
	w.overwrite(snapshot.OverwriteRequest{Dynamic: true, Files: []manifest.Entry{add("new", in("b")), add("newer", in("c"))}})
	w.wantLive("a1", "a2", "new", "newer", "wait")
}

func TestDynamicOverwriteWithoutFilesDoesNothing(t *testing.T) {
	w := newPartitionedWorld(t)
	if ids := w.overwrite(snapshot.OverwriteRequest{Dynamic: true}); len(ids) != 0 {
		t.Error(ids)
	}
	w.wantLive("a1", "a2", "b1", "wait")
}

func TestWaitingBucketsAreOverwrittenOnlyWhereThereIsNothingElse(t *testing.T) {
	w := newPartitionedWorld(t, "bucket=-2")
	w.overwrite(snapshot.OverwriteRequest{})
	w.wantLive()
}

func TestTruncateRemovesAll(t *testing.T) {
	w := newPartitionedWorld(t)
	ids, err := w.committer("job").Truncate(ctx, 2)
	if err != nil || fmt.Sprint(ids) != "[2]" {
		t.Error(ids, err)
	}
	w.wantLive("wait")
	if ids, err := w.committer("job").Truncate(ctx, 2); len(ids) != 0 || err != nil {
		t.Error("a replay made", ids, err)
	}
}

func TestTruncateOfAnEmptyTable(t *testing.T) {
	w := newWorld(t, store.NewMem())
	if ids, err := w.committer("job").Truncate(ctx, 1); err != nil || fmt.Sprint(ids) != "[1]" {
		t.Error(ids, err)
	}
	w.wantLive()
}

func TestDropPartitions(t *testing.T) {
	w := newPartitionedWorld(t)
	if _, err := w.committer("job").DropPartitions(ctx, 2, is("b"), "dt=b"); err != nil {
		t.Fatal(err)
	}
	w.wantLive("a1", "a2", "wait")
	_, err := w.committer("job").DropPartitions(ctx, 3, nil, "")
	wantClass(t, err, fault.ErrInvalid)
}

func TestOverwriteAlsoReplacesWhatCameMeanwhile(t *testing.T) {
	w := newPartitionedWorld(t)
	c := w.committer("overwriter", w.onFirstCreate(func() {
		w.commit(w.committer("other"), snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{add("late"), add("late-b", in("b")), add("late-c", in("c"))}})
	}))
	ids, err := c.Overwrite(ctx, snapshot.OverwriteRequest{Identifier: 1, Match: func(p []byte) bool { return !is("b")(p) }, Files: files("new")})
	if err != nil || fmt.Sprint(ids) != "[3]" {
		t.Error(ids, err)
	}
	w.wantLive("new", "b1", "late-b", "wait")
	w.wantOnlyKnownFiles()
}

func TestOverwriteTakesIndexFilesAlong(t *testing.T) {
	w := newWorld(t, store.NewMem())
	index := func(name, dt string) manifest.IndexEntry {
		return manifest.IndexEntry{Partition: part(dt), Type: manifest.HashIndex, Name: name, Size: 4, Rows: 1}
	}
	ch := snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{add("a1"), add("b1", in("b"))}, AppendIndex: []manifest.IndexEntry{index("ia", "a"), index("ib", "b")}}
	w.commit(w.committer("job"), ch)
	w.overwrite(snapshot.OverwriteRequest{Dynamic: true, Files: files("new"), Index: []manifest.IndexEntry{index("inew", "a")}})
	entries, err := w.manifests(w.st).ReadIndex(ctx, w.latest().IndexManifest)
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		if e.Name == "ia" {
			t.Error("the index file of the replaced partition is still there")
		}
	}
	w.overwrite(snapshot.OverwriteRequest{Match: is("nowhere")}) // a replay by its identifier
	if _, err := w.committer("job").Truncate(ctx, 9); err != nil {
		t.Fatal(err)
	}
	if entries, err = w.manifests(w.st).ReadIndex(ctx, w.latest().IndexManifest); err != nil || len(entries) != 0 {
		t.Error(entries, err)
	}
}

func TestUpgradePutsNewFilesAtTheTop(t *testing.T) {
	w := newWorld(t, store.NewMem(), "overwrite-upgrade=true", "num-levels=6")
	w.overwrite(snapshot.OverwriteRequest{Files: []manifest.Entry{
		add("f2", keys(10, 19)), add("f1", keys(0, 9)), // apart
		add("g1", bucket(1), keys(0, 9)), add("g2", bucket(1), keys(9, 19)), // overlap
		add("h1", in("h")),
	}})
	w.wantLive("f1@5", "f2@5", "g1", "g2", "h1@5")
}

func TestUpgradeLeavesAllAloneWhenOneFileIsNotNew(t *testing.T) {
	for name, odd := range map[string]manifest.Entry{"level": add("x", bucket(1), level(3)), "bucket": add("x", bucket(-2))} {
		w := newWorld(t, store.NewMem(), "overwrite-upgrade=true")
		w.overwrite(snapshot.OverwriteRequest{Files: []manifest.Entry{add("f1"), odd}})
		for _, f := range w.live(w.latest()) {
			if strings.HasPrefix(f, "f1@") {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
	w := newWorld(t, store.NewMem(), "overwrite-upgrade=false")
	w.overwrite(snapshot.OverwriteRequest{Files: files("f1")})
	w.wantLive("f1")
	w = newWorld(t, store.NewMem(), "overwrite-upgrade=true", "append")
	w.overwrite(snapshot.OverwriteRequest{Files: []manifest.Entry{add("f1", buckets(-1))}})
	w.wantLive("f1")
}

func TestOverwriteFollowedByCompaction(t *testing.T) {
	w := newWorld(t, store.NewMem(), "overwrite-upgrade=true")
	ids := w.overwrite(snapshot.OverwriteRequest{Files: files("f1"), CompactFiles: []manifest.Entry{del(add("f1")), add("c1", level(5))}})
	if fmt.Sprint(ids) != "[1 2]" || w.latest().CommitKind != snapshot.Compact {
		t.Error(ids, w.latest())
	}
	w.wantLive("c1@5")
}
