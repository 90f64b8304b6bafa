package cdc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// dayNanos is a day.
const dayNanos = clock(24 * time.Hour)

// assign turns the meaning of a value into the metadata value of a column's
// type, exactly or with an error that says why not.
func assign(v any, t schema.Type, zone *time.Location) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		return assignBool(v, t)
	case number:
		return assignNumber(string(v), t, false)
	case float:
		return assignNumber(string(v), t, true)
	case string:
		return assignText(v, t, zone)
	case []byte:
		if t.Kind == schema.Binary || t.Kind == schema.VarBinary {
			return v, literal.CheckBytes(len(v), t.Length)
		}
		return nil, cannotHold(t, "binary data")
	case date:
		switch {
		case t.Kind == schema.Date:
			return literal.DateValue(int64(v))
		case isText(t):
			return assignText(string(literal.AppendDate(nil, int64(v))), t, zone)
		}
		return nil, cannotHold(t, "a date")
	case clock:
		return assignClock(v, t)
	case moment:
		return assignMoment(v, t, zone)
	case list, pairs, tuple:
		return assignNested(v, t, zone)
	}
	return nil, cannotHold(t, fmt.Sprintf("a Go %T", v))
}

func isText(t schema.Type) bool { return t.Kind == schema.Char || t.Kind == schema.VarChar }

func cannotHold(t schema.Type, what string) error {
	return fmt.Errorf("a column of type %s cannot hold %s", literal.TypeName(t), what)
}

func assignBool(v bool, t schema.Type) (any, error) {
	switch t.Kind {
	case schema.Boolean:
		return v, nil
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt:
		if v {
			return literal.Integer(t.Kind, 1), nil
		}
		return literal.Integer(t.Kind, 0), nil
	case schema.Char, schema.VarChar:
		s := fmt.Sprint(v)
		return s, literal.CheckText(s, t.Length)
	}
	return nil, cannotHold(t, "a boolean")
}

// assignNumber fits the text of a number. A binary floating point number is
// rounded to the digits of a DECIMAL, as its own last digits mean nothing;
// a decimal one has to fit.
func assignNumber(v string, t schema.Type, rounds bool) (any, error) {
	switch t.Kind {
	case schema.Decimal:
		if !rounds {
			break
		}
		n, err := literal.ParseNumber(v)
		if err != nil {
			return nil, fmt.Errorf("%s %w", v, err)
		}
		d, ok := n.RoundDecimal(t.Precision, t.Scale)
		if !ok {
			return nil, describe(v, literal.DecimalError(literal.TooLarge, t.Precision, t.Scale))
		}
		return d, nil
	case schema.Boolean:
		if v == "0" || v == "1" {
			return v == "1", nil
		}
		return nil, cannotHold(t, "the number "+literal.Quote(v))
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt, schema.Float, schema.Double, schema.Char, schema.VarChar:
	default:
		return nil, cannotHold(t, "a number")
	}
	out, err := literal.Cast(v, t, nil)
	if err != nil {
		return nil, describe(v, err)
	}
	return out, nil
}

// describe puts the value before what is wrong with it.
func describe(v string, err error) error {
	return fmt.Errorf("%s %w", literal.Quote(v), err)
}

// assignText reads text as a value of the column's type.
func assignText(v string, t schema.Type, zone *time.Location) (any, error) {
	switch t.Kind {
	case schema.Binary, schema.VarBinary:
		return nil, cannotHold(t, "text")
	case schema.Time:
		nanos, more, err := literal.ParseTime(v)
		if err != nil || more {
			return nil, describe(v, orElse(err, "has more than 9 digits after the second"))
		}
		return assignClock(clock(nanos), t)
	case schema.Timestamp:
		dt, err := literal.ParseDateTime(v)
		if err == nil && dt.Zoned {
			m, err := instantOf(v)
			if err != nil {
				return nil, err
			}
			return assign(m, t, zone)
		}
	case schema.Array, schema.Map, schema.Multiset, schema.Row:
		return nil, cannotHold(t, "text")
	}
	out, err := literal.Cast(v, t, zone)
	if err != nil {
		return nil, describe(v, err)
	}
	return out, nil
}

func orElse(err error, otherwise string) error {
	if err != nil {
		return err
	}
	return errors.New(otherwise)
}

// assignClock fits a time of day. MySQL's TIME reaches from -838:59:59 to
// 838:59:59, which is why one may not fit. Digits below the millisecond are cut.
func assignClock(v clock, t schema.Type) (any, error) {
	switch {
	case isText(t):
		s := v.String()
		return s, literal.CheckText(s, t.Length)
	case t.Kind != schema.Time:
		return nil, cannotHold(t, "a time of day")
	case v < 0 || v >= dayNanos:
		return nil, fmt.Errorf("%s lies outside a day; declare the column STRING to keep such times", v)
	}
	return int32(v / 1e6), nil
}

// String is [-]hours:minutes:seconds[.fraction].
func (v clock) String() string {
	sign := ""
	n := uint64(v)
	if v < 0 {
		sign, n = "-", -n
	}
	s := fmt.Sprintf("%s%02d:%02d:%02d", sign, n/3_600_000_000_000, n/60_000_000_000%60, n/1_000_000_000%60)
	if f := n % 1_000_000_000; f != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%09d", f), "0")
	}
	return s
}

func assignMoment(v moment, t schema.Type, zone *time.Location) (any, error) {
	at := v.at
	switch {
	case isText(t):
		s := v.text
		if s == "" {
			s = momentText(at)
		}
		return s, literal.CheckText(s, t.Length)
	case t.Kind == schema.Timestamp && v.zoned:
		at = wall(at, zone)
	case t.Kind == schema.TimestampLTZ && !v.zoned:
		at = instant(at, zone)
	case t.Kind != schema.Timestamp && t.Kind != schema.TimestampLTZ:
		return nil, cannotHold(t, "a date with a time")
	}
	if at != literal.Truncate(at, t.Precision) {
		return nil, fmt.Errorf("%q has more than %d digits after the second", momentText(v.at), t.Precision)
	}
	return at, nil
}

func momentText(v schema.TimestampValue) string {
	seconds, millis := v.Millis/1000, v.Millis%1000
	if millis < 0 {
		seconds, millis = seconds-1, millis+1000
	}
	return string(literal.AppendTimestamp(nil, seconds, int32(millis)*1_000_000+v.Nanos, 0))
}

func assignNested(v any, t schema.Type, zone *time.Location) (any, error) {
	switch v := v.(type) {
	case list:
		if t.Kind != schema.Array {
			return nil, cannotHold(t, "an array")
		}
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = assign(e, *t.Elem, zone); err != nil {
				return nil, at(err, "element %d", i)
			}
		}
		return out, nil
	case pairs:
		if t.Kind != schema.Map {
			return nil, cannotHold(t, "a map")
		}
		out := make([][2]any, len(v))
		for i, e := range v {
			var err error
			if out[i][0], err = assign(e[0], *t.Key, zone); err != nil {
				return nil, at(err, "key %d", i)
			}
			if out[i][1], err = assign(e[1], *t.Elem, zone); err != nil {
				return nil, at(err, "value %d", i)
			}
		}
		return out, nil
	case tuple:
		if t.Kind != schema.Row {
			return nil, cannotHold(t, "a struct")
		}
		return assignTuple(v, t, zone)
	}
	return nil, cannotHold(t, "a nested value")
}

// assignTuple fits fields by name; those that are missing are null.
func assignTuple(v tuple, t schema.Type, zone *time.Location) (any, error) {
	out := make([]any, len(t.Fields))
	for _, m := range v {
		i := slices.IndexFunc(t.Fields, func(f schema.Field) bool { return f.Name == m.name })
		if i < 0 {
			return nil, fmt.Errorf("has a field %q, which the column's type %s lacks", m.name, literal.TypeName(t))
		}
		var err error
		if out[i], err = assign(m.value, t.Fields[i].Type, zone); err != nil {
			return nil, at(err, "field %q", m.name)
		}
	}
	return out, nil
}
