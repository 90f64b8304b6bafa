//go:build interop

package interop

import (
	"context"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// vectors switches deletion vectors on; false when the table cannot have them.
func (w *world) vectors() bool {
	t := w.rand
	if len(t.keys) == 0 {
		return false
	}
	for _, k := range t.keys { // Java's lookup cannot compare these
		if typ := w.column(k).typ; strings.Contains(typ, "BINARY") || strings.Contains(typ, "BYTES") {
			return false
		}
	}
	// Java names local files after partitions, and some slashes of ours break that.
	// Of aggregations it refuses some only when it compacts.
	if w.partitioned("STRING") || t.options["merge-engine"] == "aggregation" {
		return false
	}
	t.options["deletion-vectors.enabled"] = "true"
	delete(t.options, "write-only")
	t.maybe(2, "deletion-vectors.bitmap64", "true")
	t.maybe(3, "index-file-in-data-file-dir", "true")
	return true
}

// TestDeletionVectorsInTurn: both sides write and compact one primary-key
// table, each marking rows in files of the other.
func TestDeletionVectorsInTurn(t *testing.T) {
	each(t, run.java, 10, func(w *world) {
		if !w.vectors() {
			return
		}
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
			w.perform(w.half(), s)
			w.agree("rows after "+s.kind, table.ScanOptions{})
		}
		w.verify()
	})
}

// TestJavaReadsDeletedRowsOfAppendTables: this library deletes and updates, by
// vectors or by writing files again, and Java writes, compacts and reads.
func TestJavaReadsDeletedRowsOfAppendTables(t *testing.T) {
	each(t, run.java, 20, func(w *world) {
		if len(w.rand.keys) > 0 {
			return
		}
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
