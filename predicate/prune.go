package predicate

import (
	"math"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// bounds is what statistics say of one column, made safe to reason with.
type bounds struct {
	min, max any  // nil: unknown
	nothing  bool // every value is null
	nulls    int64
	upper    bool // max bounds every value; of floats it leaves out NaN
}

// boundsOf distrusts bounds that cannot be right.
func boundsOf(t schema.Type, name string, stats Stats, rows int64) bounds {
	min, max, nulls, ok := stats(name)
	if !ok {
		return bounds{nulls: -1}
	}
	b := bounds{min: min, max: max, nulls: nulls, nothing: nulls >= rows && rows > 0}
	b.upper = t.Kind != schema.Float && t.Kind != schema.Double
	if order, ok := compareValues(min, max); min != nil && max != nil && (!ok || order > 0) {
		b.min, b.max = nil, nil
	}
	if isNaN(b.min) || isNaN(b.max) {
		b.min, b.max = nil, nil
	}
	if s, ok := b.min.(string); ok && t.Kind == schema.Char {
		b.min = strings.TrimRight(s, " ") // some writers pad the bound but not the values
	}
	return b
}

func isNaN(v any) bool {
	switch v := v.(type) {
	case float32:
		return math.IsNaN(float64(v))
	case float64:
		return math.IsNaN(v)
	}
	return false
}

// below tells whether a value below x (or equal, by the operator) is possible:
// whether op holds for the order of the smallest value to x.
func (b bounds) low(op Op, x any) bool {
	order, ok := compareValues(b.min, x)
	return b.min == nil || !ok || op.holds(order)
}

// high is low for the largest value.
func (b bounds) high(op Op, x any) bool {
	order, ok := compareValues(b.max, x)
	return b.max == nil || !ok || !b.upper || op.holds(order)
}

// holds tells whether a value equal to x is possible.
func (b bounds) holds(x any) bool { return isNaN(x) || b.low(Le, x) && (b.max == nil || b.reaches(x)) }

// reaches is high(Ge, x) for an x that is not NaN, where NaN values do not matter.
func (b bounds) reaches(x any) bool {
	order, ok := compareValues(b.max, x)
	return !ok || order >= 0
}

// only is the single value that the column has, if the bounds say so.
func (b bounds) only() (any, bool) {
	order, ok := compareValues(b.min, b.max)
	return b.min, ok && order == 0 && b.upper
}

func (c comparison) may(stats Stats, rows int64) bool {
	b := boundsOf(c.field.Type, c.field.Name, stats, rows)
	if b.nothing {
		return false
	}
	x := c.x.value
	switch op := c.op.over(c.x.fit); op {
	case Eq:
		return b.holds(x)
	case Ne:
		v, single := b.only()
		order, ok := compareValues(v, x)
		return !single || !ok || order != 0
	case Lt, Le:
		return b.low(op, x)
	case Gt, Ge:
		return b.high(op, x)
	default:
		return op == always
	}
}

func (m membership) may(stats Stats, rows int64) bool {
	b := boundsOf(m.field.Type, m.field.Name, stats, rows)
	if b.nothing {
		return false
	}
	if m.negated {
		v, single := b.only()
		return !single || !m.has(v)
	}
	for _, x := range m.values {
		if b.holds(x) {
			return true
		}
	}
	return false
}

// MayHold tells whether a row may match where has says of a column whether any
// row may have a value in it: comparisons with = and IN ask that, all other
// tests may match. Value is a metadata value of the column's type.
func (e Expr) MayHold(has func(f schema.Field, value any) bool) bool { return mayHold(e.node(), has) }

func mayHold(n node, has func(schema.Field, any) bool) bool {
	switch n := n.(type) {
	case list:
		for _, p := range n.parts {
			if mayHold(p, has) != n.and {
				return !n.and
			}
		}
		return n.and
	case comparison:
		return n.op != Eq || n.x.fit != literal.Exact || has(n.field, n.x.value)
	case membership:
		return n.negated || slices.ContainsFunc(n.values, func(v any) bool { return has(n.field, v) })
	}
	return true
}

func (t nullTest) may(stats Stats, rows int64) bool {
	_, _, nulls, ok := stats(t.name)
	switch {
	case !ok || nulls < 0:
		return true
	case t.negated:
		return rows <= 0 || nulls < rows
	}
	return nulls > 0
}

// A text lies between the bounds only if its prefix, cut to the prefix of the
// pattern, does.
func (p patternTest) may(stats Stats, rows int64) bool {
	b := boundsOf(p.field.Type, p.field.Name, stats, rows)
	if b.nothing {
		return false
	}
	min, okMin := b.min.(string)
	max, okMax := b.max.(string)
	if p.negated {
		switch {
		case !okMin || !okMax:
			return true
		case min == max:
			return !p.pattern.match(min)
		}
		// Between two texts with the same prefix lie only texts with that prefix.
		return !p.pattern.prefixOnly() || !strings.HasPrefix(min, p.pattern.prefix) || !strings.HasPrefix(max, p.pattern.prefix)
	}
	prefix := p.pattern.prefix
	switch {
	case okMax && max < prefix:
		return false
	case okMin && min > prefix && !strings.HasPrefix(min, prefix):
		return false
	case okMin && okMax && min == max:
		return p.pattern.match(min)
	}
	return true
}
