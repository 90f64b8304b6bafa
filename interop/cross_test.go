//go:build interop

package interop

import (
	"regexp"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestKeysMoveInTurn: both sides move keys between the partitions of one table.
func TestKeysMoveInTurn(t *testing.T) {
	each(t, run.java, 15, func(w *world) {
		w.draw((*randomTable).crossing)
		w.create(w.half())
		for range 3 + w.rand.r.IntN(6) {
			s := w.step()
			w.perform(w.half(), s)
			w.agree("rows after "+s.kind, table.ScanOptions{})
		}
		w.travel()
		w.verify()
	})
}

// TestKeysMoveAlike: the same rows are in the same partitions and buckets,
// and what is stored is the same, deletes of moved rows included.
func TestKeysMoveAlike(t *testing.T) {
	each(t, run.java, 15, func(w *world) {
		w.draw((*randomTable).crossing)
		w.rand.options["write-only"] = "true"
		other := w.twin()
		w.create(true)
		other.create(false)
		for range 1 + w.rand.r.IntN(4) {
			s := step{kind: "write", lines: w.rand.batch(nil)}
			w.perform(true, s)
			other.perform(false, s)
		}
		for _, command := range [][]string{{"scan", "--buckets"}, {"records"}} {
			if command[0] == "records" && len(w.rand.loose) > 0 {
				continue // lists whose order Java leaves open
			}
			one := w.javaRuns(command[0], command[1:]...)
			two := other.javaRuns(command[0], command[1:]...)
			w.same(command[0], "java", unnamed(two), "go", unnamed(one))
		}
	})
}

var fileName = regexp.MustCompile(`"_file":"[^"]*",`)

// unnamed are sorted lines without the names of files.
func unnamed(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = fileName.ReplaceAllString(l, "")
	}
	return sorted(out)
}
