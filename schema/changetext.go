package schema

import (
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// ParseChange reads one change of a column as people write it. Verb and text
// are
//
//	add       c TYPE [DEFAULT 'text'] [COMMENT 'text'] [FIRST | LAST | AFTER a | BEFORE a]
//	drop      c
//	rename    c [TO] d
//	type      c TYPE [NULL | NOT NULL]        without either, nullability stays
//	nullable  c
//	not-null  c
//	default   c ['text' | NULL]               NULL or nothing removes it
//	comment   c ['text' | NULL]
//	move      c FIRST | LAST | AFTER a | BEFORE a
//
// where c is a path as of ParsePath. Names that are no plain words stand in
// backquotes, texts that are no plain words in quotes. Adding a column with a
// default is two changes.
func ParseChange(verb, text string) ([]Change, error) {
	p := typeParser{text: text}
	p.advance()
	path := p.path()
	var out []Change
	switch verb {
	case "add":
		out = p.addition(path)
	case "drop":
		out = []Change{DropColumn{path}}
	case "rename":
		to := p.columnName()
		if strings.EqualFold(to, "to") && p.tok.kind != tokenEnd {
			to = p.columnName()
		}
		out = []Change{RenameColumn{path, to}}
	case "type":
		out = []Change{p.retyping(path)}
	case "nullable", "not-null":
		out = []Change{UpdateColumnNullability{path, verb == "nullable"}}
	case "default":
		if len(path) > 1 {
			p.fail("a default belongs to a whole column")
		} else {
			out = []Change{UpdateColumnDefaultValue{strings.Join(path, ""), p.literal()}}
		}
	case "comment":
		c := UpdateColumnComment{Path: path}
		if words := p.literal(); words != nil {
			c.Comment = *words
		}
		out = []Change{c}
	case "move":
		out = []Change{UpdateColumnPosition{path, p.position()}}
	default:
		return nil, fault.Invalid("no change " + quoteShort(verb))
	}
	if p.err == nil && p.tok.kind != tokenEnd {
		p.fail("unexpected %q", p.tok.text)
	}
	if p.err != nil {
		return nil, fault.Invalid(verb + ": " + strings.TrimPrefix(p.err.Error(), "invalid: type "))
	}
	return out, nil
}

func (p *typeParser) columnName() string {
	name := p.tok.text
	if p.tok.kind != tokenWord && p.tok.kind != tokenName || name == "" {
		p.fail("a column name expected, in backquotes if it is no plain word")
		return ""
	}
	p.advance()
	return name
}

func (p *typeParser) path() Path {
	path := Path{p.columnName()}
	for p.err == nil && p.acceptSymbol(".") {
		path = append(path, p.columnName())
	}
	return path
}

func (p *typeParser) addition(path Path) []Change {
	c := AddColumn{Path: path, Type: p.parseType(1)}
	var byDefault *string
	for p.err == nil && p.tok.kind != tokenEnd {
		switch {
		case byDefault == nil && p.acceptWord("DEFAULT"):
			byDefault = p.literal()
		case c.Comment == "" && p.acceptWord("COMMENT"):
			if words := p.literal(); words != nil {
				c.Comment = *words
			}
		default:
			c.Position = p.position()
			if p.err == nil && p.tok.kind != tokenEnd {
				p.fail("unexpected %q after the position", p.tok.text)
			}
		}
	}
	if byDefault == nil {
		return []Change{c}
	}
	if len(path) > 1 {
		p.fail("a default belongs to a whole column")
	}
	return []Change{c, UpdateColumnDefaultValue{path[0], byDefault}}
}

// retyping keeps the nullability of the column where the text says nothing about it.
func (p *typeParser) retyping(path Path) Change {
	t := p.parseType(1)
	words := strings.Fields(strings.ToUpper(p.text))
	said := len(words) > 1 && words[len(words)-1] == "NULL"
	return UpdateColumnType{Path: path, Type: t, KeepNullability: !said}
}

// literal is a quoted text, a word or a number with its sign and fraction; nil for NULL and for nothing.
func (p *typeParser) literal() *string {
	switch p.tok.kind {
	case tokenEnd:
		return nil
	case tokenString:
		text := p.tok.text
		p.advance()
		return &text
	case tokenSymbol:
		p.fail("a text in quotes expected")
		return nil
	}
	if p.acceptWord("NULL") {
		return nil
	}
	// A bare value goes on to the next blank.
	rest := p.text[p.tok.pos:]
	end := strings.IndexAny(rest, " \t\n")
	if end < 0 {
		end = len(rest)
	}
	text := rest[:end]
	p.next = p.tok.pos + end
	p.advance()
	return &text
}

func (p *typeParser) position() Position {
	switch {
	case p.acceptWord("FIRST"):
		return First()
	case p.acceptWord("LAST"):
		return Last()
	case p.acceptWord("AFTER"):
		return After(p.columnName())
	case p.acceptWord("BEFORE"):
		return Before(p.columnName())
	}
	p.fail("FIRST, LAST, AFTER or BEFORE expected")
	return Position{}
}
