// Package rowjson turns rows of text into Arrow batches and back: JSON lines,
// CSV, and rows of Go values.
//
//	JSON line ─┐                                      ┌─▶ JSON line
//	CSV record ┼─▶ one typed builder a column ─▶ batch ┼─▶ CSV record
//	Go values ─┘   (a bad row is taken back whole)     └─▶ text of a cell
//
// A value has one text, the same in every direction:
//
//	BOOLEAN true           integers 1            FLOAT, DOUBLE 1.5, "NaN", "Infinity", "-Infinity"
//	DECIMAL "1.50"         text "x"              binary "00ff" (hex)
//	DATE "2026-01-31"      TIME "10:11:12.345"   TIMESTAMP(3) "2026-01-31T10:11:12.345", LTZ with Z
//	ARRAY [1,2]            ROW {"a":1}           MAP, MULTISET [["k",1]], pairs sorted by their text
//
// Reading is strict: what a column cannot hold exactly is an error that names
// line, column, type and value, never a wrapped, rounded or shortened value.
// (FLOAT and DOUBLE take the nearest value, as they do everywhere.) It is lenient only where
// nothing is lost: 3.0 is an integer, a DECIMAL may be a number, a TIMESTAMP
// may have a space for its T and leave out seconds, a TIMESTAMP_LTZ may carry
// any offset, and a MAP with text keys may be a JSON object.
//
// A JSON member, or a CSV column, of the name _kind gives the row kind (+I, -U,
// +U, -D), unless a column of the table has that name.
package rowjson

import (
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
)

// KindName is the member, or CSV column, that carries the row kind.
const KindName = "_kind"

// Options of reading. The zero value is ready to use.
type Options struct {
	Alloc     memory.Allocator // of the batches; default memory.DefaultAllocator
	Loc       *time.Location   // zone of TIMESTAMP_LTZ values without an offset; default UTC
	BatchRows int              // rows of a batch at most; default 65536
	MaxRow    int              // bytes of one row at most; default 64 MiB
	Rules     Rules            // of the table that the rows are for

	// BadRow is asked what to do with a malformed row, given its text (valid
	// during the call): nil leaves the row out and goes on, an error stops
	// the reading with that error. Default: stop with the row's error.
	BadRow func(text []byte, err *RowError) error
}

const (
	defaultBatchRows = 1 << 16
	defaultMaxRow    = 64 << 20
	// maxBatchBytes ends a batch of wide rows early.
	maxBatchBytes = 64 << 20
	// maxDepth bounds the nesting of a JSON value, and with it the stack.
	maxDepth = 64
)

func (o Options) withDefaults() Options {
	if o.Alloc == nil {
		o.Alloc = memory.DefaultAllocator
	}
	if o.Loc == nil {
		o.Loc = time.UTC
	}
	if o.BatchRows <= 0 {
		o.BatchRows = defaultBatchRows
	}
	if o.MaxRow <= 0 {
		o.MaxRow = defaultMaxRow
	}
	if o.BadRow == nil {
		o.BadRow = func(_ []byte, err *RowError) error { return err }
	}
	return o
}

// Batch is a batch of rows. When it comes from an iterator it is borrowed
// until the next step; retain Record to keep it longer.
type Batch struct {
	Record arrow.RecordBatch
	Kinds  []int8 // row kinds as schema.RowKind; nil when every row is +I
	Line   int64  // number of the line of the first row, from 1
}

// RowError is a malformed row. It is an ErrInvalid.
type RowError struct {
	Line   int64  // from 1; 0 when the row was not read from a stream
	Column string // "" when the row as a whole is malformed
	Err    error  // the reason
}

// Error says line, column and reason.
func (e *RowError) Error() string {
	text := e.Err.Error()
	if e.Column != "" {
		text = "column " + e.Column + text
	}
	if e.Line > 0 {
		text = "line " + strconv.FormatInt(e.Line, 10) + ": " + text
	}
	return text
}

// Unwrap gives the class and the reason to errors.Is and errors.As.
func (e *RowError) Unwrap() []error { return []error{fault.ErrInvalid, e.Err} }
