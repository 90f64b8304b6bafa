package changelog_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/changelog"
	"github.com/tidelake/tidelake/schema"
)

func cells(t *testing.T, typ, first, second string) arrow.Array {
	t.Helper()
	parsed, err := schema.ParseType(typ)
	if err != nil {
		t.Fatal(err)
	}
	dt, err := schema.ArrowType(parsed)
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader("["+first+","+second+"]"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The answers are those of the equality that real Paimon generates.
func TestSameIsWhatJavaFindsEqual(t *testing.T) {
	for _, c := range []struct {
		typ, a, b string
		want      bool // of values that both come from files
		packed    bool // of values that were looked up
	}{
		{"INT", "1", "1", true, true},
		{"INT", "null", "null", true, true},
		{"INT", "null", "1", false, false},
		{"DOUBLE", "0", "-0", true, true},
		{"DOUBLE", "1.5", "1.5", true, true},
		{"DECIMAL(9, 2)", `"1.50"`, `"1.50"`, true, true},
		{"ROW<a INT, b DOUBLE>", `{"a":null,"b":0}`, `{"a":null,"b":-0.0}`, true, true},
		{"ARRAY<INT>", "[1000,2]", "[1000,2]", true, true},
		{"ARRAY<INT>", "[1,2]", "[2,1]", false, false},
		{"ARRAY<INT>", "[1]", "[1,1]", false, false},
		{"ARRAY<INT>", "[1,null]", "[1,null]", false, true},
		{"ARRAY<DOUBLE>", "[0]", "[-0.0]", true, false},
		{"ROW<a ARRAY<INT>>", `{"a":[null]}`, `{"a":[null]}`, false, true},
		{"MAP<STRING, INT>", `[{"key":"a","value":127},{"key":"b","value":-128}]`, `[{"key":"b","value":-128},{"key":"a","value":127}]`, true, true},
		{"MAP<STRING, INT>", `[{"key":"a","value":128}]`, `[{"key":"a","value":128}]`, false, false},
		{"MAP<STRING, INT>", `[{"key":"a","value":null}]`, `[{"key":"a","value":null}]`, false, false},
		{"MAP<STRING, INT>", `[{"key":"a","value":1}]`, `[{"key":"b","value":1}]`, false, false},
		{"MAP<STRING, DOUBLE>", `[{"key":"a","value":1}]`, `[{"key":"a","value":1}]`, false, false},
		{"MAP<INT, STRING>", `[{"key":1000,"value":"x"}]`, `[{"key":1000,"value":"x"}]`, true, true},
		{"MAP<BYTES, INT>", `[{"key":"YQ==","value":1}]`, `[{"key":"YQ==","value":1}]`, false, false},
		{"MAP<BYTES, INT>", "[]", "[]", true, true},
		{"MAP<INT, ARRAY<INT>>", `[{"key":1,"value":[null]}]`, `[{"key":1,"value":[null]}]`, false, true},
	} {
		a := cells(t, c.typ, c.a, c.b)
		if got, packed := changelog.Same(a, 0, a, 1, false), changelog.Same(a, 0, a, 1, true); got != c.want || packed != c.packed {
			t.Errorf("%s: %s and %s: %v, looked up %v, want %v and %v", c.typ, c.a, c.b, got, packed, c.want, c.packed)
		}
	}
}

func TestNaNsDiffer(t *testing.T) {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	zero := 0.0
	b.Append(zero / zero)
	a := b.NewArray()
	if changelog.Same(a, 0, a, 0, true) {
		t.Error("a NaN is the same as itself")
	}
}
