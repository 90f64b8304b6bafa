package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress rewrites one line on a terminal, at most a few times a second; on
// anything else it prints nothing, so that logs stay readable.
type progress struct {
	out  io.Writer // nil: silent
	what string
	last time.Time
	used bool
}

func (a *app) progress(what string) *progress {
	p := &progress{what: what, last: time.Now()}
	if a.progressOn {
		p.out = a.err
	}
	return p
}

// isTerminal tells whether people are at the other end: of character devices
// only the null device is a usual one without them.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// show rewrites the line, if it is time.
func (p *progress) show(format string, args ...any) {
	if p.out == nil || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last, p.used = time.Now(), true
	fmt.Fprintf(p.out, "\r\x1b[K%s: %s", p.what, fmt.Sprintf(format, args...))
}

// done clears the line.
func (p *progress) done() {
	if p.used {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
