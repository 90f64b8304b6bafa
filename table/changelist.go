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
	f := s.pruning(ctx)
	f.MinLevel = nil
	onKeys := f.File
	f.File = func(e *manifest.Entry) bool {
		return (onKeys == nil || onKeys(e)) && s.fileMayMatch(ctx, s.filter, &e.File)
	}
	files, err := s.listedFiles(ctx, list, f, func(e *manifest.Entry) bool {
		return e.Kind == manifest.Add && (s.keep == nil || s.keep(e)) && (keep == nil || keep(e))
	})
	if err != nil {
		return nil, err
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(files) {
		splits = append(splits, s.split(key, files[key]))
	}
	return splits, nil
}

// listedFiles are the files of chosen entries of a manifest list, by bucket, in
// the order of the list.
func (s *Scan) listedFiles(ctx context.Context, list string, f *manifest.Filter, keep func(*manifest.Entry) bool) (map[bucketKey][]manifest.DataFile, error) {
	metas, err := s.table.manifest.ReadList(ctx, list)
	if err != nil {
		return nil, err
	}
	files := make(map[bucketKey][]manifest.DataFile)
	for e, err := range s.table.manifest.Scan(ctx, metas, f) {
		if err != nil {
			return nil, err
		}
		if keep(e) {
			key := bucketKey{string(e.Partition), e.Bucket}
			files[key] = append(files[key], e.File)
		}
	}
	return files, nil
}
