package table_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

var ctx = context.Background()

// keyed is the table most tests use: key k, value v, one bucket.
const keyed = `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}]
primary-key: [k]
options: {bucket: 1, write-only: true, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`

// define makes a schema of YAML, with options "key=value" added.
func define(t testing.TB, yaml string, options ...string) *schema.Table {
	t.Helper()
	def, err := schema.ParseDefinition([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	if def.Options == nil {
		def.Options = map[string]string{}
	}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		def.Options[key] = value
	}
	sc, err := def.Table(1)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// world are components that a test decides: an own clock, short names, no
// waits, an allocator whose every byte must come back.
func world(t testing.TB) (table.Components, *memory.CheckedAllocator) {
	alloc := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { alloc.AssertSize(t, 0) })
	var ids, now atomic.Int64
	now.Store(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).UnixMilli())
	seed := nextSeed.Add(1)
	return table.Components{
		Clock: func() time.Time { return time.UnixMilli(now.Add(1)) },
		NewID: func() string { return fmt.Sprintf("%d-%06d", seed, ids.Add(1)) },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Alloc: alloc,
	}, alloc
}

var nextSeed atomic.Int64 // several processes of one test must not name files alike

// create makes a table in st and opens it.
func create(t testing.TB, st store.Store, yaml string, options ...string) *table.Table {
	t.Helper()
	if err := table.Create(ctx, st, define(t, yaml, options...)); err != nil {
		t.Fatal(err)
	}
	return reopen(t, st)
}

// reopen opens the table in st as a new process would.
func reopen(t testing.TB, st store.Store) *table.Table {
	t.Helper()
	w, _ := world(t)
	return reopenIn(t, st, w)
}

func reopenIn(t testing.TB, st store.Store, w table.Components) *table.Table {
	t.Helper()
	tab, err := table.Open(ctx, st, "db.t", table.Settings{}, w)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func newWriter(t testing.TB, tab *table.Table, user string) *table.Writer {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{User: user})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Log("close:", err)
		}
	})
	return w
}

// batch turns JSON rows into a batch with kinds. The caller releases it.
func batch(t testing.TB, fields []schema.Field, mem memory.Allocator, rows ...string) (arrow.RecordBatch, []int8) {
	t.Helper()
	open := slices.Clone(fields)
	for i := range open {
		open[i].Type = loosened(open[i].Type)
	}
	d, err := rowjson.NewDecoder(open, rowjson.Options{Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := d.Row([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	return d.Flush()
}

// loosened is a type that takes null at every level but as the key of a map.
func loosened(t schema.Type) schema.Type {
	t.Nullable = true
	if t.Elem != nil && t.Kind != schema.Multiset {
		e := loosened(*t.Elem)
		t.Elem = &e
	}
	t.Fields = slices.Clone(t.Fields)
	for i := range t.Fields {
		t.Fields[i].Type = loosened(t.Fields[i].Type)
	}
	return t
}

// write adds JSON rows; an error is returned.
func write(t testing.TB, w *table.Writer, tab *table.Table, rows ...string) error {
	t.Helper()
	if len(rows) == 0 {
		return nil
	}
	rec, kinds := batch(t, tab.Schema().Fields, memory.DefaultAllocator, rows...)
	defer rec.Release()
	return w.WriteKinds(ctx, rec, kinds)
}

// commit writes JSON rows as one commit of a writer.
func commit(t testing.TB, w *table.Writer, tab *table.Table, rows ...string) {
	t.Helper()
	if err := write(t, w, tab, rows...); err != nil {
		t.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
}

// load commits JSON rows by a writer of their own.
func load(t testing.TB, tab *table.Table, rows ...string) {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	commit(t, w, tab, rows...)
}

// lines are the sorted rows of a scan.
func lines(t testing.TB, tab *table.Table, o table.ScanOptions) []string {
	t.Helper()
	got, err := scanLines(ctx, tab, o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func expect(t testing.TB, tab *table.Table, o table.ScanOptions, want ...string) {
	t.Helper()
	slices.Sort(want)
	if d := cmp.Diff(want, lines(t, tab, o)); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// sound proves that Check finds nothing.
func sound(t testing.TB, tab *table.Table) {
	t.Helper()
	report, err := tab.Check(ctx, nil)
	if err != nil {
		t.Error(err)
	}
	for _, p := range report.Problems {
		t.Error(p)
	}
}

// dataFiles are the data files in the store.
func dataFiles(t testing.TB, st store.Store) []string {
	return slices.DeleteFunc(storetest.Tree(t, st, ""), func(key string) bool { return !strings.Contains(key, "bucket-") || strings.HasSuffix(key, "/") })
}

// orphans are data files, and those of changelogs, that no live snapshot names.
func orphans(t testing.TB, st store.Store, tab *table.Table) []string {
	t.Helper()
	live := map[string]bool{}
	for s, err := range tab.Snapshots().All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for f, err := range tab.Files(ctx, s.ID) {
			if err != nil {
				t.Fatal(err)
			}
			live[f.Path] = true
		}
		changes, err := table.ChangelogPaths(ctx, tab, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range changes {
			live[path] = true
		}
	}
	return slices.DeleteFunc(dataFiles(t, st), func(key string) bool { return live[key] })
}

// failsWith proves that err is of a class and that its text holds the parts.
func failsWith(t testing.TB, err, class error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %v with %q", class, parts)
		return
	}
	if class != nil && !isClass(err, class) {
		t.Errorf("not %v: %v", class, err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("does not say %q: %v", p, err)
		}
	}
}
