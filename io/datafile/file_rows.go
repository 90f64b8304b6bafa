package datafile

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
)

// RowRange is the rows From up to but without To of a file, counted from 0.
type RowRange struct{ From, To int64 }

// coalesceGap is what ReadRows reads in vain to join two reads.
const coalesceGap = 1 << 20

// ReadRows returns the given rows of the wanted columns; ranges are not empty,
// rise and do not overlap. Columns and types are those of ReaderOptions.Fields,
// the caller releases the batch. Of a row group only the pages that hold the
// rows are read, in one request unless gaps of more than 1 MiB lie between
// them. In memory are these pages and the result, so ask for what fits;
// rows whose text takes more than 2 GiB a column are an error.
//
// Files without page indexes are decoded up to the last row asked for.
func (f *File) ReadRows(ctx context.Context, fields []schema.Field, rows []RowRange) (rec arrow.RecordBatch, err error) {
	at := int64(0)
	for _, r := range rows {
		if r.From < at || r.To <= r.From || r.To > f.meta.rows {
			return nil, f.outside(r)
		}
		at = r.To
	}
	err = guard(f.tail.name, func() error {
		p, err := f.bound(ctx, fields)
		if err != nil {
			return err
		}
		defer p.unbind()
		s := &rowSet{file: f, parquetFile: p, parts: make([][]arrow.Array, len(p.cols))}
		defer s.release()
		if err := s.read(rows); err != nil {
			return err
		}
		rec, err = s.batch()
		return err
	})
	return rec, err
}

// rowSet reads chosen rows, row group by row group.
type rowSet struct {
	*parquetFile
	file  *File
	parts [][]arrow.Array // of each column
	total int64
	held  heldBytes
}

func (s *rowSet) release() {
	for _, parts := range s.parts {
		for _, a := range parts {
			a.Release()
		}
	}
}

func (s *rowSet) read(rows []RowRange) error {
	for _, r := range rows {
		s.total += r.To - r.From
	}
	for g := 0; g < len(s.meta.groups) && len(rows) > 0; g++ {
		var local []rowRange
		base, end := s.file.starts[g], s.file.starts[g+1]
		for len(rows) > 0 && rows[0].From < end {
			local = append(local, rowRange{rows[0].From - base, min(rows[0].To, end) - base})
			if rows[0].To > end {
				rows = append([]RowRange{{end, rows[0].To}}, rows[1:]...)
				break
			}
			rows = rows[1:]
		}
		if len(local) == 0 {
			continue
		}
		if err := s.readGroup(&s.meta.groups[g], local); err != nil {
			return err
		}
	}
	return nil
}

func (s *rowSet) readGroup(g *rowGroup, rows []rowRange) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	var wanted []extent
	for _, c := range s.cols {
		for _, l := range c.leaves {
			ch := &g.chunks[l.node.leaf]
			pages, err := s.file.pagesOf(s.parquetFile, ch, g.rows)
			if err != nil {
				return err
			}
			if err := l.open(ch, g.rows, pages); err != nil {
				return l.fail(err)
			}
			wanted = l.pagesFor(wanted, rows)
		}
	}
	if err := s.held.fetch(s.tail, wanted); err != nil {
		return err
	}
	for i, c := range s.cols {
		if err := s.readColumn(i, c, rows); err != nil {
			return err
		}
	}
	return nil
}

// pagesFor appends where the dictionary and the pages of the rows lie, pages
// beside one another as one.
func (l *leafReader) pagesFor(dst []extent, rows []rowRange) []extent {
	if l.pages == nil {
		return dst
	}
	if dict := l.pages[0].off - l.io.off; dict > 0 {
		dst = append(dst, extent{l.io.off, dict})
	}
	last := -1
	for _, r := range rows {
		for i := max(l.pageOf(r.from), last+1); i < len(l.pages) && l.pages[i].row < r.to; i++ {
			dst = append(dst, extent{l.pages[i].off, l.pages[i].size})
			last = i
		}
	}
	return dst
}

func (s *rowSet) readColumn(i int, c *colReader, rows []rowRange) error {
	n := int64(0)
	for _, r := range rows {
		n += r.to - r.from
	}
	if c.slot == nil {
		s.parts[i] = append(s.parts[i], array.MakeArrayOfNull(c.alloc, c.dt, int(n)))
		return nil
	}
	for _, l := range c.leaves {
		l.begin(int(n))
	}
	for _, r := range rows {
		for _, l := range c.leaves {
			if err := s.readLeaf(i, c, l, r); err != nil {
				return l.fail(err)
			}
		}
	}
	a, err := c.finish()
	if err != nil {
		return err
	}
	s.parts[i] = append(s.parts[i], a)
	return nil
}

// readLeaf appends a range of rows to the leaf's batch.
func (s *rowSet) readLeaf(i int, c *colReader, l *leafReader, r rowRange) error {
	for at := r.from; at < r.to; {
		end := r.to
		if l.pages != nil {
			p := l.pageOf(at)
			if err := s.enter(l, p); err != nil {
				return err
			}
			if p+1 < len(l.pages) {
				end = min(end, l.pages[p+1].row)
			}
		}
		if err := l.skipWithin(at); err != nil {
			return err
		}
		if c.nested {
			if err := l.readNested(int(end - at)); err != nil {
				return err
			}
			at = end
			continue
		}
		if err := l.readFlat(int(end - at)); err != nil {
			return err
		}
		if at = l.row; at < end { // full of text: go on in another array
			a, err := c.finish()
			if err != nil {
				return err
			}
			s.parts[i] = append(s.parts[i], a)
			l.begin(int(r.to - at))
		}
	}
	return nil
}

// skipWithin moves forward to a row without looking for its page.
func (l *leafReader) skipWithin(row int64) error {
	pages := l.pages
	l.pages = nil
	defer func() { l.pages = pages }()
	return l.skipTo(row, row+1)
}

// enter moves to a page whose bytes are held, unless the leaf is in it.
func (s *rowSet) enter(l *leafReader, p int) error {
	if l.first {
		if dict := l.pages[0].off - l.io.off; dict > 0 {
			if err := s.dictionary(l, dict); err != nil {
				return err
			}
		}
	} else if l.entered == p+1 {
		return nil
	}
	page := l.pages[p]
	data, err := s.held.bytes(s.tail, page.off, page.size)
	if err != nil {
		return err
	}
	l.io.give(data, page.off)
	l.first, l.todo, l.entered = false, -1, p+1
	l.left, l.qdef, l.qrep = 0, nil, nil
	l.row = page.row
	return nil
}

// dictionary reads the pages before the first data page.
func (s *rowSet) dictionary(l *leafReader, n int64) error {
	data, err := s.held.bytes(s.tail, l.io.off, n)
	if err != nil {
		return err
	}
	l.io.give(data, l.io.off)
	h, err := l.header()
	if err != nil || h.kind != pageDict {
		return err
	}
	return l.dictionary(h)
}

// give makes data, which lies at off, all that there is to read.
func (c *chunkIO) give(data []byte, off int64) {
	c.buf, c.at, c.off = data, 0, off
	c.end, c.stop = off+int64(len(data)), off+int64(len(data))
}

// batch joins the parts.
func (s *rowSet) batch() (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, len(s.parts))
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	for i, parts := range s.parts {
		if len(parts) == 1 {
			parts[0].Retain()
			cols = append(cols, parts[0])
			continue
		}
		if len(parts) == 0 {
			cols = append(cols, array.MakeArrayOfNull(s.opts.Alloc, s.cols[i].dt, 0))
			continue
		}
		a, err := array.Concatenate(parts, s.opts.Alloc)
		if err != nil {
			return nil, err
		}
		cols = append(cols, a)
	}
	return array.NewRecordBatch(s.schema, cols, s.total), nil
}

// heldBytes are ranges of a file in memory.
type heldBytes struct{ parts []heldPart }

type heldPart struct {
	off  int64
	data []byte
}

// fetch reads the wanted ranges that the tail does not hold, several in one
// request where the gaps between them are small.
func (h *heldBytes) fetch(t *tail, wanted []extent) error {
	h.parts = h.parts[:0]
	wanted = slices.DeleteFunc(wanted, func(x extent) bool { return x.off >= t.off })
	slices.SortFunc(wanted, func(a, b extent) int { return int(min(max(a.off-b.off, -1), 1)) })
	for i := 0; i < len(wanted); {
		off, end := wanted[i].off, wanted[i].off+wanted[i].len
		for i++; i < len(wanted) && wanted[i].off <= end+coalesceGap; i++ {
			end = max(end, wanted[i].off+wanted[i].len)
		}
		data, err := t.read(off, min(end, t.off)-off)
		if err != nil {
			return err
		}
		if end > t.off { // the last page reaches into the tail
			data = append(data, t.data[:end-t.off]...)
		}
		h.parts = append(h.parts, heldPart{off, data})
	}
	return nil
}

var errNotHeld = errors.New("page lies outside what was read for it")

func (h *heldBytes) bytes(t *tail, off, n int64) ([]byte, error) {
	if off >= t.off {
		return t.read(off, n)
	}
	for _, p := range h.parts {
		if off >= p.off && off+n <= p.off+int64(len(p.data)) {
			return p.data[off-p.off : off-p.off+n : off-p.off+n], nil
		}
	}
	return nil, errNotHeld
}

var _ io.Closer = (*File)(nil)
