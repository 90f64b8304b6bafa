package table

import (
	"context"
	"slices"

	"github.com/tidelake/tidelake/snapshot"
)

// A changelog that outlives its snapshot is told by changelog files or, without a
// producer, by the data files that the snapshot added. A table may have had a
// producer at some times and none at others. Paimon goes by the present one: it
// lets data files go that older changelogs are told by, and does not ask for
// changelogs at all when it deletes a tag. What is kept here for such a changelog
// is left to the cleaning of orphans once the changelog has gone.

// outlived are the changelogs that outlived their snapshots, if any may be told by data files.
func (e *expirer) outlived(ctx context.Context) ([]*snapshot.Snapshot, error) {
	ids, err := e.chain.LongLivedIDs(ctx)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	if some, err := e.table.everToldByData(ctx); err != nil || !some {
		return nil, err
	}
	return e.load(ctx, e.chain.LongLived, ids[0], ids[len(ids)-1])
}

// stillTold are the changelogs that are told by data files while some snapshots
// expire, these among them if they outlive that. Where none has files of its own
// nothing has to be asked: all that was written stays (see dropData).
func (e *expirer) stillTold(ctx context.Context, gone []*snapshot.Snapshot) ([]*snapshot.Snapshot, error) {
	if !e.hasChangelogFiles() {
		return nil, nil
	}
	all, err := e.outlived(ctx)
	if err != nil {
		return nil, err
	}
	if e.decoupled {
		all = append(all, gone...)
	}
	return e.toldByData(ctx, all), nil
}

// everToldByData tells that a schema of the table has no producer of changelogs,
// or cannot be read.
func (t *Table) everToldByData(ctx context.Context) (bool, error) {
	ids, err := t.schemas.ids(ctx)
	if err != nil {
		return false, err
	}
	for _, id := range ids {
		if o, err := t.schemas.options(ctx, id); err != nil || o.ChangelogProducer == "none" {
			return true, ctx.Err()
		}
	}
	return false, nil
}

// toldByData are those of some snapshots whose changes streams read from data
// files, for all anybody knows.
func (e *expirer) toldByData(ctx context.Context, all []*snapshot.Snapshot) []*snapshot.Snapshot {
	return slices.DeleteFunc(slices.Clone(all), func(s *snapshot.Snapshot) bool {
		if s.CommitKind == snapshot.Overwrite && !e.hasChangelogFiles() { // which may be delivered
			return false
		}
		then, err := e.table.schemas.options(ctx, s.SchemaID)
		if err != nil {
			return false
		}
		list, _ := toldBy(s, then)
		return list != s.DeltaManifestList
	})
}

// notOfChangelogs takes away what tells changelogs.
func (e *expirer) notOfChangelogs(ctx context.Context, dead []deadFile, told []*snapshot.Snapshot) ([]deadFile, error) {
	if len(dead) == 0 || len(told) == 0 {
		return dead, nil
	}
	used := namesIn(dead)
	for _, s := range told {
		if err := e.countAdded(ctx, s.DeltaManifestList, used, written); err != nil && !isNotFound(err) {
			return nil, err
		}
	}
	return unused(dead, used), nil
}

// nameTelling adds the lists that tell changelogs, and their manifests.
func (e *expirer) nameTelling(ctx context.Context, told []*snapshot.Snapshot, names map[string]bool) error {
	for _, s := range told {
		if err := e.table.nameLists(ctx, s, rootChangelog, names); err != nil {
			return err
		}
	}
	return nil
}
