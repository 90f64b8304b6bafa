package model

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// merge makes one version of all versions of a key, given in order of arrival.
// A single version stays as it is, whatever its kind, unless older rows are
// looked up for it.
func (t *Table) merge(versions []version) (version, error) {
	sorted := slices.Clone(versions)
	slices.SortStableFunc(sorted, func(a, b version) int {
		return cmp.Or(t.bySequence(a.cells, b.cells), cmp.Compare(a.seq, b.seq))
	})
	out := sorted[len(sorted)-1]
	out.commit = versions[len(versions)-1].commit
	engine := t.option("merge-engine")
	if len(sorted) == 1 && !t.alone || engine == "" || engine == "deduplicate" {
		return out, nil
	}
	if engine == "first-row" {
		if slices.ContainsFunc(sorted, func(v version) bool { return v.kind.Retracts() }) {
			return out, errors.New("first-row takes no deletes")
		}
		out.cells = sorted[0].cells
		return out, nil
	}
	err := t.fold(&out, sorted, engine == "partial-update")
	return out, err
}

// bySequence compares rows by the sequence fields; null comes first in either order.
func (t *Table) bySequence(a, b cells) int {
	for _, f := range t.fields(t.option("sequence.field")) {
		x, y := a[f.ID], b[f.ID]
		if c := Compare(x, y); c != 0 {
			return either(x != nil && y != nil && t.option("sequence.field.sort-order") == "descending", -c, c).(int)
		}
	}
	return 0
}

// column is a fold with its place among the columns.
type column struct {
	fold
	bare     bool      // no aggregate function was given
	sequence []*column // of its sequence group, itself perhaps among them
}

func (t *Table) columns() []*column {
	var out []*column
	bySequence := t.fields(t.option("sequence.field"))
	partial := t.option("merge-engine") == "partial-update"
	for _, f := range t.Schema.Fields {
		fn := cmp.Or(t.option("fields."+f.Name+".aggregate-function"), t.option("fields.default-aggregate-function"))
		c := &column{fold{field: f, fn: cmp.Or(fn, "last_non_null_value"), options: t.Schema.Options}, fn == "", nil}
		switch {
		case slices.Contains(t.Schema.PrimaryKeys, f.Name):
			c.fn = "primary-key"
		case !partial && slices.ContainsFunc(bySequence, func(s schema.Field) bool { return s.ID == f.ID }):
			c.fn = "last_value"
		}
		out = append(out, c)
	}
	for key, names := range t.Schema.Options {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(key, "fields."), ".sequence-group"); ok {
			t.group(out, strings.Split(name, ","), strings.Split(names, ","))
		}
	}
	return out
}

// group makes a sequence group: its columns move only when its sequence does.
func (t *Table) group(all []*column, sequence, members []string) {
	var order []*column
	for _, name := range sequence {
		order = append(order, all[t.Schema.Index(name)])
	}
	for _, c := range order {
		c.fn, c.bare, c.sequence = "primary-key", true, order // takes what comes, from deletes too
	}
	for _, name := range members {
		c := all[t.Schema.Index(name)]
		c.sequence = order
		if c.bare {
			c.fn = "last_value"
		}
	}
}

// standing of a version in a sequence group.
const (
	current = iota
	late
	silent // says nothing about the group
)

func (c *column) standing(v version) int {
	order, any := 0, len(c.sequence) == 0
	for _, s := range c.sequence {
		any = any || v.cells[s.field.ID] != nil
		order = cmp.Or(order, Compare(v.cells[s.field.ID], s.value))
	}
	switch {
	case !any:
		return silent
	case order < 0:
		return late
	}
	return current
}

// fold is aggregation and partial-update, column by column.
func (t *Table) fold(out *version, sorted []version, partial bool) error {
	columns, inserted := t.columns(), !partial
	for i, v := range sorted {
		takes, err := t.takes(columns, v, partial)
		if err != nil {
			return err
		}
		if takes == removes || partial && i == 0 && v.kind.Retracts() {
			for _, c := range columns {
				c.value = v.cells[c.field.ID]
			}
		}
		if takes == merges {
			inserted = inserted || !v.kind.Retracts()
			if err := step(columns, v, partial); err != nil {
				return err
			}
		}
		out.kind = either(takes == removes || !inserted, schema.Delete, schema.Insert).(schema.RowKind)
	}
	out.cells = cells{}
	for _, c := range columns {
		out.cells[c.field.ID] = c.value
	}
	return nil
}

// What a version does to its key.
const (
	merges = iota
	removes
	nothing
)

func (t *Table) takes(columns []*column, v version, partial bool) (int, error) {
	deletes := v.kind == schema.Delete
	switch {
	case !v.kind.Retracts():
		return merges, nil
	case !partial && deletes && t.option("aggregation.remove-record-on-delete") == "true":
		return removes, nil
	case !partial:
		return merges, nil
	case t.option("ignore-delete") == "true":
		return nothing, nil
	case t.option("partial-update.remove-record-on-delete") == "true":
		return either(deletes, removes, nothing).(int), nil
	case !slices.ContainsFunc(columns, func(c *column) bool { return c.sequence != nil }):
		return 0, errors.New("partial-update takes no deletes")
	}
	for _, f := range t.fields(t.option("partial-update.remove-record-on-sequence-group")) {
		if deletes && columns[t.Schema.Index(f.Name)].standing(v) == current {
			return removes, nil
		}
	}
	return merges, nil
}

func step(columns []*column, v version, partial bool) error {
	standings := make([]int, len(columns))
	for i, c := range columns { // before any sequence moves
		standings[i] = c.standing(v)
	}
	for i, c := range columns {
		in, retracts, standing := v.cells[c.field.ID], v.kind.Retracts(), standings[i]
		switch {
		case standing == silent, retracts && partial && c.sequence == nil, retracts && standing == late && c.bare:
		case retracts:
			if err := c.retract(in); err != nil {
				return err
			}
		case standing == late:
			c.late(in)
		default:
			c.value = c.agg(c.value, in)
		}
	}
	return nil
}
