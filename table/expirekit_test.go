package table_test

import (
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// roots finds out by itself, and without any care, what files a table needs.
type roots struct {
	t    testing.TB
	tab  *table.Table
	m    *manifest.IO
	keys map[string]bool
}

// rootsNeed are the keys of all files that snapshots, tags and changelogs of all
// branches name, their own files included.
func rootsNeed(t testing.TB, st store.Store, tab *table.Table) map[string]bool {
	t.Helper()
	r := &roots{t, tab, manifest.NewIO(st, "manifest", manifest.IOOptions{Partition: tab.Schema().PartitionFields()}), map[string]bool{}}
	branches, err := snapshot.Branches(ctx, st)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range append(branches, snapshot.MainBranch) {
		c := snapshot.NewChain(st, b)
		first := true
		for s, err := range c.All(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			r.keys[c.Path(s.ID)] = true
			r.state(s)
			// The first may be that of a tag, whose changelog has gone.
			if there, err := st.Stat(ctx, "manifest/"+s.ChangelogManifestList); !first || err == nil && !there.Dir {
				r.changelog(s)
			}
			first = false
		}
		tags, err := c.Tags(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range tags {
			r.keys[c.TagPath(tag.Name)] = true
			r.state(&tag.Snapshot)
		}
		ids, err := c.LongLivedIDs(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			s, err := c.LongLived(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			r.keys[c.LongLivedPath(id)] = true
			r.changelog(s)
			if tab.Options().ChangelogProducer == "none" {
				r.files(r.list(s.DeltaManifestList), func(e *manifest.Entry) bool { return e.Kind == manifest.Add && *e.File.Source == manifest.SourceAppend })
				r.list(s.BaseManifestList)
			}
		}
	}
	return r.keys
}

func (r *roots) state(s *snapshot.Snapshot) {
	r.t.Helper()
	live, err := r.m.Live(ctx, slices.Concat(r.list(s.BaseManifestList), r.list(s.DeltaManifestList)), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range live {
		r.file(&live[i])
	}
	if s.Statistics != "" {
		r.keys["statistics/"+s.Statistics] = true
	}
	if s.IndexManifest == "" {
		return
	}
	r.keys["manifest/"+s.IndexManifest] = true
	entries, err := r.m.ReadIndex(ctx, s.IndexManifest)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		r.keys["index/"+e.Name] = true
	}
}

func (r *roots) changelog(s *snapshot.Snapshot) {
	if s.ChangelogManifestList != "" {
		r.files(r.list(s.ChangelogManifestList), func(*manifest.Entry) bool { return true })
	}
}

func (r *roots) list(name string) []manifest.Meta {
	r.t.Helper()
	metas, err := r.m.ReadList(ctx, name)
	if err != nil {
		r.t.Fatal(err)
	}
	r.keys["manifest/"+name] = true
	for _, m := range metas {
		r.keys["manifest/"+m.Name] = true
	}
	return metas
}

func (r *roots) files(metas []manifest.Meta, keep func(*manifest.Entry) bool) {
	r.t.Helper()
	for e, err := range r.m.Scan(ctx, metas, nil) {
		if err != nil {
			r.t.Fatal(err)
		}
		if keep(e) {
			r.file(e)
		}
	}
}

func (r *roots) file(e *manifest.Entry) {
	r.t.Helper()
	info, err := r.tab.FileInfoOf(*e)
	if err != nil {
		r.t.Fatal(err)
	}
	if e.File.ExternalPath != nil {
		return
	}
	r.keys[info.Path] = true
	for _, extra := range e.File.ExtraFiles {
		r.keys[path.Join(path.Dir(info.Path), extra)] = true
	}
}

// stored are the files of a table that hold its data or name them.
func stored(t testing.TB, st store.Store) []string {
	return slices.DeleteFunc(storetest.Tree(t, st, ""), func(key string) bool {
		base := path.Base(key)
		return strings.HasSuffix(key, "/") || strings.HasPrefix(base, "schema-") || strings.HasPrefix(base, "consumer-") || base == "LATEST" || base == "EARLIEST"
	})
}

// allThere proves that all files are there that the table needs.
func allThere(t testing.TB, st store.Store, tab *table.Table) {
	t.Helper()
	there := stored(t, st)
	for key := range rootsNeed(t, st, tab) {
		if !slices.Contains(there, key) {
			t.Errorf("%s is needed and gone", key)
		}
	}
}

// tidy proves that there are no others.
func tidy(t testing.TB, st store.Store, tab *table.Table) {
	t.Helper()
	allThere(t, st, tab)
	need := rootsNeed(t, st, tab)
	for _, key := range stored(t, st) {
		if !need[key] {
			t.Errorf("%s is left and nothing needs it", key)
		}
	}
}

// setTag makes a tag of a snapshot in a branch.
func setTag(t testing.TB, st store.Store, branch, name string, id int64) {
	t.Helper()
	c := snapshot.NewChain(st, branch)
	s, err := c.Get(ctx, id)
	if err == nil {
		err = st.Write(ctx, c.TagPath(name), s.Marshal())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// setBranch makes a branch of a snapshot, as if the tag it was made from were
// deleted since.
func setBranch(t testing.TB, st store.Store, name string, id int64) {
	t.Helper()
	root := snapshot.BranchPath(name)
	for _, key := range []string{"schema/schema-0", snapshot.NewChain(st, "").Path(id)} {
		data, err := st.ReadAll(ctx, key)
		if err == nil {
			err = st.Write(ctx, root+key, data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func snapshotIDs(t testing.TB, tab *table.Table) []int64 {
	t.Helper()
	ids, err := tab.Snapshots().IDs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// keptAre proves which snapshots are left.
func keptAre(t testing.TB, tab *table.Table, want ...int64) {
	t.Helper()
	if d := cmp.Diff(want, snapshotIDs(t, tab)); d != "" {
		t.Errorf("snapshots (-want +got):\n%s", d)
	}
}

// expired expires what must succeed.
func expired(t testing.TB, tab *table.Table, o table.ExpireOptions) table.ExpireReport {
	t.Helper()
	r, err := tab.Expire(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Left) > 0 {
		t.Errorf("left: %q", r.Left)
	}
	return r
}

// states are the rows of every snapshot.
func states(t testing.TB, tab *table.Table) map[int64][]string {
	t.Helper()
	out := map[int64][]string{}
	for _, id := range snapshotIDs(t, tab) {
		got, err := scanLines(ctx, tab, table.ScanOptions{Snapshot: id})
		if errors.Is(err, table.ErrNotFound) {
			continue // expiring
		}
		if err != nil {
			t.Fatal(err)
		}
		out[id] = got
	}
	return out
}

func last(n int) table.ExpireOptions { return table.ExpireOptions{RetainMin: n, RetainMax: n} }

// alterOption sets an option; for an empty value, one that lets snapshots go at once.
func alterOption(t testing.TB, tab *table.Table, key, value string) {
	t.Helper()
	if value == "" {
		value = "1"
	}
	if _, err := tab.Alter(ctx, schema.SetOption{Key: key, Value: value}); err != nil {
		t.Fatal(err)
	}
}

// copyOf is a store with the same files.
func copyOf(t *testing.T, from store.Store) store.Store {
	t.Helper()
	return clone(t, from, func(_ string, data []byte) ([]byte, bool) { return data, true })
}
