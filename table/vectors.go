package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// VectorRef says where the deletion vector of one data file is: rows that it
// marks are no longer rows of the table.
type VectorRef struct {
	Index    string  `json:"index"`              // name of the index file
	External *string `json:"external,omitempty"` // its URL, when it lies outside the table
	manifest.DeletionRange
}

// bucketVectors are the deletion vectors of one bucket, by data file.
type bucketVectors map[string]VectorRef

// vectorsAt finds the deletion vectors of a snapshot. They are part of the
// snapshot: the vectors of another one do not fit its files.
func (t *Table) vectorsAt(ctx context.Context, at *snapshot.Snapshot) (map[bucketKey]bucketVectors, error) {
	if at == nil || at.IndexManifest == "" {
		return nil, nil
	}
	entries, err := t.manifest.ReadIndex(ctx, at.IndexManifest)
	if err != nil {
		return nil, err
	}
	return vectorsOf(entries)
}

func vectorsOf(entries []manifest.IndexEntry) (map[bucketKey]bucketVectors, error) {
	out := make(map[bucketKey]bucketVectors)
	for i := range entries {
		e := &entries[i]
		if e.Type != manifest.DeletionVectorsIndex {
			continue
		}
		key := bucketKey{string(e.Partition), e.Bucket}
		of := out[key]
		if of == nil {
			of = make(bucketVectors, len(e.Ranges))
			out[key] = of
		}
		for _, r := range e.Ranges {
			if _, twice := of[r.File]; twice {
				return nil, fault.Corrupt(e.Name, "a second deletion vector of data file "+r.File, nil)
			}
			of[r.File] = VectorRef{e.Name, e.ExternalPath, r}
		}
	}
	return out, nil
}

// of picks the vectors of some files.
func (v bucketVectors) of(files []manifest.DataFile) []VectorRef {
	if len(v) == 0 {
		return nil
	}
	var out []VectorRef
	for i := range files {
		if ref, ok := v[files[i].Name]; ok {
			out = append(out, ref)
		}
	}
	return out
}

// indexDir is where the index files of a bucket lie.
func (t *Table) indexDir(bucketDir string) string {
	if t.options.IndexFileInDataFileDir {
		return bucketDir
	}
	return "index"
}

// vectorReader reads deletion vectors of one bucket.
type vectorReader struct {
	table *Table
	dir   string // of index files
}

// read reads the vector that ref points at and proves that it fits its file.
func (r *vectorReader) read(ctx context.Context, ref *VectorRef, f *manifest.DataFile) (*deletion.Vector, error) {
	v, err := r.decode(ctx, ref)
	if err != nil {
		return nil, &fault.Error{Detail: "the deletion vector of data file " + f.Name, Err: err}
	}
	return v, v.Check(f.Name, f.Rows, ref.Cardinality)
}

func (r *vectorReader) decode(ctx context.Context, ref *VectorRef) (*deletion.Vector, error) {
	if ref.Offset < 1 || ref.Length < 0 {
		return nil, fault.Corrupt(ref.Index, fmt.Sprintf("a deletion vector of %d bytes at %d", ref.Length, ref.Offset), nil)
	}
	external := externalFiles{table: r.table}
	defer external.close()
	st, key, err := r.locate(ctx, ref.Index, ref.External, &external)
	if err != nil {
		return nil, err
	}
	object, err := st.Open(ctx, key, -1)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	span := min(deletion.Span(ref.Length), object.Size()-int64(ref.Offset))
	if span <= 0 {
		return nil, fault.Corrupt(ref.Index, fmt.Sprintf("a deletion vector at %d of %d bytes", ref.Offset, object.Size()), nil)
	}
	data := make([]byte, span)
	if _, err := object.ReadRange(ctx, data, int64(ref.Offset)); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return deletion.Decode(ref.Index, data, ref.Length)
}

// locate finds an index file, which never lies outside of the table or of a declared external path.
func (r *vectorReader) locate(ctx context.Context, name string, url *string, external *externalFiles) (store.Store, string, error) {
	if !plainName(name) {
		return nil, "", fault.Corrupt(name, "the index manifest names a file outside its directory", nil)
	}
	if url != nil {
		return external.open(ctx, *url)
	}
	return r.table.store, path.Join(r.dir, name), nil
}
