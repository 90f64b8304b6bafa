package table_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
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
// the table at the first, give the table at the second: the tables that a full
// start of a stream sees, and the changes that it tells behind.
func (m *metaRun) changesLead(a, b moment) error {
	if b.snapshot == 0 {
		return nil
	}
	overwrites, earlier, err := m.overwrites(a, b)
	if err != nil {
		return err
	}
	o := table.StreamOptions{Mode: table.FromSnapshotFull, Snapshot: a.snapshot, UntilSnapshot: b.snapshot, Overwrites: table.SkipOverwrites}
	if a.snapshot == 0 {
		o.Mode, o.Snapshot = table.FromSnapshot, 1
	}
	producer := m.Config.Options["changelog-producer"]
	if producer == "input" && m.table.Schema().BucketMode() == schema.KeyDynamic {
		return nil // all that a key did within a commit is told, but by bucket
	}
	asWritten := producer == "" || producer == "input"
	if asWritten && (overwrites || m.random.IntN(2) == 0) {
		o.Overwrites = table.DeliverOverwrites
	}
	shares := 1 + m.random.IntN(3)/2
	if overwrites && strings.HasPrefix(m.Config.Options["bucket"], "-") {
		shares = 1 // a key may go from the bucket of one share to that of another, between which there is no order
	}
	all, err := m.streamed(o, shares)
	if err != nil {
		return err
	}
	if m.random.IntN(2) == 0 {
		if err := m.narrowed(o, shares, all); err != nil {
			return err
		}
	}
	if !overwrites {
		if err := m.incremental(a, b, all); err != nil {
			return err
		}
	} else if !asWritten {
		return nil // they are not told
	}
	o.Mode, o.Snapshot = table.FromSnapshotFull, b.snapshot
	after, err := m.streamed(o, shares)
	if err != nil {
		return err
	}
	behind := slices.IndexFunc(all, func(r told) bool { return !r.full })
	if behind < 0 {
		behind = len(all)
	}
	lead := func(changes []told) error {
		if asWritten {
			return m.mergesTo(all[:behind], changes, after)
		}
		return m.appliesTo(all[:behind], changes, after, earlier)
	}
	err = lead(all[behind:])
	if err != nil && m.Table.crosses() { // no order is promised between the buckets that a key went through
		return lead(deletesBefore(all[behind:]))
	}
	return err
}

// deletesBefore are changes with those that retract first in their snapshot.
func deletesBefore(changes []told) []told {
	out := slices.Clone(changes)
	slices.SortStableFunc(out, func(a, b told) int {
		rank := func(r told) int64 {
			if r.kind.Retracts() {
				return 2 * r.at.ID
			}
			return 2*r.at.ID + 1
		}
		return int(rank(a) - rank(b))
	})
	return out
}

// overwrites tells whether there are overwrites between two moments, and before the first.
func (m *metaRun) overwrites(a, b moment) (between, before bool, err error) {
	for s, err := range m.table.Snapshots().All(ctx) {
		if err != nil {
			return false, false, err
		}
		if s.CommitKind == snapshot.Overwrite {
			between = between || s.ID > a.snapshot && s.ID <= b.snapshot
			before = before || s.ID <= a.snapshot
		}
	}
	return between, before, nil
}

// incremental proves that incremental reads tell the changes that streams tell,
// and that what they find different leads from the one table to the other.
func (m *metaRun) incremental(a, b moment, all []told) error {
	mode := table.ChangesChangelog
	if m.Config.Options["changelog-producer"] == "" {
		mode = table.ChangesDelta
	}
	want := toldLines(slices.DeleteFunc(slices.Clone(all), func(r told) bool { return r.full }))
	got, err := diffLines(m.table, between(a.snapshot, b.snapshot, mode))
	if err != nil {
		return err
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("an incremental read (-as the stream +read):\n%s", cmp.Diff(want, got))
	}
	return nil
}

// differencesLead proves that what differs between two moments makes the table
// at the second out of that at the first.
func (m *metaRun) differencesLead(a, b moment) error {
	level := 0
	if m.Config.Options["deletion-vectors.enabled"] == "true" || m.model.Schema.Options["merge-engine"] == "first-row" {
		level = 1 // others are not visible to batch reads
	}
	state, err := m.stateAt(a.snapshot, level)
	if err != nil {
		return err
	}
	want, err := m.stateAt(b.snapshot, level)
	if err != nil {
		return err
	}
	o := between(a.snapshot, b.snapshot, table.ChangesDiff)
	o.BatchRows = m.Config.BatchRows
	changes, err := diffLines(m.table, o)
	if err != nil {
		return err
	}
	come := map[string]bool{}
	for _, change := range changes {
		key, line := m.keyed(change)
		if come[key] {
			return fmt.Errorf("%s comes after the key's new row", change)
		}
		if kindOf(change).Retracts() {
			delete(state, key) // perhaps of a row that never was
		} else {
			come[key], state[key] = true, line
		}
	}
	if d := cmp.Diff(want, state); d != "" {
		return fmt.Errorf("the differences %q make (-there +made):\n%s", changes, d)
	}
	return nil
}

// keyed is the key of a row, and the row as the model prints it.
func (m *metaRun) keyed(row string) (key, line string) {
	cells := m.cells(m.model.Schema.Fields, row)
	_, key = m.model.Place(cells)
	return key, m.model.Line(cells, m.model.Schema.Fields)
}

// fullChangesFit proves that the full changelog which a stream makes between two
// moments fits the table at each step, wherever the stream is broken off.
func (m *metaRun) fullChangesFit(a, b moment) error {
	if p := m.Config.Options["changelog-producer"]; p != "" && p != "input" || m.postponed() || b.snapshot == 0 {
		return nil
	}
	rows := map[string]string{}
	if a.snapshot > 0 {
		var err error
		if rows, err = wholeRows(m.table, a.snapshot); err != nil {
			return err
		}
	}
	o := table.StreamOptions{FullChangelog: true, Snapshot: a.snapshot + 1, UntilSnapshot: b.snapshot,
		BatchRows: 1 + m.random.IntN(8), Overwrites: table.DeliverOverwrites}
	err := fits(m.table, o, rows, func() int64 { return int64(m.random.IntN(12)) })
	if err != nil {
		err = fmt.Errorf("full changelog: %w", err)
	}
	return err
}

// stateAt are the rows of a snapshot on some level and above, by key.
func (m *metaRun) stateAt(id int64, level int) (map[string]string, error) {
	rows := map[string]string{}
	if id == 0 {
		return rows, nil
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
			key, line := m.keyed(string(enc.AppendRow(nil, r)))
			rows[key] = line
		}
	}
	return rows, nil
}

// mergesTo merges rows with changes by the table's engine.
func (m *metaRun) mergesTo(before, changes, after []told) error {
	sc := *m.model.Schema
	sc.PrimaryKeys, sc.Options = slices.Clone(sc.PrimaryKeys), maps.Clone(sc.Options)
	delete(sc.Options, "rowkind.field")  // the delete of a row that moves keeps what it says
	for _, p := range sc.PartitionKeys { // a key that moves is told of in two partitions
		if !slices.Contains(sc.PrimaryKeys, p) {
			sc.PrimaryKeys = append(sc.PrimaryKeys, p)
		}
	}
	columns := slices.DeleteFunc(slices.Clone(sc.Fields), func(f schema.Field) bool { return f.Type.Kind == schema.VarBinary }) // sets are lists to the model
	merged, want := model.New(&sc), model.New(&sc)
	merged.Write(toldLines(before)...)
	all := changes
	for len(changes) > 0 {
		n := slices.IndexFunc(changes, func(r told) bool { return r.at.ID != changes[0].at.ID })
		if n < 0 {
			n = len(changes)
		}
		if changes[0].at.CommitKind == snapshot.Overwrite {
			if err := m.replace(merged, changes[:n], columns); err != nil {
				return err
			}
		} else {
			merged.Write(toldLines(changes[:n])...)
		}
		changes = changes[n:]
	}
	want.Write(toldLines(after)...)
	got, err := merged.Rows()
	if err != nil {
		return err
	}
	rows, err := want.Rows()
	if err != nil {
		return err
	}
	if d := cmp.Diff(modelLines(want, rows, columns...), modelLines(merged, got, columns...)); d != "" {
		return fmt.Errorf("the changes %q make of %q (-there +made):\n%s", toldLines(all), toldLines(before), d)
	}
	return nil
}

// replace does what an overwrite tells: rows go as they are, others come.
func (m *metaRun) replace(t *model.Table, changes []told, columns []schema.Field) error {
	rows, err := t.Rows()
	if err != nil {
		return err
	}
	left := map[string]string{}
	for _, row := range rows {
		_, key := t.Place(row)
		left[key] = t.Line(row, t.Schema.Fields)
	}
	var came []string
	comes := map[string]bool{}
	for _, r := range changes {
		_, row := t.Decode(r.line())
		_, key := t.Place(row)
		if r.kind != schema.Delete || comes[key] {
			came, comes[key] = append(came, r.line()), true
			continue
		}
		if _, there := left[key]; !there && !m.postponed() { // rows that wait go one by one
			return fmt.Errorf("%s is overwritten, and was not there", r.line())
		}
		delete(left, key)
	}
	t.Drop(nil)
	t.Write(slices.Collect(maps.Values(left))...)
	t.Write(came...)
	return nil
}

// appliesTo puts changes in the place of rows. Each must fit what is there,
// but that deletes which an overwrite has put on the top level count as rows.
func (m *metaRun) appliesTo(before, changes, after []told, replaced bool) error {
	ignored := strings.Split(m.Config.Options["changelog-producer.row-deduplicate-ignore-fields"], ",")
	shown := slices.DeleteFunc(slices.Clone(m.model.Schema.Fields), func(f schema.Field) bool { return slices.Contains(ignored, f.Name) })
	split := func(r told) (key, line string) {
		_, cells := m.model.Decode(r.row)
		part, key := m.model.Place(cells)
		return part + key, m.model.Line(cells, shown)
	}
	asMap := func(rows []told) map[string]string {
		out := map[string]string{}
		for _, row := range rows {
			key, line := split(row)
			out[key] = line
		}
		return out
	}
	state := asMap(before)
	for _, change := range changes {
		key, line := split(change)
		old, there := state[key]
		switch {
		case change.kind.Retracts() && (there && old == line || !there && replaced):
			delete(state, key)
		case !change.kind.Retracts() && !there:
			state[key] = line
		default:
			return fmt.Errorf("change %s of %q", change.line(), old)
		}
	}
	if d := cmp.Diff(asMap(after), state); d != "" {
		return fmt.Errorf("the changes %q make of %q (-there +made):\n%s", toldLines(changes), slices.Collect(maps.Values(asMap(before))), d)
	}
	return nil
}

// kindOf is the kind that a change says.
func kindOf(change string) schema.RowKind {
	kind, err := schema.ParseRowKind(strings.Split(change, `"`)[3])
	must(err)
	return kind
}
