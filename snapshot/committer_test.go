package snapshot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

func TestASmallCommitOfAWarmCommitterIsSevenRequests(t *testing.T) {
	st := store.Counting(store.NewMem())
	w := newWorld(t, st)
	c := w.committer("job", newUser)
	for id := range int64(12) {
		before := st.Counts()
		w.commit(c, adding(id+1, fmt.Sprint("f", id)))
		n := st.Counts().Sub(before)
		if id == 0 {
			continue // cold: looks for the chain
		}
		if n.Requests() > 7 || n.Lists > 0 {
			t.Errorf("commit %d: %d requests: %+v", id+1, n.Requests(), n)
		}
	}
	if s := w.latest(); s.ID != 12 || len(w.live(s)) != 12 {
		t.Errorf("snapshot %d, files %v", s.ID, w.live(s))
	}
}

func TestACommitterThatMeetsOthersStillListsNothing(t *testing.T) {
	st := store.Counting(store.NewMem())
	w := newWorld(t, st)
	a, b := w.committer("a", newUser), w.committer("b", newUser)
	for id := range int64(6) {
		before := st.Counts()
		w.commit(a, adding(id+1, fmt.Sprint("a", id)))
		w.commit(b, adding(id+1, fmt.Sprint("b", id)))
		if n := st.Counts().Sub(before); id > 0 && n.Lists > 0 {
			t.Errorf("round %d: %+v", id, n)
		}
	}
	if s := w.latest(); s.ID != 12 || len(w.live(s)) != 12 {
		t.Errorf("snapshot %d, files %v", s.ID, w.live(s))
	}
}

func TestASnapshotSaysWhatJavaWouldSay(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c := w.committer("job")
	mark := int64(77)
	w.commit(c, snapshot.Changes{
		Identifier: 5, Watermark: &mark, Properties: map[string]string{"k": "v"}, AppendFiles: files("f1", "f2"),
		AppendChangelog: []manifest.Entry{add("c1", rows(3))},
	})
	ids := w.commit(c, snapshot.Changes{Identifier: 6, IgnoreEmpty: true, CompactFiles: []manifest.Entry{
		del(add("f1")), del(add("f2")), add("f3", level(5), rows(12)),
	}})
	if fmt.Sprint(ids) != "[2]" {
		t.Error(ids)
	}
	first, err := w.chain().Get(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if first.Version != 3 || first.CommitUser != "job" || first.CommitIdentifier != 5 || first.CommitKind != snapshot.Append ||
		*first.TotalRecordCount != 20 || *first.DeltaRecordCount != 20 || *first.ChangelogRecordCount != 3 || *first.Watermark != 77 ||
		first.Properties["k"] != "v" || *first.NextRowID != 0 || first.IndexManifest != "" || first.TimeMillis == 0 {
		t.Errorf("%+v", first)
	}
	for list, size := range map[string]*int64{
		first.BaseManifestList: first.BaseManifestListSize, first.DeltaManifestList: first.DeltaManifestListSize,
		first.ChangelogManifestList: first.ChangelogManifestListSize,
	} {
		if info, err := w.st.Stat(ctx, "manifest/"+list); err != nil || size == nil || info.Size != *size {
			t.Errorf("%s: size %v, file %v: %v", list, size, info.Size, err)
		}
	}
	second := w.latest()
	if second.CommitKind != snapshot.Compact || *second.DeltaRecordCount != -8 || *second.TotalRecordCount != 12 || *second.Watermark != 77 ||
		second.Properties != nil || second.ChangelogManifestList != "" || second.ChangelogRecordCount != nil {
		t.Errorf("%+v", second)
	}
	w.wantLive("f3@5")
	if data, err := w.st.ReadAll(ctx, "snapshot/LATEST"); err != nil || string(data) != "2" {
		t.Errorf("hint %q: %v", data, err)
	}
}

func TestAppendAndCompactionAreTwoSnapshots(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c := w.committer("job")
	ch := adding(1, "f1", "f2")
	ch.CompactFiles = []manifest.Entry{del(add("f1")), del(add("f2")), add("f3", level(5), rows(20))}
	if ids := w.commit(c, ch); fmt.Sprint(ids) != "[1 2]" {
		t.Error(ids)
	}
	w.wantLive("f3@5")
	if ids := w.commit(c, ch); len(ids) != 0 {
		t.Errorf("the replay made %v", ids)
	}
}

func TestAReplayCommitsTheGroupThatIsMissing(t *testing.T) {
	w := newWorld(t, store.NewMem())
	ch := adding(1, "f1")
	w.commit(w.committer("job"), ch)
	ch.CompactFiles = []manifest.Entry{del(add("f1")), add("f1", level(5))}
	w.commit(w.committer("other"), adding(9, "o"))
	if ids := w.commit(w.committer("job"), ch); fmt.Sprint(ids) != "[3]" {
		t.Error(ids)
	}
	w.wantLive("f1@5", "o")
}

func TestReplaysAreRecognisedByAnyProcess(t *testing.T) {
	w := newWorld(t, store.NewMem())
	for id := int64(1); id <= 3; id++ {
		w.commit(w.committer("job"), adding(id, fmt.Sprint("f", id)))
		w.commit(w.committer(fmt.Sprint("other", id), newUser), adding(100, fmt.Sprint("o", id)))
	}
	for id := int64(1); id <= 3; id++ {
		if ids := w.commit(w.committer("job"), adding(id, fmt.Sprint("f", id))); len(ids) != 0 {
			t.Errorf("%d was committed again as %v", id, ids)
		}
	}
	c := w.committer("job")
	if rest, err := c.FilterCommitted(ctx, []int64{2, 3, 4, 9}); err != nil || fmt.Sprint(rest) != "[4 9]" {
		t.Error(rest, err)
	}
	if id, ok, err := c.LastIdentifier(ctx); id != 3 || !ok || err != nil {
		t.Error(id, ok, err)
	}
	if _, ok, err := w.committer("nobody").LastIdentifier(ctx); ok || err != nil {
		t.Error(ok, err)
	}
	_, err := c.FilterCommitted(ctx, []int64{4, 4})
	wantClass(t, err, fault.ErrInvalid)
}

func TestNothingFollowsABatchCommit(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(snapshot.BatchIdentifier, "f1"))
	_, err := w.committer("job").Commit(ctx, adding(1, "f2"))
	wantClass(t, err, fault.ErrInvalid)
	_, err = w.committer("job").FilterCommitted(ctx, []int64{1})
	wantClass(t, err, fault.ErrInvalid)
}

func TestEmptyCommits(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c := w.committer("job")
	if ids := w.commit(c, snapshot.Changes{Identifier: 1, IgnoreEmpty: true}); len(ids) != 0 || w.latest() != nil {
		t.Error(ids)
	}
	if ids := w.commit(c, snapshot.Changes{Identifier: 2}); fmt.Sprint(ids) != "[1]" {
		t.Error(ids)
	}
	w.wantLive()
	for option, want := range map[string]int{"snapshot.ignore-empty-commit=true": 0, "snapshot.ignore-empty-commit=false": 1} {
		w := newWorld(t, store.NewMem(), option)
		if ids := w.commit(w.committer("job"), snapshot.Changes{Identifier: 1, IgnoreEmpty: want == 1}); len(ids) != want {
			t.Errorf("%s: %v", option, ids)
		}
	}
}

func TestTheWatermarkNeverFalls(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c := w.committer("job")
	five, three := int64(5), int64(3)
	for i, step := range []struct{ given, want *int64 }{{nil, nil}, {&five, &five}, {&three, &five}, {nil, &five}} {
		w.commit(c, snapshot.Changes{Identifier: int64(i + 1), Watermark: step.given})
		if got := w.latest().Watermark; (got == nil) != (step.want == nil) || got != nil && *got != *step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
}

func TestTheSchemaIDIsTheNewestOne(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c := w.committer("job")
	w.commit(c, adding(1, "f1"))
	for id := 1; id <= 2; id++ {
		if err := w.st.Write(ctx, fmt.Sprint("schema/schema-", id), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	w.commit(c, adding(2, "f2"))
	if s := w.latest(); s.SchemaID != 2 {
		t.Error(s.SchemaID)
	}
}

func TestStatisticsAreInheritedUntilTheSchemaChanges(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1"))
	// What ANALYZE leaves: a snapshot that names a statistics file.
	s := *w.latest()
	s.ID, s.Statistics, s.CommitKind, s.CommitUser = 2, "stat-u-0", snapshot.Analyze, "analyst"
	for path, data := range map[string]string{"snapshot/snapshot-2": string(s.Marshal()), "statistics/stat-u-0": `{"snapshotId":1,"schemaId":0}`} {
		if err := w.st.Write(ctx, path, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	c := w.committer("job")
	for id := int64(2); id <= 3; id++ {
		if w.commit(c, adding(id, fmt.Sprint("f", id))); w.latest().Statistics != "stat-u-0" {
			t.Errorf("snapshot %+v", w.latest())
		}
	}
	if err := w.st.Write(ctx, "schema/schema-1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if w.commit(c, adding(4, "f4")); w.latest().Statistics != "" {
		t.Errorf("snapshot %+v", w.latest())
	}
}

func TestIndexFilesAreCombined(t *testing.T) {
	w := newWorld(t, store.NewMem())
	hash := func(name string, bucket int) manifest.IndexEntry {
		return manifest.IndexEntry{Partition: part("a"), Bucket: bucket, Type: manifest.HashIndex, Name: name, Size: 4, Rows: 1}
	}
	c := w.committer("job")
	commit := func(id int64, index ...manifest.IndexEntry) string {
		ch := adding(id, fmt.Sprint("f", id))
		ch.AppendIndex = index
		w.commit(c, ch)
		s := w.latest()
		if s.IndexManifest == "" {
			return ""
		}
		entries, err := w.manifests(w.st).ReadIndex(ctx, s.IndexManifest)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	if got := commit(1); got != "" {
		t.Error(got)
	}
	if got := commit(2, hash("i1", 0), hash("i2", 1)); got != "i1 i2" {
		t.Error(got)
	}
	if got := commit(3); got != "i1 i2" {
		t.Error(got)
	}
	c = w.committer("job") // cold: knows no index file
	if got := commit(4); got != "i1 i2" {
		t.Error(got)
	}
	if got := commit(5, hash("i3", 0)); got != "i2 i3" {
		t.Error(got)
	}
}

func TestFiftyRacingCommittersLoseNothing(t *testing.T) {
	for name, open := range stores(t) {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, open())
			const racers, each = 50, 2
			inParallel(t, racers, func(i int) error {
				c := w.committer(fmt.Sprint("user", i), func(c *snapshot.Config) { c.Sequential, c.Sleep = false, nil })
				for n := range each {
					ch := adding(int64(n+1), fmt.Sprintf("f%d-%d", i, n))
					ch.CheckAppendConflicts = i%5 == 0
					var err error
					for try := 0; try < 20; try++ { // a loser of sixty rounds commits again
						if _, err = c.Commit(ctx, ch); !errors.Is(err, fault.ErrConflict) {
							break
						}
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
			s := w.latest()
			if s.ID != racers*each || len(w.live(s)) != racers*each {
				t.Errorf("snapshot %d with %d files", s.ID, len(w.live(s)))
			}
			want := int64(1)
			for s, err := range w.chain().All(ctx) {
				if err != nil || s.ID != want || *s.TotalRecordCount != 10*want {
					t.Fatalf("snapshot %d of %d: %v", s.ID, want, err)
				}
				want++
			}
			for info, err := range w.st.List(ctx, "snapshot") {
				if err != nil || strings.Contains(info.Name, "tmp") {
					t.Errorf("left behind: %v %v", info.Name, err)
				}
			}
		})
	}
}

func stores(t *testing.T) map[string]func() store.Store {
	return map[string]func() store.Store{
		"memory": store.NewMem,
		"local": func() store.Store {
			st, err := store.NewLocal(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			return st
		},
	}
}

// The writer falls asleep just before it creates snapshot 4. Others commit,
// and everything up to its base expires, so that id 4 is free again.
func TestAPausedWriterNeverContinuesBelowTheTail(t *testing.T) {
	for _, verb := range []storetest.Verb{storetest.Write, storetest.Stat} {
		st := store.NewMem()
		w := newWorld(t, st)
		other := w.committer("other")
		armed := false
		sleeper := w.committer("sleeper", over(storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
			if armed && op.Verb == verb && !strings.HasSuffix(op.Key, "LATEST") {
				armed = false
				for id := int64(10); id < 16; id++ {
					w.commit(other, adding(id, fmt.Sprint("o", id)))
				}
				w.expire(7)
			}
			return storetest.Outcome{}
		})))
		w.commit(other, adding(1, "o1"))
		w.commit(sleeper, adding(1, "s1"))
		w.commit(sleeper, adding(2, "s2"))
		armed = true
		if ids := w.commit(sleeper, adding(3, "s3")); fmt.Sprint(ids) != "[10]" {
			t.Errorf("%s: created %v", verb, ids)
		}
		if ok, err := w.chain().Exists(ctx, 4); ok || err != nil {
			t.Errorf("%s: snapshot 4 lies below the tail: %v", verb, err)
		}
		w.wantLive("o1", "o10", "o11", "o12", "o13", "o14", "o15", "s1", "s2", "s3")
		if n := sleeper.Stats(); n.Stale == 0 {
			t.Errorf("%s: %+v", verb, n)
		}
	}
}

// A rollback removes snapshot 3, and another writer makes a new one: the same
// id, other content.
func TestABaseThatWasRolledBackIsNotContinued(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c := w.committer("job")
	for id := int64(1); id <= 3; id++ {
		w.commit(c, adding(id, fmt.Sprint("f", id)))
	}
	if err := errors.Join(w.st.Delete(ctx, w.chain().Path(3)), w.st.Write(ctx, "snapshot/LATEST", []byte("2"))); err != nil {
		t.Fatal(err)
	}
	w.commit(w.committer("other"), adding(1, "o1"))
	w.commit(c, adding(4, "f4"))
	w.wantLive("f1", "f2", "o1", "f4")
}

func TestAnEmptyTableIsProvenEmpty(t *testing.T) {
	st := store.NewMem()
	w := newWorld(t, st)
	other := w.committer("other")
	armed := true
	sleeper := w.committer("sleeper", over(storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if armed && op.Verb == storetest.Write {
			armed = false
			for id := int64(1); id <= 3; id++ {
				w.commit(other, adding(id, fmt.Sprint("o", id)))
			}
			w.expire(2)
		}
		return storetest.Outcome{}
	})))
	if ids := w.commit(sleeper, adding(1, "s1")); fmt.Sprint(ids) != "[4]" {
		t.Error(ids)
	}
	w.wantLive("o1", "o2", "o3", "s1")
}

func TestGivingUpNamesTheReasonAndLeavesNoFiles(t *testing.T) {
	st := store.NewMem()
	w := newWorld(t, st, "commit.max-retries=3")
	other := w.committer("other")
	n := int64(0)
	c := w.committer("job", over(storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.CreateIfAbsent {
			n++
			w.commit(other, adding(n, fmt.Sprint("o", n)))
		}
		return storetest.Outcome{}
	})))
	_, err := c.Commit(ctx, adding(1, "f1"))
	wantClass(t, err, fault.ErrConflict)
	if !strings.Contains(err.Error(), "gave up after 4 attempts") || !strings.Contains(err.Error(), "user other committed first") {
		t.Error(err)
	}
	w.wantOnlyKnownFiles()
	w.wantLive("o1", "o2", "o3", "o4")
}

func TestTheTimeLimitEndsRetries(t *testing.T) {
	st := store.NewMem()
	w := newWorld(t, st, "commit.timeout=5 s")
	other := w.committer("other")
	n := int64(0)
	c := w.committer("job", over(storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.CreateIfAbsent {
			n++
			w.commit(other, adding(n, fmt.Sprint("o", n)))
		}
		return storetest.Outcome{}
	})))
	_, err := c.Commit(ctx, adding(1, "f1"))
	wantClass(t, err, fault.ErrConflict)
	if n > 5 {
		t.Errorf("%d attempts", n)
	}
}

// wantOnlyKnownFiles checks that every manifest file is part of a snapshot.
func (w *world) wantOnlyKnownFiles() {
	w.t.Helper()
	known := map[string]bool{}
	m := w.manifests(w.st)
	for s, err := range w.chain().All(ctx) {
		if err != nil {
			w.t.Fatal(err)
		}
		lists := s.Lists()
		if s.ChangelogManifestList != "" {
			lists = append(lists, s.ChangelogManifestList)
		}
		known[s.IndexManifest] = true
		for _, list := range lists {
			known[list] = true
			metas, err := m.ReadList(ctx, list)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, meta := range metas {
				known[meta.Name] = true
			}
		}
	}
	for info, err := range w.st.List(ctx, "manifest") {
		if err != nil {
			w.t.Fatal(err)
		}
		if !known[info.Name] {
			w.t.Errorf("manifest/%s belongs to no snapshot", info.Name)
		}
	}
}

func TestWaitsGrowToTheLimitWithJitter(t *testing.T) {
	st := store.NewMem()
	w := newWorld(t, st, "commit.max-retries=5", "commit.min-retry-wait=10 ms", "commit.max-retry-wait=50 ms")
	other := w.committer("other")
	n := int64(0)
	var waits []time.Duration
	c := w.committer("job", over(storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.CreateIfAbsent {
			n++
			w.commit(other, adding(n, fmt.Sprint("o", n)))
		}
		return storetest.Outcome{}
	})), func(c *snapshot.Config) {
		c.Sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	})
	_, err := c.Commit(ctx, adding(1, "f1"))
	wantClass(t, err, fault.ErrConflict)
	if got := fmt.Sprint(waits); got != "[11ms 22ms 44ms 55ms 55ms]" {
		t.Error(got)
	}
}

func TestAnEndedContextStopsTheRetries(t *testing.T) {
	st := store.NewMem()
	w := newWorld(t, st)
	w.commit(w.committer("other"), adding(1, "o1"))
	c := w.committer("job")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := c.Commit(ended, adding(1, "f1"))
	wantClass(t, err, context.Canceled)
	w.wantLive("o1")
	w.wantOnlyKnownFiles()
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	w := newWorld(t, store.NewMem())
	good := snapshot.Config{Store: w.st, Manifest: w.manifests(w.st), Schema: w.schema, Options: w.options, User: "u"}
	for name, spoil := range map[string]func(*snapshot.Config){
		"store":   func(c *snapshot.Config) { c.Store = nil },
		"schema":  func(c *snapshot.Config) { c.Schema = nil },
		"options": func(c *snapshot.Config) { c.Options = nil },
		"user":    func(c *snapshot.Config) { c.User = "" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := snapshot.NewCommitter(cfg); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tracking := *w.options
	tracking.RowTracking = true
	cfg := good
	cfg.Options = &tracking
	_, err := snapshot.NewCommitter(cfg)
	wantClass(t, err, fault.ErrUnsupported)
}

func TestManifestsAreMergedAtCommit(t *testing.T) {
	w := newWorld(t, store.NewMem(), "manifest.merge-min-count=4")
	c := w.committer("job")
	most := 0
	for id := range int64(20) {
		w.commit(c, adding(id+1, fmt.Sprint("f", id)))
		metas, err := w.manifests(w.st).ReadList(ctx, w.latest().BaseManifestList)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(metas))
	}
	if most > 4 {
		t.Errorf("%d manifests in one list", most)
	}
	if n := len(w.live(w.latest())); n != 20 {
		t.Errorf("%d files", n)
	}
	w.wantOnlyKnownFiles()
}

func TestACommitToABranchLeavesTheOthersAlone(t *testing.T) {
	w := newWorld(t, store.NewMem())
	w.commit(w.committer("job"), adding(1, "f1"))
	w.commit(w.committer("job", func(c *snapshot.Config) { c.Branch = "dev" }), adding(1, "d1"))
	w.wantLive("f1")
	s, err := snapshot.NewChain(w.st, "dev").Latest(ctx)
	if err != nil || s.ID != 1 || fmt.Sprint(w.live(s)) != "[d1]" {
		t.Error(s, err)
	}
}

func ExampleCommitter() {
	ctx := context.Background()
	st := store.NewMem()
	options, err := schema.ParseOptions(map[string]string{"bucket": "-1"})
	if err != nil {
		panic(err)
	}
	table := &schema.Table{Version: 3, Fields: []schema.Field{{Name: "id", Type: schema.Type{Kind: schema.BigInt}}}, Options: map[string]string{"bucket": "-1"}}
	c, err := snapshot.NewCommitter(snapshot.Config{
		Store: st, Manifest: manifest.NewIO(st, "manifest", manifest.IOOptions{}), Schema: table, Options: options, User: "job-1",
	})
	if err != nil {
		panic(err)
	}
	changes := snapshot.Changes{Identifier: 1, AppendFiles: []manifest.Entry{{
		Partition: make([]byte, 8), TotalBuckets: -1, File: manifest.DataFile{Name: "data-1.parquet", Size: 1000, Rows: 20},
	}}}
	ids, err := c.Commit(ctx, changes)
	fmt.Println(ids, err)
	ids, err = c.Commit(ctx, changes) // a replay does nothing
	fmt.Println(ids, err)
	// Output:
	// [1] <nil>
	// [] <nil>
}
