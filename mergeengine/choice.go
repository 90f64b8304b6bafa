package mergeengine

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/vector"
)

// choice picks the version whose cell a row takes. It is made for one column
// of one merge. A row that has taken nothing is NullRef.
type choice interface {
	// adds picks among several versions that are all added, oldest first.
	adds(refs []vector.Ref) vector.Ref
	// start begins a row with nothing taken.
	start()
	// step is what the row has after one more version: one that is added or
	// comes late. acc may be NullRef.
	step(acc, in vector.Ref, late bool) vector.Ref
	// retract takes in back.
	retract(acc, in vector.Ref, late bool) (vector.Ref, error)
}

// newer is a choice that takes the last version of all where all are added,
// if newest says so. Columns of such choices share one selection.
type newer interface{ newest() bool }

// binder is a choice that looks at its sources before each fold.
type binder interface{ bind() }

// chosen gathers a column by a choice for each row.
type chosen struct {
	source
	pick choice
	refs []vector.Ref
}

func (c *chosen) fold(p *Plan) (arrow.Array, error) {
	ops := p.ops[c.class]
	if n, ok := c.pick.(newer); !p.multi || ok && ops == nil && n.newest() {
		return c.cells.Take(p.Newest())
	}
	if b, ok := c.pick.(binder); ok {
		b.bind()
	}
	c.refs = slices.Grow(c.refs[:0], len(p.Spans))[:len(p.Spans)]
	for i, sp := range p.Spans {
		switch {
		case !p.merged(sp):
			c.refs[i] = p.Refs[sp.Start]
		case ops == nil:
			c.refs[i] = c.pick.adds(p.Refs[sp.Start:sp.End])
		default:
			ref, err := c.steps(p.Refs[sp.Start:sp.End], ops[sp.Start:sp.End])
			if err != nil {
				return nil, err
			}
			c.refs[i] = ref
		}
	}
	return c.cells.Take(vector.SelectNulls(c.refs))
}

func (c *chosen) steps(refs []vector.Ref, ops []op) (acc vector.Ref, err error) {
	acc = vector.NullRef
	c.pick.start()
	for i, in := range refs {
		switch o := ops[i]; o {
		case opAdd, opLate:
			acc = c.pick.step(acc, in, o == opLate)
		case opBase, opBaseRetract:
			acc = in
		}
		switch o := ops[i]; o {
		case opRetract, opRetractLate, opBaseRetract:
			if c.ignoreRetract {
				continue
			}
			if acc, err = c.pick.retract(acc, in, o == opRetractLate); err != nil {
				return acc, err
			}
		}
	}
	return acc, nil
}
