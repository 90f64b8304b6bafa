package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestMergeDoesWhatJavaDid replays the commits of a table whose manifests
// Java merged at every fourth: the manifests of one snapshot, merged, have to
// be the base manifests of the next, and new ones have to hold the same bytes.
// The last snapshot is a full merge.
func TestMergeDoesWhatJavaDid(t *testing.T) {
	st := newMemory()
	paths, err := filepath.Glob("testdata/merged/manifest/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if st.data["manifest/"+filepath.Base(p)], err = os.ReadFile(p); err != nil {
			t.Fatal(err)
		}
	}
	m := testIO(st, IOOptions{})
	lists := func(id int) (base, delta []Meta) {
		text, err := os.ReadFile(fmt.Sprintf("testdata/merged/snapshot/snapshot-%d", id))
		if err != nil {
			t.Fatal(err)
		}
		var s struct{ BaseManifestList, DeltaManifestList string }
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		if base, err = m.ReadList(ctx, s.BaseManifestList); err == nil {
			delta, err = m.ReadList(ctx, s.DeltaManifestList)
		}
		if err != nil {
			t.Fatal(err)
		}
		return base, delta
	}
	merged := 0
	for id := 24; id < 30; id++ {
		base, delta := lists(id)
		want, _ := lists(id + 1)
		p := MergeParams{TargetSize: 8 << 20, FullSize: 16 << 20, MinCount: 4}
		if id == 29 { // the last snapshot was made by compact_manifest
			p.FullSize, p.MinCount = 1, 1
		}
		got, created, err := m.Merge(ctx, append(base, delta...), p)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("snapshot %d: %d manifests, want %d", id, len(got), len(want))
		}
		merged += len(created)
		for i := range want {
			ours, theirs := st.data[m.Path(got[i].Name)], st.data[m.Path(want[i].Name)]
			if got[i].Name != want[i].Name && !bytes.Equal(records(t, ours), records(t, theirs)) {
				t.Errorf("snapshot %d: manifest %d is %s, want the content of %s", id, i, got[i].Name, want[i].Name)
			}
			if got[i].Added != want[i].Added || got[i].Deleted != want[i].Deleted {
				t.Errorf("snapshot %d: manifest %d: %d added, %d deleted, want %d, %d", id, i, got[i].Added, got[i].Deleted, want[i].Added, want[i].Deleted)
			}
		}
	}
	if merged == 0 {
		t.Error("nothing was merged")
	}
	t.Logf("%d manifests were merged from others", merged)
}
