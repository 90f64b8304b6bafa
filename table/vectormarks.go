package table

import (
	"context"
	"slices"
	"sync"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/manifest"
)

// vectorMarks are rows that compactions have found outdated, by data file.
type vectorMarks map[string]markedFile

type markedFile struct {
	file manifest.DataFile
	rows *deletion.Vector
}

// mark notes one row of a file.
func (m vectorMarks) mark(f *manifest.DataFile, row int64) {
	at, ok := m[f.Name]
	if !ok {
		at = markedFile{*f, &deletion.Vector{}}
		m[f.Name] = at
	}
	at.rows.Add(row)
}

// join adds the marks of a later compaction, without those of files that it
// has read.
func (m vectorMarks) join(gone []manifest.DataFile, next vectorMarks) vectorMarks {
	for i := range gone {
		delete(m, gone[i].Name)
	}
	if m == nil {
		m = vectorMarks{}
	}
	for name, f := range next {
		if at, ok := m[name]; ok {
			f.rows.Or(at.rows)
		}
		m[name] = f
	}
	return m
}

// bucketIndex are the index files of a bucket that hold its deletion vectors,
// as the snapshot seen last or our last commit after it has them.
type bucketIndex struct {
	table     *Table
	partition []byte
	bucket    int
	files     []manifest.IndexEntry
}

// bucketIndexOf picks the deletion vectors of a bucket.
func (t *Table) bucketIndexOf(key bucketKey, index []manifest.IndexEntry) *bucketIndex {
	b := &bucketIndex{table: t, partition: []byte(key.partition), bucket: key.bucket}
	for _, e := range index {
		if e.Type == manifest.DeletionVectorsIndex && e.Bucket == key.bucket && string(e.Partition) == key.partition {
			b.files = append(b.files, e)
		}
	}
	return b
}

// has tells whether a data file has a deletion vector.
func (b *bucketIndex) has(f *manifest.DataFile) bool {
	for i := range b.files {
		if slices.ContainsFunc(b.files[i].Ranges, func(r manifest.DeletionRange) bool { return r.File == f.Name }) {
			return true
		}
	}
	return false
}

// publish writes the vectors as a compaction has left them, and returns the
// changes of index files, none when nothing changed.
func (b *bucketIndex) publish(ctx context.Context, r *compactResult) ([]manifest.IndexEntry, error) {
	edit, err := b.table.editVectors(b.files, b.partition, b.bucket)
	if err != nil {
		return nil, err
	}
	for _, f := range notAmong(r.before, r.after) {
		edit.remove(f.Name)
	}
	for _, f := range r.marks {
		if err := edit.mark(ctx, &f.file, f.rows.Clone()); err != nil {
			return nil, err
		}
	}
	changes, err := edit.write(ctx)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	b.files = applyIndex(b.files, changes)
	return changes, nil
}

// applyIndex are index files after some changes of them.
func applyIndex(files, changes []manifest.IndexEntry) []manifest.IndexEntry {
	gone := make(map[string]bool)
	for i := range changes {
		gone[changes[i].Name] = changes[i].Kind == manifest.Delete
	}
	var out []manifest.IndexEntry
	for _, f := range slices.Concat(files, changes) {
		if f.Kind == manifest.Add && !gone[f.Name] {
			out = append(out, f)
		}
	}
	return out
}

// vectorView reads the deletion vectors of a bucket as the compactions so far
// have left them. It may be used from several goroutines.
type vectorView struct {
	mu    sync.Mutex
	edit  *vectorEdit
	marks vectorMarks // not published yet
	known map[string]*deletion.Vector
}

// view is what a compaction sees that follows on those of r.
func (b *bucketIndex) view(r *compactResult) (*vectorView, error) {
	if len(b.files) == 0 && len(r.marks) == 0 {
		return nil, nil
	}
	edit, err := b.table.editVectors(b.files, b.partition, b.bucket)
	v := &vectorView{edit: edit, marks: make(vectorMarks, len(r.marks)), known: make(map[string]*deletion.Vector)}
	for name, f := range r.marks {
		v.marks[name] = markedFile{f.file, f.rows.Clone()}
	}
	return v, err
}

// of is the vector of a data file, nil for none. A nil view has none at all.
func (v *vectorView) of(ctx context.Context, f *manifest.DataFile) (*deletion.Vector, error) {
	if v == nil {
		return nil, nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.known[f.Name]; ok {
		return known, nil
	}
	all, err := v.edit.of(ctx, f)
	if err != nil {
		return nil, err
	}
	if m, ok := v.marks[f.Name]; ok {
		if all == nil {
			all = &deletion.Vector{}
		}
		all.Or(m.rows)
	}
	v.known[f.Name] = all
	return all, nil
}
