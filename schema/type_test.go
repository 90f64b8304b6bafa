package schema

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/google/go-cmp/cmp"
	"github.com/tidelake/tidelake/internal/fault"
)

func mustType(t testing.TB, text string) Type {
	t.Helper()
	typ, err := ParseType(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func TestTypeTextHasOneCanonicalSpelling(t *testing.T) {
	for text, want := range map[string]string{
		"char":                                  "CHAR(1)",
		"CHAR(7) not null":                      "CHAR(7) NOT NULL",
		"VARCHAR":                               "VARCHAR(1)",
		"varchar(2147483647)":                   "STRING",
		"STRING NULL":                           "STRING",
		"binary(3)":                             "BINARY(3)",
		"VARBINARY(2147483647) NOT NULL":        "BYTES NOT NULL",
		"bytes":                                 "BYTES",
		"DECIMAL":                               "DECIMAL(10, 0)",
		"numeric(5)":                            "DECIMAL(5, 0)",
		"DEC(38,18)":                            "DECIMAL(38, 18)",
		"Integer":                               "INT",
		"DOUBLE PRECISION NOT NULL":             "DOUBLE NOT NULL",
		"TIME":                                  "TIME(0)",
		"TIME(9) WITHOUT TIME ZONE":             "TIME(9)",
		"TIMESTAMP":                             "TIMESTAMP(6)",
		"timestamp ( 3 ) without time zone":     "TIMESTAMP(3)",
		"TIMESTAMP(9) WITH LOCAL TIME ZONE":     "TIMESTAMP(9) WITH LOCAL TIME ZONE",
		"TIMESTAMP_LTZ":                         "TIMESTAMP(6) WITH LOCAL TIME ZONE",
		"ARRAY<INT NOT NULL>":                   "ARRAY<INT NOT NULL>",
		"int array not null":                    "ARRAY<INT> NOT NULL",
		"INT MULTISET ARRAY":                    "ARRAY<MULTISET<INT>>",
		"map<string,bigint not null> not null":  "MAP<STRING, BIGINT NOT NULL> NOT NULL",
		"MULTISET<DATE>":                        "MULTISET<DATE>",
		"ROW<a INT, `b c` STRING NOT NULL 'x'>": "ROW<`a` INT, `b c` STRING NOT NULL 'x'>",
		"ROW(time TIME, `a``b` ROW<int INT COMMENT 'it''s'>)": "ROW<`time` TIME(0), `a``b` ROW<`int` INT 'it''s'>>",
		"VARIANT":              "VARIANT",
		"BLOB":                 "BLOB",
		"VECTOR<FLOAT, 768>":   "VECTOR<FLOAT, 768>",
		"ROW<größe INT>":       "ROW<`größe` INT>",
		" \tBOOLEAN\nNOT NULL": "BOOLEAN NOT NULL",
	} {
		typ, err := ParseType(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := typ.String(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		again, err := ParseType(typ.String())
		if err != nil || !again.Equal(typ) {
			t.Errorf("%q does not read back: %v", typ, err)
		}
	}
}

func TestBadTypeTextIsRefusedWithItsPosition(t *testing.T) {
	deep := strings.Repeat("ARRAY<", 300) + "INT" + strings.Repeat(">", 300)
	for _, text := range []string{
		"", "  ", "NOPE", "INT INT", "CHAR(0)", "CHAR(-1)", "CHAR(99999999999)", "DECIMAL(39)", "DECIMAL(5, 6)", "TIME(10)",
		"TIMESTAMP(3) WITH TIME ZONE", "ARRAY", "ARRAY<>", "ARRAY<INT", "MAP<INT>", "ROW<a>", "ROW<a INT b INT>", "ROW<a INT,>",
		"ROW<`a INT>", "ROW<a INT COMMENT>", "INT NOT", "VECTOR<FLOAT>", "INT)", "123", "'INT'", "\xff", deep,
		"INT" + strings.Repeat(" ARRAY", 300),
	} {
		_, err := ParseType(text)
		if !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%.40q: got %v", text, err)
		}
	}
	_, err := ParseType("ROW<a INT, b NOPE>")
	if err == nil || !strings.Contains(err.Error(), "position 14") || !strings.Contains(err.Error(), `"NOPE"`) {
		t.Errorf("got %v", err)
	}
}

func TestTypeJSONIsPaimons(t *testing.T) {
	for text, want := range map[string]string{
		"INT NOT NULL":               `"INT NOT NULL"`,
		"ARRAY<INT>":                 `{"type":"ARRAY","element":"INT"}`,
		"MULTISET<STRING> NOT NULL":  `{"type":"MULTISET NOT NULL","element":"STRING"}`,
		"MAP<STRING, ARRAY<DOUBLE>>": `{"type":"MAP","key":"STRING","value":{"type":"ARRAY","element":"DOUBLE"}}`,
		"VECTOR<FLOAT NOT NULL, 3>":  `{"type":"VECTOR","element":"FLOAT NOT NULL","length":3}`,
	} {
		got, err := json.Marshal(mustType(t, text))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
		var back Type
		if err := json.Unmarshal(got, &back); err != nil || !back.Equal(mustType(t, text)) {
			t.Errorf("%s: read back as %s, %v", text, back, err)
		}
	}
	var row Type
	if err := json.Unmarshal([]byte(`{"type":"row not null","fields":[{"id":29,"name":"x","type":"INT","description":"d"}]}`), &row); err != nil {
		t.Fatal(err)
	}
	want := Type{Kind: Row, Fields: []Field{{ID: 29, Name: "x", Type: Type{Kind: Int, Nullable: true}, Description: "d"}}}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`1`, `null`, `{}`, `{"type":"ARRAY"}`, `{"type":"INT"}`, `{"type":"ROW","fields":{}}`, `{"type":"ARRAY MAYBE","element":"INT"}`, `["INT"]`} {
		if err := json.Unmarshal([]byte(bad), new(Type)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
	if _, err := json.Marshal(Type{Kind: Array}); err == nil {
		t.Error("an array without element was written")
	}
}

func TestEqualityLevels(t *testing.T) {
	a, b := mustType(t, "ROW<x INT NOT NULL>"), mustType(t, "ROW<x INT 'words'> NOT NULL")
	if a.Equal(b) || !a.EqualIgnoringNullability(b) || !a.SameShape(b) {
		t.Error("nullability")
	}
	b.Fields[0].ID = 7
	if a.EqualIgnoringNullability(b) || !a.SameShape(b) {
		t.Error("ids")
	}
	for _, other := range []string{"ROW<y INT>", "ROW<x BIGINT>", "ROW<x INT, y INT>", "ARRAY<INT>", "INT"} {
		if a.SameShape(mustType(t, other)) {
			t.Errorf("%s has the shape of %s", other, a)
		}
	}
}

func TestCompareOrdersAsKeys(t *testing.T) {
	nan, zero := math.NaN(), 0.0
	for _, c := range []struct {
		typ     string
		ordered []any
	}{
		{"BOOLEAN", []any{nil, false, true}},
		{"TINYINT", []any{nil, int8(-128), int8(0), int8(127)}},
		{"SMALLINT", []any{nil, int16(-5), int16(5)}},
		{"INT", []any{nil, int32(-5), int32(5)}},
		{"DATE", []any{nil, int32(-5), int32(5)}},
		{"BIGINT", []any{nil, int64(math.MinInt64), int64(math.MaxInt64)}},
		{"FLOAT", []any{nil, float32(math.Inf(-1)), float32(0), float32(math.Inf(1)), float32(nan)}},
		{"DOUBLE", []any{nil, math.Inf(-1), 0.0, math.Inf(1), nan}},
		{"STRING", []any{nil, "", "Z", "a", "\u00e9", "\U0001F600"}},
		{"BYTES", []any{nil, []byte{}, []byte{1}, []byte{1, 0}, []byte{0xff}}},
		{"DECIMAL(20, 2)", []any{nil, decimal128.FromI64(-9), decimal128.FromI64(9)}},
		{"TIMESTAMP(9)", []any{nil, TimestampValue{-1, 5}, TimestampValue{0, 1}, TimestampValue{0, 2}}},
	} {
		typ := mustType(t, c.typ)
		for i, a := range c.ordered {
			for j, b := range c.ordered {
				want := 0
				if i != j {
					want = 1
					if i < j {
						want = -1
					}
				}
				if got := Compare(typ, a, b); got != want {
					t.Errorf("%s: Compare(%v, %v) = %d, want %d", c.typ, a, b, got, want)
				}
			}
		}
	}
	if Compare(mustType(t, "DOUBLE"), zero, math.Copysign(0, -1)) != 0 {
		t.Error("-0 is not 0")
	}
	if Compare(mustType(t, "INT"), "x", int32(1)) != 0 {
		t.Error("values of a foreign Go type must not panic and compare equal")
	}
}

func TestRowKindsReadTheirOwnNames(t *testing.T) {
	for k := Insert; k <= Delete; k++ {
		if got, err := ParseRowKind(k.String()); err != nil || got != k {
			t.Errorf("%v: %v, %v", k, got, err)
		}
	}
	if _, err := ParseRowKind("U"); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
	if RowKind(9).Valid() || RowKind(-1).String() != "RowKind(-1)" || !Delete.Retracts() || UpdateAfter.Retracts() {
		t.Error("row kinds")
	}
}

func TestDefaultTextDropsItsQuotes(t *testing.T) {
	for given, want := range map[string]string{"'a'": "a", "a": "a", "'": "'", "''": "", "'a": "'a"} {
		if got, ok := (Field{Default: &given}).DefaultText(); !ok || got != want {
			t.Errorf("%q: %q", given, got)
		}
	}
	if _, ok := (Field{}).DefaultText(); ok {
		t.Error("a default out of nothing")
	}
}
