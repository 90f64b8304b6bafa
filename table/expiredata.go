package table

import (
	"context"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// deadFile is a data file that a snapshot took away: snapshots before it may
// hold it, those from it on do not.
type deadFile struct {
	at        int64 // the snapshot
	partition string
	bucket    int
	name      string
	bytes     int64
	extra     []string
	external  *string
}

func newDeadFile(e *manifest.Entry, at int64) deadFile {
	return deadFile{at: at, partition: string(e.Partition), bucket: e.Bucket, name: e.File.Name, bytes: e.File.Size,
		extra: slices.Clone(e.File.ExtraFiles), external: e.File.ExternalPath}
}

// deadIn are the data files that a snapshot took away, without those that it
// moved to another level. Of a snapshot whose changes cannot be read whole there
// are none.
func (e *expirer) deadIn(ctx context.Context, s *snapshot.Snapshot, keep func(*manifest.Entry) bool) ([]deadFile, error) {
	what := "the data that snapshot " + itoa(s.ID) + " took away"
	metas, err := e.table.manifest.ReadList(ctx, s.DeltaManifestList)
	if err != nil {
		return nil, e.skip(what, err)
	}
	type place struct {
		bucketKey
		name string
	}
	at := map[place]int{}
	var dead []deadFile
	for _, m := range metas {
		entries, err := e.table.manifest.ReadEntries(ctx, m)
		if err != nil {
			return nil, e.skip(what, err)
		}
		for i := range entries {
			f := &entries[i]
			p := place{bucketKey{string(f.Partition), f.Bucket}, f.File.Name}
			n, there := at[p]
			switch {
			case f.Kind == manifest.Add && there:
				dead[n].name = "" // moved
				delete(at, p)
			case f.Kind == manifest.Delete && !there && !keep(f):
				at[p] = len(dead)
				dead = append(dead, newDeadFile(f, s.ID))
			}
		}
	}
	return slices.DeleteFunc(dead, func(f deadFile) bool { return f.name == "" }), nil
}

// bury deletes data files, but for those that a tag or a branch holds.
func (e *expirer) bury(ctx context.Context, dead []deadFile) error {
	if len(dead) == 0 {
		return nil
	}
	dead, err := e.notOfTags(ctx, dead)
	if err != nil {
		return err
	}
	if err = e.lookAround(ctx); err != nil {
		return err
	}
	if dead, err = e.notOfBranches(ctx, dead); err != nil {
		return err
	}
	if dead, err = e.notOfChangelogs(ctx, dead, e.telling); err != nil {
		return err
	}
	return e.deleteData(ctx, dead)
}

// notOfTags takes away what a tag holds. Of the tags before the snapshot that
// took a file away, the newest holds it if any does.
func (e *expirer) notOfTags(ctx context.Context, dead []deadFile) ([]deadFile, error) {
	tags, err := e.table.tagged(ctx)
	if err != nil {
		return nil, err
	}
	var free []deadFile
	byTag := map[*snapshot.Snapshot][]deadFile{}
	for _, f := range dead {
		if i := previous(tags, f.at); i >= 0 {
			byTag[tags[i]] = append(byTag[tags[i]], f)
		} else {
			free = append(free, f)
		}
	}
	for tag, files := range byTag {
		used := namesIn(files)
		if err := e.countLive(ctx, tag, used); err != nil {
			if !unreadable(err) {
				return nil, err
			}
			e.leave("data files before a tag of snapshot "+itoa(tag.ID), err)
			continue
		}
		free = append(free, unused(files, used)...)
	}
	return free, nil
}

// previous is the place of the newest of some snapshots, in order, before an id, or -1.
func previous(all []*snapshot.Snapshot, id int64) int {
	return sort.Search(len(all), func(i int) bool { return all[i].ID >= id }) - 1
}

// namesIn are the names of files, each without anybody who uses it.
func namesIn(files []deadFile) map[string]int {
	used := make(map[string]int, len(files))
	for i := range files {
		used[files[i].name] = 0
	}
	return used
}

func unused(files []deadFile, used map[string]int) []deadFile {
	return slices.DeleteFunc(files, func(f deadFile) bool { return used[f.name] > 0 })
}

// countLive adds to the uses of names those of a snapshot. The manifests are
// read through one after the other, and nothing of them is kept.
func (e *expirer) countLive(ctx context.Context, at *snapshot.Snapshot, used map[string]int) error {
	here := map[string]int{}
	for f, err := range e.table.manifest.ScanLists(ctx, nil, at.Lists()...) {
		if err != nil {
			return err
		}
		if _, asked := used[f.File.Name]; !asked {
			continue
		}
		if f.Kind == manifest.Add {
			here[strings.Clone(f.File.Name)]++
		} else {
			here[strings.Clone(f.File.Name)]--
		}
	}
	for name, n := range here {
		used[name] += max(n, 0)
	}
	return nil
}

// deleteData deletes data files and what belongs to them, in batches.
func (e *expirer) deleteData(ctx context.Context, dead []deadFile) error {
	for part := range slices.Chunk(dead, expireBatch) {
		var victims []victim
		for i := range part {
			v, err := e.remover.dataFile(ctx, &part[i])
			if err != nil {
				return err
			}
			victims = append(victims, v...)
			if e.table.options.Expiry.CleanEmptyDirectories && part[i].external == nil {
				e.emptied[bucketKey{part[i].partition, part[i].bucket}] = true
			}
		}
		if err := e.remover.remove(ctx, victims); err != nil {
			return err
		}
	}
	return nil
}

// pruneEmptied takes away the directories of buckets that have lost their last
// file, and then those of partitions that have lost their last bucket.
func (e *expirer) pruneEmptied(ctx context.Context) error {
	if e.dry || len(e.emptied) == 0 {
		return nil
	}
	levels := len(e.table.schema.PartitionKeys)
	dirs := map[string]bool{}
	for b := range e.emptied {
		dir, err := e.table.bucketDir([]byte(b.partition), b.bucket)
		if err != nil {
			return err
		}
		dirs[dir] = true
	}
	clear(e.emptied)
	for ; len(dirs) > 0; levels-- {
		above := map[string]bool{}
		for dir := range dirs {
			gone, err := store.PruneDir(ctx, e.table.store, dir)
			if err != nil {
				return err
			}
			if gone && levels > 0 {
				above[path.Dir(dir)] = true
			}
		}
		dirs = above
	}
	return nil
}
