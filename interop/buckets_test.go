//go:build interop

package interop

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// TestDynamicBucketsInTurn: both sides give new keys of one table their
// buckets, each by the hash index that the other left.
func TestDynamicBucketsInTurn(t *testing.T) {
	each(t, run.java, 15, func(w *world) {
		w.draw((*randomTable).dynamic)
		w.create(w.half())
		for range 3 + w.rand.r.IntN(6) {
			s := w.step()
			w.perform(w.half(), s)
			w.agree("rows after "+s.kind, table.ScanOptions{})
		}
		w.travel()
		w.verify()
	})
}

// TestDynamicBucketsAlike: the same rows get the same buckets.
func TestDynamicBucketsAlike(t *testing.T) {
	each(t, run.java, 10, func(w *world) {
		// Java's program gives a bucket to rows that the table then ignores.
		w.draw(func(t *randomTable) bool {
			return !t.has("ignore-delete") && !t.has("ignore-update-before") && t.dynamic()
		})
		w.rand.options["write-only"] = "true"
		delete(w.rand.options, "dynamic-bucket.max-buckets") // Java draws lots once all are full
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
	each(t, run.java, 10, func(w *world) {
		w.draw((*randomTable).avro)
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

// avro makes Avro of data files; false when Avro does not hold the columns.
func (t *randomTable) avro() bool {
	if !t.inAvro() {
		return false
	}
	maps.DeleteFunc(t.options, func(key, _ string) bool { return strings.HasPrefix(key, "file.") || strings.HasPrefix(key, "parquet.") })
	t.options["file.format"] = "avro"
	t.options["file.compression"] = pick(t.r, "zstd", "snappy", "deflate")
	if t.maybe(3, "file.format.per.level", "0:parquet", "5:parquet") {
		t.options["file.compression"] = "zstd" // both formats take it
	}
	return true
}

// inAvro tells that Avro holds all columns.
func (t *randomTable) inAvro() bool {
	return !slices.ContainsFunc(t.columns, func(c randomColumn) bool {
		f, err := schema.ParseType(c.typ)
		return err != nil || datafile.AvroHolds([]schema.Field{{Name: c.name, Type: f}}) != nil
	})
}

// TestPostponedBucketsInTurn: both sides postpone rows of one table and give
// them buckets, after which both read what Java has in a table of one bucket
// that got the same rows and was compacted at the same moments.
func TestPostponedBucketsInTurn(t *testing.T) {
	each(t, run.java, 10, func(w *world) {
		// Folds differ in Java too, where rows that come out of one file meet earlier.
		w.draw(func(t *randomTable) bool {
			return (t.options["merge-engine"] == "" || t.options["merge-engine"] == "first-row") && t.postponed()
		})
		w.rand.options["write-only"] = "true"
		w.create(w.half())
		twin := w.twin()
		some := *w.rand
		twin.rand = &some
		twin.rand.options = maps.Clone(some.options)
		twin.rand.buckets("1")
		twin.create(false)
		for range 2 + w.rand.r.IntN(5) {
			lines := w.rand.batch(nil)
			w.write(w.half(), lines)
			twin.write(false, lines)
			switch w.rand.r.IntN(4) {
			case 0:
				w.compact(true, true)
				twin.compact(false, true)
			case 1:
				w.compact(false, true)
				twin.compact(false, true)
			case 2:
				_, err := w.open().CompactPostponed(context.Background())
				w.must(err)
			default:
				continue
			}
			want, err := w.java.rows(twin.id.String())
			w.must(err)
			w.same("rows", "java's one bucket", want, "postponed", w.agree("rows", table.ScanOptions{}))
		}
		w.travel()
		w.verify()
	}, "MULTISET")
}
