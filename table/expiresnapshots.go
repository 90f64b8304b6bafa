package table

import (
	"context"
	"math"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

const (
	// expireChunk is how many snapshots go through all steps together. What it
	// names has to be remembered meanwhile.
	expireChunk = 50
	// expireBatch is about how many data files are looked up and deleted at once.
	expireBatch = 1000
)

// expireSnapshots takes the oldest snapshots away, a chunk after the other. In
// each chunk files go in the order in which nothing is forgotten by a crash:
// data, changelogs, manifests, and then the snapshots from the oldest on.
func (e *expirer) expireSnapshots(ctx context.Context, latest, next int64) error {
	from := e.oldest.ID
	low, free := e.snapshots.ends(latest, from, math.MaxInt64, e.limit)
	end := min(free, next)
	if e.table.options.Expiry.ConsumerChangelogOnly && e.decoupled {
		end = free
	}
	for from < end && !e.spent() {
		all, err := e.load(ctx, e.chain.Get, from, min(from+expireChunk, end))
		if err != nil {
			return err
		}
		if all = all[:min(e.snapshots.young(all, low, end)+1, len(all))]; len(all) < 2 {
			break
		}
		if err := e.announce(ctx, all[len(all)-1].ID); err != nil {
			return err
		}
		if e.telling, err = e.stillTold(ctx, all[:len(all)-1]); err != nil {
			return err
		}
		if all, err = e.dropData(ctx, all); err != nil {
			return err
		}
		if err := e.dropSnapshots(ctx, all); err != nil {
			return err
		}
		from = all[len(all)-1].ID
	}
	if from < end || end == free {
		e.report.HeldBy = "" // something else did
	}
	return nil
}

// load reads the snapshots, or changelogs, from and to and all between; those
// that are gone are left out.
func (e *expirer) load(ctx context.Context, get func(context.Context, int64) (*snapshot.Snapshot, error), from, to int64) ([]*snapshot.Snapshot, error) {
	var all []*snapshot.Snapshot
	for id := from; id <= to; id++ {
		s, err := get(ctx, id)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// young is the place of the first of all that is too young to go.
func (r *retained) young(all []*snapshot.Snapshot, low, end int64) int {
	for i, s := range all {
		if s.ID >= end || s.ID >= low && s.TimeMillis >= r.cutoff {
			return i
		}
	}
	return len(all)
}

// dropData deletes the data files that only snapshots before the last of all
// hold. If that takes too long it ends earlier, and returns what it has done.
func (e *expirer) dropData(ctx context.Context, all []*snapshot.Snapshot) ([]*snapshot.Snapshot, error) {
	keep := func(*manifest.Entry) bool { return false }
	if e.decoupled && !e.hasChangelogFiles() {
		keep = written
	}
	var dead []deadFile
	for i, s := range all[1:] {
		more, err := e.deadIn(ctx, s, keep)
		if err != nil {
			return nil, err
		}
		if dead = append(dead, more...); len(dead) < expireBatch && i+2 < len(all) {
			continue
		}
		if err := e.bury(ctx, dead); err != nil {
			return nil, err
		}
		dead = dead[:0]
		if e.spent() {
			return all[:i+2], nil
		}
	}
	return all, nil
}

// dropSnapshots deletes all that is left of the snapshots but the last.
func (e *expirer) dropSnapshots(ctx context.Context, all []*snapshot.Snapshot) error {
	gone, stays := all[:len(all)-1], all[len(all)-1]
	if !e.decoupled {
		for _, s := range gone {
			if err := e.dropChangelog(ctx, s); err != nil {
				return err
			}
		}
	}
	if err := e.pruneEmptied(ctx); err != nil {
		return err
	}
	if err := e.dropManifests(ctx, gone, stays); err != nil {
		return err
	}
	// Another expiry, or a rollback, may have been there meanwhile.
	if there, err := e.chain.Exists(ctx, stays.ID); err != nil || !there {
		return err
	}
	for _, s := range gone {
		if err := e.dropSnapshot(ctx, s); err != nil {
			return err
		}
		e.report.Snapshots++
	}
	return e.begins(ctx, stays)
}

func (e *expirer) dropSnapshot(ctx context.Context, s *snapshot.Snapshot) error {
	if e.decoupled && !e.dry {
		if err := e.chain.KeepChangelog(ctx, s); err != nil {
			return err
		}
	}
	return e.remover.remove(ctx, []victim{e.remover.own(e.chain.Path(s.ID), int64(len(s.Marshal())))})
}

// dropChangelog deletes the changelog files of a snapshot.
func (e *expirer) dropChangelog(ctx context.Context, s *snapshot.Snapshot) error {
	if s.ChangelogManifestList == "" {
		return nil
	}
	metas, err := e.table.manifest.ReadList(ctx, s.ChangelogManifestList)
	if err != nil {
		return e.skip("the changelog of snapshot "+itoa(s.ID), err)
	}
	for _, m := range metas {
		entries, err := e.table.manifest.ReadEntries(ctx, m)
		if err != nil {
			if err := e.skip("the changelog of snapshot "+itoa(s.ID), err); err != nil {
				return err
			}
			continue
		}
		var dead []deadFile
		for i := range entries {
			if entries[i].Kind == manifest.Add {
				dead = append(dead, newDeadFile(&entries[i], s.ID))
			}
		}
		if dead, err = e.notOfBranches(ctx, dead); err != nil {
			return err
		}
		if err := e.deleteData(ctx, dead); err != nil {
			return err
		}
	}
	return nil
}

// skip leaves what metadata names when that is gone or unreadable; other errors
// are for another run.
func (e *expirer) skip(what string, err error) error {
	if !unreadable(err) {
		return err
	}
	if !isNotFound(err) { // an expiry that was broken off has been there
		e.leave(what, err)
	}
	return nil
}
