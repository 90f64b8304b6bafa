package snapshot_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

func compacting(identifier int64, entries ...manifest.Entry) snapshot.Changes {
	return snapshot.Changes{Identifier: identifier, IgnoreEmpty: true, CompactFiles: entries}
}

// wantConflict commits changes that a rule must refuse, and checks that
// nothing is left of them.
func (w *world) wantConflict(ch snapshot.Changes, words string) {
	w.t.Helper()
	before := w.latest()
	c := w.committer("loser")
	_, err := c.Commit(ctx, ch)
	if !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), words) {
		w.t.Errorf("error is %v, want a conflict with %q", err, words)
	}
	if after := w.latest(); before != nil && after.ID != before.ID {
		w.t.Errorf("snapshot %d was made all the same", after.ID)
	}
	if n := c.Stats(); n.Conflicts != 1 || n.Commits != 0 || n.Attempts != 1 {
		w.t.Errorf("stats %+v", n)
	}
	w.wantOnlyKnownFiles()
}

func TestBlindAppendsNeverConflict(t *testing.T) {
	w := newWorld(t, store.NewMem())
	a, b := w.committer("a"), w.committer("b")
	w.commit(a, adding(1, "f1"))
	w.commit(b, adding(1, "f2"))
	w.commit(a, adding(2, "f3"))
	w.wantLive("f1", "f2", "f3")
}

func TestBucketCountMayNotChangeWithoutOverwrite(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1"))
	ch := snapshot.Changes{Identifier: 1, CheckAppendConflicts: true, AppendFiles: []manifest.Entry{add("f2", buckets(4))}}
	w.wantConflict(ch, "partition dt=a has 2 buckets, the file was written for 4")
	ch.AppendFiles = []manifest.Entry{add("f2", buckets(4), in("b"))}
	w.commit(w.committer("job"), snapshot.Changes{Identifier: 2, CheckAppendConflicts: true, AppendFiles: ch.AppendFiles})
	if _, err := w.committer("job").Overwrite(ctx, snapshot.OverwriteRequest{Identifier: 3, Dynamic: true, Files: []manifest.Entry{add("f3", buckets(4))}}); err != nil {
		t.Fatal(err)
	}
	w.wantLive("f2", "f3")
}

func TestAFileIsNotAddedTwiceByOneCommit(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.wantConflict(adding(1, "f1", "f1"), "adds the file twice")
	w.commit(w.committer("job"), adding(1, "f1"))
	w.wantConflict(compacting(1, del(add("f1")), add("f1")), "adds the file twice, or deletes and adds it")
}

func TestAFileIsNotAddedAgain(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1"))
	ch := adding(1, "f1")
	ch.CheckAppendConflicts = true
	w.wantConflict(ch, "the file is in the table already")
}

func TestOfTwoCompactorsOfABucketOneLoses(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1", "f2"))
	w.commit(w.committer("compactor"), compacting(1, del(add("f1")), del(add("f2")), add("c1", level(5), rows(20))))
	w.wantConflict(compacting(1, del(add("f1")), del(add("f2")), add("c2", level(5), rows(20))), "another commit has deleted it")
	w.wantLive("c1@5")
}

func TestDeletingFromAnEmptyTableIsAConflict(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.wantConflict(compacting(1, del(add("f1"))), "another commit has deleted it")
}

func TestExpiredPartitionsAreNamedAsTheCause(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1"))
	c := w.committer("loser", func(c *snapshot.Config) { c.Expired = func([]byte) bool { return true } })
	_, err := c.Commit(ctx, compacting(1, del(add("f0")), add("c1", level(5))))
	if !errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), "partition dt=a has expired") {
		t.Error(err)
	}
}

func TestAnUpgradeMovesAFileBetweenLevels(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1"))
	w.commit(w.committer("compactor"), compacting(1, del(add("f1")), add("f1", level(5))))
	w.wantLive("f1@5")
}

func TestKeysOfALevelMayNotOverlap(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1"))
	c := w.committer("compactor")
	w.commit(c, compacting(1, add("c1", level(5), keys(0, 9)), add("c2", level(5), keys(20, 29))))
	w.wantConflict(compacting(1, add("c3", level(5), keys(9, 15))), "its keys overlap those of c1 in bucket 0, level 5")
	w.wantConflict(compacting(2, add("c3", level(5), keys(15, 20))), "overlap")
	w.commit(c, compacting(2, add("c3", level(5), keys(10, 19)))) // fits between
	w.commit(c, compacting(3, add("c4", level(5), keys(0, 99), bucket(1))))
	w.commit(c, compacting(4, add("c5", level(4), keys(0, 99))))
	w.commit(c, compacting(5, add("c6", level(5), keys(0, 99), in("b"))))
	w.commit(c, adding(6, "f2")) // level 0 may overlap
	w.wantLive("f1", "f2", "c1@5", "c2@5", "c3@5", "c4@5", "c5@4", "c6@5")
}

func TestKeysDoNotMatterWithoutAPrimaryKey(t *testing.T) {
	w := newWorld(t, store.NewMem(), "append")
	w.commit(w.committer("job"), compacting(1, add("c1", level(5), buckets(-1)), add("c2", level(5), buckets(-1))))
}

func TestRowIDsOfOneGroupMustBeTheSame(t *testing.T) {
	w := newWorld(t, store.NewMem(), "append")
	w.options.DataEvolution = true // reading and judging, not assigning ids
	ids := func(name string, first, n int64) manifest.Entry {
		e := add(name, buckets(-1), rows(n))
		e.File.FirstRowID = &first
		return e
	}
	c := w.committer("job")
	w.commit(c, snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{ids("f1", 0, 10), ids("f2", 0, 10), ids("f3", 10, 5), ids("x.blob", 0, 4)}})
	w.wantConflict(compacting(1, del(ids("f2", 0, 10)), ids("c1", 0, 15)), "row ids overlap those of")
	w.commit(c, compacting(2, del(ids("f2", 0, 10)), ids("c1", 0, 10)))
}

// vector is an index file with the deletion vector of one data file.
func vector(name, file string) manifest.IndexEntry {
	return manifest.IndexEntry{Partition: part("a"), Type: manifest.DeletionVectorsIndex, Name: name, Size: 9, Rows: 1,
		Ranges: []manifest.DeletionRange{{File: file, Offset: 1, Length: 8}}}
}

func gone(e manifest.IndexEntry) manifest.IndexEntry {
	e.Kind = manifest.Delete
	return e
}

func newVectorWorld(t *testing.T) *world {
	w := newWorld(t, store.NewMem(), "append", "deletion-vectors.enabled=true")
	c := w.committer("job")
	w.commit(c, snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{add("f1", buckets(-1)), add("f2", buckets(-1))}})
	w.commit(c, snapshot.Changes{Identifier: 2, IgnoreEmpty: true, AppendIndex: []manifest.IndexEntry{vector("v1", "f1")}})
	if s := w.latest(); s.CommitKind != snapshot.Overwrite || s.ID != 2 {
		t.Fatalf("%+v", s)
	}
	return w
}

func TestADeletionVectorReplacesTheCurrentOne(t *testing.T) {
	w := newVectorWorld(t)
	w.commit(w.committer("job"), snapshot.Changes{Identifier: 3, IgnoreEmpty: true,
		AppendIndex: []manifest.IndexEntry{gone(vector("v1", "f1")), vector("v2", "f1"), vector("v3", "f2")}})
	index, err := w.manifests(w.st).ReadIndex(ctx, w.latest().IndexManifest)
	if err != nil || len(index) != 2 {
		t.Error(index, err)
	}
}

func TestDeletionVectorsMustBeThoseOfTheBase(t *testing.T) {
	for name, ch := range map[string]snapshot.Changes{
		"second vector beside the first":  {AppendIndex: []manifest.IndexEntry{vector("v2", "f1")}},
		"vector already replaced":         {AppendIndex: []manifest.IndexEntry{gone(vector("v0", "f1")), vector("v2", "f1")}},
		"file deleted without its vector": {AppendFiles: []manifest.Entry{del(add("f1", buckets(-1)))}},
		"file deleted with a vector it has not": {AppendFiles: []manifest.Entry{del(add("f2", buckets(-1)))},
			AppendIndex: []manifest.IndexEntry{gone(vector("v1", "f2"))}},
	} {
		t.Run(name, func(t *testing.T) {
			ch.Identifier, ch.IgnoreEmpty = 1, true
			newVectorWorld(t).wantConflict(ch, "or its deletion vector, has been changed")
		})
	}
	newVectorWorld(t).wantConflict(snapshot.Changes{Identifier: 1, AppendIndex: []manifest.IndexEntry{vector("v2", "f9")}}, "data file f9, which is not in the table")
}

func TestAFileGoesWithItsDeletionVector(t *testing.T) {
	w := newVectorWorld(t)
	w.commit(w.committer("job"), snapshot.Changes{Identifier: 3, AppendFiles: []manifest.Entry{del(add("f1", buckets(-1))), add("f3", buckets(-1), rows(7))},
		AppendIndex: []manifest.IndexEntry{gone(vector("v1", "f1"))}})
	w.wantLive("f2", "f3")
	if s := w.latest(); s.CommitKind != snapshot.Overwrite {
		t.Errorf("%+v", s)
	}
}

func TestContradictingIndexFilesAreAConflict(t *testing.T) {
	w := newWorld(t, store.NewMem(), "append")
	w.commit(w.committer("job"), snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{add("f1", buckets(-1))}})
	w.wantConflict(snapshot.Changes{Identifier: 1, AppendIndex: []manifest.IndexEntry{gone(vector("v1", "f1"))}}, "do not fit the index files")
}

func TestDeletesInAnAppendAreAnOverwrite(t *testing.T) {
	w := newWorld(t, store.NewMem(), "append")
	c := w.committer("job")
	w.commit(c, snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{add("f1", buckets(-1))}})
	w.commit(c, snapshot.Changes{Identifier: 2, AppendFiles: []manifest.Entry{del(add("f1", buckets(-1))), add("f2", buckets(-1), rows(4))}})
	if s := w.latest(); s.CommitKind != snapshot.Overwrite || *s.DeltaRecordCount != -6 {
		t.Errorf("%+v", s)
	}
	w.wantConflict(snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{del(add("f1", buckets(-1)))}}, "another commit has deleted it")
	w.wantLive("f2")
}

func TestDuplicateFilesAreDiscardedOnRequest(t *testing.T) {
	w := newWorld(t, store.NewMem(), "commit.discard-duplicate-files=true")
	w.commit(w.committer("a"), adding(1, "f1", "f2"))
	w.commit(w.committer("b"), adding(1, "f2", "f3"))
	if s := w.latest(); *s.DeltaRecordCount != 10 {
		t.Errorf("%+v", s)
	}
	w.wantLive("f1", "f2", "f3")
}

func TestStatisticsOfDeletesAreDroppedOnRequest(t *testing.T) {
	w := newWorld(t, store.NewMem(), "manifest.delete-file-drop-stats=true")
	w.commit(w.committer("job"), adding(1, "f1"))
	w.commit(w.committer("job"), compacting(2, del(add("f1")), add("c1", level(5))))
	metas, err := w.manifests(w.st).ReadList(ctx, w.latest().DeltaManifestList)
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range w.manifests(w.st).Scan(ctx, metas, nil) {
		if err != nil || e.File.HasValueStatsCols != (e.Kind == manifest.Delete) {
			t.Errorf("%s of %s: %v", e.Kind, e.File.Name, err)
		}
	}
}

// A loser of the race does not read the whole table again: it adds the deltas
// to what it has read, and sees what they did.
func TestRulesAreAppliedAgainOnTheNewBase(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1", "f2"))
	for _, c := range []struct {
		between snapshot.Changes
		words   string
	}{
		{adding(2, "f3"), ""},
		{compacting(2, del(add("f1")), add("x1", level(5), keys(0, 9))), "another commit has deleted it"},
	} {
		w := newWorld(t, store.NewMem())
		w.commit(w.committer("job"), adding(1, "f1", "f2"))
		loser := w.committer("loser", w.onFirstCreate(func() { w.commit(w.committer("job"), c.between) }))
		_, err := loser.Commit(ctx, compacting(1, del(add("f1")), del(add("f2")), add("c1", level(5), rows(20))))
		if c.words == "" && err != nil || c.words != "" && (!errors.Is(err, fault.ErrConflict) || !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%v", err)
		}
		if n := loser.Stats(); n.Lost != 1 {
			t.Errorf("%+v", n)
		}
		w.wantOnlyKnownFiles()
	}
}

func TestStrictModeRefusesToBuildOnOthers(t *testing.T) {
	overwrite := func(c *snapshot.Committer) error {
		_, err := c.Overwrite(ctx, snapshot.OverwriteRequest{Identifier: 50, Dynamic: true, Files: files("mine")})
		return err
	}
	appending := func(c *snapshot.Committer) error {
		_, err := c.Commit(ctx, adding(50, "mine"))
		return err
	}
	compaction := compacting(2, del(add("f1")), add("c1", level(5)))
	postponed := snapshot.Changes{Identifier: 2, AppendFiles: []manifest.Entry{add("p1", bucket(-2))}}
	for _, c := range []struct {
		name    string
		safe    int
		between snapshot.Changes
		user    string
		commit  func(*snapshot.Committer) error
		refused bool
	}{
		{"append after append", 1, adding(2, "o1"), "other", appending, false},
		{"append after compaction", 1, compaction, "other", appending, true},
		{"append after own compaction", 1, compaction, "job", appending, false},
		{"append after a compaction that is safe", 2, compaction, "other", appending, false},
		{"overwrite after append", 1, adding(2, "o1"), "other", overwrite, true},
		{"overwrite after append without a bucket", 1, postponed, "other", overwrite, false},
		{"first commit of a writer that began now", -1, compaction, "other", appending, false},
	} {
		w := newWorld(t, store.NewMem(), fmt.Sprint("commit.strict-mode.last-safe-snapshot=", c.safe))
		w.commit(w.committer("job"), adding(1, "f1"))
		w.commit(w.committer(c.user, func(cfg *snapshot.Config) {
			free := *cfg.Options
			free.StrictModeLastSafeSnapshot = nil
			cfg.Options = &free
		}), c.between)
		err := c.commit(w.committer("job"))
		if c.refused != errors.Is(err, fault.ErrConflict) || !c.refused && err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestStrictModeWatchesFromTheFirstCommitOn(t *testing.T) {
	w := newWorld(t, store.NewMem(), "commit.strict-mode.last-safe-snapshot=-1")
	plain := newWorld(t, w.st)
	c := w.committer("job")
	w.commit(c, adding(1, "f1"))
	w.commit(c, adding(2, "f2"))
	plain.commit(plain.committer("other"), compacting(2, del(add("f1")), add("c1", level(5))))
	_, err := c.Commit(ctx, adding(3, "f3"))
	wantClass(t, err, fault.ErrConflict)
}
