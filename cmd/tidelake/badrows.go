package main

import (
	"bufio"
	"errors"
	"os"

	"github.com/tidelake/tidelake/internal/rowjson"
)

// badRows keeps malformed rows with their line and reason, in the file of --bad-rows.
type badRows struct {
	file *os.File
	out  *bufio.Writer
	rows int64
}

// openBadRows creates the file; "" makes a badRows that keeps nothing.
func openBadRows(path, inputPath string) (*badRows, error) {
	if path == "" {
		return &badRows{}, nil
	}
	if path == "-" {
		return nil, usage("--bad-rows takes a file")
	}
	if sameFile(path, inputPath) {
		return nil, usage("--bad-rows %s is the input itself", path)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &badRows{file: f, out: bufio.NewWriter(f)}, nil
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

func (b *badRows) add(text []byte, err *rowjson.RowError) error {
	b.rows++
	line := any(nil)
	if err.Line > 0 {
		line = err.Line
	}
	return printJSON(b.out, []cell{{"line", line}, {"error", err.Error()}, {"row", string(text)}})
}

func (b *badRows) close() error {
	if b.file == nil {
		return nil
	}
	return errors.Join(b.out.Flush(), b.file.Close())
}
