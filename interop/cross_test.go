//go:build interop

package interop

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// crossing makes the world's table one whose keys move between partitions;
// false when it has no key.
func (w *world) crossing(options ...string) bool {
	t := w.rand
	if !w.buckets("-1", append(options, fmt.Sprintf("dynamic-bucket.target-row-num=%d", 1+t.r.IntN(8)))...) {
		return false
	}
	if len(t.parts) == 0 {
		t.addPartition("p0", true)
	}
	loose := t.parts[:1+t.r.IntN(len(t.parts))] // the key keeps the others
	t.keys = slices.DeleteFunc(t.keys, func(k string) bool { return slices.Contains(loose, k) })
	for i := range t.columns {
		if slices.Contains(loose, t.columns[i].name) {
			t.columns[i].notNull = w.half()
		}
	}
	for _, key := range []string{
		"sequence.field", "sequence.field.sort-order", // refused by Paimon for such tables
		"rowkind.field",        // undoes the deletes of Java's own rows that move
		"ignore-update-before", // Java follows rows that the table then ignores
	} {
		delete(t.options, key)
	}
	t.rowKind, t.once = "", false
	if t.options["merge-engine"] == "" {
		delete(t.options, "ignore-delete") // leaves moved rows where they were
	} else {
		t.takesDeletes = nil // Java follows rows that the table then ignores
	}
	return true
}

// TestKeysMoveInTurn: both sides move keys between the partitions of one table.
func TestKeysMoveInTurn(t *testing.T) {
	each(t, run.java, 20, func(w *world) {
		if !w.crossing() {
			return
		}
		w.create(w.half())
		for range 3 + w.rand.r.IntN(6) {
			s := w.step()
			if s.kind == "overwrite" || s.kind == "overwrite partition" {
				s.kind = "write" // refused here, and Java's program has no assigner for it
			}
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
	each(t, run.java, 20, func(w *world) {
		if !w.crossing("write-only=true") {
			return
		}
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
