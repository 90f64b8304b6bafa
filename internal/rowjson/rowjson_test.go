package rowjson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

// fields makes columns of "name TYPE" texts.
func fields(t testing.TB, columns ...string) []schema.Field {
	t.Helper()
	out := make([]schema.Field, len(columns))
	for i, c := range columns {
		name, text, _ := strings.Cut(c, " ")
		typ, err := schema.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = schema.Field{ID: i, Name: name, Type: typ}
	}
	return out
}

func checked(t testing.TB) memory.Allocator {
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { alloc.AssertSize(t, 0) })
	return alloc
}

// printed reads JSON lines and prints them again, with kinds where there are any.
func printed(t testing.TB, fs []schema.Field, opts rowjson.Options, text string) (string, error) {
	t.Helper()
	opts.Alloc = checked(t)
	var out []byte
	for b, err := range rowjson.ReadJSON(strings.NewReader(text), fs, opts) {
		if err != nil {
			return string(out), err
		}
		out = appendBatch(t, out, fs, b)
	}
	return string(out), nil
}

func appendBatch(t testing.TB, out []byte, fs []schema.Field, b rowjson.Batch) []byte {
	t.Helper()
	enc, err := rowjson.NewEncoder(fs)
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.Bind(b.Record); err != nil {
		t.Fatal(err)
	}
	for row := range int(b.Record.NumRows()) {
		if b.Kinds != nil {
			out = fmt.Appendf(out, `{"%s":"%s",`, rowjson.KindName, schema.RowKind(b.Kinds[row]))
			out = append(out, enc.AppendRow(nil, row)[1:]...)
		} else {
			out = enc.AppendRow(out, row)
		}
		out = append(out, '\n')
	}
	return out
}

// TestRowsOfJavaPaimonComeBackByteForByte: the files hold every type with its
// extremes, as real Paimon reads them.
func TestRowsOfJavaPaimonComeBackByteForByte(t *testing.T) {
	for _, name := range []string{"types", "nested"} {
		t.Run(name, func(t *testing.T) {
			var columns [][2]string
			text, err := os.ReadFile(filepath.Join("testdata", name+".fields.json"))
			if err == nil {
				err = json.Unmarshal(text, &columns)
			}
			if err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, c := range columns {
				list = append(list, c[0]+" "+c[1])
			}
			want, err := os.ReadFile(filepath.Join("testdata", name+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := printed(t, fields(t, list...), rowjson.Options{BatchRows: 5}, string(want))
			if err != nil {
				t.Fatal(err)
			}
			sameLines(t, got, string(want))
			csvRoundTrip(t, fields(t, list...), string(want))
		})
	}
}

func sameLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d:\n got %s\nwant %s", i+1, g[min(i, len(g)-1)], w[min(i, len(w)-1)])
		}
	}
}

// csvRoundTrip writes JSON lines as CSV and reads that back.
func csvRoundTrip(t *testing.T, fs []schema.Field, lines string) {
	t.Helper()
	enc, err := rowjson.NewEncoder(fs)
	if err != nil {
		t.Fatal(err)
	}
	csv := enc.AppendCSVHeader(nil, ';')
	for b, err := range rowjson.ReadJSON(strings.NewReader(lines), fs, rowjson.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Bind(b.Record); err != nil {
			t.Fatal(err)
		}
		for row := range int(b.Record.NumRows()) {
			csv = enc.AppendCSV(csv, ';', row)
		}
	}
	var back []byte
	opts := rowjson.CSVOptions{Comma: ';', Header: true, Options: rowjson.Options{Alloc: checked(t), BatchRows: 3}}
	for b, err := range rowjson.ReadCSV(bytes.NewReader(csv), fs, opts) {
		if err != nil {
			t.Fatalf("%v in\n%s", err, csv)
		}
		back = appendBatch(t, back, fs, b)
	}
	sameLines(t, string(back), lines)
}

func TestLenientWhereNothingIsLost(t *testing.T) {
	loc := time.FixedZone("", 2*3600)
	for _, c := range []struct{ typ, in, want string }{
		{"INT", `3.0`, `3`}, {"INT", `-1e3`, `-1000`}, {"INT", `-0`, `0`}, {"BIGINT", `9223372036854775807`, `9223372036854775807`},
		{"BIGINT", `-9223372036854775808.000`, `-9223372036854775808`},
		{"DECIMAL(5, 2)", `1.5`, `"1.50"`}, {"DECIMAL(5, 2)", `"-1e2"`, `"-100.00"`}, {"DECIMAL(5, 2)", `1.500`, `"1.50"`},
		{"DOUBLE", `"NaN"`, `"NaN"`}, {"DOUBLE", `1e-7`, `1e-7`}, {"FLOAT", `"-Infinity"`, `"-Infinity"`}, {"FLOAT", `0.1`, `0.1`}, {"FLOAT", `-0.0`, `-0`},
		{"TIMESTAMP(3)", `"2026-01-31 10:11"`, `"2026-01-31T10:11:00.000"`}, {"TIMESTAMP(0)", `"2026-01-31"`, `"2026-01-31T00:00:00"`},
		{"TIMESTAMP(9)", `"1969-12-31T23:59:59.999999999"`, `"1969-12-31T23:59:59.999999999"`},
		{"TIMESTAMP(3) WITH LOCAL TIME ZONE", `"2026-01-31T10:11:12.5"`, `"2026-01-31T08:11:12.500Z"`},
		{"TIMESTAMP(3) WITH LOCAL TIME ZONE", `"2026-01-31 10:11:12.5-08:00"`, `"2026-01-31T18:11:12.500Z"`},
		{"BYTES", `"00fF"`, `"00ff"`}, {"BYTES", `""`, `""`}, {"TIME(0)", `"1:02"`, `"01:02:00.000"`},
		{"MAP<STRING, INT>", `{"b":1,"a":null}`, `[["a",null],["b",1]]`}, {"MAP<INT, STRING>", `[[2,"x"],[1,"y"]]`, `[[1,"y"],[2,"x"]]`},
		{"MULTISET<STRING>", `{"b":2}`, `[["b",2]]`}, {"ROW<a INT, b STRING>", `{"b":"x"}`, `{"a":null,"b":"x"}`},
		{"ARRAY<ROW<a INT>>", `[{"a":1},null,{}]`, `[{"a":1},null,{"a":null}]`},
		{"STRING", `"\u00e9\ud83d\ude00\/\n\u0001<&>\u2028\\\""`, `"é😀/\n\u0001<&>\u2028\\\""`}, {"STRING", ` null `, `null`},
	} {
		got, err := printed(t, fields(t, "v "+c.typ), rowjson.Options{Loc: loc}, ` { "v" : `+c.in+" } \r\n")
		if want := `{"v":` + c.want + "}\n"; got != want || err != nil {
			t.Errorf("%s: %s gives %s %v, want %s", c.typ, c.in, got, err, want)
		}
	}
}

func TestErrorsNameLineColumnTypeAndValue(t *testing.T) {
	for _, c := range []struct{ typ, row, want string }{
		{"INT", `{"v":3.5}`, "line 1: column v (INT): 3.5 is not a whole number"},
		{"TINYINT", `{"v":128}`, "line 1: column v (TINYINT): 128 is out of range (-128 to 127)"},
		{"BIGINT", `{"v":1e99}`, "column v (BIGINT): 1e99 is out of range (-9223372036854775808 to 9223372036854775807)"},
		{"INT", `{"v":"3"}`, `column v (INT): "3" is not a number`},
		{"BOOLEAN", `{"v":1}`, `column v (BOOLEAN): 1 is not true or false`},
		{"STRING", `{"v":{"a":[1,2]}}`, `column v (STRING): {"a":[1,2]} is not a string`},
		{"VARCHAR(2)", `{"v":"äöü"}`, `column v (VARCHAR(2)): "äöü" has more than 2 characters`},
		{"BINARY(1)", `{"v":"0001"}`, `column v (BINARY(1)): "0001" has more than 1 bytes`},
		{"BYTES", `{"v":"0g"}`, `column v (BYTES): "0g" is not hex`},
		{"FLOAT", `{"v":1e39}`, `column v (FLOAT): 1e39 is out of range`},
		{"DOUBLE", `{"v":"1"}`, `column v (DOUBLE): "1" is neither a number nor NaN, Infinity or -Infinity`},
		{"DECIMAL(4, 2)", `{"v":"1.234"}`, `column v (DECIMAL(4, 2)): "1.234" has more than 2 digits after the point`},
		{"DECIMAL(4, 2)", `{"v":100}`, `column v (DECIMAL(4, 2)): 100 has more than 2 digits before the point`},
		{"DATE", `{"v":"2023-02-29"}`, `column v (DATE): "2023-02-29" names a day that its month does not have`},
		{"DATE", `{"v":19000}`, `column v (DATE): 19000 is not a string`},
		{"TIMESTAMP(9)", `{"v":"3000-01-01"}`, `is out of range: a precision above 6 reaches from 1677 to 2262`},
		{"TIMESTAMP(3)", `{"v":"2024-01-01T00:00:00.0001"}`, `has more than 3 digits after the second`},
		{"ARRAY<INT NOT NULL>", `{"v":[1,null]}`, `column v[1] (INT): null must not be null`},
		{"ARRAY<ROW<a MAP<INT, DATE>>>", `{"v":[{},{"a":[[1,null],[2,"x"]]}]}`, `column v[1].a[1][1] (DATE): "x" is not a date, write 2026-01-31`},
		{"ROW<a INT, b INT>", `{"v":{"a":1,"A":2}}`, `column v (ROW<`}, {"ROW<abc INT>", `{"v":{"acb":1}}`, `"acb" is no member of it (did you mean abc?)`},
		{"ROW<a INT NOT NULL>", `{"v":{}}`, `column v.a (INT): null must not be null`},
		{"MAP<STRING, INT>", `{"v":[["a",1],["a",2]]}`, `has the key of entry 2 twice`}, {"MAP<STRING, INT>", `{"v":[[null,1]]}`, `column v[0][0] (STRING): null must not be null`},
		{"MAP<STRING, INT>", `{"v":[["a"]]}`, `is not an array of [key, value] pairs`}, {"MAP<INT, INT>", `{"v":{"1":1}}`, `is not an array of [key, value] pairs`},
		{"MAP<STRING, INT>", `{"v":[["a",1]}`, "not valid JSON at byte 14: want ',' or ']'"}, {"MAP<STRING, INT>", `{"v":{"a":1]`, "want ',' or '}'"}, {"ARRAY<INT>", `{"v":[1}`, "want ',' or ']'"},
		{"MULTISET<STRING>", `{"v":[["a",null]]}`, `must not be null`},
		{"INT", `{"v":1,"v":2}`, `column v (INT): the member is there twice`}, {"INT", `{"w":1}`, `line 1: no column is named "w"`},
		{"INT", `{"_kind":"+X"}`, `the row kind "+X" is none of +I, -U, +U, -D`}, {"INT", `{"_bucket":1}`, `no column is named "_bucket"`},
		{"INT", `{"v":1`, `line 1: not valid JSON at byte 7: want ',' or '}'`}, {"INT", `{"v":1} x`, "text after the row"},
		{"INT", `[1]`, "a row is an object"}, {"INT", `{"v":01}`, "malformed number"}, {"INT", `{"v":tru}`, "want a value"},
		{"STRING", `{"v":"\x"}`, "malformed escape"}, {"STRING", `{"v":"\ud800"}`, "malformed escape"}, {"STRING", "{\"v\":\"\xff\"}", "string is not valid UTF-8"},
		{"STRING", "{\"v\":\"a\tb\"}", "control character in a string"},
		{"ARRAY<INT>", `{"v":` + strings.Repeat("[", 100000) + "}", "nested too deep"},
		{"INT", `{"v":"` + strings.Repeat("x", 1000) + `"}`, `xxx... is not a number`},
	} {
		_, err := printed(t, fields(t, "v "+c.typ), rowjson.Options{}, c.row)
		var row *rowjson.RowError
		if !errors.As(err, &row) || !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %.80s: %v, want %s", c.typ, c.row, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "not supported") {
			t.Errorf("%v: wrong words", err)
		}
	}
}

func TestRulesMakeRowsMalformed(t *testing.T) {
	fs := fields(t, "id INT NOT NULL", "d DOUBLE NOT NULL", "n INT NOT NULL")
	seven := "7"
	fs[2].Default = &seven
	for _, c := range []struct {
		rules Rules
		row   string
		want  string
	}{
		{Rules{NotNull: true}, `{"d":1}`, "line 1: column id (INT): null in a NOT NULL column"},
		{Rules{NotNull: true}, `{"id":1,"d":null}`, "line 1: column d (DOUBLE): null in a NOT NULL column"},
		{Rules{NotNull: true}, `{"id":1,"d":"NaN"}`, ""},
		{Rules{NoNaN: []string{"d", "id"}}, `{"id":1,"d":"NaN"}`, "line 1: column d (DOUBLE): NaN in a key or sequence column, where other engines lose such rows"},
		{Rules{NoNaN: []string{"d"}}, `{"id":1}`, ""},
		{Rules{InsertsOnly: true}, `{"_kind":"+U","id":1,"d":1}`, "line 1: the row kind is +U, but the table has no primary key and takes only +I"},
		{Rules{InsertsOnly: true}, `{"_kind":"+I","id":1,"d":1}`, ""},
		{Rules{}, `{"_kind":"-D"}`, ""},
	} {
		_, err := printed(t, fs, rowjson.Options{Rules: c.rules}, c.row)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
			t.Errorf("%s: %v, want %q", c.row, err, c.want)
		}
		if c.want != "" && !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%s: %v is not of the class", c.row, err)
		}
	}
	in := "id,d\n1,2\n,3\nx,4\n5,6\n"
	var bad []string
	opts := rowjson.CSVOptions{Header: true, Options: rowjson.Options{Rules: Rules{NotNull: true}, BadRow: func(text []byte, err *rowjson.RowError) error {
		bad = append(bad, fmt.Sprintf("%d %s", err.Line, strings.TrimSpace(string(text))))
		return nil
	}}}
	for b, err := range rowjson.ReadCSV(strings.NewReader(in), fs, opts) {
		if err != nil || b.Record.NumRows() != 2 {
			t.Error(b.Record, err)
		}
	}
	if fmt.Sprint(bad) != "[3 ,3 4 x,4]" {
		t.Errorf("%q", bad)
	}
}

type Rules = rowjson.Rules

func TestKindsAndMissingColumns(t *testing.T) {
	fs := fields(t, "id INT NOT NULL", "name STRING")
	got, err := printed(t, fs, rowjson.Options{}, `{"id":1,"_kind":"-D"}`+"\n\n  \n"+`{"name":"x"}`+"\n"+`{"_kind":"+U","name":null,"id":2}`)
	want := `{"_kind":"-D","id":1,"name":null}
{"_kind":"+I","id":null,"name":"x"}
{"_kind":"+U","id":2,"name":null}
`
	if got != want || err != nil {
		t.Errorf("%s %v", got, err)
	}
	got, err = printed(t, fields(t, "_kind STRING"), rowjson.Options{}, `{"_kind":"anything"}`)
	if got != `{"_kind":"anything"}`+"\n" || err != nil {
		t.Errorf("a column of the name _kind: %s %v", got, err)
	}
}

// TestBadRowsLeaveNothingBehind: whatever a row had filled in is taken back, at any depth.
func TestBadRowsLeaveNothingBehind(t *testing.T) {
	fs := fields(t, "id INT", "s STRING", "deep ARRAY<ROW<k STRING, m MAP<STRING, ARRAY<DOUBLE>>>>", "b BOOLEAN", "last INT")
	good := `{"id":1,"s":"x","deep":[{"k":"a","m":[["p",[1,null]]]},null],"b":true,"last":7}`
	var bad []string
	for i := range len(good) - 1 {
		bad = append(bad, good[:i+1])
	}
	bad = append(bad,
		`{"id":2,"s":"yy","deep":[{"k":"a","m":[["p",[1,"z"]]]}]}`, `{"id":2,"s":"yy","deep":[{"k":"a","m":[["p",[1]],["p",[2]]]}]}`,
		`{"b":true,"deep":[{"k":1}]}`, `{"id":2,"s":"yy","deep":[],"b":false,"last":"x"}`, `{"last":1,"ID":2}`)
	var lines []string
	for _, row := range bad {
		lines = append(lines, good, row)
	}
	lines = append(lines, good)
	var seen []int64
	opts := rowjson.Options{BatchRows: 50, BadRow: func(text []byte, err *rowjson.RowError) error {
		seen = append(seen, err.Line)
		if string(text) != bad[len(seen)-1] {
			t.Errorf("bad row %d is given as %s", len(seen), text)
		}
		return nil
	}}
	got, err := printed(t, fs, opts, strings.Join(lines, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat(good+"\n", len(bad)+1); got != want {
		t.Errorf("got\n%.2000s", got)
	}
	for i, line := range seen {
		if line != int64(2*i+2) {
			t.Fatalf("bad row %d is on line %d", i, line)
		}
	}
	if len(seen) != len(bad) {
		t.Errorf("%d bad rows, want %d", len(seen), len(bad))
	}
}

func TestRowsBeforeAnErrorAreGivenOut(t *testing.T) {
	fs := fields(t, "v INT")
	got, err := printed(t, fs, rowjson.Options{}, "{\"v\":1}\n{\"v\":2}\n{\"v\":x}\n{\"v\":3}\n")
	var row *rowjson.RowError
	if got != "{\"v\":1}\n{\"v\":2}\n" || !errors.As(err, &row) || row.Line != 3 {
		t.Errorf("%s %v", got, err)
	}
	broken := errors.New("broken pipe")
	in := io.MultiReader(strings.NewReader("{\"v\":1}\n{\"v\""), &failing{broken})
	rows := 0
	for b, e := range rowjson.ReadJSON(in, fs, rowjson.Options{}) {
		if err = e; e == nil {
			rows += int(b.Record.NumRows())
		}
	}
	if rows != 1 || !errors.Is(err, broken) {
		t.Errorf("%d rows, %v", rows, err)
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestRowsLongerThanAllowedAreBadRows(t *testing.T) {
	long := strings.Repeat("x", 600<<10)
	fs := fields(t, "v STRING")
	text := `{"v":"a"}` + "\n" + `{"v":"` + long + `"}` + "\n" + `{"v":"b"}`
	if got, err := printed(t, fs, rowjson.Options{}, text); err != nil || len(got) < len(long) {
		t.Error(err)
	}
	skip := func([]byte, *rowjson.RowError) error { return nil }
	got, err := printed(t, fs, rowjson.Options{MaxRow: 1000, BadRow: skip}, text)
	if got != "{\"v\":\"a\"}\n{\"v\":\"b\"}\n" || err != nil {
		t.Errorf("%.100s %v", got, err)
	}
	if _, err := printed(t, fs, rowjson.Options{MaxRow: 1000}, text); err == nil || !strings.Contains(err.Error(), "line 2: the row is longer than 1000 bytes") {
		t.Error(err)
	}
}

func TestIteratorStopsWhenItsLoopBreaks(t *testing.T) {
	fs := fields(t, "v INT")
	n := 0
	for b, err := range rowjson.ReadJSON(strings.NewReader(strings.Repeat("{\"v\":1}\n", 10)), fs, rowjson.Options{BatchRows: 2, Alloc: checked(t)}) {
		if err != nil {
			t.Fatal(err)
		}
		if b.Line != int64(2*n+1) {
			t.Errorf("batch %d begins on line %d", n, b.Line)
		}
		if n++; n == 2 {
			break
		}
	}
}

func TestTextAndFloatsPrintAsEncodingJSON(t *testing.T) {
	var want bytes.Buffer
	std := json.NewEncoder(&want)
	std.SetEscapeHTML(false)
	str, double, single := fields(t, "v STRING")[0].Type, fields(t, "v DOUBLE")[0].Type, fields(t, "v FLOAT")[0].Type
	check := func(typ schema.Type, v any) {
		t.Helper()
		want.Reset()
		if err := std.Encode(v); err != nil {
			t.Fatal(err)
		}
		got, err := rowjson.AppendValue([]byte("x"), typ, v)
		if err != nil || string(got) != "x"+strings.TrimSuffix(want.String(), "\n") {
			t.Errorf("%v: %s %v, want %s", v, got, err, want.String())
		}
	}
	for r := range rune(0x300) {
		check(str, "a"+string(r)+"b")
	}
	for _, s := range []string{"", "\u2027\u2028\u2029\u202a", "\uffff", "<script>&amp;", "\x7f", "😀"} {
		check(str, s)
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1, 1e20, 1e21, 1e-6, 1e-7, 123456789.125, -1e-10, 1e100, math.MaxFloat64, math.SmallestNonzeroFloat64} {
		check(double, f)
		check(single, float32(max(min(f, math.MaxFloat32), -math.MaxFloat32)))
	}
}

// TestInvalidTextPrintsAsJSONAnyway: a file may hold bytes that are not UTF-8.
func TestInvalidTextPrintsAsJSONAnyway(t *testing.T) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Append("a\xffb\"")
	arr := b.NewArray()
	defer arr.Release()
	got, err := rowjson.Append(nil, fields(t, "v STRING")[0].Type, arr, 0)
	if string(got) != `"a\ufffdb\""` || err != nil {
		t.Errorf("%s %v", got, err)
	}
}

func TestBinaryPrintsInBase64IfAsked(t *testing.T) {
	fs := fields(t, "v BYTES")
	for b, err := range rowjson.ReadJSON(strings.NewReader(`{"v":"00ff10"}`), fs, rowjson.Options{Alloc: checked(t)}) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := rowjson.NewEncoder(fs)
		if err != nil {
			t.Fatal(err)
		}
		e.Base64()
		if err := e.Bind(b.Record); err != nil {
			t.Fatal(err)
		}
		if got := string(e.AppendRow(nil, 0)); got != `{"v":"AP8Q"}` {
			t.Error(got)
		}
	}
}

func TestBatchOfOtherTypesIsRefused(t *testing.T) {
	for _, c := range []struct {
		typ string
		dt  arrow.DataType
	}{
		{"INT", arrow.PrimitiveTypes.Int64}, {"DECIMAL(5, 2)", &arrow.Decimal128Type{Precision: 5, Scale: 1}},
		{"TIMESTAMP(3)", &arrow.TimestampType{Unit: arrow.Microsecond}}, {"ARRAY<INT>", arrow.ListOf(arrow.BinaryTypes.String)},
		{"ROW<a INT>", arrow.StructOf()}, {"TIME(3)", arrow.FixedWidthTypes.Time32s},
	} {
		arr := array.MakeArrayOfNull(memory.DefaultAllocator, c.dt, 1)
		defer arr.Release()
		if _, err := rowjson.Append(nil, fields(t, "v "+c.typ)[0].Type, arr, 0); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%s in %s: %v", c.typ, c.dt, err)
		}
	}
	enc, err := rowjson.NewEncoder(fields(t, "v INT"))
	if err != nil {
		t.Fatal(err)
	}
	rec := array.NewRecordBatch(arrow.NewSchema(nil, nil), nil, 0)
	defer rec.Release()
	if err := enc.Bind(rec); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
}

func TestCSVFollowsRFC4180(t *testing.T) {
	fs := fields(t, "id INT", "name STRING", "tags ARRAY<STRING>")
	for _, c := range []struct {
		name, in, want string
		opts           rowjson.CSVOptions
	}{
		{"null and empty", "1,,\n2,\"\",[]\n", `{"id":1,"name":null,"tags":null}
{"id":2,"name":"","tags":[]}
`, rowjson.CSVOptions{}},
		{"quotes, lines, blanks", "\xEF\xBB\xBF1,\"a \"\"b\"\"\nc,d\",\"[\"\"x\"\"]\"\r\n\r\n2, e ,null", `{"id":1,"name":"a \"b\"\nc,d","tags":["x"]}
{"id":2,"name":" e ","tags":null}
`, rowjson.CSVOptions{}},
		{"header, kind, null word", "name\t_kind\tid\nx\t-D\t1\n\\N\t\\N\t2\n", `{"_kind":"-D","id":1,"name":"x","tags":null}
{"_kind":"+I","id":2,"name":null,"tags":null}
`, rowjson.CSVOptions{Header: true, Comma: '\t', Null: `\N`}},
		{"null word in quotes", "1,\"NULL\",NULL", `{"id":1,"name":"NULL","tags":null}
`, rowjson.CSVOptions{Null: "NULL"}},
		{"too few", "1,a", "line 1: the record has 2 cells, want 3", rowjson.CSVOptions{}},
		{"bad number", "1,a,\n\nx,a,", `line 3: column id (INT): "x" is not a number`, rowjson.CSVOptions{}},
		{"bad nested", "1,a,[1]", `line 1: column tags[0] (STRING): 1 is not a string`, rowjson.CSVOptions{}},
		{"not JSON", "1,a,[", `line 1: column tags (ARRAY<STRING>): "[" is not valid JSON at byte 2`, rowjson.CSVOptions{}},
		{"open quote", "1,\"a,\nb", "line 1: cell 2: no closing quote", rowjson.CSVOptions{}},
		{"stray quote", "1,a\"b,", "line 1: cell 2: a quote within a cell", rowjson.CSVOptions{}},
		{"after quote", "1,\"a\"b,", "line 1: cell 2: text after its closing quote", rowjson.CSVOptions{}},
		{"unknown column", "id,nmae\n", `line 1: no column is named "nmae" (did you mean name?)`, rowjson.CSVOptions{Header: true}},
		{"named twice", "id,id\n", `line 1: the header names "id" twice`, rowjson.CSVOptions{Header: true}},
		{"not UTF-8", "1,\xff,", `column name (STRING): "\xff" is not valid UTF-8`, rowjson.CSVOptions{}},
		{"nothing", "", "", rowjson.CSVOptions{Header: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Alloc = checked(t)
			var out []byte
			for b, err := range rowjson.ReadCSV(strings.NewReader(c.in), fs, c.opts) {
				if err != nil {
					if !strings.Contains(err.Error(), c.want) || c.want == "" || !errors.Is(err, fault.ErrInvalid) {
						t.Errorf("%v, want %s", err, c.want)
					}
					return
				}
				out = appendBatch(t, out, fs, b)
			}
			if string(out) != c.want {
				t.Errorf("got %s\nwant %s", out, c.want)
			}
		})
	}
}

func TestCSVBadRowsAreGivenWholeAndLeftOut(t *testing.T) {
	var bad []string
	opts := rowjson.CSVOptions{Options: rowjson.Options{BadRow: func(text []byte, err *rowjson.RowError) error {
		bad = append(bad, fmt.Sprintf("%d %s", err.Line, text))
		return nil
	}}}
	fs := fields(t, "id INT", "s STRING")
	var out []byte
	for b, err := range rowjson.ReadCSV(strings.NewReader("1,a\nx,\"two\nlines\"\n2,b\n3,\"c\"d\n4,d\n"), fs, opts) {
		if err != nil {
			t.Fatal(err)
		}
		out = appendBatch(t, out, fs, b)
	}
	if s := string(out); s != `{"id":1,"s":"a"}`+"\n"+`{"id":2,"s":"b"}`+"\n"+`{"id":4,"s":"d"}`+"\n" {
		t.Error(s)
	}
	if s := strings.Join(bad, "|"); s != "2 x,\"two\nlines\"\n|5 3,\"c\"d\n" {
		t.Errorf("%q", s)
	}
}

func TestCSVOfOneColumnKeepsItsNulls(t *testing.T) {
	csvRoundTrip(t, fields(t, "v STRING"), `{"v":"a"}`+"\n"+`{"v":null}`+"\n"+`{"v":""}`+"\n"+`{"v":"x;\"y\r\nz"}`+"\n")
}

type money int64
type name string

func TestAppenderTakesGoValues(t *testing.T) {
	seven, none := 7, (*int)(nil)
	moment := time.Date(2026, 1, 31, 23, 30, 0, 123456789, time.FixedZone("", -3600))
	for _, c := range []struct {
		typ  string
		v    any
		want string
	}{
		{"TINYINT", int8(-1), "-1"}, {"INT", 7, "7"}, {"INT", &seven, "7"}, {"INT", none, "null"}, {"INT", nil, "null"}, {"BIGINT", money(5), "5"},
		{"BIGINT", uint64(math.MaxUint64), "! uint64 \"18446744073709551615\" is out of range (-9223372036854775808 to 9223372036854775807)"},
		{"SMALLINT", 40000, "!is out of range (-32768 to 32767)"}, {"INT", 1.5, "!is not an integer"}, {"INT", "1", "!is not an integer"}, {"INT", json.Number("12"), "12"},
		{"FLOAT", float32(0.5), "0.5"}, {"FLOAT", 1e300, "!is out of range"}, {"DOUBLE", 3, "3"}, {"DOUBLE", math.Inf(1), `"Infinity"`},
		{"DECIMAL(5, 2)", decimal128.FromI64(150), `"1.50"`}, {"DECIMAL(5, 2)", "1.5", `"1.50"`}, {"DECIMAL(5, 2)", 3, `"3.00"`}, {"DECIMAL(5, 2)", 1.5, "!is not a decimal128.Num"},
		{"DECIMAL(5, 2)", decimal128.FromI64(100000), "!has more than 3 digits before the point"},
		{"STRING", "a", `"a"`}, {"STRING", name("b"), `"b"`}, {"STRING", []byte("c"), `"c"`}, {"STRING", 1, "!is not a string"}, {"STRING", "\xff", "!is not valid UTF-8"},
		{"BYTES", []byte{1, 255}, `"01ff"`}, {"BYTES", "01", "!is not a []byte"}, {"BOOLEAN", true, "true"}, {"BOOLEAN", 1, "!is not true or false"},
		{"DATE", int32(0), `"1970-01-01"`}, {"DATE", moment, `"2026-01-31"`}, {"DATE", "2026-02-28", `"2026-02-28"`},
		{"TIME(3)", int32(1), `"00:00:00.001"`}, {"TIME(3)", moment, `"23:30:00.123"`}, {"TIME(3)", 90 * time.Minute, `"01:30:00.000"`}, {"TIME(3)", 86_400_000, "!is not within a day"},
		{"TIMESTAMP(3)", moment, `"2026-01-31T23:30:00.123"`}, {"TIMESTAMP(9)", &moment, `"2026-01-31T23:30:00.123456789"`},
		{"TIMESTAMP(6) WITH LOCAL TIME ZONE", moment, `"2026-02-01T00:30:00.123456Z"`}, {"TIMESTAMP(1)", schema.TimestampValue{Millis: 1999}, `"1970-01-01T00:00:01.9"`},
		{"TIMESTAMP(9)", time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC), "!is out of range"}, {"TIMESTAMP(3)", "2026-01-31 01:02", `"2026-01-31T01:02:00.000"`},
		{"TIMESTAMP(3)", schema.TimestampValue{Nanos: -1}, "!has nanoseconds outside 0 to 999999"},
		{"ARRAY<INT>", []any{1, nil, int8(3)}, "[1,null,3]"}, {"ARRAY<INT>", []int{1, 2}, "[1,2]"}, {"ARRAY<INT>", []any{"x"}, "!column v[0] (INT): string \"x\" is not an integer"}, {"ARRAY<INT>", []int(nil), "null"},
		{"MAP<STRING, INT>", [][2]any{{"b", 1}, {"a", nil}}, `[["a",null],["b",1]]`}, {"MAP<STRING, INT>", map[string]int{"b": 1, "a": 2}, `[["a",2],["b",1]]`},
		{"MAP<STRING, INT>", [][2]any{{"b", 1}, {"b", nil}}, "!has the key of entry 2 twice"}, {"MULTISET<INT>", map[int]int32{5: 2}, "[[5,2]]"},
		{"ROW<a INT, b STRING>", []any{1, "x"}, `{"a":1,"b":"x"}`}, {"ROW<a INT, b STRING>", map[string]any{"b": "x"}, `{"a":null,"b":"x"}`},
		{"ROW<a INT, b STRING>", []any{1}, "!has 1 members, want 2"}, {"ROW<aa INT>", map[string]any{"ab": 1}, `!has "ab", which is no member`},
		{"ARRAY<ROW<a INT NOT NULL>>", []any{[]any{nil}}, "!column v[0].a (INT): null must not be null"},
	} {
		a, err := rowjson.NewAppender(fields(t, "first INT", "v "+c.typ), checked(t))
		if err != nil {
			t.Fatal(err)
		}
		err = a.Append(schema.Insert, []any{1, c.v})
		if want, wrong := strings.CutPrefix(c.want, "!"); wrong || err != nil {
			if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) || !errors.Is(err, fault.ErrInvalid) {
				t.Errorf("%s of %v: %v, want %s", c.typ, c.v, err, c.want)
			}
			if rec, _ := a.Flush(); rec != nil {
				t.Errorf("%s of %v: the row stayed", c.typ, c.v)
			}
			continue
		}
		rec, kinds := a.Flush()
		if kinds != nil {
			t.Error("kinds of a batch of inserts")
		}
		got, err := rowjson.Append(nil, fields(t, "v "+c.typ)[0].Type, rec.Column(1), 0)
		rec.Release()
		if string(got) != c.want || err != nil {
			t.Errorf("%s of %v: %s %v, want %s", c.typ, c.v, got, err, c.want)
		}
	}
}

func TestAppenderChecksTheRow(t *testing.T) {
	a, err := rowjson.NewAppender(fields(t, "v INT"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Append(schema.Insert, nil); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
	if err := a.Append(9, []any{1}); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
	if a.Rows() != 0 {
		t.Error("a refused row was added")
	}
}

func TestNoAllocationGrowsWithRows(t *testing.T) {
	fs := fields(t, benchColumns...)
	read := func(rows int) float64 {
		text := benchLines(rows)
		return testing.AllocsPerRun(3, func() {
			for _, err := range rowjson.ReadJSON(bytes.NewReader(text), fs, rowjson.Options{}) {
				if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if few, many := read(100), read(5000); many > few+500 {
		t.Errorf("%v allocations for 100 rows, %v for 5000", few, many)
	}
}

func TestTypesWithoutTextAreRefusedByName(t *testing.T) {
	fs := []schema.Field{{Name: "v", Type: schema.Type{Kind: schema.Variant, Nullable: true}}}
	if _, err := rowjson.NewDecoder(fs, rowjson.Options{}); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
	if _, err := rowjson.NewEncoder(fs); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
}

// A batch that is lent is the same rows that Flush would give, whatever was
// lent before it.
func TestLendIsFlushWithoutACopy(t *testing.T) {
	fields := []schema.Field{{Name: "n", Type: schema.Type{Kind: schema.BigInt}}, {Name: "f", Type: schema.Type{Kind: schema.Double}}}
	for _, text := range []bool{false, true} {
		if text {
			fields = append(fields, schema.Field{Name: "s", Type: schema.Type{Kind: schema.VarChar, Length: 9}}, schema.Field{Name: "b", Type: schema.Type{Kind: schema.Boolean}})
		}
		lend, err := rowjson.NewAppender(fields, nil)
		if err != nil {
			t.Fatal(err)
		}
		flush, _ := rowjson.NewAppender(fields, nil)
		if lend.Lend() != nil {
			t.Error("lends a batch without rows")
		}
		for i, rows := range []int{1, 1, 3, 1, 0, 1, 500, 1, 1} {
			for r := range rows {
				values := []any{int64(i*1000 + r), float64(r), fmt.Sprint("text", i), r%2 == 1}[:len(fields)]
				if i == 5 {
					values[0] = nil
				}
				for _, a := range []*rowjson.Appender{lend, flush} {
					if err := a.Append(schema.Insert, slices.Clone(values)); err != nil {
						t.Fatal(err)
					}
				}
			}
			want, _ := flush.Flush()
			got := lend.Lend()
			if rows == 0 {
				continue
			}
			if !array.RecordEqual(got, want) {
				t.Fatalf("text %v, step %d: lent %v, want %v", text, i, got, want)
			}
			got.Release()
		}
	}
}
