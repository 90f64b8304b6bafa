package mergeengine

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/bitmap"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/sketch"
	"github.com/tidelake/tidelake/schema"
)

type maker func(schema.Field, schema.FieldOptions) (accumulator, error)

// folded is a column called c under one function.
type folded struct {
	t   *testing.T
	dt  arrow.DataType
	acc accumulator
}

func newFolded(t *testing.T, make maker, typ string, o schema.FieldOptions) folded {
	t.Helper()
	parsed, err := schema.ParseType(typ)
	if err != nil {
		t.Fatal(err)
	}
	dt, err := schema.ArrowType(parsed)
	if err != nil {
		t.Fatal(err)
	}
	if o.CountLimit == 0 {
		o.CountLimit = math.MaxInt32
	}
	acc, err := make(schema.Field{Name: "c", Type: parsed}, o)
	if err != nil {
		t.Fatal(err)
	}
	return folded{t, dt, acc}
}

// fold runs steps, each a verb and a JSON value, and returns the value as JSON.
func (f folded) fold(steps ...string) (string, error) {
	f.t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(f.t, 0)
	verbs, values := []string{}, []string{"null"} // a first row, so that rows are not offsets
	for _, s := range steps {
		verb, value, _ := strings.Cut(s, " ")
		verbs, values = append(verbs, verb), append(values, value)
	}
	col, _, err := array.FromJSON(mem, f.dt, strings.NewReader("["+strings.Join(values, ",")+"]"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer col.Release()
	return f.run(mem, col, verbs)
}

func (f folded) run(mem memory.Allocator, col arrow.Array, verbs []string) (string, error) {
	f.acc.reset()
	do := map[string]func(arrow.Array, int) error{"base": f.acc.base, "add": f.acc.add, "late": f.acc.addLate, "retract": f.acc.retract}
	for i, verb := range verbs {
		if err := do[verb](col, i+1); err != nil {
			return "", err
		}
	}
	b := array.NewBuilder(mem, f.dt)
	defer b.Release()
	if err := f.acc.appendTo(b); err != nil {
		return "", err
	}
	out := b.NewArray()
	defer out.Release()
	text, err := json.Marshal(out)
	return strings.TrimSuffix(strings.TrimPrefix(string(text), "["), "]"), err
}

func (f folded) check(want string, steps ...string) {
	f.t.Helper()
	for range 2 { // what one key leaves must not show in the next
		got, err := f.fold(steps...)
		if err != nil {
			f.t.Errorf("%q: %v", steps, err)
		} else if got != want {
			f.t.Errorf("%q: got %s, want %s", steps, got, want)
		}
	}
}

func TestListagg(t *testing.T) {
	f := newFolded(t, newListagg, "STRING", schema.FieldOptions{Delimiter: ","})
	f.check(`null`)
	f.check(`null`, `add null`, `add null`)
	f.check(`"a,b,a"`, `add "a"`, `add null`, `add "b"`, `add ""`, `add "a"`)
	f.check(`"b"`, `add ""`, `add "b"`)
	f.check(`""`, `add null`, `add ""`)
	f.check(`"c,a,b"`, `add "a"`, `add "b"`, `late null`, `late "c"`)
	f.check(`"x,y"`, `add "a"`, `base "x"`, `add "y"`)
	f.check(`"y"`, `add "a"`, `base null`, `add "y"`)
	f.check(`" , "`, `add " "`, `add " "`)
	if _, err := f.fold(`add "a"`, `retract "a"`); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "column c") {
		t.Errorf("retraction: %v", err)
	}
}

func TestListaggDistinctAppendsUnseenTokens(t *testing.T) {
	f := newFolded(t, newListagg, "STRING", schema.FieldOptions{Delimiter: ",", Distinct: true})
	f.check(`"a,a,b"`, `add "a,a"`, `add "b,a,b"`) // the first is taken as it is
	f.check(`"a,b,c,d"`, `add "a,b"`, `add ",c,"`, `add "d,a,c"`)
	f.check(`"c,d,a"`, `add "a,d"`, `late "c,d"`)
	long := newFolded(t, newListagg, "STRING", schema.FieldOptions{Delimiter: "--", Distinct: true})
	long.check(`"a---b--c"`, `add "a-"`, `add "b"`, `add "c"`)
	long.check(`"a---b"`, `add "a-"`, `add "b"`, `add "-b"`) // split where the delimiter is first found
	none := newFolded(t, newListagg, "STRING", schema.FieldOptions{Distinct: true})
	none.check(`"a bcc"`, `add "a b"`, `add "b c"`, `add "c"`) // b and c become one token
}

func TestCollectTakesAllElements(t *testing.T) {
	f := newFolded(t, newCollect, "ARRAY<INT>", schema.FieldOptions{})
	f.check(`null`, `add null`)
	f.check(`[]`, `add null`, `add []`)
	f.check(`[1,null,1,2,3]`, `add [1,null]`, `add null`, `add [1,2]`, `late [3]`)
	f.check(`[3,1]`, `add [1,1,3,1]`, `retract [1,4,1]`)
	ignoring := newFolded(t, newCollect, "ARRAY<INT>", schema.FieldOptions{IgnoreRetract: true})
	ignoring.check(`[3,1,2]`, `add [1]`, `add [2]`, `late null`, `late [3]`)
	f.check(`[1]`, `add [1,null]`, `retract [null,null]`)
	f.check(`[5,2,7]`, `add [1,2]`, `base [5,2]`, `add [7]`)
	f.check(`null`, `retract [1]`)
	f.check(`[1]`, `add [1]`, `retract null`, `retract []`)
	deep := newFolded(t, newCollect, "ARRAY<ROW<a INT, b ARRAY<STRING>>>", schema.FieldOptions{})
	deep.check(`[{"a":1,"b":["x"]},{"a":3,"b":null}]`,
		`add [{"a":1,"b":["x"]},{"a":2,"b":["y","z"]}]`, `add [{"a":3,"b":null}]`, `retract [{"a":2,"b":["y","z"]},{"a":1,"b":["y"]}]`)
}

func TestCollectDistinctTakesElementsOnce(t *testing.T) {
	for typ, v := range map[string][3]string{
		"INT": {"1", "2", "3"}, "STRING": {`"a"`, `"b"`, `""`}, "DOUBLE": {"0", "-0.5", "7.25"}, "BOOLEAN": {"true", "false", "null"},
		"DECIMAL(20, 2)": {`"1.20"`, `"2.00"`, `"-3.14"`}, "DATE": {`"2024-01-01"`, `"2024-01-02"`, `"1969-12-31"`},
		"TIMESTAMP(6)": {`"2024-01-01 00:00:00.000001"`, `"2024-01-01 00:00:00.000002"`, "null"},
		"BYTES":        {`"YQ=="`, `"Yg=="`, `""`}, "BIGINT": {"1", "2", "3"}, "SMALLINT": {"1", "2", "3"}, "TINYINT": {"1", "2", "3"}, "FLOAT": {"1", "2", "3"},
		"ARRAY<INT>":                {"[1]", "[1,2]", "[null]"},
		"MAP<INT, STRING>":          {`[{"key":1,"value":"a"},{"key":2,"value":"b"}]`, `[{"key":1,"value":"a"}]`, `[]`},
		"ROW<a INT, b ROW<c DATE>>": {`{"a":1,"b":{"c":"2024-01-01"}}`, `{"a":1,"b":{"c":null}}`, `{"a":1,"b":null}`},
	} {
		f := newFolded(t, newCollect, "ARRAY<"+typ+">", schema.FieldOptions{Distinct: true})
		a, b, c := v[0], v[1], v[2]
		want, err := f.fold("base [" + a + "," + b + "," + c + "]")
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		f.check(want, "add ["+a+","+b+","+a+"]", "add null", "late ["+b+","+c+","+c+"]")
		half, _ := f.fold("base [" + b + "]")
		f.check(half, "add ["+a+","+b+"]", "retract ["+c+","+a+","+a+"]")
	}
	f := newFolded(t, newCollect, "ARRAY<INT>", schema.FieldOptions{Distinct: true})
	f.check(`null`, `add null`)
	f.check(`[1,1]`, `base [1,1]`)
	f.check(`[1]`, `base [1,1]`, `add null`)
	f.check(`[1,2]`, `base [1,1]`, `add [2,1]`, `retract [2]`, `add [2]`)
	rows := newFolded(t, newCollect, "ARRAY<ROW<a INT>>", schema.FieldOptions{Distinct: true})
	rows.check(`[{"a":1},{"a":1},{"a":2}]`, `base [{"a":1},{"a":1}]`, `add [{"a":2},{"a":1}]`)
}

func TestMapsOfElementsAreTheSameInAnyOrder(t *testing.T) {
	f := newFolded(t, newCollect, "ARRAY<MAP<INT, INT>>", schema.FieldOptions{Distinct: true})
	f.check(`[[{"key":1,"value":1},{"key":2,"value":2}]]`,
		`add [[{"key":1,"value":1},{"key":2,"value":2}]]`, `add [[{"key":2,"value":2},{"key":1,"value":1}]]`)
}

func TestMergeMap(t *testing.T) {
	f := newFolded(t, newMergeMap, "MAP<STRING, INT>", schema.FieldOptions{})
	f.check(`null`, `add null`)
	f.check(`[{"key":"a","value":3},{"key":"b","value":2}]`, `add [{"key":"a","value":1}]`, `add null`, `add [{"key":"b","value":2},{"key":"a","value":3}]`)
	f.check(`[{"key":"b","value":2},{"key":"a","value":1}]`, `add [{"key":"a","value":1}]`, `late [{"key":"b","value":2},{"key":"a","value":3}]`)
	f.check(`[{"key":"b","value":null}]`, `add [{"key":"a","value":1},{"key":"b","value":null}]`, `retract [{"key":"a","value":7},{"key":"x","value":1}]`)
	f.check(`[{"key":"a","value":5}]`, `add [{"key":"a","value":1}]`, `retract [{"key":"a","value":1}]`, `add [{"key":"a","value":5}]`)
	f.check(`null`, `retract [{"key":"a","value":1}]`)
	f.check(`[{"key":"a","value":1}]`, `add [{"key":"a","value":1}]`, `retract null`, `retract []`)
}

func TestMergeMapWithKeyTime(t *testing.T) {
	f := newFolded(t, newMergeMapWithKeyTime, "MAP<INT, ROW<v INT, ts STRING>>", schema.FieldOptions{})
	entry := func(k, v, ts string) string {
		return `{"key":` + k + `,"value":{"ts":` + ts + `,"v":` + v + `}}`
	}
	f.check(`null`, `add null`)
	f.check(`[`+entry("1", "11", `"b"`)+`]`, `add [`+entry("1", "10", `"a"`)+`]`, `add [`+entry("1", "11", `"b"`)+`]`, `add [`+entry("1", "12", `"b"`)+`]`)
	f.check(`[`+entry("1", "10", `"a"`)+`]`, `add [`+entry("1", "10", `"a"`)+`]`, `add [`+entry("1", "11", `null`)+`]`)
	f.check(`[`+entry("1", "11", `"a"`)+`]`, `add [`+entry("1", "10", `null`)+`]`, `add [`+entry("1", "11", `"a"`)+`]`)
	f.check(`[`+entry("2", "1", `"a"`)+`,`+entry("1", "3", `"0"`)+`]`,
		`add [`+entry("1", "10", `"z"`)+`,`+entry("2", "1", `"a"`)+`]`, `add [{"key":1,"value":null}]`, `add [`+entry("1", "3", `"0"`)+`]`)
	f.check(`[`+entry("2", "1", `"a"`)+`]`, `add [`+entry("1", "10", `"z"`)+`,`+entry("2", "1", `"a"`)+`]`, `add [{"key":1,"value":null}]`, `late []`)
	f.check(`[`+entry("1", "2", `"z"`)+`]`, `add [`+entry("1", "1", `"z"`)+`]`, `late [`+entry("1", "2", `"z"`)+`]`)
	if _, err := f.fold(`retract []`); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("retraction: %v", err)
	}
	named := newFolded(t, newMergeMapWithKeyTime, "MAP<INT, ROW<ts STRING, v INT>>", schema.FieldOptions{TimeField: "ts"})
	named.check(`[`+entry("1", "2", `"b"`)+`]`, `add [`+entry("1", "1", `"a"`)+`]`, `add [`+entry("1", "2", `"b"`)+`]`)
}

func TestTimesCompareAsInJava(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"a", "a", 0}, {"a", "ab", -1}, {"b", "ab", 1}, {"\U0001F600", "\uFFFD", -1}, {"\uE000", "\U00010000", 1},
		{"\U0001F600", "\u20AC", 1}, {"x\U0001F600", "x\U0001F601", -1}, {"é", "è", 1}} {
		got := compareUTF16([]byte(c.a), []byte(c.b))
		if back := compareUTF16([]byte(c.b), []byte(c.a)); sign(got) != c.want || sign(back) != -c.want {
			t.Errorf("%q and %q: %d, turned round %d", c.a, c.b, got, back)
		}
	}
}

func sign(n int) int { return min(1, max(-1, n)) }

func TestNestedUpdate(t *testing.T) {
	f := newFolded(t, newNestedUpdate, "ARRAY<ROW<k INT, v STRING>>", schema.FieldOptions{})
	f.check(`null`, `add null`)
	f.check(`[{"k":1,"v":"a"},{"k":1,"v":"b"}]`, `add [{"k":1,"v":"a"}]`, `add null`, `add [null,{"k":1,"v":"b"}]`)
	f.check(`[null,{"k":1,"v":"a"}]`, `add [null,{"k":1,"v":"a"}]`) // taken as it is
	f.check(`[{"k":2,"v":"b"},{"k":1,"v":"a"}]`, `add [{"k":1,"v":"a"}]`, `late [{"k":2,"v":"b"}]`)
	f.check(`[{"k":2,"v":null}]`, `add [{"k":1,"v":"a"},{"k":2,"v":null},{"k":1,"v":"a"}]`, `retract [{"k":1,"v":"a"},{"k":2,"v":"x"},null]`)
	f.check(`null`, `retract [{"k":1,"v":"a"}]`)

	keyed := newFolded(t, newNestedUpdate, "ARRAY<ROW<k INT, v STRING>>", schema.FieldOptions{NestedKey: []string{"k"}})
	keyed.check(`[{"k":1,"v":"c"},{"k":2,"v":"b"}]`, `add [{"k":1,"v":"a"},{"k":2,"v":"b"}]`, `add [{"k":1,"v":"c"}]`)
	keyed.check(`[{"k":1,"v":"a"},{"k":2,"v":"b"}]`, `add [{"k":1,"v":"a"},{"k":2,"v":"b"}]`, `late [{"k":1,"v":"c"}]`)
	keyed.check(`[{"k":null,"v":"b"}]`, `add [{"k":null,"v":"a"}]`, `add [{"k":null,"v":"b"}]`)
	keyed.check(`[{"k":2,"v":"b"}]`, `add [{"k":1,"v":"a"},{"k":2,"v":"b"}]`, `retract [{"k":1,"v":"other"}]`)
	keyed.check(`[{"k":1,"v":"x"}]`, `add [{"k":1,"v":"a"},null,{"k":1,"v":"x"}]`, `retract []`)
}

func TestNestedUpdateStopsAtItsLimit(t *testing.T) {
	f := newFolded(t, newNestedUpdate, "ARRAY<ROW<k INT>>", schema.FieldOptions{CountLimit: 2})
	f.check(`[{"k":1},{"k":2},{"k":3}]`, `add [{"k":1},{"k":2},{"k":3}]`, `add [{"k":4}]`)
	f.check(`[{"k":1},{"k":2}]`, `add [{"k":1}]`, `add [{"k":2},{"k":3}]`, `add [{"k":4}]`)
	keyed := newFolded(t, newNestedUpdate, "ARRAY<ROW<k INT>>", schema.FieldOptions{CountLimit: 3, NestedKey: []string{"k"}})
	keyed.check(`[{"k":1},{"k":2}]`, `add [{"k":1}]`, `add [{"k":1},{"k":2},{"k":3}]`) // cut first, keys then
}

func TestNestedPartialUpdateSetsFields(t *testing.T) {
	f := newFolded(t, newNestedPartial, "ARRAY<ROW<k INT, a STRING, b ARRAY<INT>>>", schema.FieldOptions{NestedKey: []string{"k"}})
	f.check(`null`, `add null`)
	f.check(`[{"a":"y","b":[1],"k":1},{"a":null,"b":null,"k":2}]`,
		`add [{"k":1,"a":"x","b":null}]`, `add null`, `add [{"k":1,"a":"y","b":null},null,{"k":2,"a":null,"b":null}]`, `add [{"k":1,"a":null,"b":[1]}]`)
	f.check(`[{"a":"x","b":[2],"k":1},{"a":"z","b":null,"k":3}]`,
		`add [{"k":1,"a":"x","b":null}]`, `add [{"k":3,"a":"z","b":null}]`, `late [{"k":1,"a":"late","b":[2]}]`)
	f.check(`[null,{"a":"x","b":null,"k":1},{"a":"y","b":null,"k":1}]`, `base [null,{"k":1,"a":"x","b":null},{"k":1,"a":"y","b":null}]`)
	if _, err := f.fold(`add []`, `retract []`); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("retraction: %v", err)
	}
}

// unite folds binary values and returns the result's bytes.
func unite(t *testing.T, name string, empty func() (set, error), verbs []string, values ...[]byte) ([]byte, error) {
	t.Helper()
	f := newFolded(t, unionOf(name, empty), "BYTES", schema.FieldOptions{})
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary)
	defer b.Release()
	b.AppendNull()
	for _, v := range values {
		if v == nil {
			b.AppendNull()
		} else {
			b.Append(v)
		}
	}
	col := b.NewArray()
	defer col.Release()
	text, err := f.run(mem, col, verbs)
	if err != nil {
		return nil, err
	}
	var out []byte
	return out, errors.Join(json.Unmarshal([]byte(text), &out), nil)
}

func TestUnionsOfBitmaps(t *testing.T) {
	verbs := []string{"add", "add", "add", "late"}
	a, _ := bitmap.Write32(roaring.BitmapOf(1, 2))
	b, _ := bitmap.Write32(roaring.BitmapOf(2, math.MaxUint32))
	got, err := unite(t, "rbm32", newBitmap32, verbs, a, nil, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if bm, err := bitmap.Read32(got); err != nil || !bm.Equals(roaring.BitmapOf(1, 2, math.MaxUint32)) {
		t.Errorf("rbm32: %v, %v", bm, err)
	}
	a, _ = bitmap.Write64(roaring64.BitmapOf(1, 1<<40))
	b, _ = bitmap.Write64(roaring64.BitmapOf(2, math.MaxUint64))
	got, err = unite(t, "rbm64", newBitmap64, verbs, a, nil, b, a)
	if err != nil {
		t.Fatal(err)
	}
	if bm, err := bitmap.Read64(got); err != nil || !bm.Equals(roaring64.BitmapOf(1, 2, 1<<40, math.MaxUint64)) {
		t.Errorf("rbm64: %v, %v", bm, err)
	}
}

func TestUnionsOfSketches(t *testing.T) {
	verbs := []string{"add", "add", "late"}
	var parts [][]byte
	for i := range int64(3) {
		s, err := sketch.NewHLL(i, i+1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, b)
	}
	got, err := unite(t, "hll_sketch", newHLL, verbs, parts...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sketch.ReadHLL(got)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := s.Estimate(); math.Round(n) != 4 {
		t.Errorf("estimates %v", n)
	}
}

func TestOneSetAloneIsTakenAsItIs(t *testing.T) {
	got, err := unite(t, "theta_sketch", newTheta, []string{"add", "add"}, []byte("no sketch"), nil)
	if err != nil || string(got) != "no sketch" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestBytesThatAreNoSetNameColumnAndFunction(t *testing.T) {
	for name, empty := range map[string]func() (set, error){"rbm32": newBitmap32, "rbm64": newBitmap64, "hll_sketch": newHLL, "theta_sketch": newTheta} {
		_, err := unite(t, name, empty, []string{"add", "add"}, []byte("no such set"), []byte("no such set"))
		if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "column c") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := unite(t, name, empty, []string{"retract"}, []byte{}); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s, retraction: %v", name, err)
		}
	}
}

func TestFunctionsRefuseTypesTheyCannotTake(t *testing.T) {
	for _, c := range []struct {
		make maker
		typ  string
		o    schema.FieldOptions
		word string
	}{
		{newListagg, "VARCHAR(10)", schema.FieldOptions{}, "STRING"},
		{newListagg, "INT", schema.FieldOptions{}, "STRING"},
		{newCollect, "MULTISET<INT>", schema.FieldOptions{}, "ARRAY"},
		{newMergeMap, "MULTISET<INT>", schema.FieldOptions{}, "MAP"},
		{newMergeMapWithKeyTime, "MAP<INT, INT>", schema.FieldOptions{}, "ROW"},
		{newMergeMapWithKeyTime, "MAP<INT, ROW<ts STRING>>", schema.FieldOptions{}, "two fields"},
		{newMergeMapWithKeyTime, "MAP<INT, ROW<a INT, b INT>>", schema.FieldOptions{}, "STRING"},
		{newMergeMapWithKeyTime, "MAP<INT, ROW<a INT, b STRING>>", schema.FieldOptions{TimeField: "x"}, "ts-field x"},
		{newNestedUpdate, "ARRAY<INT>", schema.FieldOptions{}, "ARRAY of ROW"},
		{newNestedUpdate, "ARRAY<ROW<a INT>>", schema.FieldOptions{NestedKey: []string{"b"}}, "nested-key b"},
		{newNestedUpdate, "ARRAY<ROW<a INT>>", schema.FieldOptions{CountLimit: -1}, "count-limit"},
		{newNestedPartial, "ARRAY<ROW<a INT>>", schema.FieldOptions{}, "nested-key"},
		{unionOf("rbm32", newBitmap32), "BINARY(9)", schema.FieldOptions{}, "VARBINARY"},
	} {
		typ, err := schema.ParseType(c.typ)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.make(schema.Field{Name: "c", Type: typ}, c.o); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s with %+v: %v", c.typ, c.o, err)
		}
	}
}
