package table

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// vectorEdit changes the deletion vectors of one bucket: it starts from those
// of a snapshot, and writes new index files in place of the touched ones.
//
//	bucket-unaware tables   several index files, each rewritten when one of its vectors changes
//	all others              one index file a bucket
//
// It is for one goroutine. What it holds are the vectors that change, and while
// writing those that lie beside them.
type vectorEdit struct {
	reader    vectorReader
	partition []byte
	bucket    int
	old       []manifest.IndexEntry // live in the snapshot
	at        bucketVectors         // where their vectors are
	changed   map[string]*deletion.Vector
}

// editVectors prepares to change the vectors of a bucket as a snapshot has
// them; index are all index files of the snapshot.
func (t *Table) editVectors(index []manifest.IndexEntry, partition []byte, bucket int) (*vectorEdit, error) {
	dir, err := t.bucketDir(partition, bucket)
	if err != nil {
		return nil, err
	}
	e := &vectorEdit{reader: vectorReader{t, t.indexDir(dir)}, partition: partition, bucket: bucket,
		changed: make(map[string]*deletion.Vector)}
	for _, x := range index {
		if x.Type == manifest.DeletionVectorsIndex && x.Bucket == bucket && string(x.Partition) == string(partition) {
			e.old = append(e.old, x)
		}
	}
	all, err := vectorsOf(e.old)
	e.at = all[bucketKey{string(partition), bucket}]
	return e, err
}

// indexAt are the index files of a snapshot.
func (t *Table) indexAt(ctx context.Context, at *snapshot.Snapshot) ([]manifest.IndexEntry, error) {
	if at == nil || at.IndexManifest == "" {
		return nil, nil
	}
	return t.manifest.ReadIndex(ctx, at.IndexManifest)
}

// of is the vector of a data file as it is now, nil for none. It is shared: do not change it.
func (e *vectorEdit) of(ctx context.Context, f *manifest.DataFile) (*deletion.Vector, error) {
	if v, ok := e.changed[f.Name]; ok {
		return v, nil
	}
	ref, ok := e.at[f.Name]
	if !ok {
		return nil, nil
	}
	return e.reader.read(ctx, &ref, f)
}

// mark adds to the marked rows of a data file. It takes v over.
func (e *vectorEdit) mark(ctx context.Context, f *manifest.DataFile, v *deletion.Vector) error {
	before, err := e.of(ctx, f)
	if err != nil {
		return err
	}
	if before != nil {
		v.Or(before)
	}
	e.changed[f.Name] = v
	return nil
}

// remove forgets the vector of a data file that leaves the table.
func (e *vectorEdit) remove(file string) {
	delete(e.changed, file)
	if _, ok := e.at[file]; ok {
		e.changed[file] = nil
	}
}

// write stores what has changed and returns the changes of index files, none
// when nothing did. After an error no file is left behind.
func (e *vectorEdit) write(ctx context.Context) (changes []manifest.IndexEntry, err error) {
	if len(e.changed) == 0 {
		return nil, nil
	}
	w := &vectorWriter{edit: e, id: e.reader.table.world.NewID()}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.reader.table.deleteIndexFiles(context.WithoutCancel(ctx), w.done))
		}
	}()
	unaware := e.reader.table.schema.BucketMode() == schema.BucketUnaware
	if unaware {
		w.limit = e.reader.table.options.VectorFileSize
	}
	for _, x := range e.old {
		if unaware && !slices.ContainsFunc(x.Ranges, func(r manifest.DeletionRange) bool { _, ok := e.changed[r.File]; return ok }) {
			continue
		}
		x.Kind = manifest.Delete
		changes = append(changes, x)
		if err := w.keep(ctx, x.Ranges); err != nil {
			return nil, err
		}
	}
	for _, file := range slices.Sorted(maps.Keys(e.changed)) {
		if v := e.changed[file]; v != nil {
			if err := w.add(ctx, file, v); err != nil {
				return nil, err
			}
		}
	}
	if err := w.flush(ctx); err != nil {
		return nil, err
	}
	return append(changes, w.done...), nil
}

// vectorWriter lays vectors out in index files.
type vectorWriter struct {
	edit   *vectorEdit
	id     string
	limit  int64 // bytes after which a file is closed, 0 for one file
	data   []byte
	ranges []manifest.DeletionRange
	done   []manifest.IndexEntry
}

// keep copies the vectors that do not change.
func (w *vectorWriter) keep(ctx context.Context, ranges []manifest.DeletionRange) error {
	for _, r := range ranges {
		if _, changed := w.edit.changed[r.File]; changed {
			continue
		}
		ref := w.edit.at[r.File]
		v, err := w.edit.reader.decode(ctx, &ref)
		if err == nil {
			err = w.add(ctx, r.File, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add appends a vector, in the kind that the table asks for now.
func (w *vectorWriter) add(ctx context.Context, file string, v *deletion.Vector) error {
	if len(w.data) == 0 {
		w.data = append(w.data, deletion.Version)
	}
	offset := len(w.data)
	data, length, err := deletion.Append(w.data, v, w.edit.reader.table.options.DeletionVectors64)
	if err != nil {
		return err
	}
	n := v.Count()
	w.data = data
	w.ranges = append(w.ranges, manifest.DeletionRange{File: file, Offset: int32(offset), Length: length, Cardinality: &n})
	if w.limit > 0 && int64(len(w.data)) > w.limit {
		return w.flush(ctx)
	}
	return nil
}

func (w *vectorWriter) flush(ctx context.Context) error {
	if len(w.ranges) == 0 {
		return nil
	}
	e := manifest.IndexEntry{
		Kind: manifest.Add, Partition: w.edit.partition, Bucket: w.edit.bucket, Type: manifest.DeletionVectorsIndex,
		Name: "index-" + w.id + "-" + strconv.Itoa(len(w.done)), Size: int64(len(w.data)), Rows: int64(len(w.ranges)), Ranges: w.ranges,
	}
	if err := w.edit.reader.table.store.Write(ctx, path.Join(w.edit.reader.dir, e.Name), w.data); err != nil {
		return err
	}
	w.done = append(w.done, e)
	w.data, w.ranges = nil, nil
	return nil
}
