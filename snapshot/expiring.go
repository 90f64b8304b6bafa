package snapshot

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Whoever gives an old snapshot a name (a tag, a branch) has to know whether its
// files are about to go, and whoever lets them go has to know the name. So expiry
// says what it is going to do before it looks at tags and branches, and who makes
// one looks for that once it is there: at least one sees the other.
//
// It is said in the hint at the oldest snapshot, as a negative number: the
// snapshots below that are expiring, or were when an expiry was broken off. There
// is no snapshot of such an id, so every reader lists, as with any hint that is
// out of date.
//
// Of two expiries at once the one that goes further must not lose its word to the
// other, which asks right before it writes. Within that one request it still can,
// and a tag that is made then, before the first has deleted, may lack files.

// Expiring says that files of the snapshots below an id are about to go. Began
// takes it back.
func (c *Chain) Expiring(ctx context.Context, below int64) error {
	if err := c.st.Write(ctx, c.dir()+"/"+earliestHint, strconv.AppendInt(nil, -below, 10)); err != nil {
		return fmt.Errorf("say that the snapshots before %d expire: %w", below, err)
	}
	return nil
}

// ExpiringBelow is the id that Expiring was told last, 0 when that is over.
func (c *Chain) ExpiringBelow(ctx context.Context) (int64, error) {
	data, err := c.st.ReadAll(ctx, c.dir()+"/"+earliestHint)
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	if err != nil || id >= 0 {
		return 0, nil // a hint, or nonsense
	}
	return -id, nil
}

// Stays tells that a snapshot is there, the same one, and that no expiry has said
// that its files are going.
func (c *Chain) Stays(ctx context.Context, s *Snapshot) (bool, error) {
	// In this order: the hint is taken back when the files of the snapshots are gone.
	below, err := c.ExpiringBelow(ctx)
	if err != nil || s.ID < below {
		return false, err
	}
	now, err := c.Get(ctx, s.ID)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && now.Same(s), err
}

// Same tells that two snapshots hold the same rows because they are one: a
// rollback gives ids out again.
func (s *Snapshot) Same(other *Snapshot) bool {
	return s.ID == other.ID && s.BaseManifestList == other.BaseManifestList && s.DeltaManifestList == other.DeltaManifestList
}

// Undone lowers what Expiring was told last to an id: the snapshots from it on
// are others now.
func (c *Chain) Undone(ctx context.Context, from int64) error {
	below, err := c.ExpiringBelow(ctx)
	if err != nil || below <= from {
		return err
	}
	return c.Expiring(ctx, from)
}
