package snapshot

import (
	"errors"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

func TestChangelogsOutliveTheirSnapshots(t *testing.T) {
	st := store.NewMem()
	c := NewChain(st, "b")
	if ids, err := c.LongLivedIDs(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("%d %v", ids, err)
	}
	if _, err := c.LongLived(t.Context(), 3); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("%v", err)
	}
	for _, id := range []int64{3, 4} {
		s := &Snapshot{Version: 3, UUID: "u", Operation: "WRITE", ID: id, BaseManifestList: "base", DeltaManifestList: "delta",
			ChangelogManifestList: "changes", CommitUser: "me", CommitKind: Append, TimeMillis: 7}
		if err := c.KeepChangelog(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if s.UUID != "u" {
			t.Error("the snapshot was changed")
		}
	}
	got, err := c.LongLived(t.Context(), 4)
	if err != nil || got.ID != 4 || got.ChangelogManifestList != "changes" || got.UUID+got.Operation != "" {
		t.Errorf("%+v %v", got, err)
	}
	if ids, err := c.LongLivedIDs(t.Context()); err != nil || !slices.Equal(ids, []int64{3, 4}) {
		t.Errorf("%d %v", ids, err)
	}
	c.Began(t.Context(), true, 4)
	for key, want := range map[string]string{"LATEST": "4", "EARLIEST": "4"} {
		if data, err := st.ReadAll(t.Context(), "branch/branch-b/changelog/"+key); err != nil || string(data) != want {
			t.Errorf("%s is %q (%v)", key, data, err)
		}
	}
	if err := st.Write(t.Context(), c.LongLivedPath(9), got.Marshal()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.LongLived(t.Context(), 9); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("a file that says it is another one: %v", err)
	}
}

func TestBranchesAreListed(t *testing.T) {
	st := store.NewMem()
	for _, key := range []string{"branch/branch-b/schema/schema-0", "branch/branch-a b/schema/schema-0", "branch/other/x", "branch/branch-file"} {
		if err := st.Write(t.Context(), key, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	names, err := Branches(t.Context(), st)
	if err != nil || !slices.Equal(names, []string{"a b", "b"}) {
		t.Errorf("%q %v", names, err)
	}
	for branch, want := range map[string]string{"": MainBranch, MainBranch: MainBranch, "a b": "a b"} {
		if got := NewChain(st, branch).Branch(); got != want {
			t.Errorf("%q is branch %q", branch, got)
		}
	}
}
