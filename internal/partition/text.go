package partition

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// text is one value as Paimon prints it, "" for null. Legacy names are what
// Java's toString gives for the internal value; the others are SQL casts.
func (p *Paths) text(f schema.Field, v any) (string, error) {
	if v == nil {
		return "", nil
	}
	ok := false
	switch f.Type.Kind {
	case schema.Char, schema.VarChar:
		var s string
		if s, ok = v.(string); ok {
			return s, nil
		}
	case schema.Boolean:
		var b bool
		if b, ok = v.(bool); ok {
			return strconv.FormatBool(b), nil
		}
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt:
		switch v.(type) {
		case int8, int16, int32, int64:
			return fmt.Sprint(v), nil
		}
	case schema.Float:
		var x float32
		if x, ok = v.(float32); ok {
			return literal.JavaFloat(float64(x), 32), nil
		}
	case schema.Double:
		var x float64
		if x, ok = v.(float64); ok {
			return literal.JavaFloat(x, 64), nil
		}
	case schema.Decimal:
		var d decimal128.Num
		if d, ok = v.(decimal128.Num); ok {
			return plainDecimal(d, f.Type.Scale), nil
		}
	case schema.Date:
		var days int32
		if days, ok = v.(int32); ok {
			return p.date(days), nil
		}
	case schema.Time:
		var millis int32
		if millis, ok = v.(int32); ok {
			return p.time(millis, f.Type.Precision), nil
		}
	case schema.Timestamp, schema.TimestampLTZ:
		var ts schema.TimestampValue
		if ts, ok = v.(schema.TimestampValue); ok {
			return p.timestamp(ts, f.Type), nil
		}
	case schema.Binary, schema.VarBinary:
		var b []byte
		if b, ok = v.([]byte); ok {
			return p.bytes(f.Name, b)
		}
	}
	return "", fault.Invalid(fmt.Sprintf("partition column %s: value of Go type %T does not fit its type", f.Name, v))
}

// plainDecimal prints a decimal with all digits of its scale and no exponent.
func plainDecimal(d decimal128.Num, scale int) string {
	digits, sign := d.BigInt().String(), ""
	if digits[0] == '-' {
		digits, sign = digits[1:], "-"
	}
	if scale <= 0 {
		return sign + digits
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - scale
	return sign + digits[:point] + "." + digits[point:]
}

func (p *Paths) date(days int32) string {
	if p.legacy {
		return strconv.Itoa(int(days))
	}
	return ymd(time.Unix(int64(days)*86400, 0).UTC(), "%04d-%02d-%02d")
}

func ymd(t time.Time, format string) string {
	year, month, day := t.Date()
	return fmt.Sprintf(format, year, month, day)
}

// time prints the fraction as far as it is not zero, but at least one digit
// when the type has a fraction, as Java does.
func (p *Paths) time(millis int32, precision int) string {
	if p.legacy {
		return strconv.Itoa(int(millis))
	}
	const day = 86_400_000
	m := (int(millis)%day + day) % day
	text := fmt.Sprintf("%02d:%02d:%02d", m/3_600_000, m/60_000%60, m/1000%60)
	if precision <= 0 {
		return text
	}
	fraction := fmt.Sprintf("%03d", m%1000)
	fraction = strings.TrimRight(fraction[:min(precision, 3)], "0")
	if fraction == "" {
		fraction = "0"
	}
	return text + "." + fraction
}

func (p *Paths) timestamp(ts schema.TimestampValue, t schema.Type) string {
	at := time.UnixMilli(ts.Millis).Add(time.Duration(ts.Nanos)).UTC()
	if p.legacy {
		return isoLocal(at)
	}
	if t.Kind == schema.TimestampLTZ {
		at = at.In(p.loc)
	}
	text := ymd(at, "%04d-%02d-%02d ") + at.Format("15:04:05")
	fraction := fmt.Sprintf("%09d", at.Nanosecond())
	for len(fraction) > t.Precision && strings.HasSuffix(fraction, "0") {
		fraction = fraction[:len(fraction)-1]
	}
	if fraction != "" {
		text += "." + fraction
	}
	return text
}

// isoLocal is Java's LocalDateTime.toString: seconds and fraction only when
// they are not zero, the fraction in groups of three digits, years outside
// 0000-9999 with a sign.
func isoLocal(at time.Time) string {
	year, month, day := at.Date()
	format := "%04d"
	switch {
	case year > 9999:
		format = "+%d"
	case year < 0:
		format = "%05d" // the sign takes a place
	}
	text := fmt.Sprintf(format+"-%02d-%02dT%02d:%02d", year, month, day, at.Hour(), at.Minute())
	nanos := at.Nanosecond()
	if at.Second() == 0 && nanos == 0 {
		return text
	}
	text += fmt.Sprintf(":%02d", at.Second())
	switch {
	case nanos == 0:
		return text
	case nanos%1_000_000 == 0:
		return text + fmt.Sprintf(".%03d", nanos/1_000_000)
	case nanos%1000 == 0:
		return text + fmt.Sprintf(".%06d", nanos/1000)
	}
	return text + fmt.Sprintf(".%09d", nanos)
}

func (p *Paths) bytes(column string, b []byte) (string, error) {
	if p.legacy {
		return "", fault.Unsupported("partition column "+column+" of a binary type with partition.legacy-name=true",
			"set partition.legacy-name=false when creating the table")
	}
	if !utf8.Valid(b) {
		return "", fault.Invalid("partition column " + column + ": the bytes are no UTF-8 text, so they cannot name a directory")
	}
	return string(b), nil
}
