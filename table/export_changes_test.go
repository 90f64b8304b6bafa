package table

import (
	"context"
	"errors"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// StoredChanges yields what a snapshot changed: rows of its changelog where the
// table has a producer of changelogs, else those that its append added.
func StoredChanges(ctx context.Context, t *Table, id int64) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		s := &Scan{scanned: scanned{table: t, schema: t.schema}}
		err := s.project()
		if err == nil {
			err = s.visibility()
		}
		if err == nil {
			s.snapshot, err = t.chain.Get(ctx, id)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		list := s.snapshot.ChangelogManifestList
		if t.options.ChangelogProducer == "none" && s.snapshot.CommitKind == snapshot.Append {
			list = s.snapshot.DeltaManifestList
		}
		if list == "" {
			return
		}
		s.with(systemColumns{snapshot: true, sequence: true, time: true, deletes: true})
		splits, err := s.changeSplits(ctx, list, nil)
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

// TopLevel is the highest level of a table's buckets.
func TopLevel(t *Table) int { return t.options.NumLevels - 1 }

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
