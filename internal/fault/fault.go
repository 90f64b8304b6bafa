// Package fault holds the error classes of the whole library and the one
// error struct that carries where a failure happened.
//
// Every error that leaves the library wraps exactly one class, so a caller
// decides with errors.Is what to do, and reads what, where and what next in
// the text:
//
//	read: table db.orders: snapshot 7: file data-1.parquet: not found: ... (do not retry; run check)
//
// Package table re-exports the classes and the struct for users.
package fault

import (
	"errors"
	"strconv"
	"strings"
)

// The classes. Each is terminal unless its comment says that a retry helps.
var (
	// ErrNotFound: the database, table, snapshot or file does not exist.
	ErrNotFound = errors.New("not found")
	// ErrExists: what was to be created is already there.
	ErrExists = errors.New("already exists")
	// ErrConflict: another writer changed the same files; plan again from
	// the newest snapshot, then retry.
	ErrConflict = errors.New("conflict")
	// ErrUnsupported: the table or the call needs a feature that is not
	// built; the text names it and what to do instead.
	ErrUnsupported = errors.New("not supported")
	// ErrInvalid: the caller's input is wrong: an option, a type, a row, a filter.
	ErrInvalid = errors.New("invalid")
	// ErrCorrupt: a file's bytes contradict its format or its metadata.
	ErrCorrupt = errors.New("corrupt")
	// ErrClosed: the object was used after Close.
	ErrClosed = errors.New("closed")
	// ErrUncertain: the store did not say whether a write happened; retry
	// with the same commit user and identifier, which settles it.
	ErrUncertain = errors.New("outcome unknown")
)

// Error says what failed, where, and what to do about it. Unused fields are
// empty. It is immutable once returned.
type Error struct {
	Class    error  // one of the Err values above
	Op       string // the operation in the caller's words: "open table", "commit"
	Table    string // "db.t", or its location when it has no name
	Snapshot int64  // snapshot id, 0 when none is involved
	File     string // object key, relative to the table where possible
	Detail   string // the fact, in lower case, without a full stop
	Hint     string // what to do, in one sentence
	Err      error  // the cause, may be nil
}

// Error formats op: where: class: detail: cause (hint).
func (e *Error) Error() string {
	var b strings.Builder
	part := func(s string) {
		if s == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		b.WriteString(s)
	}
	part(e.Op)
	if e.Table != "" {
		part("table " + e.Table)
	}
	if e.Snapshot > 0 {
		part("snapshot " + strconv.FormatInt(e.Snapshot, 10))
	}
	if e.File != "" {
		part("file " + e.File)
	}
	if e.Class != nil && (e.Err == nil || !strings.Contains(e.Err.Error(), e.Class.Error())) {
		part(e.Class.Error())
	}
	part(e.Detail)
	if e.Err != nil {
		part(e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap gives the class and the cause to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	var all []error
	if e.Class != nil {
		all = append(all, e.Class)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}

// Unsupported is an ErrUnsupported for a named feature with what to do instead.
func Unsupported(feature, instead string) error {
	return &Error{Class: ErrUnsupported, Detail: feature, Hint: instead}
}

// Invalid is an ErrInvalid with its reason.
func Invalid(detail string) error { return &Error{Class: ErrInvalid, Detail: detail} }

// Corrupt is an ErrCorrupt in a named file, with the decoder's error as cause (may be nil).
func Corrupt(file, detail string, cause error) error {
	return &Error{Class: ErrCorrupt, File: file, Detail: detail, Err: cause,
		Hint: "do not retry; restore the file or read an older snapshot"}
}
