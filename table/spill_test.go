package table_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// spillingIn opens the table in st with temporary files in dir.
func spillingIn(t *testing.T, st store.Store, dir string) *table.Table {
	t.Helper()
	parts, _ := world(t)
	tab, err := table.Open(ctx, st, "db.t", table.Settings{TempDir: dir}, parts)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// storedRows are the rows of all files as they lie there, with key columns,
// sequence numbers and kinds, bucket after bucket, and how many files they are in.
func storedRows(t *testing.T, st store.Store, tab *table.Table) (rows []string, files int) {
	t.Helper()
	places := map[string]string{}
	for _, path := range dataFiles(t, st) {
		places[filepath.Base(path)] = path
	}
	for f, err := range tab.Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		files++
		rows = append(rows, fmt.Sprint(f.Bucket, " ", f.MinSequence, " ", f.MaxSequence, " ", f.Rows))
		rows = append(rows, rowsOfFile(t, st, tab, places[f.Name])...)
	}
	return rows, files
}

func rowsOfFile(t *testing.T, st store.Store, tab *table.Table, path string) (rows []string) {
	t.Helper()
	obj, err := st.Open(ctx, path, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer obj.Close()
	r, err := datafile.Open(ctx, obj, path, datafile.ReaderOptions{Format: "parquet", Fields: tab.Schema().FileFields(tab.Options().ThinMode), Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			var cells []string
			for c, col := range rec.Columns() {
				cells = append(cells, rec.ColumnName(c)+"="+col.ValueStr(i))
			}
			rows = append(rows, strings.Join(cells, " "))
		}
		rec.Release()
	}
}

// Rows, sequence numbers and kinds are those of one large buffer, whatever
// the engine and however the rows went to disk and came back.
func TestSpilledRowsAreThoseOfOneFlush(t *testing.T) {
	for _, engine := range slices.Sorted(maps.Keys(engines)) {
		fewer := 0
		for seed := range uint64(12 / slow) {
			t.Run(fmt.Sprint(engine, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 11))
				m, makers := drawTable(r, engine)
				rule, err := newRules(m)
				if err != nil {
					t.Fatal(err)
				}
				var parts [][]string
				for range 60 {
					if err := rule.begin(metaStep{Do: "write"}); err != nil {
						t.Fatal(err)
					}
					parts = append(parts, drawRows(r, makers, rule, nil))
				}
				config := map[string]string{"bucket": oneOf(r, "1", "3"), "write-only": "true", "data-file.thin-mode": oneOf(r, "true", "false")}
				if engine != "first-row" {
					config["changelog-producer"] = oneOf(r, "none", "input")
				}
				want, _ := spilled(t, m, config, parts)
				config["write-buffer-size"] = oneOf(r, "1 b", "1 kb", "10 kb")
				config["local-sort.max-num-file-handles"] = oneOf(r, "2", "3", "7", "128")
				config["spill-compression"] = oneOf(r, "zstd", "lz4", "none")
				got, files := spilled(t, m, config, parts)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				config["write-buffer-spillable"] = "false"
				if _, more := spilled(t, m, config, parts); more > files {
					fewer++
				}
			})
		}
		if fewer < 6/slow {
			t.Errorf("%s: only %d cases spilled", engine, fewer)
		}
	}
}

// spilled writes parts as one commit.
func spilled(t *testing.T, m metaTable, config map[string]string, parts [][]string) ([]string, int) {
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
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	rows, files := storedRows(t, st, tab)
	if config["changelog-producer"] == "input" {
		rows = append(rows, changesAsStored(t, tab, 1)...)
	}
	return rows, files
}

// changesAsStored are the changes of a snapshot with their sequence numbers.
func changesAsStored(t *testing.T, tab *table.Table, id int64) (rows []string) {
	t.Helper()
	s, err := tab.Stream(ctx, table.StreamOptions{Snapshot: id, UntilSnapshot: id, SequenceNumbers: true})
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			var cells []string
			for _, col := range rec.Columns() {
				cells = append(cells, col.ValueStr(i))
			}
			rows = append(rows, strings.Join(cells, " "))
		}
	}
	if len(rows) == 0 {
		t.Error("no changes")
	}
	return rows
}

const spilling = "columns: [{name: k, type: INT NOT NULL}, {name: v, type: STRING}]\nprimary-key: [k]\noptions: {bucket: 2, write-only: true, write-buffer-size: 2 kb}"

// fill writes numbered rows and returns those that are new.
func fill(t *testing.T, w *table.Writer, tab *table.Table, from, to int) (rows []string) {
	t.Helper()
	for i := from; i < to; i++ {
		rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"value %d"}`, i, i))
	}
	for part := range slices.Chunk(rows, 10) {
		if err := write(t, w, tab, part...); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func TestADiskThatFillsUpCostsNoRow(t *testing.T) {
	for name, spoil := range map[string]func(w *table.Writer) int64{
		"while rows are spilled": table.FillDisk,
		"never":                  func(*table.Writer) int64 { return 1 },
	} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			create(t, st, spilling)
			tab := spillingIn(t, st, t.TempDir())
			w := newWriter(t, tab, "")
			want := fill(t, w, tab, 0, 400)
			if spoil(w) == 0 {
				t.Fatal("nothing was spilled: the test proves nothing")
			}
			want = append(want, fill(t, w, tab, 400, 1000)...)
			if err := w.CommitNext(ctx); err != nil {
				t.Fatal(err)
			}
			expect(t, tab, table.ScanOptions{}, want...)
			sound(t, tab)
			if _, files := storedRows(t, st, tab); (files > 2) != (name != "never") {
				t.Errorf("%d files", files)
			}
		})
	}
}

func TestWithoutRoomRowsAreFlushed(t *testing.T) {
	for name, option := range map[string]string{"budget": "write-buffer-spill.max-disk-size=1 kb", "directory": "write-buffer-spill.max-disk-size=1 gb"} {
		t.Run(name, func(t *testing.T) {
			st, dir := store.NewMem(), t.TempDir()
			if name == "directory" {
				dir = filepath.Join(dir, "missing")
			}
			create(t, st, spilling, option)
			tab := spillingIn(t, st, dir)
			w := newWriter(t, tab, "")
			want := fill(t, w, tab, 0, 1000)
			if err := w.CommitNext(ctx); err != nil {
				t.Fatal(err)
			}
			expect(t, tab, table.ScanOptions{}, want...)
			if _, files := storedRows(t, st, tab); files < 4 {
				t.Errorf("only %d files", files)
			}
		})
	}
}

// What one commit has used serves the next one.
func TestRoomOnDiskComesBackWithEveryCommit(t *testing.T) {
	st := store.NewMem()
	create(t, st, spilling, "write-buffer-spill.max-disk-size=30 kb")
	tab := spillingIn(t, st, t.TempDir())
	w := newWriter(t, tab, "")
	var want []string
	for i := range 8 {
		want = append(want, fill(t, w, tab, 300*i, 300*(i+1))...)
		if err := w.CommitNext(ctx); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, tab, table.ScanOptions{}, want...)
	if _, files := storedRows(t, st, tab); files != 16 {
		t.Errorf("%d files, not one for each bucket and commit", files)
	}
}

func TestTemporaryFilesVanish(t *testing.T) {
	dir := t.TempDir()
	crashed := filepath.Join(dir, "tidelake-local-crashed")
	other := filepath.Join(dir, "somebody-elses")
	for _, path := range []string{crashed, other} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	st := store.NewMem()
	create(t, st, spilling)
	tab := spillingIn(t, st, dir)
	w := newWriter(t, tab, "")
	fill(t, w, tab, 0, 400)
	if table.FillDisk(w) == 0 {
		t.Fatal("nothing was spilled: the test proves nothing")
	}
	if n := openIn(t, dir); runtime.GOOS == "linux" && n != 1 {
		t.Errorf("%d open files", n)
	}
	if err := w.Close(); err != nil { // with rows that nobody prepared
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != filepath.Base(other) {
		t.Error(left, err)
	}
	if n := openIn(t, dir); n != 0 {
		t.Errorf("%d files are open still", n)
	}
}

// openIn counts the files of a directory that this process has open.
func openIn(t *testing.T, dir string) (n int) {
	t.Helper()
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // as the system names it
	}
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if path, err := os.Readlink(link); err == nil && strings.HasPrefix(path, dir) {
			n++
		}
	}
	return n
}

func TestSpillingEndsWithItsContext(t *testing.T) {
	st := store.NewMem()
	create(t, st, spilling)
	tab := spillingIn(t, st, t.TempDir())
	w := newWriter(t, tab, "")
	fill(t, w, tab, 0, 200)
	over, cancel := context.WithCancel(ctx)
	cancel()
	rec, kinds := batch(t, tab.Schema().Fields, memory.DefaultAllocator, `{"k":1,"v":"`+strings.Repeat("x", 5000)+`"}`)
	defer rec.Release()
	if err := w.WriteKinds(over, rec, kinds); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// The index of keys that move between partitions lies in the table's
// directory for temporary files, not in the system's.
func TestIndexOfKeysLiesInTheTempDir(t *testing.T) {
	st := store.NewMem()
	create(t, st, crossing, "lookup.cache-max-memory-size=1 b")
	missing := filepath.Join(t.TempDir(), "missing")
	tab := spillingIn(t, st, missing)
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = write(t, w, tab, `{"p":"a","q":1,"k":1,"v":"x","n":1}`, `{"p":"a","q":1,"k":2,"v":"x","n":1}`)
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing directory for temporary files: %v", err)
	}
}
