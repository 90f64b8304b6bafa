//go:build interop

package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// turnKinds are the kinds of tables that both sides take twenty turns on.
var turnKinds = []struct {
	name  string
	suits func(*randomTable) bool
}{
	{"deduplicate", func(t *randomTable) bool { return len(t.keys) > 0 && t.options["merge-engine"] == "" && t.usual() }},
	{"partial-update", func(t *randomTable) bool {
		return t.options["merge-engine"] == "partial-update" && t.has(".sequence-group") && t.has(".aggregate-function") && t.usual()
	}},
	{"aggregation", (*randomTable).everyFunction},
	{"first-row", func(t *randomTable) bool { return t.options["merge-engine"] == "first-row" && t.usual() }},
	{"vectors of 32 bits", func(t *randomTable) bool { return t.usual() && t.vectors() && t.bits("false") }},
	{"vectors of 64 bits", func(t *randomTable) bool { return t.usual() && t.vectors() && t.bits("true") }},
	{"dynamic buckets", (*randomTable).dynamic},
	{"postponed buckets", (*randomTable).postponed},
	{"keys that move", (*randomTable).crossing},
	{"no key", func(t *randomTable) bool { return len(t.keys) == 0 }},
}

// usual tells that the table has nothing of rareKinds.
func (t *randomTable) usual() bool {
	return !strings.HasPrefix(t.options["bucket"], "-") && t.options["deletion-vectors.enabled"] == ""
}

// has tells that there is an option of some column with a name that ends so.
func (t *randomTable) has(suffix string) bool {
	for key := range t.options {
		if strings.HasSuffix(key, suffix) {
			return true
		}
	}
	return false
}

func (t *randomTable) bits(of64 string) bool {
	t.options["deletion-vectors.bitmap64"] = of64
	return true
}

// everyFunction makes the table one that has a column for every function, and takes deletes.
func (t *randomTable) everyFunction() bool {
	if t.options["merge-engine"] != "" || len(t.keys) == 0 || t.options["sequence.field"] != "" || t.rowKind != "" || !t.usual() {
		return false
	}
	t.options["merge-engine"], t.takesDeletes = "aggregation", []string{"-D", "-U"}
	for i := range t.columns {
		c := &t.columns[i]
		c.notNull = slices.Contains(t.keys, c.name)
	}
	for i, f := range t.fits() {
		t.addFunction(fmt.Sprintf("f%d", i), f, true)
	}
	for i, name := range append([]string{"max", "min"}, choosing...) {
		s := pick(t.r, scalars...)
		for t.leftOut(s.typ) || s.typ == "BOOLEAN" {
			s = pick(t.r, scalars...)
		}
		t.addFunction(fmt.Sprintf("g%d", i), function{name: name, typ: s.typ, value: s.value}, true)
	}
	return true
}

// TestTwentyTurns lets both sides write and compact one table of each kind in
// turn, twenty times: each goes on from the files and levels that the other left.
func TestTwentyTurns(t *testing.T) {
	for _, kind := range turnKinds {
		t.Run(kind.name, func(t *testing.T) {
			each(t, run.java, 1, func(w *world) {
				w.draw(kind.suits)
				w.rand.options["num-sorted-run.compaction-trigger"] = "3"
				w.create(w.half())
				for turn := range 20 {
					w.write(turn%2 == 0, w.rand.batch(nil))
					if w.rand.r.IntN(3) == 0 || turn == 19 {
						w.compact(w.half(), w.half())
					}
					if turn%5 == 4 {
						w.agree(fmt.Sprintf("rows after turn %d", turn+1), table.ScanOptions{})
					}
				}
				w.travel()
				w.verify()
			})
		})
	}
}
