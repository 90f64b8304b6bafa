package schema

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token of type text. Words are upper-cased copies for keywords; text keeps
// what was written, with quotes resolved.
type token struct {
	kind tokenKind
	pos  int    // byte offset in the input
	text string // the symbol, the digits, the word, or the unquoted content
}

type tokenKind uint8

const (
	tokenEnd    tokenKind = iota
	tokenSymbol           // < > ( ) , . :
	tokenNumber           // digits
	tokenWord             // a keyword or a bare name
	tokenName             // `quoted name`
	tokenString           // 'text'
	tokenBad              // a quote that never closes
)

const symbols = "<>(),.:"

// nextToken reads the token that starts at or after pos and the offset behind it.
func nextToken(s string, pos int) (token, int) {
	for pos < len(s) {
		r, n := utf8.DecodeRuneInString(s[pos:])
		if !unicode.IsSpace(r) {
			break
		}
		pos += n
	}
	if pos >= len(s) {
		return token{kind: tokenEnd, pos: len(s)}, len(s)
	}
	switch c := s[pos]; {
	case strings.IndexByte(symbols, c) >= 0:
		return token{tokenSymbol, pos, s[pos : pos+1]}, pos + 1
	case c == '\'':
		return quoted(s, pos, tokenString)
	case c == '`':
		return quoted(s, pos, tokenName)
	case c >= '0' && c <= '9':
		end := pos
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		return token{tokenNumber, pos, s[pos:end]}, end
	}
	end := pos
	for end < len(s) {
		r, n := utf8.DecodeRuneInString(s[end:])
		if unicode.IsSpace(r) || strings.ContainsRune(symbols+"'`", r) {
			break
		}
		end += n
	}
	return token{tokenWord, pos, s[pos:end]}, end
}

// quoted reads text between two equal quotes; a doubled quote stands for itself.
func quoted(s string, pos int, kind tokenKind) (token, int) {
	quote := s[pos]
	var b strings.Builder
	for i := pos + 1; i < len(s); i++ {
		if s[i] != quote {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		return token{kind, pos, b.String()}, i + 1
	}
	return token{tokenBad, pos, s[pos:]}, len(s)
}
