package datafile

import (
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ColumnStats are the statistics of one column of one file (or row group), in
// metadata values of package schema. Min and Max are exact and never
// truncated; nil means unknown, which is also what a column without any
// non-null value has. Nulls is -1 when unknown.
//
// Written files record what Paimon's writer does: no bounds of binaries and of
// timestamps beyond microseconds, nothing of nested columns, and NaN as the
// greatest FLOAT or DOUBLE.
type ColumnStats struct {
	Min, Max any
	Nulls    int64
}

// Result is what a finished file holds.
type Result struct {
	Rows    int64         // rows written
	Bytes   int64         // size of the file in bytes
	Columns []ColumnStats // one per field in order; nil unless WriterOptions.Stats
}

// WriterOptions chooses how a file is written. The zero value writes Parquet
// compressed with zstd level 1, without statistics for the manifest.
type WriterOptions struct {
	Format        string // "" or "parquet", or "avro"; every other format is refused by name
	Compression   string // "" or "zstd", "snappy", "none"; of Parquet also "gzip", "lz4", of Avro "deflate"
	ZstdLevel     int    // 0 means 1
	RowGroupBytes int64  // packed bytes that close a row group, and so what a writer holds in memory; 0 means 128 MiB
	PageBytes     int64  // unencoded bytes that close a page, as do 20,000 rows; 0 means 1 MiB

	// Dictionary forbids dictionary encoding of a top-level column, or asks for
	// it as long as it saves bytes; a nil function or a nil answer lets the
	// writer choose from the first rows.
	Dictionary func(col string) *bool

	Parallel int              // goroutines that encode one batch; 0 means GOMAXPROCS
	Alloc    memory.Allocator // nil means memory.DefaultAllocator
	Stats    bool             // fill Result.Columns
}
