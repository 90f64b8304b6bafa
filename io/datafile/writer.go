package datafile

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/tidelake/tidelake/schema"
)

// Writer writes one data file.
type Writer struct{}

// NewWriter starts a file on w.
func NewWriter(w io.Writer, fields []schema.Field, opts WriterOptions) (*Writer, error) { panic("todo") }

// Write appends a batch.
func (w *Writer) Write(rec arrow.RecordBatch) error { panic("todo") }

// Size is the bytes written plus an estimate of what is buffered.
func (w *Writer) Size() int64 { panic("todo") }

// Close writes the footer.
func (w *Writer) Close() (Result, error) { panic("todo") }

// Abort gives up the file.
func (w *Writer) Abort() { panic("todo") }
