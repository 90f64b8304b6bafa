package table

import (
	"context"

	"github.com/tidelake/tidelake/manifest"
)

// A snapshot tells in two manifest lists what its commit changed: the delta,
// files that came and went, and the changelog, files that hold how rows were
// before and after. Streams and incremental reads read files of such a list as
// they are: every stored row, with its kind, never merged.

// changeSplits are the files that a manifest list of the scan's snapshot adds, one split a
// bucket, in the order of partition and bucket. Files are in the order in which they were
// written, which is the order of the changes of a key. keep chooses among
// them, nil takes all; files that the filter excludes are left out. The scan's
// own reading of such splits yields their rows, deletes too if its system
// columns say so.
func (s *Scan) changeSplits(ctx context.Context, list string, keep func(*manifest.Entry) bool) ([]Split, error) {
	metas, err := s.table.manifest.ReadList(ctx, list)
	if err != nil {
		return nil, err
	}
	f := s.pruning(ctx)
	f.MinLevel = nil
	onKeys := f.File
	f.File = func(e *manifest.Entry) bool {
		return (onKeys == nil || onKeys(e)) && s.fileMayMatch(ctx, s.filter, &e.File)
	}
	files := make(map[bucketKey][]manifest.DataFile)
	for e, err := range s.table.manifest.Scan(ctx, metas, f) {
		if err != nil {
			return nil, err
		}
		if e.Kind == manifest.Add && (keep == nil || keep(e)) {
			key := bucketKey{string(e.Partition), e.Bucket}
			files[key] = append(files[key], e.File)
		}
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(files) {
		splits = append(splits, Split{
			Snapshot: s.snapshot.ID, SchemaID: s.schema.ID,
			Partition: []byte(key.partition), Bucket: key.bucket, Files: files[key],
		})
	}
	return splits, nil
}
