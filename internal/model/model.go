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
	arrived  int64
	commit   int
	versions []version // in order of arrival
	alone    bool      // single versions are merged now
}

// version is one row as it was written, or several merged into one.
type version struct {
	kind      schema.RowKind
	seq       int64
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
	if names == "" {
		return nil
	}
	out, err := t.Schema.FieldsByName(strings.Split(names, ","))
	must(err)
	return out
}

// Write commits rows, each a JSON object whose member "_kind" may hold its kind.
func (t *Table) Write(rows ...string) {
	t.commit++
	for _, line := range rows {
		t.arrived++
		kind, row := t.Decode(line)
		part, key := t.Place(row)
		v := version{kind, t.arrived, t.commit, part, key, row}
		if !(kind.Retracts() && t.option("ignore-delete") == "true" || kind == schema.UpdateBefore && t.option("ignore-update-before") == "true") {
			t.versions = append(t.versions, v)
		}
	}
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
		f := t.Schema.Fields[t.Schema.Index(name)]
		out += encode(f.Type, row[f.ID], false) + " "
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
	old := t.versions
	t.versions = nil
	t.Write(rows...)
	added := t.versions
	t.versions = old
	if inside != nil || len(t.Schema.PartitionKeys) == 0 {
		t.Drop(inside)
	}
	for _, v := range added {
		t.versions = slices.DeleteFunc(t.versions, func(o version) bool { return o.part == v.part })
	}
	t.versions = append(t.versions, added...)
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
// printed sorted, and so are maps.
func (t *Table) Line(row map[int]any, columns []schema.Field) string {
	items := make([]string, len(columns))
	for i, f := range columns {
		fn := t.option("fields." + f.Name + ".aggregate-function")
		items[i] = id(f.Name) + ":" + encode(f.Type, row[f.ID], fn == "collect" || strings.HasPrefix(fn, "nested"))
	}
	return "{" + strings.Join(items, ",") + "}"
}

// Place is the text of a row's partition and of its whole key.
func (t *Table) Place(row map[int]any) (partition, key string) {
	partition = t.id(row, t.Schema.PartitionKeys)
	return partition, partition + t.id(row, t.Schema.PrimaryKeys)
}
