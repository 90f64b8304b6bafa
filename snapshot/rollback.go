package snapshot

import (
	"context"
	"slices"
	"strconv"
)

// EachFrom calls f with the ids of the snapshots from one on, the newest first.
func (c *Chain) EachFrom(ctx context.Context, first int64, f func(id int64) error) error {
	ids, err := c.ids(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Backward(ids) {
		if id < first {
			break
		}
		if err := f(id); err != nil {
			return err
		}
	}
	return nil
}

// ForgetLatest deletes the hint at the newest snapshot, for whoever is about to
// take that away.
func (c *Chain) ForgetLatest(ctx context.Context) error {
	return c.st.Delete(ctx, c.dir()+"/"+latestHint)
}

// SetLatest writes the hint at the newest snapshot anew.
func (c *Chain) SetLatest(ctx context.Context) error {
	id, err := c.LatestID(ctx)
	if err == nil && id > 0 {
		c.writeHint(ctx, latestHint, id)
	}
	return err
}

// CutChangelogs deletes the changelogs after a snapshot that outlived their own,
// the newest first, and corrects the hint at the newest: -1 is Paimon's word for
// none.
func (c *Chain) CutChangelogs(ctx context.Context, last int64) error {
	ids, err := c.LongLivedIDs(ctx)
	if err != nil {
		return err
	}
	kept := slices.IndexFunc(ids, func(id int64) bool { return id > last })
	if kept < 0 {
		return nil
	}
	newest := int64(-1)
	if kept > 0 {
		newest = ids[kept-1]
	}
	if err := c.st.Write(ctx, c.changelogDir()+"/"+latestHint, strconv.AppendInt(nil, newest, 10)); err != nil {
		return err
	}
	for _, id := range slices.Backward(ids[kept:]) {
		if err := c.st.Delete(ctx, c.LongLivedPath(id)); err != nil {
			return err
		}
	}
	return nil
}
