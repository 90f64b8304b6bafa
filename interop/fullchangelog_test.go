//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// retold makes the table one of which the reader can make a full changelog;
// false when it cannot.
func (t *randomTable) retold() bool {
	if len(t.keys) == 0 || t.options["bucket"] == "-2" {
		return false
	}
	if t.scattered() {
		t.options["dynamic-bucket.target-row-num"] = wholePartition
	}
	if t.options["merge-engine"] != "first-row" {
		t.maybe(3, "changelog-producer", "input")
	}
	return true
}

// retelling is the full changelog that the reader makes of the table, as the
// library or the program tells it.
func (w *world) retelling() []string {
	w.t.Helper()
	last := w.latest()
	o := table.StreamOptions{FullChangelog: true, Mode: table.FromSnapshot, Snapshot: 1, UntilSnapshot: last, Overwrites: table.DeliverOverwrites}
	switch {
	case w.rand.r.IntN(3) == 0:
		return w.tidelake("tail", w.id.String(), "--full-changelog", "--from", "snapshot:1", "--until-snapshot", strconv.FormatInt(last, 10), "--overwrites", "deliver", "--format", "jsonl")
	case w.rand.options["bucket"] == "-1":
		return w.resumed(o) // an overwrite may put a key into a bucket of another share
	}
	return w.shared(o)
}

// TestFullChangelogsMakeTheRowsThatJavaReads: both sides write, overwrite and
// compact one table in turn. The changes that a reader finds out, each of which
// fits the ones before, make what Java reads at every snapshot.
func TestFullChangelogsMakeTheRowsThatJavaReads(t *testing.T) {
	each(t, run.java, 5, func(w *world) {
		w.draw((*randomTable).retold)
		w.create(w.half())
		w.writeSome(w.half())
		for range 3 + w.rand.r.IntN(4) {
			w.perform(w.half(), w.step())
			if w.rand.r.IntN(3) == 0 {
				w.compact(w.half(), w.half())
			}
		}
		if w.rand.lookedUp {
			w.compact(w.half(), true)
		}
		told := make(map[int64][]string)
		for _, line := range w.retelling() {
			id, err := strconv.ParseInt(members(w, line)["_snapshot"], 10, 64)
			w.must(err)
			told[id] = append(told[id], line)
		}
		rows := make(rowsByKey)
		for id := int64(1); id <= w.latest(); id++ {
			for _, line := range told[id] {
				w.apply(rows, line)
			}
			if w.shows(id) {
				java, err := w.java.rows(w.id.String(), "--snapshot", strconv.FormatInt(id, 10))
				w.must(err)
				w.same(fmt.Sprintf("rows of snapshot %d", id), "java", java, "the changes", rows.lines())
			}
		}
	})
}

// shows tells that batch reads find all rows of a snapshot: where compaction looks
// keys up, those on level 0 wait for it.
func (w *world) shows(id int64) bool {
	w.t.Helper()
	if !w.rand.lookedUp {
		return true
	}
	for f, err := range w.open().Files(context.Background(), id) {
		w.must(err)
		if f.Level == 0 {
			return false
		}
	}
	return true
}

// steady makes the rows of the table independent of when they are merged, as far
// as docs/merging.md says they are; false when that cannot be.
func (t *randomTable) steady() bool {
	engine := t.options["merge-engine"]
	ordered := t.options["sequence.field"] != ""
	if !t.comparable() || t.rowKind != "" || t.has(".sequence-group") || len(t.loose) > 0 || ordered && engine != "" {
		return false
	}
	for _, c := range t.columns {
		f := t.options["fields."+c.name+".aggregate-function"]
		if (f == "sum" || f == "product") && (c.typ == "FLOAT" || c.typ == "DOUBLE") {
			return false
		}
	}
	if ordered || engine != "" {
		t.takesDeletes = nil
	}
	return true
}

// TestFullChangelogsAreThoseOfJavasLookup plays the steps that both sides take on
// a table without a changelog by Java into another, which looks up what it
// tells: each commit has changed each key in the same way.
func TestFullChangelogsAreThoseOfJavasLookup(t *testing.T) {
	each(t, run.java, 5, func(w *world) {
		w.draw(func(t *randomTable) bool { return t.retold() && t.steady() })
		twin := w.twin()
		some := *w.rand
		twin.rand = &some
		some.options = maps.Clone(w.rand.options)
		some.options["changelog-producer"] = "lookup"
		delete(some.options, "write-only")
		w.create(w.half())
		twin.create(false)
		var ours, theirs []int64
		for range 4 + w.rand.r.IntN(4) {
			lines := w.rand.batch(nil)
			w.write(w.half(), lines)
			twin.write(false, lines)
			ours, theirs = append(ours, w.latest()), append(theirs, twin.latest())
			if w.rand.r.IntN(3) == 0 {
				w.compact(w.half(), w.half())
			}
		}
		w.same("changes", "java's", twin.net(twin.stream(twin.latest()), theirs), "this side's", w.net(w.retelling(), ours))
	})
}

// net is what changes come to, by step and key; ends says with which snapshot each step ended.
func (w *world) net(lines []string, ends []int64) []string {
	w.t.Helper()
	type change struct {
		Step          int
		Key           string
		Before, After json.RawMessage
	}
	changes := make(map[string]*change)
	for _, line := range lines {
		id, err := strconv.ParseInt(members(w, line)["_snapshot"], 10, 64)
		w.must(err)
		step, _ := slices.BinarySearch(ends, id)
		key, kind, row := w.change(line)
		name := strconv.Itoa(step) + key
		c, there := changes[name]
		if !there {
			c = &change{Step: step, Key: key}
			changes[name] = c
		}
		switch retracts := strings.HasPrefix(kind, "-"); {
		case retracts && !there:
			c.Before = json.RawMessage(row)
		case retracts:
			c.After = nil
		default:
			c.After = json.RawMessage(row)
		}
	}
	var out []string
	for _, c := range changes {
		if string(c.Before) != string(c.After) {
			line, err := json.Marshal(c)
			w.must(err)
			out = append(out, string(line))
		}
	}
	return sorted(out)
}
