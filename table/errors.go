package table

import (
	"errors"
	"runtime"

	"github.com/tidelake/tidelake/internal/fault"
)

// The classes of error that leave this library; test them with errors.Is.
var (
	// ErrNotFound: the database, table, snapshot or file does not exist.
	ErrNotFound = fault.ErrNotFound
	// ErrExists: what was to be created is already there.
	ErrExists = fault.ErrExists
	// ErrConflict: another writer changed the same files; prepare again on the newest snapshot, then retry.
	ErrConflict = fault.ErrConflict
	// ErrUnsupported: a feature that is not built; the text names it and what to do instead.
	ErrUnsupported = fault.ErrUnsupported
	// ErrInvalid: the caller's input is wrong.
	ErrInvalid = fault.ErrInvalid
	// ErrCorrupt: a file's bytes contradict its format or its metadata.
	ErrCorrupt = fault.ErrCorrupt
	// ErrClosed: used after Close.
	ErrClosed = fault.ErrClosed
	// ErrUncertain: the store did not answer; retry with the same commit user and identifier.
	ErrUncertain = fault.ErrUncertain
)

// Error carries where a failure happened and what to do; get it with errors.As.
type Error = fault.Error

// wrap adds the table and the operation to an error that lacks them.
func (t *Table) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	var e *fault.Error
	if errors.As(err, &e) && e.Table != "" {
		return err
	}
	return &fault.Error{Op: op, Table: t.name, Err: err}
}

func defaultParallel() int { return runtime.GOMAXPROCS(0) }
