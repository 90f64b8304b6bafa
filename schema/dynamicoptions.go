package schema

import (
	"slices"
	"strings"
)

// Options whose keys carry a column, an index type or a class name, options of
// file formats, and the options that engines keep in a table for themselves.

const (
	mergeDetail   = "how the column is merged, with merge-engine partial-update or aggregation"
	formatDetail  = "tunes a file writer that is not used here"
	parquetDetail = "tunes Java's Parquet writer; the files stay readable either way"
	engineOwn     = "belongs to an engine"
	icebergDetail = "counts only with metadata.iceberg.storage, which is refused for writing"
)

// exactExtras are known keys beside Paimon's core options.
var exactExtras = []option{
	{"avro.codec", textValue, "", Honoured, "codec of manifests, over manifest.compression, and of Avro data files, over file.compression"},
	{"parquet.block.size", plainLong, "", Honoured, "bytes of a row group, unless file.block-size is set"},
	{"parquet.page.size", plainInt, "", Honoured, "bytes of a page"},
	{"parquet.page.row.count.limit", plainInt, "20000", Ignored, parquetDetail},
	{"parquet.dictionary.page.size", plainInt, "1048576", Ignored, parquetDetail},
	{"parquet.writer.max-padding", plainInt, "8388608", Ignored, parquetDetail},
	{"parquet.validation", plainBool, "false", Ignored, parquetDetail},
	{"parquet.writer.version", enumValue, "v1", Ignored, parquetDetail},
	{"parquet.compression.codec.zstd.level", plainInt, "", Honoured, "zstd level of data files, over file.compression.zstd-level"},
	{"parquet.compression", textValue, "", RefusedWrite, "set file.compression instead"},
	{"parquet.bloom.filter.enabled", plainBool, "false", RefusedWrite, "remove the option; such files are read"},
	{"metadata.iceberg.storage", textValue, "disabled", RefusedWrite, "write through Paimon, which keeps the Iceberg metadata in step"},
}

// fieldSuffixes are the options fields.<column>.<suffix>.
var fieldSuffixes = []string{
	"aggregate-function", "ignore-retract", "distinct", "list-agg-delimiter", "nested-key", "count-limit",
	"ts-field", "sequence-group", "stats-mode",
}

// families are keys known by how they begin; the first that fits decides.
var families = []struct {
	prefix string
	option option
}{
	{"parquet.enable.dictionary#", option{"parquet.enable.dictionary#<column>", plainBool, "", Honoured, "dictionary encoding of one column"}},
	{"parquet.bloom.filter.enabled#", option{"parquet.bloom.filter.enabled#<column>", plainBool, "false", RefusedWrite, "remove the option; such files are read"}},
	{"parquet.bloom.filter.", option{"parquet.bloom.filter.*", textValue, "", Ignored, "counts only with parquet.bloom.filter.enabled, which is refused for writing"}},
	{"parquet.crypto.", option{"parquet.crypto.*", textValue, "", RefusedBoth, "read and write the table with Paimon; files are not decrypted here"}},
	{"parquet.encryption.", option{"parquet.encryption.*", textValue, "", RefusedBoth, "read and write the table with Paimon; files are not decrypted here"}},
	{"parquet.", option{"parquet.*", textValue, "", Ignored, parquetDetail}},
	{"orc.", option{"orc.*", textValue, "", Ignored, formatDetail}},
	{"avro.", option{"avro.*", textValue, "", Ignored, formatDetail}},
	{"csv.", option{"csv.*", textValue, "", Ignored, formatDetail}},
	{"json.", option{"json.*", textValue, "", Ignored, formatDetail}},
	{"lance.", option{"lance.*", textValue, "", Ignored, formatDetail}},
	{"metadata.iceberg.", option{"metadata.iceberg.*", textValue, "", Ignored, icebergDetail}},
	{"commit.callback.", option{"commit.callback.<class>.param", textValue, "", Ignored, "counts only with commit.callbacks, which is refused for writing"}},
	{"tag.callback.", option{"tag.callback.<class>.param", textValue, "", Ignored, "counts only with tag.callbacks, which is refused"}},
	{"blob-descriptor.", option{"blob-descriptor.*", textValue, "", Ignored, refusedTypes}},
}

// enginePrefixes and engineKeys are what Flink, Spark and others keep among the
// table's options; they never are misspellings of ours.
var enginePrefixes = []string{
	"sink.", "scan.", "lookup.", "connector", "flink.", "spark.", "hive.", "trino.", "kafka.", "log.", "paimon.",
	"source.checkpoint-align.", "source.operator-uid.", "read.stream.", "write.merge-schema", "filesystem.",
	"changelog.precommit-compact.", "partition.mark-done.",
}

var engineKeys = []string{
	"unaware-bucket.compaction.parallelism", "changelog-producer.compaction-interval", "partition.mark-done-action.mode",
	"partition.idle-time-to-done", "partition.time-interval", "end-input.watermark", "precommit-compact",
	"commit.custom-listeners", "read.changelog", "read.allow.fullScan", "read.shuffle-bucket-with-partition",
	"write.use-v2-write", "source.split.target-size-with-column-pruning", "requiredSparkConfsCheck.enabled", "owner", "provider", "comment", "location", "external",
	"is_managed_location",
}

// findOption finds what is known about a key, and whether anything is.
func findOption(key string) (*option, bool) {
	if spec, ok := optionByKey[key]; ok {
		return spec, true
	}
	for i := range exactExtras {
		if exactExtras[i].key == key {
			return &exactExtras[i], true
		}
	}
	if spec := fieldOption(key); spec != nil {
		return spec, true
	}
	if spec := indexOption(key); spec != nil {
		return spec, true
	}
	for i := range families {
		if strings.HasPrefix(key, families[i].prefix) {
			return &families[i].option, true
		}
	}
	if engineKey(key) {
		return &option{key, textValue, "", Ignored, engineOwn}, true
	}
	return nil, false
}

func engineKey(key string) bool {
	for _, prefix := range enginePrefixes {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return slices.Contains(engineKeys, key)
}

func fieldOption(key string) *option {
	rest, ok := strings.CutPrefix(key, "fields.")
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot <= 0 {
		return nil
	}
	switch suffix := rest[dot+1:]; {
	case suffix == "stats-mode":
		return &option{"fields.<column>.stats-mode", textValue, "", Honoured, "statistics mode of one column"}
	case slices.Contains(fieldSuffixes, suffix):
		return &option{"fields.<column>." + suffix, textValue, "", Honoured, mergeDetail}
	}
	return nil
}

// indexOption: file-index.<type>.columns asks for indexes, the rest tunes them.
func indexOption(key string) *option {
	rest, ok := strings.CutPrefix(key, "file-index.")
	if !ok || strings.Count(rest, ".") < 1 {
		return nil
	}
	if strings.HasSuffix(rest, ".columns") && strings.Count(rest, ".") == 1 {
		return &option{"file-index.<type>.columns", textValue, "", RefusedWrite, "write through Paimon, or remove the option; the table can be read"}
	}
	if strings.Count(rest, ".") >= 2 {
		return &option{"file-index.<type>.<column>.*", textValue, "", Ignored, fileIndexes}
	}
	return nil
}
