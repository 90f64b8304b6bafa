//go:build interop

package interop

import (
	"context"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestSpilledRowsAgree writes more rows than a small buffer holds: spilled by
// this library, spilled by Java, and flushed as the buffer fills. Both sides
// spill to the same rows, and one file where the flushed table has several.
func TestSpilledRowsAgree(t *testing.T) {
	each(t, run.java, 3, func(w *world) {
		w.draw(func(t *randomTable) bool { return len(t.keys) > 0 && !t.once && t.usual() })
		o := w.rand.options
		o["bucket"], o["write-only"] = "1", "true"
		o["write-buffer-size"], o["page-size"] = "32 kb", "4 kb"
		delete(o, "bucket-key")
		delete(o, "target-file-size")
		var lines []string
		for size := 0; size < 300_000 || len(lines) < 1500; {
			line, _ := w.rand.row(nil)
			lines = append(lines, line)
			size += len(line)
		}
		filled := func(byGo bool, spillable, name string) *world {
			other := *w
			other.id.Table += name
			o["write-buffer-spillable"] = spillable
			other.create(byGo)
			other.write(byGo, lines[:len(lines)/2])
			other.write(byGo, lines[len(lines)/2:])
			if w.rand.hides() {
				other.compact(!byGo, true)
			}
			other.verify()
			return &other
		}
		ours, javas, flushed := filled(true, "true", "ours"), filled(false, "true", "javas"), filled(true, "false", "flushed")
		rows := ours.agree("rows", table.ScanOptions{})
		w.same("rows", "java's", javas.agree("java's rows", table.ScanOptions{}), "spilled", rows)
		flushed.agree("flushed rows", table.ScanOptions{}) // folds of doubles and deletes differ from those of spilled ones
		if s, j, f := ours.fileCount(), javas.fileCount(), flushed.fileCount(); !w.rand.hides() && (s != j || s >= f) {
			w.t.Errorf("%d files of spilled rows, %d of Java's, %d of flushed rows", s, j, f)
		}
		ours.compact(false, true)
		w.same("rows of java's compaction", "before", rows, "after", ours.agree("compacted by java", table.ScanOptions{}))
	})
}

func (w *world) fileCount() (n int) {
	w.t.Helper()
	for _, err := range w.open().Files(context.Background(), 0) {
		w.must(err)
		n++
	}
	return n
}
