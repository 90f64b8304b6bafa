package table

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// Diff is one read of what changed between two versions of a table: rows with
// the kind of their change. Both versions are resolved when it is made. Its
// methods may be called concurrently and more than once.
//
//	delta, changelog   snapshots in their order, in each the buckets, in each the
//	                   files as they were written: every change of a key, in order
//	diff               every bucket in the order of its keys: one row a key.
//	                   Where keys may have moved between buckets all that were
//	                   deleted in one come before all that are in another now
//
// Rows of a diff are those of the newer version with the kind they are stored
// with, +I or +U. Where a key is gone there is -D with the older row, or with the
// row of the delete as long as that is stored, -U if it was written so, even
// where the older version did not have the key either.
type Diff struct {
	base    Scan // schema, columns and filter
	stretch *stretch
	columns systemColumns
	limit   int64
}

// Diff resolves a read of the changes that ScanOptions.Between names. Columns
// and their types are those of the newest schema. Errors: ErrNotFound (no such
// snapshot or tag, or snapshots on the way that have expired), ErrInvalid
// (columns, filter, the wrong order, versions that cannot be compared).
func (t *Table) Diff(ctx context.Context, o ScanOptions) (*Diff, error) {
	d, err := t.newDiff(ctx, &o, systemColumns{snapshot: true, deletes: true})
	return d, t.wrap("diff", err)
}

func (t *Table) newDiff(ctx context.Context, o *ScanOptions, c systemColumns) (*Diff, error) {
	switch {
	case o.Between == nil:
		return nil, fault.Invalid("a diff needs two versions: set ScanOptions.Between")
	case o.travels() > 0:
		return nil, fault.Invalid("a diff is between two versions and takes no snapshot, time, tag or watermark beside them")
	}
	d := &Diff{columns: c, limit: o.Limit, base: Scan{scanned: scanned{table: t, schema: t.schema}, options: *o}}
	if err := d.base.project(); err != nil {
		return nil, err
	}
	if err := d.base.visibility(); err != nil {
		return nil, err
	}
	var err error
	if d.stretch, err = t.stretchOf(ctx, o.Between); err != nil {
		return nil, err
	}
	d.base.options.Limit, d.base.options.AnyOrder = 0, false
	return d, nil
}

// narrowed is the same read with other columns and another filter.
func (d *Diff) narrowed(fields []schema.Field, filter predicate.Expr) (*Diff, error) {
	base, err := d.base.ofColumns(fields, filter)
	if err != nil {
		return nil, err
	}
	return &Diff{base: *base, stretch: d.stretch, columns: d.columns}, nil
}

// Mode is where the changes are taken from, never ChangesAuto: where that goes by
// each snapshot's producer, it is what the table's present one says.
func (d *Diff) Mode() ChangeMode { return d.stretch.mode }

// Snapshots are the ids of both versions: changes are those behind from, up to
// and with to. from is 0 before the first snapshot; both are 0 where there is none.
func (d *Diff) Snapshots() (from, to int64) { return d.stretch.from, d.stretch.to }

// Fields are the table's columns in the result.
func (d *Diff) Fields() []schema.Field { return d.base.fields }

// Schema is the Arrow schema of the result: before the table's columns it has
// _VALUE_KIND (int8: 0 +I, 1 -U, 2 +U, 3 -D) and _SNAPSHOT_ID (int64), the
// snapshot that made the change; in mode diff it is the newer version.
func (d *Diff) Schema() *arrow.Schema {
	return arrow.NewSchema(append(d.columns.fields(), d.base.arrow.Fields()...), nil)
}

// Batches reads the changes, within bounded memory. A batch is borrowed until the
// next step: Retain it to keep it. An error ends the sequence.
func (d *Diff) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for rec, err := range limited(d.limit, d.all(ctx)) {
			if err != nil {
				yield(nil, d.base.table.wrap("diff", err))
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// Reader is Batches as an Arrow record reader. Release it when done.
func (d *Diff) Reader(ctx context.Context) (array.RecordReader, error) {
	return array.ReaderFromIter(d.Schema(), d.Batches(ctx)), nil
}

// Count returns the number of changes.
func (d *Diff) Count(ctx context.Context) (int64, error) { return countRows(d.Batches(ctx)) }

func countRows(batches iter.Seq2[arrow.RecordBatch, error]) (n int64, err error) {
	for rec, err := range batches {
		if err != nil {
			return 0, err
		}
		n += rec.NumRows()
	}
	return n, nil
}

// all are the changes without a limit.
func (d *Diff) all(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	switch {
	case d.stretch.after == nil:
		return func(func(arrow.RecordBatch, error) bool) {}
	case d.stretch.mode != ChangesDiff:
		return batchesOf(inLanes(ctx, d.base.table.settings.Parallel, d.listed(ctx)))
	case len(d.base.schema.PrimaryKeys) == 0:
		return d.newFiles(ctx)
	}
	return d.compared(ctx)
}

// listed are the files that the snapshots list as their changes, a part for those of a bucket.
func (d *Diff) listed(ctx context.Context) iter.Seq2[readPart, error] {
	return func(yield func(readPart, error) bool) {
		for id := d.stretch.from + 1; id <= d.stretch.to; id++ {
			s := d.base
			s.with(d.columns)
			splits, err := d.list(ctx, &s, id)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, split := range splits {
				if !yield(s.splitPart(split, 1), nil) {
					return
				}
			}
		}
	}
}

// list points a scan at a snapshot and finds the files of its changes. Rows
// that wait for a bucket are told when they are written, unless compactions tell
// them in a changelog.
func (d *Diff) list(ctx context.Context, s *Scan, id int64) (splits []Split, err error) {
	if s.snapshot, err = s.table.chain.Get(ctx, id); err != nil {
		if isNotFound(err) {
			err = s.table.noSuchSnapshot(ctx, id)
		}
		return nil, err
	}
	list, waiting := "", s.table.options.ChangelogProducer == "none"
	switch {
	case s.snapshot.CommitKind == snapshot.Overwrite:
	case d.stretch.auto:
		then, err := s.table.schemas.options(ctx, s.snapshot.SchemaID)
		if err != nil {
			return nil, err
		}
		list, waiting = toldBy(s.snapshot, then)
	case d.stretch.mode == ChangesDelta && s.snapshot.CommitKind == snapshot.Append:
		list = s.snapshot.DeltaManifestList
	case d.stretch.mode == ChangesChangelog:
		list = s.snapshot.ChangelogManifestList
	}
	if list == "" {
		return nil, nil
	}
	return s.changeSplits(ctx, list, func(e *manifest.Entry) bool { return e.Bucket >= 0 || waiting })
}

// newFiles reads the files that the newer version has and the older one has
// not: without keys, nobody can tell which of their rows are new.
func (d *Diff) newFiles(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	s := d.base
	s.snapshot = d.stretch.after
	s.with(d.columns)
	before, after, err := d.bothFiles(ctx)
	if err != nil {
		return failing(err)
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(after.files) {
		some, err := s.splitBucket(ctx, key, after.without(before, key), after.vectors[key])
		if err != nil {
			return failing(err)
		}
		splits = append(splits, some...)
	}
	return s.ReadSplits(ctx, splits)
}
