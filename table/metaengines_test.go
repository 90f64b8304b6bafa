package table_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// aggregate is an aggregate function as cases use it.
type aggregate struct {
	name    string
	types   []string
	options []string // "name=value", of the column
	// ordered functions depend on the order of their values: late rows would
	// give what the moments of merging decide.
	ordered bool
	// deaf functions keep their value through deletes if told to ignore them.
	deaf bool
}

var (
	numbers    = []string{"TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(9, 2)", "DECIMAL(30, 2)"}
	nestedRows = []string{"ARRAY<ROW<id INT, x STRING>>"}
)

// aggregates are the functions that the engine has. Sum is the one whose
// deletes are drawn without ignore-retract: the others lose what a delete
// should take back when it is merged before the value.
var aggregates = []aggregate{
	{"sum", numbers, nil, false, true},
	{"product", []string{"BIGINT", "DOUBLE"}, nil, false, true},
	{"max", metaOrdered, nil, false, true},
	{"min", metaOrdered, nil, false, true},
	{"last_value", metaScalars, nil, true, false},
	{"last_non_null_value", metaScalars, nil, true, true},
	{"first_value", metaScalars, nil, true, true},
	{"first_non_null_value", metaScalars, nil, true, true},
	{"bool_and", []string{"BOOLEAN"}, nil, false, true},
	{"bool_or", []string{"BOOLEAN"}, nil, false, true},
	{"listagg", []string{"STRING"}, nil, true, true},
	{"listagg", []string{"STRING"}, []string{"distinct=true", "list-agg-delimiter=;"}, true, true},
	{"collect", []string{"ARRAY<INT>", "ARRAY<STRING>"}, nil, false, true},
	{"collect", []string{"ARRAY<INT>", "ARRAY<STRING>"}, []string{"distinct=true"}, false, true},
	{"merge_map", []string{"MAP<STRING, INT>", "MAP<INT, STRING>"}, nil, true, true},
	{"merge_map_with_keytime", []string{"MAP<STRING, ROW<x INT, ts STRING>>"}, []string{"ts-field=ts"}, true, true},
	{"nested_update", nestedRows, nil, false, true},
	{"nested_update", nestedRows, []string{"nested-key=id"}, true, true},
	{"nested_update", nestedRows, []string{"count-limit=3"}, true, true},
	{"nested_partial_update", nestedRows, []string{"nested-key=id"}, true, true},
	{"rbm32", []string{"BYTES"}, nil, false, true},
	{"rbm64", []string{"BYTES"}, nil, false, true},
	{"hll_sketch", []string{"BYTES"}, nil, false, true},
	{"theta_sketch", []string{"BYTES"}, nil, false, true},
}

// aggregateOf finds a function by name and whether a column's options are its own.
func aggregateOf(name string, option func(string) string) aggregate {
	var found aggregate
	for _, a := range aggregates {
		fits := a.name == name && !slices.ContainsFunc(a.options, func(o string) bool {
			key, value, _ := strings.Cut(o, "=")
			return option(key) != value
		})
		if fits && len(a.options) >= len(found.options) {
			found = a
		}
	}
	return found
}

// values draws what a function folds: few enough that numbers stay small, and
// lists that no single value fills beyond a limit.
func (a aggregate) values(typ string) maker {
	few := func(all ...string) maker { return func(r *rand.Rand) string { return oneOf(r, all...) } }
	switch {
	case a.name == "product" && typ == "DOUBLE":
		return few("1", "-1", "2", "0.5")
	case a.name == "product":
		return few("1", "-1", "1", "-1", "2")
	case a.name == "sum" && strings.HasPrefix(typ, "DECIMAL"):
		return few(`"1.05"`, `"-2.50"`, `"0.01"`)
	case a.name == "sum" && typ == "TINYINT":
		return few("1", "-1", "0")
	case a.name == "listagg":
		return few(`"a"`, `"b"`, `"c"`, `"ä"`)
	case typ == "BYTES":
		return drawnSets()
	case typ == "ARRAY<INT>":
		return listOf(4, "1", "2", "3", "null")
	case typ == "ARRAY<STRING>":
		return listOf(4, `"a"`, `"b"`, `"c"`)
	case typ == "MAP<STRING, INT>":
		return listOf(3, `["a",1]`, `["a",2]`, `["b",3]`, `["b",null]`)
	case typ == "MAP<INT, STRING>":
		return listOf(3, `[1,"x"]`, `[1,"y"]`, `[2,"z"]`, `[2,null]`)
	case strings.HasPrefix(typ, "MAP"):
		return listOf(3, `["a",{"x":1,"ts":"3"}]`, `["a",{"x":2,"ts":"10"}]`, `["b",{"x":3,"ts":"5"}]`, `["b",{"x":4,"ts":"4"}]`)
	case typ == nestedRows[0]:
		return listOf(4, `{"id":1,"x":"a"}`, `{"id":1,"x":null}`, `{"id":2,"x":"b"}`, `{"id":2,"x":"c"}`, `{"id":3,"x":"d"}`, `{"id":4,"x":"e"}`)
	}
	return valuesOf(typ)
}

// listOf draws lists of less than n items; keys of a map must differ.
func listOf(n int, items ...string) maker {
	return func(r *rand.Rand) string {
		some := make([]string, r.IntN(n))
		for i := range some {
			some[i] = items[(r.IntN(2)+i*2)%len(items)]
		}
		return "[" + strings.Join(some, ",") + "]"
	}
}

// drawFolded adds a column with a function.
func drawFolded(r *rand.Rand, m *metaTable, add func(name, typ string, f maker), name string, a aggregate, ignoreRetract bool) {
	typ := oneOf(r, a.types...)
	add(name, typ, orNull(a.values(typ)))
	prefix := "fields." + name + "."
	m.Options[prefix+"aggregate-function"] = a.name
	for _, o := range a.options {
		key, value, _ := strings.Cut(o, "=")
		m.Options[prefix+key] = value
	}
	if ignoreRetract && a.name != "last_value" {
		m.Options[prefix+"ignore-retract"] = "true"
	}
}

func drawFirstRow(r *rand.Rand, m *metaTable, add func(name, typ string, f maker)) {
	m.Options["merge-engine"] = "first-row"
	for i := range 1 + r.IntN(3) {
		typ := oneOf(r, metaScalars...)
		add(fmt.Sprintf("c%d", i), typ, orNull(valuesOf(typ)))
	}
	m.maybe(r, 2, "ignore-delete", "true")
}

func drawAggregation(r *rand.Rand, m *metaTable, add func(name, typ string, f maker)) {
	m.Options["merge-engine"] = "aggregation"
	deletes := r.IntN(3)
	for i := range 1 + r.IntN(5) {
		a := oneOf(r, aggregates...)
		drawFolded(r, m, add, fmt.Sprintf("c%d", i), a, deletes == 0 && (a.name != "sum" || r.IntN(8) == 0))
	}
	if deletes > 0 && r.IntN(3) == 0 {
		drawSequence(r, m, add)
	}
	if r.IntN(3) == 0 && deletes > 0 { // a column without a function of its own
		add("d", "INT", orNull(valuesOf("INT")))
		m.maybe(r, 2, "fields.default-aggregate-function", "last_non_null_value", "last_value", "first_value")
	}
	switch deletes {
	case 1:
		m.maybe(r, 2, "aggregation.remove-record-on-delete", "true")
	case 2:
		m.maybe(r, 2, "ignore-delete", "true")
	}
}

func drawPartial(r *rand.Rand, m *metaTable, add func(name, typ string, f maker)) {
	m.Options["merge-engine"] = "partial-update"
	for i := range 1 + r.IntN(3) {
		typ := oneOf(r, metaScalars...)
		add(fmt.Sprintf("c%d", i), typ, orNull(orNull(valuesOf(typ))))
	}
	if r.IntN(3) > 0 {
		drawGroups(r, m, add)
		return
	}
	if r.IntN(3) == 0 {
		drawSequence(r, m, add)
	}
	switch r.IntN(4) {
	case 0:
		m.Options["ignore-delete"] = "true"
	case 1:
		m.Options["partial-update.remove-record-on-delete"] = "true"
	}
	m.maybe(r, 5, "fields.default-aggregate-function", "last_non_null_value")
}

// drawGroups adds sequence groups, with functions or with deletes.
func drawGroups(r *rand.Rand, m *metaTable, add func(name, typ string, f maker)) {
	folded := r.IntN(2) == 0
	for g := range 1 + r.IntN(2) {
		var order, members []string
		for i := range 1 + r.IntN(2) {
			typ := oneOf(r, "INT", "BIGINT", "DATE", "STRING")
			name := fmt.Sprintf("g%d_%d", g, i)
			add(name, typ, orNull(valuesOf(typ)))
			order = append(order, name)
		}
		for i := range 1 + r.IntN(3) {
			name := fmt.Sprintf("m%d_%d", g, i)
			members = append(members, name)
			if folded && r.IntN(3) > 0 {
				drawFolded(r, m, add, name, oneOf(r, aggregates...), false)
				continue
			}
			typ := oneOf(r, metaScalars...)
			add(name, typ, orNull(valuesOf(typ)))
		}
		m.Options["fields."+strings.Join(order, ",")+".sequence-group"] = strings.Join(members, ",")
		if !folded && g == 0 && r.IntN(3) == 0 {
			m.Options["partial-update.remove-record-on-sequence-group"] = oneOf(r, order...)
		}
	}
	if len(m.Options["partial-update.remove-record-on-sequence-group"]) == 0 {
		m.maybe(r, 5, "ignore-delete", "true")
	}
}
