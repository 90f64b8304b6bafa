package snapshot

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

const strictOption = "commit.strict-mode.last-safe-snapshot"

// checkStrict refuses to build on snapshots of others that may have changed
// what this writer has read (section 2.7): compactions, overwrites and, for an
// overwrite, files that were added to fixed buckets. Option value -1 accepts
// everything up to the base of this committer's first commit.
func (c *Committer) checkStrict(ctx context.Context, b *base, kind Kind) error {
	if c.safe == nil {
		return nil
	}
	if *c.safe < 0 {
		c.accept(b.id())
		return nil
	}
	for id := *c.safe + 1; id <= b.id(); id++ {
		s := b.snapshot
		if id != s.ID {
			var err error
			if s, err = c.chain.Get(ctx, id); isNotFound(err) {
				return c.strictError(id, "has expired, so it cannot be shown to be safe")
			} else if err != nil {
				return err
			}
		}
		if s.CommitUser == c.cfg.User {
			continue
		}
		if s.CommitKind == Compact || s.CommitKind == Overwrite {
			return c.strictError(id, fmt.Sprintf("is a %s by user %s", s.CommitKind, s.CommitUser))
		}
		if s.CommitKind == Append && kind == Overwrite {
			added, err := c.addsToBuckets(ctx, s)
			if err != nil {
				return err
			}
			if added {
				return c.strictError(id, "added files to fixed buckets by user "+s.CommitUser)
			}
		}
	}
	c.accept(b.id())
	return nil
}

// accept marks snapshots as safe once they were checked or are our own.
func (c *Committer) accept(id int64) {
	if c.safe != nil {
		c.safe = &id
	}
}

func (c *Committer) addsToBuckets(ctx context.Context, s *Snapshot) (bool, error) {
	real := &manifest.Filter{Bucket: func(bucket, _ int) bool { return bucket >= 0 }}
	for _, err := range c.cfg.Manifest.ScanLists(ctx, real, s.DeltaManifestList) {
		return err == nil, err
	}
	return false, nil
}

func (c *Committer) strictError(id int64, why string) error {
	return &fault.Error{Class: fault.ErrConflict, Op: "commit", Snapshot: id, Detail: "it " + why + ", which " + strictOption + " forbids",
		Hint: "read the newest snapshot, prepare the changes anew and set the option to its id"}
}
