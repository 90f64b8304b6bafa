package table

import "github.com/tidelake/tidelake/schema"

// rowFilter drops rows before they reach a buffer, by their kind: ignore-delete
// drops -D and -U, ignore-update-before drops -U.
type rowFilter struct{ ignoreDelete, ignoreBefore bool }

// keep returns which rows of a batch pass, nil when all do.
func (f rowFilter) keep(kinds []int8) func(row int) bool {
	if kinds == nil || (!f.ignoreDelete && !f.ignoreBefore) {
		return nil
	}
	return func(row int) bool {
		switch schema.RowKind(kinds[row]) {
		case schema.UpdateBefore:
			return false
		case schema.Delete:
			return !f.ignoreDelete
		}
		return true
	}
}
