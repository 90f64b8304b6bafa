package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
)

// column makes one column of the result. It is used by one goroutine at a
// time; several columns fold one plan side by side.
type column interface {
	fold(p *Plan) (arrow.Array, error)
}

// planner is the first step of a fold.
type planner interface {
	// plan fills p, which begins empty but for memory to use again.
	plan(p *Plan, refs []vector.Ref, g *Groups) error
}

// Fold is a merge under way: one for each buffer or merge, used by one
// goroutine at a time but for Column.
type Fold struct {
	planner planner
	columns []column
	names   []string
	notNull []bool
	current Plan
}

// Plan is the first step: it examines groups of positions that stand for
// refs. refs count in the sources of the gatherers and are kept until the next
// Plan, as is the result. An error names what the engine does not take.
func (f *Fold) Plan(refs []vector.Ref, g *Groups) (*Plan, error) {
	err := f.planner.plan(&f.current, refs, g)
	return &f.current, err
}

// Column is the second step for the column of the i-th gatherer: its cells in
// the rows of the plan, which the caller releases. It may run for different
// columns at the same time. ErrTooLarge of package vector asks for a plan of
// fewer groups.
func (f *Fold) Column(i int) (arrow.Array, error) {
	p := &f.current
	a, err := f.columns[i].fold(p)
	if err != nil {
		return nil, err
	}
	if f.notNull[i] && vector.NullCount(a) > 0 {
		a.Release()
		return nil, &fault.Error{Class: fault.ErrInvalid,
			Detail: "column " + f.names[i] + " is NOT NULL and merging the versions of a row leaves it null",
			Hint:   "make the column nullable"}
	}
	return a, nil
}
