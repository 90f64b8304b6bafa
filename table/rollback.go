package table

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// RollbackOptions say what to go back to: exactly one of them.
type RollbackOptions struct {
	Snapshot int64     // this snapshot, or what a tag holds of it
	Tag      string    // the snapshot that this tag holds, which may have expired
	AsOf     time.Time // the newest snapshot committed at or before this time
}

// Rollback takes away every snapshot, changelog and tag that is newer than the
// one to go back to, which is returned. Schemas stay: columns added since are
// null in older rows. Data files that only the lost snapshots used are left for
// the cleaning of orphans. Consumers that had read what is lost are stranded:
// their streams are refused until they are reset or deleted.
//
// It is not atomic: the newest snapshots go first, and when it is broken off, do
// it again. Nothing may write to the branch meanwhile; open writers anew
// afterwards, because they remember what is gone and look older rows up there. Errors: ErrNotFound
// without the snapshot or the tag, or where an expiry has begun to take away the
// snapshot's files.
func (t *Table) Rollback(ctx context.Context, o RollbackOptions) (*snapshot.Snapshot, error) {
	at, err := t.rollbackTarget(ctx, o)
	if err == nil {
		err = t.rollback(ctx, at)
	}
	if err != nil {
		return nil, t.wrap("roll back", err)
	}
	return at, nil
}

func (t *Table) rollbackTarget(ctx context.Context, o RollbackOptions) (*snapshot.Snapshot, error) {
	at, err := t.travel(ctx, ScanOptions{Snapshot: o.Snapshot, Tag: o.Tag, AsOf: o.AsOf})
	if isNotFound(err) && o.Snapshot != 0 {
		at, err = t.taggedSnapshot(ctx, o.Snapshot, err)
	}
	if err == nil && at == nil {
		err = fault.Invalid("say what to roll back to: a snapshot, a tag or a time")
	}
	if err == nil {
		err = t.held(ctx, at, "")
	}
	return at, err
}

func (t *Table) rollback(ctx context.Context, at *snapshot.Snapshot) error {
	if err := t.consumers().Strand(ctx, at.ID+1); err != nil {
		return err
	}
	if err := t.chain.ForgetLatest(ctx); err != nil {
		return err
	}
	// An expired one comes back before the others go, so that the table is never
	// without a snapshot.
	if err := t.revive(ctx, at); err != nil {
		return err
	}
	remove := func(key string) error { return t.store.Delete(ctx, key) }
	if err := t.chain.EachFrom(ctx, at.ID+1, func(id int64) error { return remove(t.chain.Path(id)) }); err != nil {
		return err
	}
	if err := t.chain.CutChangelogs(ctx, at.ID); err != nil {
		return err
	}
	tags, err := t.chain.Tags(ctx)
	if err != nil {
		return err
	}
	for _, tag := range slices.Backward(tags) {
		if tag.ID <= at.ID {
			break
		}
		if err := remove(t.chain.TagPath(tag.Name)); err != nil {
			return err
		}
	}
	if err := t.chain.Undone(ctx, at.ID); err != nil {
		return err
	}
	// A reader that had not noticed may have recorded its progress meanwhile.
	if err := t.consumers().Strand(ctx, at.ID+1); err != nil {
		return err
	}
	return t.chain.SetLatest(ctx)
}

// revive writes an expired snapshot that a tag holds again.
func (t *Table) revive(ctx context.Context, at *snapshot.Snapshot) error {
	there, err := t.chain.Exists(ctx, at.ID)
	if err != nil || there {
		return err
	}
	if err := t.store.CreateIfAbsent(ctx, t.chain.Path(at.ID), at.Marshal()); err != nil {
		return fmt.Errorf("bring snapshot %d back: %w", at.ID, err)
	}
	t.chain.Began(ctx, false, at.ID)
	return nil
}
