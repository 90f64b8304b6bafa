package cdc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// This file reads values that come without a declaration: Debezium with
// schemas.enable=false. The column's type says what is meant, and the modes of
// the connector how it was written.

// TimePrecision is the connector's time.precision.mode.
type TimePrecision string

// The modes, by Debezium's names. The zero value is the connector's default:
// adaptive_time_microseconds for MySQL and MariaDB, adaptive for all others.
const (
	DefaultTimes         TimePrecision = ""
	AdaptiveTimes        TimePrecision = "adaptive"
	AdaptiveMicroseconds TimePrecision = "adaptive_time_microseconds"
	ConnectTimes         TimePrecision = "connect"
	MicrosecondTimes     TimePrecision = "microseconds"
	NanosecondTimes      TimePrecision = "nanoseconds"
)

// DecimalHandling is the connector's decimal.handling.mode.
type DecimalHandling string

// The modes, by Debezium's names. With the zero value the values tell: a text
// of digits that could be base64 too is settled by those before it, and
// refused where these do not settle it.
const (
	DefaultDecimals DecimalHandling = ""
	PreciseDecimals DecimalHandling = "precise"
	StringDecimals  DecimalHandling = "string"
	DoubleDecimals  DecimalHandling = "double"
)

func (p TimePrecision) check() error {
	switch p {
	case DefaultTimes, AdaptiveTimes, AdaptiveMicroseconds, ConnectTimes, MicrosecondTimes, NanosecondTimes:
		return nil
	}
	return fault.Invalid(fmt.Sprintf("time precision mode %q: use adaptive, adaptive_time_microseconds, connect, microseconds or nanoseconds", p))
}

func (h DecimalHandling) check() error {
	switch h {
	case DefaultDecimals, PreciseDecimals, StringDecimals, DoubleDecimals:
		return nil
	}
	return fault.Invalid(fmt.Sprintf("decimal handling mode %q: use precise, string or double", h))
}

// adaptiveDigits are those of the smallest unit that holds a precision.
func adaptiveDigits(precision int) int {
	switch {
	case precision <= 3:
		return 3
	case precision <= 6:
		return 6
	}
	return 9
}

// digits tells the unit of a number that stands for a time, as the power of ten.
func (p TimePrecision) digits(t schema.Type, connector string) int {
	if p == DefaultTimes {
		p = AdaptiveTimes
		if connector == "mysql" || connector == "mariadb" {
			p = AdaptiveMicroseconds
		}
	}
	switch {
	case p == ConnectTimes:
		return 3
	case p == MicrosecondTimes, p == AdaptiveMicroseconds && t.Kind == schema.Time:
		return 6
	case p == NanosecondTimes:
		return 9
	}
	return adaptiveDigits(t.Precision)
}

// untyped converts a value that is not null.
func (m *Mapper) untyped(raw []byte, t schema.Type, connector string) (any, error) {
	switch {
	case isBool(raw):
		return assignBool(raw[0] == 't', t)
	case isNumber(raw):
		return m.untypedNumber(raw, t, connector)
	case isString(raw):
		return m.untypedText(raw, t)
	case isObject(raw):
		return m.untypedObject(raw, t, connector)
	case isArray(raw):
		return m.untypedArray(raw, t, connector)
	}
	return nil, errors.New("is no JSON value")
}

func (m *Mapper) untypedNumber(raw []byte, t schema.Type, connector string) (any, error) {
	switch t.Kind {
	case schema.Date, schema.Time, schema.Timestamp, schema.TimestampLTZ:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return nil, describe(string(raw), errors.New("is not a whole number of days or time units"))
		}
		switch t.Kind {
		case schema.Date:
			return literal.DateValue(n)
		case schema.Time:
			c, err := clockOf(n, m.opts.Times.digits(t, connector))
			if err != nil {
				return nil, err
			}
			return assign(c, t, m.opts.Zone)
		}
		return assign(moment{at: stampOf(n, m.opts.Times.digits(t, connector))}, t, m.opts.Zone)
	}
	if strings.ContainsAny(string(raw), ".eE") {
		return assign(float(raw), t, m.opts.Zone)
	}
	return assign(number(raw), t, m.opts.Zone)
}

func (m *Mapper) untypedText(raw []byte, t schema.Type) (any, error) {
	switch t.Kind {
	case schema.Binary, schema.VarBinary:
		b, err := decodeBase64(raw)
		if err != nil {
			return nil, err
		}
		return assign(b, t, m.opts.Zone)
	case schema.Decimal:
		return m.untypedDecimal(raw, t)
	}
	s, err := unquote(raw)
	if err != nil {
		return nil, err
	}
	return assignText(s, t, m.opts.Zone)
}

// untypedDecimal decides between the text of a number and base64. A sign, a
// point or a length that is no multiple of four shows text; a letter, plus,
// slash or padding shows base64. Only digits can be both. Unsigned BIGINTs are
// base64 also beside decimals in text (bigint.unsigned.handling.mode=precise).
func (m *Mapper) untypedDecimal(raw []byte, t schema.Type) (any, error) {
	s, err := unquote(raw)
	if err != nil {
		return nil, err
	}
	switch s {
	case "NaN", "Infinity", "-Infinity":
		return nil, cannotHold(t, s)
	}
	asText := func() (any, error) { return assignNumber(s, t, false) }
	asBytes := func() (any, error) {
		b, err := decodeBase64(raw)
		if err != nil {
			return nil, err
		}
		n, err := decimalOf(b, t.Scale)
		if err != nil {
			return nil, err
		}
		return assign(n, t, m.opts.Zone)
	}
	onlyDigits := strings.Trim(s, "0123456789") == ""
	switch {
	case m.opts.Decimals == PreciseDecimals:
		return asBytes()
	case len(s)%4 != 0, strings.ContainsAny(s, ".-"):
		m.decimals.saw(m.column, StringDecimals)
		return asText()
	case !onlyDigits:
		m.decimals.saw(m.column, PreciseDecimals)
		return asBytes()
	case m.opts.Decimals == StringDecimals, m.opts.Decimals == DoubleDecimals:
		return asText()
	}
	switch m.decimals.mode(m.column) {
	case StringDecimals:
		return asText()
	case PreciseDecimals:
		return asBytes()
	}
	if _, err := asText(); err != nil {
		return asBytes()
	}
	if _, err := asBytes(); err != nil {
		return asText()
	}
	return nil, fmt.Errorf("%q can be a number or the base64 of one: say which decimal.handling.mode the connector had", s)
}

// evidence is what unambiguous decimals of the input have shown, in each
// column and in all.
type evidence struct {
	columns map[string]DecimalHandling
	any     map[DecimalHandling]bool
}

func (e *evidence) saw(column string, h DecimalHandling) {
	if e.columns[column] == h {
		return
	}
	if e.columns == nil {
		e.columns, e.any = make(map[string]DecimalHandling), make(map[DecimalHandling]bool)
	}
	e.columns[column], e.any[h] = h, true
}

// mode is the column's own, else that of all other columns if they agree.
func (e *evidence) mode(column string) DecimalHandling {
	if h := e.columns[column]; h != "" || len(e.any) != 1 {
		return h
	}
	for h := range e.any {
		return h
	}
	return ""
}

func (m *Mapper) untypedObject(raw []byte, t schema.Type, connector string) (any, error) {
	switch t.Kind {
	case schema.Row:
		return m.untypedRow(raw, t, connector)
	case schema.Map:
		out := [][2]any{}
		err := eachMember(raw, func(name, v []byte) error {
			k, err := assignText(text(name), *t.Key, m.opts.Zone)
			if err != nil {
				return at(err, "key %s", name)
			}
			e, err := m.untypedNull(v, *t.Elem, connector)
			out = append(out, [2]any{k, e})
			return at(err, "key %s", name)
		})
		return out, err
	case schema.Binary, schema.VarBinary:
		if wkb, ok := wellKnownBinary(raw); ok {
			return m.untypedText(wkb, t)
		}
		return nil, cannotHold(t, "an object that is no geometry")
	}
	if scale, value, ok := varScale(raw); ok {
		b, err := decodeBase64(value)
		if err != nil {
			return nil, err
		}
		n, err := decimalOf(b, scale)
		if err != nil {
			return nil, err
		}
		return assign(n, t, m.opts.Zone)
	}
	if isText(t) {
		return string(raw), literal.CheckText(string(raw), t.Length)
	}
	return nil, cannotHold(t, "an object")
}

func (m *Mapper) untypedRow(raw []byte, t schema.Type, connector string) (any, error) {
	out := make([]any, len(t.Fields))
	err := eachMember(raw, func(quoted, v []byte) error {
		name, err := unquote(quoted)
		if err != nil {
			return err
		}
		for i, f := range t.Fields {
			if f.Name == name {
				out[i], err = m.untypedNull(v, f.Type, connector)
				return at(err, "field %q", name)
			}
		}
		return fmt.Errorf("has a field %q, which the column's type %s lacks", name, literal.TypeName(t))
	})
	return out, err
}

func (m *Mapper) untypedArray(raw []byte, t schema.Type, connector string) (any, error) {
	switch {
	case isText(t):
		return string(raw), literal.CheckText(string(raw), t.Length)
	case t.Kind != schema.Array:
		return nil, cannotHold(t, "an array")
	}
	out := []any{}
	err := eachElement(raw, func(v []byte) error {
		e, err := m.untypedNull(v, *t.Elem, connector)
		out = append(out, e)
		return at(err, "element %d", len(out)-1)
	})
	return out, err
}

func (m *Mapper) untypedNull(raw []byte, t schema.Type, connector string) (any, error) {
	if isNull(raw) {
		return nil, nil
	}
	return m.untyped(raw, t, connector)
}
