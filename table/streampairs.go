package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// images are the rows of some keys in one version of a table.
type images struct {
	rec      arrow.RecordBatch // its columns are found by name
	sequence arrow.Array
	at       []int32 // of every key its row, -1 for none
}

func (m *images) release() {
	m.rec.Release()
	m.sequence.Release()
}

// storedImages are rows of which one is read for every key, the last column of
// its kind and number first; those that retract are no rows.
func storedImages(rec arrow.RecordBatch) *images {
	m := &images{rec: rec, sequence: column(rec, schema.SequenceName), at: make([]int32, rec.NumRows())}
	m.rec.Retain()
	m.sequence.Retain()
	for i, kind := range column(rec, schema.ValueKindName).(*array.Int8).Values() {
		m.at[i] = int32(i)
		if mergeengine.Retracts(kind) {
			m.at[i] = -1
		}
	}
	return m
}

// images looks keys up in one bucket.
func (l *Lookup) images(ctx context.Context, b *lookupBucket, keys arrow.RecordBatch) (*images, error) {
	a := l.newAnswer()
	defer l.keep(a)
	a.clear(int(keys.NumRows()))
	a.query.now = l.table.world.Clock()
	if err := l.inBucket(ctx, a, target{bucket: b}, keys); err != nil {
		return nil, err
	}
	return l.imagesOf(a)
}

// bothImages looks keys up in one bucket, each key once and in their order. What
// it finds is merged once alone, and once with a newer version of each key.
func (l *Lookup) bothImages(ctx context.Context, b *lookupBucket, keys, newer arrow.RecordBatch) (before, after *images, err error) {
	a := l.newAnswer()
	defer l.keep(a)
	q := &a.query
	q.now = l.table.world.Clock()
	for _, at := range l.keyAt {
		q.keys.cols = append(q.keys.cols, keys.Column(at))
	}
	if err := q.begin(l.space); err != nil {
		return nil, nil, err
	}
	runs, err := l.versionRuns(ctx, b, q)
	defer func() { _ = closeRuns(runs) }() // which are in memory
	if err != nil {
		return nil, nil, err
	}
	merged := func(levels []int, runs []lsm.Run) (*images, error) {
		a.clear(q.keys.Len())
		clear(q.best)
		if err := l.mergeRuns(a, levels, runs); err != nil {
			return nil, err
		}
		a.take(target{bucket: b})
		return l.imagesOf(a)
	}
	if before, err = merged(b.levels, lend(runs, 0)); err != nil {
		return nil, nil, err
	}
	levels := b.levels
	if levels != nil {
		levels = append([]int{0}, levels...)
	}
	youngest := &memoryRun{rec: l.versionsOf(newer)}
	if after, err = merged(levels, append(lend(runs, 1), youngest)); err != nil {
		before.release()
		return nil, nil, err
	}
	return before, after, nil
}

// versionsOf are rows with all their columns as versions that a file has.
func (l *Lookup) versionsOf(rec arrow.RecordBatch) arrow.RecordBatch {
	cols := make([]arrow.Array, l.rows.NumFields())
	for i, f := range l.rows.Fields() {
		cols[i] = column(rec, f.Name)
	}
	return array.NewRecordBatch(l.rows, cols, rec.NumRows())
}

// imagesOf are the rows that were found.
func (l *Lookup) imagesOf(a *answer) (*images, error) {
	found, err := l.gather(a)
	if err != nil {
		return nil, err
	}
	numbers := array.NewInt64Builder(l.table.world.Alloc)
	defer numbers.Release()
	for _, v := range a.best {
		if v.block != nil {
			numbers.Append(v.sequence())
		}
	}
	return &images{found.Batch, numbers.NewArray(), found.At}, nil
}

// keep leaves only rows for which a filter is true.
func (m *images) keep(filter predicate.Expr) error {
	if filter.IsTrue() {
		return nil
	}
	rows, err := filter.Filter(m.rec)
	if err != nil {
		return err
	}
	matches := make([]bool, m.rec.NumRows())
	for _, row := range rows {
		matches[row] = true
	}
	for i, row := range m.at {
		if row >= 0 && !matches[row] {
			m.at[i] = -1
		}
	}
	return nil
}

// tell makes changes of a batch of keys, or of the rows after the commit.
func (r *imageRead) tell(ctx context.Context, way imageWay, rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	l := r.lookup
	cols := make([]arrow.Array, len(l.primary))
	for i, f := range l.primary {
		cols[i] = column(rec, f.Name)
	}
	as, err := schema.ArrowSchema(l.primary)
	if err != nil {
		return nil, err
	}
	keys := array.NewRecordBatch(as, cols, rec.NumRows())
	defer keys.Release()
	before, after, err := r.look(ctx, way, keys, rec)
	if err != nil {
		return nil, err
	}
	defer before.release()
	defer after.release()
	filter := r.stream.base.filter
	if err := before.keep(filter); err != nil {
		return nil, err
	}
	if err := after.keep(filter); err != nil {
		return nil, err
	}
	return r.pairs(before, after)
}

// look finds the rows of keys before the commit and after it.
func (r *imageRead) look(ctx context.Context, way imageWay, keys, rec arrow.RecordBatch) (before, after *images, err error) {
	if way.after == nil && !r.lookup.plain {
		return r.lookup.bothImages(ctx, way.before, keys, rec)
	}
	if before, err = r.lookup.images(ctx, way.before, keys); err != nil {
		return nil, nil, err
	}
	if way.after == nil {
		return before, storedImages(rec), nil
	}
	if after, err = r.lookup.images(ctx, way.after, keys); err != nil {
		before.release()
		return nil, nil, err
	}
	return before, after, nil
}

// pairs puts the images of keys side by side. Rows that are the same on both
// sides, as far as they are asked for, are left out.
func (r *imageRead) pairs(before, after *images) (arrow.RecordBatch, error) {
	var refs []vector.Ref
	var kinds []int8
	pick := func(kind schema.RowKind, side int, row int32) {
		refs, kinds = append(refs, vector.MakeRef(side, int(row))), append(kinds, int8(kind))
	}
	same := r.sameRow(before, after)
	for i, was := range before.at {
		switch is := after.at[i]; {
		case was < 0 && is < 0:
		case was < 0:
			pick(schema.Insert, 1, is)
		case is < 0:
			pick(schema.Delete, 0, was)
		case !same(was, is):
			pick(schema.UpdateBefore, 0, was)
			pick(schema.UpdateAfter, 1, is)
		}
	}
	return r.gatherPairs(before, after, refs, kinds)
}

// sameRow compares rows of one key in the columns of the result.
func (r *imageRead) sameRow(before, after *images) func(was, is int32) bool {
	base := &r.stream.base
	keys := nameSet(append(base.schema.KeyFields(), base.schema.PartitionFields()...))
	var a, b []arrow.Array
	for _, f := range base.fields {
		if !keys[f.Name] {
			a, b = append(a, column(before.rec, f.Name)), append(b, column(after.rec, f.Name))
		}
	}
	return func(was, is int32) bool {
		for i := range a {
			if !cell.Equal(a[i], int(was), b[i], int(is)) {
				return false
			}
		}
		return true
	}
}

// gatherPairs makes the batch of picked rows, with the stream's columns before them.
func (r *imageRead) gatherPairs(before, after *images, refs []vector.Ref, kinds []int8) (arrow.RecordBatch, error) {
	s, mem, n := r.stream, r.stream.table.world.Alloc, len(refs)
	var cols []arrow.Array
	defer func() { releaseAll(cols) }()
	sel := vector.Select(refs)
	gather := func(a, b arrow.Array) error {
		g, err := vector.NewGatherer(b.DataType(), mem)
		if err != nil {
			return err
		}
		if err = g.Set(0, a); err == nil {
			err = g.Set(1, b)
		}
		if err != nil {
			return err
		}
		col, err := g.Take(sel)
		if err == nil {
			cols = append(cols, col)
		}
		return err
	}
	cols = append(cols, int8Array(kinds, mem), repeated(arrow.PrimitiveTypes.Int64, n, r.snapshot.ID, mem))
	if s.options.SequenceNumbers {
		if err := gather(before.sequence, after.sequence); err != nil {
			return nil, err
		}
	}
	if s.options.CommitTimes {
		cols = append(cols, repeated(commitTimeField.Type, n, r.snapshot.TimeMillis, mem))
	}
	for _, f := range s.base.fields {
		if err := gather(column(before.rec, f.Name), column(after.rec, f.Name)); err != nil {
			return nil, err
		}
	}
	return array.NewRecordBatch(s.Schema(), cols, int64(n)), nil
}
