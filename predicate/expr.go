package predicate

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/schema"
)

// Expr is a filter. It is immutable and safe for concurrent use; copy it
// freely. The zero value keeps every row.
type Expr struct{ root node }

// node is a part of an expression. Its evaluations only tell true from the rest.
type node interface {
	not() node                                                  // the three-valued negation
	eval(b *batch, out bitset) error                            // sets the bits of the rows where it is true
	match(value func(field string) any) bool                    // whether it is true for one row
	may(stats Stats, rows int64) bool                           // false only if it is true for no row
	columns(add func(name string))                              // names its columns
	bind(find func(string) (schema.Field, error)) (node, error) // types it anew
	print(b *strings.Builder)                                   // appends its text
}

// True keeps every row, False none.
func True() Expr { return Expr{} }

// False keeps no row.
func False() Expr { return Expr{constant(isFalse)} }

// And is true when all of its parts are; of no parts it is True.
func And(parts ...Expr) Expr { return join(parts, true) }

// Or is true when one of its parts is; of no parts it is False.
func Or(parts ...Expr) Expr { return join(parts, false) }

// Not is true where e is false; where e is unknown it is unknown too.
func Not(e Expr) Expr { return Expr{e.node().not()}.simple() }

func (e Expr) node() node {
	if e.root == nil {
		return constant(isTrue)
	}
	return e.root
}

// simple makes a constant True the zero value.
func (e Expr) simple() Expr {
	if e.root == constant(isTrue) {
		return Expr{}
	}
	return e
}

// join makes one flat list of parts; and says of which kind. A part that
// decides (FALSE in AND, TRUE in OR) stands for all, one that does nothing is
// left out; unknown is neither.
func join(parts []Expr, and bool) Expr {
	decides, idle := constant(isFalse), constant(isTrue)
	if !and {
		decides, idle = idle, decides
	}
	var flat []node
	for _, p := range parts {
		switch n := p.node().(type) {
		case list:
			if n.and == and {
				flat = append(flat, n.parts...)
				continue
			}
			flat = append(flat, n)
		case constant:
			if n == decides {
				return Expr{n}.simple()
			}
			if n != idle {
				flat = append(flat, n)
			}
		default:
			flat = append(flat, n)
		}
	}
	switch len(flat) {
	case 0:
		return Expr{idle}.simple()
	case 1:
		return Expr{flat[0]}
	}
	return Expr{list{and, flat}}
}

// IsTrue tells whether e is the constant True, as the zero value is.
func (e Expr) IsTrue() bool { return e.node() == constant(isTrue) }

// String is a text that Parse reads back as the same filter; TIMESTAMP_LTZ
// literals are printed in UTC.
func (e Expr) String() string {
	var b strings.Builder
	e.node().print(&b)
	return b.String()
}

// Fields lists the columns that e reads, each once, in the order of their first use.
func (e Expr) Fields() []string {
	var names []string
	e.node().columns(func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// Bind types the same filter for other columns of the same names, such as those
// of another schema of the table. A literal keeps its exact meaning. The errors
// are those of Parse.
func (e Expr) Bind(fields []schema.Field) (Expr, error) {
	n, err := e.node().bind(func(name string) (schema.Field, error) { return findField(fields, name) })
	return Expr{n}.simple(), err
}

func findField(fields []schema.Field, name string) (schema.Field, error) {
	names := make([]string, len(fields))
	for i, f := range fields {
		if f.Name == name {
			return f, nil
		}
		names[i] = f.Name
	}
	return schema.Field{}, fault.Invalid("no column is named " + literal.Quote(name) + literal.DidYouMean(name, names))
}

// Split gives the parts of e that are joined by AND at the top; none for True.
func (e Expr) Split() []Expr {
	if e.IsTrue() {
		return nil
	}
	l, ok := e.root.(list)
	if !ok || !l.and {
		return []Expr{e}
	}
	parts := make([]Expr, len(l.parts))
	for i, n := range l.parts {
		parts[i] = Expr{n}
	}
	return parts
}

// OnlyFields parts e into a filter that reads only the named columns, and the
// rest: And(part, rest) keeps the rows that e keeps.
func (e Expr) OnlyFields(names map[string]bool) (part, rest Expr) {
	var inside, outside []Expr
	for _, p := range e.Split() {
		if slices.ContainsFunc(p.Fields(), func(name string) bool { return !names[name] }) {
			outside = append(outside, p)
		} else {
			inside = append(inside, p)
		}
	}
	return And(inside...), And(outside...)
}

// Match tells whether e is true for one row, given as metadata values (see
// package schema) by column name; nil is null.
func (e Expr) Match(value func(field string) any) bool { return e.node().match(value) }

// Stats gives what is known of a column in a set of rows: bounds on its values
// that are not null, in the column's own type (nil: unknown), and how many
// are null (negative: unknown). The bounds need not be values: a shortened
// text will do. ok is false when nothing is known.
type Stats = func(field string) (min, max any, nulls int64, ok bool)

// MayMatch is false only when e is true for none of the rows that stats
// describes; rows is their number, 0 when unknown. For partition columns pass
// the value as both bounds. Bounds of another type than the column's are taken
// as unknown, but a DECIMAL bound must have the column's scale.
func (e Expr) MayMatch(stats Stats, rows int64) bool { return e.node().may(stats, rows) }

// Select gathers the given rows of a batch, as Filter returns them; consecutive
// rows share the batch's memory. The caller releases the result.
func Select(rec arrow.RecordBatch, rows []int32, alloc memory.Allocator) (arrow.RecordBatch, error) {
	return take.Record(rec, rows, alloc)
}

// constant is a truth value.
type constant uint8

const (
	isFalse constant = iota
	isTrue
	isUnknown
)

func (c constant) not() node {
	switch c {
	case isTrue:
		return isFalse
	case isFalse:
		return isTrue
	}
	return c
}

func (c constant) eval(b *batch, out bitset) error {
	if c == isTrue {
		out.fill(b.rows)
	}
	return nil
}

func (c constant) match(func(string) any) bool { return c == isTrue }
func (c constant) may(Stats, int64) bool       { return c == isTrue }
func (c constant) columns(func(string))        {}

func (c constant) bind(func(string) (schema.Field, error)) (node, error) { return c, nil }

func (c constant) print(b *strings.Builder) { b.WriteString([]string{"FALSE", "TRUE", "NULL"}[c]) }

// list is parts joined by AND, or by OR. No part of it is a list of the same kind.
type list struct {
	and   bool
	parts []node
}

func (l list) not() node {
	parts := make([]node, len(l.parts))
	for i, p := range l.parts {
		parts[i] = p.not()
	}
	return list{!l.and, parts}
}

func (l list) eval(b *batch, out bitset) error {
	if err := l.parts[0].eval(b, out); err != nil {
		return err
	}
	next := b.borrow()
	defer b.giveBack(next)
	for _, p := range l.parts[1:] {
		if l.and && out.empty() || !l.and && out.full(b.rows) {
			return nil
		}
		clear(next)
		if err := p.eval(b, next); err != nil {
			return err
		}
		if l.and {
			out.and(next)
		} else {
			out.or(next)
		}
	}
	return nil
}

func (l list) match(value func(string) any) bool {
	for _, p := range l.parts {
		if p.match(value) != l.and {
			return !l.and
		}
	}
	return l.and
}

func (l list) may(stats Stats, rows int64) bool {
	for _, p := range l.parts {
		if p.may(stats, rows) != l.and {
			return !l.and
		}
	}
	return l.and
}

func (l list) columns(add func(string)) {
	for _, p := range l.parts {
		p.columns(add)
	}
}

func (l list) bind(find func(string) (schema.Field, error)) (node, error) {
	parts := make([]Expr, len(l.parts))
	for i, p := range l.parts {
		n, err := p.bind(find)
		if err != nil {
			return nil, err
		}
		parts[i] = Expr{n}
	}
	return join(parts, l.and).node(), nil
}

func (l list) print(b *strings.Builder) {
	for i, p := range l.parts {
		if i > 0 {
			b.WriteString(map[bool]string{true: " AND ", false: " OR "}[l.and])
		}
		if _, nested := p.(list); nested {
			b.WriteByte('(')
			p.print(b)
			b.WriteByte(')')
		} else {
			p.print(b)
		}
	}
}
