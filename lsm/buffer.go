package lsm

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/mergeengine"
)

// BufferSpec describes the rows of a [Buffer].
type BufferSpec struct {
	// Schema holds the value columns in their canonical Arrow types.
	Schema *arrow.Schema
	// Key names the key columns: the primary key without partition columns.
	Key []string
	// Sequence names the user's sequence fields, which order the versions of
	// a key before their arrival does. Null is the smallest value, also when
	// SequenceDescending reverses the order.
	Sequence           []string
	SequenceDescending bool
	// Engine merges the versions of a key. Default: deduplicate.
	Engine mergeengine.Engine
	// OmitKeys leaves out the _KEY_ columns (data-file.thin-mode).
	OmitKeys bool
	// BatchRows bounds the rows of an emitted batch. Default and maximum: 65536.
	BatchRows int
	// Parallel bounds the goroutines that gather columns. Default: 1.
	Parallel int
	// Alloc allocates emitted batches; it must be safe for concurrent use.
	// Default: memory.DefaultAllocator.
	Alloc memory.Allocator
}

// NewBuffer returns an empty buffer. Close it in the end.
func NewBuffer(spec BufferSpec) (*Buffer, error) { panic("todo") }

// Buffer collects the rows of one bucket.
type Buffer struct{}

// Schema is the schema of emitted batches.
func (b *Buffer) Schema() *arrow.Schema { panic("todo") }

// Add retains rec.
func (b *Buffer) Add(rec arrow.RecordBatch, kinds []int8, rows []int32) error { panic("todo") }

// Rows is the number of rows added since the last flush.
func (b *Buffer) Rows() int64 { panic("todo") }

// RefBytes is the memory for row references.
func (b *Buffer) RefBytes() int64 { panic("todo") }

// Flush emits.
func (b *Buffer) Flush(firstSeq int64, emit func(physical arrow.RecordBatch) error) (next int64, err error) {
	panic("todo")
}

// Close releases.
func (b *Buffer) Close() { panic("todo") }
