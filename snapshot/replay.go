package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
)

// ours is what is known of the commits that this user has made: the highest
// identifier and the snapshots that carry it. Everything up to seen was looked
// at, so that only later snapshots can hold more.
type ours struct {
	begun      bool
	seen       int64
	any        bool
	identifier int64
	made       []made
	last       *Snapshot // the newest of them
}

type made struct {
	kind Kind
	id   int64
}

// note takes one snapshot of this user into account.
func (o *ours) note(s *Snapshot) {
	if !o.any || s.CommitIdentifier > o.identifier {
		o.any, o.identifier, o.made, o.last = true, s.CommitIdentifier, nil, nil
	}
	if s.CommitIdentifier == o.identifier {
		o.made = append(slices.Clip(o.made), made{s.CommitKind, s.ID})
		if o.last == nil || s.ID > o.last.ID {
			o.last = s
		}
	}
}

// done tells whether a commit is in the chain: identifiers rise, so whatever
// is below the highest one is. id is 0 when it is not known which snapshot.
func (o *ours) done(identifier int64, kind Kind) (id int64, ok bool) {
	if !o.any || identifier > o.identifier {
		return 0, false
	}
	if identifier < o.identifier {
		return 0, true
	}
	for _, m := range o.made {
		if m.kind == kind {
			return m.id, true
		}
	}
	return 0, false
}

// goesOn refuses a rising identifier after the last one there is.
func (o *ours) goesOn(user string, identifier int64) error {
	if o.any && o.identifier == BatchIdentifier && identifier != BatchIdentifier {
		return fault.Invalid("user " + user + " has made a batch commit, after which no identifier can follow; commit under another user")
	}
	return nil
}

// stands tells that the newest commit of this user that is remembered is in the
// chain, or was until it expired. One that a rollback has taken away is forgotten
// with all before it, for look to find what is left.
func (c *Committer) stands(ctx context.Context) (bool, error) {
	last := c.mine.last
	if last == nil {
		return true, nil
	}
	now, err := c.chain.Get(ctx, last.ID)
	if isNotFound(err) {
		earliest, err := c.chain.Earliest(ctx)
		if err != nil || earliest != nil && earliest.ID > last.ID {
			return true, err
		}
	} else if err != nil || now.Same(last) {
		return true, err
	}
	c.mine = ours{begun: true}
	return false, nil
}

// look brings c.mine up to the given base. It walks down the chain and stops
// at the first commit of this user with a lower identifier: everything before
// it is lower still. whole is false when snapshots that were to be looked at
// have expired.
func (c *Committer) look(ctx context.Context, b *base) (whole bool, err error) {
	floor := c.mine.seen
	if c.cfg.NewUser && !c.mine.begun {
		floor = b.id() // nothing before our first commit can be ours
	}
	if s := c.cfg.Options.StrictModeLastSafeSnapshot; s != nil {
		floor = max(floor, *s)
	}
	found, whole := c.mine, true
	for id := b.id(); id > floor; id-- {
		s := b.snapshot
		if id != s.ID {
			if s, err = c.chain.Get(ctx, id); isNotFound(err) {
				whole = false // and so have all before it
				break
			} else if err != nil {
				return false, fmt.Errorf("look for commits of user %s: %w", c.cfg.User, err)
			}
		}
		if s.CommitUser != c.cfg.User {
			continue
		}
		if found.any && s.CommitIdentifier < found.identifier {
			break
		}
		found.note(s)
	}
	found.begun, found.seen = true, max(found.seen, b.id())
	c.mine = found
	return whole, nil
}

// LastIdentifier is the highest identifier that this user has committed; ok is
// false when there is none in the chain.
func (c *Committer) LastIdentifier(ctx context.Context) (identifier int64, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refresh(ctx); err != nil {
		return 0, false, err
	}
	return c.mine.identifier, c.mine.any, nil
}

// FilterCommitted returns those of the ascending identifiers that this user
// has not committed yet. A crash between the two snapshots of one commit loses
// the compaction only, so an identifier counts as committed with its first.
func (c *Committer) FilterCommitted(ctx context.Context, identifiers []int64) ([]int64, error) {
	for i := 1; i < len(identifiers); i++ {
		if identifiers[i] <= identifiers[i-1] {
			return nil, fault.Invalid(fmt.Sprintf("commit identifiers must rise, but %d follows %d", identifiers[i], identifiers[i-1]))
		}
	}
	if len(identifiers) == 0 {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refresh(ctx); err != nil {
		return nil, err
	}
	if err := c.mine.goesOn(c.cfg.User, identifiers[0]); err != nil {
		return nil, err
	}
	var rest []int64
	for _, id := range identifiers {
		if !c.mine.any || id > c.mine.identifier {
			rest = append(rest, id)
		}
	}
	return rest, nil
}

func (c *Committer) refresh(ctx context.Context) error {
	c.base = nil // whatever is known may have expired
	b, err := c.findBase(ctx, true)
	if err == nil {
		_, err = c.stands(ctx)
	}
	if err != nil {
		return err
	}
	_, err = c.look(ctx, b)
	return err
}
