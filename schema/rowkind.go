package schema

import (
	"strconv"

	"github.com/tidelake/tidelake/internal/fault"
)

// RowKind says what a row does to its key. Its numbers are stored in data files.
type RowKind int8

// The kinds of a changed row.
const (
	Insert       RowKind = iota // +I: the key had no row before
	UpdateBefore                // -U: the row as it was before an update
	UpdateAfter                 // +U: the row as it is after an update
	Delete                      // -D: the key has no row any more
)

var rowKindNames = [...]string{"+I", "-U", "+U", "-D"}

// String is the short name, "+I", "-U", "+U" or "-D".
func (k RowKind) String() string {
	if k < 0 || int(k) >= len(rowKindNames) {
		return "RowKind(" + strconv.Itoa(int(k)) + ")"
	}
	return rowKindNames[k]
}

// Valid reports whether k is one of the four kinds.
func (k RowKind) Valid() bool { return k >= Insert && k <= Delete }

// Retracts reports whether a row of the kind takes a row away.
func (k RowKind) Retracts() bool { return k == UpdateBefore || k == Delete }

// ParseRowKind reads a short name; anything else is an invalid-input error.
func ParseRowKind(text string) (RowKind, error) {
	for k, name := range rowKindNames {
		if text == name {
			return RowKind(k), nil
		}
	}
	return 0, fault.Invalid("row kind " + strconv.Quote(text) + " is none of +I, -U, +U, -D")
}
