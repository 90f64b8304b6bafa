package table

import (
	"context"
	"slices"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/fileindex"
	"github.com/tidelake/tidelake/io/datafile"
)

// keyFilters are the Bloom filters that the file index of a data file has of
// the columns of its keys, nil for a column without one.
type keyFilters []*fileindex.Bloom

// admitted are the keys that the file index of the file leaves: all of them
// where there is none. An index in the manifest costs no request, one beside
// the file a single one, and then stays in the cache.
func (f *keyFile) admitted(ctx context.Context, keys *keyList, which []int32) ([]int32, error) {
	if !f.table.options.FileIndexRead || !hasIndex(&f.meta) {
		return which, nil
	}
	filters, err := f.indexFilters(ctx)
	if err != nil || !slices.ContainsFunc(filters, func(b *fileindex.Bloom) bool { return b != nil }) {
		return which, err
	}
	left := make([]int32, 0, len(which))
	for _, k := range which {
		if filters.admit(keys, int(k)) {
			left = append(left, k)
		}
	}
	return left, nil
}

func (c keyFilters) admit(keys *keyList, key int) bool {
	for i, b := range c {
		if b != nil && !b.MayHold(keys.cols[i], key) {
			return false
		}
	}
	return true
}

// indexFilters gives the filters of the file index, from the cache if they are there.
func (f *keyFile) indexFilters(ctx context.Context) (keyFilters, error) {
	key := cacheKey{f, pieceFilter, 0}
	if v := f.cache.get(key); v != nil {
		return v.(keyFilters), nil
	}
	index, err := f.where.index(ctx, &f.meta)
	if err != nil {
		return nil, err
	}
	filters, err := f.pickFilters(ctx, index)
	if err != nil {
		return nil, err
	}
	held := int64(len(filters)) * 64
	for i, b := range filters {
		if b == nil {
			continue
		}
		if len(f.meta.EmbeddedIndex) == 0 {
			filters[i] = b.Clone() // what else the index has can go
		}
		held += int64(b.Bytes())
	}
	return f.cache.put(key, filters, held).(keyFilters), nil
}

// pickFilters picks the filters of the key columns, by the names that they
// had when the file was written.
func (f *keyFile) pickFilters(ctx context.Context, index *fileindex.Index) (keyFilters, error) {
	own, err := f.table.schemas.get(ctx, f.meta.SchemaID)
	if err != nil {
		return nil, err
	}
	plan, err := f.plan(&fileHandle{own: own}, f.space.fields, false)
	if err != nil {
		return nil, err
	}
	filters := make(keyFilters, len(f.space.fields))
	for i, c := range plan.columns {
		if !c.have || !c.same {
			continue
		}
		if filters[i], err = index.Bloom(c.ask.Name); err != nil {
			return nil, fault.Corrupt(f.meta.Name, "file index", err)
		}
	}
	return filters, nil
}

// pageFilters are the Bloom filters that the file itself has of the columns of
// its keys, nil for a column without one; nil when there is none at all.
func (h *fileHandle) pageFilters() (filters []*datafile.Filter) {
	found := false
	for _, c := range h.keys.columns {
		var filter *datafile.Filter
		if c.have && c.same {
			filter = h.file.Filter(c.ask.Name)
		}
		found = found || filter != nil
		filters = append(filters, filter)
	}
	if !found {
		return nil
	}
	return filters
}

// admits is false when the filters of the file say that no row of the zones
// from and to, and those between, has the key.
func (h *fileHandle) admits(ctx context.Context, keys *keyList, s *zoneSpan) (bool, error) {
	if s.from > s.to {
		return false, nil
	}
	rows := datafile.RowRange{From: h.zones.from[s.from], To: h.zones.from[s.to+1]}
	for i, filter := range h.filters {
		if filter == nil {
			continue
		}
		if may, err := filter.MayHold(ctx, rows, keys.cols[i], s.key); err != nil || !may {
			return false, err
		}
	}
	return true, nil
}
