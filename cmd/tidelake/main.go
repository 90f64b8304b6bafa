// Tidelake keeps primary-key tables as LSM trees of Parquet files on object
// storage, in the Apache Paimon table format. This program has every verb of
// the library: run "tidelake quickstart" for a tour, "tidelake help" for all.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tidelake/tidelake/table"
)

// Exit codes.
const (
	exitFailure = 1 // anything that went wrong
	exitUsage   = 2 // the command line itself is wrong
	exitRefused = 3 // a feature that is not built
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot(&app{in: os.Stdin, out: os.Stdout, err: os.Stderr}).ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	if !errors.Is(err, syscall.EPIPE) {
		fmt.Fprintln(os.Stderr, "tidelake:", err)
	}
	os.Exit(exitCode(err))
}

// usageError marks a command line that cannot be right.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var u usageError
	switch {
	case errors.Is(err, table.ErrUnsupported):
		return exitRefused
	case errors.As(err, &u):
		return exitUsage
	}
	return exitFailure
}
