package table_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// spread loads the same rows into two tables, of which the first compacts,
// until it holds files on two levels above 0 and none on level 0.
func spread(t *testing.T, r *rand.Rand, with, without *table.Table, inserts bool) {
	t.Helper()
	for range 40 {
		rows := randomVersions(r, inserts)
		commitCompacted(t, with, rows...)
		load(t, without, rows...)
		if l := levels(t, with); !strings.Contains(l, "{0=") && strings.Count(l, "=") > 1 {
			return
		}
	}
	t.Fatalf("files lie on levels %s", levels(t, with))
}

// commitCompacted commits rows with the compactions that they cause, by a writer of their own.
func commitCompacted(t *testing.T, tab *table.Table, rows ...string) {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{WaitCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, w, tab, rows...)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// sameRows compares scans, counts and lookups of two tables.
func sameRows(t *testing.T, what string, got, want *table.Table) {
	t.Helper()
	rows := lines(t, want, table.ScanOptions{})
	expect(t, got, table.ScanOptions{}, slices.Clone(rows)...)
	expect(t, got, table.ScanOptions{Where: "n > 3"}, lines(t, want, table.ScanOptions{Where: "n > 3"})...)
	counts(t, got, table.ScanOptions{}, int64(len(rows)))
	counts(t, got, table.ScanOptions{Where: "n > 3"}, int64(len(lines(t, want, table.ScanOptions{Where: "n > 3"}))))
	l := openLookup(t, got, table.LookupOptions{})
	keys := make([]string, 200)
	for k := range keys {
		keys[k] = fmt.Sprintf(`{"k":%d}`, k)
	}
	found := slices.DeleteFunc(getAll(t, l, keys...), func(row string) bool { return row == "" })
	slices.Sort(found)
	if !slices.Equal(found, rows) {
		t.Errorf("lookups find\n%s\nnot\n%s", strings.Join(found, "\n"), strings.Join(rows, "\n"))
	}
	if t.Failed() {
		t.Fatal(what)
	}
}

// Files that are older than the option may hold one key on several levels: no
// row must show twice, come back, or be taken for the sum of all.
func TestRowsShowOnceWhenVectorsAreSwitchedOnOverOlderFiles(t *testing.T) {
	for name, options := range lookedUp {
		t.Run(name, func(t *testing.T) {
			st, r := store.NewMem(), rand.New(rand.NewPCG(5, uint64(len(name))))
			inserts := name != "deduplicate" && name != "thin" && name != "ignore-delete"
			with := create(t, st, versions, append([]string{"deletion-vectors.modifiable=true", "compaction.force-up-level-0=true"}, options...)...)
			without := create(t, store.NewMem(), versions, append([]string{"write-only=true"}, options...)...)
			spread(t, r, with, without, inserts)
			for turn := range 6 { // vectors that were off for a time say nothing of the files of that time
				with = alter(t, st, fmt.Sprintf("set deletion-vectors.enabled=%v", turn%2 == 0))
				for i := range 3 {
					sameRows(t, fmt.Sprintf("%d commits after turn %d, on levels %s", i, turn, levels(t, with)), with, without)
					rows := randomVersions(r, inserts)
					commitCompacted(t, with, rows...)
					load(t, without, rows...)
				}
			}
			sound(t, with)
		})
	}
}
