package predicate

import (
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// Op is a comparison operator.
type Op uint8

// The operators. The two unnamed ones come of literals that the column's type cannot hold.
const (
	Eq Op = iota + 1
	Ne
	Lt
	Le
	Gt
	Ge
	never  // false for every value
	always // true for every value
)

var (
	opTexts   = [...]string{Eq: "=", Ne: "<>", Lt: "<", Le: "<=", Gt: ">", Ge: ">="}
	opNots    = [...]Op{Eq: Ne, Ne: Eq, Lt: Ge, Ge: Lt, Le: Gt, Gt: Le}
	opFlipped = [...]Op{Eq: Eq, Ne: Ne, Lt: Gt, Gt: Lt, Le: Ge, Ge: Le}
)

// String is the operator's sign.
func (op Op) String() string {
	if op >= Eq && op <= Ge {
		return opTexts[op]
	}
	return "?"
}

// holds tells what the operator says of an order: negative, zero or positive.
func (op Op) holds(order int) bool {
	switch op {
	case Eq:
		return order == 0
	case Ne:
		return order != 0
	case Lt:
		return order < 0
	case Le:
		return order <= 0
	case Gt:
		return order > 0
	case Ge:
		return order >= 0
	}
	return op == always
}

// over is the operator to use with the fitted value in place of the literal.
func (op Op) over(fit literal.Fit) Op {
	if fit == literal.Exact {
		return op
	}
	below := op == Lt || op == Le // the values that the literal is above
	switch {
	case op == Eq:
		return never
	case op == Ne:
		return always
	case fit == literal.Between && below:
		return Le
	case fit == literal.Between:
		return Gt
	case (fit == literal.TooLarge) == below:
		return always
	}
	return never
}

// column is the column of a test: its field and the Arrow type it has in batches.
type column struct {
	field schema.Field
	dt    arrow.DataType
}

func newColumn(f schema.Field) (column, error) {
	dt, err := schema.ArrowType(f.Type)
	return column{f, dt}, err
}

func (c column) columns(add func(string)) { add(c.field.Name) }

func (c column) print(b *strings.Builder) { b.WriteString(quoteName(c.field.Name)) }

// comparison is column op literal.
type comparison struct {
	column
	op   Op
	lit  lit
	x    fitted
	cell operand // x for the values of a batch
}

// Compare is f op literal. The literal is a metadata value of the column's type
// (see package schema), or any Go integer, float, string, bool, []byte or
// time.Time, compared by its exact value; nil makes the result unknown for
// every row. DATE and TIME take integers as days and milliseconds. The error
// is ErrInvalid when literal and column do not go together, ErrUnsupported for
// nested columns.
func Compare(f schema.Field, op Op, value any) (Expr, error) {
	if op < Eq || op > Ge {
		return Expr{}, fault.Invalid("no such comparison operator")
	}
	l, err := literalOf(f, value)
	if err != nil {
		return Expr{}, err
	}
	n, err := newComparison(f, op, l, time.UTC)
	return Expr{n}, err
}

// Between is true from lo to hi, both included.
func Between(f schema.Field, lo, hi any) (Expr, error) {
	low, err := Compare(f, Ge, lo)
	if err != nil {
		return Expr{}, err
	}
	high, err := Compare(f, Le, hi)
	return And(low, high), err
}

func newComparison(f schema.Field, op Op, l lit, loc *time.Location) (node, error) {
	c, err := newColumn(f)
	if err != nil {
		return nil, err
	}
	if l.kind == nullLit {
		return isUnknown, nil
	}
	x, l, err := l.fitTo(f, loc)
	if err != nil {
		return nil, err
	}
	return comparison{c, op, l, x, newOperand(f.Type, x)}, nil
}

func (c comparison) not() node {
	c.op = opNots[c.op]
	return c
}

func (c comparison) bind(find func(string) (schema.Field, error)) (node, error) {
	f, err := find(c.field.Name)
	if err != nil {
		return nil, err
	}
	return newComparison(f, c.op, c.lit, time.UTC)
}

func (c comparison) print(b *strings.Builder) {
	c.column.print(b)
	b.WriteString(" " + c.op.String() + " ")
	c.lit.print(b)
}

func (c comparison) match(value func(string) any) bool {
	v := value(c.field.Name)
	if v == nil {
		return false
	}
	op := c.op.over(c.x.fit)
	order, ok := compareValues(v, c.x.value)
	return op == always || ok && op.holds(order)
}

// membership is column [NOT] IN (literals). A null among them is not in the list.
type membership struct {
	column
	negated bool
	lits    []lit
	values  []any // those of lits that the type can hold
	set     operandSet
}

// In is true when f equals one of the values, which are those of Compare. With
// a nil among them it is never false: Not of it keeps no row.
func In(f schema.Field, values ...any) (Expr, error) {
	lits := make([]lit, len(values))
	for i, v := range values {
		var err error
		if lits[i], err = literalOf(f, v); err != nil {
			return Expr{}, err
		}
	}
	n, err := newMembership(f, false, lits, time.UTC)
	return Expr{n}.simple(), err
}

func newMembership(f schema.Field, negated bool, lits []lit, loc *time.Location) (node, error) {
	c, err := newColumn(f)
	if err != nil {
		return nil, err
	}
	m := membership{column: c, negated: negated}
	null := false
	for _, l := range lits {
		if l.kind == nullLit {
			null = true
			continue
		}
		x, l, err := l.fitTo(f, loc)
		if err != nil {
			return nil, err
		}
		m.lits = append(m.lits, l)
		if x.fit == literal.Exact {
			m.values = append(m.values, x.value)
			m.set.add(newOperand(f.Type, x))
		}
	}
	m.set.finish()
	switch {
	case len(m.lits) == 0 && null:
		return isUnknown, nil
	case len(m.lits) == 0 && negated:
		return isTrue, nil
	case len(m.lits) == 0:
		return isFalse, nil
	case null: // a IN (1, NULL) is a IN (1) OR unknown, and NOT of it a NOT IN (1) AND unknown
		return list{negated, []node{m, isUnknown}}, nil
	}
	return m, nil
}

func (m membership) not() node {
	m.negated = !m.negated
	return m
}

func (m membership) bind(find func(string) (schema.Field, error)) (node, error) {
	f, err := find(m.field.Name)
	if err != nil {
		return nil, err
	}
	return newMembership(f, m.negated, m.lits, time.UTC)
}

func (m membership) print(b *strings.Builder) {
	m.column.print(b)
	if m.negated {
		b.WriteString(" NOT")
	}
	b.WriteString(" IN (")
	for i, l := range m.lits {
		if i > 0 {
			b.WriteString(", ")
		}
		l.print(b)
	}
	b.WriteByte(')')
}

func (m membership) match(value func(string) any) bool {
	v := value(m.field.Name)
	return v != nil && m.has(v) != m.negated
}

func (m membership) has(v any) bool {
	for _, x := range m.values {
		if order, ok := compareValues(v, x); ok && order == 0 {
			return true
		}
	}
	return false
}

// nullTest is column IS [NOT] NULL, for columns of every type.
type nullTest struct {
	name    string
	negated bool
}

// IsNull is true where f is null, and false elsewhere.
func IsNull(f schema.Field) Expr { return Expr{nullTest{f.Name, false}} }

// IsNotNull is true where f is not null, and false elsewhere.
func IsNotNull(f schema.Field) Expr { return Expr{nullTest{f.Name, true}} }

func (t nullTest) not() node { return nullTest{t.name, !t.negated} }

func (t nullTest) match(value func(string) any) bool { return (value(t.name) == nil) != t.negated }

func (t nullTest) columns(add func(string)) { add(t.name) }

func (t nullTest) bind(find func(string) (schema.Field, error)) (node, error) {
	_, err := find(t.name)
	return t, err
}

func (t nullTest) print(b *strings.Builder) {
	b.WriteString(quoteName(t.name))
	if t.negated {
		b.WriteString(" IS NOT NULL")
	} else {
		b.WriteString(" IS NULL")
	}
}

// compareValues orders two metadata values; false when they are not of one type.
func compareValues(a, b any) (int, bool) {
	switch a := a.(type) {
	case bool:
		b, ok := b.(bool)
		return cmp.Compare(bit(a), bit(b)), ok
	case int8:
		b, ok := b.(int8)
		return cmp.Compare(a, b), ok
	case int16:
		b, ok := b.(int16)
		return cmp.Compare(a, b), ok
	case int32:
		b, ok := b.(int32)
		return cmp.Compare(a, b), ok
	case int64:
		b, ok := b.(int64)
		return cmp.Compare(a, b), ok
	case float32:
		b, ok := b.(float32)
		return compareFloats(float64(a), float64(b)), ok
	case float64:
		b, ok := b.(float64)
		return compareFloats(a, b), ok
	case string:
		b, ok := b.(string)
		return strings.Compare(a, b), ok
	case []byte:
		b, ok := b.([]byte)
		return strings.Compare(string(a), string(b)), ok
	case decimal128.Num:
		b, ok := b.(decimal128.Num)
		return a.Cmp(b), ok
	case schema.TimestampValue:
		b, ok := b.(schema.TimestampValue)
		return cmp.Or(cmp.Compare(a.Millis, b.Millis), cmp.Compare(a.Nanos, b.Nanos)), ok
	}
	return 0, false
}

// compareFloats is the total order: NaN last, -0 equal to 0.
func compareFloats(a, b float64) int {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		return cmp.Compare(bit(math.IsNaN(a)), bit(math.IsNaN(b)))
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
