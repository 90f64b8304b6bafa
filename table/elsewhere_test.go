package table_test

import (
	"context"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// scattered is an append table whose data files, with an index file each, lie
// outside, and which has statistics.
type scattered struct {
	t               *testing.T
	inside, outside store.Store
	world           table.Components
}

const outsideRoot = "s3://other/data"

func newScattered(t *testing.T) *scattered {
	s := &scattered{t: t, inside: store.NewMem(), outside: store.NewMem()}
	sc := define(t, plain, "data-file.external-paths="+outsideRoot, "data-file.external-paths.strategy=none", "write-only=true")
	if err := table.Create(ctx, s.inside, sc); err != nil {
		t.Fatal(err)
	}
	s.world, _ = world(t)
	s.world.External = func(context.Context, string) (store.Store, error) { return keepOpen{s.outside}, nil }
	return s
}

func (s *scattered) open() *table.Table {
	s.t.Helper()
	tab, err := table.Open(ctx, s.inside, "db.t", table.Settings{AllowOutsideRoots: true}, s.world)
	if err != nil {
		s.t.Fatal(err)
	}
	return tab
}

// load commits a row in a file outside, in the snapshot of an id.
func (s *scattered) load(id int64, line string) {
	s.t.Helper()
	tab := s.open()
	w := newWriter(s.t, tab, "")
	if err := write(s.t, w, tab, line); err != nil {
		s.t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range msgs {
		for j := range msgs[i].NewFiles {
			f := &msgs[i].NewFiles[j]
			url := outsideRoot + "/bucket-0/" + f.Name
			f.ExternalPath, f.ExtraFiles = &url, []string{f.Name + ".index"}
			s.move("bucket-0/" + f.Name)
		}
	}
	if err := w.Commit(ctx, 1, msgs); err != nil {
		s.t.Fatal(err)
	}
	s.analyze(id)
}

func (s *scattered) move(key string) {
	s.t.Helper()
	data, err := s.inside.ReadAll(ctx, key)
	for _, do := range []func() error{
		func() error { return err },
		func() error { return s.outside.Write(ctx, key, data) },
		func() error { return s.outside.Write(ctx, key+".index", []byte("index")) },
		func() error { return s.inside.Delete(ctx, key) },
	} {
		if err := do(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// analyze gives a snapshot statistics, of another schema so that it does not hand them down.
func (s *scattered) analyze(id int64) {
	s.t.Helper()
	key, name := s.open().Snapshots().Path(id), "stat-"+path.Base(s.open().Snapshots().Path(id))
	data, err := s.inside.ReadAll(ctx, key)
	if err == nil {
		data = []byte(strings.Replace(string(data), `"version"`, `"statistics" : "`+name+`", "version"`, 1))
		err = s.inside.Write(ctx, key, data)
	}
	if err == nil {
		err = s.inside.Write(ctx, "statistics/"+name, []byte(`{"snapshotId":1,"schemaId":7}`))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// has proves which statistics are there, and how many files outside: each data file has an index.
func (s *scattered) has(dataFiles int, statistics ...string) {
	s.t.Helper()
	isDir := func(key string) bool { return strings.HasSuffix(key, "/") }
	if files := slices.DeleteFunc(storetest.Tree(s.t, s.outside, ""), isDir); len(files) != 2*dataFiles {
		s.t.Errorf("%q are outside, want %d data files and their indexes", files, dataFiles)
	}
	have := slices.DeleteFunc(storetest.Tree(s.t, s.inside, "statistics"), isDir)
	for i, name := range have {
		have[i] = path.Base(name)
	}
	if d := cmp.Diff(statistics, have); d != "" {
		s.t.Errorf("statistics (-want +got):\n%s", d)
	}
}

// Whatever belongs to a data file goes with it, wherever it lies, and so do
// statistics: with the last snapshot or tag that holds them.
func TestFilesOutsideGoWithTheSnapshotOrTheTag(t *testing.T) {
	s := newScattered(t)
	s.load(1, row(1, "a", 1))
	s.load(2, row(2, "b", 1))
	tab := s.open()
	tagged(t, tab, "x", table.TagOptions{Snapshot: 1})
	c, err := tab.NewCommitter(ctx, "")
	if err == nil {
		err = c.Truncate(ctx, table.BatchIdentifier)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.load(4, row(3, "c", 1))
	s.has(3, "stat-snapshot-1", "stat-snapshot-2", "stat-snapshot-4")
	var told []string
	o := last(1)
	o.Each = func(f table.RemovedFile) {
		if strings.HasPrefix(f.Path, outsideRoot+"/bucket-0/") && f.Bytes > 0 {
			told = append(told, f.Path)
		}
	}
	expired(t, tab, o)
	if len(told) != 2 {
		t.Errorf("told %q, want the file outside and its index", told)
	}
	s.has(2, "stat-snapshot-1", "stat-snapshot-4")
	expect(t, s.open(), table.ScanOptions{Tag: "x"}, row(1, "a", 1))
	if err := tab.DeleteTag(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	s.has(1, "stat-snapshot-4")
	expect(t, s.open(), table.ScanOptions{}, row(3, "c", 1))
}

// Clean knows what lies outside and what belongs to a file.
func TestCleanLooksOutside(t *testing.T) {
	s := newScattered(t)
	s.load(1, row(1, "a", 1))
	for _, stray := range []string{"bucket-0/data-stray.parquet", "bucket-0/data-stray.parquet.index"} {
		if err := s.outside.Write(ctx, stray, []byte("stray")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.inside.Write(ctx, "statistics/stat-stray", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	s.world.Clock = func() time.Time { return time.Now().Add(48 * time.Hour) }
	var told []string
	r, err := s.open().Clean(ctx, table.CleanOptions{Delete: true, Each: func(f table.RemovedFile) { told = append(told, f.Path) }})
	want := []string{outsideRoot + "/bucket-0/data-stray.parquet", outsideRoot + "/bucket-0/data-stray.parquet.index", "statistics/stat-stray"}
	if err != nil || r.Files != 3 || r.Bytes != 12 || !slices.Equal(sorted(told), want) {
		t.Errorf("%+v %v: %q", r, err, told)
	}
	s.has(1, "stat-snapshot-1")
	expect(t, s.open(), table.ScanOptions{}, row(1, "a", 1))
	s.world.External = nil
	tab, err := table.Open(ctx, s.inside, "db.t", table.Settings{}, s.world)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tab.Clean(ctx, table.CleanOptions{})
	failsWith(t, err, table.ErrInvalid, "outside", "AllowOutsideRoots")
}
