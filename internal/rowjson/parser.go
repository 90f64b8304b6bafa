package rowjson

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
)

// parser walks the JSON text of one row. It checks what it walks over, and
// leaves values in place: a number is a part of the text, a string too unless
// it has escapes.
type parser struct {
	text    []byte
	at      int
	depth   int
	scratch []byte // of strings with escapes
}

// syntaxError is a text that is not JSON.
type syntaxError struct {
	at     int
	reason string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("not valid JSON at byte %d: %s", e.at+1, e.reason)
}

func (p *parser) bad(reason string) error { return &syntaxError{p.at, reason} }

func (p *parser) reset(text []byte) { p.text, p.at, p.depth = text, 0, 0 }

// peek skips blanks and returns the next byte, 0 at the end.
func (p *parser) peek() byte {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return c
		}
	}
	return 0
}

// take skips blanks and the given byte.
func (p *parser) take(c byte) bool {
	if p.peek() != c || p.at >= len(p.text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(c byte) error {
	if !p.take(c) {
		return p.bad(fmt.Sprintf("want %q", c))
	}
	return nil
}

// open enters an array or an object and tells whether it is empty.
func (p *parser) open(start, end byte) (empty bool, err error) {
	if err := p.expect(start); err != nil {
		return false, err
	}
	if p.depth++; p.depth > maxDepth {
		return false, p.bad("nested too deep")
	}
	if p.take(end) {
		p.depth--
		return true, nil
	}
	return false, nil
}

// more tells after an element whether another one follows.
func (p *parser) more(end byte) (bool, error) {
	if p.take(',') {
		return true, nil
	}
	if p.take(end) {
		p.depth--
		return false, nil
	}
	return false, p.bad(fmt.Sprintf("want ',' or %q", end))
}

// word takes true, false or null.
func (p *parser) word(w string) bool {
	p.peek()
	end := p.at + len(w)
	if end > len(p.text) || string(p.text[p.at:end]) != w {
		return false
	}
	if end < len(p.text) && isWord(p.text[end]) {
		return false
	}
	p.at = end
	return true
}

func isWord(c byte) bool { return c|0x20-'a' < 26 || c-'0' < 10 || c == '_' }

// number takes a JSON number. The text lives as long as the row's.
func (p *parser) number() (string, error) {
	p.peek()
	b, start := p.text, p.at
	i := start
	if i < len(b) && b[i] == '-' {
		i++
	}
	digits := func() bool {
		from := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	first := i
	ok := digits()
	if ok && b[first] == '0' && i-first > 1 {
		ok = false
	}
	if ok && i < len(b) && b[i] == '.' {
		i++
		ok = digits()
	}
	if ok && i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		ok = digits()
	}
	if !ok || i < len(b) && isWord(b[i]) {
		return "", p.bad("malformed number")
	}
	p.at = i
	return view(b[start:i]), nil
}

// str takes a JSON string. The bytes live until the next call, or the row ends.
func (p *parser) str() ([]byte, error) {
	if err := p.expect('"'); err != nil {
		return nil, err
	}
	b, start := p.text, p.at
	ascii := byte(0)
	for i := start; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			p.at = i + 1
			if ascii >= utf8.RuneSelf && !utf8.Valid(b[start:i]) {
				return nil, p.bad("string is not valid UTF-8")
			}
			return b[start:i], nil
		case c == '\\':
			p.at = i
			return p.escaped(b[start:i])
		case c < ' ':
			p.at = i
			return nil, p.bad("control character in a string")
		default:
			ascii |= c
		}
	}
	p.at = len(b)
	return nil, p.bad("unfinished string")
}

// escaped takes the rest of a string from its first backslash on.
func (p *parser) escaped(head []byte) ([]byte, error) {
	out := append(p.scratch[:0], head...)
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			p.scratch = out
			if !utf8.Valid(out) {
				return nil, p.bad("string is not valid UTF-8")
			}
			return out, nil
		case c < ' ':
			return nil, p.bad("control character in a string")
		case c != '\\':
			out = append(out, c)
			continue
		}
		var err error
		if out, err = p.escape(out); err != nil {
			return nil, err
		}
	}
	return nil, p.bad("unfinished string")
}

// escape appends what follows a backslash.
func (p *parser) escape(out []byte) ([]byte, error) {
	if p.at >= len(p.text) {
		return nil, p.bad("unfinished string")
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		r, ok := p.hex4()
		if ok && utf16.IsSurrogate(r) { // a character beyond 16 bits comes as two
			ok = p.at+1 < len(p.text) && p.text[p.at] == '\\' && p.text[p.at+1] == 'u'
			if ok {
				p.at += 2
				var low rune
				low, ok = p.hex4()
				r = utf16.DecodeRune(r, low)
				ok = ok && r != utf8.RuneError
			}
		}
		if ok {
			return utf8.AppendRune(out, r), nil
		}
	}
	return nil, p.bad("malformed escape")
}

func (p *parser) hex4() (rune, bool) {
	if p.at+4 > len(p.text) {
		return 0, false
	}
	var b [2]byte
	if _, ok := literal.DecodeHex(b[:0], view(p.text[p.at:p.at+4])); !ok {
		return 0, false
	}
	p.at += 4
	return rune(b[0])<<8 | rune(b[1]), true
}

// skip walks over one value of any kind.
func (p *parser) skip() error {
	switch c := p.peek(); {
	case c == '"':
		_, err := p.str()
		return err
	case c == '[':
		return p.skipAll('[', ']')
	case c == '{':
		return p.skipAll('{', '}')
	case c == '-' || c-'0' <= 9:
		_, err := p.number()
		return err
	case p.word("true") || p.word("false") || p.word("null"):
		return nil
	}
	return p.bad("want a value")
}

func (p *parser) skipAll(start, end byte) error {
	empty, err := p.open(start, end)
	for more := !empty; more && err == nil; {
		if start == '{' {
			if _, err = p.str(); err == nil {
				err = p.expect(':')
			}
			if err != nil {
				return err
			}
		}
		if err = p.skip(); err == nil {
			more, err = p.more(end)
		}
	}
	return err
}

// finish checks that nothing follows the row.
func (p *parser) finish() error {
	if p.peek(); p.at < len(p.text) {
		return p.bad("text after the row")
	}
	return nil
}

// excerpt is the value that starts at a place, shortened for an error; the parser is left at the value's end.
func (p *parser) excerpt(start int) (string, error) {
	p.at = start
	if err := p.skip(); err != nil {
		return "", err
	}
	const most = 60
	text := p.text[start:p.at]
	if len(text) <= most {
		return string(text), nil
	}
	cut := most
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return string(text[:cut]) + "...", nil
}

// view is the bytes as a string without a copy, for as long as they do not change.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
