//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/table"
)

// metadata are the system tables of what a table knows of itself.
var metadata = []string{"snapshots", "schemas", "options", "files", "manifests", "partitions", "buckets", "tags", "branches", "consumers",
	"aggregation_fields", "statistics", "table_indexes"}

// TestSystemTablesAreJavas gives a table everything that system tables tell of.
func TestSystemTablesAreJavas(t *testing.T) {
	each(t, run.java, 30, func(w *world) {
		w.filled(w.half())
		if w.latest() == 0 {
			return // nothing to tag
		}
		w.javaRuns("tag", "create", "--name", "first")
		w.perform(w.half(), w.step())
		w.javaRuns("branch", "create", "--name", "b", "--tag", "first")
		w.javaRuns("branch", "create", "--name", "blank")
		w.javaRuns("consumer", "--name", "reader", "--next", "2")
		w.javaRuns("alter", "--add", "later INT", "--set", "snapshot.num-retained.max=99")
		w.systemTables()
		w.id.Branch = "b"
		w.systemTables()
	})
}

// systemTables compares every one of Java's system tables with this library's.
func (w *world) systemTables() {
	w.t.Helper()
	for _, name := range metadata {
		if name == "partitions" && w.partitioned("TIMESTAMP") {
			continue // Java cannot list these
		}
		w.sameSystemTable(name)
	}
}

func (w *world) sameSystemTable(name string) {
	w.t.Helper()
	want, err := w.java.run(w.id.String()+"$"+name, "scan", "--unsorted")
	w.must(err)
	got := w.system(name, table.ScanOptions{})
	for i := range want {
		want[i] = w.settledRow(want[i])
	}
	for i := range got {
		got[i] = w.settledRow(got[i])
	}
	if name == "snapshots" || name == "manifests" || name == "table_indexes" { // the others come out of Java's hash tables
		w.sameOrder(name, want, got)
	}
	w.same("$"+name, "java", sorted(want), "go", sorted(got))
}

// sameOrder tells that rows are the same, but not in the same order.
func (w *world) sameOrder(name string, want, got []string) {
	w.t.Helper()
	if !slices.Equal(want, got) && slices.Equal(sorted(slices.Clone(want)), sorted(slices.Clone(got))) {
		w.t.Errorf("$%s: the rows come in another order\njava\t%s\ngo\t%s", name, strings.Join(want, "\n\t"), strings.Join(got, "\n\t"))
	}
}

// system reads a system table as lines.
func (w *world) system(name string, o table.ScanOptions) []string {
	w.t.Helper()
	ctx := context.Background()
	s, err := w.open().System(ctx, name, o)
	w.must(err)
	return w.lines(s.Fields(), s.Batches(ctx))
}

var (
	madeAt    = regexp.MustCompile(`("create_time":"[^"]*\.\d{3})\d*"`)
	floating  = regexp.MustCompile(`-?\d+\.\d+(E-?\d+)?`)
	keyBounds = regexp.MustCompile(`"m(in|ax)_key":"\[.*?\]",`)
)

// settledRow takes out of a row what hash tables put in an order, and what
// Java before 19 prints in more digits than it takes, or as an address.
func (w *world) settledRow(row string) string {
	w.t.Helper()
	if w.keyed("BINARY") || w.keyed("VARBINARY") || w.keyed("BYTES") {
		row = keyBounds.ReplaceAllString(row, "")
	}
	row = madeAt.ReplaceAllString(row, `$1"`) // Java's column of three digits holds all that were stored
	row = floating.ReplaceAllStringFunc(row, func(text string) string {
		v, err := strconv.ParseFloat(text, 64)
		w.must(err)
		return literal.JavaFloat(v, 64)
	})
	var m map[string]any
	w.must(json.Unmarshal([]byte(row), &m))
	if text, ok := m["options"].(string); ok {
		var o map[string]any
		w.must(json.Unmarshal([]byte(text), &o))
		m["options"] = o
	}
	for _, key := range []string{"function", "function_options"} {
		if text, ok := m[key].(string); ok {
			m[key] = sorted(strings.Split(strings.Trim(text, "[]"), ", "))
		}
	}
	out, err := json.Marshal(m)
	w.must(err)
	return string(out)
}

// keyed tells whether a key column has a type.
func (w *world) keyed(typ string) bool {
	return slices.ContainsFunc(w.rand.keys, func(k string) bool { return strings.HasPrefix(w.column(k).typ, typ) })
}

// partitioned tells whether a partition column has a type.
func (w *world) partitioned(typ string) bool {
	return slices.ContainsFunc(w.rand.parts, func(p string) bool { return strings.HasPrefix(w.column(p).typ, typ) })
}
