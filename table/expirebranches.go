package table

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// A branch begins with the files of the tag it was made from, and holds them on
// its own account from then on: the tag may go. Paimon forgets that. Here files
// that a branch names stay.

// notOfBranches takes away what another branch names.
func (e *expirer) notOfBranches(ctx context.Context, dead []deadFile) ([]deadFile, error) {
	if len(dead) == 0 || len(e.neighbours) == 0 {
		return dead, nil
	}
	used := namesIn(dead)
	for _, b := range e.neighbours {
		if err := e.countBranch(ctx, b, used); err != nil {
			return nil, fmt.Errorf("find out what branch %s holds: %w", b.Branch(), err)
		}
	}
	return unused(dead, used), nil
}

// countBranch adds to the uses of names those of a branch: what its oldest
// snapshot and its tags hold, and what anything after that has added.
func (e *expirer) countBranch(ctx context.Context, b *snapshot.Chain, used map[string]int) error {
	return eachRoot(ctx, b, func(root *snapshot.Snapshot, kind rootKind, first bool) error {
		lists := []string{root.DeltaManifestList, root.ChangelogManifestList}
		if kind == rootTag || kind == rootSnapshot && first {
			if err := e.countLive(ctx, root, used); err != nil || kind == rootTag {
				return err
			}
			lists = lists[1:]
		}
		for _, list := range lists {
			if list == "" {
				continue
			}
			err := e.countAdded(ctx, list, used, anyFile)
			if isNotFound(err) && (kind == rootChangelog || list == root.ChangelogManifestList) {
				continue // it went with the snapshot, which may have had a tag that this branch was made from
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func anyFile(*manifest.Entry) bool { return true }

// countAdded adds to the uses of names those of the files that a list adds, if they count.
func (e *expirer) countAdded(ctx context.Context, list string, used map[string]int, counts func(*manifest.Entry) bool) error {
	for f, err := range e.table.manifest.ScanLists(ctx, nil, list) {
		if err != nil {
			return err
		}
		if _, asked := used[f.File.Name]; asked && f.Kind == manifest.Add && counts(f) {
			used[strings.Clone(f.File.Name)]++
		}
	}
	return nil
}

// rootKind is where a root was found.
type rootKind int

const (
	rootSnapshot rootKind = iota
	rootTag
	rootChangelog
)

// eachRoot visits what keeps files of a branch alive: its snapshots from the
// oldest on, its tags, the changelogs that outlived their snapshots. One whose
// own file goes while its metadata is read counts for nothing.
func eachRoot(ctx context.Context, b *snapshot.Chain, visit func(root *snapshot.Snapshot, kind rootKind, first bool) error) error {
	ids, err := b.IDs(ctx)
	if err != nil {
		return err
	}
	first := true
	for _, id := range ids {
		met, err := visitRoot(ctx, b.Get, id, func(s *snapshot.Snapshot) error { return visit(s, rootSnapshot, first) })
		if err != nil {
			return err
		}
		first = first && !met
	}
	tags, err := b.Tags(ctx)
	if err != nil {
		return err
	}
	for _, tag := range tags {
		if err := visit(&tag.Snapshot, rootTag, false); err != nil {
			if _, again := b.Tag(ctx, tag.Name); isNotFound(again) {
				continue
			}
			return fmt.Errorf("tag %s: %w", tag.Name, err)
		}
	}
	old, err := b.LongLivedIDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range old {
		if _, err := visitRoot(ctx, b.LongLived, id, func(s *snapshot.Snapshot) error { return visit(s, rootChangelog, false) }); err != nil {
			return err
		}
	}
	return nil
}

// visitRoot reads a root and visits it; met tells that it was there to the end.
func visitRoot(ctx context.Context, get func(context.Context, int64) (*snapshot.Snapshot, error), id int64, visit func(*snapshot.Snapshot) error) (met bool, err error) {
	s, err := get(ctx, id)
	if isNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err = visit(s); err == nil {
		return true, nil
	}
	if _, again := get(ctx, id); isNotFound(err) && isNotFound(again) {
		return false, nil
	}
	return false, fmt.Errorf("snapshot %d: %w", id, err)
}

// otherBranches are the branches of the table but its own.
func (t *Table) otherBranches(ctx context.Context) ([]*snapshot.Chain, error) {
	names, err := snapshot.Branches(ctx, t.store)
	if err != nil {
		return nil, err
	}
	var others []*snapshot.Chain
	for _, name := range append(names, snapshot.MainBranch) {
		if name != t.chain.Branch() {
			others = append(others, snapshot.NewChain(t.store, name))
		}
	}
	return others, nil
}

// tagged are the snapshots that tags name, the oldest first.
func (t *Table) tagged(ctx context.Context) ([]*snapshot.Snapshot, error) {
	tags, err := t.chain.Tags(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*snapshot.Snapshot, len(tags))
	for i, tag := range tags {
		out[i] = &tag.Snapshot
	}
	return out, nil
}
