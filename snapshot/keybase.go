package snapshot

import (
	"context"
	"fmt"
)

// checkKeyBase refuses rows that were given partitions and buckets by an index
// of the keys that is no longer true: another writer may have put the same keys
// elsewhere, and they would be in the table twice. Paimon leaves it to its users
// that there is only one writer.
func (c *Committer) checkKeyBase(ctx context.Context, p *pending) error {
	k := p.keyBase
	if k == nil {
		return nil
	}
	refuse := func(detail string) error {
		return c.conflictError(p.base, detail+"; the rows' keys may lie elsewhere by now",
			"let only one writer at a time write a table whose keys move between partitions; open a new writer and write the rows again", nil)
	}
	if k.After != nil && (!c.mine.any || c.mine.identifier < *k.After) {
		return refuse(fmt.Sprintf("what the same writer prepared before, under identifier %d, was not committed", *k.After))
	}
	switch stands, err := c.keyBaseStands(ctx, p); {
	case err != nil:
		return err
	case !stands:
		return refuse(fmt.Sprintf("snapshot %d, which the rows were written on, was taken back", k.Snapshot))
	}
	for id := k.Snapshot + 1; id <= p.base.id(); id++ {
		s := p.base.snapshot
		if id < s.ID {
			var err error
			if s, err = c.chain.Get(ctx, id); isNotFound(err) {
				return refuse(fmt.Sprintf("snapshot %d has expired before it was looked at", id))
			} else if err != nil {
				return err
			}
		}
		if s.MovesKeys(c.cfg.User) {
			return refuse(fmt.Sprintf("user %s has changed the table in snapshot %d", s.CommitUser, id))
		}
	}
	return nil
}

// keyBaseStands tells that the state that rows were placed by is one of the chain,
// or was until it expired.
func (c *Committer) keyBaseStands(ctx context.Context, p *pending) (bool, error) {
	k, s := p.keyBase, p.base.snapshot
	if k.Snapshot == 0 || k.List == "" || p.base.id() < k.Snapshot {
		return p.base.id() >= k.Snapshot, nil
	}
	if s.ID > k.Snapshot {
		var err error
		if s, err = c.chain.Get(ctx, k.Snapshot); err != nil {
			if isNotFound(err) {
				err = nil
			}
			return true, err
		}
	}
	return s.DeltaManifestList == k.List, nil
}

// MovesKeys tells that the snapshot may have put keys into other partitions or
// buckets than a writer of the given commit user knows: others added rows, or
// rows were removed.
func (s *Snapshot) MovesKeys(user string) bool {
	switch s.CommitKind {
	case Compact, Analyze:
		return false
	case Append:
		return s.CommitUser != user
	}
	return true
}
