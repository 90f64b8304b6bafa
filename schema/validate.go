package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
)

// Validate checks the whole definition by the rules that Paimon applies when it
// makes or alters a table, and returns all faults at once, joined. Columns of
// types that are not built are reported as refused; everything else is invalid
// input. A table that Paimon would refuse to make is refused here.
func (t *Table) Validate() error {
	options, errs := parseOptions(t.Options)
	v := validator{t: t, o: options, errs: errs}
	if len(errs) == 0 { // a period that cannot be read is none to compare with
		v.errs = append(v.errs, options.Tags.Check())
	}
	v.columns()
	v.ids()
	v.keys()
	v.bucket()
	v.merging()
	v.columnOptions()
	v.retention()
	v.ranges()
	v.features()
	v.scanStart()
	v.errs = append(v.errs, refusedColumns(t.Fields)...)
	return errors.Join(v.errs...)
}

type validator struct {
	t    *Table
	o    *Options
	errs []error
}

func (v *validator) bad(format string, args ...any) {
	v.errs = append(v.errs, fault.Invalid(fmt.Sprintf(format, args...)))
}

func (v *validator) keyed() bool { return len(v.t.PrimaryKeys) > 0 }

func (v *validator) on(key string) bool { return strings.EqualFold(v.o.set[key], "true") }

func (v *validator) columns() {
	if len(v.t.Fields) == 0 {
		v.bad("the table has no columns")
	}
	seen := map[string]bool{}
	for _, f := range v.t.Fields {
		switch err := checkName("column", f.Name); {
		case err != nil:
			v.errs = append(v.errs, err)
		case seen[f.Name]:
			v.bad("column %q appears twice", f.Name)
		case reservedName(f.Name):
			v.bad("column %q: the name is reserved for columns that data files add", f.Name)
		}
		seen[f.Name] = true
		if err := checkType(f.Type, 1); err != nil {
			v.errs = append(v.errs, fmt.Errorf("column %q: %w", f.Name, err))
			continue
		}
		if err := checkDefault(f); err != nil {
			v.errs = append(v.errs, fmt.Errorf("column %q: %w", f.Name, err))
		}
		if v.o.FileFormat == "avro" {
			v.avroLimits(f.Name, f.Type)
		}
	}
}

// avroLimits: Avro has no logical type fine enough for these.
func (v *validator) avroLimits(path string, t Type) {
	if t.Kind == Time && t.Precision > 3 || (t.Kind == Timestamp || t.Kind == TimestampLTZ) && t.Precision > 6 {
		v.bad("column %q: file.format avro cannot hold %s, at most TIME(3) and TIMESTAMP(6)", path, t)
	}
	for _, child := range []*Type{t.Key, t.Elem} {
		if child != nil {
			v.avroLimits(path, *child)
		}
	}
	for _, f := range t.Fields {
		v.avroLimits(path+"."+f.Name, f.Type)
	}
}

func (v *validator) ids() {
	owner := map[int]string{}
	walkFields(v.t.Fields, "", func(path string, f Field) {
		if f.ID < 0 || f.ID > maxFieldID {
			v.bad("field %s: id %d, must be 0 to %d", path, f.ID, maxFieldID)
		} else if other, taken := owner[f.ID]; taken {
			v.bad("field %s: id %d already belongs to %s", path, f.ID, other)
		} else if f.ID > v.t.HighestFieldID {
			v.bad("field %s: id %d is above the highest field id %d", path, f.ID, v.t.HighestFieldID)
		}
		owner[f.ID] = path
	})
}

func (v *validator) keys() {
	v.keyColumns("partition key", v.t.PartitionKeys)
	v.keyColumns("primary key", v.t.PrimaryKeys)
	v.keyColumns("upsert-key", splitComma(v.o.set["upsert-key"]))
	for _, f := range v.t.known(v.t.PrimaryKeys) {
		if f.Type.Nullable {
			v.bad("primary key column %q is nullable, make it NOT NULL", f.Name)
		}
	}
	if v.keyed() && len(v.t.trimmedKeys()) == 0 {
		v.bad("primary key %s consists of partition columns only, so each partition would hold one row; add a column to the primary key",
			list(v.t.PrimaryKeys))
	}
	if v.keyed() && v.o.set["upsert-key"] != "" {
		v.bad("option upsert-key is for tables without a primary key")
	}
}

func (v *validator) keyColumns(what string, names []string) {
	seen := map[string]bool{}
	for _, name := range names {
		f, exists := v.t.Field(name)
		switch {
		case seen[name]:
			v.bad("%s: column %q appears twice", what, name)
		case !exists:
			v.bad("%s: column %q does not exist%s", what, name, suggestion(name, v.t.names()))
		case f.Type.Kind.Nested() || f.Type.Kind.Refused():
			v.bad("%s: column %q is of type %s, keys take scalar types only", what, name, f.Type.Kind)
		}
		seen[name] = true
	}
}

func (v *validator) bucket() {
	n := v.o.Bucket
	switch {
	case n == -1 && v.o.set["bucket-key"] != "":
		v.bad("option bucket-key needs a fixed number of buckets, set bucket")
	case n == -1 && !v.keyed() && v.o.set["full-compaction.delta-commits"] != "":
		v.bad("option full-compaction.delta-commits needs a fixed number of buckets or a primary key")
	case n == -2 && !v.keyed():
		v.bad("bucket -2 (postpone) needs a primary key")
	case n == 0 || n < -2:
		v.bad("bucket is %d, must be a positive number, or -1, or -2", n)
	case n > 0 && !v.keyed() && len(v.o.BucketKey) == 0:
		v.bad("bucket is %d on a table without primary key, set bucket-key too", n)
	}
	v.keyColumns("option bucket-key", v.o.BucketKey)
	for _, name := range v.o.BucketKey {
		if slices.Contains(v.t.PartitionKeys, name) {
			v.bad("option bucket-key: column %q is a partition column", name)
		}
		if v.keyed() && !slices.Contains(v.t.PrimaryKeys, name) {
			v.bad("option bucket-key: column %q is not in the primary key %s", name, list(v.t.PrimaryKeys))
		}
	}
}

func (v *validator) merging() {
	v.sequenceField()
	v.rowKindField()
	engine, producer := v.o.MergeEngine, v.o.ChangelogProducer
	if !v.keyed() && producer != "none" {
		v.bad("changelog-producer %s needs a primary key", producer)
	}
	if engine == "first-row" && producer != "lookup" && producer != "none" {
		v.bad("merge-engine first-row takes changelog-producer none or lookup, not %s", producer)
	}
	if v.on("streaming-read-overwrite") {
		if producer == "full-compaction" || producer == "lookup" {
			v.bad("streaming-read-overwrite with changelog-producer %s would read changes twice", producer)
		}
		if !v.keyed() {
			v.bad("streaming-read-overwrite needs a primary key, use streaming-read-append-overwrite")
		}
	}
	if v.keyed() {
		v.engine()
	}
	if v.on("table-read.sequence-number.enabled") && !v.keyed() {
		v.bad("table-read.sequence-number.enabled needs a primary key")
	}
}

func (v *validator) sequenceField() {
	seen := map[string]bool{}
	for _, name := range v.o.SequenceFields {
		f, exists := v.t.Field(name)
		switch {
		case seen[name]:
			v.bad("sequence.field: column %q appears twice", name)
		case !exists:
			v.bad("sequence.field: column %q does not exist%s", name, suggestion(name, v.t.names()))
		case f.Type.Kind.Nested() || f.Type.Kind.Refused():
			v.bad("sequence.field: column %q is of type %s, sequence columns are scalar", name, f.Type.Kind)
		}
		if v.o.set["fields."+name+".aggregate-function"] != "" {
			v.bad("sequence.field: column %q has an aggregate function too", name)
		}
		seen[name] = true
	}
	if len(seen) == 0 {
		return
	}
	if v.o.MergeEngine == "first-row" {
		v.bad("sequence.field has no place in merge-engine first-row")
	}
	if v.t.CrossPartition() {
		v.bad("sequence.field needs a primary key that contains every partition column: %s lacks some of %s",
			list(v.t.PrimaryKeys), list(v.t.PartitionKeys))
	}
}

func (v *validator) rowKindField() {
	name := v.o.RowKindField
	if name == "" {
		return
	}
	f, exists := v.t.Field(name)
	if !exists {
		v.bad("rowkind.field: column %q does not exist%s", name, suggestion(name, v.t.names()))
	} else if f.Type.Kind != VarChar && f.Type.Kind != Char {
		v.bad("rowkind.field: column %q is %s, must be STRING", name, f.Type)
	}
}

// columnOptions: the columns that fields.<c>.* options speak of must exist.
func (v *validator) columnOptions() {
	for _, key := range sortedKeys(v.t.Options) {
		rest, ok := strings.CutPrefix(key, "fields.")
		if !ok || key == "fields.default-aggregate-function" {
			continue
		}
		names, _, _ := strings.Cut(rest, ".")
		for _, name := range strings.Split(names, ",") {
			if v.t.Index(name) < 0 {
				v.bad("option %s: column %q does not exist%s", key, name, suggestion(name, v.t.names()))
			}
		}
	}
}

func (v *validator) retention() {
	v.minMax("snapshot.num-retained.min", "snapshot.num-retained.max", 10, 1<<31-1)
	v.minMax("changelog.num-retained.min", "changelog.num-retained.max",
		v.number("snapshot.num-retained.min", 10), v.number("snapshot.num-retained.max", 1<<31-1))
	if _, set := v.o.set["partition.expiration-time"]; set && len(v.t.PartitionKeys) == 0 {
		v.bad("partition.expiration-time needs a partitioned table")
	}
	name := v.o.set["record-level.time-field"]
	if name == "" {
		if err := v.o.checkExpiry(v.t); err != nil {
			v.errs = append(v.errs, err)
		}
		return
	}
	f, exists := v.t.Field(name)
	switch f.Type.Kind {
	case Int, BigInt, Timestamp, TimestampLTZ:
	default:
		if exists {
			v.bad("record-level.time-field: column %q is %s, must be INT, BIGINT or a timestamp", name, f.Type)
		} else {
			v.bad("record-level.time-field: column %q does not exist%s", name, suggestion(name, v.t.names()))
		}
	}
}

func (v *validator) number(key string, otherwise int64) int64 {
	text, set := v.o.set[key]
	if !set {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		v.bad("option %s is %q, must be an integer", key, text)
		return otherwise
	}
	return n
}

func (v *validator) minMax(minKey, maxKey string, defaultMin, defaultMax int64) {
	low, high := v.number(minKey, defaultMin), v.number(maxKey, defaultMax)
	if low < 1 {
		v.bad("%s is %d, must be at least 1", minKey, low)
	}
	if low > high {
		v.bad("%s %d is above %s %d", minKey, low, maxKey, high)
	}
}

// features are the rules among options that are not built yet; a table made
// here must still be one that Paimon opens.
func (v *validator) features() {
	o := v.o
	if o.DeletionVectors {
		if o.ChangelogProducer == "full-compaction" {
			v.bad("deletion-vectors.enabled takes changelog-producer none, input or lookup")
		}
		if o.MergeEngine == "first-row" && !v.on("pk-clustering-override") {
			v.bad("deletion-vectors.enabled has no place in merge-engine first-row")
		}
	}
	if o.RowTracking && (o.Bucket != -1 || v.keyed()) {
		v.bad("row-tracking.enabled needs a table without primary key and with bucket -1")
	}
	if o.DataEvolution && (!o.RowTracking || o.DeletionVectors || v.on("clustering.incremental")) {
		v.bad("data-evolution.enabled needs row-tracking.enabled, and neither deletion-vectors.enabled nor clustering.incremental")
	}
	if v.on("clustering.incremental") {
		if v.keyed() {
			v.bad("clustering.incremental needs a table without primary key")
		}
		if o.Bucket != -1 && (!strings.EqualFold(o.set["bucket-append-ordered"], "false") || o.DeletionVectors) {
			v.bad("clustering.incremental with buckets needs bucket-append-ordered false and no deletion vectors")
		}
	}
	if o.set["scan.fallback-branch"] != "" && o.set["scan.primary-branch"] != "" {
		v.bad("scan.fallback-branch and scan.primary-branch exclude each other")
	}
	for _, name := range splitComma(o.set["vector-field"]) {
		if f, exists := v.t.Field(name); !exists || f.Type.Kind != Vector {
			v.bad("vector-field: column %q is not a VECTOR column", name)
		}
	}
	for _, name := range splitComma(o.set["blob-descriptor-field"]) {
		if f, exists := v.t.Field(name); !exists || f.Type.Kind != Blob {
			v.bad("blob-descriptor-field: column %q is not a BLOB column", name)
		}
	}
}

func splitComma(text string) []string {
	var out []string
	for _, s := range strings.Split(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func list(names []string) string { return "(" + strings.Join(names, ", ") + ")" }
