package cast

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// How Paimon reads texts as values. Only floating-point numbers, dates and times of
// day tolerate blanks.

func parseBool(text string) (v, ok bool) {
	switch strings.ToLower(text) {
	case "t", "true", "y", "yes", "1":
		return true, true
	case "f", "false", "n", "no", "0":
		return false, true
	}
	return false, false
}

// parseLong reads digits with a sign, and drops a fraction.
func parseLong(text string, k schema.Kind) (int64, bool) {
	lo, hi := literal.Range(k)
	whole, fraction, _ := strings.Cut(text, ".")
	if text == "" || text == "+" || text == "-" || !digitsOnly(fraction) {
		return 0, false
	}
	unsigned := strings.TrimPrefix(whole, "-")
	if unsigned == whole {
		unsigned = strings.TrimPrefix(whole, "+")
	}
	if unsigned == "" {
		return 0, true // the text begins with the point
	}
	if !digitsOnly(unsigned) {
		return 0, false
	}
	v, err := strconv.ParseInt(whole, 10, 64)
	return v, err == nil && v >= lo && v <= hi
}

func digitsOnly(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// numeric texts stand for the plain number inside dates and times.
func numeric(s string) bool {
	s = strings.TrimPrefix(s, "-")
	return s != "" && digitsOnly(s)
}

var floatForm = regexp.MustCompile(`^[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|0[xX]([0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][+-]?\d+)$`)

func parseFloat(text string, bits int) (float64, bool) {
	text = trim(text)
	if n := len(text); n > 1 && strings.IndexByte("fFdD", text[n-1]) >= 0 && text[n-2] != 'N' {
		if !floatForm.MatchString(text) { // f and d may be hexadecimal digits
			text = text[:n-1]
		}
	}
	if !floatForm.MatchString(text) {
		return 0, false
	}
	v, err := strconv.ParseFloat(text, bits)
	return v, err == nil || math.IsInf(v, 0) || v == 0
}

// trim is Java's: it drops everything up to the blank.
func trim(s string) string { return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' }) }

// number reads digits with blanks around them.
func number(s string) (int, bool) {
	s = trim(s)
	if s == "" || !digitsOnly(s) {
		return 0, false
	}
	v, err := strconv.ParseInt(s, 10, 32)
	return int(v), err == nil
}

// parseDate reads year[-month[-day]], with anything behind a blank, or a bare number of days.
func parseDate(text string) (int32, bool) {
	if numeric(text) {
		v, ok := parseLong(text, schema.Int)
		return int32(v), ok
	}
	if at := strings.IndexByte(text, ' '); at > 0 {
		text = text[:at]
	}
	part := [3]int{0, 1, 1}
	pieces := strings.SplitN(text, "-", 3)
	for i, p := range pieces {
		v, ok := number(p)
		if !ok {
			return 0, false
		}
		part[i] = v
	}
	year, month, day := part[0], part[1], part[2]
	if year > 9999 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	return int32(literal.DaysOf(year, month, day)), true
}

func daysIn(year, month int) int {
	first := literal.DaysOf(year, month, 1)
	if month == 12 {
		return 31
	}
	return int(literal.DaysOf(year, month+1, 1) - first)
}

// parseTime reads hour[:minute[:second[.fraction]]] and an offset that is added,
// or a bare number of milliseconds. Nothing is checked against the clock.
func parseTime(text string) (int32, bool) {
	if numeric(text) {
		v, ok := parseLong(text, schema.Int)
		return int32(v), ok
	}
	sign, offset := -1, ""
	clock := text
	at := strings.IndexByte(text, '-')
	if at < 0 {
		at, sign = strings.IndexByte(text, '+'), 1
	}
	var zone [2]int
	if at >= 0 {
		clock, offset = text[:at], text[at+1:]
		for i, p := range strings.SplitN(offset, ":", 2) {
			v, ok := number(p)
			if !ok {
				return 0, false
			}
			zone[i] = v
		}
	}
	var hms [3]int
	millis := 0
	for i, p := range strings.SplitN(clock, ":", 3) {
		if whole, fraction, cut := strings.Cut(p, "."); cut && i == 2 {
			p, millis = whole, fractionMillis(trim(fraction))
		}
		v, ok := number(p)
		if !ok {
			return 0, false
		}
		hms[i] = v
	}
	hour, minute := int32(hms[0]+sign*zone[0]), int32(hms[1]+sign*zone[1])
	return hour*3_600_000 + minute*60_000 + int32(hms[2])*1000 + int32(millis), true
}

// fractionMillis takes three digits and rounds by the fourth; what is no digit counts as 0.
func fractionMillis(s string) int {
	r, multiplier := 0, 100
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			r += multiplier * int(s[i]-'0')
		}
		if multiplier < 10 {
			if i+1 < len(s) && s[i+1] >= '5' {
				r++
			}
			break
		}
		multiplier /= 10
	}
	return r
}
