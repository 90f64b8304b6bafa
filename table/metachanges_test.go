package table_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// drawProducer draws a producer of changelogs, of which no result may depend.
func drawProducer(m metaTable, maybe func(odds int, key string, values ...string), options map[string]string) {
	producers := []string{"input", "lookup", "lookup", "full-compaction"}
	switch {
	case m.Options["merge-engine"] == "first-row":
		producers = []string{"lookup"}
	case options["deletion-vectors.enabled"] == "true":
		producers = producers[:3]
	}
	maybe(2, "changelog-producer", producers...)
	switch options["changelog-producer"] {
	case "":
		return
	case "lookup":
		maybe(4, "lookup-wait", "false")
		if m.Options["merge-engine"] != "first-row" && options["deletion-vectors.enabled"] == "" {
			maybe(4, "lookup-compact", "gentle") // elsewhere rows would be hidden for long
		}
	}
	maybe(4, "changelog-producer.row-deduplicate", "true")
	if options["changelog-producer.row-deduplicate"] == "true" && len(m.Columns) > 1 {
		maybe(2, "changelog-producer.row-deduplicate-ignore-fields", m.Columns[len(m.Columns)-1].Name)
	}
	maybe(4, "changelog-file.prefix", "told-")
	maybe(4, "changelog-file.stats-mode", "none", "counts")
}

// changesLead proves that the changes from one moment to a later one, applied to
// the table at the first, give the table at the second.
func (m *metaRun) changesLead(a, b moment) error {
	producer := m.Config.Options["changelog-producer"]
	if m.postponed() && producer == "" || b.snapshot == 0 {
		return nil // rows that wait are no part of the table yet
	}
	replaced := false
	for s, err := range m.table.Snapshots().All(ctx) {
		if err != nil {
			return err
		}
		overwrites := s.CommitKind == "OVERWRITE" && s.ID <= b.snapshot
		if overwrites && s.ID > a.snapshot {
			return nil // which is not told
		}
		replaced = replaced || overwrites
	}
	level := 0
	switch producer {
	case "lookup":
		level = 1
	case "full-compaction":
		level = table.TopLevel(m.table)
	}
	before, err := m.stateAt(a.snapshot, level)
	if err != nil {
		return err
	}
	after, err := m.stateAt(b.snapshot, level)
	if err != nil {
		return err
	}
	changes, err := m.changesBetween(a.snapshot, b.snapshot)
	if err != nil {
		return err
	}
	if level == 0 {
		return m.mergesTo(before, changes, after)
	}
	return m.appliesTo(before, changes, after, replaced)
}

// stateAt are the rows of a snapshot on some level and above, as JSON.
func (m *metaRun) stateAt(id int64, level int) (rows []string, err error) {
	if id == 0 {
		return nil, nil
	}
	enc, err := rowjson.NewEncoder(m.table.Schema().Fields)
	if err != nil {
		return nil, err
	}
	for rec, err := range table.RowsAbove(ctx, m.table, id, level) {
		if err == nil {
			err = enc.Bind(rec)
		}
		if err != nil {
			return nil, err
		}
		for r := range int(rec.NumRows()) {
			rows = append(rows, string(enc.AppendRow(nil, r)))
		}
	}
	return rows, nil
}

// changesBetween are the changes after one snapshot up to another, as JSON with "_kind".
func (m *metaRun) changesBetween(a, b int64) (rows []string, err error) {
	fields := m.table.Schema().Fields
	enc, err := rowjson.NewEncoder(fields)
	if err != nil {
		return nil, err
	}
	as, err := schema.ArrowSchema(fields)
	if err != nil {
		return nil, err
	}
	for id := a + 1; id <= b; id++ {
		for rec, err := range table.StoredChanges(ctx, m.table, id) {
			if err != nil {
				return nil, err
			}
			kinds := rec.Column(0).(*array.Int8)
			values := array.NewRecordBatch(as, rec.Columns()[4:], rec.NumRows())
			err = enc.Bind(values)
			for r := 0; err == nil && r < int(rec.NumRows()); r++ {
				rows = append(rows, `{"_kind":"`+schema.RowKind(kinds.Value(r)).String()+`",`+string(enc.AppendRow(nil, r))[1:])
			}
			values.Release()
			if err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// mergesTo merges rows with changes by the table's engine.
func (m *metaRun) mergesTo(before, changes, after []string) error {
	sc := *m.model.Schema
	sc.PrimaryKeys = slices.Clone(sc.PrimaryKeys)
	for _, p := range sc.PartitionKeys { // a key that moves is told of in two partitions
		if !slices.Contains(sc.PrimaryKeys, p) {
			sc.PrimaryKeys = append(sc.PrimaryKeys, p)
		}
	}
	merged, want := model.New(&sc), model.New(&sc)
	merged.Write(before...)
	merged.Write(changes...)
	want.Write(after...)
	got, err := merged.Rows()
	if err != nil {
		return err
	}
	rows, err := want.Rows()
	if err != nil {
		return err
	}
	columns := slices.DeleteFunc(slices.Clone(sc.Fields), func(f schema.Field) bool { return f.Type.Kind == schema.VarBinary }) // sets are lists to the model
	if d := cmp.Diff(modelLines(want, rows, columns...), modelLines(merged, got, columns...)); d != "" {
		return fmt.Errorf("the changes %q make of %q (-there +made):\n%s", changes, before, d)
	}
	return nil
}

// appliesTo puts changes in the place of rows. Each must fit what is there,
// but that deletes which an overwrite has put on the top level count as rows.
func (m *metaRun) appliesTo(before, changes, after []string, replaced bool) error {
	ignored := strings.Split(m.Config.Options["changelog-producer.row-deduplicate-ignore-fields"], ",")
	shown := slices.DeleteFunc(slices.Clone(m.model.Schema.Fields), func(f schema.Field) bool { return slices.Contains(ignored, f.Name) })
	split := func(row string) (kind schema.RowKind, key, line string) {
		kind, cells := m.model.Decode(row)
		part, key := m.model.Place(cells)
		return kind, part + key, m.model.Line(cells, shown)
	}
	asMap := func(rows []string) map[string]string {
		out := map[string]string{}
		for _, row := range rows {
			_, key, line := split(row)
			out[key] = line
		}
		return out
	}
	state := asMap(before)
	for _, change := range changes {
		kind, key, line := split(change)
		if m.model.Schema.Options["rowkind.field"] != "" {
			kind = kindOf(change)
		}
		old, there := state[key]
		switch {
		case kind.Retracts() && (there && old == line || !there && replaced):
			delete(state, key)
		case !kind.Retracts() && !there:
			state[key] = line
		default:
			return fmt.Errorf("change %s of %q", change, old)
		}
	}
	if d := cmp.Diff(asMap(after), state); d != "" {
		return fmt.Errorf("the changes %q make of %q (-there +made):\n%s", changes, slices.Collect(maps.Values(asMap(before))), d)
	}
	return nil
}

// kindOf is the kind that a change says itself.
func kindOf(change string) schema.RowKind {
	kind, err := schema.ParseRowKind(strings.Split(change, `"`)[3])
	if err != nil {
		panic(err)
	}
	return kind
}
