package table

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// statisticsTable shows what an ANALYZE found out, if the snapshot has it.
var statisticsTable = metaTable{
	travels: true,
	columns: []string{"snapshot_id BIGINT NOT NULL", "schema_id BIGINT NOT NULL", "mergedRecordCount BIGINT", "mergedRecordSize BIGINT", "colstat STRING"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			at := r.scan.snapshot
			if at == nil || at.Statistics == "" {
				return
			}
			row, err := r.statistics(ctx, at.Statistics)
			yield(row, err)
		}
	},
}

func (r *metaRead) statistics(ctx context.Context, file string) ([]any, error) {
	key := path.Join("statistics", file)
	data, err := r.store.ReadAll(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	var s struct {
		SnapshotID        int64           `json:"snapshotId"`
		SchemaID          int64           `json:"schemaId"`
		MergedRecordCount *int64          `json:"mergedRecordCount"`
		MergedRecordSize  *int64          `json:"mergedRecordSize"`
		Columns           json.RawMessage `json:"colStats"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fault.Corrupt(key, "statistics", err)
	}
	columns, err := columnStatistics(s.Columns)
	if err != nil {
		return nil, fault.Corrupt(key, "statistics of columns", err)
	}
	return []any{s.SnapshotID, s.SchemaID, orNull(s.MergedRecordCount), orNull(s.MergedRecordSize), columns}, nil
}

// columnStatistics lays the statistics of columns out as Paimon does, in the
// order of the file.
func columnStatistics(raw json.RawMessage) (any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.Join(errors.New("they are no object"), err)
	}
	var columns []string
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var c struct {
			ID       json.Number `json:"colId"`
			Distinct json.Number `json:"distinctCount,omitempty"`
			Min      *string     `json:"min,omitempty"`
			Max      *string     `json:"max,omitempty"`
			Nulls    json.Number `json:"nullCount,omitempty"`
			AvgLen   json.Number `json:"avgLen,omitempty"`
			MaxLen   json.Number `json:"maxLen,omitempty"`
		}
		if err := dec.Decode(&c); err != nil {
			return nil, err
		}
		text, err := indented(c)
		if err != nil {
			return nil, err
		}
		title, err := indented(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, "\n  "+title+" : "+text)
	}
	if len(columns) == 0 {
		return "{ }", nil
	}
	return "{" + strings.Join(columns, ",") + "\n}", nil
}

// indented prints a value as Java's pretty printer does, one level deep.
func indented(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("  ", "  ")
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for i, line := range lines {
		// A name holds no quote here: the members are those of a struct.
		if before, after, ok := strings.Cut(line, `": `); ok && strings.HasPrefix(line, "    \"") {
			lines[i] = before + `" : ` + after
		}
	}
	return strings.Join(lines, "\n"), nil
}
