package table_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// A large section is rewritten by several goroutines, each a range of keys.
func TestLargeCompactionsAreCutInRangesOfKeys(t *testing.T) {
	if n := ranges(t); n < 2 {
		t.Errorf("written as %d ranges", n)
	}
}

// Each range reads all runs, so there are no more than fit in memory together.
func TestRangesOfKeysShareTheMemoryOfOneMerge(t *testing.T) {
	if n := ranges(t, "sort-spill-buffer-size=512 kb"); n != 1 {
		t.Errorf("written as %d ranges", n)
	}
}

// ranges are those that a section is rewritten in, by four goroutines at most:
// rows are those of one, files lie in key order, and nothing is left behind.
func ranges(t *testing.T, options ...string) int {
	defer table.SetMinRangeRows(200)()
	defer table.SetCompactions(4)()
	st := store.NewMem()
	tab := create(t, st, compacting, append(options, "num-sorted-run.compaction-trigger=4", eager, "target-file-size=4 kb", "parquet.page.size=1024", "file.compression=none")...)
	w := waiting(t, tab, "")
	r := rand.New(rand.NewPCG(1, 2))
	want := map[int]string{}
	for i := range 4 {
		var rows []string
		for range 1000 {
			k := r.IntN(1500)
			row := fmt.Sprintf(`{"k":%d,"v":"%d of %d"}`, k, r.IntN(1e9), i)
			if i == 3 && k%7 == 0 {
				row = fmt.Sprintf(`{"_kind":"-D","k":%d,"v":null}`, k)
			}
			rows = append(rows, row)
			want[k] = row
		}
		commit(t, w, tab, rows...)
	}
	var all []string
	for k, row := range want {
		if row[2] != '_' {
			all = append(all, row)
		} else {
			delete(want, k)
		}
	}
	expect(t, tab, table.ScanOptions{}, all...)
	sound(t, tab)
	writers := map[string]bool{}
	for f, err := range tab.Files(ctx, 0) {
		if err != nil || f.Level == 0 {
			t.Errorf("%v on level %d %v", f.Path, f.Level, err)
		}
		writers[f.Path[:strings.LastIndexByte(f.Path, '-')]] = true
	}
	if left := orphans(t, st, tab); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	return len(writers)
}
