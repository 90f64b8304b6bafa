package literal

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// AppendDecimal appends an unscaled value with its scale, in plain digits.
func AppendDecimal(dst []byte, v decimal128.Num, scale int) []byte {
	if v.Sign() < 0 {
		dst = append(dst, '-')
		v = v.Negate()
	}
	var buf [40]byte // the largest magnitude has 39 digits
	digits := appendUnsigned(buf[:0], uint64(v.HighBits()), v.LowBits())
	if scale <= 0 {
		return append(dst, digits...)
	}
	if len(digits) <= scale {
		dst = append(dst, '0', '.')
		for range scale - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[:len(digits)-scale]...)
	dst = append(dst, '.')
	return append(dst, digits[len(digits)-scale:]...)
}

// appendUnsigned appends the 128 bits hi:lo in decimal, nineteen digits at a time.
func appendUnsigned(dst []byte, hi, lo uint64) []byte {
	const chunk = 1e19
	if hi == 0 {
		return strconv.AppendUint(dst, lo, 10)
	}
	top, rest := hi/chunk, hi%chunk
	middle, low := bits.Div64(rest, lo, chunk)
	if top > 0 {
		dst = strconv.AppendUint(dst, top, 10)
		dst = appendPadded(dst, middle)
	} else {
		dst = strconv.AppendUint(dst, middle, 10)
	}
	return appendPadded(dst, low)
}

func appendPadded(dst []byte, v uint64) []byte {
	var buf [19]byte
	for i := len(buf) - 1; i >= 0; i-- {
		buf[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, buf[:]...)
}

// AppendFloat appends the shortest number that reads back as the same FLOAT
// (size 32) or DOUBLE (64), in the form that Go's encoding/json prints; NaN,
// Infinity and -Infinity as these words.
func AppendFloat(dst []byte, f float64, size int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && needsExponent(abs, size) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, size)
	// One digit is enough for a small exponent: e-07 is e-7.
	if n := len(dst); format == 'e' && n-start >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

func needsExponent(abs float64, size int) bool {
	if size == 32 {
		return float32(abs) < 1e-6 || float32(abs) >= 1e21
	}
	return abs < 1e-6 || abs >= 1e21
}

const hexDigits = "0123456789abcdef"

// AppendHex appends bytes as lower-case hex.
func AppendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

// DecodeHex appends the bytes of a hex text in either case.
func DecodeHex(dst []byte, text string) ([]byte, bool) {
	if len(text)%2 != 0 {
		return dst, false
	}
	for i := 0; i < len(text); i += 2 {
		hi, lo := nibble(text[i]), nibble(text[i+1])
		if hi|lo > 15 {
			return dst, false
		}
		dst = append(dst, hi<<4|lo)
	}
	return dst, true
}

func nibble(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c-'a' <= 5:
		return c - 'a' + 10
	case c-'A' <= 5:
		return c - 'A' + 10
	}
	return 255
}

// JavaFloat is Java's text of a float or double: at least one digit after the
// point, and an exponent outside 0.001 to 10 million.
func JavaFloat(v float64, bits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	if size := math.Abs(v); size == 0 || (size >= 1e-3 && size < 1e7) {
		text := strconv.FormatFloat(v, 'f', -1, bits)
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		return text
	}
	text := strconv.FormatFloat(v, 'e', -1, bits)
	mantissa, exponent, _ := strings.Cut(text, "e")
	if !strings.Contains(mantissa, ".") { // of two digits Java takes the nearest, where one would do
		mantissa, exponent, _ = strings.Cut(strconv.FormatFloat(v, 'e', 1, bits), "e")
	}
	n, _ := strconv.Atoi(exponent)
	return mantissa + "E" + strconv.Itoa(n)
}
