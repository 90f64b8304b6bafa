//go:build interop

package interop

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// triggers make compactions come early and be of every kind.
func (w *world) triggers() {
	r := w.rand.r
	w.rand.options["num-sorted-run.compaction-trigger"] = fmt.Sprint(1 + r.IntN(4))
	w.rand.maybe(2, "compaction.size-ratio", "10", "100")
	w.rand.maybe(3, "compaction.max-size-amplification-percent", "20", "1000")
	w.rand.maybe(4, "compaction.total-size-threshold", "10 kb", "1 mb")
	w.rand.maybe(4, "compaction.force-up-level-0", "true")
	w.rand.maybe(4, "compaction.force-rewrite-all-files", "true")
	w.rand.maybe(4, "target-file-size", "2 kb", "20 kb")
	w.rand.maybe(4, "num-levels", "3", "9")
	if w.rand.options["bucket"] != "-2" { // postponed rows are Avro, and Java's has no codec of that name
		w.rand.maybe(4, "file.compression.per.level", "0:none", "0:snappy")
	}
	w.rand.maybe(4, "metadata.stats-mode.per.level", "0:none")
	w.rand.maybe(4, "full-compaction.delta-commits", "2")
	w.rand.maybe(4, "compaction.min.file-num", "2", "3")
	if len(w.rand.keys) == 0 {
		delete(w.rand.options, "full-compaction.delta-commits")
	}
}

// compact is a job of either side.
func (w *world) compact(byGo, full bool) {
	w.t.Helper()
	if byGo {
		_, err := w.open().Compact(context.Background(), table.CompactOptions{Full: full})
		w.must(err)
		return
	}
	var flags []string
	if full {
		flags = append(flags, "--full")
	}
	w.javaRuns("compact", flags...)
}

// What this side wrote and compacted Java reads, proves and compacts further.
func TestJavaReadsWhatGoCompacts(t *testing.T) {
	each(t, run.java, 20, func(w *world) {
		w.triggers()
		w.create(true)
		for range 2 + w.rand.r.IntN(6) {
			w.write(true, w.rand.batch(nil))
			if w.half() {
				w.compact(true, w.half())
			}
		}
		if w.rand.hides() {
			w.compact(true, true)
		}
		rows := w.agree("rows", table.ScanOptions{})
		w.verify()
		w.compact(false, true)
		w.same("rows after java's compaction", "before", rows, "after", w.agree("rows after java's compaction", table.ScanOptions{}))
		w.compact(true, true)
		w.same("rows after ours", "before", rows, "after", w.agree("rows after ours", table.ScanOptions{}))
		w.verify()
	})
}

// Both sides write and compact one table in turn, twenty times.
func TestBothCompactInTurn(t *testing.T) {
	each(t, run.java, 5, func(w *world) {
		w.triggers()
		w.create(w.half())
		for i := range 20 {
			if w.rand.r.IntN(3) > 0 {
				w.write(w.half(), w.rand.batch(nil))
			} else {
				before := w.rows(table.ScanOptions{})
				w.compact(w.half(), w.half())
				if !w.rand.hides() {
					w.same("rows of a compaction", "before", before, "after", w.rows(table.ScanOptions{}))
				}
			}
			w.agree(fmt.Sprintf("rows after round %d", i), table.ScanOptions{})
		}
		w.verify()
	})
}

// The same rows, compacted by each side at the same moments, lie on the same levels.
func TestBothCompactAlike(t *testing.T) {
	each(t, run.java, 10, func(w *world) {
		// Levels are for tables with a key, and buckets of new keys have a test of their own.
		w.draw(func(t *randomTable) bool { return len(t.keys) > 0 && t.options["bucket"] != "-1" })
		w.triggers()
		w.rand.options["write-only"] = "true"
		delete(w.rand.options, "target-file-size") // sizes of files differ a little
		other := w.twin()
		w.create(true)
		other.create(false)
		for range 2 + w.rand.r.IntN(4) {
			lines := w.rand.batch(nil)
			w.write(true, lines)
			other.write(false, lines)
		}
		w.compact(true, true)
		other.compact(false, true)
		w.same("rows", "java", other.rows(table.ScanOptions{}), "go", w.rows(table.ScanOptions{}))
		w.same("files", "java", other.places(), "go", w.places())
	})
}

// places are the live files without their names and sizes.
func (w *world) places() []string {
	w.t.Helper()
	var out []string
	for f, err := range w.open().Files(context.Background(), 0) {
		w.must(err)
		out = append(out, fmt.Sprintf("%s bucket %d level %d rows %d deletes %d source %d numbers %d-%d", strings.Join(f.Partition, "/"), f.Bucket, f.Level,
			f.Rows, *f.DeleteRows, *f.Source, f.MinSequence, f.MaxSequence))
	}
	return sorted(out)
}
