package table_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

// rules leave out the rows whose effect depends on when versions were merged,
// in Paimon too; docs/merging.md says which these are and why.
type rules struct {
	model *model.Table     // after the steps so far
	past  map[string]*past // by key
	fresh map[string]bool  // partitions that rows of this step replaced; nil if rows replace none
}

// past is what a key has seen.
type past struct {
	home           string // its partition, that of its first row
	inserted, dead bool
	lost           map[int]any            // the greatest sequence among its deletes
	newest         map[string]map[int]any // the row with the greatest sequence, by sequence
}

func newRules(m metaTable) (*rules, error) {
	sc, err := m.schema(nil)
	if err != nil {
		return nil, err
	}
	return &rules{model: model.New(sc), past: map[string]*past{}}, nil
}

func (u *rules) option(key string) string { return u.model.Schema.Options[key] }

func (u *rules) fields(names string) []schema.Field {
	if names == "" {
		return nil
	}
	out, err := u.model.Schema.FieldsByName(strings.Split(names, ","))
	if err != nil {
		panic(err)
	}
	return out
}

// begin forgets keys whose partitions a step replaces. It fails if the step
// itself may not come now.
func (u *rules) begin(s metaStep) error {
	u.fresh = nil
	switch {
	case s.Do == "alter":
		return s.apply(u.model)
	case s.Do == "drop" || s.Do == "overwrite" && (len(s.Inside) > 0 || len(u.model.Schema.PartitionKeys) == 0):
		u.forget(func(part string) bool { return len(s.Inside) == 0 || part == s.Inside["p"]+" " })
	case s.Do == "overwrite":
		u.fresh = map[string]bool{}
	case s.Do == "delete" || s.Do == "update":
		rows, err := s.changed(u.model)
		for _, row := range rows {
			if err == nil && !u.allow(row) {
				err = fmt.Errorf("row %s may not come now", row)
			}
		}
		return err
	}
	return nil
}

// end takes a step in, with its rows.
func (u *rules) end(s metaStep) error {
	if s.Do == "alter" {
		return nil // is in already
	}
	return s.apply(u.model)
}

func (u *rules) forget(gone func(part string) bool) {
	maps.DeleteFunc(u.past, func(_ string, p *past) bool { return gone(p.home) })
}

// allow tells whether a row may come now, and remembers it if it may.
func (u *rules) allow(line string) bool {
	kind, row := u.model.Decode(line)
	if kind.Retracts() && u.option("ignore-delete") == "true" || kind == schema.UpdateBefore && u.option("ignore-update-before") == "true" {
		return u.fresh == nil // it would replace a partition by nothing, or not: see dynamic overwrites
	}
	part, key := u.model.Place(row)
	p, replaces := u.past[key], u.fresh != nil && !u.fresh[part]
	if p == nil || replaces {
		p = &past{home: part, newest: map[string]map[int]any{}}
	}
	if !u.allowed(p, kind, row) {
		return false
	}
	if replaces {
		u.forget(func(old string) bool { return old == part })
		u.fresh[part] = true
	}
	u.past[key] = p
	return true
}

func (u *rules) allowed(p *past, kind schema.RowKind, row map[int]any) bool {
	if p.dead {
		return false
	}
	if !p.inserted && u.repeats(row) {
		return false
	}
	switch u.option("merge-engine") {
	case "first-row":
		return !kind.Retracts()
	case "partial-update":
		return u.allowPartial(p, kind, row)
	case "aggregation":
		return u.allowAggregation(p, kind, row)
	}
	return u.allowDeduplicate(p, kind, row)
}

// A delete that won is forgotten when it reaches the top level: a row that it
// hid, if it comes later, shows then. So nothing older may follow a delete.
func (u *rules) allowDeduplicate(p *past, kind schema.RowKind, row map[int]any) bool {
	sequence := u.fields(u.option("sequence.field"))
	if p.lost != nil && u.order(sequence, row, p.lost) < 0 {
		return false
	}
	if kind.Retracts() && (p.lost == nil || u.order(sequence, row, p.lost) > 0) {
		p.lost = row
	}
	return true
}

// A delete must follow an insert that it takes back from, and nothing follows a
// removal: merged before it meets the older rows it would not remove them.
func (u *rules) allowAggregation(p *past, kind schema.RowKind, row map[int]any) bool {
	removes := u.option("aggregation.remove-record-on-delete") == "true"
	sequence := u.option("sequence.field")
	commutes := true
	for _, f := range u.model.Schema.Fields {
		name, option := u.function(f)
		if key := slices.Contains(u.model.Schema.PrimaryKeys, f.Name); key || slices.Contains(strings.Split(sequence, ","), f.Name) {
			continue
		}
		a := aggregateOf(name, option)
		commutes = commutes && !a.ordered
		takesBack := name == "sum" && option("ignore-retract") != "true" || a.deaf && option("ignore-retract") == "true"
		if kind.Retracts() && !removes && (sequence != "" || !takesBack) {
			return false
		}
	}
	if kind.Retracts() && (!p.inserted || removes && kind != schema.Delete) || !u.follows(p, sequence, row, !commutes || kind.Retracts()) {
		return false
	}
	p.inserted, p.dead = true, removes && kind == schema.Delete
	return true
}

// function is the aggregate function of a column, and its options.
func (u *rules) function(f schema.Field) (name string, option func(string) string) {
	option = func(key string) string { return u.option("fields." + f.Name + "." + key) }
	return cmp.Or(option("aggregate-function"), u.option("fields.default-aggregate-function"), "last_non_null_value"), option
}

// follows notes a row under a sequence, if it need not be the newest or is.
func (u *rules) follows(p *past, sequence string, row map[int]any, newest bool) bool {
	fields := u.fields(sequence)
	last := p.newest[sequence]
	if last != nil && u.order(fields, row, last) < 0 {
		return !newest
	}
	p.newest[sequence] = row
	return true
}

// Deletes say nothing but keys and sequences, and only of columns without
// functions; otherwise as in aggregation.
func (u *rules) allowPartial(p *past, kind schema.RowKind, row map[int]any) bool {
	groups, folds := u.groups()
	if kind.Retracts() && (!p.inserted || folds) {
		return false
	}
	dies := kind == schema.Delete && u.option("partial-update.remove-record-on-delete") == "true"
	if kind.Retracts() && len(groups) == 0 && !dies {
		return false
	}
	by := u.option("partial-update.remove-record-on-sequence-group")
	if kind == schema.UpdateBefore && by != "" { // two of them merged alone are a delete
		return false
	}
	for sequence, ordered := range groups {
		silent := true
		for _, f := range u.fields(sequence) {
			silent = silent && row[f.ID] == nil
		}
		if silent && !p.inserted && u.alters(row, u.option("fields."+sequence+".sequence-group")) {
			return false
		}
		if silent {
			continue
		}
		last := p.newest[sequence]
		late := last != nil && u.order(u.fields(sequence), row, last) < 0
		removes := kind == schema.Delete && slices.Contains(strings.Split(sequence, ","), by)
		if late && (ordered || removes) {
			return false
		}
		dies = dies || removes
	}
	sequence := u.fields(u.option("sequence.field"))
	for _, f := range sequence { // of several, a null would let an older one's value stand
		if len(sequence) > 1 && row[f.ID] == nil {
			return false
		}
	}
	if !u.follows(p, u.option("sequence.field"), row, true) {
		return false
	}
	for sequence := range groups {
		u.follows(p, sequence, row, false)
	}
	p.inserted, p.dead = true, dies
	return true
}

// alters tells that merging a row alone, as looking older rows up does, would
// take a value from it: one of a group of which it says nothing.
func (u *rules) alters(row map[int]any, members string) bool {
	return slices.ContainsFunc(u.fields(members), func(f schema.Field) bool { return row[f.ID] != nil })
}

// repeats tells the same of elements that are in a list without duplicates twice.
func (u *rules) repeats(row map[int]any) bool {
	for _, f := range u.model.Schema.Fields {
		name, option := u.function(f)
		list, _ := row[f.ID].([]any)
		if name != "collect" || option("distinct") != "true" {
			continue
		}
		for i := range list {
			if slices.ContainsFunc(list[:i], func(e any) bool { return model.Compare(e, list[i]) == 0 }) {
				return true
			}
		}
	}
	return false
}

// groups are the sequence groups, with whether a function in them depends on
// order; folds tells whether there are functions at all.
func (u *rules) groups() (groups map[string]bool, folds bool) {
	groups = map[string]bool{}
	for key, members := range u.model.Schema.Options {
		sequence, ok := strings.CutSuffix(strings.TrimPrefix(key, "fields."), ".sequence-group")
		if !ok {
			continue
		}
		groups[sequence] = false
		for _, f := range u.fields(members) {
			if name, option := u.function(f); option("aggregate-function") != "" {
				folds = true
				groups[sequence] = groups[sequence] || aggregateOf(name, option).ordered
			}
		}
	}
	return groups, folds
}

// empty tells whether a row of some kind must say nothing in a column.
func (u *rules) empty(kind, column string) bool {
	groups, _ := u.groups()
	sc := u.model.Schema
	if len(groups) == 0 || kind != "-D" && kind != "-U" || slices.Contains(sc.PrimaryKeys, column) || slices.Contains(sc.PartitionKeys, column) {
		return false
	}
	for sequence := range groups {
		if slices.Contains(strings.Split(sequence, ","), column) {
			return false
		}
	}
	return true
}

// order compares two rows by sequence columns.
func (u *rules) order(sequence []schema.Field, a, b map[int]any) int {
	for _, f := range sequence {
		c := model.Compare(a[f.ID], b[f.ID])
		if u.option("sequence.field.sort-order") == "descending" && a[f.ID] != nil && b[f.ID] != nil {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// allowed tells whether all steps and rows of a case may come in their order.
func (c metaCase) allowed() bool {
	u, err := newRules(c.Table)
	if err != nil {
		return false
	}
	for _, s := range c.Steps {
		if u.begin(s) != nil || !u.fit(s.Rows) || u.end(s) != nil {
			return false
		}
	}
	return true
}

// fit tells whether rows are rows of the table, and may come now.
func (u *rules) fit(rows []string) bool {
	dec, err := rowjson.NewDecoder(u.model.Schema.Fields, rowjson.Options{})
	if err != nil {
		return false
	}
	defer func() {
		if rec, _ := dec.Flush(); rec != nil {
			rec.Release()
		}
	}()
	for i, row := range packed(u.model.Schema, rows) {
		if dec.Row([]byte(row)) != nil || !u.allow(rows[i]) {
			return false
		}
	}
	return true
}
