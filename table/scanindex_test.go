package table_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/table"
)

// trueIndex is a file index with a Bloom filter of the given numbers.
func trueIndex(column string, values []int64) []byte {
	out := fileIndex(column, 0)
	bits := out[len(out)-64:]
	for _, k := range values {
		k = ^k + k<<21
		k ^= k >> 24
		k = k + k<<3 + k<<8
		k ^= k >> 14
		k = k + k<<2 + k<<4
		k ^= k >> 28
		k += k << 31
		at, step := uint32(k), uint32(uint64(k)>>32)
		for range binary.BigEndian.Uint32(out[len(out)-68:]) {
			at += step
			c := at
			if int32(c) < 0 {
				c = ^c
			}
			bits[c%512>>3] |= 1 << (c % 8)
		}
	}
	return out
}

// Filters in file indexes spare reading, and never change what is read: files
// of one bucket that hide each other's rows, of every kind of engine.
func TestFileIndexesNeverChangeAScan(t *testing.T) {
	const columns = "columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: BIGINT}, {name: w, type: BIGINT}]\nprimary-key: [k]\noptions: {bucket: 1, write-only: true}\n"
	for engine, options := range map[string][]string{
		"deduplicate": nil, "partial-update": {"merge-engine=partial-update"},
		"aggregation": {"merge-engine=aggregation", "fields.v.aggregate-function=sum"},
	} {
		for _, column := range []string{"k", "v"} {
			r := rand.New(rand.NewPCG(3, 4))
			counter := store.Counting(store.NewMem())
			with := create(t, counter, columns, options...)
			without := create(t, store.NewMem(), columns, append(slices.Clone(options), "file-index.read.enabled=false")...)
			for range 4 {
				var rows []string
				var values []int64
				for k := r.IntN(5); k < 30; k += 1 + r.IntN(9) {
					v := r.IntN(20)
					rows = append(rows, fmt.Sprintf(`{"k":%d,"v":%d,"w":%d}`, k, v, r.IntN(9)))
					values = append(values, int64(map[string]int{"k": k, "v": v}[column]))
				}
				for _, tab := range []*table.Table{with, without} {
					loadChanged(t, tab, func(f *manifest.DataFile) { f.EmbeddedIndex = trueIndex(column, values) }, rows...)
				}
			}
			before := counter.Counts()
			for n := range 30 {
				for _, where := range []string{"k = %d", "v = %d", "k IN (%d, 2)", "v IN (%d, 2)", "k = %d OR v = 3", "k = %d AND v < 9", "NOT v = %d", "w = %d"} {
					where = fmt.Sprintf(where, n)
					want := lines(t, without, table.ScanOptions{Where: where})
					for _, anyOrder := range []bool{false, true} {
						got := lines(t, with, table.ScanOptions{Where: where, AnyOrder: anyOrder})
						slices.Sort(got)
						slices.Sort(want)
						if !slices.Equal(got, want) {
							t.Fatalf("%s, filters of %s, %s, any order %v: %v, want %v", engine, column, where, anyOrder, got, want)
						}
					}
				}
			}
			t.Log(engine, column, counter.Counts().Sub(before).Requests())
		}
	}
}

// Where an index leaves one file of several, and the keys are cut for many
// cores, each of them hands out its own range of that file only.
func TestOneFileThatIndexesLeaveIsReadOnce(t *testing.T) {
	defer table.SetMinRangeRows(10)()
	st := store.NewMem()
	tab := create(t, st, strings.Replace(pairs, "v, type: INT", "v, type: BIGINT", 1), "parquet.page.size=256")
	var rows []string
	for k := range 5000 {
		rows = append(rows, fmt.Sprintf(`{"a":%d,"b":"x","v":%d}`, k, k))
	}
	loadChanged(t, tab, func(*manifest.DataFile) {}, rows...)
	loadChanged(t, tab, func(f *manifest.DataFile) { f.EmbeddedIndex = trueIndex("a", []int64{1, 4999}) },
		`{"a":1,"b":"y","v":-1}`, `{"a":4999,"b":"y","v":-1}`)
	got := values(t, openWide(t, st), table.ScanOptions{Where: "a IN (2, 1000, 2500, 4000)", AnyOrder: true})
	if want := []int64{2, 1000, 2500, 4000}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A file that its index excludes is not read at all.
func TestFilesThatTheirIndexExcludesAreNotScanned(t *testing.T) {
	for _, c := range []struct {
		column, where string
		bits          byte
		beside        bool
		files         int
		rows          int
	}{
		{column: "b", where: "b = 'x'"},
		{column: "b", where: "b IN ('x', 'y')", beside: true},
		{column: "b", where: "b = 'x'", bits: 0xff, rows: 1},
		{column: "b", where: "b >= 'x' AND b < 'y'", rows: 1},
		{column: "v", where: "v = 1"},
		{column: "v", where: "v = 1 OR a = 1", rows: 1},
		{column: "v", where: "v = 1", files: 1, rows: 1}, // merged with a file that has no index
		{column: "b", where: "b = 'x'", files: 1},        // the key says enough
	} {
		counter := store.Counting(store.NewMem())
		tab := create(t, counter, pairs)
		loadChanged(t, tab, func(f *manifest.DataFile) {
			index := fileIndex(c.column, c.bits)
			if !c.beside {
				f.EmbeddedIndex = index
				return
			}
			f.ExtraFiles = append(f.ExtraFiles, f.Name+".index")
			if err := counter.Write(ctx, "bucket-0/"+f.Name+".index", index); err != nil {
				t.Fatal(err)
			}
		}, `{"a":1,"b":"x","v":1}`, `{"a":5,"b":"y","v":2}`)
		if c.files > 0 {
			loadChanged(t, tab, func(*manifest.DataFile) {}, `{"a":1,"b":"a","v":1}`, `{"a":5,"b":"z","v":1}`)
		}
		if got := lines(t, tab, table.ScanOptions{Where: c.where + " AND b <> 'a' AND b <> 'z'"}); len(got) != c.rows {
			t.Errorf("%s with a filter of %s: %v, want %d rows", c.where, c.column, got, c.rows)
		}
	}
}
