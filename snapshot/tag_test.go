package snapshot_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
)

func TestTagsOfJavaComeOutAsTheyCameIn(t *testing.T) {
	files, _ := filepath.Glob("testdata/tag-*.json")
	if len(files) != 3 {
		t.Fatal(files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tag, err := snapshot.ParseTag(file, data)
		if err != nil {
			t.Fatal(err)
		}
		if got := tag.Marshal(); !bytes.Equal(got, data) {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, data)
		}
	}
}

func TestTheTimesOfATag(t *testing.T) {
	base := snapshot.Snapshot{Version: 3, ID: 1, BaseManifestList: "a", DeltaManifestList: "b", CommitKind: snapshot.Append}
	at := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	for _, c := range []struct {
		created  time.Time
		retained time.Duration
		want     string
	}{
		{at, 0, `[ 2026, 1, 2, 3, 4 ],\n  "tagTimeRetained" : 0.0`},
		{at.Add(5 * time.Second), time.Hour, `[ 2026, 1, 2, 3, 4, 5 ],\n  "tagTimeRetained" : 3600.000000000`},
		{at.Add(7), 1500 * time.Millisecond, `[ 2026, 1, 2, 3, 4, 0, 7 ],\n  "tagTimeRetained" : 1.500000000`},
	} {
		in := snapshot.Tag{Snapshot: base, Created: c.created, Retained: &c.retained}
		data := in.Marshal()
		if want := strings.ReplaceAll(c.want, `\n`, "\n"); !strings.Contains(string(data), want) {
			t.Errorf("%s\nwant %s", data, want)
		}
		out, err := snapshot.ParseTag("tag-x", data)
		if err != nil || !out.Created.Equal(c.created) || *out.Retained != c.retained {
			t.Errorf("%v, %v", out, err)
		}
	}
}

func TestTagsAreListedBySnapshotAndName(t *testing.T) {
	st := store.NewMem()
	c := snapshot.NewChain(st, "")
	for name, id := range map[string]int64{"b": 2, "a": 2, "z": 1} {
		s := snapshot.Snapshot{Version: 3, ID: id, BaseManifestList: "a", DeltaManifestList: "b", CommitKind: snapshot.Append}
		if err := st.Write(ctx, c.TagPath(name), s.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	tags, err := c.Tags(ctx)
	if err != nil || len(tags) != 3 || tags[0].Name != "z" || tags[1].Name != "a" || tags[2].Name != "b" {
		t.Errorf("%v, %v", tags, err)
	}
	if _, err := c.Tag(ctx, "gone"); !errors.Is(err, fault.ErrNotFound) {
		t.Error(err)
	}
	for _, name := range []string{"", "  ", "a/b"} {
		if _, err := c.Tag(ctx, name); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWatermarksAreFoundByHalves(t *testing.T) {
	st := store.NewMem()
	c := snapshot.NewChain(st, "")
	for id := int64(3); id <= 12; id++ {
		s := snapshot.Snapshot{Version: 3, ID: id, BaseManifestList: "a", DeltaManifestList: "b", CommitKind: snapshot.Append}
		if id >= 5 {
			w := id / 2 * 10 // two snapshots share one
			s.Watermark = &w
		}
		if err := st.Write(ctx, c.Path(id), s.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	for w, want := range map[int64]int64{-5: 5, 20: 5, 21: 6, 30: 6, 31: 8, 60: 12, 61: 0} {
		s, err := c.AtWatermark(ctx, w)
		if err != nil || (s == nil) != (want == 0) || s != nil && s.ID != want {
			t.Errorf("watermark %d: %v, want %d: %v", w, s, want, err)
		}
	}
}
