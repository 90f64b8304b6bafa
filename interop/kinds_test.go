//go:build interop

package interop

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// draw draws tables until one is, or can be made, what a test is about.
func (w *world) draw(suits func(*randomTable) bool) {
	w.t.Helper()
	for range 500 {
		if suits(w.rand) {
			return
		}
		w.rand = newRandomTable(w.rand.r, w.rand.without...)
	}
	w.t.Fatal("no table in five hundred suits")
}

// rareKinds makes some tables with a key ones of other buckets than a fixed
// number, and some ones with deletion vectors.
func (t *randomTable) rareKinds() {
	switch t.r.IntN(16) {
	case 0, 1:
		t.dynamic()
	case 2, 3:
		t.postponed()
	case 4, 5:
		if len(t.parts) > 0 {
			t.crossing()
		}
	}
	if t.r.IntN(8) == 0 {
		t.vectors()
	}
}

// buckets makes the table one with another kind of buckets; false when it has no key.
func (t *randomTable) buckets(bucket string) bool {
	if len(t.keys) == 0 {
		return false
	}
	maps.DeleteFunc(t.options, func(key, _ string) bool {
		return strings.HasPrefix(key, "bucket") || strings.HasPrefix(key, "dynamic-bucket") || strings.HasPrefix(key, "postpone")
	})
	t.options["bucket"] = bucket
	return true
}

// dynamic lets new keys get their buckets by a hash index.
func (t *randomTable) dynamic() bool {
	if t.moves() || !t.buckets("-1") {
		return false
	}
	t.fill()
	t.maybe(3, "index-file-in-data-file-dir", "true")
	t.maybe(4, "dynamic-bucket.max-buckets", "3")
	return true
}

// fill draws how many rows a dynamic bucket takes, so that a table has a few buckets.
func (t *randomTable) fill() (eighths int) {
	eighths = 1 + t.r.IntN(8)
	rows := eighths
	if t.big {
		rows *= 500
	}
	t.options["dynamic-bucket.target-row-num"] = fmt.Sprint(rows)
	return eighths
}

// postponed lets rows wait until a compaction gives them buckets.
func (t *randomTable) postponed() bool {
	// Java's Avro does not take these.
	if t.moves() || slices.ContainsFunc(t.columns, func(c randomColumn) bool { return strings.Contains(c.typ, "MULTISET") }) || !t.buckets("-2") {
		return false
	}
	for _, key := range []string{"file.format.per.level", "file.compression.per.level", "metadata.stats-mode.per.level", "file.compression", "avro.codec",
		"sequence.field.sort-order", // many commits become one flush, see addSequence
	} {
		delete(t.options, key)
	}
	t.once = false
	t.options["postpone.default-bucket-num"] = fmt.Sprint(1 + t.r.IntN(3))
	return true
}

// moves tells that keys move between partitions.
func (t *randomTable) moves() bool {
	return len(t.keys) > 0 && slices.ContainsFunc(t.parts, func(p string) bool { return !slices.Contains(t.keys, p) })
}

// wholePartition lets one dynamic bucket take all rows of a partition.
const wholePartition = "1000000"

// scattered tells that changes of a key have no order: one that comes back to its
// partition within a commit may get another bucket there, and buckets have none.
func (t *randomTable) scattered() bool {
	return t.moves() && t.options["dynamic-bucket.target-row-num"] != wholePartition
}

// crossing makes the table one whose keys move between partitions.
func (t *randomTable) crossing() bool {
	if t.moves() {
		return true
	}
	if !t.buckets("-1") {
		return false
	}
	if t.fill() > 5 {
		t.options["dynamic-bucket.target-row-num"] = wholePartition
	}
	if len(t.parts) == 0 {
		t.addPartition("p0", true)
	}
	loose := t.parts[:1+t.r.IntN(len(t.parts))] // the key keeps the others
	t.keys = slices.DeleteFunc(t.keys, func(k string) bool { return slices.Contains(loose, k) })
	for i := range t.columns {
		if slices.Contains(loose, t.columns[i].name) {
			t.columns[i].notNull = t.r.IntN(2) == 0
		}
	}
	for _, key := range []string{
		"sequence.field", "sequence.field.sort-order", // refused by Paimon for such tables
		"rowkind.field",        // undoes the deletes of Java's own rows that move
		"ignore-update-before", // Java follows rows that the table then ignores
	} {
		delete(t.options, key)
	}
	t.rowKind, t.once = "", false
	if t.options["merge-engine"] == "" {
		delete(t.options, "ignore-delete") // leaves moved rows where they were
	} else {
		t.takesDeletes = nil // Java follows rows that the table then ignores
	}
	return true
}

// comparable tells that Java can look keys up: not those of bytes.
func (t *randomTable) comparable() bool {
	return len(t.keys) > 0 && !slices.ContainsFunc(t.columns, func(c randomColumn) bool {
		return slices.Contains(t.keys, c.name) && (strings.Contains(c.typ, "BINARY") || strings.Contains(c.typ, "BYTES"))
	})
}

// vectors lets compaction mark rows instead of hiding them; false when the table cannot have that.
func (t *randomTable) vectors() bool {
	if !t.comparable() || t.options["merge-engine"] == "first-row" {
		return false
	}
	t.options["deletion-vectors.enabled"], t.lookedUp = "true", true
	delete(t.options, "write-only")
	t.maybe(2, "deletion-vectors.bitmap64", "true")
	t.maybe(3, "index-file-in-data-file-dir", "true")
	return true
}

// hides tells that rows show after a compaction only.
func (t *randomTable) hides() bool {
	return t.options["bucket"] == "-2" || t.lookedUp && t.options["write-only"] == "true"
}
