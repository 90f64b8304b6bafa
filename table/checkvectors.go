package table

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// checkedVector is what is remembered of a deletion vector that was decoded.
type checkedVector struct{ max int64 }

// vectors checks the deletion vectors of a snapshot: that they can be read,
// mark as many rows as the index manifest says, and none beyond the end of
// their data file. A vector whose data file is gone does no harm.
func (c *checker) vectors(ctx context.Context, at *snapshot.Snapshot, live []manifest.Entry) error {
	if at.IndexManifest == "" {
		return nil
	}
	entries, err := c.table.manifest.ReadIndex(ctx, at.IndexManifest)
	if err == nil {
		_, err = vectorsOf(entries)
	}
	if err != nil {
		c.problem(at.IndexManifest, err.Error())
		return ctx.Err()
	}
	rows := make(map[string]int64, len(live))
	for i := range live {
		rows[live[i].File.Name] = live[i].File.Rows
	}
	for i := range entries {
		e := &entries[i]
		if e.Type != manifest.DeletionVectorsIndex {
			continue
		}
		if err := c.vectorFile(ctx, e, rows); err != nil {
			if ctx.Err() != nil {
				return err
			}
			c.problem(e.Name, err.Error())
		}
	}
	return nil
}

// vectorFile checks one index file against the rows of the live data files.
func (c *checker) vectorFile(ctx context.Context, e *manifest.IndexEntry, rows map[string]int64) error {
	known := c.decoded[e.Name]
	if known == nil {
		var err error
		if known, err = c.decodeVectors(ctx, e); err != nil {
			return err
		}
		c.decoded[e.Name] = known
	}
	for _, r := range e.Ranges {
		n, live := rows[r.File]
		if v := known[r.File]; live && v.max >= n {
			return fmt.Errorf("marks row %d of data file %s, which has %d", v.max, r.File, n)
		}
	}
	return nil
}

// decodeVectors reads every vector of an index file.
func (c *checker) decodeVectors(ctx context.Context, e *manifest.IndexEntry) (map[string]checkedVector, error) {
	dir, err := c.table.bucketDir(e.Partition, e.Bucket)
	if err != nil {
		return nil, err
	}
	external := externalFiles{table: c.table}
	defer external.close()
	r := vectorReader{table: c.table, dir: c.table.indexDir(dir)}
	st, key, err := r.locate(ctx, e.Name, e.ExternalPath, &external)
	if err != nil {
		return nil, err
	}
	data, err := st.ReadAll(ctx, key)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != e.Size || e.Rows != int64(len(e.Ranges)) {
		return nil, fmt.Errorf("is %d bytes long with %d vectors, the index manifest says %d and %d", len(data), len(e.Ranges), e.Size, e.Rows)
	}
	if len(data) == 0 || data[0] != deletion.Version {
		return nil, fmt.Errorf("does not begin with version %d", deletion.Version)
	}
	out := make(map[string]checkedVector, len(e.Ranges))
	for _, x := range e.Ranges {
		if x.Offset < 1 || int(x.Offset) > len(data) {
			return nil, fmt.Errorf("has no vector at %d", x.Offset)
		}
		v, err := deletion.Decode(e.Name, data[x.Offset:], x.Length)
		if err != nil {
			return nil, err
		}
		n := v.Count()
		if x.Cardinality != nil && *x.Cardinality != n {
			return nil, fmt.Errorf("marks %d rows of data file %s, the index manifest says %d", n, x.File, *x.Cardinality)
		}
		out[x.File] = checkedVector{v.Max()}
	}
	return out, nil
}
