package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
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
	// more than one row. Nil means that every row is +I.
	Kind func(pos int32) int8
	// Alone has a [Folder] of Paimon's own merge groups of one row too, as
	// Paimon does where a compaction looks older rows up: a retraction becomes
	// a debt, say, and a column is null whose sequence group is.
	Alone bool
}

// Len is the number of groups.
func (g *Groups) Len() int { return max(len(g.Starts)-1, 0) }

// kind is the kind of a position.
func (g *Groups) kind(pos int32) int8 {
	if g.Kind == nil {
		return 0
	}
	return g.Kind(pos)
}

// Engine merges the versions of a key: it is a [Chooser] or a [Folder].
// Engines are immutable and safe for concurrent use.
//
// A group of one row is that row, whatever its kind and whatever the engine,
// but for Groups.Alone: this is how Paimon treats a key with a single version,
// and merges of the same files in other steps rely on it.
type Engine interface {
	// Name is the value of the table option merge-engine.
	Name() string
}

// Chooser picks one row that stands for a key in all its columns.
type Chooser interface {
	Engine
	// Choose appends to dst one position for each group, or [None]. An error
	// says which rows the engine does not take; nothing may be made of the
	// groups then.
	Choose(dst []int32, g *Groups) ([]int32, error)
}

// Folder makes each column of a row from several versions.
type Folder interface {
	Engine
	// Sources lists the columns that must be at hand to make those of output:
	// output itself and, after it, what decides about them.
	Sources(output []string) []string
	// NewFold begins a merge over columns of these names, whose versions
	// cells gather. names are Sources of something. Columns of the merge are
	// allocated from mem.
	NewFold(names []string, cells []*vector.Gatherer, mem memory.Allocator) (*Fold, error)
}

// New returns the engine of a table, whose options are o. Options that
// contradict one another, functions that do not fit the type of their column
// and columns that do not exist are ErrInvalid; functions and engines of a
// program's own that are not registered are ErrUnsupported. A table without a
// primary key has no engine; ask for none.
func New(t *schema.Table, o *schema.Options) (Engine, error) {
	switch o.MergeEngine {
	case "", "deduplicate":
		return Deduplicate{IgnoreDelete: o.IgnoreDelete}, nil
	case "first-row":
		return FirstRow{IgnoreDelete: o.IgnoreDelete}, nil
	case "aggregation":
		return newAggregation(t, o)
	case "partial-update":
		return newPartialUpdate(t, o)
	}
	if schema.OwnName(o.MergeEngine) {
		return newRowEngine(t, o.MergeEngine)
	}
	return nil, fault.Invalid("merge-engine " + o.MergeEngine + ": want deduplicate, partial-update, aggregation or first-row")
}
