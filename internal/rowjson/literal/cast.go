package literal

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Range gives the integers of an integer type.
func Range(k schema.Kind) (lo, hi int64) {
	switch k {
	case schema.TinyInt:
		return math.MinInt8, math.MaxInt8
	case schema.SmallInt:
		return math.MinInt16, math.MaxInt16
	case schema.BigInt:
		return math.MinInt64, math.MaxInt64
	}
	return math.MinInt32, math.MaxInt32
}

// Integer boxes v as the metadata value of an integer type (or DATE or TIME), which it fits.
func Integer(k schema.Kind, v int64) any {
	switch k {
	case schema.TinyInt:
		return int8(v)
	case schema.SmallInt:
		return int16(v)
	case schema.BigInt:
		return v
	}
	return int32(v)
}

// TypeName is the type's text without NOT NULL, for errors.
func TypeName(t schema.Type) string {
	t.Nullable = true
	return t.String()
}

// ParseInteger reads an exact whole number of an integer type; 3.0 and 1e3 are whole.
func ParseInteger(text string, k schema.Kind) (int64, error) {
	n, err := ParseNumber(text)
	if err != nil {
		return 0, err
	}
	lo, hi := Range(k)
	v, fit := n.Int(lo, hi)
	switch fit {
	case Exact:
		return v, nil
	case Between:
		return 0, errors.New("is not a whole number")
	}
	return 0, fmt.Errorf("is out of range (%d to %d)", lo, hi)
}

// DecimalError explains a number that does not fit DECIMAL(precision, scale).
func DecimalError(fit Fit, precision, scale int) error {
	if fit == Between {
		return fmt.Errorf("has more than %d digits after the point", scale)
	}
	return fmt.Errorf("has more than %d digits before the point", precision-scale)
}

// ParseDate reads a date; a time of day may follow only if it is midnight.
func ParseDate(text string) (int32, error) {
	dt, err := ParseDateTime(text)
	switch {
	case err != nil:
		return 0, err
	case dt.Nanos != 0 || dt.More:
		return 0, errors.New("has a time of day, which a date cannot hold")
	case dt.Zoned:
		return 0, errors.New("has an offset, which a date cannot hold")
	}
	return DateValue(dt.Days)
}

// DateValue checks that days fit a DATE.
func DateValue(days int64) (int32, error) {
	if days != int64(int32(days)) {
		return 0, errors.New("is out of range for a date")
	}
	return int32(days), nil
}

// ParseTimeOfDay reads a time as milliseconds, which is what Paimon keeps of every TIME(p).
func ParseTimeOfDay(text string) (int32, error) {
	nanos, more, err := ParseTime(text)
	if err != nil {
		return 0, err
	}
	if more || nanos%1e6 != 0 {
		return 0, errors.New("has more than 3 digits after the second")
	}
	return int32(nanos / 1e6), nil
}

// ParseTimestamp reads a TIMESTAMP (zoned false) or a TIMESTAMP_LTZ, whose text
// may carry an offset and is otherwise in loc (nil is UTC).
func ParseTimestamp(text string, precision int, zoned bool, loc *time.Location) (schema.TimestampValue, error) {
	dt, err := ParseDateTime(text)
	if err != nil {
		return schema.TimestampValue{}, err
	}
	if dt.Zoned && !zoned {
		return schema.TimestampValue{}, errors.New("has an offset, which only TIMESTAMP_LTZ can hold")
	}
	v := dt.Wall()
	if zoned {
		v = dt.Instant(loc)
	}
	if dt.More || v != Truncate(v, precision) {
		return v, fmt.Errorf("has more than %d digits after the second", precision)
	}
	return v, nil
}

// CheckText reports a text that is longer than its CHAR or VARCHAR, or is not UTF-8.
func CheckText(text string, length int) error {
	if len(text) > length && utf8.RuneCountInString(text) > length {
		return fmt.Errorf("has more than %d characters", length)
	}
	if !utf8.ValidString(text) {
		return errors.New("is not valid UTF-8")
	}
	return nil
}

// CheckBytes reports a value that is longer than its BINARY or VARBINARY.
func CheckBytes(n, length int) error {
	if n > length {
		return fmt.Errorf("has more than %d bytes", length)
	}
	return nil
}

// ParseBool reads true, t, yes, y, 1 and false, f, no, n, 0 in any case.
func ParseBool(text string) (bool, error) {
	if len(text) <= len("false") {
		switch strings.ToLower(text) {
		case "true", "t", "yes", "y", "1":
			return true, nil
		case "false", "f", "no", "n", "0":
			return false, nil
		}
	}
	return false, errors.New("is not true or false")
}

// Cast turns text into a metadata value of a scalar type, exactly: a value that
// would be rounded, cut or wrapped is an error. Binary is hex; loc (nil is UTC)
// is the zone of a TIMESTAMP_LTZ without an offset. DECIMAL may have more
// fraction digits than its scale only if these are zeros. The error says what
// is wrong with the text, without repeating text and type.
func Cast(text string, t schema.Type, loc *time.Location) (any, error) {
	switch t.Kind {
	case schema.Char, schema.VarChar:
		return text, CheckText(text, t.Length)
	case schema.Boolean:
		return wrap(ParseBool(text))
	case schema.Binary, schema.VarBinary:
		b, ok := DecodeHex(make([]byte, 0, len(text)/2), text)
		if !ok {
			return nil, errors.New("is not hex")
		}
		return b, CheckBytes(len(b), t.Length)
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt:
		v, err := ParseInteger(text, t.Kind)
		return Integer(t.Kind, v), err
	case schema.Decimal:
		n, err := ParseNumber(text)
		if err != nil {
			return nil, err
		}
		v, fit := n.Decimal(t.Precision, t.Scale)
		if fit != Exact {
			return nil, DecimalError(fit, t.Precision, t.Scale)
		}
		return v, nil
	case schema.Float, schema.Double:
		return castFloat(text, t.Kind)
	case schema.Date:
		return wrap(ParseDate(text))
	case schema.Time:
		return wrap(ParseTimeOfDay(text))
	case schema.Timestamp, schema.TimestampLTZ:
		return wrap(ParseTimestamp(text, t.Precision, t.Kind == schema.TimestampLTZ, loc))
	}
	return nil, fault.Unsupported("text as a value of type "+TypeName(t), "use a scalar type")
}

func wrap[T any](v T, err error) (any, error) { return v, err }

func castFloat(text string, k schema.Kind) (any, error) {
	size := 64
	if k == schema.Float {
		size = 32
	}
	v, fit, err := ParseFloat(text, size)
	switch {
	case err != nil:
		return nil, err
	case fit != Exact:
		return nil, errors.New("is out of range")
	case k == schema.Float:
		return float32(v), nil
	}
	return v, nil
}
