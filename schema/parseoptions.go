package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
)

// option is a row of optionTable.
type option struct {
	key   string
	kind  valueKind
	def   string // "" when the default is derived or there is none
	class OptionClass
	why   string
}

var optionByKey = func() map[string]*option {
	m := make(map[string]*option, len(optionTable))
	for i := range optionTable {
		m[optionTable[i].key] = &optionTable[i]
	}
	return m
}()

// withTodaysNames copies the options; a former name stands in for a key that is
// not set itself.
func withTodaysNames(raw map[string]string) map[string]string {
	set := make(map[string]string, len(raw))
	for key, value := range raw {
		set[key] = value
	}
	for key, old := range fallbackKeys {
		for _, name := range old {
			value, given := raw[name]
			if _, direct := set[key]; given && !direct {
				set[key] = value
			}
			delete(set, name)
		}
	}
	return set
}

// optionReader takes values by key, with the default of optionTable, and
// collects what is malformed.
type optionReader struct {
	set  map[string]string
	errs []error
}

// lookup is the value in effect, and whether there is one.
func (r *optionReader) lookup(key string) (string, bool) {
	if value, set := r.set[key]; set {
		return value, true
	}
	if spec := optionByKey[key]; spec != nil && spec.def != "" {
		return spec.def, true
	}
	return "", false
}

func (r *optionReader) text(key string) string {
	value, _ := r.lookup(key)
	return value
}

// take parses the value in effect; ok is false when there is none or it is malformed.
func take[T any](r *optionReader, key string, parse func(string) (T, error)) (v T, ok bool) {
	text, given := r.lookup(key)
	if !given {
		return v, false
	}
	v, err := parse(text)
	if err != nil {
		r.bad(key, text)
	}
	return v, err == nil
}

func (r *optionReader) bad(key, text string) {
	if spec, _ := findOption(key); spec != nil {
		if err := checkValue(key, spec.kind, text); err != nil {
			r.errs = append(r.errs, err)
			return
		}
	}
	r.errs = append(r.errs, fault.Invalid("option "+key+" is "+quoteShort(text)+", which is malformed"))
}

func (r *optionReader) bool(key string) bool {
	v, _ := take(r, key, parseBool)
	return v
}

func (r *optionReader) optionalBool(key string) *bool {
	if _, set := r.set[key]; !set {
		return nil
	}
	v := r.bool(key)
	return &v
}

func (r *optionReader) int(key string, low int64) int {
	n, ok := take(r, key, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 32) })
	if ok && n < low {
		r.errs = append(r.errs, fault.Invalid(fmt.Sprintf("option %s is %d, must be at least %d", key, n, low)))
	}
	return int(n)
}

// fanIn is a number of runs, at least two, or 0 where it is not given.
func (r *optionReader) fanIn(key string) int {
	if _, given := r.lookup(key); !given {
		return 0
	}
	return r.int(key, 2)
}

func (r *optionReader) long(key string, low int64) int64 {
	n, ok := take(r, key, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	if ok && n < low {
		r.errs = append(r.errs, fault.Invalid(fmt.Sprintf("option %s is %d, must be at least %d", key, n, low)))
	}
	return n
}

func (r *optionReader) size(key string, low int64) int64 {
	n, ok := take(r, key, parseSize)
	if ok && n < low {
		r.errs = append(r.errs, fault.Invalid(fmt.Sprintf("option %s is %s, must be at least %d bytes", key, quoteShort(r.text(key)), low)))
	}
	return n
}

// plain is an option of Java's Parquet library, 0 where it is not set.
func (r *optionReader) plain(key string, bits int) int64 {
	n, ok := take(r, key, func(s string) (int64, error) { return parsePlain(s, bits) })
	if ok && n < 1 {
		r.errs = append(r.errs, fault.Invalid(fmt.Sprintf("option %s is %d, must be at least 1", key, n)))
	}
	return n
}

func (r *optionReader) duration(key string) time.Duration {
	v, _ := take(r, key, parseDuration)
	return v
}

func (r *optionReader) enum(key string) string {
	v, _ := take(r, key, func(s string) (string, error) { return parseEnum(key, s) })
	return v
}

func (r *optionReader) levels(key string) map[int]string {
	v, _ := take(r, key, parseLevels)
	return v
}

func (r *optionReader) statsMode(key, text string) string {
	mode, err := parseStatsMode(text)
	if err != nil {
		r.errs = append(r.errs, fault.Invalid("option "+key+" is "+quoteShort(text)+": "+err.Error()))
	}
	return mode
}

// parseOptions fills in as much as it can and returns what was malformed.
func parseOptions(raw map[string]string) (*Options, []error) {
	r := &optionReader{set: withTodaysNames(raw)}
	o := &Options{set: r.set}
	o.parseShape(r)
	o.parseFiles(r)
	o.parseParquet(r)
	o.parseStats(r)
	o.parseManifests(r)
	o.parseMerging(r)
	o.parseChangelog(r)
	o.parseStart(r)
	o.parseStream(r)
	o.parseCompaction(r)
	o.parseAltering(r)
	o.parseEngine(r)
	o.parseCommit(r)
	o.parseExpiry(r)
	o.parseReading(r)
	o.parseConsumer(r)
	o.parseTags(r)
	return o, r.errs
}

func (o *Options) parseShape(r *optionReader) {
	o.Branch = strings.TrimSpace(r.text("branch"))
	o.Bucket = r.int("bucket", math.MinInt32)
	o.BucketKey = splitBucketKey(r.text("bucket-key"))
	o.BucketFunction = r.enum("bucket-function.type")
	o.WriteOnly = r.bool("write-only")
	o.parseDynamicBuckets(r)
	o.PartitionDefaultName = r.text("partition.default-name")
	o.PartitionLegacyName = r.bool("partition.legacy-name")
	o.DynamicPartitionOverwrite = r.bool("dynamic-partition-overwrite")
}

func (o *Options) parseDynamicBuckets(r *optionReader) {
	o.PostponeDefaultBuckets = r.int("postpone.default-bucket-num", 1)
	o.PostponeBatchFixed = r.bool("postpone.batch-write-fixed-bucket")
	o.DynamicBucketTarget = r.long("dynamic-bucket.target-row-num", 1)
	o.CrossPartitionBootstrap = r.int("cross-partition-upsert.bootstrap-parallelism", 1)
	o.CrossPartitionTTL = r.duration("cross-partition-upsert.index-ttl")
	o.DynamicBucketInitial = r.int("dynamic-bucket.initial-buckets", 1)
	o.DynamicBucketAssigners = r.int("dynamic-bucket.assigner-parallelism", 1)
	if o.DynamicBucketMax = r.int("dynamic-bucket.max-buckets", -1); o.DynamicBucketMax == 0 {
		r.errs = append(r.errs, fault.Invalid("option dynamic-bucket.max-buckets is 0, must be positive, or -1 for no limit"))
	}
}

func (o *Options) parseFiles(r *optionReader) {
	o.FileFormat = strings.ToLower(r.text("file.format"))
	o.FileFormatPerLevel = r.levels("file.format.per.level")
	o.FileCompression = codecName(r.text("file.compression"))
	o.AvroCodec = strings.ToLower(r.text("avro.codec"))
	o.FileCompressionPerLevel = r.levels("file.compression.per.level")
	for level, codec := range o.FileCompressionPerLevel {
		o.FileCompressionPerLevel[level] = codecName(codec)
	}
	o.ZstdLevel = r.int("file.compression.zstd-level", 1)
	o.DataFilePrefix = r.text("data-file.prefix")
	o.DataFilePathDirectory = r.text("data-file.path-directory")
	o.ExternalPaths = splitComma(r.text("data-file.external-paths"))
	r.enum("data-file.external-paths.strategy")
	o.SuffixIncludesCompression = r.bool("file.suffix.include.compression")
	o.BlockSize = r.size("file.block-size", 1)
	o.TargetFileSize = r.size("target-file-size", 1)
	o.ThinMode = r.bool("data-file.thin-mode")
	o.IndexFileInDataFileDir = r.bool("index-file-in-data-file-dir")
	for _, key := range []string{"data-file.prefix", "changelog-file.prefix"} {
		if strings.ContainsAny(r.text(key), "/\\") {
			r.errs = append(r.errs, fault.Invalid("option "+key+" is "+quoteShort(r.text(key))+": a slash would move the files"))
		}
	}
}

// codecName: Parquet's own name for no compression is a synonym.
func codecName(text string) string {
	if text = strings.ToLower(text); text == "uncompressed" {
		return "none"
	}
	return text
}

func (o *Options) parseParquet(r *optionReader) {
	if _, set := r.set["parquet.compression.codec.zstd.level"]; set {
		o.ZstdLevel = int(r.plain("parquet.compression.codec.zstd.level", 32))
	}
	if size := r.plain("parquet.block.size", 64); o.BlockSize == 0 {
		o.BlockSize = size
	}
	o.ParquetPageSize = r.plain("parquet.page.size", 32)
	// What is neither true nor false counts as not given there, and as false for a column.
	if on, err := parseBool(strings.TrimSpace(r.set["parquet.enable.dictionary"])); err == nil {
		o.ParquetDictionary = &on
	}
	for key := range r.set {
		if column, ok := strings.CutPrefix(key, "parquet.enable.dictionary#"); ok {
			if o.ParquetDictionaryColumns == nil {
				o.ParquetDictionaryColumns = map[string]bool{}
			}
			o.ParquetDictionaryColumns[column], _ = parseBool(strings.TrimSpace(r.set[key]))
		}
	}
}

func (o *Options) parseStats(r *optionReader) {
	o.StatsMode = r.statsMode("metadata.stats-mode", r.text("metadata.stats-mode"))
	o.StatsModePerLevel = r.levels("metadata.stats-mode.per.level")
	for level, mode := range o.StatsModePerLevel {
		o.StatsModePerLevel[level] = r.statsMode("metadata.stats-mode.per.level", mode)
	}
	o.StatsDense = r.bool("metadata.stats-dense-store")
	o.StatsKeepFirstN = r.int("metadata.stats-keep-first-n-columns", -1)
	for _, key := range sortedKeys(r.set) {
		rest, isField := strings.CutPrefix(key, "fields.")
		column, isMode := strings.CutSuffix(rest, ".stats-mode")
		if !isField || !isMode {
			continue
		}
		if o.FieldStatsMode == nil {
			o.FieldStatsMode = map[string]string{}
		}
		o.FieldStatsMode[column] = r.statsMode(key, r.set[key])
	}
}

func (o *Options) parseManifests(r *optionReader) {
	codec := r.text("manifest.compression")
	if own, set := r.set["avro.codec"]; set {
		codec = own // Java hands all avro.* options to the manifest writer, and this one wins there
	}
	o.ManifestCompression = strings.ToLower(codec)
	if o.ManifestCompression == "zstandard" {
		o.ManifestCompression = "zstd"
	}
	o.ManifestTargetSize = r.size("manifest.target-file-size", 1)
	o.ManifestFullCompactionSize = r.size("manifest.full-compaction-threshold-size", 0)
	o.ManifestMergeMinCount = r.int("manifest.merge-min-count", 0)
	o.ManifestDeleteDropStats = r.bool("manifest.delete-file-drop-stats")
}

func (o *Options) parseChangelog(r *optionReader) {
	o.ChangelogProducer = r.enum("changelog-producer")
	o.Changelog = ChangelogOptions{
		FilePrefix: r.text("changelog-file.prefix"), FileFormat: strings.ToLower(r.text("changelog-file.format")),
		FileCompression: codecName(r.text("changelog-file.compression")),
		StatsMode:       r.text("changelog-file.stats-mode"),
		RowDeduplicate:  r.bool("changelog-producer.row-deduplicate"),
		IgnoreFields:    splitComma(r.text(ignoredFieldsKey)),
	}
	if mode := o.Changelog.StatsMode; mode != "" {
		o.Changelog.StatsMode = r.statsMode("changelog-file.stats-mode", mode)
	}
}

func (o *Options) parseStream(r *optionReader) {
	o.Stream = StreamOptions{
		Overwrites: r.bool("streaming-read-overwrite"), AppendOverwrites: r.bool("streaming-read-append-overwrite"),
		Delay: r.duration("streaming.read.snapshot.delay"),
	}
	if r.text("scan.bounded.watermark") != "" {
		bound := r.long("scan.bounded.watermark", math.MinInt64)
		o.Stream.BoundedWatermark = &bound
	}
}

func (o *Options) parseMerging(r *optionReader) {
	o.ReadSequenceNumbers = r.bool("table-read.sequence-number.enabled")
	o.MergeEngine = r.enum("merge-engine")
	o.SequenceFields = splitComma(r.text("sequence.field"))
	o.SequenceDescending = r.enum("sequence.field.sort-order") == "descending"
	o.IgnoreDelete = r.bool("ignore-delete")
	o.IgnoreUpdateBefore = r.bool("ignore-update-before")
	o.RowKindField = r.text("rowkind.field")
	o.DeletionVectors = r.bool("deletion-vectors.enabled")
	o.DeletionVectors64 = r.bool("deletion-vectors.bitmap64")
	o.VectorFileSize = r.size("deletion-vector.index-file.target-size", 1)
	o.RowTracking = r.bool("row-tracking.enabled")
	o.DataEvolution = r.bool("data-evolution.enabled")
	o.WriteBufferSize = r.size("write-buffer-size", 1)
	o.Spill = SpillOptions{
		On: r.bool("write-buffer-spillable"), DiskBytes: r.size("write-buffer-spill.max-disk-size", 0),
		MergeBytes: r.size("sort-spill-buffer-size", 1), FanIn: r.int("local-sort.max-num-file-handles", 2),
		Threshold:   r.fanIn("sort-spill-threshold"),
		Compression: r.codec("spill-compression"), ZstdLevel: r.int("spill-compression.zstd-level", 1),
	}
	o.OverwriteUpgrade = r.bool("overwrite-upgrade")
	o.NumLevels = r.int("num-levels", 2)
	if o.NumLevels == 0 {
		o.NumLevels = r.int("num-sorted-run.compaction-trigger", 1)
		if o.NumLevels < math.MaxInt32 {
			o.NumLevels++
		}
	}
}

func (o *Options) parseAltering(r *optionReader) {
	o.NullToNotNullDisabled = r.bool("alter-column-null-to-not-null.disabled")
	o.ExplicitCastDisabled = r.bool("disable-explicit-type-casting")
	o.AddColumnBeforePartition = r.bool("add-column-before-partition")
	o.DeletionVectorsModifiable = r.bool("deletion-vectors.modifiable")
}

func (o *Options) parseCommit(r *optionReader) {
	o.CommitTimeout = r.duration("commit.timeout")
	o.CommitMaxRetries = r.int("commit.max-retries", 0)
	o.CommitMinRetryWait = r.duration("commit.min-retry-wait")
	o.CommitMaxRetryWait = r.duration("commit.max-retry-wait")
	o.CommitUserPrefix = r.text("commit.user-prefix")
	o.CommitForceSnapshot = r.bool("commit.force-create-snapshot")
	o.IgnoreEmptyCommit = r.optionalBool("snapshot.ignore-empty-commit")
	o.DiscardDuplicateFiles = r.bool("commit.discard-duplicate-files")
	const strict = "commit.strict-mode.last-safe-snapshot"
	if _, set := r.set[strict]; set {
		n, _ := take(r, strict, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
		o.StrictModeLastSafeSnapshot = &n
	}
}

func (o *Options) parseReading(r *optionReader) {
	if _, set := r.set["read.batch-size"]; set { // Java's default is a small batch of rows in Java
		o.ReadBatchSize = r.int("read.batch-size", 1)
	}
	o.FallbackBranch, o.PrimaryBranch = strings.TrimSpace(r.text("scan.fallback-branch")), strings.TrimSpace(r.text("scan.primary-branch"))
	o.SplitTargetSize = r.size("source.split.target-size", 1)
	o.SplitOpenFileCost = r.size("source.split.open-file-cost", 0)
	o.FileIndexRead = r.bool("file-index.read.enabled")
	o.Lookup = LookupOptions{
		MemoryBytes: r.size("lookup.cache-max-memory-size", 1), DiskBytes: r.size("lookup.cache-max-disk-size", 0),
		BlockBytes: r.size("cache-page-size", 1), IndexRatio: r.ratio("lookup.cache.high-priority-pool-ratio", 0),
		Retention: r.duration("lookup.cache-file-retention"), Compression: r.codec("lookup.cache-spill-compression"), ZstdLevel: o.Spill.ZstdLevel,
		Bloom: r.bool("lookup.cache.bloom.filter.enabled"), BloomFPP: r.ratio("lookup.cache.bloom.filter.fpp", 1e-9),
	}
}

// ratio is a number from low up to but without one.
func (r *optionReader) ratio(key string, low float64) float64 {
	n, ok := take(r, key, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	if ok && !(n >= low && n < 1) {
		r.errs = append(r.errs, fault.Invalid(fmt.Sprintf("option %s is %g, must be at least %g and less than 1", key, n, low)))
	}
	return n
}

// codec is how local files of a process are packed.
func (r *optionReader) codec(key string) string {
	name := strings.ToLower(r.text(key))
	if name != "zstd" && name != "lz4" && name != "none" {
		r.errs = append(r.errs, fault.Invalid("option "+key+" is "+quoteShort(name)+", want zstd, lz4 or none"))
	}
	return name
}
