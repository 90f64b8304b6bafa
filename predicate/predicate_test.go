package predicate_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/predicate"
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

// kept filters JSON rows of one column v and returns the texts that are kept.
func kept(t *testing.T, fs []schema.Field, filter, lines string, loc *time.Location) string {
	t.Helper()
	e, err := predicate.Parse(filter, fs, loc)
	if err != nil {
		t.Fatalf("%s: %v", filter, err)
	}
	return keptBy(t, fs, e, lines)
}

func keptBy(t *testing.T, fs []schema.Field, e predicate.Expr, lines string) string {
	t.Helper()
	alloc := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer alloc.AssertSize(t, 0)
	var out []string
	for b, err := range rowjson.ReadJSON(strings.NewReader(lines), fs, rowjson.Options{Alloc: alloc}) {
		if err != nil {
			t.Fatal(err)
		}
		rows, err := e.Filter(b.Record)
		if err != nil {
			t.Fatal(err)
		}
		picked, err := predicate.Select(b.Record, rows, alloc)
		if err != nil {
			t.Fatal(err)
		}
		enc, err := rowjson.NewEncoder(fs[:1])
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Bind(picked); err != nil {
			t.Fatal(err)
		}
		for row := range int(picked.NumRows()) {
			_, value, _ := strings.Cut(string(enc.AppendRow(nil, row)), ":")
			out = append(out, strings.TrimSuffix(value, "}"))
		}
		picked.Release()
	}
	return strings.Join(out, " ")
}

func values(list ...string) string {
	return `{"v":` + strings.Join(list, "}\n{\"v\":") + "}"
}

func TestLiteralsThatTheTypeCannotHoldCompareByTheirExactValue(t *testing.T) {
	tiny := values("-128", "0", "3", "4", "127", "null")
	for filter, want := range map[string]string{
		"v = 3.5": "", "v <> 3.5": "-128 0 3 4 127", "v < 3.5": "-128 0 3", "v > 3.5": "4 127", "v >= 3.0": "3 4 127",
		"v < 1000": "-128 0 3 4 127", "v > 1000": "", "v = 1000": "", "v >= -1000": "-128 0 3 4 127", "v <= -128.5": "", "v > -128.5": "-128 0 3 4 127",
		"v IN (3.5, 4, 1000)": "4", "v NOT IN (3.5, 1000)": "-128 0 3 4 127", "NOT v > 3.5": "-128 0 3", "v BETWEEN 2.5 AND 3.5": "3",
		"v = 1e400": "", "v < 1e999999999": "-128 0 3 4 127", "v > 1e-400": "3 4 127", "v = '3'": "3", "3 = v": "3", "4 > v AND v > -1": "0 3",
	} {
		if got := kept(t, fields(t, "v TINYINT"), filter, tiny, nil); got != want {
			t.Errorf("%s keeps %s, want %s", filter, got, want)
		}
	}
	for _, c := range []struct{ typ, in, filter, want string }{
		{"DECIMAL(5, 2)", values(`"1.00"`, `"1.01"`), "v > 1.005", `"1.01"`}, {"DECIMAL(5, 2)", values(`"999.99"`), "v < 1000", `"999.99"`},
		{"DECIMAL(5, 2)", values(`"1.50"`), "v = 1.5", `"1.50"`}, {"DECIMAL(5, 2)", values(`"-1.00"`), "v >= -1.001", `"-1.00"`},
		{"FLOAT", values("0.1", "0.2"), "v = 0.1", "0.1"}, {"FLOAT", values("3.4028235e38", `"Infinity"`), "v > 1e39", `"Infinity"`},
		{"DOUBLE", values(`"NaN"`, "1", `"Infinity"`), "v > 5", `"NaN" "Infinity"`}, {"DOUBLE", values(`"NaN"`, "1"), "v = 'NaN'", `"NaN"`},
		{"DOUBLE", values("-0.0", "0.0"), "v >= 0", "-0 0"}, {"DOUBLE", values("-0.0", "0.0"), "v < 0", ""},
		{"DATE", values(`"2026-01-31"`, `"2026-02-01"`), "v > '2026-01-31 12:00:00'", `"2026-02-01"`}, {"DATE", values(`"2026-01-31"`), "v = DATE '2026-01-31'", `"2026-01-31"`},
		{"TIMESTAMP(3)", values(`"2026-01-31T00:00:00.001"`), "v > '2026-01-31T00:00:00.0009'", `"2026-01-31T00:00:00.001"`},
		{"TIMESTAMP(9)", values(`"2026-01-31"`), "v < '3000-01-01'", `"2026-01-31T00:00:00.000000000"`}, {"TIMESTAMP(9)", values(`"2026-01-31"`), "v < '1000-01-01'", ``},
		{"TIME(3)", values(`"10:00:00.000"`), "v < TIME '10:00:00.0001'", `"10:00:00.000"`}, {"STRING", values(`"10"`, `"9"`), "v < '9'", `"10"`},
		{"BYTES", values(`"00"`, `"ff"`), "v > x'7F'", `"ff"`}, {"BOOLEAN", values("true", "false", "null"), "NOT v", "false"}, {"BOOLEAN", values("true", "false"), "v >= TRUE", "true"},
		{"CHAR(3)", values(`"a"`, `"a  "`), "v = 'a'", `"a"`}, {"ARRAY<INT>", values("[1]", "null"), "v IS NOT NULL", "[1]"},
	} {
		if got := kept(t, fields(t, "v "+c.typ), c.filter, c.in, nil); got != c.want {
			t.Errorf("%s %s keeps %s, want %s", c.typ, c.filter, got, c.want)
		}
	}
}

func TestZonelessLiteralsAreInTheSessionZone(t *testing.T) {
	fs := fields(t, "v TIMESTAMP(3) WITH LOCAL TIME ZONE")
	rows := values(`"2026-01-31T08:00:00Z"`)
	zone := time.FixedZone("", 2*3600)
	for filter, want := range map[string]bool{
		"v = '2026-01-31 10:00:00'": true, "v = TIMESTAMP '2026-01-31 10:00:00'": true, "v = '2026-01-31 08:00:00'": false,
		"v = '2026-01-31 08:00:00Z'": true, "v IN ('2026-01-31T16:00:00+08:00')": true,
	} {
		if got := kept(t, fs, filter, rows, zone) != ""; got != want {
			t.Errorf("%s: %v", filter, got)
		}
	}
	e, err := predicate.Parse("v = '2026-01-31 10:00:00'", fs, zone)
	if err != nil || e.String() != "v = TIMESTAMP '2026-01-31T08:00:00Z'" {
		t.Error(e, err)
	}
}

func TestLike(t *testing.T) {
	fs := fields(t, "v STRING")
	in := values(`""`, `"a"`, `"ab"`, `"aéb"`, `"a%b"`, `"ba"`, `"abab"`, `"a_b"`, "null")
	for filter, want := range map[string]string{
		"v LIKE ''": `""`, "v LIKE '%'": `"" "a" "ab" "aéb" "a%b" "ba" "abab" "a_b"`, "v LIKE 'a%'": `"a" "ab" "aéb" "a%b" "abab" "a_b"`,
		"v LIKE '%b'": `"ab" "aéb" "a%b" "abab" "a_b"`, "v LIKE 'a_b'": `"aéb" "a%b" "a_b"`, "v LIKE '_'": `"a"`, "v LIKE '%a%a%'": `"abab"`,
		"v LIKE 'a!%b' ESCAPE '!'": `"a%b"`, "v LIKE 'a!_%' ESCAPE '!'": `"a_b"`, "v LIKE '%_b'": `"ab" "aéb" "a%b" "abab" "a_b"`, "v NOT LIKE '%a%'": `""`,
		"v LIKE 'ab%ab'": `"abab"`, "v LIKE 'ab%b'": `"abab"`, "startswith(v, 'a%')": `"a%b"`, "NOT startswith(v, 'a')": `"" "ba"`,
	} {
		if got := kept(t, fs, filter, in, nil); got != want {
			t.Errorf("%s keeps %s, want %s", filter, got, want)
		}
	}
}

func TestParserSaysWhatIsWrongAndWhere(t *testing.T) {
	fs := fields(t, "id INT", "name STRING", "day DATE", "f_row ROW<a INT>", "ltz TIMESTAMP(3) WITH LOCAL TIME ZONE", "ts TIMESTAMP(3)", "bin BYTES", "big DECIMAL(9, 2)")
	for filter, want := range map[string]string{
		"":                                       "at character 1: found the end, want a column",
		"id = 3 id":                              "at character 8: found id, want AND, OR or the end",
		"id = ":                                  "found the end, want a literal",
		"id = 3)":                                "found ), want AND, OR or the end",
		"(id = 3":                                "found the end, want )",
		"nmae = 'x'":                             `no column is named "nmae" (did you mean name?)`,
		"ID = 1":                                 `no column is named "ID" (did you mean id?)`,
		"id = 'x'":                               "at character 6: invalid: column id (INT): 'x' is not a number",
		"id = TRUE":                              "column id (INT): TRUE cannot be compared with it",
		"name = 3":                               "column name (STRING): 3 is not text, put it in single quotes",
		"name = DATE '2026-01-01'":               "column name (STRING): DATE '2026-01-01' is not text",
		"day = 'x'":                              "column day (DATE): 'x' is not a date, write 2026-01-31",
		"day = '2026-02-30'":                     "names a day that its month does not have",
		`name = "ada"`:                           "want a literal, and text stands in single quotes",
		"name = ada":                             "want a literal, and text stands in single quotes",
		"day = 3":                                "is not a date or time in single quotes",
		"ts = '2026-01-01 00:00:00Z'":            "has an offset, which only a TIMESTAMP_LTZ can be compared with",
		"day = DATE 'x'":                         `DATE "x" is not a date`,
		"bin = x'0'":                             "is not hex",
		"id LIKE 'x'":                            "LIKE and startswith need a CHAR or VARCHAR",
		"name LIKE 'a!' ESCAPE '!'":              "the pattern ends with its escape character",
		"name LIKE 'a!b' ESCAPE '!'":             "the escape character stands before 'b'",
		"name LIKE 'a' ESCAPE 'xy'":              "want one character in single quotes behind ESCAPE",
		"name LIKE name":                         "want a pattern in single quotes",
		"id IN ()":                               "found ), want a literal",
		"id IN 3":                                "found 3, want (",
		"id BETWEEN 1":                           "found the end, want AND",
		"id IS 3":                                "found 3, want NULL",
		"id NOT 3":                               "want IN, BETWEEN or LIKE",
		"id":                                     "want an operator behind column id",
		"3":                                      "want an operator behind the literal",
		"3 = 3":                                  "a literal can be compared with a column only",
		"name = 'x":                              "no closing '",
		"id = 1.2.3":                             "1.2.3, which is not a number",
		"id = 12ab":                              "12ab, which is not a number",
		"id = - x":                               "found x, want a number behind -",
		"id # 3":                                 "found #, which no filter contains",
		"and = 3":                                "want a column; quote a column of this name with `",
		"name = \xff":                            "not valid UTF-8",
		"é = 3":                                  `no column is named "é"`,
		strings.Repeat("(", 10000) + "id = 1":    "nested too deep",
		strings.Repeat("NOT ", 10000) + "id = 1": "nested too deep",
		"name = '" + strings.Repeat("x", 1<<20) + "'": "longer than 1048576 bytes",
	} {
		_, err := predicate.Parse(filter, fs, nil)
		if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "invalid: "), "filter: ") {
			t.Errorf("%.60s: %v, want %s", filter, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "not supported") {
			t.Errorf("%v: wrong words", err)
		}
	}
	for filter, want := range map[string]string{
		"f_row.a = 3": "member of nested column f_row", "id = ltz": "comparing with another column (ltz)", "lower(name) = 'x'": "function lower", "id = abs(3)": "function abs",
		"id + 1 = 2": "arithmetic", "f_row = 3": "comparing a column of type ROW",
	} {
		_, err := predicate.Parse(filter, fs, nil)
		if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "not supported") {
			t.Errorf("%s: %v, want %s", filter, err, want)
		}
	}
}

func TestLongFlatFiltersAreNotDeep(t *testing.T) {
	fs := fields(t, "v INT")
	text := strings.TrimSuffix(strings.Repeat("v = 3 OR ", 50000), " OR ")
	if got := kept(t, fs, text, values("3", "4"), nil); got != "3" {
		t.Error(got)
	}
	text = "v IN (" + strings.TrimSuffix(strings.Repeat("7,", 100000), ",") + ", 3)"
	if got := kept(t, fs, text, values("3", "4", "7"), nil); got != "3 7" {
		t.Error(got)
	}
}

func TestNamesThatAreKeywordsAreQuoted(t *testing.T) {
	for _, name := range []string{"and", "DATE", "x", "startswith", "a b", "a`b", "1a", "a.b", "", "ä", "_ok$1", "null"} {
		fs := fields(t, "v INT")
		fs[0].Name = name
		e, err := predicate.Compare(fs[0], predicate.Eq, 3)
		if err != nil {
			t.Fatal(err)
		}
		back, err := predicate.Parse(e.String(), fs, nil)
		if err != nil || back.String() != e.String() {
			t.Errorf("%q prints as %s: %v", name, e, err)
		}
	}
	if _, err := predicate.Parse("date = 3 AND time > 1 AND x < 2", fields(t, "date INT", "time INT", "x INT"), nil); err != nil {
		t.Error(err)
	}
}

func TestConstructorsTakeGoValues(t *testing.T) {
	moment := time.Date(2026, 1, 31, 10, 0, 0, 123456789, time.FixedZone("", 3600))
	for _, c := range []struct {
		typ  string
		v    any
		want string
	}{
		{"TINYINT", int8(3), "v = 3"}, {"INT", uint64(math.MaxUint64), "v = 18446744073709551615"}, {"DOUBLE", 0.1, "v = 0.1"}, {"DOUBLE", math.NaN(), "v = 'NaN'"},
		{"DOUBLE", math.Inf(-1), "v = '-Infinity'"}, {"FLOAT", float32(0.5), "v = 0.5"}, {"DECIMAL(9, 2)", decimal128.FromI64(150), "v = 1.50"}, {"STRING", "it's", "v = 'it''s'"},
		{"BYTES", []byte{0, 255}, "v = x'00ff'"}, {"BOOLEAN", true, "v = TRUE"}, {"DATE", int32(0), "v = DATE '1970-01-01'"}, {"TIME(3)", int32(1), "v = TIME '00:00:00.001'"},
		{"TIMESTAMP(3)", schema.TimestampValue{Millis: -1}, "v = TIMESTAMP '1969-12-31T23:59:59.999'"}, {"TIMESTAMP(9)", moment, "v = TIMESTAMP '2026-01-31T10:00:00.123456789'"},
		{"TIMESTAMP(9) WITH LOCAL TIME ZONE", moment, "v = TIMESTAMP '2026-01-31T09:00:00.123456789Z'"}, {"DATE", moment, "v = TIMESTAMP '2026-01-31T10:00:00.123456789'"}, {"INT", nil, "NULL"},
	} {
		fs := fields(t, "v "+c.typ)
		e, err := predicate.Compare(fs[0], predicate.Eq, c.v)
		if err != nil || e.String() != c.want {
			t.Errorf("%s = %v: %s %v, want %s", c.typ, c.v, e, err, c.want)
			continue
		}
		if back, err := predicate.Parse(e.String(), fs, nil); err != nil || back.String() != e.String() {
			t.Errorf("%s: %s %v", e, back, err)
		}
	}
	f := fields(t, "v INT", "s STRING")
	between, err := predicate.Between(f[0], 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	in, err := predicate.In(f[0], 1, nil, 2.5)
	if err != nil {
		t.Fatal(err)
	}
	starts, err := predicate.StartsWith(f[1], "a")
	if err != nil {
		t.Fatal(err)
	}
	all := predicate.And(between, predicate.Not(predicate.Or(in, starts)), predicate.IsNull(f[1]), predicate.True())
	if s := all.String(); s != "v >= 1 AND v <= 3 AND v NOT IN (1, 2.5) AND NULL AND NOT startswith(s, 'a') AND s IS NULL" {
		t.Error(s)
	}
	for _, e := range []struct {
		e    predicate.Expr
		want string
	}{
		{predicate.And(), "TRUE"}, {predicate.Or(), "FALSE"}, {predicate.And(starts, predicate.False()), "FALSE"}, {predicate.Or(starts, predicate.True()), "TRUE"},
		{predicate.Not(predicate.Expr{}), "FALSE"}, {predicate.Not(predicate.False()), "TRUE"},
	} {
		if e.e.String() != e.want || e.e.IsTrue() != (e.want == "TRUE") {
			t.Errorf("%s, want %s", e.e, e.want)
		}
	}
	if e, err := predicate.In(f[0]); err != nil || e.String() != "FALSE" {
		t.Error(e, err)
	}
	for _, bad := range []func() (predicate.Expr, error){
		func() (predicate.Expr, error) { return predicate.Compare(f[0], predicate.Eq, struct{}{}) },
		func() (predicate.Expr, error) { return predicate.Compare(f[0], 99, 1) },
		func() (predicate.Expr, error) { return predicate.In(f[0], "x") },
		func() (predicate.Expr, error) { return predicate.Between(f[0], 1, "x") },
		func() (predicate.Expr, error) { return predicate.Like(f[0], "x", 0) },
		func() (predicate.Expr, error) { return predicate.StartsWith(f[0], "x") },
		func() (predicate.Expr, error) { return predicate.Like(f[1], "\xff", 0) },
	} {
		if e, err := bad(); !errors.Is(err, fault.ErrInvalid) {
			t.Error(e, err)
		}
	}
}

// statistics of one column v.
func statistics(min, max any, nulls int64) predicate.Stats {
	return func(string) (any, any, int64, bool) { return min, max, nulls, true }
}

func TestPruningLeavesOutWhatCannotMatch(t *testing.T) {
	for _, c := range []struct {
		typ, filter string
		min, max    any
		nulls       int64
		want        bool
	}{
		{"INT", "v = 5", int32(1), int32(4), 0, false}, {"INT", "v = 4", int32(1), int32(4), 0, true}, {"INT", "v = 3.5", int32(1), int32(4), 0, false},
		{"INT", "v < 1", int32(1), int32(4), 0, false}, {"INT", "v <= 1", int32(1), int32(4), 0, true}, {"INT", "v > 4", int32(1), int32(4), 0, false}, {"INT", "v > 3.5", int32(1), int32(3), 0, false},
		{"INT", "v <> 3", int32(3), int32(3), 5, false}, {"INT", "v <> 3", int32(3), int32(4), 0, true}, {"INT", "NOT v = 3", int32(3), int32(3), 0, false},
		{"INT", "v IN (0, 9)", int32(1), int32(4), 0, false}, {"INT", "v NOT IN (1, 2)", int32(2), int32(2), 0, false}, {"INT", "v IN (0, NULL)", int32(1), int32(4), 0, false},
		{"INT", "v NOT IN (0, NULL)", int32(1), int32(4), 0, false}, {"INT", "v = NULL", int32(1), int32(4), 5, false},
		{"INT", "v IS NULL", int32(1), int32(4), 0, false}, {"INT", "v IS NULL", int32(1), int32(4), 1, true}, {"INT", "v IS NULL", nil, nil, -1, true}, {"INT", "v IS NOT NULL", nil, nil, 10, false},
		{"INT", "v > 0", nil, nil, 10, false}, {"INT", "v > 0", nil, nil, 9, true}, {"INT", "v > 9 OR v = 2", int32(3), int32(4), 0, false}, {"INT", "v > 3 AND v < 2", int32(1), int32(9), 0, true},
		{"INT", "v = 5", int64(1), int64(4), 0, true}, {"INT", "v = 5", int32(4), int32(1), 0, true}, {"INT", "v = 1000000000000", int32(1), int32(4), 0, false},
		{"STRING", "v LIKE 'b%'", "a", "az", 0, false}, {"STRING", "v LIKE 'b%'", "c", "d", 0, false}, {"STRING", "v LIKE 'b%'", "a", "c", 0, true}, {"STRING", "v LIKE '%b'", "a", "c", 0, true},
		{"STRING", "v NOT LIKE 'b%'", "ba", "bz", 0, false}, {"STRING", "v NOT LIKE 'b%'", "ba", "c", 0, true}, {"STRING", "v LIKE 'b_'", "bcd", "bcd", 0, false}, {"STRING", "startswith(v, 'x')", "a", "b", 0, false},
		{"STRING", "v = 'prefix-that-is-l'", "prefix-that-is-l", "prefix-that-is-m", 0, true}, {"CHAR(5)", "v = 'a'", "a    ", "b    ", 0, true},
		{"DOUBLE", "v > 10", 1.0, 4.0, 0, true}, {"DOUBLE", "v < 1", 1.0, 4.0, 0, false}, {"DOUBLE", "v = 5", 1.0, 4.0, 0, false}, {"DOUBLE", "v = 'NaN'", 1.0, 4.0, 0, true},
		{"DOUBLE", "v < 1", math.NaN(), math.NaN(), 0, true}, {"DOUBLE", "v <> 1", 1.0, 1.0, 0, true},
		{"DATE", "v >= '2026-01-01'", int32(0), int32(1), 0, false}, {"TIMESTAMP(9)", "v > '3000-01-01'", schema.TimestampValue{}, schema.TimestampValue{Millis: 4e13}, 0, true},
		{"TIMESTAMP(3)", "v > '2026-01-01'", schema.TimestampValue{}, schema.TimestampValue{Millis: 1}, 0, false}, {"DECIMAL(5, 2)", "v > 1.5", decimal128.FromI64(1), decimal128.FromI64(150), 0, false},
		{"BOOLEAN", "v", false, false, 0, false}, {"BYTES", "v > x'05'", []byte{1}, []byte{5}, 0, false}, {"INT", "TRUE", nil, nil, -1, true}, {"INT", "FALSE", nil, nil, -1, false},
	} {
		e, err := predicate.Parse(c.filter, fields(t, "v "+c.typ), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.MayMatch(statistics(c.min, c.max, c.nulls), 10); got != c.want {
			t.Errorf("%s over %v to %v with %d nulls: %v", c.filter, c.min, c.max, c.nulls, got)
		}
		if !e.MayMatch(func(string) (any, any, int64, bool) { return nil, nil, 0, false }, 10) && c.filter != "FALSE" && !strings.Contains(c.filter, "NULL") && c.filter != "v = 3.5" && !strings.Contains(c.filter, "000000") {
			t.Errorf("%s is pruned without statistics", c.filter)
		}
	}
}

func TestBatchThatDoesNotFitIsRefused(t *testing.T) {
	fs := fields(t, "v INT", "s STRING")
	e, err := predicate.Parse("v = 3 AND s LIKE 'a%' AND v IN (1)", fs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range []*arrow.Schema{
		arrow.NewSchema(nil, nil),
		arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.PrimitiveTypes.Int64}}, nil),
		arrow.NewSchema([]arrow.Field{{Name: "v", Type: arrow.PrimitiveTypes.Int32}, {Name: "v", Type: arrow.PrimitiveTypes.Int32}}, nil),
	} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, sc)
		rec := b.NewRecordBatch()
		if _, err := e.Filter(rec); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%v: %v", sc, err)
		}
		rec.Release()
		b.Release()
	}
}

func TestBindFollowsTheColumn(t *testing.T) {
	e, err := predicate.Parse("v > 100.5", fields(t, "v INT"), nil)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := e.Bind(fields(t, "v DECIMAL(9, 2)"))
	if err != nil {
		t.Fatal(err)
	}
	if got := keptBy(t, fields(t, "v DECIMAL(9, 2)"), wide, values("100.4", "100.6")); got != `"100.60"` {
		t.Error(got)
	}
	if _, err := e.Bind(fields(t, "w INT")); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
}

func TestCastsReportTextAndType(t *testing.T) {
	typ := fields(t, "v DECIMAL(5, 2)")[0].Type
	if _, err := predicate.CastLiteral("1.234", typ, nil); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), `"1.234" as DECIMAL(5, 2): has more than 2 digits after the point`) {
		t.Error(err)
	}
	if v, err := predicate.CastDefault("'1.235'", typ, nil); err != nil || v != decimal128.FromI64(124) {
		t.Error(v, err)
	}
	if _, err := predicate.CastLiteral("[]", fields(t, "v ARRAY<INT>")[0].Type, nil); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"tiny = 3 AND NOT (name LIKE 'a%' ESCAPE '!' OR day > '2026-01-01')", "`int` IN (1, 2.5, NULL) or flag", "dec BETWEEN -1e3 AND 5", "ltz >= TIMESTAMP '2026-01-01 00:00:00+08:00'",
		"x'00ff' < raw AND clock = TIME '10:00'", "startswith(name, 'it''s')", "single != 'NaN'", "((((", "ts0 is not null and null",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fs := testFields()
		e, err := predicate.Parse(text, fs, time.UTC)
		if err != nil {
			if !errors.Is(err, fault.ErrInvalid) && !errors.Is(err, fault.ErrUnsupported) {
				t.Fatalf("%q: %v has no class", text, err)
			}
			return
		}
		back, err := predicate.Parse(e.String(), fs, time.UTC)
		if err != nil || back.String() != e.String() {
			t.Fatalf("%q prints as %q, then %q: %v", text, e, back, err)
		}
		if twice := predicate.Not(predicate.Not(e)); twice.String() != e.String() {
			t.Fatalf("NOT NOT %s is %s", e, twice)
		}
		e.MayMatch(func(string) (any, any, int64, bool) { return nil, nil, -1, true }, 5)
		e.Match(func(string) any { return nil })
	})
}

func ExampleParse() {
	fs := []schema.Field{
		{ID: 0, Name: "id", Type: schema.Type{Kind: schema.BigInt}},
		{ID: 1, Name: "dt", Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength, Nullable: true}},
	}
	e, err := predicate.Parse("id > 2.5 AND NOT (dt = '2026-01-01' OR dt IS NULL)", fs, time.UTC)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e)
	lines := `{"id":2,"dt":"2026-01-02"}
{"id":3,"dt":"2026-01-02"}
{"id":4,"dt":null}`
	for batch, err := range rowjson.ReadJSON(strings.NewReader(lines), fs, rowjson.Options{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Filter(batch.Record))
	}
	_, err = predicate.Parse("idd = 3", fs, time.UTC)
	fmt.Println(err)
	// Output:
	// id > 2.5 AND dt <> '2026-01-01' AND dt IS NOT NULL
	// [1] <nil>
	// filter: at character 1: invalid: no column is named "idd" (did you mean id?)
}

func ExampleExpr_MayMatch() {
	day := schema.Field{Name: "day", Type: schema.Type{Kind: schema.Date}}
	e, err := predicate.Compare(day, predicate.Ge, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		fmt.Println(err)
		return
	}
	file := func(min, max int32) predicate.Stats {
		return func(string) (any, any, int64, bool) { return min, max, 0, true }
	}
	fmt.Println(e.MayMatch(file(20000, 20400), 100), e.MayMatch(file(20400, 20500), 100))
	// Output: false true
}

func ExampleExpr_OnlyFields() {
	fs := []schema.Field{
		{Name: "dt", Type: schema.Type{Kind: schema.Int}},
		{Name: "v", Type: schema.Type{Kind: schema.Int}},
	}
	e, err := predicate.Parse("dt = 1 AND (v > 2 OR dt < 3) AND v <> 4", fs, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	part, rest := e.OnlyFields(map[string]bool{"dt": true})
	fmt.Println(part, "|", rest)
	// Output: dt = 1 | (v > 2 OR dt < 3) AND v <> 4
}

func BenchmarkFilter(b *testing.B) {
	fs := fields(b, "v INT", "s STRING")
	a, err := rowjson.NewAppender(fs, nil)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1 << 16 {
		if err := a.Append(schema.Insert, []any{int32(i * 7919 % 1000), fmt.Sprintf("cat-%02d", i%100)}); err != nil {
			b.Fatal(err)
		}
	}
	rec, _ := a.Flush()
	defer rec.Release()
	for _, filter := range []string{"v < 10", "v < 500", "v IN (1, 2, 3, 50, 70, 900)", "s = 'cat-07'", "s LIKE 'cat-0%'", "v < 500 AND s = 'cat-07'"} {
		e, err := predicate.Parse(filter, fs, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filter, func(b *testing.B) {
			var rows []int32
			b.ReportAllocs()
			for b.Loop() {
				if rows, err = e.AppendFilter(rows[:0], rec); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(rec.NumRows())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
