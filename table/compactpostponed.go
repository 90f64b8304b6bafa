package table

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// PostponedReport is what CompactPostponed moved.
type PostponedReport struct {
	Partitions int
	Files      int   // postponed files that are gone
	Rows       int64 // rows in them
	Buckets    int   // real buckets that got rows
}

// CompactPostponed gives the rows that wait in a table with bucket -2 their
// real buckets, where they become visible: as many as their partition has, or
// postpone.default-bucket-num in a new partition. Rows are replayed file after
// file in the order of creation, so those of one writer keep their order. They
// become files of level 0, which the next compaction of their bucket merges.
//
// All of it is one snapshot, or nothing: when another compactor was faster the
// error is ErrConflict, the files made are removed, and nothing is lost. It is
// safe beside writers. Without waiting rows there is no snapshot.
func (t *Table) CompactPostponed(ctx context.Context) (PostponedReport, error) {
	report, err := t.compactPostponed(ctx, CompactOptions{})
	return report, t.wrap("compact", err)
}

func (t *Table) compactPostponed(ctx context.Context, o CompactOptions) (report PostponedReport, err error) {
	if !t.postponed() {
		return report, fault.Invalid("no rows wait for a bucket here: the table has not bucket -2")
	}
	s, err := t.scanAlone(ctx, ScanOptions{})
	if err != nil || s.snapshot == nil {
		return report, err
	}
	waiting, err := t.waitingFiles(ctx, s.snapshot, o)
	if err != nil || len(waiting) == 0 {
		return report, err
	}
	w, err := t.newWriter(ctx, WriterOptions{}, true)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	w.commits.expiry.on = true // as after any job of compaction
	var gone []CommitMessage
	for _, m := range waiting {
		if err := s.replay(ctx, w, m.Partition, m.CompactBefore); err != nil {
			return report, err
		}
		gone = append(gone, m)
		report.Partitions++
		report.Files += len(m.CompactBefore)
		for i := range m.CompactBefore {
			report.Rows += m.CompactBefore[i].Rows
		}
	}
	made, err := w.Prepare(ctx, BatchIdentifier)
	if err != nil {
		return report, err
	}
	report.Buckets = len(made)
	return report, w.commits.move(ctx, gone, made)
}

// waitingFiles are the postponed files of a snapshot, a message for each
// partition that takes them away, in the order in which they were made.
func (t *Table) waitingFiles(ctx context.Context, at *snapshot.Snapshot, o CompactOptions) ([]CommitMessage, error) {
	entries, err := t.filesToCompact(ctx, at, o)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e manifest.Entry) bool { return e.Bucket != postponeBucket })
	slices.SortStableFunc(entries, func(a, b manifest.Entry) int { return int(min(1, max(-1, a.File.CreationTime-b.File.CreationTime))) })
	var msgs []CommitMessage
	index := make(map[string]int)
	for _, e := range entries {
		i, known := index[string(e.Partition)]
		if !known {
			i = len(msgs)
			index[string(e.Partition)] = i
			msgs = append(msgs, CommitMessage{Partition: e.Partition, Bucket: postponeBucket, TotalBuckets: postponeBucket})
		}
		msgs[i].CompactBefore = append(msgs[i].CompactBefore, e.File)
	}
	slices.SortFunc(msgs, func(a, b CommitMessage) int {
		return t.compareBuckets(bucketKey{partition: string(a.Partition)}, bucketKey{partition: string(b.Partition)})
	})
	return msgs, nil
}

// replay writes the rows of postponed files once more, with their kinds.
func (s *Scan) replay(ctx context.Context, w *Writer, partition []byte, files []manifest.DataFile) error {
	split := s.split(bucketKey{string(partition), postponeBucket}, files)
	r, err := s.newSplitReader(split, 1)
	if err != nil {
		return err
	}
	defer r.release()
	ranked := make(rankedRun, len(files))
	for i := range files {
		ranked[i] = rankedFile{DataFile: files[i]}
	}
	run := r.newRun(ctx, ranked, true, s.options.batchRows())
	run.want = s.schema.Fields
	defer run.Close()
	return eachBatch(run, func(rec arrow.RecordBatch) error { return rewrite(ctx, w, rec) })
}

// rewrite hands over a batch of sequence number, kind and all columns.
func rewrite(ctx context.Context, w *Writer, rec arrow.RecordBatch) error {
	kinds, ok := rec.Column(1).(*array.Int8)
	if !ok {
		return fmt.Errorf("kinds are of type %s", rec.Column(1).DataType())
	}
	fields := rec.Schema().Fields()[2:]
	rows := array.NewRecordBatch(arrow.NewSchema(fields, nil), rec.Columns()[2:], rec.NumRows())
	defer rows.Release()
	return w.WriteKinds(ctx, rows, kinds.Values())
}

// move publishes, in one snapshot, that postponed files are gone and that
// their rows are in other files. These are removed when it fails for certain.
func (c *Committer) move(ctx context.Context, gone, made []CommitMessage) error {
	err := c.publishMoved(ctx, gone, made)
	if err != nil && !errors.Is(err, fault.ErrUncertain) {
		err = errors.Join(err, c.table.abort(context.WithoutCancel(ctx), made))
	}
	return err
}

func (c *Committer) publishMoved(ctx context.Context, gone, made []CommitMessage) error {
	changes := snapshot.Changes{Identifier: BatchIdentifier, CompactOnly: true}
	for _, m := range gone {
		m.addTo(&changes, false)
	}
	for _, m := range made {
		m.CompactAfter, m.CompactChangelog = m.NewFiles, m.NewChangelog
		m = m.compactionOnly()
		if err := c.table.checkMessage(&m); err != nil {
			return err
		}
		m.addTo(&changes, false)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	ids, err := c.inner.Commit(ctx, changes)
	if err == nil {
		c.expire(ctx, ids)
	}
	return err
}
