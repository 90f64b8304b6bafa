package manifest

import (
	"context"
	"iter"

	"github.com/tidelake/tidelake/schema"
)

// Objects is the part of a store that manifests need; store.Store has it.
type Objects interface {
	ReadAll(ctx context.Context, key string) ([]byte, error)
	Write(ctx context.Context, key string, data []byte) error
	Delete(ctx context.Context, key string) error
}

type IOOptions struct {
	Partition   []schema.Field // partition columns of the table, in order
	Compression string         // manifest.compression: "zstd" (default), "snappy", "deflate", "none"
	ZstdLevel   int            // default 1
	TargetSize  int64          // manifest.target-file-size, default 8 MiB
	Parallel    int            // manifests read at once, default 8
	NewID       func() string  // names of new files, default random UUIDs
}

type IO struct{}

func NewIO(st Objects, dir string, opts IOOptions) *IO { panic("todo") }

func (m *IO) ReadList(ctx context.Context, name string) ([]Meta, error) { panic("todo") }
func (m *IO) WriteList(ctx context.Context, metas []Meta) (name string, size int64, err error) {
	panic("todo")
}
func (m *IO) ReadEntries(ctx context.Context, meta Meta) ([]Entry, error) { panic("todo") }
func (m *IO) WriteEntries(ctx context.Context, entries []Entry) ([]Meta, error) {
	panic("todo")
}

// Scan reads manifests in parallel and yields, in the order of metas, the entries that the filter keeps.
func (m *IO) Scan(ctx context.Context, metas []Meta, f *Filter) iter.Seq2[*Entry, error] {
	panic("todo")
}

// Live reads manifests in parallel and returns the files that are live after all of them.
func (m *IO) Live(ctx context.Context, metas []Meta, f *Filter) ([]Entry, error)   { panic("todo") }
func (m *IO) ReadIndex(ctx context.Context, name string) ([]IndexEntry, error)     { panic("todo") }
func (m *IO) WriteIndex(ctx context.Context, entries []IndexEntry) (string, error) { panic("todo") }

// Remove deletes manifests, lists or index manifests by name.
func (m *IO) Remove(ctx context.Context, names ...string) error { panic("todo") }

type MergeParams struct {
	TargetSize int64 // default IOOptions.TargetSize
	FullSize   int64 // manifest.full-compaction-threshold-size
	MinCount   int   // manifest.merge-min-count
}

func (m *IO) Merge(ctx context.Context, metas []Meta, p MergeParams) (out []Meta, created []string, err error) {
	panic("todo")
}

// Fold applies entries in order; live are the ADDs that remain, deletes the DELETEs whose ADD was not seen.
func Fold(entries iter.Seq2[*Entry, error]) (live, deletes []Entry, err error) { panic("todo") }

// CombineIndex applies changes to the index files of the previous snapshot (section 4.7).
func CombineIndex(previous, changes []IndexEntry, bucketUnaware bool) ([]IndexEntry, error) {
	panic("todo")
}

// Filter prunes manifests and entries; nil members keep everything.
type Filter struct {
	Partition            func(partition []byte) bool                  // exact test of a partition body
	PartitionStats       func(columns ColumnFunc, entries int64) bool // may a manifest hold a wanted partition
	Bucket               func(bucket, totalBuckets int) bool
	MinBucket, MaxBucket *int                // inclusive
	MinLevel, MaxLevel   *int                // inclusive
	File                 func(e *Entry) bool // statistics of ADD entries
}

type StatsMode struct {
	Min, Max bool
	Counts   bool
	Truncate int
}

func ParseStatsMode(text string) (StatsMode, error) { panic("todo") }

// StatsModes resolves the mode of each column: by field, system and key columns, the first n, then mode.
func StatsModes(names []string, mode string, byField map[string]string, keepFirst int, thinKeys []string) ([]StatsMode, error) {
	panic("todo")
}

type ColumnStats struct {
	Min, Max any
	Nulls    int64
}

func BuildStats(fields []schema.Field, cols []ColumnStats, mode func(i int) StatsMode) (Stats, error) {
	panic("todo")
}
func DenseValueStats(fields []schema.Field, cols []ColumnStats, mode func(i int) StatsMode) (s Stats, names []string, has bool, err error) {
	panic("todo")
}
