package cdc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/tidelake/tidelake/internal/fault"
)

// LineError is a line that could not be used. The lines behind it can be read on.
type LineError struct {
	Line int    // from 1
	Text []byte // the line, nil when it was too long to keep
	Err  error
}

// Error gives the line number and the reason.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap is the reason.
func (e *LineError) Unwrap() error { return e.Err }

// lineReader cuts input into lines, each in memory of its own.
type lineReader struct {
	r   *bufio.Reader
	max int
	n   int
}

func newLineReader(r io.Reader, limit int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), max: limit}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// next returns a line without the blanks around it, and its number.
func (l *lineReader) next() ([]byte, int, error) {
	var line []byte
	l.n++
	for {
		part, err := l.r.ReadSlice('\n')
		if len(line)+len(part) > l.max {
			return nil, l.n, l.skip(err)
		}
		line = append(line, part...)
		switch {
		case err == nil, err == io.EOF && len(line) > 0:
			if l.n == 1 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			line = bytes.TrimSpace(line)
			if !utf8.Valid(line) {
				return nil, l.n, &LineError{Line: l.n, Text: line, Err: fault.Invalid("is not UTF-8")}
			}
			return line, l.n, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF:
			return nil, l.n, io.EOF
		default:
			return nil, l.n, &fault.Error{Op: "read events", Detail: fmt.Sprintf("line %d", l.n), Err: err}
		}
	}
}

// skip passes over the rest of a line that is too long.
func (l *lineReader) skip(err error) error {
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.r.ReadSlice('\n')
	}
	if err != nil && err != io.EOF {
		return &fault.Error{Op: "read events", Detail: fmt.Sprintf("line %d", l.n), Err: err}
	}
	return &LineError{Line: l.n, Err: fault.Invalid(fmt.Sprintf("is longer than %d bytes", l.max))}
}
