package lsm

import "github.com/tidelake/tidelake/internal/fault"

func errClosed(what string) error {
	return &fault.Error{Class: fault.ErrClosed, Detail: what}
}

// corruptRun blames the files of a run.
func corruptRun(r Run, detail string) error {
	return fault.Corrupt(r.Name(), detail, nil)
}
