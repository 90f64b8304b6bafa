package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowblock"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// keyFile answers at which rows of a data file keys are stored, and reads
// rows. What it reads of keys goes through a cache:
//
//	keys ──► Bloom filters ──► bounds of zones ──► zones that may hold them ──► rows
//	         (file index)      (page index,        (pages of the key columns)
//	                            Bloom filters)
//
// It is safe for concurrent use.
type keyFile struct {
	table *Table
	space *keySpace
	meta  manifest.DataFile
	where fileLocation
	cache *lookupCache

	mu     sync.Mutex
	handle *fileHandle
}

// fileHandle is an open file. The cache closes it when it was not used for
// long, but not before those who use it are done.
type fileHandle struct {
	file  *datafile.File // nil: the format has no access to chosen rows
	own   *schema.Table
	keys  *rowPlan
	zones *keyZones

	filters []*datafile.Filter // by column of the key; nil: none

	owner *keyFile
	users int // under owner.mu, one of them the cache
}

// acquire opens the file if it is not open. Release the handle.
func (f *keyFile) acquire(ctx context.Context) (*fileHandle, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cache.get(cacheKey{f, pieceHandle, 0}) // it is in use
	if f.handle != nil {
		f.handle.users++
		return f.handle, nil
	}
	h, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	h.users, f.handle = 2, h
	held := int64(len(h.zones.from)) * 64
	if h.file != nil {
		held += h.file.Held()
	}
	for _, filter := range h.filters {
		if filter != nil {
			held += filter.Held()
		}
	}
	f.mu.Unlock() // the cache may drop a handle, this one at once
	f.cache.put(cacheKey{f, pieceHandle, 0}, h, held)
	f.mu.Lock()
	return h, nil
}

func (f *keyFile) open(ctx context.Context) (*fileHandle, error) {
	h := &fileHandle{owner: f}
	var err error
	if err := checkKeys(f.space.types, &f.meta); err != nil {
		return nil, err
	}
	if h.own, err = f.table.schemas.get(ctx, f.meta.SchemaID); err != nil {
		return nil, err
	}
	stats := []datafile.Zone{{To: f.meta.Rows}}
	if fileFormat(f.meta.Name) == "parquet" {
		stats, err = f.openParquet(ctx, h)
	} else {
		h.keys, err = f.plan(h, f.space.fields, false)
	}
	if err != nil {
		h.close()
		return nil, err
	}
	if h.zones, err = newKeyZones(f.space, &f.meta, stats); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (f *keyFile) openParquet(ctx context.Context, h *fileHandle) ([]datafile.Zone, error) {
	obj, name, err := f.object(ctx)
	if err != nil {
		return nil, err
	}
	if h.file, err = datafile.OpenFile(ctx, obj, name, f.table.world.Alloc); err != nil {
		return nil, err
	}
	if n := h.file.Rows(); n != f.meta.Rows {
		return nil, fault.Corrupt(f.meta.Name, fmt.Sprintf("holds %d rows, its manifest says %d", n, f.meta.Rows), nil)
	}
	if h.keys, err = f.plan(h, f.space.fields, false); err != nil {
		return nil, err
	}
	h.filters = h.pageFilters()
	zones, err := h.file.Zones(ctx, h.keys.ask)
	if err != nil {
		return nil, err
	}
	for i, c := range h.keys.columns {
		if c.same {
			continue
		}
		for j := range zones { // bounds of another type than today's
			zones[j].Columns[i] = datafile.ColumnStats{Nulls: -1}
		}
	}
	return zones, nil
}

// plan is planRows for this file, which has all columns of its schema.
func (f *keyFile) plan(h *fileHandle, want []schema.Field, system bool) (*rowPlan, error) {
	p, err := planRows(want, h.own, system, f.table.settings.TimeZone)
	if err != nil {
		return nil, &fault.Error{File: f.meta.Name, Err: err}
	}
	for _, c := range p.ask {
		if h.file != nil && !h.file.Has(c.Name) {
			return nil, fault.Corrupt(f.meta.Name, fmt.Sprintf("column %q is not in the file", c.Name), nil)
		}
	}
	return p, nil
}

func (f *keyFile) object(ctx context.Context) (store.Object, string, error) {
	st, key, err := f.where.of(ctx, &f.meta)
	if err != nil {
		return nil, "", err
	}
	obj, err := st.Open(ctx, key, f.meta.Size)
	return obj, key, err
}

func (h *fileHandle) close() {
	if h.file != nil {
		_ = h.file.Close()
	}
}

func (h *fileHandle) release() {
	h.owner.mu.Lock()
	h.users--
	last := h.users == 0
	h.owner.mu.Unlock()
	if last {
		h.close()
	}
}

// drop is the cache letting go.
func (h *fileHandle) drop() {
	h.owner.mu.Lock()
	if h.owner.handle == h {
		h.owner.handle = nil
	}
	h.owner.mu.Unlock()
	h.release()
}

// fetch reads rows as systemFields and fields.
func (f *keyFile) fetch(ctx context.Context, fields []schema.Field, rows []datafile.RowRange) (arrow.RecordBatch, error) {
	h, err := f.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer h.release()
	plan, err := f.plan(h, fields, true)
	if err != nil {
		return nil, err
	}
	return f.rows(ctx, h, plan, rows)
}

// rows reads rows of the file by a plan.
func (f *keyFile) rows(ctx context.Context, h *fileHandle, p *rowPlan, rows []datafile.RowRange) (arrow.RecordBatch, error) {
	mem := f.table.world.Alloc
	var rec arrow.RecordBatch
	var err error
	if h.file != nil {
		rec, err = h.file.ReadRows(ctx, p.ask, rows)
	} else {
		rec, err = f.scanRows(ctx, p, rows)
	}
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	return p.shape(rec, mem)
}

// scanRows reads the file from its start to the last wanted row.
func (f *keyFile) scanRows(ctx context.Context, p *rowPlan, rows []datafile.RowRange) (arrow.RecordBatch, error) {
	obj, name, err := f.object(ctx)
	if err != nil {
		return nil, err
	}
	mem := f.table.world.Alloc
	r, err := datafile.Open(ctx, obj, name, datafile.ReaderOptions{Format: fileFormat(f.meta.Name), Fields: p.ask, Complete: true, Alloc: mem})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var parts []arrow.RecordBatch
	defer func() { releaseRecords(parts) }()
	for len(rows) > 0 {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fault.Corrupt(f.meta.Name, fmt.Sprintf("holds fewer rows than its manifest says, %d", f.meta.Rows), nil)
		}
		if err != nil {
			return nil, err
		}
		base, end := r.Position(), r.Position()+rec.NumRows()
		for len(rows) > 0 && rows[0].From < end {
			from := max(rows[0].From, base)
			parts = append(parts, rec.NewSlice(from-base, min(rows[0].To, end)-base))
			if rows[0].To > end {
				break
			}
			rows = rows[1:]
		}
		rec.Release()
	}
	return joinBatches(parts, mem)
}

// zoneKeys are the keys of a zone, in memory of their own.
type zoneKeys struct {
	keyList
	from int64
}

// loadZones gives the keys of the zones, which rise, reading those together
// that are not in the cache.
func (f *keyFile) loadZones(ctx context.Context, h *fileHandle, zones []int) ([]*zoneKeys, error) {
	out := make([]*zoneKeys, len(zones))
	var missing []int // places in zones
	var rows []datafile.RowRange
	for i, z := range zones {
		if v := f.cache.get(cacheKey{f, pieceZone, z}); v != nil {
			out[i] = v.(*zoneKeys)
			continue
		}
		missing = append(missing, i)
		rows = append(rows, datafile.RowRange{From: h.zones.from[z], To: h.zones.from[z+1]})
	}
	if len(missing) == 0 {
		return out, nil
	}
	rec, err := f.rows(ctx, h, h.keys, rows)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	at := 0
	for j, i := range missing {
		n := int(rows[j].To - rows[j].From)
		block, err := rowblock.Append(nil, rec, at, at+n)
		if err != nil {
			return nil, err
		}
		at += n
		if out[i], err = f.space.zone(block, n, rows[j].From); err != nil {
			return nil, err
		}
		f.cache.put(cacheKey{f, pieceZone, zones[i]}, out[i], int64(len(block))*3/2)
	}
	return out, nil
}

func (s *keySpace) zone(block []byte, n int, from int64) (*zoneKeys, error) {
	rec, err := rowblock.Decode(s.schema, n, block)
	if err != nil {
		return nil, err
	}
	l, err := s.list(rec.Columns())
	if err != nil {
		return nil, err
	}
	return &zoneKeys{*l, from}, nil
}
