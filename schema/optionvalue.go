package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
)

// valueKind is the grammar of an option's value.
type valueKind uint8

const (
	textValue valueKind = iota + 1
	boolValue
	intValue      // 32 bits
	longValue     // 64 bits
	floatValue    // a decimal number
	sizeValue     // bytes: 128 mb, 64kb, 512
	durationValue // 10 s, 1 h, 250 (milliseconds)
	enumValue     // one of enumValues
	levelMapValue // 0:a,5:b
	plainInt      // 32 bits, in the words of Java's Parquet library
	plainLong     // 64 bits, likewise
	plainBool     // likewise
)

// checkValue reports a value that does not follow its grammar. It accepts what
// Paimon accepts: no blanks around numbers and bools, blanks around sizes and
// durations.
func checkValue(key string, kind valueKind, text string) error {
	var err error
	switch kind {
	case boolValue:
		_, err = parseBool(text)
	case intValue:
		_, err = strconv.ParseInt(text, 10, 32)
	case longValue:
		_, err = strconv.ParseInt(text, 10, 64)
	case floatValue:
		_, err = strconv.ParseFloat(text, 64)
	case sizeValue:
		_, err = parseSize(text)
	case durationValue:
		_, err = parseDuration(text)
	case enumValue:
		_, err = parseEnum(key, text)
	case levelMapValue:
		_, err = parseLevels(text)
	case plainInt:
		_, err = parsePlain(text, 32)
	case plainLong:
		_, err = parsePlain(text, 64)
	case plainBool:
		_, err = parseBool(strings.TrimSpace(text))
	}
	if err == nil {
		return nil
	}
	what := map[valueKind]string{
		boolValue: "true or false", intValue: "an integer of 32 bits", longValue: "an integer of 64 bits", floatValue: "a number",
		plainInt: plainNumber, plainLong: plainNumber, plainBool: "true or false",
	}[kind]
	if what == "" {
		what = err.Error()
	} else {
		what = "must be " + what
	}
	return fault.Invalid("option " + key + " is " + quoteShort(text) + ": " + what)
}

func parseBool(text string) (bool, error) {
	switch {
	case strings.EqualFold(text, "true"):
		return true, nil
	case strings.EqualFold(text, "false"):
		return false, nil
	}
	return false, strconv.ErrSyntax
}

const plainNumber = "a plain number without a unit, as in 65536: Java's Parquet library takes no other"

// parsePlain reads a number as Hadoop's configuration does, which Java's
// Parquet library takes its options from: decimal, or hexadecimal behind 0x.
func parsePlain(text string, bits int) (int64, error) {
	text = strings.TrimSpace(text)
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		return strconv.ParseInt(hex, 16, bits)
	}
	return strconv.ParseInt(text, 10, bits)
}

func parseEnum(key, text string) (string, error) {
	for _, v := range enumValues[key] {
		if strings.EqualFold(v, text) {
			return v, nil
		}
	}
	if key == "merge-engine" && OwnName(text) {
		return text, nil
	}
	return "", fmt.Errorf("must be one of %s", strings.Join(enumValues[key], ", "))
}

// splitUnit cuts a number with a unit, as in "128 mb".
func splitUnit(text string) (int64, string, error) {
	text = strings.TrimSpace(text)
	digits := 0
	for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	n, err := strconv.ParseInt(text[:digits], 10, 64)
	if err != nil {
		return 0, "", fmt.Errorf("must start with a number of 64 bits")
	}
	return n, strings.ToLower(strings.TrimSpace(text[digits:])), nil
}

var sizeUnits = map[string]int64{
	"": 1, "b": 1, "bytes": 1,
	"k": 1 << 10, "kb": 1 << 10, "kibibytes": 1 << 10,
	"m": 1 << 20, "mb": 1 << 20, "mebibytes": 1 << 20,
	"g": 1 << 30, "gb": 1 << 30, "gibibytes": 1 << 30,
	"t": 1 << 40, "tb": 1 << 40, "tebibytes": 1 << 40,
}

func parseSize(text string) (int64, error) {
	if text == "max" { // the spelling of the documented default
		return math.MaxInt64, nil
	}
	n, unit, err := splitUnit(text)
	if err != nil {
		return 0, err
	}
	factor, known := sizeUnits[unit]
	if !known {
		return 0, fmt.Errorf("unknown unit %q, use b, kb, mb, gb or tb", unit)
	}
	if n > math.MaxInt64/factor {
		return 0, fmt.Errorf("must fit 64 bits")
	}
	return n * factor, nil
}

var durationUnits = map[string]time.Duration{
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"h": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"min": time.Minute, "m": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"": time.Millisecond, "ms": time.Millisecond, "milli": time.Millisecond, "millis": time.Millisecond,
	"millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"µs": time.Microsecond, "micro": time.Microsecond, "micros": time.Microsecond,
	"microsecond": time.Microsecond, "microseconds": time.Microsecond,
	"ns": time.Nanosecond, "nano": time.Nanosecond, "nanos": time.Nanosecond,
	"nanosecond": time.Nanosecond, "nanoseconds": time.Nanosecond,
}

// parseDuration caps at the longest time.Duration, 292 years: nobody waits to
// see the difference.
func parseDuration(text string) (time.Duration, error) {
	n, unit, err := splitUnit(text)
	if err != nil {
		return 0, err
	}
	factor, known := durationUnits[unit]
	if !known {
		return 0, fmt.Errorf("unknown unit %q, use d, h, min, s, ms, µs or ns", unit)
	}
	if n > math.MaxInt64/int64(factor) {
		return math.MaxInt64, nil
	}
	return time.Duration(n) * factor, nil
}

// parseLevels reads level:value pairs, as in "0:avro,5:parquet".
func parseLevels(text string) (map[int]string, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	out := map[int]string{}
	for _, pair := range strings.Split(text, ",") {
		level, value, ok := strings.Cut(pair, ":")
		n, err := strconv.ParseUint(strings.TrimSpace(level), 10, 16)
		if value = strings.TrimSpace(value); !ok || err != nil || value == "" || strings.Contains(value, ":") {
			return nil, fmt.Errorf("must be level:value pairs, as in 0:avro,5:parquet")
		}
		if _, twice := out[int(n)]; twice {
			return nil, fmt.Errorf("level %d appears twice", n)
		}
		out[int(n)] = strings.ToLower(value)
	}
	return out, nil
}

// parseStatsMode reads none, counts, full or truncate(n).
func parseStatsMode(text string) (string, error) {
	mode := strings.ToLower(strings.TrimSpace(text))
	switch mode {
	case "none", "counts", "full":
		return mode, nil
	}
	if n, ok := strings.CutPrefix(mode, "truncate("); ok && strings.HasSuffix(n, ")") {
		if length, err := strconv.ParseInt(strings.TrimSuffix(n, ")"), 10, 32); err == nil && length > 0 {
			return "truncate(" + strconv.FormatInt(length, 10) + ")", nil
		}
	}
	return "", fmt.Errorf("must be none, counts, full or truncate(n) with n above 0")
}

// OwnName tells a name that a program may give to an aggregate function or
// merge engine of its own: it has a dot in it, as in acme.longest. Paimon's
// names have none, so neither side takes one for the other's.
func OwnName(name string) bool {
	dot := strings.IndexByte(name, '.')
	if dot <= 0 || strings.HasSuffix(name, ".") {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}
