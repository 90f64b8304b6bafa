package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
)

// openBuffers prepares where rows go, by the kind of buckets that the table has.
func (w *Writer) openBuffers(ctx context.Context, o WriterOptions, direct bool) (err error) {
	t := w.table
	view := t
	switch {
	case t.postponed() && direct:
		view, err = t.variant(map[string]string{"bucket": "1", "write-only": "true"})
	case t.postponed():
		view, err = t.postponeView(w.User())
	}
	if err != nil {
		return err
	}
	if w.buffers, err = newBufferPool(view, o.WaitCompaction); err != nil {
		return err
	}
	w.commits.published, w.buffers.levels.made = w.buffers.levels.published, w.commits.inner.Newest
	if err := w.chooseBuckets(ctx, o, direct); err != nil {
		return err
	}
	if o.Overwrite {
		w.buffers.startAnew()
	} else if !t.postponed() {
		w.buffers.levels.counted.want = t.options.Bucket
	}
	if c := w.buffers.compact; c != nil {
		w.commits.lost = c.loose
	}
	return nil
}

// chooseBuckets sets who gives rows their buckets, where the key alone does not.
func (w *Writer) chooseBuckets(ctx context.Context, o WriterOptions, direct bool) error {
	switch t := w.table; {
	case t.dynamic():
		w.useDynamicBuckets(newDynamicBuckets(t, o.Overwrite))
	case t.crossing():
		return w.useCrossRouter(o)
	case t.postponed() && direct:
		at, err := t.chain.Latest(ctx)
		if err != nil {
			return err
		}
		real, err := newRealBuckets(ctx, t, at)
		if err != nil {
			return err
		}
		w.router.chooser, w.buffers.real = real, real
	case t.postponed():
		w.router.chooser = choosesPostpone{}
	}
	return nil
}

// useDynamicBuckets lets d choose the buckets.
func (w *Writer) useDynamicBuckets(d *dynamicBuckets) {
	w.router.chooser, w.buffers.dynamic = d, d
	w.commits.published = func(ids []int64, msgs []CommitMessage, whole bool) {
		w.buffers.levels.published(ids, msgs, whole)
		d.published(ids, msgs)
	}
}

// useCrossRouter lets rows follow their keys through the partitions.
func (w *Writer) useCrossRouter(o WriterOptions) error {
	if o.Overwrite {
		return fault.Unsupported("an overwrite by new rows in a table whose keys move between partitions", "drop the partitions or truncate the table, then write the rows")
	}
	c, err := newCrossRouter(w.table, w.commits.User(), w.commits.inner.Newest)
	if err != nil {
		return err
	}
	w.buffers.cross = c
	w.commits.published = func(ids []int64, msgs []CommitMessage, whole bool) {
		w.buffers.levels.published(ids, msgs, whole)
		c.published(ids, msgs)
	}
	return nil
}

// addCrossing buffers a batch whose rows may have to be followed to other partitions.
func (w *Writer) addCrossing(ctx context.Context, rec arrow.RecordBatch, kinds []int8, keep func(int) bool) error {
	rec, kinds, parts, err := w.buffers.cross.route(ctx, rec, kinds, keep)
	if err != nil {
		return err
	}
	defer rec.Release()
	return w.buffers.add(ctx, rec, kinds, parts)
}
