package table_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// overlapping is a table of one bucket whose runs share their key range, with
// enough rows that several cores merge it.
func overlapping(t testing.TB, st store.Store, keys string, runs, rows int, key func(r *rand.Rand, rec *array.RecordBuilder)) *table.Table {
	t.Helper()
	tab := create(t, st, `{columns: [`+keys+`, {name: v, type: BIGINT}], primary-key: [a, b],
		options: {bucket: 1, write-only: true, file.compression: none, parquet.page.size: 4096}}`)
	r := rand.New(rand.NewPCG(1, 2))
	s, kinds := fieldsOf(t, tab), make([]int8, rows)
	for run := range runs {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s)
		for i := range rows {
			key(r, b)
			b.Field(2).(*array.Int64Builder).Append(int64(run*rows + i))
			kinds[i] = 0
			if run > 0 && r.IntN(5) == 0 {
				kinds[i] = 3
			}
		}
		rec := b.NewRecordBatch()
		b.Release()
		w := newWriter(t, tab, "")
		if err := w.WriteKinds(ctx, rec, kinds); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		if err := w.CommitNext(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return tab
}

func fieldsOf(t testing.TB, tab *table.Table) *arrow.Schema {
	t.Helper()
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Schema()
}

// openWide opens the table for four cores.
func openWide(t testing.TB, st store.Store) *table.Table {
	t.Helper()
	w, _ := world(t)
	tab, err := table.Open(ctx, st, "db.t", table.Settings{Parallel: 4}, w)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// values are the sorted cells of column v.
func values(t testing.TB, tab *table.Table, o table.ScanOptions) []int64 {
	t.Helper()
	o.Columns = []string{"v"}
	s, err := tab.Scan(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	var out []int64
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec.Column(0).(*array.Int64).Values()...)
	}
	slices.Sort(out)
	return out
}

func TestRowsDoNotDependOnTheOrderAskedFor(t *testing.T) {
	defer table.SetMinRangeRows(300)()
	letters := "abcdefghijklmnopqrstuvwxyz"
	for name, c := range map[string]struct {
		keys string
		key  func(r *rand.Rand, b *array.RecordBuilder)
	}{
		"numbers": {"{name: a, type: INT NOT NULL}, {name: b, type: INT NOT NULL}", func(r *rand.Rand, b *array.RecordBuilder) {
			b.Field(0).(*array.Int32Builder).Append(r.Int32N(3000) - 1500)
			b.Field(1).(*array.Int32Builder).Append(r.Int32N(100))
		}},
		"text": {"{name: a, type: STRING NOT NULL}, {name: b, type: STRING NOT NULL}", func(r *rand.Rand, b *array.RecordBuilder) {
			b.Field(0).(*array.StringBuilder).Append("a long beginning that all of the keys share: " + letters[r.IntN(20):] + letters[r.IntN(20):])
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprint(r.IntN(1000)))
		}},
		"one value": {"{name: a, type: INT NOT NULL}, {name: b, type: INT NOT NULL}", func(r *rand.Rand, b *array.RecordBuilder) {
			b.Field(0).(*array.Int32Builder).Append(7)
			b.Field(1).(*array.Int32Builder).Append(r.Int32N(30000))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			overlapping(t, st, c.keys, 4, 20000, c.key)
			tab := openWide(t, st)
			for _, where := range []string{"", "v < 40000", "b > '5' AND v > 10000"} {
				want := values(t, tab, table.ScanOptions{Where: where})
				if got := values(t, tab, table.ScanOptions{Where: where, AnyOrder: true}); !slices.Equal(got, want) {
					t.Errorf("%q: %d rows in any order, %d in order", where, len(got), len(want))
				}
				s, err := tab.Scan(ctx, table.ScanOptions{Where: where})
				if err != nil {
					t.Fatal(err)
				}
				if n, err := s.Count(ctx); err != nil || n != int64(len(want)) {
					t.Errorf("%q: count %d %v, there are %d", where, n, err, len(want))
				}
			}
			if got := values(t, tab, table.ScanOptions{AnyOrder: true, Limit: 5}); len(got) != 5 {
				t.Errorf("limit 5: %d rows", len(got))
			}
		})
	}
}

func TestBreakingOffAReadInAnyOrderReleasesEverything(t *testing.T) {
	defer table.SetMinRangeRows(300)()
	st := store.NewMem()
	overlapping(t, st, "{name: a, type: INT NOT NULL}, {name: b, type: INT NOT NULL}", 3, 20000, func(r *rand.Rand, b *array.RecordBuilder) {
		b.Field(0).(*array.Int32Builder).Append(r.Int32N(100000))
		b.Field(1).(*array.Int32Builder).Append(0)
	})
	tab := openWide(t, st) // its allocator is checked
	// Many more batches than can be on their way when it ends.
	s, err := tab.Scan(ctx, table.ScanOptions{AnyOrder: true, BatchRows: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var last error
	for _, err := range s.Batches(stop) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled read ended with %v", last)
	}
}

func TestAReadInAnyOrderReportsTheFileThatFails(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	load(t, tab, `{"k":1}`)
	load(t, tab, `{"k":1}`)
	for _, key := range dataFiles(t, st) {
		if err := st.Delete(ctx, key); err != nil {
			t.Fatal(err)
		}
	}
	_, err := scanLines(ctx, openWide(t, st), table.ScanOptions{AnyOrder: true})
	failsWith(t, err, table.ErrNotFound, "data-")
}
