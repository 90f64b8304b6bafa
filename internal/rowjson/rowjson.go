// Package rowjson is JSON and CSV to Arrow and back.
package rowjson

import (
	"io"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// Options of reading; the zero value is ready.
type Options struct {
	Alloc     memory.Allocator // default memory.DefaultAllocator
	Loc       *time.Location   // zone of LTZ values without an offset; default UTC
	BatchRows int              // rows of a batch; default 65536
	// BadRow is asked what to do with a malformed row: nil skips it, an error stops. Default: stop.
	BadRow func(row []byte, err *RowError) error
}

// CSVOptions of ReadCSV.
type CSVOptions struct {
	Options
	Comma  byte   // default ','
	Header bool   // the first record names the columns
	Null   string // an unquoted cell of this text is null; default ""
}

// Batch is a batch of rows read; borrowed until the next step.
type Batch struct {
	Record arrow.RecordBatch
	Kinds  []int8 // nil when all are +I
	Line   int64  // line of the first row
}

// RowError says which line and column was malformed.
type RowError struct {
	Line   int64
	Column string
	Err    error
}

func (e *RowError) Error() string { panic("todo") }
func (e *RowError) Unwrap() error { panic("todo") }

// Decoder makes batches of JSON rows.
type Decoder struct{}

func NewDecoder(fields []schema.Field, opts Options) (*Decoder, error) { panic("todo") }
func (d *Decoder) Row(line []byte) error                               { panic("todo") }
func (d *Decoder) Rows() int                                           { panic("todo") }
func (d *Decoder) Bytes() int64                                        { panic("todo") }
func (d *Decoder) Flush() (arrow.RecordBatch, []int8)                  { panic("todo") }

// Appender makes batches of Go rows.
type Appender struct{}

func NewAppender(fields []schema.Field, alloc memory.Allocator) (*Appender, error) { panic("todo") }
func (a *Appender) Append(kind schema.RowKind, values []any) error                 { panic("todo") }
func (a *Appender) Rows() int                                                      { panic("todo") }
func (a *Appender) Bytes() int64                                                   { panic("todo") }
func (a *Appender) Flush() (arrow.RecordBatch, []int8)                             { panic("todo") }

// ReadJSON reads JSON lines.
func ReadJSON(r io.Reader, fields []schema.Field, opts Options) iter.Seq2[Batch, error] {
	panic("todo")
}

// ReadCSV reads CSV.
func ReadCSV(r io.Reader, fields []schema.Field, opts CSVOptions) iter.Seq2[Batch, error] {
	panic("todo")
}

// Encoder prints rows.
type Encoder struct{}

func NewEncoder(fields []schema.Field) (*Encoder, error)                         { panic("todo") }
func (e *Encoder) Bind(rec arrow.RecordBatch) error                              { panic("todo") }
func (e *Encoder) AppendRow(dst []byte, row int) []byte                          { panic("todo") }
func (e *Encoder) AppendRowKind(dst []byte, kind schema.RowKind, row int) []byte { panic("todo") }
func (e *Encoder) AppendCSVHeader(dst []byte, comma byte) []byte                 { panic("todo") }
func (e *Encoder) AppendCSV(dst []byte, comma byte, row int) []byte              { panic("todo") }

// AppendText is the plain text of a cell for people; null tells a null.
func (e *Encoder) AppendText(dst []byte, col, row int) (out []byte, null bool) { panic("todo") }

// Append appends the JSON of one cell.
func Append(dst []byte, t schema.Type, col arrow.Array, row int) ([]byte, error) { panic("todo") }

// AppendValue appends the JSON of a metadata value.
func AppendValue(dst []byte, t schema.Type, v any) ([]byte, error) { panic("todo") }
