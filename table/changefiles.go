package table

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// fileChanges is one attempt of a change of a table without a primary key. It
// goes file by file:
//
//	deletion vectors   chosen rows → marked (their new versions → writer)
//	otherwise          chosen rows → none: leave the file
//	                               → else all its rows, changed or left out → writer, the file goes
type fileChanges struct {
	*change
	scan   *Scan
	writer *Writer
	index  []manifest.IndexEntry
	report ChangeReport

	edit    *vectorEdit // of the bucket under way
	message *CommitMessage
	done    []CommitMessage
}

func (c *change) rewrite(ctx context.Context, scan *Scan, id int64) (report ChangeReport, msgs []CommitMessage, err error) {
	f := &fileChanges{change: c, scan: scan}
	if f.index, err = c.table.indexAt(ctx, scan.snapshot); err != nil {
		return report, nil, err
	}
	if f.writer, err = c.table.NewWriter(ctx, WriterOptions{}); err != nil {
		return report, nil, err
	}
	defer func() { err = errors.Join(err, f.writer.Close()) }()
	if err = f.all(ctx); err == nil && !c.options.DryRun {
		msgs, err = f.writer.Prepare(ctx, id)
	}
	if err != nil {
		return f.report, nil, errors.Join(err, c.table.abort(context.WithoutCancel(ctx), f.done))
	}
	return f.report, joinMessages(msgs, f.done), nil
}

// joinMessages puts what a bucket loses beside what it gets.
func joinMessages(added, removed []CommitMessage) []CommitMessage {
	for _, r := range removed {
		i := slices.IndexFunc(added, func(a CommitMessage) bool { return a.Bucket == r.Bucket && string(a.Partition) == string(r.Partition) })
		if i < 0 {
			added = append(added, r)
			continue
		}
		added[i].DeletedFiles, added[i].Index = r.DeletedFiles, r.Index
	}
	return added
}

func (f *fileChanges) all(ctx context.Context) error {
	splits, err := f.scan.Plan(ctx)
	if err != nil {
		return err
	}
	for _, split := range splits {
		if err := f.bucket(ctx, split.Partition, split.Bucket); err != nil {
			return err
		}
		for i := range split.Files {
			one := split
			one.Files = split.Files[i : i+1]
			if err := f.file(ctx, one); err != nil {
				return err
			}
		}
	}
	return f.endBucket(ctx)
}

// bucket begins another bucket, unless it is the one under way.
func (f *fileChanges) bucket(ctx context.Context, partition []byte, bucket int) error {
	if m := f.message; m != nil && m.Bucket == bucket && string(m.Partition) == string(partition) {
		return nil
	}
	if err := f.endBucket(ctx); err != nil {
		return err
	}
	f.message = &CommitMessage{Partition: partition, Bucket: bucket, TotalBuckets: f.table.options.Bucket}
	var err error
	f.edit, err = f.table.editVectors(f.index, partition, bucket)
	return err
}

// endBucket writes the vectors of the bucket under way.
func (f *fileChanges) endBucket(ctx context.Context) (err error) {
	if f.message == nil || f.options.DryRun {
		return nil
	}
	if f.message.Index, err = f.edit.write(ctx); err == nil && !f.message.empty() {
		f.done = append(f.done, *f.message)
	}
	return err
}

// file changes one file, the only one of its split.
func (f *fileChanges) file(ctx context.Context, split Split) error {
	meta := &split.Files[0]
	byVector := f.table.options.DeletionVectors
	chosen, err := f.choose(ctx, split, byVector)
	if err != nil || chosen.Count() == 0 {
		return err
	}
	f.report.Files++
	f.report.Rows += chosen.Count()
	if byVector {
		f.report.Vectors++
		return f.edit.mark(ctx, meta, chosen)
	}
	live := meta.Rows
	for _, v := range split.Vectors {
		if v.File == meta.Name && v.Cardinality != nil {
			live -= *v.Cardinality
		}
	}
	if rest := chosen.Count() < live; rest || !f.deletes() {
		f.report.Rewrote++
		if err := f.copy(ctx, split, chosen); err != nil {
			return err
		}
	}
	f.message.DeletedFiles = append(f.message.DeletedFiles, *meta)
	f.edit.remove(meta.Name)
	return nil
}

// choose finds the positions of the rows that change, and with send, in an
// update, writes the new versions of them.
func (f *fileChanges) choose(ctx context.Context, split Split, send bool) (*deletion.Vector, error) {
	send = send && !f.deletes() && !f.options.DryRun
	scan := *f.scan
	if !send {
		scan.fields, scan.arrow = nil, arrow.NewSchema(nil, nil)
	}
	v := &deletion.Vector{}
	err := scan.eachPosition(ctx, split, func(rec arrow.RecordBatch, positions []int64) error {
		keep, err := scan.filter.Filter(rec)
		if err != nil || len(keep) == 0 {
			return err
		}
		for _, i := range keep {
			v.Add(positions[i])
		}
		if !send {
			return nil
		}
		rows, err := scan.selected(rec, keep)
		if err != nil {
			return err
		}
		defer rows.Release()
		return f.write(ctx, f.writer, rows, schema.Insert)
	})
	return v, err
}

// copy writes a file's rows again: those that were chosen as the update leaves
// them or not at all, the others as they are.
func (f *fileChanges) copy(ctx context.Context, split Split, chosen *deletion.Vector) error {
	if f.options.DryRun {
		return nil
	}
	scan := *f.scan
	scan.filter = predicate.True()
	return scan.eachPosition(ctx, split, func(rec arrow.RecordBatch, positions []int64) error {
		var change, stay []int32
		for i, p := range positions {
			if chosen.Has(p) {
				change = append(change, int32(i))
			} else {
				stay = append(stay, int32(i))
			}
		}
		if len(stay) > 0 {
			rows, err := scan.selected(rec, stay)
			if err != nil {
				return err
			}
			defer rows.Release()
			if err := f.writer.store(ctx, rows); err != nil {
				return err
			}
		}
		if len(change) == 0 || f.deletes() {
			return nil
		}
		rows, err := scan.selected(rec, change)
		if err != nil {
			return err
		}
		defer rows.Release()
		return f.write(ctx, f.writer, rows, schema.Insert)
	})
}

// eachPosition reads a split of single files and gives every batch of live rows
// with its rows' positions in the file: the columns of the scan, those of its
// filter and those of the partition. Batches are borrowed.
func (s *Scan) eachPosition(ctx context.Context, split Split, visit func(rec arrow.RecordBatch, positions []int64) error) error {
	r, err := s.newSplitReader(split, s.table.settings.Parallel)
	if err != nil {
		return err
	}
	defer r.release()
	for _, group := range r.groups() {
		run := r.newRun(ctx, group[0], false, s.options.BatchRows)
		run.places = &places{number: map[string]int{run.Name(): 0}} // so that a place is a position
		err := eachBatch(run, func(rec arrow.RecordBatch) error {
			wide, err := r.widen(rec)
			if err != nil {
				return err
			}
			defer wide.Release()
			at := wide.Schema().FieldIndices(placeField.Name)[0]
			return visit(wide, wide.Column(at).(*array.Int64).Values())
		})
		if err := errors.Join(err, run.Close()); err != nil {
			return err
		}
	}
	return nil
}

// selected are some rows of a wide batch, projected to the scan's columns.
func (s *Scan) selected(wide arrow.RecordBatch, rows []int32) (arrow.RecordBatch, error) {
	narrow := s.projected(wide)
	defer narrow.Release()
	return take.Record(narrow, rows, s.table.world.Alloc)
}
