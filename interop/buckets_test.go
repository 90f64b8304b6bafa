//go:build interop

package interop

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// buckets makes the world's table one with another kind of buckets; false when it has no key.
func (w *world) buckets(bucket string, options ...string) bool {
	t := w.rand
	if len(t.keys) == 0 {
		return false
	}
	maps.DeleteFunc(t.options, func(key, _ string) bool { return strings.HasPrefix(key, "bucket") })
	t.options["bucket"] = bucket
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		t.options[key] = value
	}
	return true
}

// TestDynamicBucketsInTurn: both sides give new keys of one table their
// buckets, each by the hash index that the other left.
func TestDynamicBucketsInTurn(t *testing.T) {
	each(t, run.java, 20, func(w *world) {
		if !w.buckets("-1", fmt.Sprintf("dynamic-bucket.target-row-num=%d", 1+w.rand.r.IntN(8))) {
			return
		}
		w.rand.maybe(3, "index-file-in-data-file-dir", "true")
		w.rand.maybe(4, "dynamic-bucket.max-buckets", "3")
		w.create(w.half())
		for range 3 + w.rand.r.IntN(6) {
			s := w.step()
			// Java's program has no assigner for overwrites.
			w.perform(w.half() || strings.HasPrefix(s.kind, "overwrite"), s)
			w.agree("rows after "+s.kind, table.ScanOptions{})
		}
		w.travel()
		w.verify()
	})
}

// TestDynamicBucketsAlike: the same rows get the same buckets.
func TestDynamicBucketsAlike(t *testing.T) {
	each(t, run.java, 10, func(w *world) {
		if !w.buckets("-1", "dynamic-bucket.target-row-num=5", "write-only=true") {
			return
		}
		// Java's program gives a bucket to rows that the table then ignores.
		delete(w.rand.options, "ignore-delete")
		delete(w.rand.options, "ignore-update-before")
		other := w.twin()
		w.create(true)
		other.create(false)
		for range 1 + w.rand.r.IntN(3) {
			s := step{kind: "write", lines: w.rand.batch(nil)}
			w.perform(true, s)
			other.perform(false, s)
		}
		one, err := w.java.rows(w.id.String(), "--buckets")
		w.must(err)
		two, err := w.java.rows(other.id.String(), "--buckets")
		w.must(err)
		w.same("rows and buckets", "java", two, "go", one)
	})
}

// TestAvroFilesInTurn: data files are Avro, of level 0 or of all levels.
func TestAvroFilesInTurn(t *testing.T) {
	each(t, run.java, 15, func(w *world) {
		o := w.rand.options
		for key := range o {
			if strings.HasPrefix(key, "file.") || strings.HasPrefix(key, "parquet.") {
				delete(o, key)
			}
		}
		o["file.format"] = "avro"
		o["file.compression"] = pick(w.rand.r, "zstd", "snappy", "deflate")
		if w.rand.maybe(3, "file.format.per.level", "0:parquet", "5:parquet") {
			o["file.compression"] = "zstd" // both formats take it
		}
		for _, c := range w.rand.columns {
			if f, err := schema.ParseType(c.typ); err != nil || datafile.AvroHolds([]schema.Field{{Name: c.name, Type: f}}) != nil {
				return
			}
		}
		w.create(w.half())
		for range 2 + w.rand.r.IntN(4) {
			s := w.step()
			w.perform(w.half(), s)
			w.agree("rows after "+s.kind, table.ScanOptions{})
		}
		w.travel()
		w.verify()
	}, "TIME(", "TIMESTAMP(7", "TIMESTAMP(8", "TIMESTAMP(9")
}

// TestPostponedBucketsInTurn: both sides postpone rows of one table, and this
// library gives them buckets, after which both read what Java has in a table of
// one bucket that got the same rows.
func TestPostponedBucketsInTurn(t *testing.T) {
	each(t, run.java, 15, func(w *world) {
		o := w.rand.options
		for _, key := range []string{"merge-engine", "file.format.per.level", "file.compression.per.level", "metadata.stats-mode.per.level", "file.compression", "avro.codec"} {
			delete(o, key) // what Java's Avro does not take among them
		}
		twin := w.twin()
		o["write-only"] = "true"
		if !w.buckets("1") {
			return
		}
		twin.create(false)
		w.buckets("-2", fmt.Sprintf("postpone.default-bucket-num=%d", 1+w.rand.r.IntN(3)))
		w.create(w.half())
		for range 2 + w.rand.r.IntN(5) {
			lines := w.rand.batch(nil)
			w.write(w.half(), lines)
			twin.write(false, lines)
			if w.rand.r.IntN(2) == 0 {
				continue
			}
			_, err := w.open().CompactPostponed(context.Background())
			w.must(err)
			rows := w.agree("rows", table.ScanOptions{})
			want, err := w.java.rows(twin.id.String())
			w.must(err)
			w.same("rows", "java's one bucket", want, "postponed", rows)
		}
		w.travel()
		w.verify()
	}, "MULTISET")
}
