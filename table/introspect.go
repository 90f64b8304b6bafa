package table

import (
	"context"
	"iter"
	"slices"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// FileInfo is one live data file and where it belongs.
type FileInfo struct {
	Partition []string // "dt=2026-01-01", one a partition column, as in the directory
	Bucket    int
	Path      string // relative to the table, or a URL for external files
	manifest.DataFile
}

// snapshotAt is the snapshot of an id, the newest for 0, nil when there is none.
func (t *Table) snapshotAt(ctx context.Context, id int64) (*snapshot.Snapshot, error) {
	if id == 0 {
		return t.newest(ctx)
	}
	return t.chain.Get(ctx, id)
}

// newest is the newest snapshot, nil in a table that has none yet. A table
// that was dropped has none either, and must not look like an empty one.
func (t *Table) newest(ctx context.Context) (*snapshot.Snapshot, error) {
	at, err := t.chain.Latest(ctx)
	if err != nil || at != nil {
		return at, err
	}
	return nil, t.schemas.prove(ctx, t.schema.ID)
}

// Files lists the live data files of a snapshot (0: the newest) in the order
// of partition, bucket, level and name.
func (t *Table) Files(ctx context.Context, snapshotID int64) iter.Seq2[FileInfo, error] {
	return func(yield func(FileInfo, error) bool) {
		entries, err := t.filesAt(ctx, snapshotID)
		if err != nil {
			yield(FileInfo{}, t.wrap("list files", err))
			return
		}
		for _, e := range entries {
			info, err := t.fileInfo(e)
			if err != nil {
				yield(FileInfo{}, t.wrap("list files", err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (t *Table) filesAt(ctx context.Context, snapshotID int64) ([]manifest.Entry, error) {
	at, err := t.snapshotAt(ctx, snapshotID)
	if err != nil || at == nil {
		return nil, err
	}
	entries, err := t.liveFiles(ctx, at, nil)
	slices.SortFunc(entries, func(a, b manifest.Entry) int { return t.compareEntries(&a, &b) })
	return entries, err
}

func (t *Table) fileInfo(e manifest.Entry) (FileInfo, error) {
	info := FileInfo{Bucket: e.Bucket, DataFile: e.File}
	dir, err := t.bucketDir(e.Partition, e.Bucket)
	if err != nil {
		return info, err
	}
	info.Path = dir + "/" + e.File.Name
	if e.File.ExternalPath != nil {
		info.Path = *e.File.ExternalPath
	}
	info.Partition, err = t.partitionText(e.Partition)
	return info, err
}

// PartitionText is a partition, the body of its binary row, as "column=value"
// texts, one a partition column.
func (t *Table) PartitionText(partition []byte) ([]string, error) {
	text, err := t.partitionText(partition)
	return text, t.wrap("name partition", err)
}

func (t *Table) partitionText(partition []byte) ([]string, error) {
	values, err := t.partitionValues(partition)
	if err != nil {
		return nil, err
	}
	texts, err := t.paths.Text(values)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(texts))
	for i, name := range t.schema.PartitionKeys {
		out[i] = name + "=" + texts[i]
	}
	return out, nil
}

// PartitionInfo sums up the live files of one partition.
type PartitionInfo struct {
	Partition    []string // as in FileInfo
	Files        int64
	Rows         int64 // stored rows, before merging
	Bytes        int64
	LastModified int64 // newest file creation, milliseconds of the writer's wall clock
}

// Partitions lists the partitions of a snapshot (0: the newest) that hold files, in order.
func (t *Table) Partitions(ctx context.Context, snapshotID int64) iter.Seq2[PartitionInfo, error] {
	return func(yield func(PartitionInfo, error) bool) {
		var now PartitionInfo
		started := false
		for f, err := range t.Files(ctx, snapshotID) {
			if err != nil {
				yield(PartitionInfo{}, err)
				return
			}
			if started && !slices.Equal(now.Partition, f.Partition) {
				if !yield(now, nil) {
					return
				}
				started = false
			}
			if !started {
				now, started = PartitionInfo{Partition: f.Partition, LastModified: manifest.NoCreationTime}, true
			}
			now.Files, now.Rows, now.Bytes = now.Files+1, now.Rows+f.Rows, now.Bytes+f.Size
			now.LastModified = max(now.LastModified, f.CreationTime)
		}
		if started {
			yield(now, nil)
		}
	}
}

// Manifests lists the manifests of a snapshot (0: the newest), base before delta.
func (t *Table) Manifests(ctx context.Context, snapshotID int64) iter.Seq2[manifest.Meta, error] {
	return func(yield func(manifest.Meta, error) bool) {
		at, err := t.snapshotAt(ctx, snapshotID)
		if err != nil {
			yield(manifest.Meta{}, t.wrap("list manifests", err))
			return
		}
		if at == nil {
			return
		}
		for _, list := range []string{at.BaseManifestList, at.DeltaManifestList} {
			metas, err := t.manifest.ReadList(ctx, list)
			if err != nil {
				yield(manifest.Meta{}, t.wrap("list manifests", err))
				return
			}
			for _, m := range metas {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// Schemas lists the table's schemas, oldest first.
func (t *Table) Schemas(ctx context.Context) iter.Seq2[*schema.Table, error] {
	return func(yield func(*schema.Table, error) bool) {
		ids, err := t.schemas.ids(ctx)
		if err != nil {
			yield(nil, t.wrap("list schemas", err))
			return
		}
		slices.Sort(ids)
		for _, id := range ids {
			sc, err := t.schemas.get(ctx, id)
			if !yield(sc, t.wrap("list schemas", err)) || err != nil {
				return
			}
		}
	}
}

// IndexFiles lists the index files of a snapshot (0: the newest): hash indexes,
// deletion vectors and global indexes.
func (t *Table) IndexFiles(ctx context.Context, snapshotID int64) ([]manifest.IndexEntry, error) {
	at, err := t.snapshotAt(ctx, snapshotID)
	if err != nil {
		return nil, t.wrap("list index files", err)
	}
	index, err := t.indexAt(ctx, at)
	return index, t.wrap("list index files", err)
}
