// Package mergeengine decides how the stored versions of one key become one
// row.
//
// Rows are never built. The sort or merge that runs before looks at keys only
// and leaves an order: positions 0, 1, 2 … each standing for one stored row,
// equal keys next to each other, the oldest version first. An engine reads
// where the groups of equal keys begin and answers with positions; columns
// are then gathered by them, one at a time.
//
//	position  0   1   2   3   4   5
//	key       a   a   b   c   c   c        Starts = 0 2 3 6
//	chosen        1   2           5        the answer of deduplicate
//
// An engine that takes different columns from different versions gives one
// such list for each set of columns; an engine that computes values folds a
// column over the same groups. Both stand beside [Engine] in a file of their
// own; what every engine has in common is here.
package mergeengine

import (
	"github.com/tidelake/tidelake/internal/fault"
)

// None is the answer for a group that leaves no row behind.
const None int32 = -1

// Groups is the order of a stretch of merged rows. It is borrowed for the
// duration of one call.
type Groups struct {
	// Starts holds the first position of every group in rising order and,
	// last, the number of positions. Group g is Starts[g] up to but without
	// Starts[g+1]; it is never empty.
	Starts []int32
	// Kind gives the stored row kind of a position: 0 +I, 1 -U, 2 +U, 3 -D.
	// It is slow compared with everything else here: ask only for groups of
	// more than one row.
	Kind func(pos int32) int8
}

// Len is the number of groups.
func (g *Groups) Len() int { return max(len(g.Starts)-1, 0) }

// Engine picks the row that stands for a key. Engines are immutable and safe
// for concurrent use.
type Engine interface {
	// Name is the value of the table option merge-engine.
	Name() string
	// Choose appends to dst one position for each group, or [None]. A group
	// of one row is answered with that row, whatever its kind: this is how
	// Paimon treats a key with a single version, and merges of the same
	// files in other steps rely on it.
	Choose(dst []int32, g *Groups) []int32
}

// New returns the engine of the given merge-engine option. ignoreDelete is
// the option ignore-delete. Any engine but deduplicate is refused.
func New(name string, ignoreDelete bool) (Engine, error) {
	switch name {
	case "", "deduplicate":
		return Deduplicate{IgnoreDelete: ignoreDelete}, nil
	case "partial-update", "aggregation", "first-row":
		return nil, fault.Unsupported("merge-engine "+name, "use a table with merge-engine deduplicate")
	}
	return nil, fault.Invalid("merge-engine " + name + ": want deduplicate, partial-update, aggregation or first-row")
}
