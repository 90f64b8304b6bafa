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
	slices.SortStableFunc(sorted, func(a, b version) int { return t.bySequence(a.cells, b.cells) })
	out := sorted[len(sorted)-1]
	out.commit = versions[len(versions)-1].commit
	engine := t.option("merge-engine")
	switch {
	case len(sorted) == 1 && !t.alone || engine == "" || engine == "deduplicate":
		return out, nil
	case engine != "first-row":
		return out, t.fold(&out, sorted, engine == "partial-update")
	case slices.ContainsFunc(sorted, func(v version) bool { return v.kind.Retracts() }):
		return out, errors.New("first-row takes no deletes")
	}
	out.cells = sorted[0].cells
	return out, nil
}

// bySequence compares rows by the sequence fields; null comes first in either order.
func (t *Table) bySequence(a, b cells) (order int) {
	descending := t.option("sequence.field.sort-order") == "descending"
	for _, f := range t.fields(t.option("sequence.field")) {
		x, y := a[f.ID], b[f.ID]
		order = cmp.Or(order, either(descending && x != nil && y != nil, Compare(y, x), Compare(x, y)))
	}
	return order
}

func (t *Table) columns(partial bool) []*column {
	var out []*column
	bySequence := strings.Split(t.option("sequence.field"), ",")
	for _, f := range t.Schema.Fields {
		fn := cmp.Or(t.option("fields."+f.Name+".aggregate-function"), t.option("fields.default-aggregate-function"))
		c := &column{field: f, fn: cmp.Or(fn, "last_non_null_value"), bare: fn == "", options: t.Schema.Options}
		switch {
		case slices.Contains(slices.Concat(t.Schema.PrimaryKeys, t.Schema.PartitionKeys), f.Name):
			c.fn = "primary-key"
		case !partial && slices.Contains(bySequence, f.Name):
			c.fn = "last_value"
		}
		out = append(out, c)
	}
	for key, members := range t.Schema.Options {
		if names, ok := strings.CutSuffix(strings.TrimPrefix(key, "fields."), ".sequence-group"); ok {
			t.group(out, strings.Split(names, ","), strings.Split(members, ","))
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
		c.sequence, c.fn = order, either(c.bare, "last_value", c.fn)
	}
}

// standing tells whether a version says nothing about a column's sequence
// group, and whether it is late there.
func (c *column) standing(v version) (silent, late bool) {
	silent, order := len(c.sequence) > 0, 0
	for _, s := range c.sequence {
		silent = silent && v.cells[s.field.ID] == nil
		order = cmp.Or(order, Compare(v.cells[s.field.ID], s.value))
	}
	return silent, order < 0
}

// fold is aggregation and partial-update, column by column.
func (t *Table) fold(out *version, sorted []version, partial bool) error {
	columns, inserted, gone := t.columns(partial), !partial, false
	for i, v := range sorted {
		merges, removes, err := t.effect(columns, v, partial)
		if removes || partial && i == 0 && v.kind.Retracts() {
			for _, c := range columns {
				c.value = v.cells[c.field.ID]
			}
		}
		if merges {
			inserted = inserted || !v.kind.Retracts()
			err = step(columns, v, partial)
		}
		if gone = removes; err != nil {
			return err
		}
	}
	out.kind, out.cells = either(gone || !inserted, schema.Delete, schema.Insert), cells{}
	for _, c := range columns {
		out.cells[c.field.ID] = c.value
	}
	return nil
}

// effect tells whether a version is merged into its key, or removes it, or neither.
func (t *Table) effect(columns []*column, v version, partial bool) (merges, removes bool, err error) {
	deletes := v.kind == schema.Delete
	switch {
	case !v.kind.Retracts():
		return true, false, nil
	case !partial:
		removes = deletes && t.option("aggregation.remove-record-on-delete") == "true"
		return !removes, removes, nil
	case t.option("partial-update.remove-record-on-delete") == "true":
		return false, deletes, nil
	case !slices.ContainsFunc(columns, func(c *column) bool { return c.sequence != nil }):
		return false, false, errors.New("partial-update takes no deletes")
	}
	for _, f := range t.fields(t.option("partial-update.remove-record-on-sequence-group")) {
		silent, late := columns[t.Schema.Index(f.Name)].standing(v)
		removes = removes || deletes && !silent && !late
	}
	return !removes, removes, nil
}

func step(columns []*column, v version, partial bool) (err error) {
	for _, c := range columns { // before any sequence moves
		c.silent, c.late = c.standing(v)
	}
	for _, c := range columns {
		in, retracts := v.cells[c.field.ID], v.kind.Retracts()
		switch {
		case c.silent, retracts && partial && c.sequence == nil, retracts && c.late && c.bare:
		case retracts:
			err = errors.Join(err, c.retract(in))
		case c.late && c.fn != "collect": // it belongs before what there is
			c.value = c.agg(in, c.value)
		default:
			c.value = c.agg(c.value, in)
		}
	}
	return err
}
