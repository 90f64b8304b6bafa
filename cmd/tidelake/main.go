// Tidelake keeps primary-key tables as LSM trees of Parquet files on object
// storage, in the Apache Paimon table format. This program has every verb of
// the library: run "tidelake quickstart" for a tour, "tidelake help" for all.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
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
	signal.Ignore(syscall.SIGPIPE) // a reader that has had enough ends a command like any error: files are closed
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends what does not listen to the first
	a := &app{in: os.Stdin, out: pipeWriter{os.Stdout}, err: os.Stderr, prompt: isTerminal(os.Stdin), progressOn: isTerminal(os.Stderr), binaryOff: isTerminal(os.Stdout)}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// run runs one command line and returns its exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := newRoot(a)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errPipeClosed):
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.err, "tidelake: interrupted")
	default:
		fmt.Fprintln(a.err, "tidelake:", errorText(err))
	}
	return exitCode(err)
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

// errorText keeps the words "not supported" for refusals: scripts look for
// them, and systems below (a file system without links, say) use them too.
func errorText(err error) string {
	text := err.Error()
	if !errors.Is(err, table.ErrUnsupported) {
		text = strings.ReplaceAll(text, table.ErrUnsupported.Error(), "unavailable")
	}
	return text
}

// errPipeClosed: whoever read the output has gone, like head after its lines.
var errPipeClosed = errors.New("the reader of the output is gone")

// pipeWriter tells a closed output from a connection that a store lost.
type pipeWriter struct{ io.Writer }

func (w pipeWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		err = errPipeClosed
	}
	return n, err
}
