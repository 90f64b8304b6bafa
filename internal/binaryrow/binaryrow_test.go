package binaryrow_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/binaryrow/rowtest"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

type vector struct {
	Name     string   `json:"name"`
	Types    []string `json:"types"`
	Values   []any    `json:"values"`
	Row      string   `json:"row_hex"`
	Manifest string   `json:"manifest_hex"`
	Hash     int32    `json:"hash"`
}

func vectors(t testing.TB) []vector {
	var file struct{ Vectors []vector }
	rowtest.Load(t, "testdata/binaryrow.json", &file)
	if len(file.Vectors) < 40 {
		t.Fatalf("only %d vectors", len(file.Vectors))
	}
	return file.Vectors
}

// mapValues are the vectors whose JSON loses the order of pairs.
var mapValues = map[string][]any{
	"map_str_int": {[][2]any{{"k1", int32(1)}, {"key-number-2", nil}}},
	"multiset":    {[][2]any{{"a", int32(2)}}},
}

func (v vector) row(t testing.TB) ([]schema.Type, []any) {
	types := rowtest.Types(t, v.Types...)
	if m, ok := mapValues[v.Name]; ok {
		return types, m
	}
	return types, rowtest.Values(t, types, v.Values)
}

func TestRowsAreByteForByteThoseOfJava(t *testing.T) {
	for _, v := range vectors(t) {
		types, values := v.row(t)
		body, err := binaryrow.Append(nil, types, values)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if got := hex.EncodeToString(body); got != v.Row {
			t.Errorf("%s: row\n got %s\nwant %s", v.Name, got, v.Row)
		}
		if got := binaryrow.Hash(body); got != v.Hash {
			t.Errorf("%s: hash %d, want %d", v.Name, got, v.Hash)
		}
	}
}

func TestDecodeGivesBackWhatWasWritten(t *testing.T) {
	for _, v := range vectors(t) {
		types, values := v.row(t)
		got, err := binaryrow.Decode(types, unhex(t, v.Row))
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if v.Name == "float_nan" {
			continue // NaN differs from itself
		}
		if !reflect.DeepEqual(got, values) {
			t.Errorf("%s: got %v, want %v", v.Name, got, values)
		}
	}
}

func TestEncoderWritesWhatAppendWrites(t *testing.T) {
	for _, v := range vectors(t) {
		types, values := v.row(t)
		if !rowtest.Scalar(types) || len(types) == 0 {
			continue
		}
		nulls := make([]any, len(types))
		cols := rowtest.Columns(t, types, [][]any{nulls, values, nulls})
		enc, err := binaryrow.NewEncoder(types, cols)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		got := enc.Append([]byte("before"), 1)
		if want := "before" + string(unhex(t, v.Row)); string(got) != want {
			t.Errorf("%s: got %x, want %x", v.Name, got, want)
		}
		empty, err := binaryrow.Append(nil, types, nulls)
		if err != nil || !bytes.Equal(enc.Append(nil, 2), empty) {
			t.Errorf("%s: null row differs: %v", v.Name, err)
		}
		for i, typ := range types {
			cell, err := binaryrow.Values(typ, cols[i], 1)
			if err != nil || (v.Name != "float_nan" && !reflect.DeepEqual(cell, values[i])) {
				t.Errorf("%s: cell %v, want %v: %v", v.Name, cell, values[i], err)
			}
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestArraysAreByteForByteThoseOfJava(t *testing.T) {
	var file []struct {
		Values []any  `json:"bigint_array"`
		Hex    string `json:"hex"`
	}
	rowtest.Load(t, "testdata/binaryarray.json", &file)
	elem := schema.Type{Kind: schema.BigInt}
	for _, v := range file {
		values := make([]any, len(v.Values))
		for i, raw := range v.Values {
			values[i] = rowtest.Value(t, elem, raw)
		}
		data, err := binaryrow.AppendArray(nil, elem, values)
		if err != nil || hex.EncodeToString(data) != v.Hex {
			t.Errorf("array %v: got %x, want %s: %v", values, data, v.Hex, err)
		}
		back, err := binaryrow.DecodeArray(elem, data)
		if err != nil || !reflect.DeepEqual(back, values) {
			t.Errorf("array %v came back as %v: %v", values, back, err)
		}
	}
}

func TestEveryNaNHasTheSameBytes(t *testing.T) {
	types := []schema.Type{{Kind: schema.Float}, {Kind: schema.Double}}
	odd := []any{math.Float32frombits(0xffc00001), math.Float64frombits(0xfff0000000000001)}
	one, err := binaryrow.Append(nil, types, odd)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := binaryrow.NewEncoder(types, rowtest.Columns(t, types, [][]any{odd}))
	if err != nil {
		t.Fatal(err)
	}
	want := "00000000000000000000c07f00000000000000000000f87f"
	if hex.EncodeToString(one) != want || hex.EncodeToString(enc.Append(nil, 0)) != want {
		t.Errorf("got %x and %x", one, enc.Append(nil, 0))
	}
}

func TestHashSlotIsTheHashOfItsRow(t *testing.T) {
	for _, n := range []int64{0, 1, -1, math.MaxInt64, math.MinInt64, 1234567890123} {
		body, _ := binaryrow.Append(nil, []schema.Type{{Kind: schema.BigInt}}, []any{n})
		if binaryrow.HashSlot(uint64(n)) != binaryrow.Hash(body) {
			t.Errorf("%d", n)
		}
	}
	body, _ := binaryrow.Append(nil, []schema.Type{{Kind: schema.Int}}, []any{nil})
	if binaryrow.HashNull != binaryrow.Hash(body) {
		t.Error("null")
	}
}

// Rows of each list are in ascending order.
func TestCompareFollowsTheKeyOrder(t *testing.T) {
	inf, nan, zero := math.Inf(1), math.NaN(), 0.0
	dec := func(s string) any {
		d, err := decimal128.FromString(s, 38, 2)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		typ  string
		rows []any
	}{
		{"BOOLEAN", []any{nil, false, true}},
		{"TINYINT", []any{nil, int8(-128), int8(-1), int8(0), int8(127)}},
		{"SMALLINT", []any{nil, int16(-300), int16(2), int16(300)}},
		{"INT", []any{nil, int32(-1 << 31), int32(-1), int32(0), int32(1)}},
		{"DATE", []any{nil, int32(-5), int32(5)}},
		{"BIGINT", []any{nil, int64(-1 << 63), int64(-1), int64(1 << 40)}},
		{"FLOAT", []any{nil, float32(-inf), float32(-1), float32(0), float32(inf), float32(nan)}},
		{"DOUBLE", []any{nil, -inf, -1.5, zero, 2.5, inf, nan}},
		{"STRING", []any{nil, "", "a", "ab", "abcdefg", "abcdefgh", "b", "\uffff", "\U00010000"}},
		{"BYTES", []any{nil, []byte{}, []byte{0}, []byte{0x7f}, []byte{0x80}, bytes.Repeat([]byte{0x81}, 20)}},
		{"DECIMAL(10,2)", []any{nil, dec("-1.50"), dec("0.00"), dec("2.25")}},
		{"DECIMAL(38,2)", []any{nil, dec("-99999999999999999999999.01"), dec("-1.50"), dec("0.00"), dec("2.25"), dec("99999999999999999999999.01")}},
		{"TIMESTAMP(3)", []any{nil, schema.TimestampValue{Millis: -1}, schema.TimestampValue{Millis: 1}}},
		{"TIMESTAMP(9)", []any{nil, schema.TimestampValue{Millis: -1, Nanos: 999_999}, schema.TimestampValue{Millis: 1}, schema.TimestampValue{Millis: 1, Nanos: 1}}},
	} {
		types := rowtest.Types(t, c.typ, "INT")
		bodies := make([][]byte, len(c.rows))
		for i, v := range c.rows {
			var err error
			if bodies[i], err = binaryrow.Append(nil, types, []any{v, int32(7)}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range bodies {
			for j := range bodies {
				want := 0
				if i < j {
					want = -1
				} else if i > j {
					want = 1
				}
				if got := binaryrow.Compare(types, bodies[i], bodies[j]); got != want {
					t.Errorf("%s: compare(%v, %v) = %d, want %d", c.typ, c.rows[i], c.rows[j], got, want)
				}
				if got := schema.Compare(types[0], c.rows[i], c.rows[j]); got != want {
					t.Errorf("%s: schema.Compare(%v, %v) = %d, want %d", c.typ, c.rows[i], c.rows[j], got, want)
				}
			}
		}
	}
}

func TestCompareTakesMinusZeroForZero(t *testing.T) {
	types := []schema.Type{{Kind: schema.Double}}
	a, _ := binaryrow.Append(nil, types, []any{math.Copysign(0, -1)})
	b, _ := binaryrow.Append(nil, types, []any{0.0})
	if bytes.Equal(a, b) || binaryrow.Compare(types, a, b) != 0 {
		t.Error("-0.0 and 0.0 must compare equal and keep their bytes")
	}
}

func TestEncoderAndCompareAllocateNothing(t *testing.T) {
	types := rowtest.Types(t, "BIGINT", "STRING", "DECIMAL(38,2)", "TIMESTAMP(9)")
	row := []any{int64(1), "a string beyond the slot", decimal128.FromI64(12), schema.TimestampValue{Millis: 1, Nanos: 2}}
	enc, err := binaryrow.NewEncoder(types, rowtest.Columns(t, types, [][]any{row}))
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		buf = enc.Append(buf[:0], 0)
		binaryrow.Compare(types, buf, buf)
	}); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func TestSlicedColumnsEncodeTheirOwnRows(t *testing.T) {
	types := rowtest.Types(t, "BIGINT", "STRING", "BOOLEAN", "DATE", "TIMESTAMP(6)")
	rows := [][]any{
		{int64(1), "one", true, int32(1), schema.TimestampValue{Millis: 1}},
		{int64(2), nil, false, int32(2), schema.TimestampValue{Millis: -2, Nanos: 3000}},
		{nil, "three, which is longer", true, nil, nil},
	}
	cols := rowtest.Columns(t, types, rows)
	for i := range cols {
		cols[i] = array.NewSlice(cols[i], 1, 3)
	}
	enc, err := binaryrow.NewEncoder(types, cols)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows[1:] {
		want, _ := binaryrow.Append(nil, types, row)
		if got := enc.Append(nil, i); !bytes.Equal(got, want) {
			t.Errorf("row %d: got %x, want %x", i, got, want)
		}
	}
}

func TestMalformedInputIsAnError(t *testing.T) {
	str := []schema.Type{{Kind: schema.VarChar, Length: schema.MaxLength}}
	for name, body := range map[string][]byte{
		"short":   make([]byte, 15),
		"outside": unhex(t, "0000000000000000ffffff0010000000"),
		"inline":  unhex(t, "0000000000000000000000000000008f"),
	} {
		if _, err := binaryrow.Decode(str, body); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := binaryrow.DecodeArray(schema.Type{Kind: schema.BigInt}, unhex(t, "ffffff7f00000000")); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("array: %v", err)
	}
	if _, err := binaryrow.Append(nil, str, []any{int32(1)}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("wrong type: %v", err)
	}
	if _, err := binaryrow.Append(nil, []schema.Type{{Kind: schema.Variant}}, []any{"x"}); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("variant: %v", err)
	}
	ts := rowtest.Types(t, "TIMESTAMP(0)")
	far := rowtest.Columns(t, ts, [][]any{{schema.TimestampValue{Millis: 1}}})
	if _, err := binaryrow.NewEncoder(rowtest.Types(t, "INT"), far); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("array of another type: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	types := []string{"INT", "STRING", "BYTES", "DECIMAL(38,2)", "TIMESTAMP(9)", "ARRAY<STRING>", "MAP<STRING, INT>", "ROW<x INT, y STRING>", "DOUBLE"}
	for _, v := range vectors(f) {
		f.Add(unhex(f, v.Row))
		f.Add(unhex(f, v.Manifest))
	}
	parsed := rowtest.Types(f, types...)
	values := []any{int32(1), "a longer string", []byte("a longer binary"), decimal128.FromI64(-5), schema.TimestampValue{Millis: 5, Nanos: 6},
		[]any{"a", nil}, [][2]any{{"k", int32(1)}}, []any{int32(1), "y"}, 1.5}
	whole, err := binaryrow.Append(nil, parsed, values)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, data []byte) {
		binaryrow.Hash(data)
		if _, err := binaryrow.Decode(parsed, data); err == nil {
			binaryrow.Compare(parsed, data, whole)
		}
		for _, typ := range parsed {
			binaryrow.DecodeArray(typ, data)
		}
		if len(data) > 8 {
			binaryrow.Compare(parsed[:5], data, data[1:])
		}
	})
}

func Example() {
	types := []schema.Type{{Kind: schema.Int}, {Kind: schema.VarChar, Length: schema.MaxLength}}
	body, err := binaryrow.Append(nil, types, []any{int32(1), "hello"})
	if err != nil {
		panic(err)
	}
	values, err := binaryrow.Decode(types, body)
	fmt.Printf("%x\n%v %v\n", body, values, err)
	// Output:
	// 0000000000000000010000000000000068656c6c6f000085
	// [1 hello] <nil>
}

func BenchmarkEncoder(b *testing.B) {
	types := rowtest.Types(b, "BIGINT", "STRING")
	rows := make([][]any, 1024)
	for i := range rows {
		rows[i] = []any{int64(i), fmt.Sprint("customer-", i)}
	}
	enc, err := binaryrow.NewEncoder(types, rowtest.Columns(b, types, rows))
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf = enc.Append(buf[:0], i%1024)
		binaryrow.Hash(buf)
	}
}
