//go:build interop

package interop

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestExpiryAndTagsLeaveTheFilesThatJavaLeaves expires the snapshots of a table
// and deletes its tags on both sides, each on its own copy.
func TestExpiryAndTagsLeaveTheFilesThatJavaLeaves(t *testing.T) {
	each(t, run.java, 8, func(w *world) {
		w.filled(w.half())
		for range 4 {
			w.perform(w.half(), w.step())
		}
		last := w.latest()
		if last < 4 {
			return
		}
		ours := w.twin()
		w.must(os.CopyFS(ours.path(), os.DirFS(w.path())))
		defer func() { w.must(os.RemoveAll(ours.path())) }()
		names := []string{"a", "b", "c", "d"}
		for _, name := range names {
			ours.sameChore(w, "tag", name, 1+w.rand.r.Int64N(last))
		}
		ours.sameChore(w, "expire", "", 1+w.rand.r.Int64N(last-1))
		for i, n := range w.rand.r.Perm(len(names)) {
			ours.sameChore(w, "untag", names[n], 0)
			if i == 1 {
				ours.sameChore(w, "expire", "", 1)
			}
		}
		ours.verify()
		ours.agree("after expiry", table.ScanOptions{})
	})
}

// sameChore does the same on two copies of a table, by this library on ours and
// by Java on the other, and compares their files.
func (w *world) sameChore(java *world, what, name string, n int64) {
	w.t.Helper()
	ctx, tab, text := context.Background(), w.open(), strconv.FormatInt(n, 10)
	var err error
	switch what {
	case "tag":
		_, err = tab.CreateTag(ctx, name, table.TagOptions{Snapshot: n})
		java.javaRuns("tag", "create", "--name", name, "--snapshot", text)
	case "untag":
		err = tab.DeleteTag(ctx, name)
		java.javaRuns("tag", "delete", "--name", name)
	case "expire":
		_, err = tab.Expire(ctx, table.ExpireOptions{RetainMin: int(n), RetainMax: int(n)})
		java.javaRuns("expire", "--retain", text)
	}
	w.must(err)
	w.same("files after "+what+" "+name+" "+text, "java", java.files(), "go", w.files())
}

// files are the names of a table's files. Hints are left out: Java leaves one also
// where nothing expires.
func (w *world) files() []string {
	w.t.Helper()
	var out []string
	root := w.path()
	w.must(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || d.Name() == "EARLIEST" || d.Name() == "LATEST" {
			return err
		}
		name, err := filepath.Rel(root, path)
		out = append(out, name)
		return err
	}))
	slices.Sort(out)
	return out
}
