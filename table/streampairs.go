package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// images are the rows of some keys in one version of a table.
type images struct {
	rec arrow.RecordBatch // with sequence numbers; its columns are found by name
	at  []int32           // of every key its row, -1 for none
}

func (m *images) release() { m.rec.Release() }

// storedImages are rows of which one is read for every key, the last column of
// its kind and number first; those that retract are no rows.
func storedImages(rec arrow.RecordBatch) *images {
	m := &images{rec: rec, at: make([]int32, rec.NumRows())}
	m.rec.Retain()
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
func (l *Lookup) bothImages(ctx context.Context, b *lookupBucket, keys, added arrow.RecordBatch) (before, after *images, err error) {
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
	youngest := &memoryRun{rec: selectColumns(added, l.rows)}
	if after, err = merged(levels, append(lend(runs, 1), youngest)); err != nil {
		before.release()
		return nil, nil, err
	}
	return before, after, nil
}

// imagesOf are the rows that were found.
func (l *Lookup) imagesOf(a *answer) (*images, error) {
	found, err := l.gather(a)
	if err != nil {
		return nil, err
	}
	defer found.Release()
	numbers := array.NewInt64Builder(l.table.world.Alloc)
	defer numbers.Release()
	for _, v := range a.best {
		if v.block != nil {
			numbers.Append(v.sequence())
		}
	}
	sequence := numbers.NewArray()
	defer sequence.Release()
	as := arrow.NewSchema(append([]arrow.Field{sequenceField}, found.Batch.Schema().Fields()...), nil)
	cols := append([]arrow.Array{sequence}, found.Batch.Columns()...)
	return &images{array.NewRecordBatch(as, cols, found.Batch.NumRows()), found.At}, nil
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
	as, err := schema.ArrowSchema(l.primary)
	if err != nil {
		return nil, err
	}
	keys := selectColumns(rec, as)
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
	a, b := columnsNamed(before.rec, r.compared), columnsNamed(after.rec, r.compared)
	var p picks
	for i, was := range before.at {
		switch was, is := int(was), int(after.at[i]); {
		case was < 0 && is < 0:
		case was < 0:
			p.add(schema.Insert, newer, is)
		case is < 0:
			p.add(schema.Delete, older, was)
		case !sameCells(a, was, b, is):
			p.add(schema.UpdateBefore, older, was)
			p.add(schema.UpdateAfter, newer, is)
		}
	}
	wide, err := p.gather(r.columns, [2]arrow.RecordBatch{before.rec, after.rec}, r.stream.table.world.Alloc)
	if err != nil {
		return nil, err
	}
	defer wide.Release()
	return r.told.projected(wide), nil
}
