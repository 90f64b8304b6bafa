package predicate

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a piece of a filter's text.
type token struct {
	kind tokenKind
	text string // without quotes
	from int    // where it begins
}

type tokenKind uint8

const (
	endToken    tokenKind = iota
	nameToken             // a keyword, function or column
	quotedToken           // a column in quotes
	numberToken
	textToken
	hexToken
	signToken
)

// reserved words are no columns unless quoted.
var reserved = map[string]bool{"AND": true, "OR": true, "NOT": true, "IN": true, "BETWEEN": true, "IS": true,
	"NULL": true, "LIKE": true, "TRUE": true, "FALSE": true, "ESCAPE": true}

// quoteName prints a column's name so that it is read as one.
func quoteName(name string) string {
	word := strings.ToUpper(name)
	if nameLength(name) == len(name) && name != "" && !reserved[word] && word != "X" {
		switch word {
		case "DATE", "TIME", "TIMESTAMP", "STARTSWITH":
		default:
			return name
		}
	}
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

// nameLength is the length of the name that a text begins with, 0 for none.
func nameLength(text string) int {
	for i, r := range text {
		if r != '_' && r != '$' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return i
		}
	}
	return len(text)
}

func skipBlanks(text string, at int) int {
	for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
		at++
	}
	return at
}

// next tells whether the text behind the current token goes on with s.
func (p *parser) next(s string) bool { return strings.HasPrefix(p.text[skipBlanks(p.text, p.at):], s) }

// advance reads the next token.
func (p *parser) advance() {
	if p.err != nil {
		return
	}
	from := skipBlanks(p.text, p.at)
	rest := p.text[from:]
	p.tok, p.at = token{from: from}, from
	if rest == "" {
		return
	}
	switch c := rest[0]; {
	case c == '\'':
		p.quoted(textToken, from)
	case c == '`' || c == '"':
		p.quoted(quotedToken, from)
	case (c == 'x' || c == 'X') && strings.HasPrefix(rest[1:], "'"):
		p.quoted(hexToken, from+1)
	case c-'0' <= 9 || c == '.' && len(rest) > 1 && rest[1]-'0' <= 9:
		p.number(rest)
	case nameLength(rest) > 0:
		p.take(nameToken, nameLength(rest))
	default:
		for _, sign := range []string{"==", "!=", "<>", "<=", ">=", "||", "=", "<", ">", "(", ")", ",", ".", "+", "-", "*", "/", "%"} {
			if strings.HasPrefix(rest, sign) {
				p.take(signToken, len(sign))
				return
			}
		}
		_, size := utf8.DecodeRuneInString(rest)
		p.at += size
		p.tok.kind = signToken
		p.fail("which no filter contains")
	}
}

func (p *parser) take(kind tokenKind, n int) {
	p.tok.kind, p.tok.text = kind, p.text[p.at:p.at+n]
	p.at += n
}

// quoted reads a token in quotes, which are doubled within it.
func (p *parser) quoted(kind tokenKind, open int) {
	quote := p.text[open : open+1]
	var b strings.Builder
	for at := open + 1; ; {
		i := strings.Index(p.text[at:], quote)
		if i < 0 {
			p.stop(p.located("no closing " + quote))
			return
		}
		b.WriteString(p.text[at : at+i])
		at += i + 1
		if !strings.HasPrefix(p.text[at:], quote) {
			p.tok.kind, p.tok.text, p.at = kind, b.String(), at
			return
		}
		b.WriteString(quote)
		at++
	}
}

// number reads digits with a point and an exponent; what it means is settled later.
func (p *parser) number(rest string) {
	n := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if n < 0 {
		n = len(rest)
	}
	if n < len(rest) && rest[n]|0x20 == 'e' {
		e := n + 1
		if e < len(rest) && (rest[e] == '+' || rest[e] == '-') {
			e++
		}
		for digits := e; e < len(rest) && rest[e]-'0' <= 9; e++ {
			if e >= digits {
				n = e + 1
			}
		}
	}
	p.take(numberToken, n)
	if nameLength(p.text[p.at:]) > 0 || strings.Count(p.tok.text, ".") > 1 {
		p.at += nameLength(p.text[p.at:])
		p.fail("which is not a number")
	}
}
