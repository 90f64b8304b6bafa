//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// TestFiltersAgree asks both sides the same questions, and for some columns.
func TestFiltersAgree(t *testing.T) {
	each(t, run.java, 20, func(w *world) {
		w.filled(w.half())
		if w.half() {
			w.write(w.half(), w.rand.batch(nil))
		}
		for range 8 {
			w.ask(w.question(2))
		}
		if w.rand.has("remove-record-on-sequence-group") {
			return // Java removes no row there unless the group's columns are asked for
		}
		for range 2 {
			some := w.someColumns()
			w.agree("columns "+strings.Join(some, ","), table.ScanOptions{Columns: some}, "--projection", strings.Join(some, ","))
		}
	})
}

// ask compares the rows of a filter, the same with a projection, and a count.
func (w *world) ask(q question) {
	w.t.Helper()
	want := w.agree(q.text, table.ScanOptions{Where: q.text}, "--filter", q.json)
	some := w.someColumns()
	lines := make([]string, len(want))
	for i, line := range want {
		row, cells := members(w, line), make([]string, len(some))
		for k, name := range some {
			cells[k] = plain(name) + ":" + row[name]
		}
		lines[i] = "{" + strings.Join(cells, ",") + "}"
	}
	w.same(strings.Join(some, ",")+" where "+q.text, "java", sorted(lines), "go", w.rows(table.ScanOptions{Where: q.text, Columns: some}))
	s, err := w.open().Scan(context.Background(), table.ScanOptions{Where: q.text})
	w.must(err)
	n, err := s.Count(context.Background())
	w.must(err)
	if n != int64(len(want)) {
		w.t.Errorf("count where %s: %d, want %d", q.text, n, len(want))
	}
}

// plain is a JSON string as both sides print it.
func plain(s string) string { return `"` + s + `"` }

func (w *world) someColumns() []string {
	r := w.rand.r
	var names []string
	for _, i := range r.Perm(len(w.rand.columns))[:1+r.IntN(len(w.rand.columns))] {
		names = append(names, w.rand.columns[i].name)
	}
	return names
}

// question is one filter in the words of each side.
type question struct{ text, json string }

// question draws a filter, with conjunctions and disjunctions to a depth.
func (w *world) question(depth int) question {
	r := w.rand.r
	if depth == 0 || r.IntN(2) == 0 {
		return w.comparison()
	}
	word := pick(r, "and", "or")
	texts, jsons := make([]string, 2+r.IntN(2)), []string{quoted(word)}
	for i := range texts {
		q := w.question(depth - 1)
		texts[i], jsons = "("+q.text+")", append(jsons, q.json)
	}
	return question{strings.Join(texts, " "+word+" "), "[" + strings.Join(jsons, ",") + "]"}
}

func (w *world) comparison() question {
	r := w.rand.r
	c := pick(r, w.rand.columns...)
	operators := []string{"is null", "is not null"}
	text := strings.HasPrefix(c.typ, "STRING") || strings.HasPrefix(c.typ, "VARCHAR")
	if !nested(c.typ) {
		operators = append(operators, "=", "!=", "in", "not in")
		if !binary(c.typ) {
			operators = append(operators, "<", "<=", ">", ">=", "between")
		}
	}
	if text {
		operators = append(operators, "startswith", "startswith")
	}
	op := pick(r, operators...)
	values := make([]string, map[string]int{"in": 1 + r.IntN(4), "not in": 1 + r.IntN(4), "between": 2, "is null": 0, "is not null": 0}[op])
	if len(values) == 0 && !strings.HasPrefix(op, "is ") {
		values = make([]string, 1)
	}
	for i := range values {
		values[i] = c.value(r)
		if seen := w.rand.seen[c.name]; len(seen) > 0 && r.IntN(4) > 0 {
			values[i] = pick(r, seen...)
		}
	}
	if op == "startswith" {
		values[0] = w.prefix(values[0])
	}
	jsons := append([]string{quoted(c.name), quoted(op)}, values...)
	return question{c.ours(op, values), "[" + strings.Join(jsons, ",") + "]"}
}

// prefix is the beginning of a text.
func (w *world) prefix(text string) string {
	var s string
	w.must(json.Unmarshal([]byte(text), &s))
	runes := []rune(s)
	return quoted(string(runes[:min(len(runes), 1+w.rand.r.IntN(3))]))
}

// ours is a comparison in the grammar of package predicate.
func (c randomColumn) ours(op string, values []string) string {
	name := "`" + c.name + "`"
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = v
		var s string
		if json.Unmarshal([]byte(v), &s) == nil {
			texts[i] = "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
	}
	switch op {
	case "is null", "is not null":
		return name + " " + op
	case "in", "not in":
		return name + " " + op + " (" + strings.Join(texts, ", ") + ")"
	case "between":
		return name + " between " + texts[0] + " and " + texts[1]
	case "startswith":
		return "startswith(" + name + ", " + texts[0] + ")"
	}
	return name + " " + op + " " + texts[0]
}

func nested(typ string) bool { return strings.Contains(typ, "<") }

// binary columns are compared by signed bytes in Java's filters, though its
// files are sorted by unsigned ones: only equality means the same here.
func binary(typ string) bool {
	return strings.HasPrefix(typ, "BYTES") || strings.Contains(typ, "BINARY")
}
