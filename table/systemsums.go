package table

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/partition"
	"github.com/tidelake/tidelake/manifest"
)

// The system tables of manifests and index files, and those that sum the data
// files up by partition and by bucket.

var manifestsTable = metaTable{
	travels: true,
	columns: []string{
		"file_name STRING NOT NULL", "file_size BIGINT NOT NULL", "num_added_files BIGINT NOT NULL", "num_deleted_files BIGINT NOT NULL",
		"schema_id BIGINT NOT NULL", "min_partition_stats STRING", "max_partition_stats STRING", "min_row_id BIGINT", "max_row_id BIGINT"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for _, list := range r.manifestLists() {
				metas, err := r.manifest.ReadList(ctx, list)
				if err != nil {
					yield(nil, err)
					return
				}
				for i := range metas {
					row, err := r.manifestRow(&metas[i])
					if !yield(row, err) || err != nil {
						return
					}
				}
			}
		}
	},
}

// manifestLists are those of the snapshot that is shown, that of its changelog too.
func (r *metaRead) manifestLists() []string {
	at := r.scan.snapshot
	switch {
	case at == nil:
		return nil
	case at.ChangelogManifestList == "":
		return at.Lists()
	}
	return append(at.Lists(), at.ChangelogManifestList)
}

func (r *metaRead) manifestRow(m *manifest.Meta) ([]any, error) {
	low, err := r.partitionRow(m.PartitionStats.Min)
	if err != nil {
		return nil, err
	}
	high, err := r.partitionRow(m.PartitionStats.Max)
	return []any{m.Name, m.Size, m.Added, m.Deleted, m.SchemaID, low, high, orNull(m.MinRowID), orNull(m.MaxRowID)}, err
}

var indexesTable = metaTable{
	travels: true,
	columns: []string{
		"partition STRING", "bucket INT NOT NULL", "index_type STRING NOT NULL", "file_name STRING NOT NULL", "file_size BIGINT NOT NULL",
		"row_count BIGINT NOT NULL", "dv_ranges ARRAY<ROW<f0 STRING NOT NULL, f1 INT NOT NULL, f2 INT NOT NULL, _CARDINALITY BIGINT>>"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			entries, err := r.indexAt(ctx, r.scan.snapshot)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range entries {
				e := &entries[i]
				name, err := r.partitionRow(e.Partition)
				if !yield([]any{name, e.Bucket, e.Type, e.Name, e.Size, e.Rows, rangesOf(e)}, err) || err != nil {
					return
				}
			}
		}
	},
}

func rangesOf(e *manifest.IndexEntry) any {
	if e.Ranges == nil {
		return nil
	}
	list := make([]any, len(e.Ranges))
	for i, v := range e.Ranges {
		list[i] = []any{v.File, v.Offset, v.Length, orNull(v.Cardinality)}
	}
	return list
}

var partitionsTable = metaTable{
	travels: true, shared: true,
	columns: []string{
		"partition STRING", "record_count BIGINT NOT NULL", "file_size_in_bytes BIGINT NOT NULL", "file_count BIGINT NOT NULL",
		"last_update_time TIMESTAMP(3)", "created_at TIMESTAMP(3)", "created_by STRING", "updated_by STRING", "options STRING"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			names := partition.New(r.schema.PartitionFields(), r.options.PartitionDefaultName, false, r.settings.TimeZone)
			sums, err := r.partitionSums(ctx, func(row []byte) (string, error) { return r.partitionName(names, row) })
			if err != nil {
				yield(nil, err)
				return
			}
			for _, s := range sums {
				// Only catalogs that are services know the rest.
				if !yield([]any{s.name, s.rows, s.bytes, s.files, writtenAt(s.last), nil, nil, nil, nil}, nil) {
					return
				}
			}
		}
	},
}

// partitionSums sums up the files of each partition: of two branches that are
// read together those of the one that has the say.
func (r *metaRead) partitionSums(ctx context.Context, name func([]byte) (string, error)) ([]*fileSum, error) {
	if r.scan.other == nil {
		return r.sums(ctx, r.realBuckets(), partitionOf, name)
	}
	all := make(map[bucketKey]*fileSum)
	both := r.scan.ranked()
	for _, s := range []*Scan{both[1], both[0]} {
		own := metaRead{Table: s.table, scan: s}
		sums, err := s.fileSums(ctx, own.realBuckets(), partitionOf)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(sums, func(_ bucketKey, sum *fileSum) bool { return sum.files <= 0 })
		maps.Copy(all, sums)
	}
	return named(all, name)
}

// partitionName is a partition as "column=value/column=value", with values as
// they read in SQL, not as directories may spell them.
func (r *metaRead) partitionName(names *partition.Paths, row []byte) (string, error) {
	values, err := r.partitionValues(row)
	if err != nil {
		return "", err
	}
	texts, err := names.Text(values)
	if err != nil {
		return "", err
	}
	for i, key := range r.schema.PartitionKeys {
		texts[i] = key + "=" + texts[i]
	}
	return strings.Join(texts, "/"), nil
}

var bucketsTable = metaTable{
	travels: true,
	columns: []string{
		"partition STRING", "bucket INT NOT NULL", "record_count BIGINT NOT NULL", "file_size_in_bytes BIGINT NOT NULL",
		"file_count BIGINT NOT NULL", "last_update_time TIMESTAMP(3)"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			sums, err := r.sums(ctx, nil, func(e *manifest.Entry) bucketKey { return bucketKey{string(e.Partition), e.Bucket} }, r.partitionRow)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, s := range sums {
				if !yield([]any{s.name, s.key.bucket, s.rows, s.bytes, s.files, writtenAt(s.last)}, nil) {
					return
				}
			}
		}
	},
}

// fileSum sums up files of a partition or a bucket.
type fileSum struct {
	key                bucketKey
	name               string // of the partition
	rows, bytes, files int64
	last               int64 // creation of the youngest file, also of those that are gone
}

// sums adds up what the manifests say, entry by entry, and orders the sums that
// count files by name and bucket. It holds one sum a key and no files.
func (r *metaRead) sums(ctx context.Context, f *manifest.Filter, key func(*manifest.Entry) bucketKey, name func([]byte) (string, error)) ([]*fileSum, error) {
	byKey, err := r.scan.fileSums(ctx, f, key)
	if err != nil {
		return nil, err
	}
	return named(byKey, name)
}

// fileSums adds up what the manifests of the snapshot say, entry by entry.
func (s *Scan) fileSums(ctx context.Context, f *manifest.Filter, key func(*manifest.Entry) bucketKey) (map[bucketKey]*fileSum, error) {
	byKey := make(map[bucketKey]*fileSum)
	if s.snapshot == nil {
		return byKey, nil
	}
	for e, err := range s.table.manifest.ScanLists(ctx, f, s.snapshot.Lists()...) {
		if err != nil {
			return nil, err
		}
		if s.keep != nil && !s.keep(e) {
			continue
		}
		k := key(e)
		if byKey[k] == nil {
			byKey[k] = &fileSum{key: k, last: manifest.NoCreationTime}
		}
		byKey[k].add(e)
	}
	return byKey, nil
}

// named orders the sums that count files by the names of their partitions and by bucket.
func named(byKey map[bucketKey]*fileSum, name func([]byte) (string, error)) ([]*fileSum, error) {
	var out []*fileSum
	for k, s := range byKey {
		if s.files <= 0 {
			continue
		}
		var err error
		if s.name, err = name([]byte(k.partition)); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *fileSum) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.key.bucket, b.key.bucket))
	})
	return out, nil
}

func (s *fileSum) add(e *manifest.Entry) {
	sign := int64(1)
	if e.Kind == manifest.Delete {
		sign = -1
	}
	s.rows, s.bytes, s.files = s.rows+sign*e.File.Rows, s.bytes+sign*e.File.Size, s.files+sign
	s.last = max(s.last, e.File.CreationTime)
}
