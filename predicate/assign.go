package predicate

import (
	"strings"
	"time"

	"github.com/tidelake/tidelake/schema"
)

// ParseValue reads what an update sets column to: a literal as filters have
// them, cast as the column's type has it (CastLiteral), or the name of another
// column. NULL is nil without a name. The error is ErrInvalid and says where,
// or ErrUnsupported for functions and arithmetic.
func ParseValue(text string, column schema.Field, fields []schema.Field, loc *time.Location) (value any, from string, err error) {
	p := parser{text: text, fields: fields, loc: loc, what: "value"}
	p.advance()
	l, ok := p.literal()
	switch {
	case ok:
	case p.tok.kind == nameToken && p.next("("):
		p.mark = p.tok.from
		p.refuse("function "+p.tok.text, "compute the values in a program that uses the library")
	case p.tok.kind == nameToken, p.tok.kind == quotedToken:
		f, _ := p.column()
		from = f.Name
	default:
		p.fail("want a literal or a column")
	}
	if p.err == nil && p.tok.kind == signToken && strings.Contains("+-*/%|", p.tok.text[:1]) {
		p.mark = p.tok.from
		p.refuse("arithmetic", "compute the values in a program that uses the library")
	}
	if p.err == nil && p.tok.kind != endToken {
		p.fail("want the end")
	}
	if p.err != nil {
		return nil, "", p.err
	}
	if from != "" || l.kind == nullLit {
		return nil, from, nil
	}
	if value, err = CastLiteral(l.cellText(), column.Type, loc); err != nil {
		return nil, "", err
	}
	return value, "", nil
}

// cellText is a literal as a column's text.
func (l lit) cellText() string {
	if l.kind != boolLit {
		return l.text
	}
	if l.yes {
		return "true"
	}
	return "false"
}
