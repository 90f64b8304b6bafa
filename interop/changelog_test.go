//go:build interop

package interop

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// changelogs makes the table one that has a producer of changelogs; false when
// it cannot be.
func (t *randomTable) changelogs(producer string) bool {
	engine := t.options["merge-engine"]
	if !t.comparable() || len(t.loose) > 0 {
		return false
	}
	switch vectors := t.options["deletion-vectors.enabled"] == "true"; {
	case producer == "lookup":
		t.lookedUp = true
		delete(t.options, "write-only")
	case engine == "first-row", producer == "full-compaction" && vectors:
		return false
	case producer == "full-compaction":
		t.options["write-only"] = "true"
	}
	t.options["changelog-producer"] = producer
	if producer != "input" && t.maybe(2, "changelog-producer.row-deduplicate", "true") && t.r.IntN(2) == 0 {
		i := slices.IndexFunc(t.columns, func(c randomColumn) bool { return !slices.Contains(t.keys, c.name) && !strings.Contains(c.name, ",") })
		if i >= 0 {
			t.options["changelog-producer.row-deduplicate-ignore-fields"] = t.columns[i].name
		}
	}
	t.maybe(4, "changelog-file.prefix", "told-")
	t.maybe(4, "changelog-file.stats-mode", "none", "counts")
	switch {
	case t.options["file.compression"] == "" && t.inAvro() && t.maybe(2, "changelog-file.format", "avro"):
		if t.options["file.compression.per.level"] != "" { // names codecs that neither side has for Avro: lz4, none
			t.options["changelog-file.compression"] = pick(t.r, "zstd", "snappy")
		}
	default:
		t.maybe(4, "changelog-file.compression", "none", "snappy")
	}
	return true
}

// pickedAlike makes both sides merge the same files. What a lone row of a sequence
// group shows depends on that (docs/changelogs.md), and files that hold the same
// rows differ by some bytes, which decides between runs of nearly one size.
func (t *randomTable) pickedAlike() {
	if t.has(".sequence-group") {
		t.options["compaction.size-ratio"] = "1000000" // whatever is merged, all is
		delete(t.options, "target-file-size")
	}
}

// producers are the ways in which changelogs come about.
var producers = []string{"input", "lookup", "full-compaction"}

// stream is what Java reads as the changes of a table up to a snapshot.
func (w *world) stream(until int64) []string {
	w.t.Helper()
	if until == 0 {
		return nil
	}
	return w.javaRuns("stream", "--from", "1", "--until-snapshot", fmt.Sprint(until), "--wait-ms", "0", "--unsorted")
}

func (w *world) latest() int64 {
	w.t.Helper()
	id, err := w.open().Snapshots().LatestID(context.Background())
	w.must(err)
	return id
}

// told are the changes of one table by step and key, in their order; ends says
// with which snapshot each step ended.
func (w *world) told(ends []int64) map[string][]string {
	w.t.Helper()
	out := make(map[string][]string)
	apart := w.rand.keys
	if w.rand.moves() { // the partitions of a snapshot have no order
		apart = append(slices.Clone(apart), w.rand.parts...)
	}
	for _, line := range w.stream(ends[len(ends)-1]) {
		cells := members(w, line)
		var snapshot int64
		_, err := fmt.Sscan(cells["_snapshot"], &snapshot)
		w.must(err)
		at, _ := slices.BinarySearch(ends, snapshot)
		name := fmt.Sprintf("step %d", at)
		if !w.oneBucket() {
			for _, column := range apart {
				name += " " + cells[column]
			}
		}
		_, row, _ := strings.Cut(line, ",")
		out[name] = append(out[name], row)
	}
	if w.rand.scattered() {
		for _, changes := range out {
			slices.Sort(changes)
		}
	}
	return out
}

// oneBucket tells that all changes of a step are in one order.
func (w *world) oneBucket() bool { return w.rand.options["bucket"] == "1" && len(w.rand.parts) == 0 }

func (w *world) sameChanges(java, ours map[string][]string) {
	w.t.Helper()
	for name := range java {
		if !slices.Equal(java[name], ours[name]) {
			w.t.Fatalf("%s:\njava %s\ngo   %s", name, strings.Join(java[name], "\n     "), strings.Join(ours[name], "\n     "))
		}
	}
	for name := range ours {
		if java[name] == nil {
			w.t.Fatalf("%s: only go has %s", name, strings.Join(ours[name], "\n     "))
		}
	}
}

// TestChangelogsAreThoseOfJava does the same steps with each side on a table of
// its own: after each, both tell the same changes, in one order for each key.
func TestChangelogsAreThoseOfJava(t *testing.T) {
	for _, producer := range producers {
		t.Run(producer, func(t *testing.T) {
			each(t, run.java, 10, func(w *world) {
				w.draw(func(t *randomTable) bool { return (t.r.IntN(4) > 0 || t.postponed()) && t.changelogs(producer) })
				w.rand.maybe(3, "target-file-size", "2 kb", "20 kb")
				w.rand.pickedAlike()
				delete(w.rand.options, "dynamic-bucket.max-buckets") // Java draws lots once all are full, and buckets have no order
				java := w.twin()
				w.create(true)
				java.create(false)
				var ours, theirs []int64
				var last []string
				for range 3 + w.rand.r.IntN(5) {
					s := w.step()
					postponed := w.rand.options["bucket"] == "-2"
					if w.rand.options["bucket"] == "-1" || postponed { // Java's commands write nothing else there
						s = step{kind: "write", lines: w.rand.batch(nil)}
					}
					if s.kind == "write" && last != nil && w.rand.r.IntN(3) == 0 {
						s.lines = last // rows that change nothing
					}
					last = s.lines
					w.perform(true, s)
					java.perform(false, s)
					if (producer == "full-compaction" || postponed) && w.half() {
						w.compact(true, true)
						java.compact(false, true)
					}
					ours, theirs = append(ours, w.latest()), append(theirs, java.latest())
				}
				w.sameChanges(java.told(theirs), w.told(ours))
				w.same("rows", "java", java.rows(table.ScanOptions{}), "go", w.rows(table.ScanOptions{}))
				w.verify()
			})
		})
	}
}

// TestBothTellChangesOfOneTable lets both sides write and compact one table in
// turn: what is told, applied to nothing, is the table.
func TestBothTellChangesOfOneTable(t *testing.T) {
	for _, producer := range []string{"lookup", "full-compaction"} {
		t.Run(producer, func(t *testing.T) {
			each(t, run.java, 5, func(w *world) {
				w.draw(func(t *randomTable) bool {
					return t.changelogs(producer) && t.options["changelog-producer.row-deduplicate"] == "" && !t.moves() &&
						!t.has(".sequence-group") // whose columns are told otherwise than they are stored: docs/changelogs.md
				})
				w.rand.maybe(2, "num-sorted-run.compaction-trigger", "2", "3")
				w.create(w.half())
				for range 12 {
					w.write(w.half(), w.rand.batch(nil))
					if w.rand.r.IntN(3) == 0 {
						w.compact(w.half(), w.half())
					}
				}
				w.compact(w.half(), true)
				w.same("rows", "changes applied", w.applied(), "java", w.agree("rows", table.ScanOptions{}))
				w.verify()
			})
		})
	}
}

// applied is the table that the changes make, as sorted lines.
func (w *world) applied() []string {
	w.t.Helper()
	rows := make(rowsByKey)
	for _, line := range w.stream(w.latest()) {
		w.apply(rows, line)
	}
	return rows.lines()
}

// rowsByKey are the rows of a table by key, and by partition where keys move.
type rowsByKey map[string]string

func (r rowsByKey) lines() []string { return sorted(slices.Collect(maps.Values(r))) }

// updating stands for a row between its -U and its +U.
const updating = "-U"

// apply puts a change into rows. One that does not fit what was there fails the test.
func (w *world) apply(rows rowsByKey, line string) {
	w.t.Helper()
	key, kind, row := w.change(line)
	old, there := rows[key]
	switch {
	case kind == "+I" && !there, kind == "+U" && old == updating,
		kind == "+U" && !there && w.rand.options["merge-engine"] == "first-row": // whose rows are told with the kind that they came with
		rows[key] = row
	case kind == "-U" && old == row:
		rows[key] = updating
	case kind == "-D" && old == row:
		delete(rows, key)
	default:
		w.t.Fatalf("change %s of row %q", line, old)
	}
}

// change takes a line of a stream apart.
func (w *world) change(line string) (key, kind, row string) {
	w.t.Helper()
	cells := members(w, line)
	for _, name := range slices.Concat(w.rand.keys, w.rand.parts) {
		key += " " + cells[name]
	}
	_, row, _ = strings.Cut(line, ",")
	_, row, _ = strings.Cut(row, ",")
	return key, strings.Trim(cells["_kind"], `"`), w.rand.settled([]string{"{" + row})[0]
}
