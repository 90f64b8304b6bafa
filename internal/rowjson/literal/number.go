package literal

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// Number is an exact decimal number of any length. The zero value is 0.
type Number struct {
	negative bool
	digits   string // significant digits: no zero at either end; empty for 0
	point    int    // the value is 0.digits * 10^point
}

// maxExponent bounds what an exponent may say; anything beyond fits no type.
const maxExponent = 1 << 30

var errNumber = errors.New("is not a number")

// ParseNumber reads [+-]digits[.digits][e[+-]digits]. It keeps a reference to text.
func ParseNumber(text string) (Number, error) {
	var n Number
	negative, whole, fraction, exponent, ok := scanNumber(text)
	if !ok {
		return n, errNumber
	}
	n.negative = negative
	n.set(whole, fraction, exponent)
	return n, nil
}

func scanNumber(text string) (negative bool, whole, fraction string, exponent int, ok bool) {
	i := 0
	if i < len(text) && (text[i] == '+' || text[i] == '-') {
		negative = text[i] == '-'
		i++
	}
	start := i
	i = skipDigits(text, i)
	whole = text[start:i]
	if i < len(text) && text[i] == '.' {
		start = i + 1
		i = skipDigits(text, start)
		fraction = text[start:i]
	}
	ok = len(whole)+len(fraction) > 0
	if ok && i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		exponent, ok = parseExponent(text[i+1:])
		i = len(text)
	}
	return negative, whole, fraction, exponent, ok && i == len(text)
}

func skipDigits(text string, i int) int {
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	return i
}

// parseExponent saturates, so that a huge exponent is a huge number and not an error.
func parseExponent(text string) (int, bool) {
	negative := false
	if text != "" && (text[0] == '+' || text[0] == '-') {
		negative = text[0] == '-'
		text = text[1:]
	}
	if text == "" || skipDigits(text, 0) != len(text) {
		return 0, false
	}
	e := 0
	for i := 0; i < len(text); i++ {
		e = min(e*10+int(text[i]-'0'), maxExponent)
	}
	if negative {
		e = -e
	}
	return e, true
}

func (n *Number) set(whole, fraction string, exponent int) {
	whole = strings.TrimLeft(whole, "0")
	n.point = len(whole) + exponent
	switch {
	case fraction == "":
		n.digits = whole
	case whole == "":
		n.digits = strings.TrimLeft(fraction, "0")
		n.point -= len(fraction) - len(n.digits)
	default:
		n.digits = whole + fraction
	}
	n.digits = strings.TrimRight(n.digits, "0")
	if n.digits == "" {
		*n = Number{} // -0 is 0
		return
	}
	// Beyond what an exponent can say the size no longer matters; it only has
	// to be what String's text reads back as.
	n.point = min(max(n.point, 1-maxExponent), maxExponent)
}

// FromInt is the number of an integer.
func FromInt(v int64) Number {
	n, _ := ParseNumber(strconv.FormatInt(v, 10))
	return n
}

// FromDecimal is the number of an unscaled value and its scale.
func FromDecimal(v decimal128.Num, scale int) Number {
	n, _ := ParseNumber(string(AppendDecimal(nil, v, scale)))
	return n
}

// Sign is -1, 0 or 1.
func (n Number) Sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.negative:
		return -1
	}
	return 1
}

// String is the number in a form that ParseNumber reads back: plain when short, else with an exponent.
func (n Number) String() string {
	if n.digits == "" {
		return "0"
	}
	var b strings.Builder
	if n.negative {
		b.WriteByte('-')
	}
	switch d := len(n.digits); {
	case n.point > 40 || n.point < -20:
		b.WriteString(n.digits[:1])
		if d > 1 {
			b.WriteString("." + n.digits[1:])
		}
		b.WriteString("e" + strconv.Itoa(n.point-1))
	case n.point <= 0:
		b.WriteString("0." + strings.Repeat("0", -n.point) + n.digits)
	case n.point >= d:
		b.WriteString(n.digits + strings.Repeat("0", n.point-d))
	default:
		b.WriteString(n.digits[:n.point] + "." + n.digits[n.point:])
	}
	return b.String()
}

// Int fits the number to the integers lo..hi, which include 0.
func (n Number) Int(lo, hi int64) (int64, Fit) {
	magnitude, inexact, huge := n.magnitude()
	if !n.negative {
		if huge || magnitude > uint64(hi) {
			return hi, TooLarge
		}
		return int64(magnitude), fitOf(inexact)
	}
	if inexact && !huge { // the floor of a negative fraction lies one further down
		magnitude++
	}
	if huge || magnitude > uint64(-(lo+1))+1 {
		return lo, TooSmall
	}
	return -int64(magnitude), fitOf(inexact)
}

func fitOf(inexact bool) Fit {
	if inexact {
		return Between
	}
	return Exact
}

// magnitude is the whole part without its sign; huge means that it has more than 19 digits.
func (n Number) magnitude() (whole uint64, inexact, huge bool) {
	switch {
	case n.point > 19:
		return 0, false, true
	case n.point <= 0:
		return 0, n.digits != "", false
	}
	for i := range n.point {
		whole *= 10
		if i < len(n.digits) {
			whole += uint64(n.digits[i] - '0')
		}
	}
	return whole, len(n.digits) > n.point, false
}

// Decimal fits the number to DECIMAL(precision, scale) and returns the unscaled value.
func (n Number) Decimal(precision, scale int) (decimal128.Num, Fit) {
	limit := decimal128.GetMaxValue(int32(precision))
	n.point += scale // from here on n is the unscaled value
	if n.point > precision {
		if n.negative {
			return limit.Negate(), TooSmall
		}
		return limit, TooLarge
	}
	v := n.unscaled()
	inexact := n.digits != "" && len(n.digits) > max(n.point, 0)
	if n.negative {
		v = v.Negate()
		if inexact {
			v = v.Sub(decimal128.FromI64(1))
		}
		if v.Less(limit.Negate()) {
			return limit.Negate(), TooSmall
		}
	}
	return v, fitOf(inexact)
}

// unscaled is the whole part without its sign, which has at most 38 digits.
func (n Number) unscaled() decimal128.Num {
	if n.point <= 19 {
		whole, _, _ := n.magnitude()
		return decimal128.FromU64(whole)
	}
	high := n
	high.point -= 19
	low := n
	if len(low.digits) > high.point {
		low.digits = low.digits[high.point:]
	} else {
		low.digits = ""
	}
	low.point = 19
	h, _, _ := high.magnitude()
	l, _, _ := low.magnitude()
	hi, lo := bits.Mul64(h, 1e19)
	lo, carry := bits.Add64(lo, l, 0)
	return decimal128.New(int64(hi+carry), lo)
}

// RoundDecimal is Decimal with the fraction rounded half away from zero; false when it does not fit.
func (n Number) RoundDecimal(precision, scale int) (decimal128.Num, bool) {
	positive := n
	positive.negative = false
	v, fit := positive.Decimal(precision, scale)
	if fit == TooLarge {
		return v, false
	}
	cut := n.point + scale // the first digit that is cut off
	if cut >= 0 && cut < len(n.digits) && n.digits[cut] >= '5' {
		v = v.Add(decimal128.FromI64(1))
		if decimal128.GetMaxValue(int32(precision)).Less(v) {
			return v, false
		}
	}
	if n.negative {
		v = v.Negate()
	}
	return v, true
}

// ParseFloat reads a number, or NaN, Infinity, Inf with a sign and in any case,
// as the nearest FLOAT (bits 32) or DOUBLE (bits 64). A number beyond the
// largest finite value is TooLarge or TooSmall, with that value.
func ParseFloat(text string, bits int) (float64, Fit, error) {
	if _, _, _, _, ok := scanNumber(text); !ok {
		return parseFloatWord(text)
	}
	v, err := strconv.ParseFloat(text, bits)
	if err == nil {
		return v, Exact, nil
	}
	largest := math.MaxFloat64
	if bits == 32 {
		largest = math.MaxFloat32
	}
	if math.IsInf(v, 1) {
		return largest, TooLarge, nil
	}
	return -largest, TooSmall, nil
}

func parseFloatWord(text string) (float64, Fit, error) {
	unsigned, negative := text, false
	if text != "" && (text[0] == '+' || text[0] == '-') {
		unsigned, negative = text[1:], text[0] == '-'
	}
	switch {
	case strings.EqualFold(unsigned, "nan"):
		return math.NaN(), Exact, nil
	case !strings.EqualFold(unsigned, "infinity") && !strings.EqualFold(unsigned, "inf"):
		return 0, Exact, errNumber
	case negative:
		return math.Inf(-1), Exact, nil
	}
	return math.Inf(1), Exact, nil
}

func quote(s string) string { return fmt.Sprintf("%q", s) }
