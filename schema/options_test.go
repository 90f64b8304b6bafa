package schema

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/tidelake/tidelake/internal/fault"
)

func TestEveryOptionOfPaimonHasAVerdict(t *testing.T) {
	data, err := os.ReadFile("testdata/option-keys.txt")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, o := range KnownOptions() {
		if listed[o.Key] || o.Class < Honoured || o.Class > RefusedBoth || o.Why == "" {
			t.Errorf("%+v", o)
		}
		listed[o.Key] = true
	}
	keys := strings.Fields(string(data))
	if len(keys) != 283 {
		t.Errorf("%d keys", len(keys))
	}
	for _, key := range keys {
		if !listed[key] {
			t.Errorf("%s has no verdict", key)
		}
	}
	for _, o := range optionTable {
		if o.def != "" {
			if err := checkValue(o.key, o.kind, o.def); err != nil {
				t.Errorf("default: %v", err)
			}
		}
		if o.kind == enumValue && len(enumValues[o.key]) == 0 {
			t.Errorf("%s has no values", o.key)
		}
	}
	for key := range immutableOptions {
		if optionByKey[key] == nil {
			t.Errorf("%s is immutable and unknown", key)
		}
	}
}

func TestDefaultsArePaimons(t *testing.T) {
	got, err := ParseOptions(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &Options{
		Branch: "main", Bucket: -1, BucketFunction: "default",
		FileFormat: "parquet", FileCompression: "zstd", ZstdLevel: 1, DataFilePrefix: "data-", Changelog: ChangelogOptions{FilePrefix: "changelog-"},
		StatsMode: "truncate(16)", StatsDense: true, StatsKeepFirstN: -1,
		ManifestCompression: "zstd", ManifestTargetSize: 8 << 20, ManifestFullCompactionSize: 16 << 20, ManifestMergeMinCount: 30,
		PartitionDefaultName: "__DEFAULT_PARTITION__", PartitionLegacyName: true, DynamicPartitionOverwrite: true,
		DynamicBucketTarget: 2_000_000, CrossPartitionBootstrap: 10, DynamicBucketMax: -1, PostponeDefaultBuckets: 1, PostponeBatchFixed: true,
		MergeEngine: "deduplicate", ChangelogProducer: "none", VectorFileSize: 2 << 20,
		WriteBufferSize: 256 << 20, Spill: SpillOptions{On: true, DiskBytes: math.MaxInt64, MergeBytes: 64 << 20, FanIn: 128, Compression: "zstd", ZstdLevel: 1}, OverwriteUpgrade: true, NumLevels: 6,
		Compaction: CompactionOptions{
			Trigger: 5, StopTrigger: 8, SizeAmplification: 200, SizeRatio: 1, OffPeakStart: -1, OffPeakEnd: -1,
			LookupMaxInterval: 10, LookupWait: true, MinFiles: 5, FileLimit: 100000, DeleteRatio: 0.2,
		},
		Expiry:           ExpiryOptions{Snapshots: Retention{10, math.MaxInt32, time.Hour}, Limit: 50},
		CommitMaxRetries: 10, CommitMinRetryWait: 10 * time.Millisecond, CommitMaxRetryWait: 10 * time.Second,
		SplitTargetSize: 128 << 20, SplitOpenFileCost: 4 << 20, FileIndexRead: true,
		Lookup:                LookupOptions{MemoryBytes: 256 << 20, DiskBytes: math.MaxInt64, BlockBytes: 64 << 10, IndexRatio: 0.25, Retention: time.Hour, Compression: "zstd", ZstdLevel: 1, Bloom: true, BloomFPP: 0.05},
		Start:                 StartOptions{Mode: "latest-full"},
		NullToNotNullDisabled: true,
		Tags:                  TagOptions{Creation: "none", Period: 24 * time.Hour, Layout: "2006-01-02", Expire: true},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Options{})); diff != "" {
		t.Error(diff)
	}
	if got.TargetFileSizeFor(true) != 128<<20 || got.TargetFileSizeFor(false) != 256<<20 {
		t.Error("target file size")
	}
}

func TestOptionValuesAreReadAsPaimonDoes(t *testing.T) {
	yes, safe := true, int64(-1)
	got, err := ParseOptions(map[string]string{
		"bucket": "4", "bucket-key": "a,b", "write.compaction-skip": "TRUE", "file.format": "ORC", "file.compression": "Uncompressed",
		"file.format.per.level": "0:Parquet, 5:orc", "file.compression.per.level": "0:snappy", "target-file-size": " 64 kb ", "write-buffer-size": "1g",
		"commit.timeout": "2 min", "commit.min-retry-wait": "250", "commit.max-retry-wait": "9223372036854775807 d",
		"metadata.stats-mode": "TRUNCATE(4)", "metadata.stats-mode.per.level": "0:none", "fields.a.stats-mode": "full",
		"sequence.field": " x , y ", "sequence.field.sort-order": "Descending", "first-row.ignore-delete": "true",
		"snapshot.ignore-empty-commit": "true", "commit.strict-mode.last-safe-snapshot": "-1", "num-sorted-run.compaction-trigger": "2",
		"parquet.enable.dictionary": "true", "parquet.enable.dictionary#a": "false", "avro.codec": "snappy", "parquet.page.size": "65536",
		"data-file.external-paths": "s3://a/x, s3://b", "parquet.compression.codec.zstd.level": "7", "parquet.block.size": "1000",
	})
	if err != nil {
		t.Fatal(err)
	}
	base, _ := ParseOptions(nil)
	want := *base
	want.Bucket, want.BucketKey, want.WriteOnly, want.FileFormat, want.FileCompression = 4, []string{"a", "b"}, true, "orc", "none"
	want.AvroCodec = "snappy"
	want.FileFormatPerLevel, want.FileCompressionPerLevel = map[int]string{0: "parquet", 5: "orc"}, map[int]string{0: "snappy"}
	want.TargetFileSize, want.WriteBufferSize = 64<<10, 1<<30
	want.CommitTimeout, want.CommitMinRetryWait, want.CommitMaxRetryWait = 2*time.Minute, 250*time.Millisecond, math.MaxInt64
	want.StatsMode, want.StatsModePerLevel, want.FieldStatsMode = "truncate(4)", map[int]string{0: "none"}, map[string]string{"a": "full"}
	want.SequenceFields, want.SequenceDescending, want.IgnoreDelete = []string{"x", "y"}, true, true
	want.IgnoreEmptyCommit, want.StrictModeLastSafeSnapshot, want.NumLevels = &yes, &safe, 3
	want.ParquetDictionary, want.ParquetDictionaryColumns, want.ManifestCompression, want.ParquetPageSize = &yes, map[string]bool{"a": false}, "snappy", 65536
	want.Compaction.Trigger, want.Compaction.StopTrigger, want.Compaction.LookupMaxInterval = 2, 5, 4
	want.ExternalPaths, want.ZstdLevel, want.BlockSize = []string{"s3://a/x", "s3://b"}, 7, 1000
	if diff := cmp.Diff(&want, got, cmpopts.IgnoreUnexported(Options{})); diff != "" {
		t.Error(diff)
	}
	if got.FileFormatFor(0) != "parquet" || got.FileFormatFor(3) != "orc" || got.FileCompressionFor(0) != "snappy" ||
		got.StatsModeFor("a", 0) != "full" || got.StatsModeFor("b", 0) != "none" || got.StatsModeFor("b", 1) != "truncate(4)" {
		t.Error("choices by level")
	}
}

func TestMalformedValuesAreAllReported(t *testing.T) {
	bad := map[string]string{
		"bucket": "x", "write-only": "maybe", "write-buffer-size": "12 parsecs", "commit.timeout": "soon", "merge-engine": "magic",
		"file.format.per.level": "zero:orc", "metadata.stats-mode": "truncate(0)", "commit.max-retries": "-1", "target-file-size": "9999999999 tb",
		"data-file.prefix": "../x", "read.batch-size": "0", "parquet.page.size": "1 kb",
	}
	_, err := ParseOptions(bad)
	if !errors.Is(err, fault.ErrInvalid) {
		t.Fatal(err)
	}
	for key := range bad {
		if !strings.Contains(err.Error(), "option "+key+" is") {
			t.Errorf("%v lacks %s", err, key)
		}
	}
	if _, err := ParseOptions(map[string]string{"partition.expiration-time": "nonsense"}); err != nil {
		t.Errorf("a value that nobody reads here must not stop an open: %v", err)
	}
	if err := CheckNewOptions(map[string]string{"partition.expiration-time": "nonsense"}); err == nil {
		t.Error("but setting it anew must")
	}
}

func TestWhatStopsReadingAndWriting(t *testing.T) {
	keyed := &Table{PrimaryKeys: []string{"k"}}
	plain := &Table{}
	for _, c := range []struct {
		table       *Table
		option      string
		read, write bool // allowed
	}{
		{keyed, "bucket=3", true, true},
		{keyed, "bucket=-1", true, true},
		{keyed, "bucket=-2", true, true},
		{plain, "bucket=-1", true, true},
		{keyed, "merge-engine=deduplicate", true, true},
		{keyed, "merge-engine=partial-update", true, true},
		{keyed, "merge-engine=First-Row", true, true},
		{plain, "merge-engine=first-row", true, true},
		{keyed, "changelog-producer=lookup", true, true},
		{keyed, "changelog-producer=none", true, true},
		{keyed, "deletion-vectors.enabled=TRUE", true, true},
		{plain, "deletion-vectors.enabled=true", true, true},
		{plain, "deletion-vectors.enabled=false", true, true},
		{plain, "row-tracking.enabled=true", true, false},
		{plain, "data-evolution.enabled=true", false, false},
		{keyed, "pk-clustering-override=true", false, false},
		{plain, "clustering.columns=a", true, false},
		{keyed, "clustering.columns=a", true, true},
		{plain, "sink.clustering.by-columns=a", true, false},
		{plain, "clustering.incremental=true", true, false},
		{keyed, "chain-table.enabled=true", false, false},
		{plain, "file-index.bloom-filter.columns=a", true, false},
		{plain, "file-index.bloom-filter.a.items=5", true, true},
		{plain, "file-index.read.enabled=false", true, true},
		{plain, "parquet.bloom.filter.enabled#a=true", true, false},
		{plain, "parquet.bloom.filter.enabled#a=false", true, true},
		{plain, "file.format=avro", true, true},
		{plain, "file.format=orc", true, false},
		{keyed, "file.format.per.level=0:avro", true, true},
		{keyed, "file.format.per.level=3:orc", true, false}, // compactions would write it
		{plain, "file.format.per.level=0:avro", true, true},
		{plain, "file.compression=brotli", true, false},
		{plain, "file.compression=gzip", true, true},
		{keyed, "file.compression.per.level=0:lzo", true, false},
		{plain, "manifest.format=orc", false, false},
		{plain, "manifest.compression=bzip2", true, false},
		{plain, "branch=dev", false, false},
		{plain, "branch=main", true, true},
		{plain, "type=format-table", false, false},
		{plain, "scan.fallback-branch=b", true, true},
		{plain, "scan.snapshot-id=3", true, true},
		{plain, "scan.mode=latest-full", true, true},
		{plain, "scan.mode=compacted-full", true, true},
		{plain, "query-auth.enabled=true", false, false},
		{plain, "commit.callbacks=com.example.C", true, false},
		{plain, "data-file.external-paths=s3://x", true, true},
		{plain, "data-file.external-paths.strategy=round-robin", true, false},
		{plain, "upsert-key=a", true, false},
		{plain, "metadata.iceberg.storage=hadoop-catalog", true, false},
		{plain, "metadata.iceberg.storage=disabled", true, true},
		{plain, "parquet.encryption.footer.key=x", false, false},
		{plain, "parquet.compression=snappy", true, false},
		{plain, "parquet.compression=zstd", true, true},
		{plain, "partition.timestamp-format.strict=true", true, false},
		{plain, "something.else=1", true, true},
	} {
		key, value, _ := strings.Cut(c.option, "=")
		raw := map[string]string{key: value}
		if _, set := raw["bucket"]; !set && len(c.table.PrimaryKeys) > 0 {
			raw["bucket"] = "1"
		}
		o, err := ParseOptions(raw)
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, err error, allowed bool) {
			if allowed != (err == nil) || err != nil && (!errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "not supported")) {
				t.Errorf("%s %s: %v", what, c.option, err)
			}
		}
		check("read", o.CheckRead(c.table), c.read)
		check("write", o.CheckWrite(c.table), c.write)
	}
}

func TestWarningsNameUnknownAndIneffectiveOptions(t *testing.T) {
	o, err := ParseOptions(map[string]string{
		"my.note": "x", "bucket": "1", "partition.expiration-time": "2 h", "partition.expiration-max-num": "100", "sink.parallelism": "3", "fields.a.stats-mode": "none",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := o.Warnings()
	if len(got) != 2 || !strings.Contains(got[0], "my.note is unknown") || !strings.Contains(got[1], "partition.expiration-time has no effect: ") {
		t.Errorf("%q", got)
	}
}

func TestOptionsOfAnotherEngineAreSaidToHaveNoEffect(t *testing.T) {
	for set, without := range map[string]string{
		"fields.v.aggregate-function=sum":                    "merge-engine=deduplicate",
		"fields.default-aggregate-function=last_value":       "merge-engine=first-row",
		"fields.s.sequence-group=v":                          "merge-engine=aggregation",
		"partial-update.remove-record-on-delete=true":        "merge-engine=aggregation",
		"aggregation.remove-record-on-delete=true":           "merge-engine=partial-update",
		"changelog-producer.row-deduplicate=true":            "changelog-producer=input",
		"changelog-producer.row-deduplicate-ignore-fields=v": "changelog-producer=none",
	} {
		raw := map[string]string{"bucket": "1"}
		for _, o := range []string{set, without} {
			key, value, _ := strings.Cut(o, "=")
			raw[key] = value
		}
		o, err := ParseOptions(raw)
		if err != nil {
			t.Fatal(err)
		}
		key, _, _ := strings.Cut(set, "=")
		_, what, _ := strings.Cut(without, "=")
		if got := o.Warnings(); len(got) != 1 || !strings.HasPrefix(got[0], "option "+key+" has no effect") || !strings.Contains(got[0], what) {
			t.Errorf("%s with %s: %q", set, without, got)
		}
	}
	o, err := ParseOptions(map[string]string{
		"merge-engine": "partial-update", "fields.s.sequence-group": "v", "fields.v.aggregate-function": "sum", "fields.default-aggregate-function": "max",
		"partial-update.remove-record-on-sequence-group": "s", "changelog-producer": "lookup", "changelog-producer.row-deduplicate": "true",
	})
	if err != nil {
		t.Fatal(err)
	}
	own, err := ParseOptions(map[string]string{"merge-engine": "shop.basket", "fields.v.aggregate-function": "sum"})
	if err != nil {
		t.Fatal(err)
	}
	off, err := ParseOptions(map[string]string{"partial-update.remove-record-on-delete": "false", "changelog-producer.row-deduplicate": "false"})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Concat(o.Warnings(), own.Warnings(), off.Warnings()); len(got) > 0 {
		t.Errorf("%q", got)
	}
}

func TestMisspeltNewOptionsAreErrors(t *testing.T) {
	for key, want := range map[string]string{
		"bukcet": "bucket", "merge_engine": "merge-engine", "Bucket-Key": "bucket-key", "sequence-field": "sequence.field",
		"write-buffer-szie": "write-buffer-size", "feilds.a.stats-mode": "fields.a.stats-mode", "fields.a.agregate-function": "fields.a.aggregate-function",
		"file-index.bloom-filter.colums": "file-index.bloom-filter.columns", "read.batch-sise": "read.batch-size",
	} {
		err := CheckNewOptions(map[string]string{key: "1"})
		if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), `did you mean "`+want+`"?`) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, key := range []string{
		"owner", "team", "my.note", "sink.paralelism", "scan.snapsot-id", "lookup.cach", "connector", "connector.x", "parquet.anything",
		"write.compaction-skip", "first-row.ignore-delete", "commit.callback.com.example.C.param", "kafka.bootstrap.servers", "x",
	} {
		value := "1"
		if strings.Contains(key, "skip") || strings.Contains(key, "ignore") {
			value = "true"
		}
		if err := CheckNewOptions(map[string]string{key: value}); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}
