//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// function is an aggregate function with the column it folds.
type function struct {
	name, typ string
	value     maker
	options   []string // "name=value"
	// retracts tells that deletes are folded; the other functions take them
	// only if told to ignore them.
	retracts bool
	// loose results are lists whose order Paimon leaves open.
	loose bool
}

func few(texts ...string) maker { return func(r *rand.Rand) string { return pick(r, texts...) } }

// listOf draws lists of up to n of some elements.
func listOf(n int, elements ...string) maker {
	return func(r *rand.Rand) string {
		some := make([]string, r.IntN(n+1))
		for i := range some {
			some[i] = pick(r, elements...)
		}
		return "[" + strings.Join(some, ",") + "]"
	}
}

// mapOf draws maps with up to one entry of each key.
func mapOf(entries ...[]string) maker {
	return func(r *rand.Rand) string {
		var some []string
		for _, e := range entries {
			if r.IntN(2) == 0 {
				some = append(some, pick(r, e...))
			}
		}
		return "[" + strings.Join(some, ",") + "]"
	}
}

const (
	nestedType = "ARRAY<ROW<id INT, x STRING>>"
	timedType  = "MAP<STRING, ROW<x INT, ts STRING>>"
)

var (
	nestedValue = listOf(4, `{"id":1,"x":"a"}`, `{"id":1,"x":null}`, `{"id":2,"x":"b"}`, `{"id":2,"x":"c"}`, `{"id":3,"x":"d"}`)
	timedValue  = mapOf([]string{`["a",{"x":1,"ts":"3"}]`, `["a",{"x":2,"ts":"10"}]`, `["a",null]`},
		[]string{`["b",{"x":3,"ts":"5"}]`, `["b",{"x":4,"ts":null}]`, `["b",{"x":5,"ts":"5"}]`})
	small = few("1", "-1", "2", "0", "3")
	cents = few(`"1.05"`, `"-2.50"`, `"0.01"`, `"10.00"`)
	// Bitmaps of {1}, {2, 3} and {} in the portable format.
	bitmaps = few(`"3a3000000100000000000000100000000100"`, `"3a30000001000000000001001000000002000300"`, `"3a30000000000000"`)
)

var functions = []function{
	{"sum", "TINYINT", small, nil, true, false},
	{"sum", "INT", small, nil, true, false},
	{"sum", "BIGINT", randomInt, nil, true, false},
	{"sum", "FLOAT", few("0.1", "-1.5", "2.25"), nil, true, false},
	{"sum", "DOUBLE", few("0.1", "-1.5", "2.25"), nil, true, false},
	{"sum", "DECIMAL(9, 2)", cents, nil, true, false},
	{"sum", "DECIMAL(30, 2)", cents, nil, true, false},
	{"product", "BIGINT", few("1", "-1", "2", "-2"), nil, false, false},
	{"product", "DOUBLE", few("0.5", "-1", "3"), nil, true, false},
	{"product", "DECIMAL(20, 4)", few(`"1.5000"`, `"-0.2000"`, `"1.0000"`), nil, false, false},
	{"bool_and", "BOOLEAN", randomBool, nil, false, false},
	{"bool_or", "BOOLEAN", randomBool, nil, false, false},
	{"listagg", "STRING", few(`"a"`, `"b"`, `"c,a"`, `""`, `"ä"`), nil, false, false},
	{"listagg", "STRING", few(`"a"`, `"b"`, `"c|a"`, `""`), []string{"distinct=true", "list-agg-delimiter=|"}, false, false},
	{"collect", "ARRAY<INT>", listOf(3, "1", "2", "3", "null"), nil, true, false},
	{"collect", "ARRAY<STRING>", listOf(3, `"a"`, `"b"`, "null"), []string{"distinct=true"}, true, true},
	{"collect", "ARRAY<BIGINT>", listOf(3, "1", "2"), []string{"distinct=true"}, true, true},
	{"merge_map", "MAP<STRING, INT>", mapOf([]string{`["a",1]`, `["a",2]`}, []string{`["b",3]`, `["b",null]`}), nil, true, false},
	{"merge_map", "MAP<INT, STRING>", mapOf([]string{`[1,"x"]`, `[1,"y"]`}, []string{`[2,"z"]`}), nil, true, false},
	{"merge_map_with_keytime", timedType, timedValue, nil, false, false},
	{"merge_map_with_keytime", timedType, timedValue, []string{"ts-field=ts"}, false, false},
	{"nested_update", nestedType, nestedValue, nil, true, false},
	{"nested_update", nestedType, nestedValue, []string{"count-limit=4"}, true, false},
	{"nested_update", nestedType, nestedValue, []string{"nested-key=id"}, true, true},
	{"nested_partial_update", nestedType, nestedValue, []string{"nested-key=id"}, false, true},
	{"rbm32", "VARBINARY(1000)", bitmaps, nil, false, false},
}

// choosing are functions that take a value as it is, of any column.
var choosing = []string{"last_value", "last_non_null_value", "first_value", "first_non_null_value"}

// mergeEngine draws one, its columns and its options, and what rows it takes.
func (t *randomTable) mergeEngine() {
	engine := pick(t.r, "deduplicate", "deduplicate", "partial-update", "aggregation", "first-row")
	if engine == "deduplicate" || engine == "first-row" && t.firstRow() {
		return
	}
	if engine == "first-row" {
		engine = "aggregation" // Java cannot look such keys up
	}
	t.options["merge-engine"] = engine
	for i := range t.columns { // folds make nulls where none were written
		c := &t.columns[i]
		c.notNull = c.notNull && slices.Contains(t.keys, c.name)
	}
	t.takesDeletes = []string{"-D", "-U"}
	if engine == "aggregation" {
		t.aggregation()
	} else {
		t.partialUpdate()
	}
	if t.options["ignore-delete"] == "true" {
		t.takesDeletes = []string{"-D", "-U"}
	}
}

// addFunction adds a column for a function, and tells whether deletes must be ignored by it.
func (t *randomTable) addFunction(name string, f function, ignoring bool) {
	t.columns = append(t.columns, randomColumn{name: name, typ: f.typ, value: f.value})
	prefix := "fields." + name + "."
	t.options[prefix+"aggregate-function"] = f.name
	for _, o := range f.options {
		key, value, _ := strings.Cut(o, "=")
		t.options[prefix+key] = value
	}
	if ignoring && (!f.retracts || t.r.IntN(3) == 0) {
		t.options[prefix+"ignore-retract"] = "true"
	}
	if f.loose {
		t.loose = append(t.loose, name)
	}
}

// firstRow makes the table one that keeps the first row of each key.
func (t *randomTable) firstRow() bool {
	if !t.comparable() || t.options["merge-engine"] != "" || t.options["sequence.field"] != "" || t.rowKind != "" {
		return false
	}
	t.options["merge-engine"], t.lookedUp = "first-row", true
	switch {
	case t.options["ignore-delete"] == "true":
		t.takesDeletes = []string{"-D", "-U"}
	case t.options["ignore-update-before"] == "true":
		t.takesDeletes = []string{"-U"}
	default:
		t.takesDeletes = nil
	}
	return true
}

func (t *randomTable) fits() []function {
	return slices.DeleteFunc(slices.Clone(functions), func(f function) bool {
		return t.leftOut(f.typ)
	})
}

func (t *randomTable) aggregation() {
	r := t.r
	removes := t.maybe(4, "aggregation.remove-record-on-delete", "true")
	if removes {
		t.takesDeletes = []string{"-D"}
	}
	deletes := r.IntN(2) == 0
	for i := range t.columns {
		c := t.columns[i]
		if slices.Contains(t.keys, c.name) || slices.Contains(strings.Split(t.options["sequence.field"], ","), c.name) || r.IntN(2) == 0 {
			continue
		}
		fn := pick(r, choosing...)
		if i := slices.IndexFunc(scalars, func(s scalar) bool { return s.typ == c.typ }); i >= 0 && r.IntN(2) == 0 && c.typ != "BOOLEAN" {
			fn = pick(r, "max", "min")
		}
		t.options["fields."+c.name+".aggregate-function"] = fn
		if !removes && deletes && !strings.HasPrefix(fn, "last") {
			t.options["fields."+c.name+".ignore-retract"] = "true"
		}
	}
	for i := range 1 + r.IntN(4) {
		t.addFunction(fmt.Sprintf("f%d", i), pick(r, t.fits()...), deletes && !removes)
	}
	if !removes && !deletes {
		t.takesDeletes = nil
	}
}

func (t *randomTable) partialUpdate() {
	r := t.r
	t.takesDeletes = nil
	switch r.IntN(4) {
	case 0:
		t.options["partial-update.remove-record-on-delete"] = "true"
		delete(t.options, "ignore-delete")
		t.takesDeletes = []string{"-D", "-U"}
	case 1, 2:
		t.sequenceGroups()
	}
}

func (t *randomTable) sequenceGroups() {
	r := t.r
	t.takesDeletes = []string{"-D", "-U"}
	for g := range 1 + r.IntN(2) {
		var order, members []string
		for i := range 1 + r.IntN(2) {
			typ := pick(r, "INT", "BIGINT", "DATE", "TIMESTAMP(3)", "STRING")
			texts := []string{scalarOf(typ).value(r), scalarOf(typ).value(r), scalarOf(typ).value(r), scalarOf(typ).value(r)}
			name := fmt.Sprintf("g%d%d", g, i)
			t.columns = append(t.columns, randomColumn{name: name, typ: typ, value: few(texts...)})
			order = append(order, name)
		}
		for i := range 1 + r.IntN(3) {
			name := fmt.Sprintf("m%d%d", g, i)
			members = append(members, name)
			if r.IntN(2) == 0 {
				t.addFunction(name, pick(r, t.fits()...), true)
				continue
			}
			typ, value := t.valueType(3)
			t.columns = append(t.columns, randomColumn{name: name, typ: typ, value: value})
		}
		t.options["fields."+strings.Join(order, ",")+".sequence-group"] = strings.Join(members, ",")
		if g == 0 && r.IntN(3) == 0 {
			t.options["partial-update.remove-record-on-sequence-group"] = pick(r, order...)
			delete(t.options, "ignore-delete")
		}
	}
}

// settled puts the lists of loose columns in one order.
func (t *randomTable) settled(lines []string) []string { return t.settledBy(lines, inOrder) }

// settledVersions does so where a column is a list of the versions of a row.
func (t *randomTable) settledVersions(lines []string) []string {
	return t.settledBy(lines, func(versions json.RawMessage) json.RawMessage {
		return eachOf(versions, func(list []json.RawMessage) {
			for i := range list {
				list[i] = inOrder(list[i])
			}
		})
	})
}

func (t *randomTable) settledBy(lines []string, settle func(json.RawMessage) json.RawMessage) []string {
	if len(t.loose) == 0 {
		return lines
	}
	out := make([]string, len(lines))
	for i, line := range lines {
		var cells map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &cells); err != nil {
			return lines
		}
		for _, name := range t.loose {
			if cell, there := cells[name]; there {
				cells[name] = settle(cell)
			}
		}
		text, _ := json.Marshal(cells)
		out[i] = string(text)
	}
	slices.Sort(out)
	return out
}

func inOrder(text json.RawMessage) json.RawMessage {
	return eachOf(text, func(list []json.RawMessage) {
		slices.SortFunc(list, func(a, b json.RawMessage) int { return strings.Compare(string(a), string(b)) })
	})
}

// eachOf is a list after f had it; what is no list stays.
func eachOf(text json.RawMessage, f func(list []json.RawMessage)) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil || list == nil {
		return text
	}
	f(list)
	text, _ = json.Marshal(list)
	return text
}
