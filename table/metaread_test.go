package table_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// look compares the newest rows, and at the end more ways to read.
func (m *metaRun) look(last bool) error {
	if m.hidden() {
		if _, err := m.table.Compact(ctx, table.CompactOptions{}); err != nil {
			return err
		}
	}
	if err := m.remember(); err != nil {
		return err
	}
	if !last && m.random.IntN(2) == 0 {
		return nil
	}
	tab, err := m.open()
	if err != nil {
		return err
	}
	m.table = tab
	rows, err := m.model.Rows()
	if err != nil {
		return err
	}
	if err := m.compare("rows", table.ScanOptions{}, rows); err != nil {
		return err
	}
	now, err := m.now()
	if err != nil {
		return err
	}
	if err := m.get(now); err != nil || !last {
		return err
	}
	for range 3 {
		where, keeps := drawFilter(m.random, m.model.Schema)
		kept := slices.DeleteFunc(slices.Clone(rows), func(row map[int]any) bool { return keeps(row) != yes })
		if err := m.compare("WHERE "+where, table.ScanOptions{Where: where}, kept); err != nil {
			return err
		}
		o := table.ScanOptions{Columns: m.someColumns()}
		if m.random.IntN(2) == 0 {
			o.Where = where
		} else {
			kept = rows
		}
		if err := m.compare(fmt.Sprintf("%q WHERE %s", o.Columns, o.Where), o, kept); err != nil {
			return err
		}
	}
	return nil
}

func (m *metaRun) someColumns() []string {
	var names []string
	for _, f := range m.model.Schema.Fields {
		if m.random.IntN(2) == 0 {
			names = append(names, f.Name)
		}
	}
	m.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if names == nil {
		return []string{m.model.Schema.Fields[0].Name}
	}
	return names
}

// lines are rows of the model as sorted text.
func (m *metaRun) lines(rows []map[int]any, fields []schema.Field) []string {
	return modelLines(m.model, rows, fields...)
}

// modelLines are rows of a model as sorted text, of all columns if none are given.
func modelLines(m *model.Table, rows []map[int]any, fields ...schema.Field) []string {
	if fields == nil {
		fields = m.Schema.Fields
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = m.Line(row, fields)
	}
	slices.Sort(out)
	return out
}

// compare scans and counts.
func (m *metaRun) compare(what string, o table.ScanOptions, want []map[int]any) error {
	fields := m.model.Schema.Fields
	if o.Columns != nil {
		fields, _ = m.model.Schema.FieldsByName(o.Columns)
	}
	if err := m.same(what, o, m.lines(want, fields)); err != nil {
		return err
	}
	s, err := m.table.Scan(ctx, o)
	if err != nil {
		return err
	}
	if n, err := s.Count(ctx); err != nil || n != int64(len(want)) {
		return fmt.Errorf("%s: count is %d, %w; want %d", what, n, err, len(want))
	}
	return nil
}

// same scans and compares with lines of the model.
func (m *metaRun) same(what string, o table.ScanOptions, want []string) error {
	o.BatchRows, o.AnyOrder = m.Config.BatchRows, m.random.IntN(2) == 0
	got, err := scanLines(ctx, m.table, o)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s, err := m.table.Scan(ctx, o)
	if err != nil {
		return err
	}
	for i, line := range got {
		got[i] = m.normal(s.Fields(), line)
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" && strings.Join(want, "") != strings.Join(got, "") {
		return fmt.Errorf("%s (-model +engine):\n%s", what, d)
	}
	return nil
}

// normal prints a row of the engine as the model prints its own.
func (m *metaRun) normal(fields []schema.Field, line string) string {
	return m.model.Line(m.cells(fields, line), fields)
}

// cells are a row of the engine as the model has its own.
func (m *metaRun) cells(fields []schema.Field, line string) map[int]any {
	sc := &schema.Table{Fields: fields, Options: maps.Clone(m.model.Schema.Options)}
	delete(sc.Options, "rowkind.field") // which the columns may leave out
	_, row := model.New(sc).Decode(line)
	for _, f := range fields {
		if text, ok := row[f.ID].(string); ok && setFunction(sc.Options, f.Name) != "" {
			row[f.ID] = listed(setFunction(sc.Options, f.Name), text)
		}
	}
	return row
}
