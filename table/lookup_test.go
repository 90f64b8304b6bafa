package table_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func openLookup(t testing.TB, tab *table.Table, o table.LookupOptions) *table.Lookup {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	l, err := tab.NewLookup(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(o.Dir, "*")); len(left) > 0 {
			t.Error("left behind:", left)
		}
	})
	return l
}

// jsonRows are the rows of a batch as JSON lines.
func jsonRows(t testing.TB, fields []schema.Field, rec arrow.RecordBatch) (rows []string) {
	t.Helper()
	enc, err := rowjson.NewEncoder(fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.Bind(rec); err != nil {
		t.Fatal(err)
	}
	for i := range int(rec.NumRows()) {
		rows = append(rows, string(enc.AppendRow(nil, i)))
	}
	return rows
}

// getAll looks keys given as JSON up, and gives each row as JSON, "" for an absent one.
func getAll(t testing.TB, l *table.Lookup, keys ...string) []string {
	t.Helper()
	d, err := rowjson.NewDecoder(l.KeyFields(), rowjson.Options{Alloc: memory.DefaultAllocator})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := d.Row([]byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	rec, _ := d.Flush()
	found, err := l.GetBatch(ctx, rec)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Release()
	rows := jsonRows(t, l.Fields(), found.Batch)
	out := make([]string, len(keys))
	last := int32(-1)
	for i, at := range found.At {
		if at >= 0 {
			if at <= last {
				t.Fatalf("rows are not in the order of the keys: %v", found.At)
			}
			last, out[i] = at, rows[at]
		}
	}
	return out
}

// lookupShapes are tables that a Lookup must answer for as a scan does.
var lookupShapes = []string{
	"", "sequence.field=v", "ignore-delete=true", "merge-engine=partial-update", "merge-engine=aggregation,fields.v.aggregate-function=sum,fields.v.ignore-retract=true,fields.w.ignore-retract=true",
	"lookup.cache.bloom.filter.enabled=false,lookup.cache-spill-compression=none", "cache-page-size=1 kb,lookup.cache-spill-compression=lz4",
}

// versionsOf makes random rows of keys, deletes among them where the engine takes them.
func versionsOf(r *rand.Rand, nth func(int) string, n int, shape string) (rows []string) {
	for range n {
		k := r.IntN(400)
		if k%5 == 0 {
			k++ // every fifth key is absent
		}
		kind := ""
		if r.IntN(6) == 0 && !strings.Contains(shape, "partial") {
			kind = `"_kind":"-D",`
		}
		rows = append(rows, fmt.Sprintf(`{%s%s,"v":%d,"w":%s}`, kind, nth(k), r.IntN(100), []string{`"w"`, "null", `"longer"`}[r.IntN(3)]))
	}
	return rows
}

func TestLookupAnswersAsAScanDoes(t *testing.T) {
	i := 0
	for _, name := range slices.Sorted(maps.Keys(keyKinds)) {
		for _, shape := range []string{lookupShapes[i%len(lookupShapes)], lookupShapes[(i+3)%len(lookupShapes)]} {
			i++
			t.Run(name+" "+shape, func(t *testing.T) {
				var options []string
				if shape != "" {
					options = strings.Split(shape, ",")
				}
				options = append(options, fmt.Sprintf("bucket=%d", 1+i%3))
				tab := create(t, store.NewMem(), keyedBy(name), options...)
				r := rand.New(rand.NewPCG(uint64(i), 9))
				nth := keyKinds[name].nth
				for level := 3; level >= 1; level-- {
					loadAt(t, tab, level, versionsOf(r, nth, 300, shape)...)
				}
				load(t, tab, versionsOf(r, nth, 100, shape)...)
				load(t, tab, versionsOf(r, nth, 50, shape)...)
				for _, warm := range []bool{false, true} {
					l := openLookup(t, tab, table.LookupOptions{MemoryBytes: []int64{1 << 20, 1}[r.IntN(2)]})
					if warm {
						if err := l.Warm(ctx); err != nil {
							t.Fatal(err)
						}
					}
					answersAsScan(t, tab, l, nth, r)
				}
			})
		}
	}
}

// answersAsScan proves that all keys, present and absent, get the rows of a scan.
func answersAsScan(t *testing.T, tab *table.Table, l *table.Lookup, nth func(int) string, r *rand.Rand) {
	t.Helper()
	want := map[string]string{}
	for _, row := range lines(t, tab, table.ScanOptions{}) {
		for n := range 401 {
			if strings.HasPrefix(row, "{"+nth(n)+",") {
				want["{"+nth(n)+"}"] = row
			}
		}
	}
	numbers := r.Perm(400)
	for len(numbers) > 0 {
		some := numbers[:min(len(numbers), 1+r.IntN(200))]
		numbers = numbers[len(some):]
		var keys []string
		for _, n := range some {
			keys = append(keys, "{"+nth(n)+"}")
		}
		keys = append(keys, keys[0])
		for i, row := range getAll(t, l, keys...) {
			if row != want[keys[i]] {
				t.Fatalf("%s is %q, a scan has %q", keys[i], row, want[keys[i]])
			}
		}
	}
}

const partitioned = `
columns: [{name: dt, type: STRING NOT NULL}, {name: a, type: INT NOT NULL}, {name: b, type: STRING NOT NULL}, {name: v, type: INT}]
primary-key: [a, dt, b]
partition-by: [dt]
options: {bucket: 3, write-only: true, bucket-key: a, parquet.page.size: 200, target-file-size: 5 kb}
`

func loadPartitioned(t testing.TB, tab *table.Table, r *rand.Rand, level int) {
	t.Helper()
	var rows []string
	for range 300 {
		kind := ""
		if r.IntN(6) == 0 {
			kind = `"_kind":"-D",`
		}
		rows = append(rows, fmt.Sprintf(`{%s"dt":"d%d","a":%d,"b":"b%d","v":%d}`, kind, r.IntN(3), r.IntN(20), r.IntN(12), r.IntN(1000)))
	}
	loadAt(t, tab, level, rows...)
}

func TestLookupOfPartitionsAndPrefixes(t *testing.T) {
	for _, option := range []string{"", "sequence.field=v", "bucket=1"} {
		tab := create(t, store.NewMem(), partitioned, strings.Fields(option)...)
		r := rand.New(rand.NewPCG(4, 4))
		for _, level := range []int{4, 2, 0, 0} {
			loadPartitioned(t, tab, r, level)
		}
		for _, warm := range []bool{false, true} {
			l := openLookup(t, tab, table.LookupOptions{})
			if warm {
				if err := l.Warm(ctx); err != nil {
					t.Fatal(err)
				}
			}
			all := lines(t, tab, table.ScanOptions{})
			for dt := range 4 {
				for a := range 21 {
					prefixAsScan(t, l, all, table.Row{"dt": fmt.Sprintf("d%d", dt), "a": a}, fmt.Sprintf(`{"dt":"d%d","a":%d,`, dt, a))
					key := fmt.Sprintf(`{"dt":"d%d","a":%d,"b":"b%d"`, dt, a, a%13)
					got := getAll(t, l, key+"}")[0]
					if i := slices.IndexFunc(all, func(row string) bool { return strings.HasPrefix(row, key+",") }); i < 0 && got != "" || i >= 0 && got != all[i] {
						t.Fatalf("%s is %q", key, got)
					}
				}
			}
			prefixAsScan(t, l, all, table.Row{"a": 7}, `,"a":7,`)
			prefixAsScan(t, l, all, table.Row{"a": 7, "b": "b1"}, `,"a":7,"b":"b1",`)
		}
	}
}

func prefixAsScan(t *testing.T, l *table.Lookup, all []string, prefix table.Row, part string) {
	t.Helper()
	var got, want []string
	for rec, err := range l.GetPrefix(ctx, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, jsonRows(t, l.Fields(), rec)...)
	}
	for _, row := range all {
		if strings.Contains(row, part) {
			want = append(want, row)
		}
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%v (-want +got):\n%s", prefix, d)
	}
}

func TestALookupOfAnEarlierSnapshotHasTheColumnsOfThatTime(t *testing.T) {
	for _, engine := range []string{"deduplicate", "partial-update"} {
		st := store.NewMem()
		tab := create(t, st, "{columns: [{name: k, type: INT NOT NULL}, {name: v, type: INT}, {name: s, type: INT}], primary-key: [k], options: {bucket: 1, merge-engine: "+engine+"}}")
		load(t, tab, `{"k":1,"v":2,"s":3}`)
		load(t, alter(t, st, "drop v", "rename s total"), `{"k":1,"total":4}`)
		now := reopen(t, st)
		for snapshot, want := range map[int64]string{1: `{"k":1,"v":2,"s":3}`, 2: `{"k":1,"total":4}`} {
			l := openLookup(t, now, table.LookupOptions{Snapshot: snapshot})
			found, err := l.GetRows(ctx, 1)
			if err != nil {
				t.Fatal(err)
			}
			if rows := jsonRows(t, l.Fields(), found.Batch); len(rows) != 1 || rows[0] != want {
				t.Errorf("%s, snapshot %d: %q, want %s", engine, snapshot, rows, want)
			}
			found.Release()
		}
	}
}

func TestLookupFollowsTheTable(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	l := openLookup(t, tab, table.LookupOptions{})
	get := func(want ...string) {
		t.Helper()
		if d := cmp.Diff(want, getAll(t, l, `{"k":1}`, `{"k":2}`)); d != "" {
			t.Error(d)
		}
	}
	get("", "")
	load(t, tab, `{"k":1,"v":"a"}`)
	get("", "")
	refresh := func() {
		t.Helper()
		if err := l.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	get(`{"k":1,"v":"a"}`, "")
	if err := l.Warm(ctx); err != nil {
		t.Fatal(err)
	}
	load(t, tab, `{"k":1,"v":"b"}`, `{"k":2,"v":"c"}`)
	load(t, tab, `{"_kind":"-D","k":2,"v":null}`)
	refresh()
	get(`{"k":1,"v":"b"}`, "")
	pinned := openLookup(t, tab, table.LookupOptions{Snapshot: 2})
	if err := pinned.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	if got := getAll(t, pinned, `{"k":2}`); got[0] != `{"k":2,"v":"c"}` {
		t.Error("snapshot 2 has", got)
	}
	young := openLookup(t, tab, table.LookupOptions{MaxAge: time.Nanosecond})
	load(t, tab, `{"k":2,"v":"d"}`)
	if got := getAll(t, young, `{"k":2}`); got[0] != `{"k":2,"v":"d"}` {
		t.Error("a Lookup with MaxAge has", got)
	}
}

func TestGetTakesAndGivesGoValues(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: BIGINT NOT NULL}, {name: d, type: DATE}, {name: l, type: ARRAY<STRING>}, {name: m, type: "MAP<STRING, INT>"}, {name: r, type: "ROW<x INT, y TIMESTAMP(3)>"}]
primary-key: [k]
options: {bucket: 2, write-only: true}
`)
	load(t, tab, `{"k":5,"d":"2026-03-04","l":["a",null],"m":[["x",1]],"r":{"x":7,"y":"2026-01-02T03:04:05.006"}}`)
	rows, err := tab.Get(ctx, 5, table.Row{"k": int64(6)}, struct{ K int }{5})
	if err != nil {
		t.Fatal(err)
	}
	want := table.Row{"k": int64(5), "d": time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), "l": []any{"a", nil}, "m": map[any]any{"x": int32(1)},
		"r": table.Row{"x": int32(7), "y": time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)}}
	if d := cmp.Diff([]table.Row{want, nil, want}, rows); d != "" {
		t.Error(d)
	}
	for _, key := range []any{nil, "text", table.Row{"d": 1}, table.Row{"k": nil}} {
		if _, err := tab.Get(ctx, key); err == nil {
			t.Errorf("key %v is taken", key)
		}
	}
}

func TestColdKeysCostOneReadOfKeysAndOneOfRows(t *testing.T) {
	counter := store.Counting(store.NewMem())
	tab := create(t, counter, "columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}, {name: w, type: STRING}]\nprimary-key: [k]\noptions: {bucket: 1, write-only: true, parquet.page.size: 4096, file.compression: none, parquet.enable.dictionary: false}\n")
	var rows []string
	for k := range 40_000 {
		rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"%016d","w":"w%d"}`, 2*k, k, k))
	}
	loadAt(t, tab, 3, rows...)
	l := openLookup(t, tab, table.LookupOptions{DiskBytes: 1})
	getAll(t, l, `{"k":1000}`) // opens the file
	cost := func(most int64, keys ...string) {
		t.Helper()
		before := counter.Counts()
		getAll(t, l, keys...)
		if n := counter.Counts().Sub(before).Requests(); n > most {
			t.Errorf("keys %v took %d requests, not %d", keys, n, most)
		}
	}
	cost(2, `{"k":60000}`)              // its key page, its rows
	cost(0, `{"k":60000}`)              // all in memory
	cost(1, `{"k":60001}`, `{"k":99}`)  // absent: at most a key page
	cost(0, `{"k":-1}`, `{"k":100000}`) // out of range
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLookup(t, tab, table.LookupOptions{})
	if err := l.Warm(ctx); err != nil {
		t.Fatal(err)
	}
	cost(0, `{"k":60000}`, `{"k":60001}`, `{"k":2}`)
}

func TestLocalFilesAreEvictedAndNeverOutliveTheLookup(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tidelake-local-crashed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tab := create(t, store.NewMem(), keyedBy("one number"), "lookup.cache-file-retention=1 ms")
	nth := keyKinds["one number"].nth
	r := rand.New(rand.NewPCG(4, 1))
	for level := 4; level >= 0; level-- {
		loadAt(t, tab, level, versionsOf(r, nth, 200, "")...)
	}
	l := openLookup(t, tab, table.LookupOptions{Dir: dir, DiskBytes: 20_000, MemoryBytes: 4000})
	for range 3 {
		if err := l.Warm(ctx); err != nil {
			t.Fatal(err)
		}
		answersAsScan(t, tab, l, nth, r)
	}
}

func TestLookupWhileTheTableChanges(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "bucket=2")
	load(t, tab, `{"k":1,"v":"0"}`, `{"k":2,"v":"0"}`)
	l := openLookup(t, tab, table.LookupOptions{MemoryBytes: 10_000})
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			last := ""
			for {
				select {
				case <-stop:
					return
				default:
				}
				rows, err := l.Get(ctx, 1, 2, 3)
				if err != nil || rows[0] == nil || rows[0]["v"] != rows[1]["v"] || rows[2] != nil || rows[0]["v"].(string) < last {
					t.Errorf("%v after %s, %v", rows, last, err)
					return
				}
				last = rows[0]["v"].(string)
			}
		})
	}
	for n := range 30 {
		load(t, tab, fmt.Sprintf(`{"k":1,"v":"%03d"}`, n), fmt.Sprintf(`{"k":2,"v":"%03d"}`, n))
		if err := l.Refresh(ctx); err != nil {
			t.Error(err)
		}
		if n%7 == 0 {
			if err := l.Warm(ctx); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	readers.Wait()
}
