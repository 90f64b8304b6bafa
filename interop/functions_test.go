//go:build interop

package interop

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/bitmap"
	"github.com/tidelake/tidelake/internal/sketch"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// largeFunction is an aggregate function over values of any size, with random
// values for it.
type largeFunction struct {
	name, typ string
	options   map[string]string // of the column
	retracts  bool
	value     func(r *rand.Rand, s sets) string // JSON
	grouped   bool                              // in a sequence group of partial-update, where values come late
}

var largeFunctions = []largeFunction{
	{name: "listagg", typ: "STRING", value: words(" ")},
	{name: "listagg", typ: "STRING", options: map[string]string{"list-agg-delimiter": "; ", "distinct": "true"}, value: words("; ")},
	{name: "collect", typ: "ARRAY<INT>", retracts: true, value: someOf(digit, 4)},
	{name: "collect", typ: "ARRAY<STRING>", options: map[string]string{"distinct": "true"}, value: someOf(aWord, 4)},
	{name: "collect", typ: "ARRAY<ROW<k INT, v STRING>>", options: map[string]string{"distinct": "true"}, value: someOf(nestedRow, 3)},
	{name: "merge_map", typ: "MAP<STRING, INT>", retracts: true, value: entriesOf(aWord, digit)},
	{name: "merge_map_with_keytime", typ: "MAP<INT, ROW<v INT, ts STRING>>", value: entriesOf(digit, timedRow)},
	{name: "nested_update", typ: "ARRAY<ROW<k INT, v STRING>>", value: someOf(nestedRow, 3)},
	{name: "nested_update", typ: "ARRAY<ROW<k INT, v STRING>>", options: map[string]string{"nested-key": "k"}, retracts: true, value: someOf(nestedRow, 3)},
	{name: "nested_update", typ: "ARRAY<ROW<k INT, v STRING>>", options: map[string]string{"count-limit": "3"}, value: someOf(nestedRow, 3)},
	{name: "nested_partial_update", typ: "ARRAY<ROW<k INT, v STRING>>", options: map[string]string{"nested-key": "k"}, value: someOf(nestedRow, 3)},
	{name: "rbm32", typ: "BYTES", value: oneOfBoth},
	{name: "rbm64", typ: "BYTES", value: oneOfBoth},
	{name: "hll_sketch", typ: "BYTES", value: oneOfBoth},
	{name: "theta_sketch", typ: "BYTES", value: oneOfBoth},
}

func digit(r *rand.Rand) string { return strconv.Itoa(r.IntN(6)) }
func aWord(r *rand.Rand) string { return pick(r, `"a"`, `"b"`, `"cc"`, `"ä€"`, `""`) }
func nestedRow(r *rand.Rand) string {
	return fmt.Sprintf(`{"k":%s,"v":%s}`, pick(r, "1", "2", "3"), pick(r, aWord(r), "null"))
}
func timedRow(r *rand.Rand) string {
	return pick(r, "null", fmt.Sprintf(`{"v":%s,"ts":%s}`, digit(r), pick(r, "null", `"2024-01-01"`, `"2024-01-02"`, `"2024-02-01 10:00"`)))
}

func words(delimiter string) func(*rand.Rand, sets) string {
	return func(r *rand.Rand, _ sets) string {
		var parts []string
		for range r.IntN(3) {
			parts = append(parts, strings.Trim(aWord(r), `"`))
		}
		return strconv.Quote(strings.Join(parts, delimiter))
	}
}

func someOf(element func(*rand.Rand) string, most int) func(*rand.Rand, sets) string {
	return func(r *rand.Rand, _ sets) string {
		var parts []string
		for range r.IntN(most + 1) {
			parts = append(parts, element(r))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
}

func entriesOf(key, value func(*rand.Rand) string) func(*rand.Rand, sets) string {
	return func(r *rand.Rand, _ sets) string {
		var parts []string
		seen := map[string]bool{}
		for range r.IntN(4) {
			if k := key(r); !seen[k] {
				parts = append(parts, "["+k+","+value(r)+"]")
				seen[k] = true
			}
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
}

// oneOfBoth is a serialised set that Java made, or this library.
func oneOfBoth(r *rand.Rand, s sets) string {
	if r.IntN(2) == 0 {
		b, _ := s.random(r)
		return strconv.Quote(hex.EncodeToString(b))
	}
	var b []byte
	var err error
	from, n := uint64(r.IntN(1000)), r.IntN(300)
	switch s.kind {
	case "rbm32":
		bm := roaring.New()
		bm.AddRange(from, from+uint64(n))
		b, err = bitmap.Write32(bm)
	case "rbm64":
		bm := roaring64.New()
		for i := range uint64(n) {
			bm.Add(from + i<<(i%40))
		}
		b, err = bitmap.Write64(bm)
	default:
		values := make([]int64, n)
		for i := range values {
			values[i] = int64(from) + int64(i)
		}
		var h sketch.HLL
		if h, err = sketch.NewHLL(values...); err == nil {
			b, err = h.Bytes()
		}
		if s.kind == "theta_sketch" {
			b, err = s.bytes("--from", strconv.FormatUint(from, 10), "--count", strconv.Itoa(n)), nil
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return strconv.Quote(hex.EncodeToString(b))
}

func (f largeFunction) definition() string {
	options := map[string]string{"bucket": "1", "merge-engine": "aggregation", "num-sorted-run.compaction-trigger": "3", "fields.v.aggregate-function": f.name}
	if f.grouped {
		options["merge-engine"], options["fields.s.sequence-group"] = "partial-update", "v"
	}
	for k, v := range f.options {
		options["fields.v."+k] = v
	}
	d, _ := json.Marshal(map[string]any{
		"columns": []map[string]string{{"name": "id", "type": "INT NOT NULL"}, {"name": "s", "type": "INT"}, {"name": "v", "type": f.typ}},
		"pk":      []string{"id"}, "options": options})
	return string(d)
}

// same brings lines of rows to one form: arrays in any order, bitmaps as their
// values, HLL sketches without what depends on the order of unions.
func (f largeFunction) same(t *testing.T, lines []string) []string {
	t.Helper()
	out := make([]string, len(lines))
	for i, line := range lines {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if text, ok := row["v"].(string); ok {
			row["v"] = f.values(t, text)
		}
		if a, ok := row["v"].([]any); ok {
			slices.SortFunc(a, func(x, y any) int { return strings.Compare(fmt.Sprint(x), fmt.Sprint(y)) })
		}
		out[i] = fmt.Sprint(row["id"], " ", row["s"], " ", row["v"])
	}
	slices.Sort(out)
	return out
}

// values are those of a bitmap, or the text itself. A sketch that unions made
// keeps an estimate by the order of what it saw, which nobody reads any more.
func (f largeFunction) values(t *testing.T, text string) any {
	t.Helper()
	if f.name == "hll_sketch" && strings.HasPrefix(text, "0a") {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if outOfOrder := b[5]&0x10 != 0; outOfOrder {
			return hex.EncodeToString(slices.Delete(b, 8, 16))
		}
	}
	if f.name != "rbm32" && f.name != "rbm64" {
		return text
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if f.name == "rbm32" {
		bm, err := bitmap.Read32(b)
		if err != nil {
			t.Fatal(err)
		}
		return bm.ToArray()
	}
	bm, err := bitmap.Read64(b)
	if err != nil {
		t.Fatal(err)
	}
	return bm.ToArray()
}

// TestBothWriteAndCompactLargeFunctions lets both sides write, in turn, a table
// that both compact on the way, and compares what they read after each commit.
func TestBothWriteAndCompactLargeFunctions(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	cat, err := catalog.Open(ctx, dir, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	if err := cat.CreateDatabase(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	both := slices.Clone(largeFunctions)
	for _, f := range largeFunctions {
		f.grouped = true
		both = append(both, f)
	}
	for i, f := range both {
		name := strings.Join([]string{f.name, strconv.Itoa(i)}, "_")
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(run.seed, uint64(i)))
			w := &world{t: t, dir: dir, cat: cat, id: catalog.Identifier{Database: "r", Table: name}, rand: &randomTable{}}
			w.java = &peer{server: run.java.take(t), dir: dir}
			f.turns(w, r)
			if t.Failed() {
				t.Logf("TIDELAKE_INTEROP_SEED=%d, %s", run.seed, f.definition())
			}
		})
	}
}

func (f largeFunction) turns(w *world, r *rand.Rand) {
	w.t.Helper()
	if r.IntN(2) == 0 {
		w.javaRuns("create", "--schema", w.file([]string{f.definition()}))
	} else {
		def, err := schema.ParseDefinition([]byte(strings.Replace(f.definition(), `"pk"`, `"primary-key"`, 1)))
		w.must(err)
		_, err = w.cat.CreateTable(context.Background(), w.id, def)
		w.must(err)
	}
	s := sets{w.t, w.java.server, f.name}
	for turn := range 20 {
		byGo := r.IntN(2) == 0
		w.write(byGo, f.batch(r, s))
		if turn%5 == 3 {
			w.compact(r.IntN(2) == 0, r.IntN(2) == 0)
		}
		if turn%5 < 4 {
			continue
		}
		want, err := w.java.rows(w.id.String())
		w.must(err)
		w.same(fmt.Sprintf("turn %d, by Go: %v", turn, byGo), "java", f.same(w.t, want), "go", f.same(w.t, w.rows(table.ScanOptions{})))
	}
	w.verify()
}

func (f largeFunction) batch(r *rand.Rand, s sets) (lines []string) {
	for range 1 + r.IntN(12) {
		v := pick(r, "null", f.value(r, s), f.value(r, s), f.value(r, s))
		kind := "+I"
		if f.retracts {
			kind = pick(r, "+I", "+I", "+U", "-D", "-U")
		}
		lines = append(lines, fmt.Sprintf(`{"_kind":%q,"id":%d,"s":%s,"v":%s}`, kind, r.IntN(6), pick(r, "null", "1", "2", "3", "4"), v))
	}
	return lines
}

// TestJavaRefusesFunctionsOfAProgramsOwn: it must not merge such a table otherwise.
func TestJavaRefusesFunctionsOfAProgramsOwn(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	err := mergeengine.RegisterAggregate("interop.concat", mergeengine.FoldOf(func(acc, in string) string { return acc + in }))
	if err != nil {
		t.Fatal(err)
	}
	err = mergeengine.RegisterEngine("interop.oldest", func(*schema.Table) (mergeengine.RowMerger, error) {
		return func(_ *mergeengine.Versions, row *mergeengine.Row) error { row.Take(0); return nil }, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Open(ctx, dir, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	if err := cat.CreateDatabase(ctx, "r"); err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string]string{
		"column": `"merge-engine":"aggregation","fields.v.aggregate-function":"interop.concat"`,
		"row":    `"merge-engine":"interop.oldest"`,
	} {
		w := &world{t: t, dir: dir, cat: cat, id: catalog.Identifier{Database: "r", Table: name}, rand: &randomTable{}}
		w.java = &peer{server: run.java.take(t), dir: dir}
		def, err := schema.ParseDefinition([]byte(`{"columns":[{"name":"k","type":"INT NOT NULL"},{"name":"v","type":"STRING"}],
"primary-key":["k"],"options":{"bucket":"1","write-only":"true",` + options + `}}`))
		w.must(err)
		_, err = cat.CreateTable(ctx, w.id, def)
		w.must(err)
		w.write(true, []string{`{"k":1,"v":"a"}`})
		w.write(true, []string{`{"k":1,"v":"b"}`})
		if rows := w.rows(table.ScanOptions{}); len(rows) != 1 {
			t.Errorf("%s: %q", name, rows)
		}
		if rows, err := w.java.rows(w.id.String()); err == nil {
			t.Errorf("%s: Java merges it: %q", name, rows)
		} else {
			t.Logf("%s in %s: %v", name, filepath.Base(dir), err)
		}
		if _, err := w.java.run(w.id.String(), "compact", "--full"); err == nil {
			t.Errorf("%s: Java compacts it", name)
		}
	}
}
