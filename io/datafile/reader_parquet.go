package datafile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
)

// preloadMost bounds a row group that is read at its start, neighbouring columns
// together. Larger row groups are read column by column, ahead of need.
const preloadMost = 8 << 20

// preloadGap is what is read in vain to join two columns.
const preloadGap = 64 << 10

// parquetFile reads a Parquet file:
//
//	row group → spans of rows that Keep lets pass → batches of a span
//	                                                  └ column ∥ column ∥ column
type parquetFile struct {
	*tail
	opts   ReaderOptions
	meta   *fileMeta
	schema *arrow.Schema
	cols   []*colReader
	order  []int // columns, the largest first
	loaded []byte

	group int   // the current row group
	base  int64 // its first row in the file
	spans []rowRange
	row   int64 // next row within the group
}

// rowRange is a range of rows of a row group.
type rowRange struct{ from, to int64 }

func openParquet(ctx context.Context, obj store.Object, name string, opts ReaderOptions) (source, error) {
	as, err := schema.ArrowSchema(opts.Fields)
	if err != nil {
		return nil, err
	}
	t, err := openTail(ctx, obj, name)
	if err != nil {
		return nil, err
	}
	p := &parquetFile{tail: t, opts: opts, schema: as, group: -1}
	if p.meta, err = t.footer(); err != nil {
		return nil, err
	}
	root, leaves, err := p.meta.tree()
	if err == nil {
		err = p.meta.checkChunks(leaves)
	}
	if err != nil {
		return nil, fault.Corrupt(name, "parquet metadata", err)
	}
	for i, f := range opts.Fields {
		if opts.Complete && root.kid(f.Name) == nil {
			p.close()
			return nil, lacks(name, f.Name)
		}
		c, err := bindColumn(f, as.Field(i).Type, root, opts.Alloc, p.newLeaf)
		if err != nil {
			p.close()
			return nil, bindError(name, err)
		}
		p.cols = append(p.cols, c)
		p.order = append(p.order, i)
	}
	return p, nil
}

// lacks is a file without one of its columns.
func lacks(name, column string) error {
	return fault.Corrupt(name, fmt.Sprintf("column %q is not in the file", column), nil)
}

// bindError is a mismatch of schema and file.
func bindError(name string, err error) error {
	if errors.Is(err, fault.ErrUnsupported) {
		return err
	}
	return fault.Corrupt(name, "the file does not match its schema", err)
}

func (p *parquetFile) newLeaf(n *node, path string, v vector) *leafReader {
	return &leafReader{node: n, path: path, vec: v, alloc: p.opts.Alloc, valid: memory.NewResizableBuffer(p.opts.Alloc),
		io: chunkIO{ctx: p.ctx, obj: p.obj, name: p.name, ahead: cmp.Or(p.opts.ReadAhead, readAhead)}}
}

func (p *parquetFile) rows() int64 { return p.meta.rows }

func (p *parquetFile) close() {
	for _, c := range p.cols {
		c.release()
	}
	p.cols = nil
	_ = p.obj.Close()
}

func (p *parquetFile) next() (arrow.RecordBatch, int64, error) {
	if err := p.ctx.Err(); err != nil {
		return nil, 0, err
	}
	for len(p.spans) == 0 || p.row >= p.spans[0].to {
		if len(p.spans) > 1 {
			p.spans = p.spans[1:]
			p.row = p.spans[0].from
			continue
		}
		if err := p.nextGroup(); err != nil {
			return nil, 0, err
		}
	}
	stop := p.spans[0].to
	n := int(min(stop-p.row, int64(p.opts.BatchRows)))
	for _, c := range p.cols {
		if c.pending != nil {
			n = min(n, c.pending.Len())
		}
	}
	arrs, err := p.decode(n, stop)
	if err != nil {
		return nil, 0, err
	}
	rec := p.batch(arrs, n)
	pos := p.base + p.row
	p.row += rec.NumRows()
	return rec, pos, nil
}

// nextGroup moves to the next row group of which rows are wanted.
func (p *parquetFile) nextGroup() error {
	for p.spans = nil; p.group < len(p.meta.groups); {
		if p.group >= 0 {
			p.base += p.meta.groups[p.group].rows
		}
		if p.group++; p.group == len(p.meta.groups) {
			break
		}
		g := &p.meta.groups[p.group]
		if g.rows == 0 {
			continue
		}
		spans, err := p.choose(g)
		if err != nil {
			return err
		}
		if len(spans) > 0 {
			p.spans, p.row = spans, spans[0].from
			return p.openGroup(g)
		}
	}
	return io.EOF
}

func (p *parquetFile) openGroup(g *rowGroup) error {
	whole := len(p.spans) == 1 && p.spans[0] == rowRange{0, g.rows}
	for _, c := range p.cols {
		c.dropPending()
		for _, l := range c.leaves {
			ch := &g.chunks[l.node.leaf]
			var pages []pageLoc
			if !whole {
				var err error
				if pages, err = p.offsetIndex(ch, g.rows); err != nil {
					return fault.Corrupt(p.name, "offset index of column "+l.path, err)
				}
			}
			if err := l.open(ch, g.rows, pages); err != nil {
				return l.fail(err)
			}
		}
	}
	slices.SortStableFunc(p.order, func(a, b int) int {
		return int(min(max(p.cols[b].compressed(g)-p.cols[a].compressed(g), -1), 1))
	})
	if whole {
		return p.preload(g)
	}
	return nil
}

func (c *colReader) compressed(g *rowGroup) (n int64) {
	for _, l := range c.leaves {
		n += g.chunks[l.node.leaf].compressed
	}
	return n
}

// preloadBytes is less where little is to be read ahead, but a page of each column.
func (p *parquetFile) preloadBytes() int64 {
	if p.opts.ReadAhead == 0 {
		return preloadMost
	}
	return min(preloadMost, max(preloadMost/4, p.opts.ReadAhead*int64(len(p.cols))))
}

// preload reads the wanted chunks of a small row group in few requests.
func (p *parquetFile) preload(g *rowGroup) error {
	type want struct {
		off, end int64
		leaf     *leafReader
	}
	var all []want
	total := int64(0)
	for _, c := range p.cols {
		for _, l := range c.leaves {
			w := want{l.io.off, l.io.end, l}
			total += w.end - w.off
			if w.off >= p.off {
				l.preload(p.data[w.off-p.off : w.end-p.off])
				continue
			}
			all = append(all, w)
		}
	}
	if total > p.preloadBytes() {
		return nil
	}
	slices.SortFunc(all, func(a, b want) int { return int(min(max(a.off-b.off, -1), 1)) })
	size := int64(0)
	for i, w := range all { // every byte is read at most once, so this is bounded by total and gaps
		if i == 0 || w.off > all[i-1].end+preloadGap {
			size += w.end - w.off
		} else {
			size += max(w.end-max(all[i-1].end, w.off), 0) + max(w.off-all[i-1].end, 0)
		}
	}
	if int64(cap(p.loaded)) < size {
		p.loaded = make([]byte, size)
	}
	free := p.loaded[:size]
	for i := 0; i < len(all); {
		j, end := i+1, all[i].end
		for j < len(all) && all[j].off <= end+preloadGap && all[j].off >= all[j-1].end {
			end = all[j].end
			j++
		}
		off := all[i].off
		if end-off > int64(len(free)) {
			return nil // chunks that overlap: let each be read on its own
		}
		part := free[:end-off]
		free = free[end-off:]
		if err := readRange(p.ctx, p.obj, p.name, part, off); err != nil {
			return err
		}
		for ; i < j; i++ {
			all[i].leaf.preload(part[all[i].off-off : all[i].end-off])
		}
	}
	return nil
}

// decode reads n rows of every column, in opts.Parallel goroutines.
func (p *parquetFile) decode(n int, stop int64) ([]arrow.Array, error) {
	arrs := make([]arrow.Array, len(p.cols))
	errs := make([]error, len(p.cols))
	var next atomic.Int64
	var failed atomic.Bool
	work := func() {
		for !failed.Load() {
			k := int(next.Add(1)) - 1
			if k >= len(p.order) {
				return
			}
			i := p.order[k]
			errs[i] = guard(p.name, func() (err error) {
				arrs[i], err = p.cols[i].read(p.row, n, stop)
				return err
			})
			if errs[i] != nil {
				failed.Store(true)
			}
		}
	}
	var others sync.WaitGroup
	for range min(p.opts.Parallel, len(p.cols)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	for _, err := range errs {
		if err != nil {
			for _, a := range arrs {
				if a != nil {
					a.Release()
				}
			}
			return nil, err
		}
	}
	return arrs, nil
}

// batch joins the columns. When one of them stopped early, the others keep
// what they have beyond for the next batch.
func (p *parquetFile) batch(arrs []arrow.Array, n int) arrow.RecordBatch {
	for _, a := range arrs {
		n = min(n, a.Len())
	}
	for i, a := range arrs {
		if a.Len() > n {
			p.cols[i].pending = array.NewSlice(a, int64(n), int64(a.Len()))
			arrs[i] = array.NewSlice(a, 0, int64(n))
			a.Release()
		}
	}
	rec := array.NewRecordBatch(p.schema, arrs, int64(n))
	for _, a := range arrs {
		a.Release()
	}
	return rec
}
