package table_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// Whatever the engine, rows do not depend on how many runs are merged at once.
func TestRowsOfManyRunsAreThoseOfOneMerge(t *testing.T) {
	for _, engine := range slices.Sorted(maps.Keys(engines)) {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(engine, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 23))
				m, makers := drawTable(r, engine)
				rule, err := newRules(m)
				if err != nil {
					t.Fatal(err)
				}
				var parts [][]string
				for range 15 {
					if err := rule.begin(metaStep{Do: "write"}); err != nil {
						t.Fatal(err)
					}
					parts = append(parts, drawRows(r, makers, rule, nil))
				}
				config := map[string]string{"bucket": "1", "write-only": "true", "data-file.thin-mode": oneOf(r, "true", "false")}
				want := mergedEveryWay(t, m, config, parts)
				for key, values := range map[string][]string{"sort-spill-threshold": {"2", "3", "7"}, "sort-spill-buffer-size": {"1 b"}} {
					for _, value := range values {
						own := maps.Clone(config)
						own[key], own["spill-compression"] = value, oneOf(r, "zstd", "lz4", "none")
						if diff := cmp.Diff(want, mergedEveryWay(t, m, own, parts)); diff != "" {
							t.Errorf("%s=%s: %s", key, value, diff)
						}
					}
				}
			})
		}
	}
}

// mergedEveryWay commits each part on its own, and gives the rows of a scan, of
// one in any order, and those that a full compaction stores.
func mergedEveryWay(t *testing.T, m metaTable, config map[string]string, parts [][]string) (out [3][]string) {
	t.Helper()
	sc, err := m.schema(config)
	if err != nil {
		t.Fatal(err)
	}
	st, dir := store.NewMem(), t.TempDir()
	if err := table.Create(ctx, st, sc); err != nil {
		t.Fatal(err)
	}
	tab := spillingIn(t, st, dir)
	w := newWriter(t, tab, "")
	for _, rows := range parts {
		if err := write(t, w, tab, packed(sc, rows)...); err != nil {
			t.Fatal(err)
		}
		if err := w.CommitNext(ctx); err != nil {
			t.Fatal(err)
		}
	}
	out[0] = lines(t, tab, table.ScanOptions{})
	out[1] = lines(t, tab, table.ScanOptions{AnyOrder: true})
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	out[2], _ = storedRows(t, st, tab)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 || openIn(t, dir) > 0 {
		t.Error("temporary files are left:", left, err)
	}
	return out
}

const manyRuns = "columns: [{name: k, type: INT NOT NULL}, {name: v, type: STRING}]\nprimary-key: [k]\noptions: {bucket: 1, write-only: true}"

// tenRuns is a table of ten files of level 0 with temporary files in dir.
func tenRuns(t *testing.T, dir string, options ...string) *table.Table {
	t.Helper()
	st := store.NewMem()
	create(t, st, manyRuns, options...)
	tab := spillingIn(t, st, dir)
	w := newWriter(t, tab, "")
	for i := range 10 {
		var rows []string
		for k := range 50 {
			rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"value %d"}`, 10*k+i, k))
		}
		if err := errors.Join(write(t, w, tab, rows...), w.CommitNext(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	return tab
}

func TestWithoutRoomForJoinedRunsTheErrorSaysWhatToDo(t *testing.T) {
	for _, lack := range []string{"write-buffer-spill.max-disk-size=100 b", "directory"} {
		dir, options := t.TempDir(), []string{"sort-spill-threshold=3", lack}
		if lack == "directory" {
			dir, options = filepath.Join(dir, "missing"), options[:1]
		}
		tab := tenRuns(t, dir, options...)
		_, err := scanLines(ctx, tab, table.ScanOptions{})
		if err == nil || !strings.Contains(err.Error(), "sort-spill-threshold=10") {
			t.Errorf("%s: scan: %v", lack, err)
		}
		if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err == nil || !strings.Contains(err.Error(), "sort-spill-threshold=10") {
			t.Errorf("%s: compact: %v", lack, err)
		}
		sound(t, tab)
	}
}

func TestAMergeThatIsBrokenOffGivesItsLocalDiskBack(t *testing.T) {
	dir := t.TempDir()
	tab := tenRuns(t, dir, "sort-spill-threshold=2")
	s, err := tab.Scan(ctx, table.ScanOptions{BatchRows: 10})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil || rec.NumRows() == 0 {
			t.Fatal(rec, err)
		}
		if n := openIn(t, dir); runtime.GOOS == "linux" && n != 1 {
			t.Errorf("%d open files: the test proves nothing", n)
		}
		break
	}
	if n := openIn(t, dir); n != 0 {
		t.Errorf("%d files are open still", n)
	}
}

// A compaction and a scan take the memory of so many runs as fit in
// sort-spill-buffer-size, not of all. They run in processes of their own, which
// collect garbage so often that the peak of their memory is what they hold, on
// two cores, as each takes some.
func TestMemoryOfAMergeIsBoundedWhateverTheRuns(t *testing.T) {
	if slow > 1 || runtime.GOOS != "linux" {
		t.Skip("memory is measured without the race detector, on Linux")
	}
	if dir := os.Getenv("TIDELAKE_MERGE_IN"); dir != "" {
		mergeAndSayPeak(t, dir, os.Getenv("TIDELAKE_MERGE_BY"))
		return
	}
	bounded, free := fiftyRuns(t, "sort-spill-buffer-size", "8 mb"), fiftyRuns(t, "sort-spill-threshold", "100")
	for _, c := range []struct {
		by    string
		limit int64
	}{{"scan", 100 << 10}, {"compact", 130 << 10}} { // which writes, too, and leaves one run
		bounded, free := peakOf(t, bounded, c.by), peakOf(t, free, c.by)
		t.Logf("%s: %d MiB, and %d MiB with all runs at once", c.by, bounded>>10, free>>10)
		if bounded > c.limit || free < c.limit {
			t.Errorf("%s: %d KiB, and %d KiB with all runs at once; want the limit of %d KiB between them", c.by, bounded, free, c.limit)
		}
	}
}

// fiftyRuns makes a table with an option in a directory.
func fiftyRuns(t *testing.T, option, value string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	st, err := store.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	sc, err := schema.Definition{Columns: benchrows.Columns(12), PrimaryKey: []string{"id"}, Options: map[string]string{"bucket": "1", "write-only": "true", option: value}}.Table(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Create(ctx, st, sc); err != nil {
		t.Fatal(err)
	}
	parts, _ := world(t)
	tab := reopenIn(t, st, parts)
	w := newWriter(t, tab, "")
	g := benchrows.New(1, 1<<40, 12)
	as, err := schema.ArrowSchema(tab.Schema().Fields)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(50) {
		rec := g.Batch(as, 8000*i, 8000, memory.DefaultAllocator)
		err := errors.Join(w.Write(ctx, rec), w.CommitNext(ctx))
		rec.Release()
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// peakOf is the peak in KiB of a process that merges the runs of a table.
func peakOf(t *testing.T, dir, by string) int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "GOGC=10", "GOMAXPROCS=2", "TIDELAKE_MERGE_IN="+dir, "TIDELAKE_MERGE_BY="+by)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, said, _ := strings.Cut(string(out), "peak ")
	peak, err := strconv.ParseInt(strings.Fields(said + " ?")[0], 10, 64)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return peak
}

func mergeAndSayPeak(t *testing.T, dir, by string) {
	st, err := store.Open(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tab := reopenIn(t, st, table.Components{})
	if by == "compact" {
		_, err = tab.Compact(ctx, table.CompactOptions{Full: true})
	} else {
		var s *table.Scan
		if s, err = tab.Scan(ctx, table.ScanOptions{}); err == nil {
			for _, err = range s.Batches(ctx) {
				if err != nil {
					break
				}
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = io.WriteString(os.Stdout, "peak "+strings.Fields(rest)[0]+"\n")
}
