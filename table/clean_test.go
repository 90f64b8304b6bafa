package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// strays are files that nothing names, one for each place that is looked at.
var strays = []string{
	"bucket-0/data-stray-0.parquet", "bucket-9/data-stray-1.parquet", "manifest/manifest-stray-0", "index/index-stray-0",
	"statistics/stat-stray-0", "snapshot/.snapshot-3.tmp", "changelog/.changelog-3.tmp",
}

// others are files that are none of Clean's business.
var others = []string{"notes.txt", "schema/odd", "tag/odd", "consumer/odd", "other/data-stray-2.parquet"}

func TestCleanTakesWhatNothingNames(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "bucket=1", soon, "changelog-producer=input", "snapshot.num-retained.min=1000")
	rounds(6)(t, tab)
	setTag(t, st, "", "a", 3)
	setBranch(t, st, "b", 2)
	expired(t, tab, last(2))
	for _, key := range append(slices.Clone(strays), others...) {
		if err := st.Write(ctx, key, []byte("stray")); err != nil {
			t.Fatal(err)
		}
	}
	w, _ := world(t)
	at := func(later time.Duration) *table.Table {
		w.Clock = func() time.Time { return time.Now().Add(later) }
		return reopenIn(t, st, w)
	}
	if r, err := at(time.Hour).Clean(ctx, table.CleanOptions{Delete: true}); err != nil || r.Files != 0 {
		t.Errorf("young files: %+v %v", r, err)
	}
	before := stored(t, st)
	var told []string
	r, err := at(25*time.Hour).Clean(ctx, table.CleanOptions{Each: func(f table.RemovedFile) { told = append(told, f.Path) }})
	if err != nil || r.Files != len(strays) || r.Bytes != int64(5*len(strays)) {
		t.Errorf("%+v %v", r, err)
	}
	slices.Sort(told)
	if d := cmp.Diff(sorted(strays), told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	if d := cmp.Diff(before, stored(t, st)); d != "" {
		t.Errorf("a dry run changed files:\n%s", d)
	}
	if r, err = at(25*time.Hour).Clean(ctx, table.CleanOptions{Delete: true}); err != nil || r.Files != len(strays) {
		t.Errorf("%+v %v", r, err)
	}
	want := slices.DeleteFunc(before, func(key string) bool { return slices.Contains(strays, key) })
	if d := cmp.Diff(want, stored(t, st)); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
	allThere(t, st, tab) // the branch's changelog too
	sound(t, reopen(t, st))
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// Clean deletes nothing when anything that may name a file cannot be read.
func TestCleanRefusesWhatItCannotReadWhole(t *testing.T) {
	for name, spoil := range map[string]func(st store.Store, s *snapshot.Snapshot) error{
		"a snapshot": func(st store.Store, s *snapshot.Snapshot) error {
			return st.Write(ctx, "snapshot/snapshot-3", []byte("?"))
		},
		"a list": func(st store.Store, s *snapshot.Snapshot) error {
			return st.Delete(ctx, "manifest/"+s.DeltaManifestList)
		},
		"a tag": func(st store.Store, s *snapshot.Snapshot) error { return st.Write(ctx, "tag/tag-x", []byte("?")) },
		"a changelog": func(st store.Store, s *snapshot.Snapshot) error {
			return st.Write(ctx, "changelog/changelog-1", []byte("?"))
		},
		"a branch": func(st store.Store, s *snapshot.Snapshot) error {
			return st.Write(ctx, "branch/branch-b/snapshot/snapshot-1", s.Marshal())
		},
		"a branch's file": func(st store.Store, s *snapshot.Snapshot) error {
			return st.Write(ctx, "branch/branch-b/schema/schema-0", []byte("{}"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed)
			rounds(4)(t, tab)
			s, err := tab.Snapshots().Get(ctx, 3)
			if err != nil {
				t.Fatal(err)
			}
			if name == "a branch's file" {
				setBranch(t, st, "b", 2)
				err = st.Write(ctx, "branch/branch-b/snapshot/snapshot-2", []byte("?"))
			} else {
				err = spoil(st, s)
			}
			if err == nil {
				err = st.Write(ctx, strays[0], nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			w, _ := world(t)
			w.Clock = func() time.Time { return time.Now().Add(48 * time.Hour) }
			before := stored(t, st)
			r, err := reopenIn(t, st, w).Clean(ctx, table.CleanOptions{Delete: true})
			if err == nil || r.Files != 0 {
				t.Errorf("%+v %v", r, err)
			} else if !strings.Contains(fmt.Sprint(err), "nothing was deleted") && !strings.Contains(fmt.Sprint(err), "no schema") {
				t.Error(err)
			}
			if d := cmp.Diff(before, stored(t, st)); d != "" {
				t.Errorf("files changed:\n%s", d)
			}
		})
	}
}

// An expiry takes files before it takes the snapshots that name them. What it
// has said of these is enough to clean beside it, or behind one that was killed.
func TestCleanNeedsNothingOfSnapshotsThatExpire(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	rounds(6)(t, tab)
	setTag(t, st, "", "a", 2)
	s, err := tab.Snapshots().Get(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		tab.Snapshots().Expiring(ctx, 4),
		st.Delete(ctx, "manifest/"+s.DeltaManifestList),
		st.Write(ctx, strays[0], nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w, _ := world(t)
	w.Clock = func() time.Time { return time.Now().Add(48 * time.Hour) }
	clean := func() table.CleanReport {
		t.Helper()
		r, err := reopenIn(t, st, w).Clean(ctx, table.CleanOptions{Delete: true})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := clean(); r.Files == 0 {
		t.Error("the stray file stayed")
	}
	expired(t, reopen(t, st), last(2))
	clean()
	if r := clean(); r.Files != 0 {
		t.Errorf("left: %+v", r)
	}
	allThere(t, st, reopen(t, st))
	sound(t, reopen(t, st))
}
