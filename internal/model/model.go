// Package model says what a Paimon primary-key table holds, the slow and plain
// way: every version of every key in a map, one row at a time, merged anew at
// each look. It shares no code with the engine but the definition of schemas,
// and exists to be compared with it in tests.
//
//	Write, Overwrite, Alter ─► versions of each key ─► Lines: the rows, as JSON
//
// Nothing is forgotten, as if no compaction ever ran. Where a result depends on
// when versions were merged, the trace of compactions is given with Merge.
package model

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/schema"
)

// Table is the model of one table. It is not safe for concurrent use, and it
// panics on input that tests cannot mean.
type Table struct {
	Schema   *schema.Table // the newest
	commit   int
	versions []version // in order of arrival
	alone    bool      // single versions are merged now
}

// version is one row as it was written, or several merged into one.
type version struct {
	kind      schema.RowKind
	commit    int
	part, key string
	cells     cells
}

// cells are the values of a row by field id.
type cells map[int]any

// New is the model of an empty table.
func New(sc *schema.Table) *Table { return &Table{Schema: sc} }

func (t *Table) option(key string) string { return t.Schema.Options[key] }

// fields are columns named with commas between.
func (t *Table) fields(names string) []schema.Field {
	out, err := t.Schema.FieldsByName(strings.FieldsFunc(names, func(r rune) bool { return r == ',' }))
	must(err)
	return out
}

// Write commits rows, each a JSON object whose member "_kind" may hold its kind.
func (t *Table) Write(rows ...string) {
	t.commit++
	for _, line := range rows {
		kind, row := t.Decode(line)
		part, key := t.Place(row)
		if !(kind.Retracts() && t.option("ignore-delete") == "true" || kind == schema.UpdateBefore && t.option("ignore-update-before") == "true") {
			t.versions = append(t.versions, t.moved(version{kind, t.commit, part, key, row}))
		}
	}
}

// moved is for keys that do not say their partition: deduplicate leaves the
// versions in another one behind, other engines keep the key where it lies.
func (t *Table) moved(v version) version {
	elsewhere := func(o version) bool { return o.key == v.key && o.part != v.part }
	at := slices.IndexFunc(t.versions, elsewhere)
	switch engine := t.option("merge-engine"); {
	case at < 0:
	case engine == "" || engine == "deduplicate":
		t.versions = slices.DeleteFunc(t.versions, elsewhere)
	default:
		for _, f := range t.Schema.PartitionFields() {
			v.cells[f.ID] = t.versions[at].cells[f.ID]
		}
		v.part = t.versions[at].part
	}
	return v
}

// Decode reads a JSON row by field id.
func (t *Table) Decode(line string) (schema.RowKind, map[int]any) {
	raw := map[string]any{"_kind": "+I"}
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	must(d.Decode(&raw))
	row := cells{}
	for _, f := range t.Schema.Fields {
		row[f.ID] = decode(f.Type, raw[f.Name])
	}
	kind, err := schema.ParseRowKind(raw[cmp.Or(t.option("rowkind.field"), "_kind")].(string))
	must(err)
	return kind, row
}

// id is the text of some columns of a row.
func (t *Table) id(row cells, names []string) (out string) {
	for _, name := range names {
		out += encode(row[t.Schema.Fields[t.Schema.Index(name)].ID], false) + " "
	}
	return out
}

// Drop removes the partitions with these values, JSON by column name; none removes every row.
func (t *Table) Drop(inside map[string]string) {
	t.versions = slices.DeleteFunc(t.versions, func(v version) bool {
		for name, want := range inside {
			if t.id(v.cells, []string{name}) != want+" " {
				return false
			}
		}
		return true
	})
}

// Overwrite replaces what lies inside the partition values, or if there are
// none the partitions that the rows touch, by the rows. A table without
// partitions is replaced whole.
func (t *Table) Overwrite(inside map[string]string, rows ...string) {
	at := len(t.versions)
	t.Write(rows...)
	added := slices.Clone(t.versions[at:])
	t.versions = t.versions[:at]
	if inside != nil || len(t.Schema.PartitionKeys) == 0 {
		t.Drop(inside)
	}
	t.versions = append(slices.DeleteFunc(t.versions, func(old version) bool {
		return slices.ContainsFunc(added, func(v version) bool { return v.part == old.part })
	}), added...)
}

// Alter goes on with another schema. Types may only change to wider numbers, and
// from integers to text.
func (t *Table) Alter(sc *schema.Table) {
	for _, f := range sc.Fields {
		for _, v := range t.versions {
			if n, ok := v.cells[f.ID].(*big.Rat); ok && f.Type.Kind == schema.VarChar {
				v.cells[f.ID] = n.Num().String()
			}
		}
	}
	t.Schema = sc
}

// Merge replaces the versions of each key that came with the n newest commits
// by one, as flushing (n = 1) or compacting the youngest runs does. All, as
// when n is 0, reach the top level, where deletes are forgotten.
func (t *Table) Merge(n int) error {
	at := slices.IndexFunc(t.versions, func(v version) bool { return n == 0 || v.commit > t.commit-n })
	if at < 0 {
		return nil
	}
	t.alone = n == 0 && (t.option("force-lookup") == "true" || t.option("deletion-vectors.enabled") == "true")
	merged, err := t.mergeAll(t.versions[at:])
	t.alone = false
	if n == 0 {
		merged = slices.DeleteFunc(merged, func(v version) bool { return v.kind.Retracts() })
	}
	t.versions = append(t.versions[:at], merged...)
	return err
}

func (t *Table) mergeAll(versions []version) ([]version, error) {
	groups := map[string][]version{}
	for _, v := range versions {
		groups[v.key] = append(groups[v.key], v)
	}
	var out []version
	for key, group := range groups {
		v, err := t.merge(group)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", key, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// Rows are the rows that a reader sees, by field id, in no order.
func (t *Table) Rows() ([]map[int]any, error) {
	merged, err := t.mergeAll(t.versions)
	var out []map[int]any
	for _, v := range merged {
		if !v.kind.Retracts() {
			out = append(out, v.cells)
		}
	}
	return out, err
}

// Line prints some columns of a row. Lists whose order Paimon leaves open are
// printed sorted, and so are maps and sets.
func (t *Table) Line(row map[int]any, columns []schema.Field) string {
	items := make([]string, len(columns))
	for i, f := range columns {
		fn := t.option("fields." + f.Name + ".aggregate-function")
		items[i] = id(f.Name) + ":" + encode(row[f.ID], f.Type.Kind == schema.Map || strings.HasPrefix(fn, "nested") || slices.Contains(collects, fn))
	}
	return "{" + strings.Join(items, ",") + "}"
}

// Place is the text of a row's partition and of its key.
func (t *Table) Place(row map[int]any) (partition, key string) {
	return t.id(row, t.Schema.PartitionKeys), t.id(row, t.Schema.PrimaryKeys)
}
