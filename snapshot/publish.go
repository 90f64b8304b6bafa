package snapshot

import (
	"bytes"
	"context"
	"errors"

	"github.com/tidelake/tidelake/internal/fault"
)

// createTries is how often one attempt repeats a create that left nothing
// behind, before it starts over.
const createTries = 3

// publish makes the snapshot appear, or finds out who took its id.
func (c *Committer) publish(ctx context.Context, p *pending, next *Snapshot, fresh *base) (int64, error) {
	fresh.data = next.Marshal()
	var last error
	for try := range createTries {
		if try > 0 {
			if err := c.cfg.Sleep(ctx, c.wait.next(try)); err != nil {
				return 0, errors.Join(err, last)
			}
		}
		if err := c.prove(ctx, p.base); err != nil {
			return 0, c.unproven(ctx, p, err)
		}
		err := c.cfg.Store.CreateIfAbsent(ctx, c.chain.Path(next.ID), fresh.data)
		if err == nil {
			return c.won(ctx, p, fresh)
		}
		// Even "already exists" can be the echo of our own request.
		found, data, readErr := c.readBack(ctx, next.ID)
		switch {
		case readErr == nil && bytes.Equal(data, fresh.data):
			return c.won(ctx, p, fresh)
		case readErr == nil && sameCommit(found, next):
			return c.preceded(ctx, p, newBase(found, data))
		case readErr == nil:
			return 0, c.lost(ctx, p, found)
		case errors.Is(readErr, fault.ErrCorrupt), errors.Is(readErr, fault.ErrUnsupported):
			// The id is taken by something that is not of our making.
			return 0, readErr
		}
		// Nothing there, or no answer. A create under way can still arrive, but
		// only while its id is free: whoever takes the id settles it.
		p.unsure = next.ID
		c.stats.Uncertain++
		last = errors.Join(err, readErr)
		if ctx.Err() != nil {
			return 0, last
		}
	}
	return 0, again{last}
}

// readBack reads what an id holds, even when the commit's context has ended.
func (c *Committer) readBack(ctx context.Context, id int64) (*Snapshot, []byte, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	return c.chain.read(ctx, id)
}

// won records that the group is in the chain as snapshot fresh.
func (c *Committer) won(ctx context.Context, p *pending, fresh *base) (int64, error) {
	s := fresh.snapshot
	sleepers.publish(c.chain.place(), s.ID)
	hint, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	c.chain.writeHint(hint, latestHint, s.ID)
	c.base = fresh
	c.mine.note(s)
	c.mine.seen = s.ID
	c.accept(s.ID)
	c.stats.Commits++
	return s.ID, nil
}

// preceded records that the id holds the same commit in other bytes: those of
// an earlier attempt, or of another call or process that made it first.
func (c *Committer) preceded(ctx context.Context, p *pending, found *base) (int64, error) {
	if p.unsure > 0 {
		return c.won(ctx, p, found)
	}
	c.remove(ctx, append(p.files, p.spare...))
	c.base, c.met = found, true
	c.mine.note(found.snapshot)
	c.mine.seen = found.id()
	c.accept(found.id())
	c.stats.Replays++
	return 0, c.usurped(p)
}

// lost gives up an attempt whose id went to another commit.
func (c *Committer) lost(ctx context.Context, p *pending, winner *Snapshot) error {
	c.met = true
	c.stats.Lost++
	if p.unsure == winner.ID {
		p.unsure = 0 // the id is taken, so no create of ours can arrive any more
	}
	c.drop(ctx, p)
	return again{&fault.Error{Class: fault.ErrConflict, Op: "commit", Snapshot: winner.ID,
		Detail: "user " + winner.CommitUser + " committed first", Hint: "commit again"}}
}

// unproven gives up an attempt whose base could not be proven.
func (c *Committer) unproven(ctx context.Context, p *pending, err error) error {
	if !errors.Is(err, errStale) {
		return err
	}
	c.base = nil
	c.met = true
	c.stats.Stale++
	c.drop(ctx, p)
	return again{err}
}
