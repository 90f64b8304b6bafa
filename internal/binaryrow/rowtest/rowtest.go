// Package rowtest turns the JSON of row vectors into metadata values and Arrow
// columns, for the tests of the packages that hash and print rows.
package rowtest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// Load reads a JSON file of vectors, numbers kept as text.
func Load(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// Types parses SQL types.
func Types(t testing.TB, texts ...string) []schema.Type {
	t.Helper()
	types := make([]schema.Type, len(texts))
	for i, text := range texts {
		var err error
		if types[i], err = schema.ParseType(text); err != nil {
			t.Fatal(err)
		}
	}
	return types
}

// Values converts a row of JSON values.
func Values(t testing.TB, types []schema.Type, raw []any) []any {
	t.Helper()
	values := make([]any, len(raw))
	for i, r := range raw {
		values[i] = Value(t, types[i], r)
	}
	return values
}

// Value converts one JSON value: numbers, texts of decimals, dates and times,
// "0x" and hex for bytes, "millis=M,nanoOfMilli=N" for timestamps.
func Value(t testing.TB, typ schema.Type, raw any) any {
	t.Helper()
	if raw == nil {
		return nil
	}
	text := fmt.Sprint(raw)
	switch typ.Kind {
	case schema.Boolean:
		return raw.(bool)
	case schema.TinyInt:
		return int8(integer(t, text))
	case schema.SmallInt:
		return int16(integer(t, text))
	case schema.Int:
		return int32(integer(t, text))
	case schema.Date, schema.Time:
		return dayOrTime(t, text)
	case schema.BigInt:
		return integer(t, text)
	case schema.Float:
		return float32(float(t, text))
	case schema.Double:
		return float(t, text)
	case schema.Char, schema.VarChar:
		return text
	case schema.Binary, schema.VarBinary:
		b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	case schema.Decimal:
		d, err := decimal128.FromString(text, int32(typ.Precision), int32(typ.Scale))
		if err != nil {
			t.Fatal(err)
		}
		return d
	case schema.Timestamp, schema.TimestampLTZ:
		return stamp(t, text)
	case schema.Array:
		list := raw.([]any)
		out := make([]any, len(list))
		for i, e := range list {
			out[i] = Value(t, *typ.Elem, e)
		}
		return out
	case schema.Row:
		list := raw.([]any)
		out := make([]any, len(list))
		for i, e := range list {
			out[i] = Value(t, typ.Fields[i].Type, e)
		}
		return out
	}
	t.Fatalf("no JSON form for kind %d", typ.Kind)
	return nil
}

func integer(t testing.TB, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func float(t testing.TB, text string) float64 {
	t.Helper()
	if text == "NaN" {
		return math.Float64frombits(0x7ff8000000000123) // not the canonical one
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func dayOrTime(t testing.TB, text string) int32 {
	t.Helper()
	if d, err := time.Parse("2006-01-02", text); err == nil {
		return int32(d.Unix() / 86400)
	}
	if d, err := time.Parse("15:04:05.999", text); err == nil {
		return int32(d.Sub(d.Truncate(24 * time.Hour)).Milliseconds())
	}
	return int32(integer(t, text))
}

func stamp(t testing.TB, text string) schema.TimestampValue {
	t.Helper()
	var v schema.TimestampValue
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		if name == "millis" {
			v.Millis = integer(t, number)
		} else {
			v.Nanos = int32(integer(t, number))
		}
	}
	return v
}

// Columns builds canonical Arrow columns of the rows, which hold scalar
// values only. They live on Go's heap and need no release.
func Columns(t testing.TB, types []schema.Type, rows [][]any) []arrow.Array {
	t.Helper()
	cols := make([]arrow.Array, len(types))
	for i, typ := range types {
		dt, err := schema.ArrowType(typ)
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewBuilder(memory.DefaultAllocator, dt)
		for _, row := range rows {
			appendValue(t, b, typ, row[i])
		}
		cols[i] = b.NewArray()
	}
	return cols
}

func appendValue(t testing.TB, b array.Builder, typ schema.Type, v any) {
	t.Helper()
	switch x := v.(type) {
	case nil:
		b.AppendNull()
	case bool:
		b.(*array.BooleanBuilder).Append(x)
	case int8:
		b.(*array.Int8Builder).Append(x)
	case int16:
		b.(*array.Int16Builder).Append(x)
	case int32:
		switch b := b.(type) {
		case *array.Int32Builder:
			b.Append(x)
		case *array.Date32Builder:
			b.Append(arrow.Date32(x))
		case *array.Time32Builder:
			b.Append(arrow.Time32(x))
		}
	case int64:
		b.(*array.Int64Builder).Append(x)
	case float32:
		b.(*array.Float32Builder).Append(x)
	case float64:
		b.(*array.Float64Builder).Append(x)
	case string:
		b.(*array.StringBuilder).Append(x)
	case []byte:
		b.(*array.BinaryBuilder).Append(x)
	case decimal128.Num:
		b.(*array.Decimal128Builder).Append(x)
	case schema.TimestampValue:
		b.(*array.TimestampBuilder).Append(arrowStamp(x, typ.Precision))
	default:
		t.Fatalf("no column for a value of type %T", v)
	}
}

func arrowStamp(v schema.TimestampValue, precision int) arrow.Timestamp {
	switch {
	case precision == 0:
		return arrow.Timestamp(v.Millis / 1000)
	case precision <= 3:
		return arrow.Timestamp(v.Millis)
	case precision <= 6:
		return arrow.Timestamp(v.Millis*1000 + int64(v.Nanos)/1000)
	}
	return arrow.Timestamp(v.Millis*1_000_000 + int64(v.Nanos))
}

// Scalar tells whether all types are scalar, so that Columns can take them.
func Scalar(types []schema.Type) bool {
	for _, t := range types {
		switch t.Kind {
		case schema.Array, schema.Map, schema.Multiset, schema.Row:
			return false
		}
	}
	return true
}
