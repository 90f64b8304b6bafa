package lsm

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/mergeengine"
)

// MergeSpec describes the runs and the result of a [Merge].
type MergeSpec struct {
	// Schema holds the value columns in their canonical Arrow types: at
	// least those named in Key, Sequence and Output.
	Schema *arrow.Schema
	// Key names the key columns: the primary key without partition columns.
	Key []string
	// Sequence names the user's sequence fields, which order the versions of
	// a key before sequence numbers do. Null is the smallest value, also
	// when SequenceDescending reverses the order.
	Sequence           []string
	SequenceDescending bool
	// Engine merges the versions of a key. Default: deduplicate.
	Engine mergeengine.Engine
	// Output names the value columns to emit, in this order.
	Output []string
	// WithKeys emits _KEY_ columns, WithSequence _SEQUENCE_NUMBER and
	// WithKind _VALUE_KIND, in this order before the columns of Output.
	WithKeys, WithSequence, WithKind bool
	// DropDeletes leaves out results of the kinds -U and -D.
	DropDeletes bool
	// BatchRows bounds the rows of an emitted batch. Default: 16384.
	BatchRows int
	// Parallel bounds the goroutines that gather columns. Default: 1.
	Parallel int
	// Alloc allocates emitted batches; it must be safe for concurrent use.
	// Default: memory.DefaultAllocator.
	Alloc memory.Allocator
}

// Merge merges runs.
type Merge struct{}

// NewMerge takes over runs.
func NewMerge(runs []Run, spec MergeSpec) (*Merge, error) { panic("todo") }

// Schema is the schema of emitted batches.
func (m *Merge) Schema() *arrow.Schema { panic("todo") }

// Next returns the next batch, which the caller releases, or io.EOF.
func (m *Merge) Next() (arrow.RecordBatch, error) { panic("todo") }

// Close closes all runs.
func (m *Merge) Close() error { panic("todo") }
