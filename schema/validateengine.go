package schema

import (
	"slices"
	"strings"
)

// The rules among the options of the merge engines. Which types a function
// takes is known to the function itself: package mergeengine checks it when a
// table is made.

// aggregatorNames are the functions that fields.<c>.aggregate-function takes.
var aggregatorNames = []string{
	"bool_and", "bool_or", "collect", "first_non_null_value", "first_not_null_value", "first_value", "hll_sketch",
	"last_non_null_value", "last_value", "listagg", "max", "merge_map", "merge_map_with_keytime", "min",
	"nested_partial_update", "nested_update", "primary-key", "product", "rbm32", "rbm64", "sum", "theta_sketch",
}

func (v *validator) engine() {
	switch v.o.MergeEngine {
	case "partial-update":
		v.aggregators()
		v.partialUpdate()
		v.sequenceGroups()
	case "aggregation":
		v.aggregators()
		for _, f := range v.t.Fields {
			if v.o.Engine.RemoveOnDelete && v.o.Engine.Field(f.Name).IgnoreRetract {
				v.bad("aggregation.remove-record-on-delete and fields.%s.ignore-retract contradict each other, remove one", f.Name)
			}
		}
	}
}

func (v *validator) aggregators() {
	check := func(key, name string) {
		if name != "" && !slices.Contains(aggregatorNames, name) && !OwnName(name) {
			v.bad("%s: no aggregate function %q%s", key, name, suggestion(name, aggregatorNames))
		}
	}
	check(defaultFunctionKey, v.o.Engine.DefaultFunction)
	for _, f := range v.t.Fields {
		check("fields."+f.Name+".aggregate-function", v.o.Engine.Field(f.Name).Function)
	}
}

func (v *validator) partialUpdate() {
	e := &v.o.Engine
	if e.RemoveOnDelete {
		if v.o.IgnoreDelete {
			v.bad("partial-update.remove-record-on-delete and ignore-delete contradict each other, remove one")
		}
		if len(e.Groups) > 0 {
			v.bad("partial-update.remove-record-on-delete and sequence groups exclude each other: set %s instead", removeOnGroupKey)
		}
	}
	if len(e.RemoveOnGroup) > 0 && v.o.IgnoreDelete {
		v.bad("%s and ignore-delete contradict each other, remove one", removeOnGroupKey)
	}
	for _, name := range e.RemoveOnGroup {
		if !slices.ContainsFunc(e.Groups, func(g SequenceGroup) bool { return slices.Contains(g.Sequence, name) }) {
			v.bad("%s: column %q is no sequence column, name columns <c> of fields.<c>.sequence-group", removeOnGroupKey, name)
		}
	}
}

// sequenceGroups: each column belongs to one group at most.
func (v *validator) sequenceGroups() {
	owner := map[string]string{}
	for _, g := range v.o.Engine.Groups {
		key := "fields." + strings.Join(g.Sequence, ",") + sequenceGroupSuffix
		for _, name := range g.Sequence {
			if f, exists := v.t.Field(name); exists && (f.Type.Kind.Nested() || f.Type.Kind.Refused()) {
				v.bad("%s: column %q is of type %s, sequence columns are scalar", key, name, f.Type.Kind)
			}
			if v.o.Engine.Field(name).Function != "" {
				v.bad("%s: sequence column %q has an aggregate function too, remove it", key, name)
			}
		}
		for i, name := range append(slices.Clone(g.Sequence), g.Columns...) {
			_, exists := v.t.Field(name)
			switch own := i >= len(g.Sequence) && slices.Contains(g.Sequence, name); {
			case !exists && i >= len(g.Sequence): // columnOptions looks at the others
				v.bad("%s: column %q does not exist%s", key, name, suggestion(name, v.t.names()))
			case slices.Contains(v.t.PrimaryKeys, name):
				v.bad("%s: column %q is in the primary key, which is never updated", key, name)
			case owner[name] != "" && !own:
				v.bad("%s: column %q is named in %s already, a column goes by one group", key, name, owner[name])
			}
			owner[name] = key
		}
	}
	v.ungrouped(owner)
}

// ungrouped columns are overwritten by whatever is not null.
func (v *validator) ungrouped(owner map[string]string) {
	for _, f := range v.t.Fields {
		function, key := v.o.Engine.Field(f.Name).Function, "fields."+f.Name+".aggregate-function"
		if function == "" {
			function, key = v.o.Engine.DefaultFunction, defaultFunctionKey
		}
		if owner[f.Name] == "" && !slices.Contains(v.t.PrimaryKeys, f.Name) && function != "" && function != "last_non_null_value" {
			v.bad("%s = %s: column %q is in no sequence group, where merge-engine partial-update takes no function but last_non_null_value; "+
				"give it a sequence group", key, function, f.Name)
		}
	}
}
