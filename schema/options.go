package schema

import (
	"errors"
	"time"
)

// Options are a table's options, parsed once: every option this library
// honours, typed, with Paimon's defaults filled in. Build one with
// ParseOptions; it is immutable afterwards and safe to share.
type Options struct {
	// Table shape.
	Branch         string // "main" unless set
	Bucket         int    // N fixed, -1 dynamic or unaware, -2 postpone
	BucketKey      []string
	BucketFunction string // "default", "mod" or "hive"

	// Dynamic buckets (bucket -1 with a primary key).
	DynamicBucketTarget     int64         // keys of a bucket before the next is begun
	CrossPartitionBootstrap int           // buckets whose keys are read at once
	CrossPartitionTTL       time.Duration // age of files whose keys' places are forgotten, 0 for never
	DynamicBucketMax        int           // buckets of a partition, -1 for no limit
	DynamicBucketInitial    int           // buckets begun at once, 0 when unset
	DynamicBucketAssigners  int           // tasks that choose buckets, 0 when unset
	PostponeDefaultBuckets  int           // real buckets of a new partition of a table with bucket -2
	PostponeBatchFixed      bool          // batch jobs write straight into real buckets there
	WriteOnly               bool

	// Data files.
	FileFormat                string         // lower case: "parquet", "orc", "avro", …
	FileFormatPerLevel        map[int]string // nil when unset
	AvroCodec                 string         // lower case, of Avro files over FileCompression; "" when unset
	FileCompression           string         // lower case: "zstd", "none", …
	FileCompressionPerLevel   map[int]string // nil when unset
	ZstdLevel                 int
	DataFilePrefix            string
	DataFilePathDirectory     string // "" when data lies in the table's own directory
	ExternalPaths             []string
	SuffixIncludesCompression bool
	BlockSize                 int64 // bytes of a row group, 0 for the default
	TargetFileSize            int64 // bytes, 0 when unset: see TargetFileSizeFor
	ThinMode                  bool
	IndexFileInDataFileDir    bool
	ParquetPageSize           int64           // bytes, 0 for the default
	ParquetDictionary         *bool           // nil when the writer may choose
	ParquetDictionaryColumns  map[string]bool // per column, over ParquetDictionary

	// Statistics.
	StatsMode         string // "none", "counts", "truncate(16)", "full"
	StatsModePerLevel map[int]string
	FieldStatsMode    map[string]string // by column
	StatsDense        bool
	StatsKeepFirstN   int // -1 for all

	// Manifests.
	ManifestCompression        string // "zstd", "snappy", "deflate", "null", …
	ManifestTargetSize         int64  // bytes
	ManifestFullCompactionSize int64  // bytes
	ManifestMergeMinCount      int
	ManifestDeleteDropStats    bool

	// Partitions.
	PartitionDefaultName      string
	PartitionLegacyName       bool
	DynamicPartitionOverwrite bool

	// Merging.
	MergeEngine        string // "deduplicate", "partial-update", "aggregation", "first-row"
	ChangelogProducer  string // "none", "input", "full-compaction", "lookup"
	SequenceFields     []string
	SequenceDescending bool
	IgnoreDelete       bool
	IgnoreUpdateBefore bool
	RowKindField       string // "" when unset
	DeletionVectors    bool
	DeletionVectors64  bool  // new deletion vectors are of the 64-bit kind
	VectorFileSize     int64 // bytes at which an append table begins another file of deletion vectors
	RowTracking        bool
	DataEvolution      bool
	Engine             EngineOptions

	// Writing.
	WriteBufferSize  int64 // bytes
	Spill            SpillOptions
	OverwriteUpgrade bool
	NumLevels        int

	// Compacting.
	Compaction CompactionOptions

	// Changelogs.
	Changelog ChangelogOptions

	// Tags.
	Tags TagOptions

	// Expiring.
	Expiry ExpiryOptions

	// Committing.
	CommitTimeout              time.Duration // 0 is unlimited
	CommitMaxRetries           int
	CommitMinRetryWait         time.Duration
	CommitMaxRetryWait         time.Duration
	CommitUserPrefix           string
	CommitForceSnapshot        bool  // commit even when nothing changed
	IgnoreEmptyCommit          *bool // nil when unset
	StrictModeLastSafeSnapshot *int64
	DiscardDuplicateFiles      bool

	// Reading.
	ReadBatchSize       int    // rows, 0 when unset
	SplitTargetSize     int64  // bytes
	SplitOpenFileCost   int64  // bytes
	FileIndexRead       bool   // Bloom filters in file indexes spare reading files
	ReadSequenceNumbers bool   // system tables of changes show sequence numbers
	FallbackBranch      string // has the partitions that this one lacks; "" for none
	PrimaryBranch       string // its partitions go before those of this one; "" for none

	Lookup LookupOptions
	Start  StartOptions
	Stream StreamOptions

	// Following.
	Consumer ConsumerOptions

	// Altering.
	NullToNotNullDisabled     bool
	ExplicitCastDisabled      bool
	AddColumnBeforePartition  bool
	DeletionVectorsModifiable bool

	set map[string]string // every option given, former names replaced by today's
}

// ChangelogOptions say what is in the changelog that ChangelogProducer makes,
// and how its files look: where nothing is said, as data files of their level.
type ChangelogOptions struct {
	FilePrefix      string
	FileFormat      string // lower case; "" when unset
	FileCompression string // lower case; "" when unset
	StatsMode       string // "" when unset
	// RowDeduplicate leaves out updates that change no column but those of
	// IgnoreFields. Only producers lookup and full-compaction look at it.
	RowDeduplicate bool
	IgnoreFields   []string
}

// StreamOptions say what readers of changes see.
type StreamOptions struct {
	Overwrites       bool          // of tables with a primary key: rows that an overwrite removed and added
	AppendOverwrites bool          // of tables without one: rows that an overwrite added
	Delay            time.Duration // snapshots are read when they are so old
	BoundedWatermark *int64        // the first snapshot of a greater watermark ends the stream; nil when unset
}

// SpillOptions say what becomes of a full write buffer, and of the runs that are
// too many to be merged at once.
type SpillOptions struct {
	On          bool   // full buffers become sorted runs on local disk, not files of the table
	DiskBytes   int64  // that one writer, or one merge, may use
	MergeBytes  int64  // of memory that the runs which are merged at once may take
	FanIn       int    // spilled runs that are merged at once
	Threshold   int    // sorted runs of files that are merged at once, 0: by MergeBytes
	Compression string // "zstd", "lz4" or "none"
	ZstdLevel   int
}

// LookupOptions shape the local cache that point lookups read through.
type LookupOptions struct {
	MemoryBytes, DiskBytes int64
	BlockBytes             int64         // of rows that are read and kept together
	IndexRatio             float64       // share of the memory that filters and indexes of local files may take
	Retention              time.Duration // of a local file that nobody uses
	Compression            string        // of local files: "zstd", "lz4" or "none"
	ZstdLevel              int
	Bloom                  bool
	BloomFPP               float64 // share of absent keys that a filter lets pass
}

// ParseOptions reads a table's options. Keys that are not known are kept aside
// (see Warnings), former names of keys count where the key itself is missing,
// and malformed values of honoured options are all reported together. What may
// be done with the table is a second question: CheckRead and CheckWrite.
func ParseOptions(raw map[string]string) (*Options, error) {
	o, errs := parseOptions(raw)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return o, nil
}

// TargetFileSizeFor is the size in bytes at which a data file is closed and the
// next begun: what the table says, else 128 MiB with a primary key and 256 MiB
// without.
func (o *Options) TargetFileSizeFor(primaryKey bool) int64 {
	switch {
	case o.TargetFileSize > 0:
		return o.TargetFileSize
	case primaryKey:
		return 128 << 20
	}
	return 256 << 20
}

// FileFormatFor is the format of new data files of a level; files of append
// tables have no level and take level -1.
func (o *Options) FileFormatFor(level int) string {
	if format, set := o.FileFormatPerLevel[level]; set {
		return format
	}
	return o.FileFormat
}

// FileCompressionFor is the codec of new data files of a level, as FileFormatFor.
func (o *Options) FileCompressionFor(level int) string {
	if o.AvroCodec != "" && o.FileFormatFor(level) == "avro" {
		return o.AvroCodec
	}
	if codec, set := o.FileCompressionPerLevel[level]; set {
		return codec
	}
	return o.FileCompression
}

// StatsModeFor is the mode of a column's statistics in files of a level: the
// column's own mode, else the level's, else the table's.
func (o *Options) StatsModeFor(column string, level int) string {
	if mode, set := o.FieldStatsMode[column]; set {
		return mode
	}
	if mode, set := o.StatsModePerLevel[level]; set {
		return mode
	}
	return o.StatsMode
}
