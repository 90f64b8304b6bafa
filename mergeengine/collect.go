package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// newCollect is the function collect: all elements of all arrays, or with
// distinct each of them once.
func newCollect(f schema.Field, o schema.FieldOptions) (accumulator, error) {
	if f.Type.Kind != schema.Array {
		return nil, fault.Invalid("the type is " + f.Type.String() + ", must be ARRAY")
	}
	if o.Distinct {
		return &collectDistinct{nested: f.Type.Elem.Kind.Nested()}, nil
	}
	return &collect{lateFirst: o.IgnoreRetract}, nil
}

// collect is a list of stretches of the versions' arrays.
type collect struct {
	lateFirst bool
	null      bool
	parts     []cell.Range
	taken     bag
}

func (c *collect) reset() {
	clear(c.parts)
	c.null, c.parts = true, c.parts[:0]
}

func (c *collect) base(col arrow.Array, row int) error {
	c.reset()
	return c.add(col, row)
}

func (c *collect) add(col arrow.Array, row int) error {
	if col.IsNull(row) {
		return nil
	}
	c.null = false
	if a, from, to := cell.Elements(col.(*array.List), row); from < to {
		c.parts = append(c.parts, cell.Range{Array: a, From: from, To: to})
	}
	return nil
}

// addLate does not put late elements first, as Paimon does not; but it does
// where ignore-retract is set, because of what it wraps around the function then.
func (c *collect) addLate(col arrow.Array, row int) error {
	n := len(c.parts)
	if err := c.add(col, row); err != nil || !c.lateFirst || len(c.parts) == n {
		return err
	}
	late := c.parts[n]
	copy(c.parts[1:], c.parts[:n])
	c.parts[0] = late
	return nil
}

func (c *collect) retract(col arrow.Array, row int) error {
	if c.null || !c.taken.fill(col, row) {
		return nil
	}
	var kept []cell.Range
	for _, p := range c.parts {
		for i := p.From; i < p.To; i++ {
			if e := (element{p.Array, i}); !c.taken.take(e) {
				kept = appendElement(kept, e)
			}
		}
	}
	c.parts = kept
	return nil
}

func (c *collect) appendTo(b array.Builder) error {
	if c.null {
		b.AppendNull()
		return nil
	}
	return cell.AppendList(b, c.parts)
}

// collectDistinct is a list of elements without duplicates, but for those of a
// value taken as it is: of nested types Paimon leaves these for good, of others
// until something is added.
type collectDistinct struct {
	elements
	nested bool
	taken  bag
}

func (c *collectDistinct) add(col arrow.Array, row int) error {
	if c.null && col.IsNull(row) {
		return nil
	}
	c.null = false
	if c.nested {
		c.indexAll()
	} else {
		c.unique(true)
	}
	for _, e := range c.input(col, row) {
		if pos, h := c.find(e); pos < 0 {
			c.push(e, h)
		}
	}
	return nil
}

// indexAll makes the index of a list with its duplicates.
func (c *collectDistinct) indexAll() {
	if c.indexed {
		return
	}
	c.index.Reset()
	for _, e := range c.list {
		c.index.Add(c.hash(e))
	}
	c.indexed = true
}

func (c *collectDistinct) addLate(col arrow.Array, row int) error { return c.add(col, row) }

func (c *collectDistinct) retract(col arrow.Array, row int) error {
	if !c.null && c.taken.fill(col, row) {
		c.keep(func(e element) bool { return !c.taken.take(e) })
	}
	return nil
}

// bag holds elements, each as often as it was put in.
type bag struct {
	elements
	count []int
}

// fill puts the elements of a cell into the empty bag and tells whether there are any.
func (b *bag) fill(col arrow.Array, row int) bool {
	b.reset()
	b.count = b.count[:0]
	for _, e := range b.input(col, row) {
		pos, h := b.find(e)
		if pos < 0 {
			b.push(e, h)
			b.count = append(b.count, 1)
		} else {
			b.count[pos]++
		}
	}
	return len(b.count) > 0
}

// take takes one element like e out, if there is one.
func (b *bag) take(e element) bool {
	pos, _ := b.find(e)
	if pos < 0 || b.count[pos] == 0 {
		return false
	}
	b.count[pos]--
	return true
}
