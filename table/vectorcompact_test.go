package table_test

import (
	"fmt"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// Compaction of an append table takes marked rows out for good.
func TestDeletedRowsStayDeletedWhenFilesAreJoined(t *testing.T) {
	eachAppend(t, func(t *testing.T, st store.Store, tab *table.Table) {
		var want []string
		for i := range 8 {
			load(t, tab, row(3*i, "a", i), row(3*i+1, "b", i), row(3*i+2, "c", i))
			want = append(want, row(3*i, "a", i), row(3*i+2, "c", i))
			if i%2 == 1 { // index files of their own
				changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: fmt.Sprintf("v = 'b' AND k < %d", 3*i+3)}))
			}
		}
		if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
			t.Fatal(err)
		}
		expect(t, tab, table.ScanOptions{}, want...)
		sound(t, tab)
		index, err := tab.IndexFiles(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		live := map[string]bool{}
		for f, err := range tab.Files(ctx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			live[f.Name] = true
		}
		for _, e := range index {
			for _, r := range e.Ranges {
				if !live[r.File] {
					t.Errorf("a vector of %s is left, the file is gone", r.File)
				}
			}
		}
		changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "k < 100"}))
		expect(t, tab, table.ScanOptions{})
		sound(t, tab)
	})
}

// A job compacts what writers leave, with vectors and without waiting.
func TestJobsLookKeysUpToo(t *testing.T) {
	for name, options := range lookedUp {
		t.Run(name, func(t *testing.T) {
			with := create(t, store.NewMem(), versions, append([]string{"deletion-vectors.enabled=true", "write-only=true"}, options...)...)
			without := create(t, store.NewMem(), versions, append([]string{"write-only=true"}, options...)...)
			for i := range 10 {
				for k := range 5 {
					rows := []string{fmt.Sprintf(`{"k":%d,"v":"v%d","n":%d,"s":%d}`, (i*3+k*7)%40, i, k, i)}
					load(t, with, rows...)
					load(t, without, rows...)
				}
				if _, err := with.Compact(ctx, table.CompactOptions{Full: i == 6}); err != nil {
					t.Fatal(err)
				}
				expect(t, with, table.ScanOptions{}, lines(t, without, table.ScanOptions{})...)
			}
			if _, err := with.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
				t.Fatal(err)
			}
			expect(t, with, table.ScanOptions{}, lines(t, without, table.ScanOptions{})...)
			if index, err := with.IndexFiles(ctx, 0); err != nil || len(index) > 0 {
				t.Errorf("%d index files after a full compaction, %v", len(index), err)
			}
			sound(t, with)
		})
	}
}
