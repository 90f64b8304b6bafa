//go:build interop

package interop

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/table"
)

// copied is a copy of the table under another name.
func (w *world) copied() *world {
	w.t.Helper()
	other := *w
	other.id.Table += "copy"
	if out, err := exec.Command("cp", "-a", w.path(), other.path()).CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	return &other
}

// hints are files that only save looking.
var hints = regexp.MustCompile(`(^|/)(EARLIEST|LATEST)$`)

// listing is every file of the table with its size.
func (w *world) listing() []string {
	w.t.Helper()
	var out []string
	w.must(filepath.WalkDir(w.path(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(w.path(), path)
		if err != nil || hints.MatchString(name) || strings.HasSuffix(name, ".crc") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			out = append(out, name+" "+strconv.FormatInt(info.Size(), 10))
		}
		return err
	}))
	return sorted(out)
}

// retention draws how much stays, as options of the table.
func (w *world) retention() []string {
	r := w.rand.r
	least := 1 + r.IntN(3)
	most := least + r.IntN(3)
	o := []string{fmt.Sprintf("snapshot.num-retained.min=%d", least), fmt.Sprintf("snapshot.num-retained.max=%d", most), "snapshot.expire.limit=1000"}
	if w.half() {
		o = append(o, "snapshot.time-retained=1 ms")
	}
	if r.IntN(3) == 0 {
		least += r.IntN(2)
		o = append(o, fmt.Sprintf("changelog.num-retained.min=%d", least), fmt.Sprintf("changelog.num-retained.max=%d", max(least, most+r.IntN(4))))
	}
	return o
}

// grown makes a table with a history: of writes, compactions and overwrites by
// both sides, with tags and perhaps consumers.
func (w *world) grown() {
	w.t.Helper()
	w.rand.options["snapshot.num-retained.min"] = "100" // nothing expires by itself
	w.create(w.half())
	w.writeSome(w.half())
	for i := range 8 {
		w.perform(w.half(), w.step())
		if w.rand.r.IntN(4) == 0 {
			w.tag(w.half(), "create", "tag"+strconv.Itoa(i), 0)
		}
		if w.rand.r.IntN(3) == 0 {
			w.compact(w.half(), w.half())
		}
	}
	if w.rand.r.IntN(3) == 0 {
		next := 1 + w.rand.r.Int64N(w.latest())
		if w.half() {
			w.must(w.open().ResetConsumer(context.Background(), "slow", next))
		} else {
			w.javaRuns("consumer", "--name", "slow", "--next", strconv.FormatInt(next, 10))
		}
	}
}

// TestBothExpireTheSame: of two copies of a table with the same retention each
// side expires one. The same files are left, and both sides can read all that stays.
func TestBothExpireTheSame(t *testing.T) {
	each(t, run.java, 4, func(w *world) {
		if w.half() {
			w.draw(func(t *randomTable) bool { return t.changelogs(pick(t.r, producers...)) })
		}
		w.grown()
		java := w.copied()
		defer func() { w.must(os.RemoveAll(java.path())) }()
		for range 2 {
			o := w.retention()
			w.set(w.half(), o...)
			java.set(w.half(), o...)
			_, err := w.open().Expire(context.Background(), table.ExpireOptions{})
			w.must(err)
			java.javaRuns("expire")
			w.same("files left by expiry", "java", java.listing(), "go", w.listing())
		}
		w.kept()
		if left, err := filepath.Glob(filepath.Join(w.path(), "changelog", "changelog-*")); err != nil || len(left) > 0 {
			return // Java deletes files of such changelogs together with tags
		}
		tags, err := w.open().Tags(context.Background())
		w.must(err)
		w.rand.r.Shuffle(len(tags), func(i, j int) { tags[i], tags[j] = tags[j], tags[i] })
		for _, tag := range tags {
			w.tag(true, "delete", tag.Name, 0)
			java.tag(false, "delete", tag.Name, 0)
			w.same("files left without "+tag.Name, "java", java.listing(), "go", w.listing())
		}
		w.kept()
	})
}

// kept reads everything that is left, with both sides.
func (w *world) kept() {
	w.t.Helper()
	w.verify()
	w.travel()
	w.sameTags()
}

// TestBothCleanTheSame: of two copies of a table with files that nothing names
// each side cleans one.
func TestBothCleanTheSame(t *testing.T) {
	each(t, run.java, 3, func(w *world) {
		w.grown()
		b := w.branch("b")
		b.writeSome(w.half())
		for range 2 {
			out, _ := w.prepare(w.rand.batch(nil), false) // never committed
			w.must(out.Close())
		}
		if w.half() {
			w.branches(w.half(), "delete", "b", "") // leaves its files
		}
		w.strew()
		java := w.copied()
		defer func() { w.must(os.RemoveAll(java.path())) }()
		_, err := w.open().Clean(context.Background(), table.CleanOptions{OlderThan: time.Nanosecond, Delete: true})
		w.must(err)
		java.javaRuns("delete-orphans")
		w.same("files left by cleaning", "java", java.listing(), "go", w.listing())
		w.kept()
	})
}

// strew puts files of no use where files of tables lie.
func (w *world) strew() {
	w.t.Helper()
	for _, name := range []string{"manifest/manifest-lost-0", "manifest/.manifest-lost.tmp", "index/index-lost-0", "statistics/stat-lost-0", "snapshot/.snapshot-9.tmp",
		"snapshot/lost", "changelog/lost", "schema/lost", "tag/lost.tmp", "lost", "bucket-0/data-lost-0.parquet", "bucket-0/.data-lost.tmp", "bucket-0/sub/data-lost-0.parquet"} {
		path := filepath.Join(w.path(), name)
		w.must(os.MkdirAll(filepath.Dir(path), 0o755))
		w.must(os.WriteFile(path, []byte("lost"), 0o644))
	}
}
