package table

import (
	"context"
	"errors"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/manifest"
)

// RowsAbove yields the rows of a snapshot that lie on some level and above, in
// the newest schema.
func RowsAbove(ctx context.Context, t *Table, id int64, level int) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		s := &Scan{scanned: scanned{table: t, schema: t.schema}}
		splits, err := s.above(ctx, id, level)
		if err != nil {
			yield(nil, err)
			return
		}
		for rec, err := range s.ReadSplits(ctx, splits) {
			if !yield(rec, err) {
				return
			}
		}
	}
}

func (s *Scan) above(ctx context.Context, id int64, level int) (splits []Split, err error) {
	if err := errors.Join(s.project(), s.visibility()); err != nil {
		return nil, err
	}
	s.compacted = false
	if s.snapshot, err = s.table.chain.Get(ctx, id); err != nil {
		return nil, err
	}
	entries, err := s.table.liveFiles(ctx, s.snapshot, &manifest.Filter{MinLevel: &level})
	if err != nil {
		return nil, err
	}
	vectors, err := s.table.vectorsAt(ctx, s.snapshot)
	if err != nil {
		return nil, err
	}
	for _, b := range s.table.bucketsOf(entries) {
		if b.key.bucket < 0 {
			continue
		}
		some, err := s.splitBucket(ctx, b.key, b.files, vectors[b.key])
		if err != nil {
			return nil, err
		}
		splits = append(splits, some...)
	}
	return splits, nil
}

// ChangelogPaths are the files of a snapshot's changelog.
func ChangelogPaths(ctx context.Context, t *Table, id int64) (paths []string, err error) {
	at, err := t.chain.Get(ctx, id)
	if err != nil || at.ChangelogManifestList == "" {
		return nil, err
	}
	metas, err := t.manifest.ReadList(ctx, at.ChangelogManifestList)
	if err != nil {
		return nil, err
	}
	for e, err := range t.manifest.Scan(ctx, metas, nil) {
		if err != nil {
			return nil, err
		}
		info, err := t.fileInfo(*e)
		if err != nil {
			return nil, err
		}
		paths = append(paths, info.Path)
	}
	return paths, nil
}
