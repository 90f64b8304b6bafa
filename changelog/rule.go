package changelog

import "github.com/tidelake/tidelake/schema"

// Rule is the way in which a table's changelog producer sees the versions of a
// key that a compaction has come across. Rules are plain values.
type Rule struct {
	// Top is the highest level, for producer full-compaction: the row before
	// is the version on that level. 0 is for producer lookup: the row before
	// is the version on the lowest level above 0, and a key changed only if
	// there is a version on level 0.
	Top int
	// FirstRow is for merge-engine first-row: a key that was there does not change.
	FirstRow bool
}

// None is the answer where no version is the row before.
const None = -1

// Before finds, among n versions of a key on the levels that level tells, the
// one that is the row before ([None] if there is none), and whether the key may
// have changed at all.
func (r Rule) Before(n int, level func(i int) int) (before int, changes bool) {
	before = None
	for i := range n {
		switch l := level(i); {
		case r.Top > 0 && l == r.Top, r.Top == 0 && l > 0 && (before == None || l < level(before)):
			before = i
		case r.Top > 0 || l == 0:
			changes = true
		}
	}
	return before, changes
}

// Deletes tells that a version which is a delete counts as a row before. Deletes
// lie on the top level where an overwrite has put them; real Paimon takes them
// for rows there, and for nothing where it looks keys up.
func (r Rule) Deletes() bool { return r.Top > 0 }

// AsStored is the kind of an event that tells the kind of its row.
const AsStored = schema.RowKind(-1)

// Event is one row of a changelog: the row of a key before, or after, under a kind.
type Event struct {
	Kind   schema.RowKind
	Before bool
}

// Events are what a key that may have changed tells: the rows before and after
// are there or not, and same tells whether they hold equal values; nil says
// that nobody looks. At most two events are returned.
func (r Rule) Events(before, after bool, same func() bool) []Event {
	switch {
	case r.FirstRow && before, !before && !after:
		return nil
	case r.FirstRow:
		return firstSeen
	case !before:
		return inserted
	case !after:
		return deleted
	case same != nil && same():
		return nil
	}
	return updated
}

var (
	firstSeen = []Event{{Kind: AsStored}}
	inserted  = []Event{{Kind: schema.Insert}}
	deleted   = []Event{{Kind: schema.Delete, Before: true}}
	updated   = []Event{{Kind: schema.UpdateBefore, Before: true}, {Kind: schema.UpdateAfter}}
)
