package table

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidelake/tidelake/snapshot"
)

// What the expiry within one commit may take; the rest is for the next commit.
// One snapshot is the least that it does.
const (
	commitExpiryTime  = 2 * time.Second
	commitExpiryFiles = 5000
)

// commitExpiry is expiry by a committer, after each of its commits. It remembers
// the snapshot that the chain began with, so that a commit after which nothing
// can be old enough costs no request.
type commitExpiry struct {
	on     bool
	oldest *snapshot.Snapshot // nil: not known
}

// quiet tells that nothing can expire after the commit of a snapshot.
func (x *commitExpiry) quiet(t *Table, latest int64) bool {
	keep, first := &t.options.Expiry.Snapshots, int64(1)
	if x.oldest != nil {
		first = x.oldest.ID
	}
	if latest-int64(keep.Min)+1 <= first {
		return true
	}
	return x.oldest != nil && latest-int64(keep.Max)+1 <= first &&
		x.oldest.TimeMillis >= t.world.Clock().Add(-keep.Time).UnixMilli()
}

// expire takes away what is too old after a commit, which stands whatever
// becomes of that.
func (c *Committer) expire(ctx context.Context, ids []int64) {
	x, t := &c.expiry, c.table
	if !x.on || len(ids) == 0 || ctx.Err() != nil || x.quiet(t, slices.Max(ids)) {
		return
	}
	var err error
	if x.oldest == nil {
		if x.oldest, err = t.chain.Earliest(ctx); err == nil && x.quiet(t, slices.Max(ids)) {
			return
		}
	}
	e := t.newExpirer(ExpireOptions{Limit: t.options.Expiry.Limit})
	start := t.world.Clock()
	e.spent = func() bool {
		return e.remover.files >= commitExpiryFiles || t.world.Clock().Sub(start) >= commitExpiryTime
	}
	if idle := t.options.Consumer.Expiration; err == nil && idle > 0 { // before what they hold back
		_, err = t.consumers().Expire(ctx, t.world.Clock().Add(-idle), false)
	}
	if err == nil {
		err = errors.Join(e.run(ctx), e.remover.close())
	}
	if err != nil {
		t.world.Logger.Warn("old snapshots were not removed; the next commit tries again", "table", t.name, "error", err)
		x.oldest = nil
		return
	}
	x.oldest = e.oldest
}
