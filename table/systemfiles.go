package table

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/partition"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// filesTable shows the live data files of a snapshot, whatever their level, by
// partition and bucket; Paimon leaves the order of these to a hash table. The
// files of a bucket are in the order in which Paimon reads them. Like a plan of a
// scan, it holds the metadata of all of them while it runs.
var filesTable = metaTable{
	travels: true,
	columns: []string{
		"partition STRING", "bucket INT NOT NULL", "file_path STRING NOT NULL", "file_format STRING NOT NULL", "schema_id BIGINT NOT NULL",
		"level INT NOT NULL", "record_count BIGINT NOT NULL", "file_size_in_bytes BIGINT NOT NULL", "min_key STRING", "max_key STRING",
		"null_value_counts STRING NOT NULL", "min_value_stats STRING NOT NULL", "max_value_stats STRING NOT NULL", "min_sequence_number BIGINT",
		"max_sequence_number BIGINT", "creation_time TIMESTAMP(3)", "deleteRowCount BIGINT", "file_source STRING", "first_row_id BIGINT",
		"write_cols ARRAY<STRING>"},
	rows: func(ctx context.Context, r *metaRead) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			buckets, err := r.liveBuckets(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			p := r.newFilePrinter()
			for _, key := range r.sortedBuckets(buckets) {
				if err := p.enter(key); err != nil {
					yield(nil, err)
					return
				}
				for _, f := range r.readOrder(buckets[key]) {
					row, err := p.row(ctx, &f)
					if !yield(row, err) || err != nil {
						return
					}
				}
			}
		}
	},
}

// liveBuckets are the files of the buckets of the snapshot that is shown, in the
// order of the manifests. Rows that wait for a bucket are left out, as a scan does.
func (r *metaRead) liveBuckets(ctx context.Context) (map[bucketKey][]manifest.DataFile, error) {
	if r.scan.snapshot == nil {
		return nil, nil
	}
	entries, err := r.liveFiles(ctx, r.scan.snapshot, r.realBuckets())
	if err != nil {
		return nil, err
	}
	at := make(map[bucketKey][]manifest.DataFile)
	for _, e := range entries {
		if r.scan.keep != nil && !r.scan.keep(&e) {
			continue
		}
		key := bucketKey{string(e.Partition), e.Bucket}
		at[key] = append(at[key], e.File)
	}
	return at, nil
}

// realBuckets leaves out, of a table that postpones, the rows without a bucket.
func (r *metaRead) realBuckets() *manifest.Filter {
	if r.scan.schema.BucketMode() != schema.Postpone {
		return nil
	}
	zero := 0
	return &manifest.Filter{MinBucket: &zero}
}

// readOrder puts the files of a bucket into the order in which Paimon plans
// them: without a key by sequence number, with one section by section, unless
// no two of them can hold the same key.
func (r *metaRead) readOrder(files []manifest.DataFile) []manifest.DataFile {
	s := r.scan.schema
	if len(s.PrimaryKeys) == 0 {
		slices.SortStableFunc(files, func(a, b manifest.DataFile) int { return cmp.Compare(a.MinSequence, b.MinSequence) })
		return files
	}
	settled, oneLevel := true, true
	for _, f := range files {
		settled = settled && f.Level > 0 && (f.DeleteRows == nil || *f.DeleteRows == 0)
		oneLevel = oneLevel && f.Level == files[0].Level
	}
	if settled && (r.scan.compacted || oneLevel) {
		return files
	}
	types := typesOf(s.KeyFields())
	out := make([]manifest.DataFile, 0, len(files))
	for _, section := range lsm.Sections(files, func(a, b []byte) int { return binaryrow.Compare(types, a, b) }) {
		for _, run := range section {
			out = append(out, run...)
		}
	}
	return out
}

// filePrinter makes rows of files.
type filePrinter struct {
	*metaRead
	stats     *statsPrinter
	key       bucketKey
	partition string
	dir       string // of the bucket, as a URL
}

func (r *metaRead) newFilePrinter() *filePrinter {
	return &filePrinter{metaRead: r, stats: r.newStatsPrinter()}
}

// enter begins a bucket.
func (p *filePrinter) enter(key bucketKey) error {
	p.key = key
	dir, err := p.bucketDir([]byte(key.partition), key.bucket)
	if err != nil {
		return err
	}
	p.dir = p.rootURL() + "/" + dir
	p.partition, err = p.partitionRow([]byte(key.partition))
	return err
}

// rootURL is the place of the table as Paimon writes it: local paths have a scheme too.
func (t *Table) rootURL() string {
	root := t.Location()
	if !strings.Contains(root, "://") && !strings.HasPrefix(root, "file:") {
		root = "file:" + root
	}
	return strings.TrimSuffix(root, "/")
}

// partitionRow prints a partition as Paimon casts it to text.
func (r *metaRead) partitionRow(row []byte) (string, error) {
	return partition.RowText(r.schema.PartitionFields(), row, r.settings.TimeZone)
}

func (p *filePrinter) row(ctx context.Context, f *manifest.DataFile) ([]any, error) {
	stats, err := p.stats.of(ctx, f)
	if err != nil {
		return nil, err
	}
	place := p.dir + "/" + f.Name
	if f.ExternalPath != nil {
		place = *f.ExternalPath
	}
	format, err := formatOf(f.Name)
	if err != nil {
		return nil, err
	}
	var columns any
	if f.WriteCols != nil {
		columns = f.WriteCols
	}
	return []any{p.partition, p.key.bucket, place, format, f.SchemaID, f.Level, f.Rows, f.Size, stats.minKey, stats.maxKey, stats.nulls, stats.least, stats.greatest,
		f.MinSequence, f.MaxSequence, writtenAt(f.CreationTime), orNull(f.DeleteRows), sourceOf(f), orNull(f.FirstRowID), columns}, nil
}

// writtenAt is a creation time, which is a wall clock's already; null for none.
func writtenAt(millis int64) any {
	if millis == manifest.NoCreationTime {
		return nil
	}
	return schema.TimestampValue{Millis: millis}
}

func sourceOf(f *manifest.DataFile) any {
	switch {
	case f.Source == nil:
		return nil
	case *f.Source == manifest.SourceCompact:
		return "COMPACT"
	}
	return "APPEND"
}

// compressions are the endings of file names that stand behind that of the format.
var compressions = []string{"gz", "bz2", "deflate", "snappy", "lz4", "zst"}

// formatOf is the format that a file's name ends with.
func formatOf(name string) (string, error) {
	parts := strings.Split(name, ".")
	n := len(parts)
	if n > 2 && slices.Contains(compressions, parts[n-1]) {
		n--
	}
	if n < 2 {
		return "", fault.Corrupt(name, "the name of a data file does not end with its format", nil)
	}
	return parts[n-1], nil
}
