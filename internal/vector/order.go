package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// Order compares rows by nullable columns, one after the other. Null is the
// smallest value in both directions.
type Order struct {
	desc bool
	cols []orderColumn
}

type orderColumn struct {
	layout *Layout
	keys   []Keys
	valid  validity
	rows   [][]int32
}

// NewOrder returns an order by columns of the given types.
func NewOrder(types []arrow.DataType, descending bool) (*Order, error) {
	o := &Order{desc: descending}
	for i := range types {
		l, err := NewLayout(types[i : i+1])
		if err != nil {
			return nil, err
		}
		o.cols = append(o.cols, orderColumn{layout: l})
	}
	return o, nil
}

// Set makes the given rows of cols a source, nil for all rows. Refs count
// within rows then. Columns and rows are borrowed until the source is cleared
// or set again.
func (o *Order) Set(source int, cols []arrow.Array, rows []int32) error {
	for i := range o.cols {
		c := &o.cols[i]
		for len(c.keys) <= source {
			c.keys = append(c.keys, Keys{})
		}
		if err := c.layout.Build(&c.keys[source], cols[i:i+1], rows); err != nil {
			return err
		}
		c.rows = setSlot(c.rows, source, rows)
		c.valid.set(source, cols[i])
	}
	return nil
}

// Clear forgets a source but keeps its memory for the next one.
func (o *Order) Clear(source int) {
	for i := range o.cols {
		c := &o.cols[i]
		if source < len(c.keys) {
			c.keys[source].Forget()
			c.rows[source] = nil
			c.valid.clear(source)
		}
	}
}

// Compare is negative when a sorts before b.
func (o *Order) Compare(a, b Ref) int {
	for i := range o.cols {
		if c := o.cols[i].compare(a, b, o.desc); c != 0 {
			return c
		}
	}
	return 0
}

func (c *orderColumn) compare(a, b Ref, desc bool) int {
	if c.valid.count > 0 {
		na, nb := c.isNull(a), c.isNull(b)
		switch {
		case na && nb:
			return 0
		case na:
			return -1
		case nb:
			return 1
		}
	}
	r := c.layout.Compare(&c.keys[a.Source()], a.Row(), &c.keys[b.Source()], b.Row())
	if desc {
		return -r
	}
	return r
}

func (c *orderColumn) isNull(r Ref) bool {
	if rows := c.rows[r.Source()]; rows != nil {
		r = MakeRef(r.Source(), int(rows[r.Row()]))
	}
	return c.valid.isNull(r)
}
