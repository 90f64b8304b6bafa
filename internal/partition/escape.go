package partition

import (
	"strings"
	"unicode"
)

const hexDigits = "0123456789ABCDEF"

// escaped are the characters that directories never hold as they are, besides
// the control characters.
const escaped = "\"#%'*/:=?\\{}[]^\x7f"

func needsEscape(c byte) bool { return c < 0x20 || strings.IndexByte(escaped, c) >= 0 }

// Escape makes a text fit for one element of a path: control characters and
// "#%'*/:=?\{}[]^ become %XX.
func Escape(s string) string {
	n := 0
	for i := range len(s) {
		if needsEscape(s[i]) {
			n++
		}
	}
	if n == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+2*n)
	for i := range len(s) {
		if c := s[i]; needsEscape(c) {
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return string(b)
}

// isBlank tells whether Java would call the text null, empty or whitespace:
// its notion leaves out the spaces that forbid a line break.
func isBlank(s string) bool {
	for _, r := range s {
		switch {
		case r >= '\t' && r <= '\r', r >= 0x1c && r <= 0x1f:
		case unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp) && r != 0xa0 && r != 0x2007 && r != 0x202f:
		default:
			return false
		}
	}
	return true
}
