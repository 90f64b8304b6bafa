package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
)

// accumulator folds the versions of one key into one value of any size. It is
// used by one goroutine, key after key. A row of a column may be null.
type accumulator interface {
	// reset begins a key: nothing is accumulated, which is null.
	reset()
	// base takes the value as it is: a key's only version, or one that the
	// row starts anew with.
	base(col arrow.Array, row int) error
	// add takes the next value.
	add(col arrow.Array, row int) error
	// addLate takes a value that is older than what was taken before.
	addLate(col arrow.Array, row int) error
	// retract takes a value back; the error names the function and the column
	// when it cannot ([cannotRetract]).
	retract(col arrow.Array, row int) error
	// appendTo appends the value, or null.
	appendTo(b array.Builder) error
}

// accumulating makes a function of accumulators. make refuses columns and
// options that the function cannot take; it is called once for each merge,
// and once to check the table.
func accumulating(make func(f schema.Field, o schema.FieldOptions) (accumulator, error)) function {
	return func(f schema.Field, o schema.FieldOptions) (newColumn, error) {
		_, err := make(f, o)
		return func(s source) column {
			acc, err := make(f, o)
			return &accumulated{s, acc, err}
		}, err
	}
}

// accumulated builds a column by an accumulator.
type accumulated struct {
	source
	acc accumulator
	err error // why there is none after all
}

func (c *accumulated) fold(p *Plan) (arrow.Array, error) {
	if !p.multi {
		return c.cells.Take(p.Newest())
	}
	if c.err != nil {
		return nil, c.err
	}
	b := array.NewBuilder(c.mem, c.cells.Type())
	defer b.Release()
	ops := p.ops[c.class]
	for _, sp := range p.Spans {
		if err := c.row(p, sp, ops); err != nil {
			return nil, err
		}
		if err := c.acc.appendTo(b); err != nil {
			return nil, err
		}
	}
	return b.NewArray(), nil
}

func (c *accumulated) row(p *Plan, sp Span, ops []op) error {
	c.acc.reset()
	refs := p.Refs[sp.Start:sp.End]
	if !p.merged(sp) {
		return c.acc.base(c.cells.Source(refs[0].Source()), refs[0].Row())
	}
	for i, r := range refs {
		o := opAdd
		if ops != nil {
			o = ops[int(sp.Start)+i]
		}
		if err := c.step(o, c.cells.Source(r.Source()), r.Row()); err != nil {
			return err
		}
	}
	return nil
}

func (c *accumulated) step(o op, col arrow.Array, row int) (err error) {
	switch o {
	case opAdd:
		return c.acc.add(col, row)
	case opLate:
		return c.acc.addLate(col, row)
	case opBase, opBaseRetract:
		err = c.acc.base(col, row)
	}
	switch o {
	case opRetract, opRetractLate, opBaseRetract:
		if err == nil && !c.ignoreRetract {
			err = c.acc.retract(col, row)
		}
	}
	return err
}
