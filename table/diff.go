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
//	diff               every bucket in the order of its keys: one row a key
//
// Rows of a diff are those of the newer version with the kind they are stored
// with, +I or +U, and -D with the older row where a key is gone.
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

// Mode is where the changes are taken from, never ChangesAuto.
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
	return func(yield func(arrow.RecordBatch, error) bool) {
		switch {
		case d.stretch.after == nil:
		case d.stretch.mode != ChangesDiff:
			d.listed(ctx, yield)
		case len(d.base.schema.PrimaryKeys) == 0:
			d.newFiles(ctx, yield)
		default:
			d.compared(ctx, yield)
		}
	}
}

// listed reads what the snapshots list as their changes.
func (d *Diff) listed(ctx context.Context, yield func(arrow.RecordBatch, error) bool) {
	for id := d.stretch.from + 1; id <= d.stretch.to; id++ {
		at, err := d.base.table.chain.Get(ctx, id)
		if isNotFound(err) {
			err = d.base.table.noSuchSnapshot(ctx, id)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		list := ""
		switch {
		case d.stretch.mode == ChangesDelta && at.CommitKind == snapshot.Append:
			list = at.DeltaManifestList
		case d.stretch.mode == ChangesChangelog && at.CommitKind != snapshot.Overwrite:
			list = at.ChangelogManifestList
		}
		if list != "" && !d.list(ctx, at, list, yield) {
			return
		}
	}
}

// list reads the files that a manifest list adds, and tells whether to go on.
// Rows that wait for a bucket are told when they are written, unless
// compactions tell them in a changelog.
func (d *Diff) list(ctx context.Context, at *snapshot.Snapshot, list string, yield func(arrow.RecordBatch, error) bool) bool {
	s := d.base
	s.snapshot = at
	s.with(d.columns)
	waiting := s.table.options.ChangelogProducer == "none"
	splits, err := s.changeSplits(ctx, list, func(e *manifest.Entry) bool { return e.Bucket >= 0 || waiting })
	if err != nil {
		yield(nil, err)
		return false
	}
	return passOn(s.ReadSplits(ctx, splits), yield)
}

// passOn yields all of a sequence and tells whether to go on behind it.
func passOn(batches iter.Seq2[arrow.RecordBatch, error], yield func(arrow.RecordBatch, error) bool) bool {
	for rec, err := range batches {
		if !yield(rec, err) || err != nil {
			return false
		}
	}
	return true
}

// newFiles reads the files that the newer version has and the older one has
// not: without keys, nobody can tell which of their rows are new.
func (d *Diff) newFiles(ctx context.Context, yield func(arrow.RecordBatch, error) bool) {
	s := d.base
	s.snapshot = d.stretch.after
	s.with(d.columns)
	before, after, err := d.bothFiles(ctx)
	if err != nil {
		yield(nil, err)
		return
	}
	var splits []Split
	for _, key := range s.table.sortedBuckets(after.files) {
		some, err := s.splitBucket(ctx, key, after.without(before, key), after.vectors[key])
		if err != nil {
			yield(nil, err)
			return
		}
		splits = append(splits, some...)
	}
	passOn(s.ReadSplits(ctx, splits), yield)
}
