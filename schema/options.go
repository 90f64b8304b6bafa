package schema

import "time"

// Options are a table's options, parsed once: every option this library
// honours, typed, with Paimon's defaults filled in. Build one with
// ParseOptions; it is immutable afterwards and safe to share.
type Options struct {
	// Table shape.
	Type           string // "table" unless the table is something else
	Branch         string // "main" unless set
	Bucket         int    // N fixed, -1 dynamic or unaware, -2 postpone
	BucketKey      []string
	BucketFunction string // "default", "mod" or "hive"
	WriteOnly      bool

	// Data files.
	FileFormat                string         // lower case: "parquet", "orc", "avro", …
	FileFormatPerLevel        map[int]string // nil when unset
	FileCompression           string         // lower case: "zstd", "none", …
	FileCompressionPerLevel   map[int]string
	ZstdLevel                 int
	DataFilePrefix            string
	ChangelogFilePrefix       string
	DataFilePathDirectory     string // "" when data lies in the table's own directory
	ExternalPaths             []string
	ExternalPathStrategy      string // "none", "specific-fs", "round-robin", "entropy-inject", "weighted"
	SuffixIncludesCompression bool
	BlockSize                 int64 // bytes of a row group, 0 for the default
	TargetFileSize            int64 // bytes, 0 when unset: see TargetFileSizeFor
	ThinMode                  bool
	ParquetPageSize           int64           // bytes, 0 for the default
	ParquetDictionary         *bool           // nil when the writer may choose
	ParquetDictionaryColumns  map[string]bool // per column, over ParquetDictionary
	IndexFileInDataFileDir    bool

	// Statistics.
	StatsMode         string // "none", "counts", "truncate(16)", "full"
	StatsModePerLevel map[int]string
	FieldStatsMode    map[string]string // by column
	StatsDense        bool
	StatsKeepFirstN   int // -1 for all

	// Manifests.
	ManifestFormat             string
	ManifestCompression        string
	ManifestTargetSize         int64
	ManifestFullCompactionSize int64
	ManifestMergeMinCount      int
	ManifestDeleteDropStats    bool
	ManifestParallelism        int // 0 for the number of cores

	// Partitions.
	PartitionDefaultName      string
	PartitionLegacyName       bool
	DynamicPartitionOverwrite bool

	// Merging.
	MergeEngine        string
	ChangelogProducer  string
	SequenceFields     []string
	SequenceDescending bool
	IgnoreDelete       bool
	IgnoreUpdateBefore bool
	RowKindField       string // "" when unset
	DeletionVectors    bool
	RowTracking        bool
	DataEvolution      bool

	// Writing.
	WriteBufferSize  int64
	OverwriteUpgrade bool
	NumLevels        int

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
	ReadBatchSize      int
	SplitTargetSize    int64
	SplitOpenFileCost  int64
	IgnoreCorruptFiles bool
	IgnoreLostFiles    bool

	raw map[string]string
}
