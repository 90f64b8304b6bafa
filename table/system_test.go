package table_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// systemLines are the rows of a system table in the order in which they come.
func systemLines(t testing.TB, tab *table.Table, name string, o table.ScanOptions) []string {
	t.Helper()
	s, err := tab.System(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rec, err := range s.Batches(ctx) {
		if err == nil {
			err = enc.Bind(rec)
		}
		if err != nil {
			t.Fatal(err)
		}
		if !rec.Schema().Equal(s.Schema()) {
			t.Fatalf("a batch of %v, said %v", rec.Schema(), s.Schema())
		}
		for r := range int(rec.NumRows()) {
			lines = append(lines, string(enc.AppendRow(nil, r)))
		}
	}
	return lines
}

// halfCompacted has rows 1 to 4 at the top level and later ones above them.
func halfCompacted(t testing.TB) *table.Table {
	t.Helper()
	tab := create(t, store.NewMem(), keyed)
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"k":3,"v":"c"}`, `{"k":4,"v":"d"}`)
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	load(t, tab, `{"k":2,"v":"B"}`, `{"k":5,"v":"e"}`, `{"_kind":"-D","k":3}`)
	return tab
}

func TestReadOptimizedSeesTheTopLevelOnly(t *testing.T) {
	tab := halfCompacted(t)
	want := []string{`{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"k":3,"v":"c"}`, `{"k":4,"v":"d"}`}
	if d := cmp.Diff(want, systemLines(t, tab, "ro", table.ScanOptions{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got := systemLines(t, tab, "ro", table.ScanOptions{Snapshot: 1}); got != nil {
		t.Errorf("nothing was compacted in snapshot 1: %v", got)
	}
}

func TestSystemTablesFilterProjectAndLimit(t *testing.T) {
	tab := halfCompacted(t)
	for _, c := range []struct {
		o    table.ScanOptions
		want []string
	}{
		{table.ScanOptions{Columns: []string{"v"}, Where: "k >= 2"}, []string{`{"v":"b"}`, `{"v":"c"}`, `{"v":"d"}`}},
		{table.ScanOptions{Columns: []string{"v", "k"}, Where: "k >= 2", Limit: 2}, []string{`{"v":"b","k":2}`, `{"v":"c","k":3}`}},
		{table.ScanOptions{Limit: 4}, []string{`{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"k":3,"v":"c"}`, `{"k":4,"v":"d"}`}},
		{table.ScanOptions{BatchRows: 1, Limit: 3, Where: "v <> 'b'"}, []string{`{"k":1,"v":"a"}`, `{"k":3,"v":"c"}`, `{"k":4,"v":"d"}`}},
		{table.ScanOptions{Where: "v = 'B'"}, nil},
	} {
		if d := cmp.Diff(c.want, systemLines(t, tab, "RO", c.o)); d != "" {
			t.Errorf("%+v (-want +got):\n%s", c.o, d)
		}
		s, err := tab.System(ctx, "ro", c.o)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Count(ctx); err != nil || n != int64(len(c.want)) {
			t.Errorf("%+v: counted %d, %v", c.o, n, err)
		}
	}
}

func TestUnknownSystemTablesAreNamedWithTheOnesThatAre(t *testing.T) {
	tab := halfCompacted(t)
	_, err := tab.System(ctx, "rO2", table.ScanOptions{})
	failsWith(t, err, table.ErrNotFound, "system table ro2", "did you mean ro?", "there are ")
	_, err = tab.System(ctx, "ro", table.ScanOptions{Columns: []string{"nope"}})
	failsWith(t, err, table.ErrInvalid, "nope")
	_, err = tab.System(ctx, "ro", table.ScanOptions{Where: "nope = 1"})
	failsWith(t, err, table.ErrInvalid, "nope")
	_, err = tab.System(ctx, "ro", table.ScanOptions{Snapshot: 9})
	failsWith(t, err, table.ErrNotFound, "9")
}

// A limit was held to by reading ahead and throwing away.
func TestALimitOpensNoMoreFilesThanItNeeds(t *testing.T) {
	var opened atomic.Int64
	st := storetest.Faulty(store.NewMem(), func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.Open && strings.Contains(op.Key, "/data-") {
			opened.Add(1)
		}
		return storetest.Outcome{}
	})
	tab := create(t, st, "columns: [{name: p, type: INT NOT NULL}, {name: k, type: INT NOT NULL}]\npartition-by: [p]\nprimary-key: [p, k]", "bucket=1")
	for p := range 6 {
		load(t, tab, fmt.Sprintf(`{"p":%d,"k":1}`, p), fmt.Sprintf(`{"p":%d,"k":2}`, p))
	}
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"audit_log", "binlog", "ro"} {
		opened.Store(0)
		if got := systemLines(t, tab, name, table.ScanOptions{Limit: 3}); len(got) != 3 || opened.Load() != 2 {
			t.Errorf("%s: %d files for %v", name, opened.Load(), got)
		}
	}
	opened.Store(0)
	if got := lines(t, tab, table.ScanOptions{Limit: 3}); len(got) != 3 || opened.Load() != 2 {
		t.Errorf("scan: %d files for %v", opened.Load(), got)
	}
	if got := systemLines(t, tab, "audit_log", table.ScanOptions{Limit: 3, Where: "k = 2"}); len(got) != 3 {
		t.Error(got)
	}
}
