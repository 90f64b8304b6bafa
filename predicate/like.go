package predicate

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// pattern is a LIKE pattern, parted at its % signs: a text matches when it
// begins with the first segment, ends with the last, and has those between in
// order, without overlap.
type pattern struct {
	text     string
	escape   rune   // 0: none
	prefix   string // every text that matches begins with it
	segments []segment
}

// segment is a run of characters, some of which may be any.
type segment struct {
	plain string // without any-signs; else the pieces between them
	any   bool
	runes []rune // with anyRune for _; used when any is set
}

const anyRune = -1

// compile reads a pattern. An escape makes the sign behind it plain.
func compile(text string, escape rune) (pattern, error) {
	p := pattern{text: text, escape: escape}
	var runes []rune
	cut := func() {
		p.segments = append(p.segments, newSegment(runes))
		runes = nil
	}
	if !utf8.ValidString(text) {
		return p, errors.New("the pattern is not valid UTF-8")
	}
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			if r != '%' && r != '_' && r != escape {
				return p, fmt.Errorf("the escape character stands before %q, which needs none", r)
			}
			runes, escaped = append(runes, r), false
		case escape != 0 && r == escape:
			escaped = true
		case r == '%':
			cut()
		case r == '_':
			runes = append(runes, anyRune)
		default:
			runes = append(runes, r)
		}
	}
	if escaped {
		return p, errors.New("the pattern ends with its escape character")
	}
	cut()
	p.prefix = p.segments[0].head()
	return p, nil
}

func newSegment(runes []rune) segment {
	s := segment{runes: runes}
	for _, r := range runes {
		s.any = s.any || r == anyRune
	}
	if !s.any {
		s.plain = string(runes)
	}
	return s
}

// head is the segment up to its first any-sign.
func (s segment) head() string {
	for i, r := range s.runes {
		if r == anyRune {
			return string(s.runes[:i])
		}
	}
	return s.plain
}

// prefixOnly tells whether the pattern is a plain text and one % behind it.
func (p pattern) prefixOnly() bool {
	return len(p.segments) == 2 && !p.segments[0].any && len(p.segments[1].runes) == 0
}

// match tells whether the pattern covers the whole text.
func (p pattern) match(text string) bool {
	n, ok := p.segments[0].at(text)
	if !ok {
		return false
	}
	last := len(p.segments) - 1
	if last == 0 {
		return n == len(text)
	}
	text = text[n:]
	for _, s := range p.segments[1:last] {
		if text, ok = s.after(text); !ok {
			return false
		}
	}
	return p.segments[last].ends(text)
}

// at is the length of the segment at the begin of text.
func (s segment) at(text string) (int, bool) {
	if !s.any {
		return len(s.plain), strings.HasPrefix(text, s.plain)
	}
	at := 0
	for _, want := range s.runes {
		if at == len(text) {
			return 0, false
		}
		r, size := utf8.DecodeRuneInString(text[at:])
		if want != anyRune && want != r {
			return 0, false
		}
		at += size
	}
	return at, true
}

// after is the text behind the first place where the segment stands.
func (s segment) after(text string) (string, bool) {
	if !s.any {
		i := strings.Index(text, s.plain)
		if i < 0 {
			return "", false
		}
		return text[i+len(s.plain):], true
	}
	for {
		if n, ok := s.at(text); ok {
			return text[n:], true
		}
		if text == "" {
			return "", false
		}
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
}

// ends tells whether text ends with the segment.
func (s segment) ends(text string) bool {
	if !s.any {
		return strings.HasSuffix(text, s.plain)
	}
	from := len(text)
	for range s.runes {
		if from == 0 {
			return false
		}
		_, size := utf8.DecodeLastRuneInString(text[:from])
		from -= size
	}
	n, ok := s.at(text[from:])
	return ok && n == len(text)-from
}

// patternTest is column [NOT] LIKE pattern, or startswith(column, text).
type patternTest struct {
	column
	negated bool
	starts  bool // written as startswith
	pattern pattern
}

// Like is SQL's LIKE on a CHAR or VARCHAR column: % stands for any text, _ for
// one character, and a sign behind escape (0: there is none) for itself.
func Like(f schema.Field, text string, escape rune) (Expr, error) {
	p, err := compile(text, escape)
	if err != nil {
		return Expr{}, fault.Invalid("column " + f.Name + ": LIKE " + literal.Quote(text) + ": " + err.Error())
	}
	n, err := newPatternTest(f, patternTest{pattern: p})
	return Expr{n}, err
}

// StartsWith is true when the text of a CHAR or VARCHAR column begins with prefix.
func StartsWith(f schema.Field, prefix string) (Expr, error) {
	p := pattern{text: prefix, prefix: prefix, segments: []segment{{plain: prefix}, {}}}
	n, err := newPatternTest(f, patternTest{pattern: p, starts: true})
	return Expr{n}, err
}

func newPatternTest(f schema.Field, p patternTest) (node, error) {
	var err error
	if p.column, err = newColumn(f); err != nil {
		return nil, err
	}
	if f.Type.Kind != schema.Char && f.Type.Kind != schema.VarChar {
		return nil, fault.Invalid("column " + f.Name + " (" + literal.TypeName(f.Type) + ") is not text: LIKE and startswith need a CHAR or VARCHAR")
	}
	return p, nil
}

func (p patternTest) not() node {
	p.negated = !p.negated
	return p
}

func (p patternTest) match(value func(string) any) bool {
	s, ok := value(p.field.Name).(string)
	return ok && p.pattern.match(s) != p.negated
}

func (p patternTest) bind(find func(string) (schema.Field, error)) (node, error) {
	f, err := find(p.field.Name)
	if err != nil {
		return nil, err
	}
	return newPatternTest(f, p)
}

func (p patternTest) print(b *strings.Builder) {
	text := lit{kind: textLit, text: p.pattern.text}
	if p.starts {
		if p.negated {
			b.WriteString("NOT ")
		}
		b.WriteString("startswith(")
		p.column.print(b)
		b.WriteString(", ")
		text.print(b)
		b.WriteByte(')')
		return
	}
	p.column.print(b)
	if p.negated {
		b.WriteString(" NOT")
	}
	b.WriteString(" LIKE ")
	text.print(b)
	if p.pattern.escape != 0 {
		b.WriteString(" ESCAPE ")
		lit{kind: textLit, text: string(p.pattern.escape)}.print(b)
	}
}
