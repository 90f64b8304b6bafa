package table

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// Split is a piece of a scan that can be read alone, here or in another
// process: some files of one bucket whose keys no other split shares. It is a
// plain value; MarshalSplits and UnmarshalSplits carry it.
type Split struct {
	Branch    string              `json:"branch,omitempty"` // "" for the main one
	Snapshot  int64               `json:"snapshot"`
	SchemaID  int64               `json:"schemaId"`  // of the read schema
	Partition []byte              `json:"partition"` // BinaryRow body
	Bucket    int                 `json:"bucket"`
	Merge     bool                `json:"merge"` // files overlap in key: merge them
	Files     []manifest.DataFile `json:"files"`
	Vectors   []VectorRef         `json:"vectors,omitempty"` // of the files that have one
}

// MarshalSplits encodes splits for another process.
func MarshalSplits(splits []Split) ([]byte, error) { return json.Marshal(splits) }

// UnmarshalSplits is the reverse of MarshalSplits.
func UnmarshalSplits(data []byte) ([]Split, error) {
	var splits []Split
	if err := strictJSON(data, &splits); err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Op: "read splits", Err: err}
	}
	return splits, nil
}

func strictJSON(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more text after its end")
	}
	return nil
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// rows of the split, where its metadata tells: every row that is stored and
// not marked by a deletion vector is a row of the result.
func (s *Split) rows() (n int64, known bool) {
	if s.Merge || slices.ContainsFunc(s.Files, mayDelete) {
		return 0, false
	}
	for i := range s.Files {
		n += s.Files[i].Rows
	}
	for i := range s.Vectors {
		if s.Vectors[i].Cardinality == nil {
			return 0, false
		}
		n -= *s.Vectors[i].Cardinality
	}
	return n, true
}

// mayDelete tells that a file may hold rows of kind -U or -D; old files do not say.
func mayDelete(f manifest.DataFile) bool { return f.DeleteRows == nil || *f.DeleteRows > 0 }

// Plan finds the files that may hold rows of the scan and packs them into
// splits, in the order of partition, bucket and key. Manifests and files are
// pruned by partition, by key statistics, and by value statistics wherever
// leaving a file out cannot bring back an older version of a row.
func (s *Scan) Plan(ctx context.Context) ([]Split, error) {
	if s.other != nil {
		return s.planBoth(ctx)
	}
	if s.snapshot == nil {
		return nil, nil
	}
	entries, err := s.table.liveFiles(ctx, s.snapshot, s.limited(s.pruning(ctx)))
	if err != nil {
		return nil, s.table.wrap("plan", s.whyMissing(ctx, err))
	}
	vectors, err := s.table.vectorsAt(ctx, s.snapshot)
	if err != nil {
		return nil, s.table.wrap("plan", s.whyMissing(ctx, err))
	}
	byBucket := make(map[bucketKey][]manifest.DataFile)
	for i := range entries {
		e := &entries[i]
		if e.Bucket < 0 {
			continue // rows that wait for a bucket are not visible to batch reads
		}
		key := bucketKey{string(e.Partition), e.Bucket}
		byBucket[key] = append(byBucket[key], e.File)
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(byBucket) {
		files, err := s.splitBucket(ctx, key, byBucket[key], vectors[key])
		if err != nil {
			return nil, s.table.wrap("plan", s.whyMissing(ctx, err))
		}
		splits = append(splits, files...)
	}
	return splits, nil
}

// split is files of one bucket that are not merged.
func (s *Scan) split(key bucketKey, files []manifest.DataFile) Split {
	return Split{Branch: s.table.branch, Snapshot: s.snapshot.ID, SchemaID: s.schema.ID, Partition: []byte(key.partition), Bucket: key.bucket, Files: files}
}

// sortedBuckets are the buckets of files in the order of partition and bucket.
func (t *Table) sortedBuckets(files map[bucketKey][]manifest.DataFile) []bucketKey {
	return slices.SortedFunc(maps.Keys(files), t.compareBuckets)
}

// compareBuckets orders by partition values, then by bucket.
func (t *Table) compareBuckets(a, b bucketKey) int {
	return cmp.Or(binaryrow.Compare(t.parts, []byte(a.partition), []byte(b.partition)), cmp.Compare(a.bucket, b.bucket))
}

func typesOf(fields []schema.Field) []schema.Type {
	out := make([]schema.Type, len(fields))
	for i, f := range fields {
		out[i] = f.Type
	}
	return out
}

// pruning is what manifests and single files are tested by.
func (s *Scan) pruning(ctx context.Context) *manifest.Filter {
	f := &manifest.Filter{}
	if s.compacted {
		one := 1
		f.MinLevel = &one
	}
	if s.level != nil {
		f.MinLevel, f.MaxLevel = s.level, s.level
	}
	if s.filter.IsTrue() {
		return f
	}
	partFields := s.schema.PartitionFields()
	if part, _ := s.filter.OnlyFields(nameSet(partFields)); !part.IsTrue() {
		f.Partition = partitionTest(part, partFields)
		f.PartitionStats = func(columns manifest.ColumnFunc, entries int64) bool { return part.MayMatch(columns, entries) }
	}
	if len(s.schema.PrimaryKeys) == 0 {
		f.File = func(e *manifest.Entry) bool { return s.fileMayMatch(ctx, s.filter, &e.File) }
	} else if onKeys, _ := s.filter.OnlyFields(nameSet(s.schema.KeyFields())); !onKeys.IsTrue() {
		keys := s.schema.KeyFields()
		f.File = func(e *manifest.Entry) bool { return onKeys.MayMatch(e.File.KeyStats.Columns(keys), e.File.Rows) }
	}
	return f
}

// limited is pruning by what only some scans leave out.
func (s *Scan) limited(f *manifest.Filter) *manifest.Filter {
	if s.minLevel > 0 {
		f.MinLevel = &s.minLevel
	}
	if chosen := f.Partition; s.without != nil {
		f.Partition = func(p []byte) bool { return !s.without[string(p)] && (chosen == nil || chosen(p)) }
	}
	if onKeys := f.File; s.keep != nil {
		f.File = func(e *manifest.Entry) bool { return s.keep(e) && (onKeys == nil || onKeys(e)) }
	}
	return f
}

func partitionTest(part predicate.Expr, fields []schema.Field) func([]byte) bool {
	at := make(map[string]int, len(fields))
	for i, f := range fields {
		at[f.Name] = i
	}
	types := typesOf(fields)
	return func(partition []byte) bool {
		values, err := binaryrow.Decode(types, partition)
		if err != nil {
			return true // reading the split will name the error
		}
		return part.Match(func(field string) any { return values[at[field]] })
	}
}

func nameSet(fields []schema.Field) map[string]bool {
	set := make(map[string]bool, len(fields))
	for _, f := range fields {
		set[f.Name] = true
	}
	return set
}

// fileMayMatch tests a filter against a file's value statistics.
func (s *Scan) fileMayMatch(ctx context.Context, filter predicate.Expr, f *manifest.DataFile) bool {
	own, err := s.table.schemas.get(ctx, f.SchemaID)
	if err != nil {
		return true // reading the file will name the error
	}
	return filter.MayMatch(throughSchema(s.schema, own.Fields, f.ValueColumns(own.Fields), f.Rows), f.Rows)
}

// splitBucket packs the files of one bucket; vectors is nil when the bucket never had one.
func (s *Scan) splitBucket(ctx context.Context, key bucketKey, files []manifest.DataFile, vectors bucketVectors) ([]Split, error) {
	base := s.split(key, nil)
	if len(s.schema.PrimaryKeys) == 0 {
		slices.SortStableFunc(files, func(a, b manifest.DataFile) int {
			return cmp.Or(cmp.Compare(a.MinSequence, b.MinSequence), cmp.Compare(a.CreationTime, b.CreationTime), cmp.Compare(a.Name, b.Name))
		})
		return s.pack(base, groupsOfOne(files), vectors), nil
	}
	mayMatch := func(f manifest.DataFile) bool { return s.filter.IsTrue() || s.fileMayMatch(ctx, s.filter, &f) }
	_, folds := s.engine.(mergeengine.Folder) // a row may match though none of its versions does
	if !folds && !slices.ContainsFunc(files, mayMatch) {
		return nil, nil // no version of any row matches
	}
	types := typesOf(s.schema.KeyFields())
	apart, err := s.apart(ctx, files)
	if err != nil {
		return nil, err
	}
	if apart {
		files = slices.DeleteFunc(files, func(f manifest.DataFile) bool { return !mayMatch(f) })
		slices.SortFunc(files, func(a, b manifest.DataFile) int {
			return cmp.Or(binaryrow.Compare(types, a.MinKey, b.MinKey), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Name, b.Name))
		})
		return s.pack(base, groupsOfOne(files), vectors), nil
	}
	var groups []fileGroup
	for _, section := range lsm.Sections(files, func(a, b []byte) int { return binaryrow.Compare(types, a, b) }) {
		g := groupOf(section)
		if folds && g.merge || slices.ContainsFunc(g.files, mayMatch) { // else no version of any of its rows matches
			groups = append(groups, g)
		}
	}
	return s.pack(base, groups, vectors), nil
}

// apart tells that no two rows of a bucket's files have the same key, because
// compaction has seen to it: it drops the younger row of a first-row table,
// and marks the older one in the bucket's deletion vectors elsewhere.
func (s *Scan) apart(ctx context.Context, files []manifest.DataFile) (bool, error) {
	if !s.compacted || slices.ContainsFunc(files, mayDelete) {
		return false, nil
	}
	if s.firstRow {
		return true, nil
	}
	return s.table.settled(ctx, s.schema.ID, files, marksRows)
}

// fileGroup are files that have to be read by the same split.
type fileGroup struct {
	files []manifest.DataFile
	merge bool
}

func groupsOfOne(files []manifest.DataFile) []fileGroup {
	out := make([]fileGroup, len(files))
	for i, f := range files {
		out[i].files = []manifest.DataFile{f}
	}
	return out
}

func groupOf(section []lsm.SortedRun) fileGroup {
	if len(section) == 1 {
		return fileGroup{files: section[0]}
	}
	return fileGroup{files: slices.Concat(section...), merge: true}
}

// pack joins neighbouring groups into splits of about source.split.target-size.
// A split either merges or does not: those that do not are read faster.
func (s *Scan) pack(base Split, groups []fileGroup, vectors bucketVectors) []Split {
	var out []Split
	weight := int64(0)
	for _, g := range groups {
		w := int64(0)
		for i := range g.files {
			w += max(g.files[i].Size, s.table.options.SplitOpenFileCost)
		}
		if n := len(out); n > 0 && out[n-1].Merge == g.merge && weight+w <= s.table.options.SplitTargetSize {
			out[n-1].Files = append(out[n-1].Files, g.files...)
			weight += w
			continue
		}
		next := base
		next.Merge, next.Files = g.merge, g.files
		out = append(out, next)
		weight = w
	}
	for i := range out {
		out[i].Vectors = vectors.of(out[i].Files)
	}
	return out
}

// compareEntries orders files by partition, bucket, level and name.
func (t *Table) compareEntries(a, b *manifest.Entry) int {
	return cmp.Or(
		t.compareBuckets(bucketKey{string(a.Partition), a.Bucket}, bucketKey{string(b.Partition), b.Bucket}),
		cmp.Compare(a.File.Level, b.File.Level), cmp.Compare(a.File.Name, b.File.Name))
}
