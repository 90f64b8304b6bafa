package table

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// A tag or a branch of a snapshot that is old may come into being while the
// snapshot expires, or while the tag that held it is deleted. Who deletes looks
// for tags and branches after it has said so (Chain.Expiring, or the tag that is
// gone), and who makes one looks for that afterwards and takes back what it has
// made. Paimon's own expiry says nothing beforehand; against it this finds only
// snapshots that are gone.

// held is an error unless the files of a snapshot stay: it is in the chain and
// not expiring, or a tag holds it, of another name than except.
func (t *Table) held(ctx context.Context, at *snapshot.Snapshot, except string) error {
	stays, err := t.chain.Stays(ctx, at)
	if err != nil || stays {
		return err
	}
	tags, err := t.chain.Tags(ctx)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if tag.Name != except && tag.Same(at) {
			return nil
		}
	}
	return &fault.Error{Class: fault.ErrNotFound, Snapshot: at.ID, Detail: "it has expired, or an expiry has begun to take its files away, and no tag holds it",
		Hint: "choose a newer snapshot, or one that a tag holds"}
}

// confirm makes sure that the snapshot of a tag or branch that was just made is
// held, and takes it back otherwise. The tag itself, if it is one, is except.
func (t *Table) confirm(ctx context.Context, at *snapshot.Snapshot, except string, undo func(context.Context) error) error {
	err := t.held(ctx, at, except)
	if err == nil {
		return nil
	}
	after, cancel := afterwards(ctx)
	defer cancel()
	if undoErr := undo(after); undoErr != nil {
		return &fault.Error{Err: errors.Join(err, fmt.Errorf("take it back: %w", undoErr)), Hint: "delete it: files of its snapshot may be gone"}
	}
	return err
}

// afterwards is a context for what has to be done after a call that may have been
// cancelled, for some seconds.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}
