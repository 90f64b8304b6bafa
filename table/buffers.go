package table

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/manifest"
)

// bufferPool holds the buffers of all partitions and buckets of one Writer
// under one memory budget. Batches are shared by the buffers of their rows, so
// a full pool flushes them all, and every core has a bucket or a column to do.
type bufferPool struct {
	table   *Table
	makes   bucketMaker
	levels  *sequences
	compact *compactors
	spill   *spillFile // nil where full buffers are flushed
	budget  int64
	bytes   int64
	targets map[bucketKey]*bucketBuffer
	dynamic *dynamicBuckets // nil in tables without dynamic buckets
	cross   *crossRouter    // set where keys move between partitions
	real    *realBuckets    // set where every partition has its own number of buckets
	anew    bool            // for an overwrite: older files do not count
}

type bucketKey struct {
	partition string
	bucket    int
}

// compareBucketKeys is a fixed order, if not that of the partitions' values.
func compareBucketKeys(a, b bucketKey) int {
	return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.bucket, b.bucket))
}

func newBufferPool(t *Table, wait bool) (*bufferPool, error) {
	makes, err := newBucketMaker(t)
	if err != nil {
		return nil, err
	}
	levels := newSequences(t)
	return &bufferPool{table: t, makes: makes, levels: levels, compact: newCompactors(t, levels, wait), spill: newSpillFile(t),
		budget: t.options.WriteBufferSize, targets: make(map[bucketKey]*bucketBuffer)}, nil
}

// startAnew makes it a pool of rows that an overwrite will put in the place of
// all that is there.
func (p *bufferPool) startAnew() {
	p.anew = true
	if c := p.compact; c != nil {
		c.anew, c.wait, c.follow = true, true, emptySequences(p.table)
	}
}

// add buffers a routed batch, and moves everything on once the budget is spent.
// What counts is the batches as they are held, the references to their rows
// and the memory that sorting these will take.
func (p *bufferPool) add(ctx context.Context, rec arrow.RecordBatch, kinds []int8, parts []routed) error {
	if len(parts) == 0 {
		return nil
	}
	rec, size, err := compacted(rec, p.table.world.Alloc)
	if err != nil {
		return err
	}
	defer rec.Release()
	for _, part := range parts {
		b, err := p.target(ctx, part)
		if err != nil {
			return err
		}
		size -= b.refBytes()
		if err := b.add(rec, kinds, part.rows); err != nil {
			return err
		}
		size += b.refBytes()
	}
	if p.bytes += size; p.bytes < p.budget {
		return nil
	}
	return p.relieve(ctx)
}

// relieve moves all rows out of memory: to local disk, or where there is no
// room for them into files of level 0.
func (p *bufferPool) relieve(ctx context.Context) error {
	if p.spill != nil {
		err := p.spillOut(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		p.table.world.Logger.Warn("rows were not spilled; they become files of level 0 early", "table", p.table.name, "error", err)
	}
	return p.flush(ctx)
}

func (p *bufferPool) spillOut(ctx context.Context) error {
	busy := slices.DeleteFunc(p.sorted(), func(b *bucketBuffer) bool { return b.rows() == 0 })
	if err := p.renumber(ctx, busy); err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(p.table.settings.Parallel)
	for _, b := range busy {
		group.Go(func() error { return b.spillOut(ctx, p.spill) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	p.bytes = 0
	return nil
}

func (p *bufferPool) target(ctx context.Context, part routed) (*bucketBuffer, error) {
	key := bucketKey{string(part.partition), part.bucket}
	if b := p.targets[key]; b != nil {
		return b, nil
	}
	b, err := p.makes.make(part.partition, part.bucket)
	if err != nil {
		return nil, err
	}
	if b.next, err = p.levels.next(ctx, key); err != nil {
		return nil, err
	}
	p.targets[key] = b
	return b, nil
}

// sorted returns the targets in a fixed order, so that equal input makes equal output.
func (p *bufferPool) sorted() []*bucketBuffer {
	all := make([]*bucketBuffer, 0, len(p.targets))
	for _, b := range p.targets {
		all = append(all, b)
	}
	slices.SortFunc(all, (*bucketBuffer).compare)
	return all
}

// flush writes every buffer into level-0 files, several buckets at once, and
// goes on with their compaction.
func (p *bufferPool) flush(ctx context.Context) error {
	if err := p.writeOut(ctx); err != nil || p.compact == nil {
		return err
	}
	for _, b := range p.compact.sorted() {
		if err := b.settle(ctx, b.stalled); err != nil {
			return err
		}
		if err := b.trigger(p.compact.ctx, false); err != nil {
			return err
		}
	}
	return nil
}

func (p *bufferPool) writeOut(ctx context.Context) error {
	busy := slices.DeleteFunc(p.sorted(), (*bucketBuffer).empty)
	if err := p.renumber(ctx, busy); err != nil {
		return err
	}
	if err := p.compact.catchUp(len(busy) > 0); err != nil {
		return err
	}
	keys := make([]bucketKey, len(busy))
	for i, b := range busy {
		keys[i] = b.key()
	}
	if err := p.compact.open(ctx, keys); err != nil {
		return err
	}
	cores := p.table.settings.Parallel
	inside := max(1, cores/max(1, len(busy)))
	keepOpen := len(p.targets) <= maxOpenFiles
	var group errgroup.Group
	group.SetLimit(cores)
	for _, b := range busy {
		group.Go(func() error { return b.flush(ctx, inside, keepOpen) })
	}
	p.bytes = 0
	if err := group.Wait(); err != nil {
		return err
	}
	p.tell(busy)
	if p.spill != nil {
		return p.spill.reset()
	}
	return p.limitOpen()
}

// renumber lets buffered rows come after everything that others have committed.
func (p *bufferPool) renumber(ctx context.Context, busy []*bucketBuffer) error {
	if len(busy) == 0 {
		return nil
	}
	if err := p.levels.refresh(ctx); err != nil {
		return err
	}
	for _, b := range busy {
		next, err := p.levels.next(ctx, b.key())
		if err != nil {
			return err
		}
		b.next = max(b.next, next)
	}
	return nil
}

// tell hands new files to those who compact them.
func (p *bufferPool) tell(buckets []*bucketBuffer) {
	if p.compact == nil {
		return
	}
	for _, b := range buckets {
		c := p.compact.of(b.key())
		if files := b.untold(); len(files) > 0 && c != nil {
			c.stalled = c.stalled || c.tree.runs() > p.table.options.Compaction.StopTrigger
			c.add(files)
			if p.table.options.Compaction.FullDeltaCommits > 0 {
				p.compact.touched[c.key] = true
			}
		}
	}
}

// limitOpen closes the files that append buckets keep open when what they hold
// in memory passes the budget.
func (p *bufferPool) limitOpen() error {
	held := int64(0)
	for _, b := range p.targets {
		held += b.heldOpen()
	}
	if held <= max(p.budget, 2*minRowGroup) {
		return nil
	}
	for _, b := range p.sorted() {
		if err := b.roll(); err != nil {
			return err
		}
	}
	return nil
}

// prepare flushes and hands out the files made since the last prepare: all of
// them, or none with an error.
func (p *bufferPool) prepare(ctx context.Context, identifier int64) ([]CommitMessage, error) {
	if len(p.targets) == 0 && p.compact.none() {
		if p.cross != nil {
			p.cross.prepare(identifier, nil)
		}
		return nil, nil
	}
	if err := p.writeOut(ctx); err != nil {
		return nil, err
	}
	buckets := p.sorted()
	for _, b := range buckets {
		if err := b.roll(); err != nil {
			return nil, err
		}
	}
	p.tell(buckets)
	if err := p.compact.prepare(ctx, identifier); err != nil {
		return nil, err
	}
	msgs, err := p.handOut(ctx, buckets)
	if err != nil {
		return nil, err
	}
	if p.cross != nil {
		p.cross.prepare(identifier, msgs)
	}
	if p.dynamic == nil {
		return msgs, nil
	}
	all, err := p.dynamic.prepare(ctx, msgs)
	if err != nil {
		return nil, errors.Join(err, p.table.abort(context.WithoutCancel(ctx), msgs))
	}
	return all, nil
}

// total is the number of buckets that a bucket's files are recorded with.
func (p *bufferPool) total(key bucketKey) int {
	if p.real != nil {
		return p.real.count([]byte(key.partition))
	}
	return p.table.options.Bucket
}

// handOut makes the messages of the files that are finished.
func (p *bufferPool) handOut(ctx context.Context, buckets []*bucketBuffer) ([]CommitMessage, error) {
	var msgs []CommitMessage
	written := make(map[bucketKey]bool, len(buckets))
	message := func(key bucketKey, files, changelog []manifest.DataFile) error {
		m := CommitMessage{Partition: []byte(key.partition), Bucket: key.bucket, TotalBuckets: p.total(key), NewFiles: files, NewChangelog: changelog, Overwrite: p.anew}
		if c := p.compact.of(key); c != nil {
			r, index, err := c.take(ctx)
			if err != nil {
				msgs = append(msgs, m)
				return err
			}
			m.CompactBefore, m.CompactAfter, m.CompactChangelog, m.CompactIndex, m.CompactBase = r.before, r.after, r.changelog, index, r.base
		}
		if !m.empty() {
			msgs = append(msgs, m)
		}
		return nil
	}
	fail := func(err error) ([]CommitMessage, error) {
		return nil, errors.Join(err, p.table.abort(context.WithoutCancel(ctx), msgs))
	}
	for _, b := range buckets {
		p.levels.raise(b.key(), b.next)
		written[b.key()] = true
		files, changelog := b.take()
		if err := message(b.key(), files, changelog); err != nil {
			return fail(err)
		}
	}
	// Idle buckets are forgotten: a partitioned table would otherwise grow this map for ever.
	clear(p.targets)
	if p.compact == nil {
		return msgs, nil
	}
	for _, c := range p.compact.sorted() {
		if !written[c.key] {
			if err := message(c.key, nil, nil); err != nil {
				return fail(err)
			}
		}
	}
	p.compact.forget(written)
	return msgs, nil
}

func (p *bufferPool) close() error {
	var errs []error
	for _, b := range p.sorted() {
		errs = append(errs, b.discard())
	}
	clear(p.targets)
	errs = append(errs, p.spill.close())
	p.compact.close()
	if p.cross != nil {
		errs = append(errs, p.cross.close())
	}
	return errors.Join(errs...)
}
