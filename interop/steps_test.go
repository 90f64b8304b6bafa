//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tidelake/tidelake/table"
)

// step is one thing done to a table, by either side.
type step struct {
	kind   string
	lines  []string          // rows as JSON
	inside map[string]string // partition values as JSON, of overwrite and drop partition
}

// step draws one, mostly writes.
func (w *world) step() step {
	r, moves := w.rand.r, w.rand.moves() // overwrites are refused where keys move between partitions
	switch r.IntN(10) {
	case 0:
		return step{kind: "compact"}
	case 1:
		if moves {
			break
		}
		return step{kind: "overwrite", lines: w.rand.batch(nil)} // what the rows touch, or all
	case 2:
		if inside := w.partition(); inside != nil && !moves {
			return step{kind: "overwrite partition", lines: w.rand.batch(inside), inside: inside}
		}
	case 3:
		if inside := w.partition(); inside != nil {
			return step{kind: "drop partition", inside: inside}
		}
		return step{kind: "truncate"}
	}
	return step{kind: "write", lines: w.rand.batch(nil)}
}

// partition is a value for one or all partition columns, nil without any.
func (w *world) partition() map[string]string {
	r, parts := w.rand.r, w.rand.parts
	if len(parts) == 0 {
		return nil
	}
	inside := make(map[string]string)
	for _, p := range parts[:1+r.IntN(len(parts))] {
		c := w.column(p)
		// Paimon's own commands take the empty text of a partition for null.
		for inside[p] == "" || strings.TrimSpace(strings.Trim(inside[p], `"`)) == "" {
			inside[p] = c.value(r)
		}
	}
	return inside
}

func (w *world) column(name string) randomColumn {
	i := slices.IndexFunc(w.rand.columns, func(c randomColumn) bool { return c.name == name })
	return w.rand.columns[i]
}

func (w *world) perform(byGo bool, s step) {
	w.t.Helper()
	if s.kind == "compact" {
		w.compact(byGo, true)
		return
	}
	if s.kind == "write" {
		w.write(byGo, s.lines)
		return
	}
	if !byGo {
		w.javaReplaces(s)
		return
	}
	ctx := context.Background()
	c, err := w.open().NewCommitter(ctx, "")
	w.must(err)
	switch s.kind {
	case "truncate":
		w.must(c.Truncate(ctx, 1))
	case "drop partition":
		w.must(c.DropPartitions(ctx, 1, w.goRow(s.inside)))
	default:
		out, msgs := w.prepare(s.lines, true)
		defer func() { w.must(out.Close()) }()
		w.must(c.Overwrite(ctx, 1, w.goRow(s.inside), msgs))
	}
}

func (w *world) javaReplaces(s step) {
	w.t.Helper()
	var parts []string
	for _, name := range w.rand.parts {
		if text, ok := s.inside[name]; ok {
			var v any
			w.must(json.Unmarshal([]byte(text), &v))
			if s, ok := v.(string); ok {
				text = s
			}
			if strings.HasPrefix(w.column(name).typ, "TIMESTAMP") {
				text = strings.TrimSuffix(strings.Replace(text, "T", " ", 1), "Z")
			}
			parts = append(parts, name+"="+text)
		}
	}
	spec := strings.Join(parts, ",")
	switch s.kind {
	case "truncate":
		w.javaRuns("truncate")
	case "drop partition":
		w.javaRuns("drop-partition", "--partition", spec)
	case "overwrite":
		w.javaRuns("overwrite", "--input", w.file(s.lines))
	default:
		w.javaRuns("overwrite", "--input", w.file(s.lines), "--partition", spec, "--options", "dynamic-partition-overwrite=false")
	}
}

// goRow turns JSON values into the Go values that a Row takes; nil stays nil.
func (w *world) goRow(cells map[string]string) table.Row {
	w.t.Helper()
	if cells == nil {
		return nil
	}
	row := make(table.Row, len(cells))
	for name, text := range cells {
		var v any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		w.must(d.Decode(&v))
		switch x := v.(type) {
		case json.Number:
			n, err := x.Int64()
			w.must(err)
			v = n
		case string:
			switch typ := w.column(name).typ; {
			case typ == "DATE":
				at, err := time.Parse(time.DateOnly, x)
				w.must(err)
				v = at
			case strings.HasPrefix(typ, "TIMESTAMP"):
				at, err := time.Parse("2006-01-02T15:04:05.999999999", strings.TrimSuffix(x, "Z"))
				w.must(err)
				v = at
			}
		}
		row[name] = v
	}
	return row
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// members splits a JSON object into the texts of its members.
func members(w *world, line string) map[string]string {
	w.t.Helper()
	var raw map[string]json.RawMessage
	w.must(json.Unmarshal([]byte(line), &raw))
	out := make(map[string]string, len(raw))
	for k, v := range raw {
		out[k] = string(v)
	}
	return out
}
