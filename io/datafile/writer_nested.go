package datafile

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
)

// path leads from a top-level field to one leaf: the field itself first, the
// leaf last.
type path []step

// step is a node on the way. child says which child of it the next step is:
// the member of a ROW, or key (0) and value (1) of a MAP or MULTISET.
type step struct {
	typ      schema.Type
	nullable bool
	child    int
}

func (p path) leaf() schema.Type { return p[len(p)-1].typ }

// leafPaths lists the leaves below a type in the order of the message.
func leafPaths(t schema.Type, nullable bool, above path) []path {
	children := childTypes(t)
	if children == nil {
		return []path{append(append(path{}, above...), step{typ: t, nullable: nullable})}
	}
	var all []path
	for i, child := range children {
		here := append(append(path{}, above...), step{typ: t, nullable: nullable, child: i})
		all = append(all, leafPaths(child, child.Nullable, here)...)
	}
	return all
}

// childTypes are the types below a nested type, nil for a scalar.
func childTypes(t schema.Type) []schema.Type {
	required := func(t schema.Type) schema.Type { t.Nullable = false; return t }
	switch t.Kind {
	case schema.Array:
		return []schema.Type{*t.Elem}
	case schema.Map:
		return []schema.Type{required(*t.Key), *t.Elem}
	case schema.Multiset:
		return []schema.Type{required(*t.Elem), {Kind: schema.Int}}
	case schema.Row:
		all := make([]schema.Type, len(t.Fields))
		for i, f := range t.Fields {
			all[i] = f.Type
		}
		return all
	}
	return nil
}

// levels are the slots of a column, one for each leaf value and one where a
// null or an empty list ends the way early; there row is -1.
type levels struct {
	def, rep []uint8
	row      []int32
	// The other half of a double buffer: a list turns one into the other.
	def2, rep2 []uint8
	row2       []int32
}

func (l *levels) start(n int) {
	l.def, l.rep, l.row = l.def[:0], l.rep[:0], l.row[:0]
	for i := range n {
		l.def, l.rep, l.row = append(l.def, 0), append(l.rep, 0), append(l.row, int32(i))
	}
}

// nulls ends the slots that are null at this node and raises the others.
func (l *levels) nulls(a arrow.Array, nullable bool) error {
	if countNulls(a) > 0 {
		for i, r := range l.row {
			if r < 0 || a.IsValid(int(r)) {
				continue
			}
			if !nullable {
				return errNull
			}
			l.row[i] = -1
		}
	}
	if nullable {
		for i, r := range l.row {
			if r >= 0 {
				l.def[i]++
			}
		}
	}
	return nil
}

// list replaces each slot by those of its elements; depth is the repetition
// level of this list.
func (l *levels) list(a array.ListLike, depth uint8) {
	l.def2, l.rep2, l.row2 = l.def2[:0], l.rep2[:0], l.row2[:0]
	for i, r := range l.row {
		from, to := int64(0), int64(0)
		if r >= 0 {
			from, to = a.ValueOffsets(int(r))
		}
		if from == to {
			l.def2, l.rep2, l.row2 = append(l.def2, l.def[i]), append(l.rep2, l.rep[i]), append(l.row2, -1)
			continue
		}
		rep := l.rep[i]
		for e := from; e < to; e++ {
			l.def2, l.rep2, l.row2 = append(l.def2, l.def[i]+1), append(l.rep2, rep), append(l.row2, int32(e))
			rep = depth
		}
	}
	l.def, l.def2 = l.def2, l.def
	l.rep, l.rep2 = l.rep2, l.rep
	l.row, l.row2 = l.row2, l.row
}

// walk follows the path and returns the leaf array that the slots refer to.
func (l *levels) walk(p path, a arrow.Array) (arrow.Array, error) {
	l.start(a.Len())
	depth := uint8(0)
	for i, s := range p {
		if err := l.nulls(a, s.nullable); err != nil {
			return nil, err
		}
		if i == len(p)-1 {
			break
		}
		switch n := a.(type) {
		case *array.Struct:
			a = n.Field(s.child)
		case *array.Map:
			depth++
			l.list(n, depth)
			// Not Keys and Items, which do not see where a slice of entries begins.
			a = n.ListValues().(*array.Struct).Field(s.child)
		case *array.List:
			depth++
			l.list(n, depth)
			a = n.ListValues()
		default:
			return nil, fmt.Errorf("unexpected array %T", a)
		}
	}
	return a, nil
}

// nestedStep is how many slots go into a page before its size is looked at.
const nestedStep = 1024

func (c *column) writeNested(a arrow.Array, s *scratch) error {
	l := &s.levels
	leaf, err := l.walk(c.path, a)
	if err != nil {
		return err
	}
	c.vals.bind(leaf)
	stride := nestedStep
	if n := leaf.Len(); n > 0 {
		// Large values: fewer at a time, so that pages stay near their size.
		each := max(1, int(leaf.Data().SizeInBytes())/n)
		stride = max(1, min(stride, c.pageBytes/4/each))
	}
	for from := 0; from < len(l.row); {
		to := min(len(l.row), from+stride)
		for to < len(l.row) && l.rep[to] != 0 {
			to++
		}
		if err := c.putSlots(l, from, to, s); err != nil {
			return err
		}
		from = to
		if err := c.endFullPage(s); err != nil {
			return err
		}
	}
	return nil
}

// putSlots adds whole rows to the page.
func (c *column) putSlots(l *levels, from, to int, s *scratch) error {
	s.rows = s.rows[:0]
	for i := from; i < to; i++ {
		if l.rep[i] == 0 {
			c.rows++
		}
		if r := l.row[i]; r >= 0 {
			s.rows = append(s.rows, r)
		}
	}
	c.def = append(c.def, l.def[from:to]...)
	c.rep = append(c.rep, l.rep[from:to]...)
	c.nulls += to - from - len(s.rows)
	return c.vals.putRows(s.rows)
}
