package rowjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// errNil says that a Go value turned out to be a nil pointer or interface, which is null.
var errNil = errors.New("is nil")

// plainGo follows pointers and turns named types into their plain ones:
// int64, uint64, float64, bool, string or []byte; everything else stays.
func plainGo(v any) (any, error) {
	switch v.(type) {
	case json.Number, decimal128.Num, time.Time, schema.TimestampValue, time.Duration, []byte:
		return v, nil
	}
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface {
		if r.IsNil() {
			return nil, errNil
		}
		r = r.Elem()
		switch r.Type() {
		case reflect.TypeFor[decimal128.Num](), reflect.TypeFor[time.Time](), reflect.TypeFor[json.Number](),
			reflect.TypeFor[schema.TimestampValue](), reflect.TypeFor[time.Duration]():
			return r.Interface(), nil
		}
	}
	switch {
	case r.CanInt():
		return r.Int(), nil
	case r.CanUint():
		return r.Uint(), nil
	case r.CanFloat():
		return r.Float(), nil
	case r.Kind() == reflect.Bool:
		return r.Bool(), nil
	case r.Kind() == reflect.String:
		return r.String(), nil
	case r.Kind() == reflect.Slice && r.IsNil():
		return nil, errNil
	case r.Kind() == reflect.Slice && r.Type().Elem().Kind() == reflect.Uint8:
		return r.Bytes(), nil
	case r.Kind() == reflect.Map && r.IsNil():
		return nil, errNil
	}
	return r.Interface(), nil
}

// goInteger takes Go integers of every width, and json.Number.
func goInteger(v any, kind schema.Kind) (int64, error) {
	lo, hi := literal.Range(kind)
	plain, err := plainGo(v)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	switch p := plain.(type) {
	case int64:
		n = p
	case uint64:
		n = int64(min(p, math.MaxInt64))
		if uint64(n) != p {
			hi = -1 // out of every range
		}
	case json.Number:
		return literal.ParseInteger(p.String(), kind)
	default:
		return 0, errors.New("is not an integer")
	}
	if n < lo || n > hi {
		lo, hi = literal.Range(kind)
		return 0, fmt.Errorf("is out of range (%d to %d)", lo, hi)
	}
	return n, nil
}

func goFloat(v any) (float64, error) {
	plain, err := plainGo(v)
	if err != nil {
		return 0, err
	}
	switch p := plain.(type) {
	case float64:
		return p, nil
	case int64:
		return float64(p), nil
	case uint64:
		return float64(p), nil
	case json.Number:
		f, fit, err := literal.ParseFloat(p.String(), 64)
		if err == nil && fit != literal.Exact {
			err = errors.New("is out of range")
		}
		return f, err
	}
	return 0, errWantNumber
}

// goNumber takes what a DECIMAL can be made of exactly: integers and text.
func goNumber(v any) (literal.Number, error) {
	plain, err := plainGo(v)
	if err != nil {
		return literal.Number{}, err
	}
	switch p := plain.(type) {
	case decimal128.Num: // behind a pointer
		return literal.Number{}, errors.New("is a pointer to a decimal, give the decimal")
	case int64:
		return literal.FromInt(p), nil
	case uint64:
		return literal.ParseNumber(strconv.FormatUint(p, 10))
	case string:
		return literal.ParseNumber(p)
	case json.Number:
		return literal.ParseNumber(p.String())
	}
	return literal.Number{}, errors.New("is not a decimal128.Num, an integer or a decimal text")
}

// goDate takes days since 1970, the date that a time.Time shows on its own clock, or text.
func goDate(v any) (int32, error) {
	plain, err := plainGo(v)
	if err != nil {
		return 0, err
	}
	switch p := plain.(type) {
	case int64:
		return literal.DateValue(p)
	case time.Time:
		y, m, d := p.Date()
		return literal.DateValue(literal.DaysOf(y, int(m), d))
	case string:
		return literal.ParseDate(p)
	}
	return 0, errors.New("is not a count of days, a time.Time or a date text")
}

const millisPerDay = 86_400_000

// goTimeOfDay takes milliseconds, a time.Duration since midnight, the clock of a time.Time, or text.
func goTimeOfDay(v any) (int32, error) {
	plain, err := plainGo(v)
	if err != nil {
		return 0, err
	}
	millis := int64(0)
	switch p := plain.(type) {
	case int64:
		millis = p
	case time.Duration:
		millis = p.Milliseconds()
	case time.Time:
		h, m, s := p.Clock()
		millis = int64(h*3600+m*60+s)*1e3 + int64(p.Nanosecond()/1e6)
	case string:
		return literal.ParseTimeOfDay(p)
	default:
		return 0, errors.New("is not a count of milliseconds, a time.Duration, a time.Time or a time text")
	}
	if millis < 0 || millis >= millisPerDay {
		return 0, errors.New("is not within a day")
	}
	return int32(millis), nil
}

// goTimestamp takes a TimestampValue, a time.Time or text. Of a time.Time, a
// TIMESTAMP takes the wall clock in its own zone, a TIMESTAMP_LTZ the moment.
// Go clocks tick in nanoseconds: what is below the precision is dropped.
func goTimestamp(v any, precision int, zoned bool, loc *time.Location) (schema.TimestampValue, error) {
	plain, err := plainGo(v)
	if err != nil {
		return schema.TimestampValue{}, err
	}
	switch p := plain.(type) {
	case schema.TimestampValue:
		if p.Nanos < 0 || p.Nanos > 999_999 {
			return p, errors.New("has nanoseconds outside 0 to 999999")
		}
		return literal.Truncate(p, precision), nil
	case time.Time:
		if y := p.Year(); y < -maxGoYear || y > maxGoYear {
			return schema.TimestampValue{}, errors.New("is out of range")
		}
		instant, wall := literal.FromTime(p)
		if zoned {
			wall = instant
		}
		return literal.Truncate(wall, precision), nil
	case string:
		return literal.ParseTimestamp(p, precision, zoned, loc)
	}
	return schema.TimestampValue{}, errors.New("is not a TimestampValue, a time.Time or a timestamp text")
}

// maxGoYear keeps milliseconds within 64 bits.
const maxGoYear = 9_999_999

// goList takes []any or any other slice or array.
func goList(v any) ([]any, error) {
	if items, ok := v.([]any); ok {
		return items, nil
	}
	plain, err := plainGo(v)
	if err != nil {
		return nil, err
	}
	r := reflect.ValueOf(plain)
	if r.Kind() != reflect.Slice && r.Kind() != reflect.Array {
		return nil, errors.New("is not a slice")
	}
	items := make([]any, r.Len())
	for i := range items {
		items[i] = r.Index(i).Interface()
	}
	return items, nil
}

// goPairs takes [][2]any, or a Go map, whose pairs it sorts by the text of their keys.
func goPairs(v any) ([][2]any, error) {
	if pairs, ok := v.([][2]any); ok {
		return pairs, nil
	}
	plain, err := plainGo(v)
	if err != nil {
		return nil, err
	}
	r := reflect.ValueOf(plain)
	if r.Kind() != reflect.Map {
		return nil, errors.New("is not a [][2]any or a map")
	}
	pairs := make([][2]any, 0, r.Len())
	for it := r.MapRange(); it.Next(); {
		pairs = append(pairs, [2]any{it.Key().Interface(), it.Value().Interface()})
	}
	sort.Slice(pairs, func(i, j int) bool { return fmt.Sprint(pairs[i][0]) < fmt.Sprint(pairs[j][0]) })
	return pairs, nil
}

// goMembers takes the members of a ROW: []any in their order, or map[string]any by name.
func goMembers(v any, names []string) ([]any, error) {
	switch v := v.(type) {
	case []any:
		if len(v) != len(names) {
			return nil, fmt.Errorf("has %d members, want %d", len(v), len(names))
		}
		return v, nil
	case map[string]any:
		items, found := make([]any, len(names)), 0
		for i, name := range names {
			item, ok := v[name]
			if items[i] = item; ok {
				found++
			}
		}
		if found < len(v) {
			return nil, strangers(v, names)
		}
		return items, nil
	}
	return nil, errors.New("is not a []any or a map[string]any")
}

func strangers(v map[string]any, names []string) error {
	known := make(map[string]bool, len(names))
	for _, n := range names {
		known[n] = true
	}
	worst := ""
	for n := range v {
		if !known[n] && (worst == "" || n < worst) {
			worst = n
		}
	}
	return fmt.Errorf("has %s, which is no member%s", literal.Quote(worst), literal.DidYouMean(worst, names))
}
