package table_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// loadAt commits JSON rows into files of a level, which must not overlap what
// the level holds.
func loadAt(t testing.TB, tab *table.Table, level int, rows ...string) {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := write(t, w, tab, rows...); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range msgs {
		for j := range msgs[i].NewFiles {
			msgs[i].NewFiles[j].Level = level
		}
	}
	if err := w.Commit(ctx, 1, msgs); err != nil {
		t.Fatal(err)
	}
}

// liveFiles are the files of one bucket.
func liveFiles(t testing.TB, tab *table.Table, bucket int) (files []manifest.DataFile) {
	t.Helper()
	scan, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	splits, err := scan.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range splits {
		if s.Bucket == bucket {
			files = append(files, s.Files...)
		}
	}
	return files
}

// keyColumns are keys given as JSON objects.
func keyColumns(t testing.TB, tab *table.Table, keys ...string) []arrow.Array {
	t.Helper()
	d, err := rowjson.NewDecoder(tab.Schema().KeyFields(), rowjson.Options{Alloc: memory.DefaultAllocator})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := d.Row([]byte(k)); err != nil {
			t.Fatal(err)
		}
	}
	rec, _ := d.Flush()
	return rec.Columns()
}

// keyKinds are keys of every shape: how their columns are declared, and what
// makes the n-th of them.
var keyKinds = map[string]struct {
	columns, key string
	nth          func(n int) string
}{
	"one number":    {"[{name: k, type: BIGINT NOT NULL}]", "[k]", func(n int) string { return fmt.Sprintf(`"k":%d`, n*7-300) }},
	"one text":      {"[{name: k, type: STRING NOT NULL}]", "[k]", func(n int) string { return fmt.Sprintf(`"k":"%s%d"`, strings.Repeat("long", 20), n) }},
	"binary":        {"[{name: k, type: BYTES NOT NULL}]", "[k]", func(n int) string { return fmt.Sprintf(`"k":"%06x"`, n*31) }},
	"decimal":       {`[{name: k, type: "DECIMAL(30, 2) NOT NULL"}]`, "[k]", func(n int) string { return fmt.Sprintf(`"k":"%d.25"`, n*1_000_003-5_000_000) }},
	"double":        {"[{name: k, type: DOUBLE NOT NULL}]", "[k]", func(n int) string { return fmt.Sprintf(`"k":%d.5`, n-200) }},
	"two of few":    {"[{name: a, type: INT NOT NULL}, {name: k, type: BIGINT NOT NULL}]", "[a, k]", func(n int) string { return fmt.Sprintf(`"a":%d,"k":%d`, n/90, n%90) }},
	"text and date": {"[{name: a, type: STRING NOT NULL}, {name: k, type: DATE NOT NULL}]", "[a, k]", func(n int) string { return fmt.Sprintf(`"a":"t%d","k":"2026-01-%02d"`, n/28, n%28+1) }},
	"date and text": {"[{name: a, type: DATE NOT NULL}, {name: k, type: STRING NOT NULL}]", "[a, k]", func(n int) string { return fmt.Sprintf(`"a":"2026-01-%02d","k":"%d"`, n/28+1, n%28) }},
	"timestamp":     {`[{name: k, type: "TIMESTAMP(9) NOT NULL"}]`, "[k]", func(n int) string { return fmt.Sprintf(`"k":"2026-01-01T00:00:00.%09d"`, n*77) }},
}

// keyedBy is the definition of a table with a key of some kind and columns v
// (which write of the key's row it is) and w.
func keyedBy(kind string) string {
	k := keyKinds[kind]
	return "columns: " + strings.TrimSuffix(k.columns, "]") + ", {name: v, type: INT}, {name: w, type: STRING}]\nprimary-key: " + k.key +
		"\noptions: {bucket: 1, write-only: true, parquet.page.size: 200, target-file-size: 5 kb, write-buffer-size: 1 mb}\n"
}

func TestFinderFindsTheNewestVersionInTheLevels(t *testing.T) {
	for name, kind := range keyKinds {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), keyedBy(name))
			r := rand.New(rand.NewPCG(9, 9))
			newest := map[int]int{}
			for level := 4; level >= 1; level-- {
				var rows []string
				for n := range 400 {
					if r.IntN(4) == 0 && n%5 != 0 { // every fifth key is in no level
						newest[n] = level
						rows = append(rows, fmt.Sprintf(`{%s,"v":%d,"w":"w%d"}`, kind.nth(n), level, n))
					}
				}
				loadAt(t, tab, level, rows...)
			}
			for _, cacheBytes := range []int64{1 << 20, 0} {
				findAll(t, tab, kind.nth, newest, cacheBytes, r)
			}
		})
	}
}

func findAll(t *testing.T, tab *table.Table, nth func(int) string, newest map[int]int, cacheBytes int64, r *rand.Rand) {
	t.Helper()
	files := liveFiles(t, tab, 0)
	f, err := table.NewFinder(ctx, tab, 0, files, cacheBytes)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	numbers := r.Perm(400)
	if cacheBytes > 0 {
		slices.Sort(numbers)
	}
	for len(numbers) > 0 {
		some := numbers[:min(len(numbers), 1+r.IntN(150))]
		numbers = numbers[len(some):]
		var keys []string
		for _, n := range some {
			keys = append(keys, "{"+nth(n)+"}")
		}
		places, err := f.Newest(ctx, keyColumns(t, tab, keys...), nil)
		if err != nil {
			t.Fatal(err)
		}
		var there []table.Place
		var want []string
		for i, n := range some {
			if newest[n] == 0 {
				if places[i].File >= 0 {
					t.Fatalf("absent key %s is at %v", keys[i], places[i])
				}
				continue
			}
			if places[i].File < 0 {
				t.Fatalf("key %s was not found", keys[i])
			}
			if level := files[places[i].File].Level; level != newest[n] {
				t.Fatalf("key %s found in level %d, is in %d", keys[i], level, newest[n])
			}
			there = append(there, places[i])
			want = append(want, fmt.Sprintf(`{"v":%d,"w":"w%d"}`, newest[n], n))
		}
		expectFetched(t, tab, f, there, want)
	}
}

func expectFetched(t *testing.T, tab *table.Table, f *table.Finder, places []table.Place, want []string) {
	t.Helper()
	fields, err := tab.Schema().FieldsByName([]string{"v", "w"})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := f.Fetch(ctx, places, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	enc, err := rowjson.NewEncoder(append([]schema.Field{{Name: "_SEQUENCE_NUMBER", Type: schema.Type{Kind: schema.BigInt}},
		{Name: "_VALUE_KIND", Type: schema.Type{Kind: schema.TinyInt}}}, fields...))
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.Bind(rec); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if got := string(enc.AppendRow(nil, i)); !strings.HasSuffix(got, w[1:]) {
			t.Fatalf("row %d is %s, want %s", i, got, w)
		}
	}
}

func TestFinderPassesOverRowsThatAreGone(t *testing.T) {
	tab := create(t, store.NewMem(), keyedBy("one number"))
	nth := keyKinds["one number"].nth
	loadAt(t, tab, 2, "{"+nth(1)+`,"v":1}`, "{"+nth(2)+`,"v":1}`)
	loadAt(t, tab, 1, "{"+nth(1)+`,"v":2}`, "{"+nth(2)+`,"v":2}`)
	files := liveFiles(t, tab, 0)
	f, err := table.NewFinder(ctx, tab, 0, files, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	places, err := f.Newest(ctx, keyColumns(t, tab, "{"+nth(1)+"}", "{"+nth(2)+"}", "{"+nth(1)+"}"), func(file int32, row int64) bool {
		return files[file].Level == 1 && row == 0
	})
	if err != nil {
		t.Fatal(err)
	}
	if files[places[0].File].Level != 2 || files[places[1].File].Level != 1 || places[2] != places[0] {
		t.Errorf("found at %v", places)
	}
}
