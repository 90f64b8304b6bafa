package cdc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// A value is read in two steps. First into what the source means by it, by the
// source's declaration: one of the types below, or nil for null. Then, in
// assign.go, into the column's type. Values without a declaration skip the
// first step (untyped.go).
//
//	"tmn9Lg==" ── Decimal, scale 2 ──▶ number -12345678.90 ── DECIMAL(12,4) ──▶ -123456789000
//
// bool, string and []byte stand for themselves.
type (
	number string // exact decimal text
	float  string // text of a binary floating point number
	date   int64  // days since 1970-01-01
	clock  int64  // nanoseconds since midnight, also negative or beyond a day
	moment struct {
		at    schema.TimestampValue
		zoned bool   // an instant; otherwise a wall clock as if in UTC
		text  string // as sent, when it was text
	}
	list  []any
	pairs [][2]any
	tuple []member
)

// member is a field of a struct.
type member struct {
	name  string
	value any
}

// maxScale bounds the scale of a decimal, and so the zeros that its text needs
// however short it was sent. It is the largest that PostgreSQL lets one declare.
const maxScale = 1000

// maxDecimalBytes bounds unscaled values: turning binary into decimal digits
// costs more than linear time.
const maxDecimalBytes = 1 << 14

// read gives the meaning of a typed value; raw is not null.
func (s *source) read(raw []byte) (any, error) {
	switch s.form {
	case formBool:
		if !isBool(raw) {
			return nil, s.mismatch(raw)
		}
		return raw[0] == 't', nil
	case formInt:
		if !isNumber(raw) {
			return nil, s.mismatch(raw)
		}
		return number(raw), nil
	case formFloat:
		return s.readFloat(raw)
	case formString, formText:
		if isString(raw) {
			return unquote(raw)
		}
		if s.form == formText && (isNumber(raw) || isBool(raw)) {
			return string(raw), nil
		}
		return nil, s.mismatch(raw)
	case formBytes, formBits:
		return s.readBytes(raw)
	case formDecimal:
		if isNumber(raw) {
			return number(raw), nil // the converter's decimal.format=NUMERIC
		}
		return s.readDecimal(raw, s.scale)
	case formVarScale:
		return s.readVarScale(raw)
	case formDays:
		n, err := s.readInt(raw)
		return date(n), err
	case formClock:
		n, err := s.readInt(raw)
		if err != nil {
			return nil, err
		}
		return clockOf(n, s.digits)
	case formStamp:
		n, err := s.readInt(raw)
		if err != nil {
			return nil, err
		}
		return moment{at: stampOf(n, s.digits)}, nil
	case formInstant:
		t, err := unquote(raw)
		if err != nil {
			return nil, s.mismatch(raw)
		}
		if at, err := instantOf(t); err == nil {
			return at, nil
		}
		return t, nil // "infinity" is text, and an error only where a time is needed
	case formGeometry:
		return s.readGeometry(raw)
	case formArray, formMap, formStruct:
		return s.readNested(raw)
	}
	return s.readCanal(raw)
}

func (s *source) mismatch(raw []byte) error {
	return fmt.Errorf("is %s, which is no value of the declared type %s", kindName(raw), s.name)
}

func (s *source) readInt(raw []byte) (int64, error) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0, s.mismatch(raw)
	}
	return n, nil
}

// readFloat also takes the words that stand for what JSON has no numbers for.
func (s *source) readFloat(raw []byte) (any, error) {
	if isNumber(raw) {
		return float(raw), nil
	}
	switch t := text(raw); t {
	case "NaN", "Infinity", "-Infinity":
		return float(t), nil
	}
	return nil, s.mismatch(raw)
}

func decodeBase64(raw []byte) ([]byte, error) {
	t, err := unquote(raw)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(t)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	return b, nil
}

func (s *source) readBytes(raw []byte) (any, error) {
	if !isString(raw) {
		return nil, s.mismatch(raw)
	}
	b, err := decodeBase64(raw)
	if err != nil {
		return nil, err
	}
	if s.form == formBits {
		slices.Reverse(b)
		b = sized(b, s.width)
	}
	return b, nil
}

// sized puts a big-endian number into width bytes, where it fits.
func sized(b []byte, width int) []byte {
	for width > 0 && len(b) > width && b[0] == 0 {
		b = b[1:]
	}
	if len(b) < width {
		b = append(make([]byte, width-len(b)), b...)
	}
	return b
}

func (s *source) readDecimal(raw []byte, scale int) (any, error) {
	if !isString(raw) {
		return nil, s.mismatch(raw)
	}
	b, err := decodeBase64(raw)
	if err != nil {
		return nil, err
	}
	return decimalOf(b, scale)
}

func (s *source) readVarScale(raw []byte) (any, error) {
	if !isObject(raw) {
		return nil, s.mismatch(raw)
	}
	scale, value, ok := varScale(raw)
	if !ok {
		return nil, errors.New(`is not {"scale", "value"} of a decimal`)
	}
	return s.readDecimal(value, scale)
}

// varScale recognises {"scale", "value"}.
func varScale(raw []byte) (scale int, value []byte, ok bool) {
	n := 0
	scale = maxScale + 1
	_ = eachMember(raw, func(name, v []byte) error {
		n++
		switch string(name) {
		case `"scale"`:
			if i, err := strconv.Atoi(string(v)); err == nil {
				scale = i
			}
		case `"value"`:
			value = v
		}
		return nil
	})
	return scale, value, n == 2 && isString(value) && scale >= -maxScale && scale <= maxScale
}

// decimalOf is the exact text of an unscaled big-endian two's complement number.
func decimalOf(b []byte, scale int) (number, error) {
	if len(b) > maxDecimalBytes {
		return "", errors.New("is a number of more than 39000 digits")
	}
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	digits := n.String()
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	switch {
	case scale < 0 && digits != "0":
		digits += strings.Repeat("0", -scale)
	case scale > 0:
		if pad := scale + 1 - len(digits); pad > 0 {
			digits = strings.Repeat("0", pad) + digits
		}
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	return number(sign + digits), nil
}

// clockOf turns a time of day in units of 10^-digits seconds into nanoseconds.
func clockOf(n int64, digits int) (any, error) {
	unit := int64(1)
	for range 9 - digits {
		unit *= 10
	}
	if v := n * unit; v/unit == n {
		return clock(v), nil
	}
	return nil, errors.New("is no time of day")
}

// stampOf turns a time in units of 10^-digits seconds since 1970 into a value.
func stampOf(n int64, digits int) schema.TimestampValue { return literal.FromUnits(n, digits) }

func instantOf(t string) (any, error) {
	dt, err := literal.ParseDateTime(t)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, literal.Quote(t))
	case !dt.HasTime:
		return nil, errors.New("has no time of day")
	case dt.More:
		return nil, errors.New("has more than 9 digits after the second")
	}
	if dt.Zoned {
		return moment{at: dt.Instant(nil), zoned: true, text: t}, nil
	}
	return moment{at: dt.Wall(), text: t}, nil
}

// readGeometry takes the well-known binary form; what else the struct holds says the same or, the system, is not kept.
func (s *source) readGeometry(raw []byte) (any, error) {
	if !isObject(raw) {
		return nil, s.mismatch(raw)
	}
	wkb, ok := wellKnownBinary(raw)
	if !ok {
		return nil, errors.New(`is a geometry without "wkb"`)
	}
	return decodeBase64(wkb)
}

func wellKnownBinary(raw []byte) (wkb []byte, ok bool) {
	_ = eachMember(raw, func(name, value []byte) error {
		if string(name) == `"wkb"` {
			wkb = value
		}
		return nil
	})
	return wkb, isString(wkb)
}

func (s *source) readNested(raw []byte) (any, error) {
	switch {
	case s.form == formArray && isArray(raw):
		out := list{}
		err := eachElement(raw, func(v []byte) error {
			e, err := s.elem.readNull(v)
			out = append(out, e)
			return at(err, "element %d", len(out)-1)
		})
		return out, err
	case s.form == formMap && isObject(raw):
		out := pairs{}
		err := eachMember(raw, func(name, v []byte) error {
			e, err := s.elem.readNull(v)
			if err != nil {
				return at(err, "key %s", name)
			}
			k, err := s.mapKey(name)
			out = append(out, [2]any{k, e})
			return at(err, "key %s", name)
		})
		return out, err
	case s.form == formMap && isArray(raw): // keys that are no strings
		out := pairs{}
		err := eachElement(raw, func(entry []byte) error {
			var kv [][]byte
			if isArray(entry) {
				_ = eachElement(entry, func(v []byte) error { kv = append(kv, v); return nil })
			}
			if len(kv) != 2 {
				return errors.New("is not an array of [key, value] pairs")
			}
			k, err := s.key.readNull(kv[0])
			if err != nil {
				return at(err, "key %d", len(out))
			}
			v, err := s.elem.readNull(kv[1])
			out = append(out, [2]any{k, v})
			return at(err, "value %d", len(out)-1)
		})
		return out, err
	case s.form == formStruct && isObject(raw):
		out := make(tuple, 0, len(s.fields.names))
		err := eachMember(raw, func(quoted, v []byte) error {
			name, err := unquote(quoted)
			if err != nil {
				return err
			}
			field := s.fields.find(name, len(out))
			if field == nil {
				return fmt.Errorf("has a field %q that its schema does not declare", name)
			}
			e, err := field.readNull(v)
			out = append(out, member{name, e})
			return at(err, "field %q", name)
		})
		return out, err
	}
	return nil, s.mismatch(raw)
}

// mapKey reads the name of a member as the key it stands for.
func (s *source) mapKey(name []byte) (any, error) {
	if s.key.form == formString {
		return unquote(name)
	}
	return s.key.read([]byte(text(name)))
}

func (s *source) readNull(raw []byte) (any, error) {
	if isNull(raw) {
		return nil, nil
	}
	return s.read(raw)
}

// at says in which part of a value an error is.
func at(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// readCanal reads the forms that only Canal has.
func (s *source) readCanal(raw []byte) (any, error) {
	t, err := unquote(raw)
	if err != nil {
		if !isNumber(raw) {
			return nil, s.mismatch(raw)
		}
		t = string(raw)
	}
	switch s.form {
	case formLatin1, formPoint:
		b, err := latin1(t)
		if err != nil {
			return nil, err
		}
		if s.form == formPoint && len(b) > 4 {
			return b[4:], nil
		}
		for len(b) < s.width {
			b = append(b, 0) // BINARY(n) is sent without the zeros at its end
		}
		return b, nil
	case formEnum:
		return enumLabel(t, s.labels)
	case formSet:
		return setLabels(t, s.labels)
	case formBitText:
		n, err := strconv.ParseUint(t, 10, 64)
		if err != nil {
			return nil, errors.New("is not a bit string as a number")
		}
		return sized(new(big.Int).SetUint64(n).Bytes(), s.width), nil
	}
	return nil, s.mismatch(raw)
}

// latin1 takes each character as a byte.
func latin1(t string) ([]byte, error) {
	b := make([]byte, 0, len(t))
	for _, c := range t {
		if c > 0xFF {
			return nil, errors.New("is not binary data as ISO-8859-1 text")
		}
		b = append(b, byte(c))
	}
	return b, nil
}

// enumLabel turns an ordinal into its label; 0 is MySQL's mark of a value it refused.
func enumLabel(t string, labels []string) (any, error) {
	n, err := strconv.Atoi(t)
	switch {
	case err != nil && slices.Contains(labels, t):
		return t, nil
	case err != nil || n < 0 || n > len(labels):
		return nil, fmt.Errorf("%s is none of the %d values of the enum", literal.Quote(t), len(labels))
	case n == 0:
		return "", nil
	}
	return labels[n-1], nil
}

func setLabels(t string, labels []string) (any, error) {
	mask, err := strconv.ParseUint(t, 10, 64)
	if err != nil {
		for _, one := range strings.Split(t, ",") {
			if t != "" && !slices.Contains(labels, one) {
				return nil, fmt.Errorf("%s is none of the %d values of the set", literal.Quote(one), len(labels))
			}
		}
		return t, nil
	}
	if len(labels) < 64 && mask>>len(labels) != 0 {
		return nil, fmt.Errorf("%s has bits beyond the %d values of the set", literal.Quote(t), len(labels))
	}
	var on []string
	for i, label := range labels {
		if i < 64 && mask&(1<<i) != 0 {
			on = append(on, label)
		}
	}
	return strings.Join(on, ","), nil
}

// wall moves an instant to the wall clock of a zone, as if that were UTC.
func wall(v schema.TimestampValue, zone *time.Location) schema.TimestampValue {
	_, offset := time.UnixMilli(v.Millis).In(zone).Zone()
	v.Millis += int64(offset) * 1000
	return v
}

// instant is the moment at which the clocks of a zone show v.
func instant(v schema.TimestampValue, zone *time.Location) schema.TimestampValue {
	const day = 86_400_000
	days := v.Millis / day
	rest := v.Millis % day
	if rest < 0 {
		days, rest = days-1, rest+day
	}
	return literal.DateTime{Days: days, Nanos: rest*1e6 + int64(v.Nanos), HasTime: true}.Instant(zone)
}
