//go:build interop

package interop

import (
	"fmt"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestTwentyRoundsInTurn lets both sides write and compact one table in turn,
// twenty times: each goes on from the files and levels that the other left.
func TestTwentyRoundsInTurn(t *testing.T) {
	each(t, run.java, 2, func(w *world) {
		w.rand.options["num-sorted-run.compaction-trigger"] = "3"
		w.create(w.half())
		for round := range 20 {
			byGo := round%2 == 0
			w.perform(byGo, step{kind: "write", lines: w.rand.batch(nil)})
			if w.rand.r.IntN(3) == 0 && len(w.rand.keys) > 0 {
				w.compact(w.half(), w.half())
			}
			if round%5 == 4 {
				w.agree(fmt.Sprintf("rows after round %d", round+1), table.ScanOptions{})
			}
		}
		w.travel()
		w.verify()
	})
}
