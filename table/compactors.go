package table

import (
	"context"
	"slices"
	"sync"

	"github.com/tidelake/tidelake/schema"
)

// compactors compact the buckets of one Writer beside its writing. A nil one
// is of a table that its writers do not compact.
//
//	flush ─► files of level 0 ─► add ─► settle ─► trigger ─┐
//	                               ▲                       ▼
//	                               └── result ◄── task, on a goroutine
//
// Only the writer's own calls change anything: a task hands its result over
// when the writer comes by.
type compactors struct {
	table  *Table
	follow *sequences
	wait   bool            // prepare waits for the compaction it causes
	anew   bool            // for an overwrite: each prepare begins without files
	ctx    context.Context // of the tasks
	stop   context.CancelFunc

	buckets map[bucketKey]*bucketCompactor
	touched map[bucketKey]bool // written since the last full compaction, where these are due by number

	mu   sync.Mutex
	lost []CommitMessage // compactions that a commit could not publish
}

func newCompactors(t *Table, follow *sequences, wait bool) *compactors {
	mode := t.schema.BucketMode()
	if t.options.WriteOnly || mode == schema.Postpone || mode == schema.BucketUnaware {
		return nil
	}
	if t.options.DeletionVectors && len(t.schema.PrimaryKeys) == 0 {
		return nil // its files are joined by jobs, which see the newest vectors
	}
	c := &compactors{table: t, follow: follow, wait: wait, buckets: make(map[bucketKey]*bucketCompactor), touched: make(map[bucketKey]bool)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// open restores the levels of buckets that are not there yet.
func (c *compactors) open(ctx context.Context, keys []bucketKey) error {
	if c == nil {
		return nil
	}
	keys = slices.DeleteFunc(keys, func(key bucketKey) bool { return c.buckets[key] != nil })
	if len(keys) == 0 {
		return nil
	}
	if err := c.follow.watch(ctx, keys); err != nil {
		return err
	}
	for _, key := range keys {
		b, err := newBucketCompactor(c.table, key, c.follow)
		if err != nil {
			return err
		}
		c.buckets[key] = b
	}
	return nil
}

// none tells that no bucket is being followed or has to be.
func (c *compactors) none() bool { return c == nil || len(c.buckets)+len(c.touched) == 0 }

// of is the compactor of a bucket, nil where there is none.
func (c *compactors) of(key bucketKey) *bucketCompactor {
	if c == nil {
		return nil
	}
	return c.buckets[key]
}

// loose notes compactions that lost against others.
func (c *compactors) loose(msgs []CommitMessage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = append(c.lost, msgs...)
}

// catchUp takes in what has happened to earlier commits and what others did;
// looked tells that newer snapshots were looked for.
func (c *compactors) catchUp(looked bool) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	lost := c.lost
	c.lost = nil
	c.mu.Unlock()
	for i := range lost {
		key := bucketKey{string(lost[i].Partition), lost[i].Bucket}
		if c.table.options.Compaction.FullDeltaCommits > 0 {
			c.touched[key] = true
		}
		if c.buckets[key] != nil {
			c.follow.withdraw(key, changesOf(lost[i].CompactBefore, lost[i].CompactAfter))
		}
	}
	for _, b := range c.buckets {
		if err := b.catchUp(looked); err != nil {
			return err
		}
	}
	return nil
}

// fullDue tells whether a commit is one of those that compact everything
// written since the last such commit, and opens these buckets.
func (c *compactors) fullDue(ctx context.Context, identifier int64) (bool, error) {
	every := int64(c.table.options.Compaction.FullDeltaCommits)
	if every == 0 || identifier%every != 0 && identifier != BatchIdentifier {
		return false, nil
	}
	var keys []bucketKey
	for key := range c.touched {
		keys = append(keys, key)
	}
	return len(keys) > 0, c.open(ctx, keys)
}

// prepare starts what is due after the last flush before a commit, and waits
// for it where the table or the writer asks for that.
func (c *compactors) prepare(ctx context.Context, identifier int64) error {
	if c == nil {
		return nil
	}
	full, err := c.fullDue(ctx, identifier)
	if err != nil {
		return err
	}
	o := c.table.options
	wait := c.wait || full || o.NeedsLookup() && o.Compaction.LookupWait
	all := c.sorted()
	for _, b := range all {
		if err := b.settle(ctx, wait || b.stalled); err != nil {
			return err
		}
		if err := b.trigger(c.ctx, full && c.touched[b.key]); err != nil {
			return err
		}
	}
	for _, b := range all {
		// Failures in a row can leave more runs behind than a writer may: it waits then, too.
		late := b.tree.runs() > o.Compaction.StopTrigger+1
		if err := b.settle(ctx, wait || o.Compaction.WaitAtCommit || late); err != nil {
			return err
		}
	}
	if full {
		clear(c.touched)
	}
	return nil
}

// sorted are the buckets in a fixed order.
func (c *compactors) sorted() []*bucketCompactor {
	all := make([]*bucketCompactor, 0, len(c.buckets))
	for _, b := range c.buckets {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b *bucketCompactor) int { return compareBucketKeys(a.key, b.key) })
	return all
}

// forget drops the buckets that have nothing under way and were not written
// to: a partitioned table would otherwise fill the memory over time.
func (c *compactors) forget(written map[bucketKey]bool) {
	if c.anew {
		clear(c.touched)
	}
	for key, b := range c.buckets {
		if c.anew || !written[key] && b.idle() {
			delete(c.buckets, key)
			c.follow.forget(key)
		}
	}
}

// close ends the tasks and deletes what they made and nobody was given.
func (c *compactors) close() {
	if c == nil {
		return
	}
	c.stop()
	for _, b := range c.sorted() {
		b.close()
	}
	clear(c.buckets)
}
