package table

import (
	"context"
	"errors"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

const (
	// releaseBatch is how many data files of a tag are looked up at once.
	releaseBatch = 100_000
	// releaseTries is how often it begins again because the oldest snapshot has expired.
	releaseTries = 5
)

// deleteTag removes a tag, and then the files that only it kept. Its own file goes
// first: so nothing that can be read lacks a file at any time, and who makes a
// tag or branch of this one meanwhile either is seen here or sees that it is gone.
func (t *Table) deleteTag(ctx context.Context, name string) error {
	tag, err := t.tag(ctx, name)
	if err != nil {
		return err
	}
	if err := t.store.Delete(ctx, t.chain.TagPath(name)); err != nil {
		return err
	}
	e := t.newExpirer(ExpireOptions{})
	if err := errors.Join(e.release(ctx, &tag.Snapshot), e.remover.close()); err != nil {
		return &fault.Error{Err: err, Detail: "tag " + name + " is deleted, but not all files that only it kept", Hint: "the cleaning of orphans finds them"}
	}
	return nil
}

// release deletes what nothing holds any more without the tag of a snapshot. What
// it cannot be sure of it leaves to the cleaning of orphans.
func (e *expirer) release(ctx context.Context, was *snapshot.Snapshot) error {
	for try := 1; ; try++ {
		beside, err := e.beside(ctx, was)
		if err == nil && beside != nil {
			err = e.releaseBetween(ctx, was, beside)
		}
		if !unreadable(err) {
			return err // nil too
		}
		if !isNotFound(err) || try == releaseTries {
			e.leave("files of a tag of snapshot "+itoa(was.ID), err)
			return nil
		}
	}
}

// beside are the tag before a snapshot, if there is one, and the tag or snapshot
// after it: a file of the snapshot that neither has is in none before or after
// them. It is nil where the snapshot itself, or another tag of it, holds everything.
func (e *expirer) beside(ctx context.Context, was *snapshot.Snapshot) ([]*snapshot.Snapshot, error) {
	if there, err := e.chain.Exists(ctx, was.ID); err != nil || there {
		return nil, err
	}
	tags, err := e.table.tagged(ctx)
	if err != nil {
		return nil, err
	}
	after, err := e.chain.Earliest(ctx)
	if err != nil || after == nil || after.ID <= was.ID {
		return nil, err
	}
	var beside []*snapshot.Snapshot
	before := previous(tags, was.ID)
	if before >= 0 {
		beside = append(beside, tags[before])
	}
	if next := before + 1; next < len(tags) && tags[next].ID < after.ID {
		after = tags[next]
	}
	if after.ID == was.ID {
		return nil, nil
	}
	return append(beside, after), nil
}

// releaseBetween deletes the data and then the metadata of a snapshot that
// neither what is beside it nor a branch or a changelog needs.
func (e *expirer) releaseBetween(ctx context.Context, was *snapshot.Snapshot, beside []*snapshot.Snapshot) error {
	if err := e.lookAround(ctx); err != nil {
		return err
	}
	outlived, err := e.outlived(ctx)
	if err != nil {
		return err
	}
	if err := e.releaseData(ctx, was, beside, e.toldByData(ctx, outlived)); err != nil {
		return err
	}
	if err := e.pruneEmptied(ctx); err != nil {
		return err
	}
	keep := map[string]bool{}
	if err := e.nameHeld(ctx, beside, keep); err != nil {
		return err
	}
	for _, s := range outlived {
		if err := e.table.nameMetadata(ctx, s, rootChangelog, keep); err != nil {
			return err
		}
	}
	w := sweep{expirer: e, keep: keep}
	if err := w.lists(ctx, was); err != nil {
		return err
	}
	if err := w.beside(ctx, was); err != nil {
		return err
	}
	return w.flush(ctx)
}

// releaseData goes through the data files that a snapshot may hold, many at a time.
func (e *expirer) releaseData(ctx context.Context, was *snapshot.Snapshot, beside, told []*snapshot.Snapshot) error {
	var files []deadFile
	for f, err := range e.table.manifest.ScanLists(ctx, nil, was.Lists()...) {
		if err != nil {
			return e.skip("data files of a tag of snapshot "+itoa(was.ID), err)
		}
		if f.Kind != manifest.Add {
			continue
		}
		if files = append(files, newDeadFile(f, was.ID)); len(files) >= releaseBatch {
			if err := e.releaseFiles(ctx, was, files, beside, told); err != nil {
				return err
			}
			files = files[:0]
		}
	}
	return e.releaseFiles(ctx, was, files, beside, told)
}

// releaseFiles deletes those of some files that a snapshot holds and nothing else does.
func (e *expirer) releaseFiles(ctx context.Context, was *snapshot.Snapshot, files []deadFile, beside, told []*snapshot.Snapshot) error {
	held := namesIn(files)
	if err := e.countLive(ctx, was, held); err != nil {
		return e.skip("data files of a tag of snapshot "+itoa(was.ID), err)
	}
	files = once(files, held)
	used := namesIn(files)
	for _, s := range beside {
		if err := e.countLive(ctx, s, used); err != nil {
			return err
		}
	}
	files, err := e.notOfBranches(ctx, unused(files, used))
	if err != nil {
		return err
	}
	if files, err = e.notOfChangelogs(ctx, files, told); err != nil {
		return err
	}
	return e.deleteData(ctx, files)
}

// once are the files that are held, each once: one that moved to another level
// was added twice.
func once(files []deadFile, held map[string]int) []deadFile {
	var out []deadFile
	for _, f := range files {
		if held[f.name] > 0 {
			out = append(out, f)
			held[f.name] = 0
		}
	}
	return out
}

// written tells that a file holds rows as they were written, for all anybody knows.
func written(f *manifest.Entry) bool {
	return f.File.Source == nil || *f.File.Source == manifest.SourceAppend
}
