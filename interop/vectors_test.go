//go:build interop

package interop

import (
	"context"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestDeletionVectorsInTurn: both sides write and compact one primary-key
// table, each marking rows in files of the other.
func TestDeletionVectorsInTurn(t *testing.T) {
	each(t, run.java, 5, func(w *world) {
		w.draw((*randomTable).vectors)
		w.create(w.half())
		for turn := range 20 {
			if turn == 10 { // vectors of the other kind come beside those that are there
				other := map[string]string{"true": "false"}[w.rand.options["deletion-vectors.bitmap64"]]
				if other == "" {
					other = "true"
				}
				w.javaRuns("alter", "--set", "deletion-vectors.bitmap64="+other)
			}
			s := w.step()
			if s.kind == "compact" {
				w.compact(w.half(), w.half())
			} else {
				w.perform(w.half(), s)
			}
			w.agree("rows after "+s.kind, table.ScanOptions{})
		}
		w.verify()
	})
}

// TestJavaReadsDeletedRowsOfAppendTables: this library deletes and updates, by
// vectors or by writing files again, and Java writes, compacts and reads.
func TestJavaReadsDeletedRowsOfAppendTables(t *testing.T) {
	each(t, run.java, 5, func(w *world) {
		w.draw(func(t *randomTable) bool { return len(t.keys) == 0 })
		w.rand.maybe(2, "deletion-vectors.enabled", "true")
		w.rand.maybe(2, "deletion-vectors.bitmap64", "true")
		w.create(w.half())
		for range 8 {
			w.write(w.half(), w.rand.batch(nil))
			c := pick(w.rand.r, w.rand.columns...)
			_, err := w.open().Delete(context.Background(), table.ChangeOptions{Where: "`" + c.name + "` IS " + pick(w.rand.r, "NULL", "NOT NULL")})
			w.must(err)
			w.agree("rows after a delete", table.ScanOptions{})
		}
		w.javaRuns("compact", "--full")
		w.agree("rows after compaction", table.ScanOptions{})
		w.verify()
	})
}
