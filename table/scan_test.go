package table_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/table"
)

const events = `
columns: [{name: dt, type: STRING NOT NULL}, {name: k, type: INT NOT NULL}, {name: a, type: INT}, {name: s, type: STRING}]
partition-by: [dt]
primary-key: [dt, k]
options: {bucket: 2}`

// layered makes a table of three commits whose rows hide one another.
func layered(t testing.TB, st store.Store) *table.Table {
	tab := create(t, st, events)
	load(t, tab, `{"dt":"x","k":1,"a":10,"s":"one"}`, `{"dt":"x","k":2,"a":20,"s":"two"}`, `{"dt":"y","k":1,"a":30,"s":"three"}`, `{"dt":"y","k":5,"a":50,"s":null}`)
	load(t, tab, `{"dt":"x","k":1,"a":11,"s":"ONE"}`, `{"_kind":"-D","dt":"x","k":2}`, `{"dt":"z","k":7,"a":null,"s":"seven"}`)
	load(t, tab, `{"dt":"y","k":1,"a":31,"s":"THREE"}`)
	return tab
}

func TestColumnsComeInTheOrderAsked(t *testing.T) {
	tab := layered(t, store.NewMem())
	expect(t, tab, table.ScanOptions{Columns: []string{"s", "dt"}}, `{"s":"ONE","dt":"x"}`, `{"s":"THREE","dt":"y"}`, `{"s":null,"dt":"y"}`, `{"s":"seven","dt":"z"}`)
	expect(t, tab, table.ScanOptions{Columns: []string{"dt"}}, `{"dt":"x"}`, `{"dt":"y"}`, `{"dt":"y"}`, `{"dt":"z"}`)
	expect(t, tab, table.ScanOptions{Columns: []string{}}, `{}`, `{}`, `{}`, `{}`)
	expect(t, tab, table.ScanOptions{Columns: []string{}, Where: "a > 30"}, `{}`, `{}`)
	_, err := tab.Scan(ctx, table.ScanOptions{Columns: []string{"nope"}})
	failsWith(t, err, table.ErrInvalid, "nope")
	expect(t, tab, table.ScanOptions{Columns: []string{"k", "k"}, Where: "k = 7"}, `{"k":7,"k":7}`)
	_, err = tab.Scan(ctx, table.ScanOptions{Where: "nope = 1"})
	failsWith(t, err, table.ErrInvalid, "nope")
}

func TestFiltersAreExact(t *testing.T) {
	tab := layered(t, store.NewMem())
	for where, want := range map[string][]string{
		"a = 10":                         {}, // an old version must not come back
		"a = 11":                         {`{"k":1}`},
		"k = 2":                          {},
		"dt = 'y'":                       {`{"k":1}`, `{"k":5}`},
		"dt = 'y' AND s IS NULL":         {`{"k":5}`},
		"dt > 'x' OR a = 11":             {`{"k":1}`, `{"k":1}`, `{"k":5}`, `{"k":7}`},
		"s = 'three' OR s = 'seven'":     {`{"k":7}`},
		"a IS NULL":                      {`{"k":7}`},
		"NOT (dt = 'y')":                 {`{"k":1}`, `{"k":7}`},
		"dt = 'nowhere'":                 {},
		"k BETWEEN 4 AND 6":              {`{"k":5}`},
		"(dt = 'x' OR k = 7) AND a = 11": {`{"k":1}`},
	} {
		got := lines(t, tab, table.ScanOptions{Columns: []string{"k"}, Where: where})
		if d := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Clip(append([]string{}, got...))); d != "" && len(want)+len(got) > 0 {
			t.Errorf("%s (-want +got):\n%s", where, d)
		}
	}
	both, err := predicate.Parse("k = 1", tab.Schema().Fields, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{Columns: []string{"s"}, Where: "dt = 'y'", Filter: both}, `{"s":"THREE"}`)
}

func TestLimitAndCountAgreeWithTheScan(t *testing.T) {
	tab := layered(t, store.NewMem())
	for limit := range int64(7) {
		for _, where := range []string{"", "a > 11", "dt = 'x'", "k < 100"} {
			o := table.ScanOptions{Limit: limit, Where: where, BatchRows: 1}
			all := int64(len(lines(t, tab, table.ScanOptions{Where: where})))
			want := all
			if limit > 0 {
				want = min(limit, all)
			}
			s, err := tab.Scan(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.Count(ctx); err != nil || n != want {
				t.Errorf("limit %d, %q: count %d, %v; want %d", limit, where, n, err, want)
			}
			if got := int64(len(lines(t, tab, o))); got != want {
				t.Errorf("limit %d, %q: %d rows, want %d", limit, where, got, want)
			}
		}
	}
}

func TestTimeTravelByIDAndTime(t *testing.T) {
	tab := layered(t, store.NewMem())
	first := []string{`{"s":"one"}`, `{"s":"two"}`, `{"s":"three"}`, `{"s":null}`}
	expect(t, tab, table.ScanOptions{Snapshot: 1, Columns: []string{"s"}}, first...)
	expect(t, tab, table.ScanOptions{Snapshot: 2, Columns: []string{"s"}, Where: "dt = 'x'"}, `{"s":"ONE"}`)
	at, err := tab.Snapshots().Get(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{AsOf: time.UnixMilli(at.TimeMillis), Columns: []string{"s"}}, first...)
	expect(t, tab, table.ScanOptions{AsOf: time.UnixMilli(at.TimeMillis + 1e9), Columns: []string{"k"}, Where: "k = 7"}, `{"k":7}`)
	_, err = tab.Scan(ctx, table.ScanOptions{AsOf: time.UnixMilli(at.TimeMillis - 1)})
	failsWith(t, err, table.ErrNotFound, "no snapshot at or before")
	_, err = tab.Scan(ctx, table.ScanOptions{Snapshot: 9})
	failsWith(t, err, table.ErrNotFound, "snapshot 9", "snapshots 1 to 3 can be read")
	_, err = tab.Scan(ctx, table.ScanOptions{Snapshot: -4})
	failsWith(t, err, table.ErrInvalid, "snapshot ids begin at 1")
	_, err = tab.Scan(ctx, table.ScanOptions{Snapshot: 1, AsOf: time.Now()})
	failsWith(t, err, table.ErrInvalid, "one of")
}

// A scan is of the snapshot it resolved, whatever is committed afterwards.
func TestAScanIsOfOneSnapshot(t *testing.T) {
	tab := layered(t, store.NewMem())
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	load(t, tab, `{"dt":"x","k":1,"a":99,"s":"late"}`)
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(fmt.Sprint(rec.Column(3)), "late") {
			t.Error("a later commit is visible")
		}
	}
}

// encoded are the rows of batches in the order they come.
func encoded(t *testing.T, s *table.Scan, splits []table.Split) []string {
	t.Helper()
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rec, err := range s.ReadSplits(ctx, splits) {
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Bind(rec); err != nil {
			t.Fatal(err)
		}
		for r := range int(rec.NumRows()) {
			out = append(out, string(enc.AppendRow(nil, r)))
		}
	}
	return out
}

func TestSplitsAreReadElsewhere(t *testing.T) {
	st := store.NewMem()
	tab := layered(t, st)
	s, err := tab.Scan(ctx, table.ScanOptions{Where: "k < 100"})
	if err != nil {
		t.Fatal(err)
	}
	splits, err := s.Plan(ctx)
	if err != nil || len(splits) < 3 {
		t.Fatal(len(splits), err)
	}
	data, err := table.MarshalSplits(splits)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range splits { // each in a process of its own
		got, err := table.UnmarshalSplits(data)
		if err != nil {
			t.Fatal(err)
		}
		there, err := reopen(t, st).Scan(ctx, table.ScanOptions{Where: "k < 100", Snapshot: splits[i].Snapshot})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, encoded(t, there, got[i:i+1])...)
	}
	if d := cmp.Diff(encoded(t, s, splits), all); d != "" {
		t.Errorf("(-here +elsewhere):\n%s", d)
	}
	other, err := tab.Scan(ctx, table.ScanOptions{Snapshot: 1})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range other.ReadSplits(ctx, splits) {
		last = err
	}
	failsWith(t, last, table.ErrInvalid, "snapshot 3")
}

func TestRowsComeInTheSameOrderEveryTime(t *testing.T) {
	st := store.NewMem()
	layered(t, st)
	var first []string
	for i := range 6 {
		parts, _ := world(t)
		tab, err := table.Open(ctx, st, "db.t", table.Settings{Parallel: 1 + i%3*4}, parts)
		if err != nil {
			t.Fatal(err)
		}
		s, err := tab.Scan(ctx, table.ScanOptions{BatchRows: 1 + i})
		if err != nil {
			t.Fatal(err)
		}
		splits, err := s.Plan(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := encoded(t, s, splits)
		if first == nil {
			first = got
		}
		if d := cmp.Diff(first, got); d != "" {
			t.Errorf("run %d (-first +now):\n%s", i, d)
		}
	}
}

// large has enough rows, files and splits for readers to be ahead.
func large(t testing.TB, st store.Store) *table.Table {
	tab := create(t, st, events, "bucket=4", "source.split.target-size=1 kb")
	for c := range 3 {
		var rows []string
		for i := range 2000 {
			rows = append(rows, fmt.Sprintf(`{"dt":"%c","k":%d,"a":%d,"s":"text %d"}`, 'x'+i%3, i, c, i))
		}
		load(t, tab, rows...)
	}
	return tab
}

func TestBreakingOffLeaksNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	st := store.NewMem()
	large(t, st)
	for stop := range 12 {
		parts, alloc := world(t)
		tab := reopenIn(t, st, parts)
		s, err := tab.Scan(ctx, table.ScanOptions{BatchRows: 100, Where: "a = 2"})
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for _, err := range s.Batches(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen > stop {
				break
			}
		}
		alloc.AssertSize(t, 0)
		r, err := s.Reader(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for range stop {
			r.Next()
		}
		r.Release()
		alloc.AssertSize(t, 0)
	}
}

func TestAFailingStoreEndsAScanWithoutLeaks(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	mem := store.NewMem()
	want := lines(t, large(t, mem), table.ScanOptions{})
	bad := errors.New("503")
	for k := int64(1); ; k += 7 {
		hit := false
		parts, alloc := world(t)
		tab, err := table.Open(ctx, storetest.Faulty(mem, func(op storetest.Op) storetest.Outcome {
			if op.N != k {
				return storetest.Outcome{}
			}
			hit = true
			return storetest.Outcome{Fail: bad}
		}), "db.t", table.Settings{Parallel: 3}, parts)
		var got []string
		if err == nil {
			got, err = scanLines(ctx, tab, table.ScanOptions{})
		}
		alloc.AssertSize(t, 0)
		switch {
		case err != nil && !errors.Is(err, bad):
			t.Fatalf("call %d: %v", k, err)
		case err == nil && !cmp.Equal(want, got):
			t.Fatalf("call %d failed, and the scan gave %d rows of %d without an error", k, len(got), len(want))
		}
		if !hit {
			return
		}
	}
}

func TestCancellingEndsAScanWithTheContextsError(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	tab := large(t, store.NewMem())
	for stop := range 20 {
		for _, limit := range []int64{0, 1500} {
			short, cancel := context.WithCancel(ctx)
			s, err := tab.Scan(short, table.ScanOptions{BatchRows: 50, Limit: limit})
			if err != nil {
				t.Fatal(err)
			}
			var last error
			var rows, seen int64
			for rec, err := range s.Batches(short) {
				if seen++; seen > int64(stop) {
					cancel()
				}
				if last = err; err == nil {
					rows += rec.NumRows()
				}
			}
			cancel()
			if !errors.Is(last, context.Canceled) && (limit == 0 || rows != limit) {
				t.Errorf("after %d batches: %d rows, %v", stop, rows, last)
			}
		}
	}
}

func TestBatchesAreBoundedAndStayValidWhenRetained(t *testing.T) {
	tab := large(t, store.NewMem())
	s, err := tab.Scan(ctx, table.ScanOptions{BatchRows: 64, Columns: []string{"k", "s"}})
	if err != nil {
		t.Fatal(err)
	}
	var kept []arrow.RecordBatch
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.NumRows() > 64 || rec.NumRows() == 0 || !rec.Schema().Equal(s.Schema()) {
			t.Fatalf("%d rows of %s", rec.NumRows(), rec.Schema())
		}
		rec.Retain()
		kept = append(kept, rec)
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, rec := range kept {
		if err := enc.Bind(rec); err != nil {
			t.Fatal(err)
		}
		for r := range int(rec.NumRows()) {
			rows[string(enc.AppendRow(nil, r))] = true
		}
		rec.Release()
	}
	for i := range 2000 {
		if want := fmt.Sprintf(`{"k":%d,"s":"text %d"}`, i, i); !rows[want] {
			t.Fatalf("%s is missing among %d", want, len(rows))
		}
	}
}

func TestReaderIsARecordReader(t *testing.T) {
	tab := layered(t, store.NewMem())
	s, err := tab.Scan(ctx, table.ScanOptions{Columns: []string{"k"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		rows += r.RecordBatch().NumRows()
	}
	if r.Err() != nil || rows != 4 || !r.Schema().Equal(s.Schema()) {
		t.Errorf("%d rows, %v, %s", rows, r.Err(), r.Schema())
	}
}

// The option was taken and nobody looked at it.
func TestBatchesAreAsLargeAsTheTableSays(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "read.batch-size=2")
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"k":3,"v":"c"}`, `{"k":4,"v":"d"}`, `{"k":5,"v":"e"}`)
	for asked, want := range map[int]int64{0: 2, 3: 3} {
		scan, err := tab.Scan(ctx, table.ScanOptions{BatchRows: asked})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := tab.Stream(ctx, table.StreamOptions{BatchRows: asked, UntilSnapshot: 1})
		if err != nil {
			t.Fatal(err)
		}
		largest := [2]int64{}
		for rec, err := range scan.Batches(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			largest[0] = max(largest[0], rec.NumRows())
		}
		for rec, err := range stream.Batches(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			largest[1] = max(largest[1], rec.NumRows())
		}
		if largest != [2]int64{want, want} {
			t.Errorf("asked for %d rows, a scan gives %d and a stream %d; want %d", asked, largest[0], largest[1], want)
		}
	}
}
