package table

import (
	"context"
)

// deleteTag removes a tag. Its file goes first: from then on the expiry of
// snapshots and the cleaning of orphans know that nothing holds its files.
func (t *Table) deleteTag(ctx context.Context, name string) error {
	if _, err := t.tag(ctx, name); err != nil {
		return err
	}
	return t.store.Delete(ctx, t.chain.TagPath(name))
}
