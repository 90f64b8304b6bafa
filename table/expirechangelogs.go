package table

import (
	"context"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// expireChangelogs takes the oldest of the changelogs that outlived their
// snapshots away, by the rules of snapshots. The newest of them always stays.
func (e *expirer) expireChangelogs(ctx context.Context, latest, next int64) error {
	ids, err := e.chain.LongLivedIDs(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := e.lookAround(ctx); err != nil {
		return err
	}
	e.telling = nil // what took a file away goes after what told it
	from, last := ids[0], ids[len(ids)-1]
	low, end := e.changelogs.ends(latest, from, next, e.limit)
	end = min(end, last)
	for from < end && !e.spent() {
		all, err := e.load(ctx, e.chain.LongLived, from, min(from+expireChunk, end))
		if err != nil {
			return err
		}
		if all = all[:min(e.changelogs.young(all, low, end)+1, len(all))]; len(all) < 2 {
			return nil
		}
		if err := e.dropChangelogs(ctx, all); err != nil {
			return err
		}
		from = all[len(all)-1].ID
	}
	return nil
}

// dropChangelogs deletes all that is left of the changelogs but the last.
func (e *expirer) dropChangelogs(ctx context.Context, all []*snapshot.Snapshot) error {
	gone, stays := all[:len(all)-1], all[len(all)-1]
	for _, s := range gone {
		if err := e.dropLongLivedData(ctx, s); err != nil {
			return err
		}
	}
	if err := e.pruneEmptied(ctx); err != nil {
		return err
	}
	keep, err := e.keptMetadata(ctx, gone[0].ID, e.oldest)
	if err == nil {
		err = e.table.nameMetadata(ctx, stays, rootChangelog, keep)
	}
	switch {
	case err == nil:
		if err := e.sweepChangelogs(ctx, gone, keep); err != nil {
			return err
		}
	case !unreadable(err):
		return err
	default:
		e.leave("metadata of the changelogs before "+itoa(stays.ID), err)
	}
	for _, s := range gone {
		if err := e.remover.remove(ctx, []victim{e.remover.own(e.chain.LongLivedPath(s.ID), int64(len(s.Marshal())))}); err != nil {
			return err
		}
		e.report.Changelogs++
	}
	if !e.dry {
		e.chain.Began(ctx, true, stays.ID)
	}
	return nil
}

// dropLongLivedData deletes the files of a changelog: its own, or the data
// files that stayed for it after they had been taken away.
func (e *expirer) dropLongLivedData(ctx context.Context, s *snapshot.Snapshot) error {
	if s.ChangelogManifestList != "" {
		return e.dropChangelog(ctx, s)
	}
	dead, err := e.deadIn(ctx, s, func(*manifest.Entry) bool { return false })
	if err != nil {
		return err
	}
	return e.bury(ctx, dead)
}

// sweepChangelogs deletes the lists of changelogs and what only they name.
func (e *expirer) sweepChangelogs(ctx context.Context, gone []*snapshot.Snapshot, keep map[string]bool) error {
	w := sweep{expirer: e, keep: keep}
	for _, s := range gone {
		lists := []string{s.DeltaManifestList, s.BaseManifestList}
		if s.ChangelogManifestList != "" {
			lists = []string{s.ChangelogManifestList}
		}
		for _, list := range lists {
			if err := w.list(ctx, list, nil); err != nil {
				return err
			}
		}
	}
	return w.flush(ctx)
}
