//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// bloomKeys are keys by number, of every type of key column.
var bloomKeys = []struct {
	types []string // of the columns k0, k1 …; those in small letters have no filter in file indexes
	key   func(n int) string
}{
	{[]string{"BIGINT"}, func(n int) string { return fmt.Sprintf(`{"k0":%d`, (n-700)*1_000_003) }},
	{[]string{"INT"}, func(n int) string { return fmt.Sprintf(`{"k0":%d`, (n-700)*1009) }},
	{[]string{"SMALLINT", "TINYINT"}, func(n int) string { return fmt.Sprintf(`{"k0":%d,"k1":%d`, n-700, n%200-100) }},
	{[]string{"STRING"}, func(n int) string { return fmt.Sprintf(`{"k0":"key é %04d"`, n) }},
	{[]string{"CHAR(6)", "INT"}, func(n int) string { return fmt.Sprintf(`{"k0":"c%05d","k1":%d`, n, -n) }},
	{[]string{"DATE"}, func(n int) string { return fmt.Sprintf(`{"k0":"%04d-%02d-%02d"`, 1900+n/12, 1+n%12, 1+n%28) }},
	{[]string{"TIME(3)"}, func(n int) string { return fmt.Sprintf(`{"k0":"%02d:%02d:%02d"`, n/60, n%60, n%60) }},
	{[]string{"TIMESTAMP(3)"}, func(n int) string { return fmt.Sprintf(`{"k0":"%d-01-02T03:04:05.%03d"`, 1900+n/10, n%1000) }},
	{[]string{"TIMESTAMP(6)"}, func(n int) string { return fmt.Sprintf(`{"k0":"%d-01-02T03:04:05.%06d"`, 1900+n/10, n*701) }},
	{[]string{"TIMESTAMP(9)"}, func(n int) string { return fmt.Sprintf(`{"k0":"%d-01-02T03:04:05.%09d"`, 1900+n/10, n*701_001) }},
	{[]string{"DOUBLE", "FLOAT"}, func(n int) string { return fmt.Sprintf(`{"k0":%g,"k1":%g`, float64(n-700)/8, float64(n%50)/4) }},
	{[]string{"decimal(15, 2)"}, func(n int) string { return fmt.Sprintf(`{"k0":%d.%02d`, n, n%100) }},
	{[]string{"boolean", "BIGINT"}, func(n int) string { return fmt.Sprintf(`{"k0":%t,"k1":%d`, n%2 == 0, n*n) }},
}

const bloomRows = 1400

// TestLookupsGoByFiltersThatJavaWrites looks keys up that are, and are not, in
// tables with Bloom filters of their key columns: in the manifest, beside the
// data files, and within these.
func TestLookupsGoByFiltersThatJavaWrites(t *testing.T) {
	dir := t.TempDir()
	for i, keys := range bloomKeys {
		for _, how := range []string{"embedded", "beside", "within"} {
			t.Run(how+" "+strings.Join(keys.types, " "), func(t *testing.T) {
				b := &bloomTable{t: t, java: &peer{server: run.java.take(t), dir: dir}, dir: dir, name: fmt.Sprint(how, i), key: keys.key}
				filters := b.create(keys.types, how)
				b.write()
				// Nothing is read for absent keys but an index file, or the metadata, of each of two files.
				most := map[string]int64{"embedded": 0, "beside": 2, "within": 4}[how]
				if !filters || how == "within" && keys.types[0] == "TIMESTAMP(9)" { // INT96
					most = 100
				}
				b.check(most)
			})
		}
	}
}

type bloomTable struct {
	t         *testing.T
	java      *peer
	dir, name string
	key       func(int) string
}

func (b *bloomTable) runs(command string, args ...string) {
	b.t.Helper()
	if _, err := b.java.run("b."+b.name, command, args...); err != nil {
		b.t.Fatal(err)
	}
}

// file writes text where the other side can read it.
func (b *bloomTable) file(text string) string {
	b.t.Helper()
	path := filepath.Join(b.t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// create tells whether a column of the key has a filter.
func (b *bloomTable) create(types []string, how string) bool {
	options := map[string]string{"bucket": "1", "write-only": "true", "parquet.enable.dictionary": "false", "parquet.page.size": "1024"}
	columns := []map[string]string{{"name": "v", "type": "INT"}}
	var pk, indexed []string
	for i, typ := range types {
		name := fmt.Sprint("k", i)
		pk = append(pk, name)
		columns = append(columns, map[string]string{"name": name, "type": strings.ToUpper(typ) + " NOT NULL"})
		if typ == strings.ToUpper(typ) || how == "within" && typ != "boolean" {
			indexed = append(indexed, name)
		}
	}
	for _, name := range indexed {
		options["file-index.bloom-filter."+name+".items"], options["file-index.bloom-filter."+name+".fpp"] = "1000", "0.0000001"
	}
	switch filters := strings.Join(slices.Concat(indexed, []string{"v"}), ","); how {
	case "embedded":
		options["file-index.bloom-filter.columns"], options["file-index.in-manifest-threshold"] = filters, "10 mb"
	case "beside":
		options["file-index.bloom-filter.columns"], options["file-index.in-manifest-threshold"] = filters, "1 b"
		options["file-index.bitmap.columns"] = "v"
	case "within":
		for name := range strings.SplitSeq(filters, ",") {
			delete(options, "file-index.bloom-filter."+name+".items")
			delete(options, "file-index.bloom-filter."+name+".fpp")
			options["parquet.bloom.filter.enabled#"+name] = "true"
		}
	}
	def, err := json.Marshal(map[string]any{"columns": columns, "pk": pk, "partition": []string{}, "options": options})
	if err != nil {
		b.t.Fatal(err)
	}
	b.runs("create", "--schema", b.file(string(def)))
	return len(indexed) > 0
}

// write has Java write one key in four, half of them in each of two files; the
// younger deletes some of the older's.
func (b *bloomTable) write() {
	for f := range 2 {
		var lines []string
		for n := 0; n < bloomRows; n += 4 {
			switch {
			case n%8 == 4*f:
				lines = append(lines, fmt.Sprintf(`%s,"v":%d}`, b.key(n), n))
			case f == 1 && n%40 == 0:
				lines = append(lines, fmt.Sprintf(`%s,"v":%d,"_kind":"-D"}`, b.key(n), n))
			}
		}
		b.runs("write", "--input", b.file(strings.Join(lines, "\n")), "--user", fmt.Sprint("u", f))
	}
}

// check looks all keys up one by one, the absent ones first: those may cost
// most requests.
func (b *bloomTable) check(most int64) {
	b.t.Helper()
	ctx := context.Background()
	local, err := store.NewLocal(filepath.Join(b.dir, "b.db", b.name))
	if err != nil {
		b.t.Fatal(err)
	}
	counter := store.Counting(local)
	tab, err := table.Open(ctx, counter, "b."+b.name, table.Settings{}, table.Components{})
	if err != nil {
		b.t.Fatal(err)
	}
	l, err := tab.NewLookup(ctx, table.LookupOptions{Dir: b.t.TempDir(), DiskBytes: 1})
	if err != nil {
		b.t.Fatal(err)
	}
	defer l.Close()
	before := counter.Counts()
	for n := range bloomRows {
		if n%4 != 0 && b.has(l, n) {
			b.t.Errorf("key %s} is there", b.key(n))
		}
	}
	if cost := counter.Counts().Sub(before).Requests(); cost > most {
		b.t.Errorf("absent keys took %d requests, more than %d", cost, most)
	}
	for n := 0; n < bloomRows; n += 4 {
		if got := b.has(l, n); got != (n%40 != 0) {
			b.t.Errorf("key %s} is there: %v", b.key(n), got)
		}
	}
}

func (b *bloomTable) has(l *table.Lookup, n int) bool {
	b.t.Helper()
	d, err := rowjson.NewDecoder(l.KeyFields(), rowjson.Options{Alloc: memory.DefaultAllocator})
	if err == nil {
		err = d.Row([]byte(b.key(n) + "}"))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	rec, _ := d.Flush()
	found, err := l.GetBatch(context.Background(), rec)
	if err != nil {
		b.t.Fatal(err)
	}
	defer found.Release()
	return found.At[0] >= 0
}
