package table

import (
	"context"
	"errors"
	"path"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
)

// indexKey is the place of an index file in the table's own store.
func (t *Table) indexKey(e *manifest.IndexEntry) (string, error) {
	if !plainName(e.Name) {
		return "", fault.Corrupt(e.Name, "the index manifest names a file outside its directory", nil)
	}
	dir, err := t.bucketDir(e.Partition, e.Bucket)
	return path.Join(t.indexDir(dir), e.Name), err
}

// readIndexFile reads an index file whole.
func (t *Table) readIndexFile(ctx context.Context, e *manifest.IndexEntry) ([]byte, error) {
	dir, err := t.bucketDir(e.Partition, e.Bucket)
	if err != nil {
		return nil, err
	}
	external := externalFiles{table: t}
	defer external.close()
	r := vectorReader{table: t, dir: t.indexDir(dir)}
	st, key, err := r.locate(ctx, e.Name, e.ExternalPath, &external)
	if err != nil {
		return nil, err
	}
	data, err := st.ReadAll(ctx, key)
	if err == nil && int64(len(data)) != e.Size {
		err = fault.Corrupt(key, "its length is not the one that the index manifest says", nil)
	}
	return data, err
}

// deleteIndexFiles removes the new index files among changes, which no
// snapshot names; failures are joined.
func (t *Table) deleteIndexFiles(ctx context.Context, changes []manifest.IndexEntry) error {
	var errs []error
	for i := range changes {
		if changes[i].Kind != manifest.Add {
			continue
		}
		key, err := t.indexKey(&changes[i])
		if err == nil {
			err = t.store.Delete(ctx, key)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
