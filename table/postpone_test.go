package table_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

const postponed = `
columns: [{name: p, type: STRING NOT NULL}, {name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}]
primary-key: [p, k]
partition-by: [p]
options: {bucket: -2, postpone.default-bucket-num: 2, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`

func compactPostponed(t *testing.T, tab *table.Table) table.PostponedReport {
	t.Helper()
	report, err := tab.CompactPostponed(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestPostponedRowsWaitForTheirBuckets(t *testing.T) {
	for _, format := range []string{"parquet", "avro"} {
		st := store.NewMem()
		tab := create(t, st, postponed, "file.format="+format)
		w := newWriter(t, tab, "job-s-1") // a user in whose name Java would look for its number
		commit(t, w, tab, append(keysOf("a", 0, 9, "1"), keysOf("b", 0, 3, "1")...)...)
		commit(t, w, tab, append(keysOf("a", 5, 7, "2"), `{"_kind":"-D","p":"b","k":1,"v":"x"}`)...)
		expect(t, tab, table.ScanOptions{})
		sound(t, tab)
		for _, key := range dataFiles(t, st) {
			if !strings.Contains(key, "bucket-postpone/data--u-job_s_1-s-") || !strings.HasSuffix(key, "-0.avro") {
				t.Error(key)
			}
		}
		if r := compactPostponed(t, tab); r.Files != 4 || r.Rows != 15 || r.Partitions != 2 {
			t.Errorf("%+v", r)
		}
		want := append(append(append(keysOf("a", 0, 5, "1"), keysOf("a", 5, 7, "2")...), keysOf("a", 7, 9, "1")...), keysOf("b", 0, 1, "1")[0], keysOf("b", 2, 3, "1")[0])
		expect(t, tab, table.ScanOptions{}, want...)
		if got := buckets(t, tab); got["a"] != 2 || got["b"] != 2 {
			t.Errorf("buckets by partition: %v", got)
		}
		if r := compactPostponed(t, tab); r != (table.PostponedReport{}) {
			t.Errorf("moved again: %+v", r)
		}
		commit(t, w, tab, keysOf("a", 0, 2, "3")...)
		compactPostponed(t, reopen(t, st))
		copy(want, keysOf("a", 0, 2, "3"))
		expect(t, tab, table.ScanOptions{}, want...)
		sound(t, tab)
	}
}

func TestPostponedRowsAreWrittenWhateverTheCodecOfLevelZero(t *testing.T) {
	for _, option := range []string{"file.compression=lz4", "file.compression.per.level=0:gzip,5:none"} {
		tab := create(t, store.NewMem(), postponed, option)
		load(t, tab, keysOf("a", 0, 2, "1")...)
		compactPostponed(t, tab)
		expect(t, tab, table.ScanOptions{}, keysOf("a", 0, 2, "1")...)
	}
}

func TestABatchWritesStraightIntoBuckets(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, postponed)
	load(t, tab, keysOf("a", 0, 5, "old")...)
	batch := func(tab *table.Table, rows ...string) {
		w, err := tab.NewWriter(ctx, table.WriterOptions{Batch: true})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		commit(t, w, tab, rows...)
	}
	batch(tab, keysOf("a", 3, 8, "new")...)
	expect(t, tab, table.ScanOptions{}, keysOf("a", 3, 8, "new")...)
	compactPostponed(t, tab) // rows that waited count as later ones, in Paimon too
	expect(t, tab, table.ScanOptions{}, append(keysOf("a", 0, 5, "old"), keysOf("a", 5, 8, "new")...)...)
	sound(t, tab)

	st = store.NewMem()
	tab = create(t, st, postponed, "postpone.batch-write-fixed-bucket=false")
	batch(tab, keysOf("a", 0, 2, "1")...)
	expect(t, tab, table.ScanOptions{})
}

func TestPartitionsKeepTheirNumberOfBuckets(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, postponed)
	load(t, tab, keysOf("a", 0, 20, "1")...)
	compactPostponed(t, tab)
	sc := *tab.Schema()
	sc.Options = maps.Clone(sc.Options)
	sc.Options["postpone.default-bucket-num"], sc.ID = "5", 1
	data, err := sc.Marshal()
	if err == nil {
		err = st.Write(ctx, "schema/schema-1", data)
	}
	if err != nil {
		t.Fatal(err)
	}
	tab = reopen(t, st)
	load(t, tab, append(keysOf("a", 0, 20, "2"), keysOf("b", 0, 50, "2")...)...)
	compactPostponed(t, tab)
	expect(t, tab, table.ScanOptions{}, append(keysOf("a", 0, 20, "2"), keysOf("b", 0, 50, "2")...)...)
	if got := buckets(t, tab); got["a"] != 2 || got["b"] != 5 {
		t.Errorf("buckets by partition: %v", got)
	}
	sound(t, tab)
}

func TestRetractionsThatNoMergeTakesAreNotPostponed(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, postponed, "merge-engine=aggregation", "fields.v.aggregate-function=max")
	w := newWriter(t, tab, "u")
	err := write(t, w, tab, keysOf("a", 0, 1, "1")[0], `{"_kind":"-D","p":"a","k":0,"v":"1"}`)
	failsWith(t, err, nil, "v", "max")
}

// TestPostponedRowsEndAsIfNeverPostponed: random changes by several writers in
// turn, moved now and then, against a plain map.
func TestPostponedRowsEndAsIfNeverPostponed(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		st := store.NewMem()
		tab := create(t, st, postponed, fmt.Sprintf("postpone.default-bucket-num=%d", 1+r.IntN(3)), "write-buffer-size=4 kb")
		writers := []*table.Writer{newWriter(t, tab, "one"), newWriter(t, tab, "two")}
		model := map[string]string{}
		for range 5 {
			w := writers[r.IntN(2)]
			var rows []string
			for range r.IntN(200) {
				p, k := string("ab"[r.IntN(2)]), r.IntN(50)
				row := keysOf(p, k, k+1, fmt.Sprint(r.IntN(1000)))[0]
				key := fmt.Sprint(p, k)
				if model[key] = row; r.IntN(5) == 0 {
					delete(model, key)
					row = `{"_kind":"-D",` + row[1:]
				}
				rows = append(rows, row)
			}
			commit(t, w, tab, rows...)
			if r.IntN(3) == 0 {
				compactPostponed(t, tab)
			}
		}
		compactPostponed(t, tab)
		var want []string
		for _, row := range model {
			want = append(want, row)
		}
		expect(t, tab, table.ScanOptions{}, want...)
		sound(t, tab)
	}
}

func TestOnlyOneOfTwoMovesWins(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, postponed)
	load(t, tab, keysOf("a", 0, 5, "1")...)
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := reopen(t, st).CompactPostponed(ctx)
			done <- err
		}()
	}
	one, two := <-done, <-done
	for _, err := range []error{one, two} {
		if err != nil && !errors.Is(err, table.ErrConflict) {
			t.Error(err)
		}
	}
	if one != nil && two != nil {
		t.Error("neither won")
	}
	expect(t, tab, table.ScanOptions{}, keysOf("a", 0, 5, "1")...)
	if left := orphans(t, st, tab); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	sound(t, tab)
}

func TestACompactionJobMovesPostponedRowsFirst(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, postponed)
	load(t, tab, append(keysOf("a", 0, 5, "1"), keysOf("b", 0, 5, "1")...)...)
	r, err := tab.Compact(ctx, table.CompactOptions{Full: true, Partition: "p = 'a'"})
	if err != nil || r.FilesBefore == 0 {
		t.Fatal(r, err)
	}
	expect(t, tab, table.ScanOptions{}, keysOf("a", 0, 5, "1")...)
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	load(t, tab, keysOf("a", 0, 2, "2")...)
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, append(append(keysOf("a", 0, 2, "2"), keysOf("a", 2, 5, "1")...), keysOf("b", 0, 5, "1")...)...)
	sound(t, tab)
}
