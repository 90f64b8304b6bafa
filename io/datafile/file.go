package datafile

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
)

// File gives access to chosen rows of one Parquet file, as Reader does to all
// of them. The metadata is read once and kept, the page indexes included, so
// that every later call reads nothing but the pages that hold what it asks for:
//
//	Zones     which rows can hold what?      metadata only
//	ReadRows  these rows of these columns    their pages, neighbours in one request
//
// Its methods may run in parallel; Close only after all of them.
type File struct {
	tail   tail // without a context: each call has its own
	alloc  memory.Allocator
	meta   *fileMeta
	root   *node
	starts []int64 // first row of each row group, and the number of rows

	mu      sync.Mutex
	offsets map[*chunkMeta][]pageLoc
}

// indexBytes bounds the page indexes that OpenFile reads ahead.
const indexBytes = 16 << 20

// OpenFile reads the metadata and the page indexes of obj, in one request for
// a small file and in two for most others. name stands for the file in errors.
// It takes obj over: Close of the File closes it, and so does OpenFile when it
// fails. A nil alloc is memory.DefaultAllocator. Errors are those of [Open].
func OpenFile(ctx context.Context, obj store.Object, name string, alloc memory.Allocator) (f *File, err error) {
	defer func() {
		if err != nil {
			_ = obj.Close()
		}
	}()
	if alloc == nil {
		alloc = memory.DefaultAllocator
	}
	t, err := openTail(ctx, obj, name)
	if err != nil {
		return nil, err
	}
	f = &File{alloc: alloc, offsets: make(map[*chunkMeta][]pageLoc)}
	err = guard(name, func() error {
		if f.meta, err = t.footer(); err != nil {
			return err
		}
		root, leaves, err := f.meta.tree()
		if err == nil {
			err = f.meta.checkChunks(leaves)
		}
		if err != nil {
			return fault.Corrupt(name, "parquet metadata", err)
		}
		f.root = root
		return t.extend(f.meta.indexStart())
	})
	if err != nil {
		return nil, err
	}
	f.starts = make([]int64, 1, len(f.meta.groups)+1)
	for i := range f.meta.groups {
		f.starts = append(f.starts, f.starts[i]+f.meta.groups[i].rows)
	}
	t.ctx = nil
	f.tail = *t
	return f, nil
}

// indexStart is where the first page index lies; the metadata when there is none.
func (m *fileMeta) indexStart() int64 {
	at := m.end
	for g := range m.groups {
		for c := range m.groups[g].chunks {
			ch := &m.groups[g].chunks[c]
			for _, x := range []extent{ch.columnIndex, ch.offsetIndex} {
				if x.len > 0 && x.off > 0 {
					at = min(at, x.off)
				}
			}
		}
	}
	return at
}

// extend makes the tail begin at off, unless that is far.
func (t *tail) extend(off int64) error {
	if off >= t.off || t.off-off > indexBytes {
		return nil
	}
	data := make([]byte, t.size-off)
	copy(data[t.off-off:], t.data)
	if err := readRange(t.ctx, t.obj, t.name, data[:t.off-off], off); err != nil {
		return err
	}
	t.off, t.data = off, data
	return nil
}

// Rows is the number of rows.
func (f *File) Rows() int64 { return f.meta.rows }

// Has tells whether the file has a column of this name.
func (f *File) Has(column string) bool { return f.root.kid(column) != nil }

// Held is about how many bytes of memory the File takes.
func (f *File) Held() int64 {
	return int64(len(f.tail.data)) + 512*int64(len(f.meta.groups)*len(f.meta.schema))
}

// Close closes the object.
func (f *File) Close() error { return f.tail.obj.Close() }

// at is the file for the time of one call.
func (f *File) at(ctx context.Context) *tail {
	t := f.tail
	t.ctx = ctx
	return &t
}

// bound is the file with the wanted columns, for the time of one call.
func (f *File) bound(ctx context.Context, fields []schema.Field) (*parquetFile, error) {
	as, err := schema.ArrowSchema(fields)
	if err != nil {
		return nil, err
	}
	p := &parquetFile{tail: f.at(ctx), opts: ReaderOptions{Fields: fields, Alloc: f.alloc}, meta: f.meta, schema: as}
	for i, field := range fields {
		c, err := bindColumn(field, as.Field(i).Type, f.root, f.alloc, p.newLeaf)
		if err != nil {
			p.unbind()
			return nil, bindError(f.tail.name, err)
		}
		p.cols = append(p.cols, c)
	}
	return p, nil
}

func (p *parquetFile) unbind() {
	for _, c := range p.cols {
		c.release()
	}
}

// pagesOf is the offset index of a chunk, nil when there is none.
func (f *File) pagesOf(p *parquetFile, ch *chunkMeta, rows int64) ([]pageLoc, error) {
	f.mu.Lock()
	pages, known := f.offsets[ch]
	f.mu.Unlock()
	if known {
		return pages, nil
	}
	pages, err := p.offsetIndex(ch, rows)
	if err != nil {
		return nil, fault.Corrupt(f.tail.name, "offset index", err)
	}
	f.mu.Lock()
	f.offsets[ch] = pages
	f.mu.Unlock()
	return pages, nil
}

// Zone is a range of rows, From up to but without To, and what is known of
// the asked columns there. Own says of each column whether its statistics are
// those of these rows alone, and not of some around them too.
type Zone struct {
	From, To int64
	Columns  []ColumnStats
	Own      []bool
}

// Zones cuts the file at the row groups, and at the pages of the given
// columns where the file has page indexes, and returns their statistics: as
// with ReaderOptions.Keep, bounds that are nil are unknown, and bounds of text
// may be wider than the values.
func (f *File) Zones(ctx context.Context, fields []schema.Field) (zones []Zone, err error) {
	err = guard(f.tail.name, func() error {
		p, err := f.bound(ctx, fields)
		if err != nil {
			return err
		}
		defer p.unbind()
		for g := range f.meta.groups {
			if f.meta.groups[g].rows == 0 {
				continue
			}
			if zones, err = p.groupZones(zones, &f.meta.groups[g], f.starts[g]); err != nil {
				return err
			}
		}
		return nil
	})
	return zones, err
}

func (p *parquetFile) groupZones(zones []Zone, g *rowGroup, base int64) ([]Zone, error) {
	indexes, err := p.pageIndexes(g, nil)
	if err != nil {
		return nil, err
	}
	cuts := pageCuts(g.rows, indexes)
	for i, from := range cuts[:len(cuts)-1] {
		z := Zone{From: base + from, To: base + cuts[i+1]}
		for _, c := range p.cols {
			if x := indexes[c.field.Name]; x != nil {
				z.Columns = append(z.Columns, x.stats(from, cuts[i+1]-from))
				z.Own = append(z.Own, x.isPage(from, cuts[i+1]))
				continue
			}
			s, _ := p.groupStats(g, c.field.Name)
			s.Nulls = partNulls(s.Nulls, g.rows, cuts[i+1]-from)
			z.Columns = append(z.Columns, s)
			z.Own = append(z.Own, cuts[i+1]-from == g.rows)
		}
		zones = append(zones, z)
	}
	return zones, nil
}

// isPage tells that the rows are those of one page.
func (x *pageIndex) isPage(from, to int64) bool {
	i, found := slices.BinarySearchFunc(x.pages, from, func(l pageLoc, row int64) int { return int(min(max(l.row-row, -1), 1)) })
	return found && (i+1 == len(x.pages) && to == x.rows || i+1 < len(x.pages) && x.pages[i+1].row == to)
}

// outside is a call for rows that the file does not have.
func (f *File) outside(r RowRange) error {
	return fault.Invalid(fmt.Sprintf("rows %d to %d are wanted of file %s, which has %d, in rising order", r.From, r.To, f.tail.name, f.meta.rows))
}
