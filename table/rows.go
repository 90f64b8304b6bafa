package table

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// Row is one row by column name, for callers without a struct of their own. A
// missing column is null. Values are as for struct fields; see Writer.Put.
type Row map[string]any

// rowValues turns v, a struct, a pointer to one, a Row or any map keyed by
// strings, into one metadata value a field.
func rowValues(fields []schema.Field, v any, loc *time.Location) ([]any, error) {
	return rowPart(fields, fields, v, loc)
}

// rowPart is rowValues for some of the columns that there are: the values of
// others may be anything.
func rowPart(fields, all []schema.Field, v any, loc *time.Location) ([]any, error) {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer || rv.Kind() == reflect.Interface {
		if rv.IsNil() {
			return nil, fault.Invalid("a nil row")
		}
		rv = rv.Elem()
	}
	values := make([]any, len(fields))
	switch {
	case !rv.IsValid():
		return nil, fault.Invalid("a nil row")
	case rv.Kind() == reflect.Map && rv.Type().Key().Kind() == reflect.String:
		if err := fromMap(fields, all, rv, values, loc); err != nil {
			return nil, err
		}
	case rv.Kind() == reflect.Struct && rv.Type() != timeType:
		if err := fromStruct(fields, all, rv, values, loc); err != nil {
			return nil, err
		}
	default:
		return nil, fault.Invalid(fmt.Sprintf("a row is a struct or a map by column name, not %s", rv.Type()))
	}
	return values, nil
}

func fromMap(fields, all []schema.Field, rv reflect.Value, values []any, loc *time.Location) error {
	found := 0
	for i, f := range fields {
		cell := rv.MapIndex(reflect.ValueOf(f.Name).Convert(rv.Type().Key()))
		if !cell.IsValid() {
			continue
		}
		found++
		v, err := goValue(f.Type, cell, loc)
		if err != nil {
			return columnError(f.Name, err)
		}
		values[i] = v
	}
	if found == rv.Len() {
		return nil
	}
	for _, k := range rv.MapKeys() {
		if !hasField(all, k.String()) {
			return fault.Invalid(fmt.Sprintf("no column %q in the table", k.String()))
		}
	}
	return nil
}

func hasField(fields []schema.Field, name string) bool {
	for _, f := range fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

func fromStruct(fields, all []schema.Field, rv reflect.Value, values []any, loc *time.Location) error {
	plan, err := structPlanOf(rv.Type())
	if err != nil {
		return err
	}
	used := 0
	for i, f := range fields {
		index, ok := plan[f.Name]
		if !ok {
			continue
		}
		used++
		cell, err := rv.FieldByIndexErr(index)
		if err != nil {
			continue // inside an embedded pointer that is nil
		}
		v, err := goValue(f.Type, cell, loc)
		if err != nil {
			return columnError(f.Name, err)
		}
		values[i] = v
	}
	if used == len(plan) {
		return nil
	}
	for name := range plan {
		if !hasField(all, name) {
			return fault.Invalid(fmt.Sprintf("struct %s names column %q, which the table does not have; correct its tag or mark it `tidelake:\"-\"`", rv.Type(), name))
		}
	}
	return nil
}

// columnError names the column; an error without a class of its own is one of the input.
func columnError(name string, err error) error {
	e := &fault.Error{Detail: fmt.Sprintf("column %q", name), Err: err}
	var classed *fault.Error
	if !errors.As(err, &classed) {
		e.Class = fault.ErrInvalid
	}
	return e
}

var (
	structPlans sync.Map // reflect.Type → map[string][]int
	timeType    = reflect.TypeFor[time.Time]()
	decimalType = reflect.TypeFor[decimal128.Num]()
	bytesType   = reflect.TypeFor[[]byte]()
)

// structPlanOf maps column names to struct fields: the tag `tidelake:"col"`,
// else the field's name in lower snake case; "-" leaves a field out.
func structPlanOf(t reflect.Type) (map[string][]int, error) {
	if p, ok := structPlans.Load(t); ok {
		return p.(map[string][]int), nil
	}
	plan := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("tidelake"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			name = snakeCase(f.Name)
		}
		if _, twice := plan[name]; twice {
			return nil, fault.Invalid(fmt.Sprintf("struct %s names column %q twice", t, name))
		}
		plan[name] = f.Index
	}
	if len(plan) == 0 {
		return nil, fault.Invalid(fmt.Sprintf("struct %s has no exported field: none could be a column", t))
	}
	structPlans.Store(t, plan)
	return plan, nil
}

// snakeCase turns UserID into user_id and Dt into dt.
func snakeCase(name string) string {
	var b strings.Builder
	upper := func(i int) bool { return i >= 0 && i < len(name) && name[i] >= 'A' && name[i] <= 'Z' }
	for i := range len(name) {
		c := name[i]
		if upper(i) {
			if i > 0 && (!upper(i-1) || (i+1 < len(name) && !upper(i+1))) {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// goValue converts one Go value to the metadata value of a column type. Nil
// pointers, interfaces, slices and maps are null.
func goValue(t schema.Type, v reflect.Value, loc *time.Location) (any, error) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil, nil
		}
		v = v.Elem()
	}
	if (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.IsNil() {
		return nil, nil
	}
	switch t.Kind {
	case schema.Boolean:
		if v.Kind() == reflect.Bool {
			return v.Bool(), nil
		}
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt:
		return goInteger(t, v)
	case schema.Float, schema.Double:
		return goFloat(t, v)
	case schema.Char, schema.VarChar:
		if v.Kind() == reflect.String {
			return v.String(), nil
		}
	case schema.Binary, schema.VarBinary:
		if v.Type().ConvertibleTo(bytesType) && v.Kind() == reflect.Slice {
			return v.Convert(bytesType).Interface(), nil
		}
	case schema.Decimal:
		return goDecimal(t, v, loc)
	case schema.Date, schema.Time, schema.Timestamp, schema.TimestampLTZ:
		return goTime(t, v, loc)
	case schema.Array:
		return goArray(t, v, loc)
	case schema.Map, schema.Multiset:
		return goMap(t, v, loc)
	case schema.Row:
		return rowValues(t.Fields, v.Interface(), loc)
	}
	return nil, cannotHold(t, v)
}

func cannotHold(t schema.Type, v reflect.Value) error {
	return fmt.Errorf("type %s cannot take a Go %s", t, v.Type())
}

func goInteger(t schema.Type, v reflect.Value) (any, error) {
	var n int64
	switch {
	case v.CanInt():
		n = v.Int()
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		n = int64(v.Uint())
	case v.CanUint():
		return nil, fmt.Errorf("value %d is out of the range of %s", v.Uint(), t)
	default:
		return nil, cannotHold(t, v)
	}
	switch {
	case t.Kind == schema.TinyInt && n == int64(int8(n)):
		return int8(n), nil
	case t.Kind == schema.SmallInt && n == int64(int16(n)):
		return int16(n), nil
	case t.Kind == schema.Int && n == int64(int32(n)):
		return int32(n), nil
	case t.Kind == schema.BigInt:
		return n, nil
	}
	return nil, fmt.Errorf("value %d is out of the range of %s", n, t)
}

func goFloat(t schema.Type, v reflect.Value) (any, error) {
	var f float64
	switch {
	case v.CanFloat():
		f = v.Float()
	case v.CanInt() && v.Int() == int64(float64(v.Int())):
		f = float64(v.Int())
	default:
		return nil, cannotHold(t, v)
	}
	if t.Kind == schema.Double {
		return f, nil
	}
	if g := float32(f); float64(g) == f || v.Kind() == reflect.Float32 || math.IsNaN(f) {
		return g, nil
	}
	return nil, fmt.Errorf("value %v is not exact as %s; convert it to float32 yourself", f, t)
}

func goDecimal(t schema.Type, v reflect.Value, loc *time.Location) (any, error) {
	switch {
	case v.Type() == decimalType:
		n := v.Interface().(decimal128.Num)
		if !n.FitsInPrecision(int32(t.Precision)) {
			return nil, fmt.Errorf("unscaled value %s does not fit %s", n.ToString(0), t)
		}
		return n, nil
	case v.Kind() == reflect.String:
		return predicate.CastLiteral(v.String(), t, loc)
	case v.CanInt():
		return predicate.CastLiteral(fmt.Sprint(v.Int()), t, loc)
	}
	return nil, cannotHold(t, v)
}

// goTime reads time.Time for DATE and both timestamps, time.Duration since
// midnight for TIME, and text for all four. DATE and TIMESTAMP take the wall
// clock of the value's own location; TIMESTAMP_LTZ takes its instant.
func goTime(t schema.Type, v reflect.Value, loc *time.Location) (any, error) {
	if v.Kind() == reflect.String {
		return predicate.CastLiteral(v.String(), t, loc)
	}
	if d, ok := v.Interface().(time.Duration); ok && t.Kind == schema.Time {
		if d < 0 || d >= 24*time.Hour || d%time.Millisecond != 0 {
			return nil, fmt.Errorf("%s is not a time of day in whole milliseconds", d)
		}
		return int32(d / time.Millisecond), nil
	}
	at, ok := v.Interface().(time.Time)
	if !ok {
		return nil, cannotHold(t, v)
	}
	if t.Kind != schema.TimestampLTZ {
		_, offset := at.Zone()
		at = at.Add(time.Duration(offset) * time.Second)
	}
	switch t.Kind {
	case schema.Date:
		day := floorDiv(at.Unix(), 86_400)
		if day != int64(int32(day)) {
			return nil, fmt.Errorf("year %d is out of the range of %s", at.Year(), t)
		}
		return int32(day), nil
	case schema.Time:
		return nil, cannotHold(t, v)
	}
	return schema.TimestampValue{Millis: at.UnixMilli(), Nanos: int32(at.Nanosecond() % 1_000_000)}, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func goArray(t schema.Type, v reflect.Value, loc *time.Location) (any, error) {
	if v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return nil, cannotHold(t, v)
	}
	out := make([]any, v.Len())
	for i := range out {
		e, err := goValue(*t.Elem, v.Index(i), loc)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		out[i] = e
	}
	return out, nil
}

// goMap reads a Go map into the pairs of a MAP, or of a MULTISET as element →
// count, in key order so that equal maps make equal files.
func goMap(t schema.Type, v reflect.Value, loc *time.Location) (any, error) {
	if v.Kind() != reflect.Map {
		return nil, cannotHold(t, v)
	}
	key, item := t.Key, t.Elem
	if t.Kind == schema.Multiset {
		key, item = t.Elem, &schema.Type{Kind: schema.Int}
	}
	out := make([][2]any, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		k, err := goValue(*key, iter.Key(), loc)
		if err != nil {
			return nil, fmt.Errorf("map key: %w", err)
		}
		e, err := goValue(*item, iter.Value(), loc)
		if err != nil {
			return nil, fmt.Errorf("map value: %w", err)
		}
		out = append(out, [2]any{k, e})
	}
	slices.SortFunc(out, func(a, b [2]any) int { return schema.Compare(*key, a[0], b[0]) })
	return out, nil
}
