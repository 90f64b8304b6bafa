package table

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"
)

// bufferPool holds the buffers of all partitions and buckets of one Writer
// under one memory budget. Batches are shared by the buffers of their rows, so
// a full pool flushes them all, and every core has a bucket or a column to do.
type bufferPool struct {
	table   *Table
	files   *fileMaker
	levels  *sequences
	budget  int64
	bytes   int64
	targets map[bucketKey]*bucketBuffer
	dynamic *dynamicBuckets // nil in tables without dynamic buckets
}

type bucketKey struct {
	partition string
	bucket    int
}

func newBufferPool(t *Table) (*bufferPool, error) {
	files, err := newFileMaker(t)
	if err != nil {
		return nil, err
	}
	return &bufferPool{table: t, files: files, levels: newSequences(t),
		budget: t.options.WriteBufferSize, targets: make(map[bucketKey]*bucketBuffer)}, nil
}

// add buffers a routed batch, and flushes everything once the budget is spent.
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
	return p.flush(ctx)
}

func (p *bufferPool) target(ctx context.Context, part routed) (*bucketBuffer, error) {
	key := bucketKey{string(part.partition), part.bucket}
	if b := p.targets[key]; b != nil {
		return b, nil
	}
	b, err := newBucketBuffer(p.table, p.files, part.partition, part.bucket)
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

// flush writes every buffer into level-0 files, several buckets at once.
func (p *bufferPool) flush(ctx context.Context) error {
	busy := slices.DeleteFunc(p.sorted(), func(b *bucketBuffer) bool { return b.rows() == 0 })
	if err := p.renumber(ctx, busy); err != nil {
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
		next, err := p.levels.next(ctx, bucketKey{string(b.partition), b.bucket})
		if err != nil {
			return err
		}
		b.next = max(b.next, next)
	}
	return nil
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
func (p *bufferPool) prepare(ctx context.Context) ([]CommitMessage, error) {
	if len(p.targets) == 0 {
		return nil, nil
	}
	if err := p.flush(ctx); err != nil {
		return nil, err
	}
	buckets := p.sorted()
	for _, b := range buckets {
		if err := b.roll(); err != nil {
			return nil, err
		}
	}
	var msgs []CommitMessage
	for _, b := range buckets {
		files := b.take()
		p.levels.raise(bucketKey{string(b.partition), b.bucket}, b.next)
		if len(files) > 0 {
			msgs = append(msgs, CommitMessage{Partition: b.partition, Bucket: b.bucket,
				TotalBuckets: p.table.options.Bucket, NewFiles: files})
		}
	}
	// Idle buckets are forgotten: a partitioned table would otherwise grow this map for ever.
	clear(p.targets)
	if p.dynamic == nil {
		return msgs, nil
	}
	all, err := p.dynamic.prepare(ctx, msgs)
	if err != nil {
		return nil, errors.Join(err, p.table.Abort(context.WithoutCancel(ctx), msgs))
	}
	return all, nil
}

func (p *bufferPool) close() error {
	var errs []error
	for _, b := range p.sorted() {
		errs = append(errs, b.discard())
	}
	clear(p.targets)
	return errors.Join(errs...)
}
