package snapshot

import (
	"context"
	"fmt"
	"strconv"
)

// Where changelogs are kept longer than snapshots, expiry puts a copy of each
// snapshot aside before it goes. Readers of changes go on through those; the
// table's rows at that time cannot be read any more.
const changelogPrefix = "changelog-"

func (c *Chain) changelogDir() string { return c.root + "changelog" }

// LongLivedPath is the key of the copy of an expired snapshot.
func (c *Chain) LongLivedPath(id int64) string {
	return c.changelogDir() + "/" + changelogPrefix + strconv.FormatInt(id, 10)
}

// LongLived reads what is kept of an expired snapshot for readers of changes:
// fault.ErrNotFound when nothing is.
func (c *Chain) LongLived(ctx context.Context, id int64) (*Snapshot, error) {
	s, _, err := c.readFile(ctx, "changelog", c.LongLivedPath(id), id)
	return s, err
}

// LongLivedIDs lists the expired snapshots whose changes are kept, ascending.
func (c *Chain) LongLivedIDs(ctx context.Context) ([]int64, error) {
	return c.numbered(ctx, c.changelogDir(), changelogPrefix)
}

// KeepChangelog puts a copy of a snapshot aside. Call it before the snapshot's
// file is deleted; doing it twice does no harm.
func (c *Chain) KeepChangelog(ctx context.Context, s *Snapshot) error {
	copied := *s
	copied.UUID, copied.WriterVersion, copied.Operation = "", "", "" // as Paimon leaves them out
	if err := c.st.Write(ctx, c.LongLivedPath(s.ID), copied.Marshal()); err != nil {
		return fmt.Errorf("keep changelog %d: %w", s.ID, err)
	}
	c.hintAt(ctx, c.changelogDir(), latestHint, s.ID)
	return nil
}

// IDs lists the ids of all snapshots, ascending. Expiry may take some of them
// away before they are read.
func (c *Chain) IDs(ctx context.Context) ([]int64, error) { return c.ids(ctx) }

// Began tells readers that the chain, or what is kept of expired snapshots,
// begins with id now. It is a hint, and a failure to leave it is no error.
func (c *Chain) Began(ctx context.Context, changelogs bool, id int64) {
	dir := c.dir()
	if changelogs {
		dir = c.changelogDir()
	}
	c.hintAt(ctx, dir, earliestHint, id)
}
