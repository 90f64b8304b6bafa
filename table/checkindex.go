package table

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// hashCheck proves the hash index of a table with dynamic buckets: its files
// are there and as long as they say, a hash is in one bucket of a partition
// only, and every key of a data file has its hash in the file's bucket.
type hashCheck struct {
	files  map[string][]manifest.IndexEntry // of the snapshot being checked
	proven map[string][]string              // names of the files of a partition, once proven
	at     string                           // partition that index is of
	index  *bucket.Index                    // nil when it could not be read
	loaded bool
}

// hashIndex checks the index files of a snapshot that differ from those of the one before.
func (c *checker) hashIndex(ctx context.Context, at *snapshot.Snapshot) error {
	if !c.table.dynamic() {
		return nil
	}
	h := &c.hashes
	files, err := c.table.hashIndexes(ctx, at)
	if err != nil {
		c.problem(at.IndexManifest, err.Error())
		return ctx.Err()
	}
	h.files = files
	if h.proven == nil {
		h.proven = make(map[string][]string)
	}
	for partition := range h.proven {
		if len(files[partition]) == 0 {
			delete(h.proven, partition)
		}
	}
	for partition, entries := range files {
		names := indexNames(entries)
		if slices.Equal(names, h.proven[partition]) {
			continue
		}
		h.proven[partition] = names
		h.loaded = false
		if err := c.loadHashes(ctx, partition); err != nil {
			return err
		}
	}
	return nil
}

// loadHashes reads the index files of a partition, and tells what is wrong with them.
func (c *checker) loadHashes(ctx context.Context, partition string) error {
	h := &c.hashes
	if h.loaded && h.at == partition {
		return nil
	}
	h.at, h.loaded = partition, true
	h.index = bucket.Dynamic{}.NewIndex([]byte(partition))
	for i := range h.files[partition] {
		e := &h.files[partition][i]
		before := h.index.Len()
		data, err := c.table.readIndexFile(ctx, e)
		elsewhere := 0
		if err == nil {
			elsewhere, err = h.index.Load(e.Bucket, data)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			c.problem(e.Name, err.Error())
			h.index = nil
			return nil
		case int64(len(data)) != 4*e.Rows:
			c.problem(e.Name, fmt.Sprintf("holds %d hashes, the index manifest says %d", len(data)/4, e.Rows))
		case elsewhere > 0:
			c.problem(e.Name, fmt.Sprintf("%d of its hashes are in another bucket too", elsewhere))
		case int64(h.index.Len()-before) != e.Rows:
			c.problem(e.Name, "holds a hash twice")
		}
	}
	return nil
}

// keyHashes proves that the index knows the keys of a batch in a bucket.
func (w *fileWalk) keyHashes(rec arrow.RecordBatch, first int64) error {
	fields := w.table.KeyFields()
	at := make([]int, len(fields))
	for i, f := range fields {
		at[i] = len(fields) + 2 + w.table.Index(f.Name)
	}
	var err error
	if w.scratch, err = bucket.Hashes(w.scratch[:0], typesOf(fields), pick(rec, at)); err != nil {
		return err
	}
	for row, hash := range w.scratch {
		switch b, known := w.hashes.Bucket(hash); {
		case !known:
			return fmt.Errorf("row %d: the hash index does not know its key", first+int64(row))
		case b != w.bucket:
			return fmt.Errorf("row %d: its key belongs to bucket %d by the hash index", first+int64(row), b)
		}
	}
	return nil
}

// useHashes lets a walk compare keys with the hash index of its partition.
func (c *checker) useHashes(ctx context.Context, w *fileWalk, e *manifest.Entry) error {
	if !c.table.dynamic() || e.Bucket < 0 || len(w.table.PrimaryKeys) == 0 {
		return nil
	}
	if err := c.loadHashes(ctx, string(e.Partition)); err != nil {
		return err
	}
	if len(c.hashes.files[string(e.Partition)]) == 0 {
		return errors.New("its partition has no hash index")
	}
	w.hashes, w.bucket = c.hashes.index, e.Bucket
	return nil
}
