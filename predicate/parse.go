package predicate

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

const (
	maxText  = 1 << 20 // bytes of a filter
	maxDepth = 200     // parentheses and NOTs within each other
)

// Parse reads a filter (the grammar is in the package's text) over the given
// columns. loc is the zone of TIMESTAMP_LTZ literals without an offset; nil is
// UTC. The error is ErrInvalid and says where, or ErrUnsupported for what SQL
// has and a filter does not: functions, arithmetic, two columns compared,
// members of nested columns.
func Parse(text string, fields []schema.Field, loc *time.Location) (Expr, error) {
	p := parser{text: text, fields: fields, loc: loc, what: "filter"}
	switch {
	case len(text) > maxText:
		return Expr{}, fault.Invalid(fmt.Sprintf("filter: longer than %d bytes", maxText))
	case !utf8.ValidString(text):
		return Expr{}, fault.Invalid("filter: not valid UTF-8")
	}
	p.advance()
	e := p.or()
	if p.err == nil && p.tok.kind != endToken {
		p.fail("want AND, OR or the end")
	}
	if p.err != nil {
		return Expr{}, p.err
	}
	return e.simple(), nil
}

// parser reads by recursive descent. After an error every token is the end,
// so that all loops stop, and the first error stays.
type parser struct {
	text   string
	what   string // filter or value, in messages
	at     int    // behind the current token
	mark   int    // where the column or literal begins that an error would be about
	tok    token
	fields []schema.Field
	loc    *time.Location
	depth  int
	err    error
}

func (p *parser) stop(err error) {
	if p.err == nil {
		p.err = err
	}
	p.tok = token{kind: endToken, from: len(p.text)}
	p.at = len(p.text)
}

// fail reports what was wanted at the current token.
func (p *parser) fail(want string) {
	found := "the end"
	if p.tok.kind != endToken {
		found = shorten(p.text[p.tok.from:p.at])
	}
	p.stop(p.located("found " + found + ", " + want))
}

func (p *parser) located(detail string) error {
	return fault.Invalid(fmt.Sprintf("%s: at character %d: %s", p.what, utf8.RuneCountInString(p.text[:p.tok.from])+1, detail))
}

// report passes on an error about columns and values.
func (p *parser) report(err error) {
	if err != nil {
		p.stop(fmt.Errorf("%s: at character %d: %w", p.what, utf8.RuneCountInString(p.text[:p.mark])+1, err))
	}
}

func (p *parser) refuse(feature, instead string) {
	p.report(fault.Unsupported(feature+" in a "+p.what, instead))
}

// keyword takes a keyword if it is next.
func (p *parser) keyword(word string) bool {
	if p.tok.kind == nameToken && strings.EqualFold(p.tok.text, word) {
		p.advance()
		return true
	}
	return false
}

func (p *parser) sign(s string) bool {
	if p.tok.kind == signToken && p.tok.text == s {
		p.advance()
		return true
	}
	return false
}

func (p *parser) want(s string) {
	if !p.sign(s) {
		p.fail("want " + s)
	}
}

// deeper guards the stack around a recursion.
func (p *parser) deeper(read func() Expr) Expr {
	if p.depth++; p.depth > maxDepth {
		p.stop(p.located("nested too deep"))
		return Expr{}
	}
	e := read()
	p.depth--
	return e
}

func (p *parser) or() Expr {
	parts := []Expr{p.and()}
	for p.keyword("OR") {
		parts = append(parts, p.and())
	}
	return Or(parts...)
}

func (p *parser) and() Expr {
	parts := []Expr{p.negation()}
	for p.keyword("AND") {
		parts = append(parts, p.negation())
	}
	return And(parts...)
}

func (p *parser) negation() Expr {
	if p.keyword("NOT") {
		return Not(p.deeper(p.negation))
	}
	if p.sign("(") {
		e := p.deeper(p.or)
		p.want(")")
		return e
	}
	return p.test()
}

func (p *parser) test() Expr {
	if l, ok := p.literal(); ok {
		return p.literalFirst(l)
	}
	if p.tok.kind != nameToken && p.tok.kind != quotedToken {
		p.fail("want a column, NOT or (")
		return Expr{}
	}
	if p.tok.kind == nameToken && p.next("(") {
		return p.function()
	}
	f, ok := p.column()
	if !ok {
		return Expr{}
	}
	return p.columnFirst(f)
}

// literalFirst reads a truth value, or literal op column.
func (p *parser) literalFirst(l lit) Expr {
	op, ok := p.operator()
	if !ok {
		switch {
		case l.kind == nullLit:
			return Expr{isUnknown}
		case l.kind == boolLit && l.yes:
			return True()
		case l.kind == boolLit:
			return False()
		}
		p.fail("want an operator behind the literal")
		return Expr{}
	}
	if p.tok.kind != nameToken && p.tok.kind != quotedToken {
		p.fail("want a column: a literal can be compared with a column only")
		return Expr{}
	}
	f, ok := p.column()
	if !ok {
		return Expr{}
	}
	return p.compare(f, opFlipped[op], l)
}

func (p *parser) compare(f schema.Field, op Op, l lit) Expr {
	n, err := newComparison(f, op, l, p.loc)
	p.report(err)
	return Expr{n}
}

// columnFirst reads what may stand behind a column.
func (p *parser) columnFirst(f schema.Field) Expr {
	if op, ok := p.operator(); ok {
		return p.compare(f, op, p.operand())
	}
	if p.keyword("IS") {
		not := p.keyword("NOT")
		if !p.keyword("NULL") {
			p.fail("want NULL")
		}
		return Expr{nullTest{f.Name, not}}
	}
	not := p.keyword("NOT")
	switch {
	case p.keyword("IN"):
		n, err := newMembership(f, not, p.list(), p.loc)
		p.report(err)
		return Expr{n}.simple()
	case p.keyword("BETWEEN"):
		low := p.compare(f, Ge, p.operand())
		if !p.keyword("AND") {
			p.fail("want AND")
		}
		return p.maybeNot(not, And(low, p.compare(f, Le, p.operand())))
	case p.keyword("LIKE"):
		return p.maybeNot(not, p.like(f))
	case not:
		p.fail("want IN, BETWEEN or LIKE")
		return Expr{}
	}
	if p.tok.kind == signToken && strings.Contains("+-*/%|", p.tok.text[:1]) {
		p.mark = p.tok.from
		p.refuse("arithmetic", "compare the column itself with a value")
		return Expr{}
	}
	if f.Type.Kind != schema.Boolean {
		p.fail("want an operator behind column " + f.Name)
		return Expr{}
	}
	return p.compare(f, Eq, lit{kind: boolLit, yes: true})
}

func (p *parser) maybeNot(not bool, e Expr) Expr {
	if not && p.err == nil {
		return Not(e)
	}
	return e
}

func (p *parser) operator() (Op, bool) {
	ops := map[string]Op{"=": Eq, "==": Eq, "!=": Ne, "<>": Ne, "<": Lt, "<=": Le, ">": Gt, ">=": Ge}
	op, ok := ops[p.tok.text]
	if ok = ok && p.tok.kind == signToken; ok {
		p.advance()
	}
	return op, ok
}

// operand reads the literal that a column is compared with.
func (p *parser) operand() lit {
	p.mark = p.tok.from
	l, ok := p.literal()
	switch {
	case ok:
	case p.tok.kind == quotedToken, p.tok.kind == nameToken && !reserved[strings.ToUpper(p.tok.text)]:
		if p.tok.kind == nameToken && p.next("(") {
			p.refuse("function "+p.tok.text, "compare a column with a literal")
			break
		}
		if !slices.ContainsFunc(p.fields, func(f schema.Field) bool { return f.Name == p.tok.text }) {
			p.fail("want a literal, and text stands in single quotes")
			break
		}
		if f, ok := p.column(); ok {
			p.refuse("comparing with another column ("+f.Name+")", "compare with a literal; text stands in single quotes")
		}
	default:
		p.fail("want a literal")
	}
	return l
}

func (p *parser) list() []lit {
	p.want("(")
	lits := []lit{p.operand()}
	for p.sign(",") {
		lits = append(lits, p.operand())
	}
	p.want(")")
	return lits
}

func (p *parser) like(f schema.Field) Expr {
	text, ok := p.string()
	if !ok {
		p.fail("want a pattern in single quotes")
		return Expr{}
	}
	escape := rune(0)
	if p.keyword("ESCAPE") {
		sign, ok := p.string()
		if !ok || utf8.RuneCountInString(sign) != 1 {
			p.fail("want one character in single quotes behind ESCAPE")
			return Expr{}
		}
		escape, _ = utf8.DecodeRuneInString(sign)
	}
	e, err := Like(f, text, escape)
	p.report(err)
	return e
}

func (p *parser) string() (string, bool) {
	text, ok := p.tok.text, p.tok.kind == textToken
	if ok {
		p.advance()
	}
	return text, ok
}

func (p *parser) function() Expr {
	if !strings.EqualFold(p.tok.text, "startswith") {
		p.mark = p.tok.from
		p.refuse("function "+p.tok.text, "use comparisons, LIKE or startswith")
		return Expr{}
	}
	p.advance()
	p.want("(")
	if p.tok.kind != nameToken && p.tok.kind != quotedToken {
		p.fail("want a column")
	}
	f, ok := p.column()
	if !ok {
		return Expr{}
	}
	p.want(",")
	prefix, ok := p.string()
	if !ok {
		p.fail("want a text in single quotes")
		return Expr{}
	}
	p.want(")")
	e, err := StartsWith(f, prefix)
	p.report(err)
	return e
}

// column takes the name of a column.
func (p *parser) column() (schema.Field, bool) {
	if p.err != nil {
		return schema.Field{}, false
	}
	p.mark = p.tok.from
	if p.tok.kind == nameToken && reserved[strings.ToUpper(p.tok.text)] {
		p.fail("want a column; quote a column of this name with `")
		return schema.Field{}, false
	}
	if p.next(".") {
		p.refuse("member of nested column "+p.tok.text, "filter on top-level columns")
		return schema.Field{}, false
	}
	f, err := findField(p.fields, p.tok.text)
	if err != nil {
		p.report(err)
		return f, false
	}
	p.advance()
	return f, true
}

// literal takes a literal if one is next.
func (p *parser) literal() (lit, bool) {
	t := p.tok
	switch t.kind {
	case numberToken:
		p.advance()
		return lit{kind: numberLit, text: t.text}, true
	case textToken:
		p.advance()
		return lit{kind: textLit, text: t.text}, true
	case hexToken:
		p.advance()
		return lit{kind: binaryLit, text: t.text}, true
	case signToken:
		if t.text == "-" || t.text == "+" {
			return p.signed(t.text)
		}
	case nameToken:
		switch strings.ToUpper(t.text) {
		case "NULL":
			p.advance()
			return lit{}, true
		case "TRUE", "FALSE":
			p.advance()
			return lit{kind: boolLit, yes: len(t.text) == len("TRUE")}, true
		case "DATE", "TIME", "TIMESTAMP":
			return p.typed(strings.ToUpper(t.text))
		}
	}
	return lit{}, false
}

func (p *parser) signed(sign string) (lit, bool) {
	p.advance()
	if p.tok.kind != numberToken {
		p.fail("want a number behind " + sign)
		return lit{}, true
	}
	l := lit{kind: numberLit, text: p.tok.text}
	if sign == "-" {
		l.text = "-" + l.text
	}
	p.advance()
	return l, true
}

// typed reads DATE 'd' and its like; without the text it is a column's name.
func (p *parser) typed(word string) (lit, bool) {
	if !p.next("'") {
		return lit{}, false
	}
	p.advance()
	l := lit{kind: map[string]litKind{"DATE": dateLit, "TIME": timeLit, "TIMESTAMP": timestampLit}[word], text: p.tok.text}
	check := func() error { _, err := literal.ParseDateTime(l.text); return err }
	if word == "TIME" {
		check = func() error { _, _, err := literal.ParseTime(l.text); return err }
	}
	if err := check(); err != nil {
		p.stop(p.located(fmt.Sprintf("%s %s %v", word, literal.Quote(l.text), err)))
	}
	p.advance()
	return l, true
}
