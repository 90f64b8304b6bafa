package predicate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// lit is a literal as written, before a column gives it a type.
type lit struct {
	kind litKind
	text string // of a number, a text, a date or time, or binary as hex
	yes  bool   // of a boolean
}

type litKind uint8

const (
	nullLit litKind = iota
	numberLit
	textLit
	boolLit
	binaryLit
	dateLit
	timeLit
	timestampLit
)

func (l lit) print(b *strings.Builder) {
	switch l.kind {
	case nullLit:
		b.WriteString("NULL")
	case numberLit:
		b.WriteString(l.text)
	case boolLit:
		b.WriteString(strings.ToUpper(strconv.FormatBool(l.yes)))
	default:
		b.WriteString(map[litKind]string{binaryLit: "x", dateLit: "DATE ", timeLit: "TIME ", timestampLit: "TIMESTAMP "}[l.kind])
		b.WriteByte('\'')
		b.WriteString(strings.ReplaceAll(l.text, "'", "''"))
		b.WriteByte('\'')
	}
}

// fitted is a literal as a value of a column's type: the largest value that is
// not above the literal, and how the literal relates to it.
type fitted struct {
	value any // metadata value
	fit   literal.Fit
}

// fitTo types a literal that is not null for a column. It returns the literal
// too, with its zone made explicit.
func (l lit) fitTo(f schema.Field, loc *time.Location) (fitted, lit, error) {
	v, err := l.fit(f.Type, loc)
	if err != nil {
		if errors.Is(err, fault.ErrUnsupported) {
			return v, l, err
		}
		var b strings.Builder
		l.print(&b)
		return v, l, fault.Invalid(fmt.Sprintf("column %s (%s): %s %v", f.Name, literal.TypeName(f.Type), shorten(b.String()), err))
	}
	if f.Type.Kind == schema.TimestampLTZ {
		l = lit{kind: timestampLit, text: printInstant(v)}
	}
	return v, l, nil
}

func shorten(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}

// printInstant is the text of a TIMESTAMP_LTZ literal in UTC.
func printInstant(v fitted) string {
	ts := v.value.(schema.TimestampValue)
	seconds := ts.Millis / 1000
	if ts.Millis%1000 < 0 {
		seconds--
	}
	text := literal.AppendTimestamp(nil, seconds, int32(ts.Millis-seconds*1000)*1e6+ts.Nanos, 0)
	if v.fit != literal.Exact { // it lies within the nanosecond
		text = literal.AppendTimestamp(nil, seconds, int32(ts.Millis-seconds*1000)*1e6+ts.Nanos, 9)
		text = append(text, '5')
	}
	return string(append(text, 'Z'))
}

var errKind = errors.New("cannot be compared with it")

func (l lit) fit(t schema.Type, loc *time.Location) (fitted, error) {
	switch t.Kind {
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt:
		n, err := l.number()
		lo, hi := literal.Range(t.Kind)
		v, fit := n.Int(lo, hi)
		return fitted{literal.Integer(t.Kind, v), fit}, err
	case schema.Decimal:
		n, err := l.number()
		v, fit := n.Decimal(38, t.Scale) // a literal may have more digits than the column
		return fitted{v, fit}, err
	case schema.Float, schema.Double:
		return l.float(t.Kind)
	case schema.Boolean:
		return l.boolean()
	case schema.Char, schema.VarChar:
		if l.kind != textLit {
			return fitted{}, errors.New("is not text, put it in single quotes")
		}
		return fitted{l.text, literal.Exact}, nil
	case schema.Binary, schema.VarBinary:
		b, ok := literal.DecodeHex([]byte{}, l.text)
		if l.kind != binaryLit && l.kind != textLit || !ok {
			return fitted{}, errors.New("is not hex, write x'00ff'")
		}
		return fitted{b, literal.Exact}, nil
	case schema.Date, schema.Timestamp, schema.TimestampLTZ:
		return l.dateTime(t.Kind, loc)
	case schema.Time:
		return l.time()
	}
	return fitted{}, fault.Unsupported("comparing a column of type "+literal.TypeName(t)+" in a filter", "test it with IS NULL or IS NOT NULL only")
}

func (l lit) number() (literal.Number, error) {
	if l.kind != numberLit && l.kind != textLit {
		return literal.Number{}, errKind
	}
	return literal.ParseNumber(l.text)
}

// float rounds to the nearest value; beyond the largest finite one the literal lies below infinity.
func (l lit) float(k schema.Kind) (fitted, error) {
	if l.kind != numberLit && l.kind != textLit {
		return fitted{}, errKind
	}
	size := 64
	if k == schema.Float {
		size = 32
	}
	v, fit, err := literal.ParseFloat(l.text, size)
	switch fit {
	case literal.TooLarge:
		fit = literal.Between
	case literal.TooSmall:
		v, fit = math.Inf(-1), literal.Between
	}
	if k == schema.Float {
		return fitted{float32(v), fit}, err
	}
	return fitted{v, fit}, err
}

func (l lit) boolean() (fitted, error) {
	switch {
	case l.kind == boolLit:
		return fitted{l.yes, literal.Exact}, nil
	case l.kind == textLit && (strings.EqualFold(l.text, "true") || strings.EqualFold(l.text, "false")):
		return fitted{strings.EqualFold(l.text, "true"), literal.Exact}, nil
	}
	return fitted{}, errors.New("is not TRUE or FALSE")
}

func (l lit) dateTime(k schema.Kind, loc *time.Location) (fitted, error) {
	if l.kind != textLit && l.kind != dateLit && l.kind != timestampLit {
		return fitted{}, errors.New("is not a date or time in single quotes")
	}
	dt, err := literal.ParseDateTime(l.text)
	if err != nil {
		return fitted{}, err
	}
	if dt.Zoned && k != schema.TimestampLTZ {
		return fitted{}, errors.New("has an offset, which only a TIMESTAMP_LTZ can be compared with")
	}
	inexact := dt.More
	if k == schema.Date {
		inexact = inexact || dt.Nanos != 0
	}
	fit := literal.Exact
	if inexact {
		fit = literal.Between
	}
	switch {
	case k == schema.TimestampLTZ:
		return fitted{dt.Instant(loc), fit}, nil
	case k == schema.Timestamp:
		return fitted{dt.Wall(), fit}, nil
	case dt.Days > math.MaxInt32:
		return fitted{int32(math.MaxInt32), literal.TooLarge}, nil
	case dt.Days < math.MinInt32:
		return fitted{int32(math.MinInt32), literal.TooSmall}, nil
	}
	return fitted{int32(dt.Days), fit}, nil
}

func (l lit) time() (fitted, error) {
	if l.kind != textLit && l.kind != timeLit {
		return fitted{}, errors.New("is not a time in single quotes")
	}
	nanos, more, err := literal.ParseTime(l.text)
	fit := literal.Exact
	if more || nanos%1e6 != 0 {
		fit = literal.Between
	}
	return fitted{int32(nanos / 1e6), fit}, err
}

// literalOf makes a literal of a Go value for a column.
func literalOf(f schema.Field, v any) (lit, error) {
	switch v := v.(type) {
	case nil:
		return lit{}, nil
	case bool:
		return lit{kind: boolLit, yes: v}, nil
	case string:
		return lit{kind: textLit, text: v}, nil
	case []byte:
		return lit{kind: binaryLit, text: hex.EncodeToString(v)}, nil
	case float32:
		return floatLiteral(float64(v)), nil
	case float64:
		return floatLiteral(v), nil
	case decimal128.Num:
		return lit{kind: numberLit, text: string(literal.AppendDecimal(nil, v, f.Type.Scale))}, nil
	case schema.TimestampValue:
		return timestampLiteral(f, v), nil
	case time.Time:
		instant, wall := literal.FromTime(v)
		if f.Type.Kind == schema.TimestampLTZ {
			wall = instant
		}
		return timestampLiteral(f, wall), nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return integerLiteral(f, fmt.Sprint(v))
	}
	return lit{}, fault.Invalid(fmt.Sprintf("column %s: a filter takes no value of Go type %T", f.Name, v))
}

func floatLiteral(v float64) lit {
	if text := string(literal.AppendFloat(nil, v, 64)); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return lit{kind: numberLit, text: text}
	} else {
		return lit{kind: textLit, text: text}
	}
}

// timestampLiteral is given the moment for a TIMESTAMP_LTZ, else the wall clock.
func timestampLiteral(f schema.Field, v schema.TimestampValue) lit {
	text := printInstant(fitted{value: v})
	if f.Type.Kind != schema.TimestampLTZ {
		text = strings.TrimSuffix(text, "Z")
	}
	return lit{kind: timestampLit, text: text}
}

// integerLiteral takes DATE and TIME as their metadata values: days and milliseconds.
func integerLiteral(f schema.Field, text string) (lit, error) {
	switch f.Type.Kind {
	case schema.Date:
		days, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return lit{}, fault.Invalid("column " + f.Name + ": " + text + " is out of range for a date")
		}
		return lit{kind: dateLit, text: string(literal.AppendDate(nil, days))}, nil
	case schema.Time:
		millis, err := strconv.ParseInt(text, 10, 32)
		if err != nil || millis < 0 || millis >= 86_400_000 {
			return lit{}, fault.Invalid("column " + f.Name + ": " + text + " milliseconds are not within a day")
		}
		return lit{kind: timeLit, text: string(literal.AppendTime(nil, int32(millis)))}, nil
	}
	return lit{kind: numberLit, text: text}, nil
}

// CastLiteral turns text into the metadata value of a scalar type, exactly: a
// number out of range or with a fraction for an integer, more fraction digits
// than a DECIMAL's scale or a TIMESTAMP's precision (unless they are zeros), or
// a text longer than its VARCHAR is an ErrInvalid. Binary is hex, a boolean
// may be written as yes, no, t, f, y, n, 1 or 0 too, and loc (nil is UTC) is
// the zone of a TIMESTAMP_LTZ without an offset. Types that are not scalar are
// ErrUnsupported.
func CastLiteral(text string, t schema.Type, loc *time.Location) (any, error) {
	v, err := literal.Cast(text, t, loc)
	return v, castError(text, t, err)
}

// CastDefault turns the text of a column default into its metadata value by
// Paimon's own, looser rules: quotes around the text are dropped, decimals are
// rounded half up, text is cut or padded to its type, BINARY is the text's
// bytes. The errors are those of CastLiteral.
func CastDefault(text string, t schema.Type, loc *time.Location) (any, error) {
	v, err := literal.CastDefault(text, t, loc)
	return v, castError(text, t, err)
}

func castError(text string, t schema.Type, err error) error {
	if err == nil || errors.Is(err, fault.ErrUnsupported) {
		return err
	}
	return fault.Invalid(fmt.Sprintf("%s as %s: %v", literal.Quote(text), literal.TypeName(t), err))
}
