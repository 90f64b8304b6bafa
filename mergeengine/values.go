package mergeengine

import (
	"github.com/tidelake/tidelake/internal/vector"
)

// The choices by time: which of the versions is the last or the first one
// that counts.

// keyCell takes the last version, added or not: key columns, and the sequence
// columns of a group, which a retracted version moves forward too.
type keyCell struct{}

func (keyCell) newest() bool                      { return true }
func (keyCell) start()                            {}
func (keyCell) adds(refs []vector.Ref) vector.Ref { return refs[len(refs)-1] }
func (keyCell) step(acc, in vector.Ref, late bool) vector.Ref {
	if late {
		return acc
	}
	return in
}

func (k keyCell) retract(acc, in vector.Ref, late bool) (vector.Ref, error) {
	return k.step(acc, in, late), nil
}

// groupCell is a column of a sequence group without a function: the newest
// version by the group's order, null if that was taken back.
type groupCell struct{ keyCell }

func (groupCell) retract(acc, in vector.Ref, late bool) (vector.Ref, error) {
	if late {
		return acc, nil
	}
	return vector.NullRef, nil
}

// lastValue is the newest version, null or not; any version taken back leaves
// null.
type lastValue struct{ keyCell }

func (lastValue) retract(acc, in vector.Ref, late bool) (vector.Ref, error) {
	return vector.NullRef, nil
}

// lastNonNull is the newest version that is not null; taking one back leaves
// null.
type lastNonNull struct{ cells *vector.Gatherer }

func (c lastNonNull) newest() bool { return !c.cells.HasNulls() }
func (lastNonNull) start()         {}

func (c lastNonNull) adds(refs []vector.Ref) vector.Ref {
	for i := len(refs) - 1; i >= 0; i-- {
		if !c.cells.IsNull(refs[i]) {
			return refs[i]
		}
	}
	return vector.NullRef
}

func (c lastNonNull) step(acc, in vector.Ref, late bool) vector.Ref {
	if c.cells.IsNull(in) || late && !isNull(c.cells, acc) {
		return acc
	}
	return in
}

func (c lastNonNull) retract(acc, in vector.Ref, late bool) (vector.Ref, error) {
	if c.cells.IsNull(in) {
		return acc, nil
	}
	return vector.NullRef, nil
}

// firstValue is the oldest version, null or not, or the oldest that is not
// null. It remembers that it has taken one even when the row starts anew
// afterwards, as Paimon's does. A late version is taken once it has: there it
// stands where the value so far stood.
type firstValue struct {
	irrevocable
	cells   *vector.Gatherer
	nonNull bool
	taken   bool
}

func (c *firstValue) start() { c.taken = false }

func (c *firstValue) adds(refs []vector.Ref) vector.Ref {
	if !c.nonNull {
		return refs[0]
	}
	for _, r := range refs {
		if !c.cells.IsNull(r) {
			return r
		}
	}
	return vector.NullRef
}

func (c *firstValue) step(acc, in vector.Ref, late bool) vector.Ref {
	if late {
		acc, in = in, acc
	}
	if c.taken || c.nonNull && isNull(c.cells, in) {
		return acc
	}
	c.taken = true
	return in
}

// isNull is IsNull for refs that may be NullRef.
func isNull(cells *vector.Gatherer, r vector.Ref) bool {
	return r == vector.NullRef || cells.IsNull(r)
}
