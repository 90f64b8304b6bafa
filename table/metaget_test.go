package table_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// get asks for keys that were written at some time, and for prefixes of them.
func (m *metaRun) get(at moment) error {
	look, err := m.table.NewLookup(ctx, table.LookupOptions{Dir: m.dir, Snapshot: at.snapshot})
	if err != nil {
		return err
	}
	var keys []string
	for _, s := range m.Steps {
		for _, row := range s.Rows {
			keys = append(keys, keyText(row, look.KeyFields()))
		}
	}
	m.random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	if keys = keys[:min(len(keys), 30)]; len(keys) > 0 {
		err = errors.Join(m.getKeys(look, keys, at), m.getPrefix(look, keys[0], at))
	}
	return errors.Join(err, look.Close())
}

// keyText is what a row has in some columns.
func keyText(row string, fields []schema.Field) string {
	var cells map[string]json.RawMessage
	must(json.Unmarshal([]byte(row), &cells))
	maps.DeleteFunc(cells, func(name string, _ json.RawMessage) bool {
		return !slices.ContainsFunc(fields, func(f schema.Field) bool { return f.Name == name })
	})
	text, err := json.Marshal(cells)
	must(err)
	return string(text)
}

func (m *metaRun) getKeys(look *table.Lookup, keys []string, at moment) error {
	rec, _, err := m.batch(look.KeyFields(), keys...)
	if err != nil {
		return err
	}
	defer rec.Release()
	found, err := look.GetBatch(ctx, rec)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	defer found.Release()
	lines, err := m.linesOf(look, found.Batch)
	if err != nil {
		return err
	}
	keyed := model.New(&schema.Table{Fields: look.KeyFields(), PrimaryKeys: at.schema.PrimaryKeys})
	for i, row := range found.At {
		got := ""
		if row >= 0 {
			got = lines[row]
		}
		_, cells := keyed.Decode(keys[i])
		if _, key := keyed.Place(cells); got != at.rows[key] {
			return fmt.Errorf("get %s at %d: %s, want %s", keys[i], at.snapshot, got, at.rows[key])
		}
	}
	return nil
}

// getPrefix asks for the rows of the first columns of a key, in its partition or in all.
func (m *metaRun) getPrefix(look *table.Lookup, key string, at moment) error {
	fields := at.schema.KeyFields()
	fields = fields[:1+m.random.IntN(len(fields))]
	if m.random.IntN(2) == 0 && !m.Table.crosses() {
		fields = slices.Concat(at.schema.PartitionFields(), fields)
	}
	then := model.New(at.schema)
	prefix := func(line string) string {
		_, cells := model.New(&schema.Table{Fields: fields}).Decode(keyText(line, fields))
		return then.Line(cells, fields)
	}
	var want, got []string
	for _, line := range at.rows {
		if prefix(line) == prefix(key) {
			want = append(want, line)
		}
	}
	var values map[string]json.RawMessage
	must(json.Unmarshal([]byte(keyText(key, fields)), &values))
	given := map[string]string{}
	for name, text := range values {
		given[name] = string(text)
	}
	for rec, err := range look.GetPrefix(ctx, m.row(given)) {
		if err != nil {
			return fmt.Errorf("prefix %s: %w", prefix(key), err)
		}
		lines, err := m.linesOf(look, rec)
		if err != nil {
			return err
		}
		got = append(got, lines...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if strings.Join(want, "\n") != strings.Join(got, "\n") {
		return fmt.Errorf("prefix %s at %d (-model +engine):\n%s", prefix(key), at.snapshot, cmp.Diff(want, got))
	}
	return nil
}

// linesOf are the rows of a batch as the model prints them.
func (m *metaRun) linesOf(look *table.Lookup, rec arrow.RecordBatch) ([]string, error) {
	enc, err := rowjson.NewEncoder(look.Fields())
	if err != nil {
		return nil, err
	}
	if err := enc.Bind(rec); err != nil {
		return nil, err
	}
	out := make([]string, rec.NumRows())
	for i := range out {
		out[i] = m.normal(look.Fields(), string(enc.AppendRow(nil, i)))
	}
	return out, nil
}
