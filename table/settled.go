package table

import (
	"context"
	"slices"

	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// Where compactions look older rows up, a file above level 0 stands for what
// lies below it, because each compaction before did the same. That is not so of
// files that are there when a table begins to look rows up: such files may hold
// one key on several levels. A file's schema tells what its writers did, so two
// files that overlap are trusted when both are of the time since the table last
// began. All others are merged as if nothing had been looked up, and the first
// compaction of such a bucket is a full one, after which nothing overlaps.

// looksUp and marksRows are what a table may begin to do: to look older rows
// up, and to mark them in deletion vectors.
func looksUp(o *schema.Options) bool   { return o.NeedsLookup() }
func marksRows(o *schema.Options) bool { return o.DeletionVectors }

// settled tells that no two files above level 0 that share keys were there
// before the table, up to schema id, began to do something for good.
func (t *Table) settled(ctx context.Context, id int64, files []manifest.DataFile, does func(*schema.Options) bool) (bool, error) {
	since, err := t.since(ctx, id, files, does)
	if err != nil {
		return false, err
	}
	before := func(f manifest.DataFile) bool { return f.SchemaID < since }
	if !slices.ContainsFunc(files, before) {
		return true, nil
	}
	above := slices.DeleteFunc(slices.Clone(files), func(f manifest.DataFile) bool { return f.Level == 0 })
	for _, section := range lsm.Sections(above, t.compareKeys()) {
		if len(section) > 1 && slices.ContainsFunc(section, func(run lsm.SortedRun) bool { return slices.ContainsFunc(run, before) }) {
			return false, nil
		}
	}
	return true, nil
}

// since is the oldest schema, of those that files may be of, from which on all
// schemas do something. Files can be of newer ones than the table was opened with.
func (t *Table) since(ctx context.Context, id int64, files []manifest.DataFile, does func(*schema.Options) bool) (int64, error) {
	oldest, newest := id, id
	for i := range files {
		oldest, newest = min(oldest, files[i].SchemaID), max(newest, files[i].SchemaID)
	}
	for at := newest; at >= oldest; at-- {
		o, err := t.schemas.options(ctx, at)
		if err != nil && !isNotFound(err) {
			return 0, err
		}
		if err != nil || !does(o) {
			return at + 1, nil
		}
	}
	return oldest, nil
}
