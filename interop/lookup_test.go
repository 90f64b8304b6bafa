//go:build interop

package interop

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/table"
)

var kindMember = regexp.MustCompile(`"_kind":"..",`)

// TestLookupsAgree asks both sides for the rows of keys that are, and are no
// longer, in the table.
func TestLookupsAgree(t *testing.T) {
	each(t, run.java, 20, func(w *world) {
		o := w.rand.options
		if len(w.rand.keys) == 0 || strings.HasPrefix(o["bucket"], "-") || o["sequence.field"] != "" || o["ignore-delete"] == "true" ||
			o["merge-engine"] != "" && o["merge-engine"] != "deduplicate" {
			return // Java's lookup goes by fixed buckets, and takes the youngest file for the newest row
		}
		if o["deletion-vectors.enabled"] == "true" {
			return // Java's lookup does not look at the vectors
		}
		w.filled(w.half())
		lines := w.rand.batch(nil)
		w.write(w.half(), lines)
		keys := w.rows(table.ScanOptions{})
		for _, line := range lines {
			keys = append(keys, kindMember.ReplaceAllString(line, ""))
		}
		want, err := w.java.run(w.id.String(), "lookup", "--keys", w.file(keys))
		if err != nil && len(w.open().Schema().PartitionKeys) > 0 {
			w.t.Log("Java names local files after partitions, which fails for some values: ", err)
			return
		}
		w.must(err)
		for _, warm := range []bool{false, true} {
			w.same("lookups", "java", numbered(want), "go", numbered(w.lookedUp(keys, warm)))
		}
	}, "BINARY", "BYTES") // Java's lookup cannot order binary keys
}

// numbered puts the number of each line before it, so that they sort as they are.
func numbered(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = fmt.Sprintf("%06d %s", i, l)
	}
	return out
}

// lookedUp are the rows of keys, null for an absent one.
func (w *world) lookedUp(keys []string, warm bool) (out []string) {
	ctx := context.Background()
	l, err := w.open().NewLookup(ctx, table.LookupOptions{Dir: w.t.TempDir()})
	w.must(err)
	defer l.Close()
	if warm {
		w.must(l.Warm(ctx))
	}
	d, err := rowjson.NewDecoder(l.Fields(), rowjson.Options{Alloc: memory.DefaultAllocator})
	w.must(err)
	for _, k := range keys {
		w.must(d.Row([]byte(k)))
	}
	rec, _ := d.Flush()
	found, err := l.GetBatch(ctx, rec)
	w.must(err)
	defer found.Release()
	enc, err := rowjson.NewEncoder(l.Fields())
	w.must(err)
	if found.Batch.NumRows() > 0 {
		w.must(enc.Bind(found.Batch))
	}
	for _, at := range found.At {
		if at < 0 {
			out = append(out, "null")
		} else {
			out = append(out, string(enc.AppendRow(nil, int(at))))
		}
	}
	return out
}
