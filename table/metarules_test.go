package table_test

import (
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/schema"
)

// rules leave out the rows whose effect depends on when versions were merged,
// in Paimon too; docs/merging.md says which these are and why.
type rules struct {
	model *model.Table
	past  map[string]map[string]*past // by partition and key
}

// past is what a key has seen.
type past struct {
	inserted, dead bool
	lost           map[int]any // the greatest sequence among its deletes
	newest         map[string]map[int]any
}

func newRules(m metaTable) (*rules, error) {
	sc, err := m.schema(map[string]string{"bucket": "1"})
	if err != nil {
		return nil, err
	}
	return &rules{model: model.New(sc), past: map[string]map[string]*past{}}, nil
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

// begin forgets keys whose partitions a step replaces.
func (u *rules) begin(s metaStep) {
	replaces := s.Do == "drop" || s.Do == "overwrite" && (len(s.Inside) > 0 || len(u.model.Schema.PartitionKeys) == 0)
	for part := range u.past {
		if replaces && (len(s.Inside) == 0 || part == s.Inside["p"]+" ") {
			delete(u.past, part)
		}
	}
	if s.Do != "overwrite" || replaces {
		return
	}
	for _, row := range s.Rows { // known already when a case is checked
		_, cells := u.model.Decode(row)
		part, _ := u.model.Place(cells)
		delete(u.past, part)
	}
}

// allow tells whether a row may come now, and remembers it if it may.
func (u *rules) allow(line string) bool {
	kind, row := u.model.Decode(line)
	if kind.Retracts() && u.option("ignore-delete") == "true" || kind == schema.UpdateBefore && u.option("ignore-update-before") == "true" {
		return true
	}
	part, key := u.model.Place(row)
	if u.past[part] == nil {
		u.past[part] = map[string]*past{}
	}
	p := u.past[part][key]
	if p == nil {
		p = &past{newest: map[string]map[int]any{}}
		u.past[part][key] = p
	}
	switch u.option("merge-engine") {
	case "", "deduplicate":
		return u.allowDeduplicate(p, kind, row)
	}
	return false
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

// allowed tells whether all rows of a case may come in their order.
func (c metaCase) allowed() bool {
	u, err := newRules(c.Table)
	if err != nil {
		return false
	}
	for _, s := range c.Steps {
		u.begin(s)
		if slices.ContainsFunc(s.Rows, func(row string) bool { return !u.allow(row) }) {
			return false
		}
	}
	return true
}
