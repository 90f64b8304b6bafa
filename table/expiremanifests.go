package table

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// dropManifests deletes the metadata of snapshots that are about to go, but for
// what the next one, tags and branches name too.
func (e *expirer) dropManifests(ctx context.Context, gone []*snapshot.Snapshot, stays *snapshot.Snapshot) error {
	keep, err := e.keptMetadata(ctx, gone[0].ID, stays)
	if err == nil {
		err = e.nameTelling(ctx, e.telling, keep)
	}
	if err != nil {
		if !unreadable(err) {
			return err
		}
		e.leave("metadata of the snapshots before "+itoa(stays.ID), err)
		return nil
	}
	w := sweep{expirer: e, keep: keep}
	for _, s := range gone {
		if err := w.snapshot(ctx, s); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// keptMetadata are the names of what roots beside and after the snapshots name:
// the one that stays, the tags in between and the newest before, and branches.
func (e *expirer) keptMetadata(ctx context.Context, from int64, stays *snapshot.Snapshot) (map[string]bool, error) {
	tags, err := e.table.tagged(ctx)
	if err != nil {
		return nil, err
	}
	keep := map[string]bool{}
	if err := e.table.nameMetadata(ctx, stays, rootSnapshot, keep); err != nil {
		return nil, err
	}
	var held []*snapshot.Snapshot
	for i := max(previous(tags, from+1), 0); i < len(tags) && tags[i].ID < stays.ID; i++ {
		held = append(held, tags[i])
	}
	if err := e.lookAround(ctx); err != nil {
		return nil, err
	}
	return keep, e.nameHeld(ctx, held, keep)
}

// nameHeld adds what tags, and the other branches, name beside data files.
func (e *expirer) nameHeld(ctx context.Context, tags []*snapshot.Snapshot, keep map[string]bool) error {
	for _, s := range tags {
		if err := e.table.nameMetadata(ctx, s, rootTag, keep); err != nil {
			return err
		}
	}
	for _, b := range e.neighbours {
		err := eachRoot(ctx, b, func(s *snapshot.Snapshot, kind rootKind, _ bool) error {
			return e.table.nameMetadata(ctx, s, kind, keep)
		})
		if err != nil {
			return fmt.Errorf("find out what branch %s holds: %w", b.Branch(), err)
		}
	}
	return nil
}

// nameMetadata adds what a root needs beside data files: lists, manifests, index
// files, statistics.
func (t *Table) nameMetadata(ctx context.Context, s *snapshot.Snapshot, kind rootKind, names map[string]bool) error {
	if err := t.nameLists(ctx, s, kind, names); err != nil {
		return err
	}
	return t.nameBeside(ctx, s, kind, names)
}

// nameLists adds the manifest lists that a root needs, and their manifests.
func (t *Table) nameLists(ctx context.Context, s *snapshot.Snapshot, kind rootKind, names map[string]bool) error {
	return t.eachList(ctx, s, kind, func(list string, metas []manifest.Meta) error {
		names[list] = true
		for i := range metas {
			names[metas[i].Name] = true
		}
		return nil
	})
}

// eachList reads the manifest lists that a root needs. A tag needs no changelog.
// Of a changelog that outlived its snapshot much may be gone, and so may that of a
// branch's first snapshot: such a list is empty.
func (t *Table) eachList(ctx context.Context, s *snapshot.Snapshot, kind rootKind, do func(list string, metas []manifest.Meta) error) error {
	for _, list := range []string{s.BaseManifestList, s.DeltaManifestList, s.ChangelogManifestList} {
		if list == "" || list == s.ChangelogManifestList && kind == rootTag {
			continue
		}
		metas, err := t.manifest.ReadList(ctx, list)
		if isNotFound(err) && (kind == rootChangelog || list == s.ChangelogManifestList) {
			metas, err = nil, nil
		}
		if err == nil {
			err = do(list, metas)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// nameBeside adds what a root needs beside data: statistics and index files.
func (t *Table) nameBeside(ctx context.Context, s *snapshot.Snapshot, kind rootKind, names map[string]bool) error {
	if s.Statistics != "" {
		names[s.Statistics] = true
	}
	if s.IndexManifest == "" || names[s.IndexManifest] {
		return nil
	}
	entries, err := t.manifest.ReadIndex(ctx, s.IndexManifest)
	if isNotFound(err) && kind == rootChangelog {
		return nil
	}
	if err != nil {
		return err
	}
	names[s.IndexManifest] = true
	for i := range entries {
		names[entries[i].Name] = true
	}
	return nil
}

// sweep gathers metadata that nothing names any more and deletes it, what is
// named before what names it: so whoever goes on after a crash finds the rest.
type sweep struct {
	*expirer
	keep          map[string]bool // named by what stays, or gathered already
	named, naming []victim
}

// snapshot gathers what an expired snapshot named. What its changelog needs
// stays if that outlives it: without files of its own that is everything that
// says what was added.
func (w *sweep) snapshot(ctx context.Context, s *snapshot.Snapshot) error {
	if !w.decoupled || w.hasChangelogFiles() {
		if err := w.lists(ctx, s); err != nil {
			return err
		}
	}
	if !w.decoupled && s.ChangelogManifestList != "" {
		if err := w.list(ctx, s.ChangelogManifestList, s.ChangelogManifestListSize); err != nil {
			return err
		}
	}
	return w.beside(ctx, s)
}

// lists gathers the manifest lists of a snapshot's data.
func (w *sweep) lists(ctx context.Context, s *snapshot.Snapshot) error {
	if err := w.list(ctx, s.BaseManifestList, s.BaseManifestListSize); err != nil {
		return err
	}
	return w.list(ctx, s.DeltaManifestList, s.DeltaManifestListSize)
}

// beside gathers what a snapshot names beside data: statistics and index files.
func (w *sweep) beside(ctx context.Context, s *snapshot.Snapshot) error {
	if s.Statistics != "" && w.take(s.Statistics) {
		w.named = append(w.named, w.remover.own("statistics/"+s.Statistics, -1))
	}
	return w.index(ctx, s)
}

// take tells that nothing names a file, for the first time.
func (w *sweep) take(name string) bool {
	if w.keep[name] {
		return false
	}
	w.keep[name] = true
	return true
}

// list gathers a manifest list and its manifests.
func (w *sweep) list(ctx context.Context, name string, size *int64) error {
	metas, err := w.table.manifest.ReadList(ctx, name)
	if isNotFound(err) {
		return nil // deleted after all that it named
	}
	if err != nil {
		return w.skip("manifest list "+name, err)
	}
	for i := range metas {
		if m := &metas[i]; w.take(m.Name) {
			w.named = append(w.named, w.remover.manifestFile(m.Name, &m.Size))
		}
	}
	if w.take(name) {
		w.naming = append(w.naming, w.remover.manifestFile(name, size))
	}
	return w.flushIfMany(ctx)
}

// index gathers an index manifest and its files.
func (w *sweep) index(ctx context.Context, s *snapshot.Snapshot) error {
	if s.IndexManifest == "" || !w.take(s.IndexManifest) {
		return nil
	}
	entries, err := w.table.manifest.ReadIndex(ctx, s.IndexManifest)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return w.skip("index manifest "+s.IndexManifest, err)
	}
	for i := range entries {
		if err := w.indexFile(ctx, &entries[i]); err != nil {
			return err
		}
	}
	w.naming = append(w.naming, w.remover.manifestFile(s.IndexManifest, nil))
	return w.flushIfMany(ctx)
}

func (w *sweep) indexFile(ctx context.Context, e *manifest.IndexEntry) error {
	if !w.take(e.Name) {
		return nil
	}
	v, err := w.remover.indexFile(ctx, e)
	w.named = append(w.named, v)
	return err
}

func (w *sweep) flushIfMany(ctx context.Context) error {
	if len(w.named)+len(w.naming) < expireBatch {
		return nil
	}
	return w.flush(ctx)
}

func (w *sweep) flush(ctx context.Context) error {
	err := w.remover.remove(ctx, w.named)
	if err == nil {
		err = w.remover.remove(ctx, w.naming)
	}
	w.named, w.naming = nil, nil
	return err
}
