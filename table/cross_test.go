package table_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

const crossing = `
columns: [{name: p, type: STRING NOT NULL}, {name: q, type: INT}, {name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}, {name: n, type: BIGINT}]
primary-key: [k]
partition-by: [p, q]
options: {bucket: -1, dynamic-bucket.target-row-num: 3, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms, num-sorted-run.compaction-trigger: 3}
`

// crossRow is a row of that table. Pointers are columns that may be null.
type crossRow struct {
	Kind string  `json:"_kind,omitempty"`
	P    string  `json:"p"`
	Q    *int    `json:"q"`
	K    int     `json:"k"`
	V    *string `json:"v"`
	N    *int    `json:"n"`
}

func (r crossRow) String() string {
	data, _ := json.Marshal(r)
	return string(data)
}

// crossModel is what rows one after the other make of the table, by key.
type crossModel map[int]crossRow

func (m crossModel) add(engine string, r crossRow) {
	old, known := m[r.K]
	kind := r.Kind
	r.Kind = ""
	switch {
	case engine == "deduplicate" && kind == "-D":
		delete(m, r.K)
	case engine == "deduplicate" || !known:
		m[r.K] = r
	case engine == "partial-update":
		if r.V != nil {
			old.V = r.V
		}
		if r.N != nil {
			old.N = r.N
		}
		m[r.K] = old
	case engine == "aggregation":
		if old.N == nil {
			old.N = r.N
		} else if r.N != nil {
			sum := *old.N + *r.N
			old.N = &sum
		}
		if r.V != nil {
			old.V = r.V
		}
		m[r.K] = old
	}
}

func (m crossModel) lines() []string {
	var out []string
	for _, r := range m {
		out = append(out, r.String())
	}
	return out
}

func randomCrossRow(r *rand.Rand, engine string) crossRow {
	row := crossRow{P: string(rune('a' + r.IntN(3))), K: r.IntN(25)}
	if n := r.IntN(3); n > 0 {
		row.Q = &n
	}
	if r.IntN(3) > 0 {
		v := fmt.Sprint("v", r.IntN(1000))
		row.V = &v
	}
	if n := r.IntN(1000); r.IntN(3) > 0 {
		row.N = &n
	}
	if engine == "deduplicate" {
		row.Kind = []string{"", "", "", "", "-D", "+U"}[r.IntN(6)]
	}
	return row
}

// crossOptions are those of a table with a merge engine.
func crossOptions(engine string) []string {
	o := []string{"merge-engine=" + engine}
	if engine == "aggregation" {
		o = append(o, "fields.n.aggregate-function=sum")
	}
	return o
}

// Keys move between partitions, several times in a batch too, by writers that
// follow each other or go on; the table is always that of the map.
func TestKeysMoveBetweenPartitions(t *testing.T) {
	for _, engine := range []string{"deduplicate", "partial-update", "aggregation", "first-row"} {
		for seed := range uint64(12) {
			t.Run(fmt.Sprint(engine, seed), func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 5))
				st := store.NewMem()
				options := crossOptions(engine)
				if seed%2 == 0 {
					options = append(options, "write-only=true")
				}
				hidden := engine == "first-row" // until rows are compacted
				if engine == "deduplicate" && seed%4 == 3 {
					options, hidden = append(options, "deletion-vectors.enabled=true"), true
				}
				if seed%3 == 0 { // most of the index lies on disk
					options = append(options, "lookup.cache-max-memory-size=300 b")
				}
				tab := create(t, st, crossing, options...)
				w, model := newCompactingWriter(t, tab), crossModel{}
				for range 12 {
					if r.IntN(3) == 0 {
						tab = reopen(t, st)
						w = newCompactingWriter(t, tab)
					}
					for range 1 + r.IntN(3) {
						var rows []string
						for range r.IntN(30) {
							row := randomCrossRow(r, engine)
							model.add(engine, row)
							rows = append(rows, row.String())
						}
						if err := write(t, w, tab, rows...); err != nil {
							t.Fatal(err)
						}
					}
					if err := w.CommitNext(ctx); err != nil {
						t.Fatal(err)
					}
					if !hidden {
						expect(t, tab, table.ScanOptions{}, model.lines()...)
					}
				}
				if hidden {
					if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
						t.Fatal(err)
					}
				}
				expect(t, tab, table.ScanOptions{}, model.lines()...)
				storedInTheirPartitions(t, tab, st)
				sound(t, tab)
			})
		}
	}
}

func newCompactingWriter(t *testing.T, tab *table.Table) *table.Writer {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{WaitCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// storedInTheirPartitions proves that files hold the partition columns of the
// directory that they lie in: readers here take them from there, but not all do.
func storedInTheirPartitions(t *testing.T, tab *table.Table, st store.Store) {
	t.Helper()
	latest, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for f, err := range tab.Files(ctx, latest) {
		if err != nil {
			t.Fatal(err)
		}
		data, err := st.ReadAll(ctx, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := pqarrow.ReadTable(ctx, bytes.NewReader(data), nil, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"p", "q"} {
			for _, chunk := range stored.Column(stored.Schema().FieldIndices(name)[0]).Data().Chunks() {
				for row := range chunk.Len() {
					text := name + "=" + chunk.ValueStr(row)
					if chunk.IsNull(row) {
						text = name + "=__DEFAULT_PARTITION__"
					}
					if text != f.Partition[i] {
						t.Fatalf("%s holds a row of %s", f.Path, text)
					}
				}
			}
		}
		stored.Release()
	}
}

func at(p string, k int, v string) string {
	return fmt.Sprintf(`{"p":"%s","q":1,"k":%d,"v":"%s","n":1}`, p, k, v)
}

func TestNewKeysFillBucketsInOrder(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, crossing, "write-only=true")
	var rows, moved []string
	for k := range 7 {
		rows = append(rows, at("a", k, "1"))
	}
	load(t, tab, rows...)
	if got := buckets(t, tab)["a"]; got != 3 {
		t.Errorf("7 keys in %d buckets of 3", got)
	}
	for k := range 4 { // leaves room in the first two buckets
		moved = append(moved, at("b", k, "2"))
	}
	tab = reopen(t, st)
	load(t, tab, moved...)
	load(t, reopen(t, st), at("a", 10, "3"), at("a", 11, "3"), at("a", 12, "3"), at("a", 13, "3"))
	if got := buckets(t, tab); got["a"] != 3 || got["b"] != 2 {
		t.Errorf("buckets %v", got)
	}
	expect(t, tab, table.ScanOptions{}, append(append(moved, rows[4:]...), at("a", 10, "3"), at("a", 11, "3"), at("a", 12, "3"), at("a", 13, "3"))...)
	sound(t, tab)
}

func TestTwoWritersOfMovingKeysConflict(t *testing.T) {
	tab := create(t, store.NewMem(), crossing, "write-only=true")
	one, two := newWriter(t, tab, "one"), newWriter(t, tab, "two")
	if err := errors.Join(write(t, one, tab, at("a", 1, "1")), write(t, two, tab, at("b", 1, "2"))); err != nil {
		t.Fatal(err)
	}
	if err := one.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	failsWith(t, two.CommitNext(ctx), table.ErrConflict, "user one", "snapshot 1", "only one writer")
	failsWith(t, write(t, two, tab, at("c", 1, "3")), table.ErrConflict, "identifier 1", "new writer")
	expect(t, tab, table.ScanOptions{}, at("a", 1, "1"))
}

func TestWritersOfMovingKeysMayTakeTurns(t *testing.T) {
	tab := create(t, store.NewMem(), crossing, "write-only=true")
	one, two := newWriter(t, tab, "one"), newWriter(t, tab, "two")
	for i := range 3 {
		commit(t, one, tab, at("a", 1, fmt.Sprint(i)), at("b", i, "x"))
		commit(t, two, tab, at("b", 1, fmt.Sprint(i)), at("c", i, "x"))
	}
	expect(t, tab, table.ScanOptions{}, at("b", 1, "2"), at("c", 0, "x"), at("c", 2, "x"))
	c, err := tab.NewCommitter(ctx, "dropper")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DropPartitions(ctx, 1, table.Row{"p": "c"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	commit(t, one, tab, at("a", 0, "y"))
	expect(t, tab, table.ScanOptions{}, at("b", 1, "2"), at("a", 0, "y"))
	sound(t, tab)
}

// A commit of rows that change nothing left the writer with what it had seen
// before them, and the next one conflicted with whatever came between.
func TestAWriterOfMovingKeysLooksAgainAfterACommitOfNothing(t *testing.T) {
	tab := create(t, store.NewMem(), crossing, "write-only=true", "merge-engine=first-row")
	w := newWriter(t, tab, "u")
	commit(t, w, tab, at("a", 1, "1"))
	commit(t, w, tab, at("b", 1, "2")) // the first row stays
	c, err := tab.NewCommitter(ctx, "dropper")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DropPartitions(ctx, 1, table.Row{"p": "c"}); err != nil {
		t.Fatal(err)
	}
	commit(t, w, tab, at("b", 2, "3"))
}

// What one writer prepares is committed whole and in order, by whom it may be.
func TestPreparedMovesAreCommittedInOrder(t *testing.T) {
	tab := create(t, store.NewMem(), crossing, "write-only=true")
	w := newWriter(t, tab, "u")
	var prepared [][]table.CommitMessage
	for i := range 4 {
		if err := write(t, w, tab, at(string(rune('a'+i)), 1, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, int64(i+1))
		if err != nil {
			t.Fatal(err)
		}
		data, err := table.MarshalMessages(msgs)
		if err != nil {
			t.Fatal(err)
		}
		if msgs, err = table.UnmarshalMessages(data); err != nil {
			t.Fatal(err)
		}
		prepared = append(prepared, msgs)
	}
	elsewhere, err := tab.NewCommitter(ctx, "u")
	if err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.Commit(ctx, 1, prepared[0]); err != nil {
		t.Fatal(err)
	}
	failsWith(t, elsewhere.Commit(ctx, 3, prepared[2]), table.ErrConflict, "identifier 2", "not committed")
	for i := 1; i < 4; i++ {
		if err := w.Commit(ctx, int64(i+1), prepared[i]); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, w, tab, at("a", 1, "last"))
	expect(t, tab, table.ScanOptions{}, at("a", 1, "last"))
	sound(t, tab)
}

func TestMovingKeysBeyondMemoryAndDiskAreRefused(t *testing.T) {
	tab := create(t, store.NewMem(), crossing, "lookup.cache-max-memory-size=200 b", "lookup.cache-max-disk-size=1 b")
	w := newWriter(t, tab, "u")
	failsWith(t, write(t, w, tab, at("a", 1, ""), at("a", 2, ""), at("a", 3, ""), at("a", 4, "")), table.ErrUnsupported, "lookup.cache-max-disk-size")
}

func TestWhatMovingKeysDoNotTake(t *testing.T) {
	tab := create(t, store.NewMem(), crossing, "ignore-delete=true")
	_, err := tab.NewWriter(ctx, table.WriterOptions{})
	failsWith(t, err, table.ErrUnsupported, "ignore-delete")
	tab = create(t, store.NewMem(), crossing)
	_, err = tab.NewWriter(ctx, table.WriterOptions{Overwrite: true})
	failsWith(t, err, table.ErrUnsupported, "overwrite", "truncate")
}

// A key whose file is older than the index keeps places is new again, to a new
// writer and to one that lives on.
func TestKeysOfOldFilesAreForgotten(t *testing.T) {
	for name, renew := range map[string]bool{"a new writer": true, "the same writer": false} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			parts, _ := world(t)
			clock := stopped(&parts, noon)
			create(t, st, crossing, "write-only=true", "cross-partition-upsert.index-ttl=1 h")
			tab := reopenIn(t, st, parts)
			w := newWriter(t, tab, "u")
			step := func(after time.Duration, rows ...string) {
				t.Helper()
				clock.pass(after)
				if renew {
					w = newWriter(t, tab, "u")
				}
				commit(t, w, tab, rows...)
			}
			step(0, at("a", 1, "1"), at("z", 2, "1"))
			step(30*time.Minute, at("b", 1, "2"))
			expect(t, tab, table.ScanOptions{}, at("z", 2, "1"), at("b", 1, "2"))
			step(31*time.Minute, at("c", 1, "3"), at("b", 2, "3"))
			expect(t, tab, table.ScanOptions{}, at("z", 2, "1"), at("c", 1, "3"), at("b", 2, "3"))
			step(time.Minute, at("d", 2, "4")) // which is in two partitions
			expect(t, tab, table.ScanOptions{}, at("z", 2, "1"), at("c", 1, "3"), at("d", 2, "4"))
			step(2*time.Hour, at("e", 1, "5"))
			expect(t, tab, table.ScanOptions{}, at("z", 2, "1"), at("c", 1, "3"), at("d", 2, "4"), at("e", 1, "5"))
		})
	}
}

// Two writers of Paimon at one time leave a key in two partitions.
func TestAKeyInTwoPartitionsIsFound(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, crossing, "write-only=true")
	w := newWriter(t, tab, "u")
	if err := write(t, w, tab, at("a", 1, "1")); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	load(t, tab, at("b", 1, "2"))
	msgs[0].KeyBase.Snapshot = 1
	if err := w.Commit(ctx, 1, msgs); err != nil {
		t.Fatal(err)
	}
	failsWith(t, write(t, newWriter(t, tab, "v"), tab, at("c", 1, "3")), table.ErrCorrupt, "more than one writer")
}
