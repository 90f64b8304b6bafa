package schema

// What the table of options leaves out: which values an enum takes, which old
// names still count, which values are harmless, which options never change.

// enumValues are the texts an enum option takes, in any case.
var enumValues = map[string][]string{
	"type":                                            {"table", "format-table", "materialized-table", "object-table", "lance-table", "iceberg-table"},
	"bucket-function.type":                            {"default", "mod", "hive"},
	"data-file.external-paths.strategy":               {"none", "specific-fs", "round-robin", "entropy-inject", "weight-robin"},
	"snapshot.expire.execution-mode":                  {"sync", "async"},
	"merge-engine":                                    {"deduplicate", "partial-update", "aggregation", "first-row"},
	"sort-engine":                                     {"min-heap", "loser-tree"},
	"changelog-producer":                              {"none", "input", "full-compaction", "lookup"},
	"sequence.field.sort-order":                       {"ascending", "descending"},
	"scan.mode":                                       {"default", "latest-full", "full", "latest", "compacted-full", "from-timestamp", "from-creation-timestamp", "from-file-creation-time", "from-snapshot", "from-snapshot-full", "incremental"},
	"stream-scan-mode":                                {"none", "compact-bucket-table", "file-monitor"},
	"batch-scan-mode":                                 {"none", "compact"},
	"consumer.mode":                                   {"exactly-once", "at-least-once"},
	"incremental-between-scan-mode":                   {"auto", "delta", "changelog", "diff"},
	"partition.sink-strategy":                         {"none", "hash"},
	"metastore.tag-to-partition.preview":              {"none", "process-time", "watermark", "batch"},
	"tag.automatic-creation":                          {"none", "process-time", "watermark", "batch"},
	"tag.creation-period":                             {"daily", "hourly", "two-hours"},
	"tag.period-formatter":                            {"with_dashes", "without_dashes", "without_dashes_and_spaces"},
	"sort-compaction.range-strategy":                  {"size", "quantity"},
	"lookup-compact":                                  {"radical", "gentle"},
	"clustering.incremental.mode":                     {"global-sort", "local-sort"},
	"format-table.implementation":                     {"paimon", "engine"},
	"global-index.column-update-action":               {"throw_error", "drop_partition_index"},
	"parquet.writer.version":                          {"v1", "v2", "parquet_1_0", "parquet_2_0"},
	"materialized-table.refresh-status":               {"initializing", "activated", "suspended"},
	"materialized-table.refresh-mode":                 {"continuous", "full", "automatic"},
	"materialized-table.logical-refresh-mode":         {"continuous", "full", "automatic"},
	"materialized-table.interval-freshness.time-unit": {"second", "minute", "hour", "day"},
}

// fallbackKeys are former names, tried in order when the option itself is not set.
var fallbackKeys = map[string][]string{
	"ignore-delete":                    {"first-row.ignore-delete", "deduplicate.ignore-delete", "partial-update.ignore-delete"},
	"write-only":                       {"write.compaction-skip"},
	"scan.mode":                        {"log.scan"},
	"scan.timestamp-millis":            {"log.scan.timestamp-millis"},
	"lookup-wait":                      {"changelog-producer.lookup-wait"},
	"snapshot.clean-empty-directories": {"snapshot.expire.clean-empty-directories"},
	"write.batch-size":                 {"orc.write.batch-size"},
	"file-operation.thread-num":        {"delete-file.thread-num"},
	"clustering.columns":               {"sink.clustering.by-columns"},
	"clustering.strategy":              {"sink.clustering.strategy"},
	"variant.shreddingSchema":          {"parquet.variant.shreddingSchema"},
	"blob-descriptor-field":            {"blob.stored-descriptor-fields"},
}

// keyedOnly refuse on tables with a primary key only, appendOnly on those
// without: elsewhere Paimon itself pays no heed to them.
var (
	keyedOnly  = map[string]bool{"merge-engine": true, "changelog-producer": true}
	appendOnly = map[string]bool{"clustering.columns": true}
)

// decidedByLevel are refused by looking at several options together, see check.go.
var decidedByLevel = map[string]bool{
	"bucket": true, "file.format": true, "file.format.per.level": true,
	"file.compression": true, "file.compression.per.level": true, "manifest.compression": true,
}

// immutableOptions cannot change once a table has snapshots.
var immutableOptions = map[string]bool{
	"bucket-key":                                     true,
	"bucket-function.type":                           true,
	"data-file.path-directory":                       true,
	"merge-engine":                                   true,
	"aggregation.remove-record-on-delete":            true,
	"partial-update.remove-record-on-delete":         true,
	"partial-update.remove-record-on-sequence-group": true,
	"rowkind.field":                                  true,
	"primary-key":                                    true,
	"partition":                                      true,
	"force-lookup":                                   true,
	"row-tracking.enabled":                           true,
	"data-evolution.enabled":                         true,
	"index-file-in-data-file-dir":                    true,
	"blob-descriptor-field":                          true,
	"blob-external-storage-path":                     true,
	"blob-external-storage-field":                    true,
	"pk-clustering-override":                         true,
}
