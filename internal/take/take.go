// Package take gathers rows of Arrow arrays by position.
package take

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Record gathers the given rows of every column, in the order given.
func Record(rec arrow.RecordBatch, rows []int32, alloc memory.Allocator) (arrow.RecordBatch, error) {
	panic("todo")
}

// Array gathers the given rows of one array, in the order given.
func Array(arr arrow.Array, rows []int32, alloc memory.Allocator) (arrow.Array, error) { panic("todo") }
