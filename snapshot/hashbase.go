package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/manifest"
)

// checkHashBase refuses rows whose buckets were chosen by a hash index that is
// no longer the table's: another writer may have put the same keys into other
// buckets, and its index file would be replaced by one that lacks them. Paimon
// leaves it to its users that there is only one writer.
func (c *Committer) checkHashBase(ctx context.Context, p *pending) error {
	if len(p.hashBase) == 0 {
		return nil
	}
	live, err := c.indexFiles(ctx, p.base)
	if err != nil {
		return err
	}
	now := HashFiles(live)
	for _, base := range p.hashBase {
		files := now[string(base.Partition)]
		if !SameNames(files, base.Files) {
			return c.conflictError(p.base, fmt.Sprintf("the hash index of partition %s has changed since the rows got their buckets", c.partitionText(base.Partition)),
				"let only one writer at a time write a table with dynamic buckets; open a new writer and write the rows again", nil)
		}
	}
	return nil
}

// HashFiles are the names of the hash index files among entries, by partition.
func HashFiles(entries []manifest.IndexEntry) map[string][]string {
	files := make(map[string][]string)
	for i := range entries {
		if e := &entries[i]; e.Type == manifest.HashIndex {
			files[string(e.Partition)] = append(files[string(e.Partition)], e.Name)
		}
	}
	return files
}

// SameNames compares two lists without regard to their order.
func SameNames(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
