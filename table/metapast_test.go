package table_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// moment is the model's table at one snapshot of the engine's.
type moment struct {
	snapshot int64             // 0: the newest, or before the first
	schema   *schema.Table     // of that time
	rows     map[string]string // by key, as model.Table.Place and Line print them
}

// now is the model's table as it is.
func (m *metaRun) now() (moment, error) {
	rows, err := m.model.Rows()
	at := moment{schema: m.model.Schema, rows: make(map[string]string, len(rows))}
	for _, row := range rows {
		_, key := m.model.Place(row)
		at.rows[key] = m.model.Line(row, m.model.Schema.Fields)
	}
	return at, err
}

// remember keeps the model's table for the newest snapshot. A step that made no
// snapshot left the table as it was, or altered its schema only.
func (m *metaRun) remember() error {
	id, err := m.table.Snapshots().LatestID(ctx)
	if err != nil || id == 0 || len(m.past) > 0 && m.past[len(m.past)-1].snapshot == id {
		return err
	}
	at, err := m.now()
	at.snapshot = id
	m.past = append(m.past, at)
	return err
}

// end checks the table and its past.
func (m *metaRun) end() error {
	report, err := m.table.Check(ctx, nil)
	if err != nil || len(report.Problems) > 0 {
		return fmt.Errorf("check: %v, %w", report.Problems, err)
	}
	if err := m.travel(); err != nil || len(m.past) == 0 {
		return err
	}
	past := append([]moment{{schema: m.past[0].schema}}, m.past...)
	for range 3 {
		a := m.random.IntN(len(past) - 1)
		b := a + 1 + m.random.IntN(len(past)-a-1)
		if err := m.between(past[a], past[b]); err != nil {
			return fmt.Errorf("between snapshots %d and %d: %w", past[a].snapshot, past[b].snapshot, err)
		}
	}
	return nil
}

// between checks what holds of any two moments, the earlier first; a may be the
// empty table before the first snapshot.
func (m *metaRun) between(a, b moment) error {
	if a.snapshot > 0 {
		if err := m.get(a); err != nil {
			return err
		}
	}
	if err := m.get(b); err != nil {
		return err
	}
	if err := m.changesLead(a, b); err != nil {
		return err
	}
	if err := m.differencesLead(a, b); err != nil {
		return fmt.Errorf("diff: %w", err)
	}
	return m.fullChangesFit(a, b)
}

// travel reads every snapshot. One that no step ended with is the first of two
// that a step made, or a compaction.
func (m *metaRun) travel() error {
	for s, err := range m.table.Snapshots().All(ctx) {
		if err != nil {
			return err
		}
		i, exact := slices.BinarySearchFunc(m.past, s.ID, func(at moment, id int64) int { return int(at.snapshot - id) })
		if m.hidden() && !exact {
			continue
		}
		if !exact && (i == len(m.past) || i > 0 && s.CommitKind == "COMPACT") {
			i--
		}
		want := slices.Sorted(maps.Values(m.past[i].rows))
		if err := m.same(fmt.Sprintf("snapshot %d", s.ID), table.ScanOptions{Snapshot: s.ID}, want); err != nil {
			return err
		}
	}
	return nil
}
