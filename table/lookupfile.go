package table

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowblock"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
)

// lookupFile is a data file as a Lookup reads it: blocks of rows in memory,
// made of a local file if there is one, else of the data file's pages.
type lookupFile struct {
	keyFile
	lookup    *Lookup
	blockRows int64
	states    int // that have the file; under Lookup.mu

	local  atomic.Pointer[localFile]
	decode atomic.Int64 // rows decoded of the data file so far, about
	asked  atomic.Bool  // for a local file
}

// rowBlock are rows of one file, in memory of their own.
type rowBlock struct {
	arrow.RecordBatch // system columns, then Lookup.stored
	from              int64
	sequence          []int64
	kind              []int8
	keys              keyList
	cells             []blockCells // of every column

	slot  *atomic.Pointer[rowBlock] // of a local file, where it is found without asking the cache …
	asked atomic.Bool               // … and whether it was
}

// version is a stored version of a key.
type version struct {
	block *rowBlock
	row   int32
}

func (v version) sequence() int64 { return v.block.sequence[v.row] }
func (v version) kind() int8      { return v.block.kind[v.row] }

// blockOverhead is about what a decoded block takes beside its bytes.
const blockOverhead = 2 << 10

// rowsOfBlock makes blocks of about a page of the cache: values are packed
// to about a third in files.
func (f *lookupFile) rowsOfBlock() int64 {
	row := max(1, 3*f.meta.Size/max(1, f.meta.Rows))
	n := int64(1)
	for n < 1024 && 2*n*row <= f.table.options.Lookup.BlockBytes {
		n *= 2
	}
	return n
}

func (l *Lookup) newBlock(data []byte, rows int, from int64) (*rowBlock, error) {
	rec, err := rowblock.Decode(l.rows, rows, data)
	if err != nil {
		return nil, err
	}
	return l.blockOf(rec, from)
}

// blockOf takes a batch with the columns of blocks as a block.
func (l *Lookup) blockOf(rec arrow.RecordBatch, from int64) (*rowBlock, error) {
	b := &rowBlock{RecordBatch: rec, from: from, sequence: rec.Column(0).(*array.Int64).Values(), kind: rec.Column(1).(*array.Int8).Values()}
	keys, err := l.space.list(l.keyColumns(rec))
	if err != nil {
		return nil, err
	}
	b.keys = *keys
	b.cells = make([]blockCells, rec.NumCols())
	for i, c := range rec.Columns() {
		b.cells[i] = cellsOf(c)
	}
	return b, nil
}

// keyColumns are those of a batch that has the columns of blocks.
func (l *Lookup) keyColumns(rec arrow.RecordBatch) []arrow.Array {
	cols := make([]arrow.Array, len(l.space.fields))
	for i, f := range l.space.fields {
		cols[i] = rec.Column(l.column(f.Name))
	}
	return cols
}

// column finds a stored column in a block.
func (l *Lookup) column(name string) int {
	return len(systemFields) + slices.IndexFunc(l.stored, func(f schema.Field) bool { return f.Name == name })
}

// versions finds the keys that which names, in rising order of key, and adds
// the version that the file has of each.
func (f *lookupFile) versions(ctx context.Context, q *lookupQuery, which []int32) error {
	local := f.local.Load()
	if local == nil && fileFormat(f.meta.Name) != "parquet" {
		// The format has no access to chosen rows: copy it, if there is room.
		var err error
		if which, err = f.admitted(ctx, &q.keys, which); err != nil || len(which) == 0 {
			return err
		}
		if err := f.lookup.local.copy(ctx, f); err != nil {
			return err
		}
		local = f.local.Load()
	}
	if local != nil && local.acquire() {
		defer local.release()
		return local.versions(f, q, which)
	}
	type at struct {
		key int32
		row int64
	}
	var hits []at
	if err := f.find(ctx, &q.keys, which, func(key int32, row int64) { hits = append(hits, at{key, row}) }); err != nil {
		return err
	}
	numbers := make([]int64, 0, len(hits)) // of blocks; rows rise as keys do
	for _, h := range hits {
		if n := h.row / f.blockRows; len(numbers) == 0 || numbers[len(numbers)-1] != n {
			numbers = append(numbers, n)
		}
	}
	blocks, err := f.blocks(ctx, numbers)
	if err != nil {
		return err
	}
	i := 0
	for _, h := range hits {
		for numbers[i] != h.row/f.blockRows {
			i++
		}
		q.add(h.key, version{blocks[i], int32(h.row - blocks[i].from)})
	}
	return nil
}

// blocks gives blocks of the data file by their numbers, which rise, reading
// those together that are not in the cache.
func (f *lookupFile) blocks(ctx context.Context, numbers []int64) ([]*rowBlock, error) {
	out := make([]*rowBlock, len(numbers))
	var missing []int
	var rows []datafile.RowRange
	for i, n := range numbers {
		if v := f.cache.get(cacheKey{&f.keyFile, pieceBlock, int(n)}); v != nil {
			out[i] = v.(*rowBlock)
			continue
		}
		missing = append(missing, i)
		r := datafile.RowRange{From: n * f.blockRows, To: min((n+1)*f.blockRows, f.meta.Rows)}
		if k := len(rows); k > 0 && rows[k-1].To == r.From {
			rows[k-1].To = r.To
		} else {
			rows = append(rows, r)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	h, err := f.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer h.release()
	plan, err := f.plan(h, f.lookup.stored, true)
	if err != nil {
		return nil, err
	}
	rec, err := f.rows(ctx, h, plan, rows)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	at := 0
	for _, i := range missing {
		from := numbers[i] * f.blockRows
		n := int(min(f.blockRows, f.meta.Rows-from))
		data, err := rowblock.Append(nil, rec, at, at+n)
		if err != nil {
			return nil, err
		}
		at += n
		if out[i], err = f.lookup.newBlock(data, n, from); err != nil {
			return nil, err
		}
		f.cache.put(cacheKey{&f.keyFile, pieceBlock, int(numbers[i])}, out[i], int64(len(data))+blockOverhead)
	}
	f.spent(int64(len(missing)) * max(f.blockRows, f.meta.Rows/int64(h.zones.len())))
	return out, nil
}

// spent notes that rows were decoded. When all this has cost about what
// reading the whole file costs, the file is copied: that is at most twice the
// price of having known before.
func (f *lookupFile) spent(rows int64) {
	if f.decode.Add(rows) >= f.meta.Rows {
		f.lookup.local.want(f)
	}
}

// prefixRows gives the rows that begin with a prefix: all of them lie from the
// first up to the last returned.
func (f *lookupFile) prefixRows(ctx context.Context, p *vector.Prefix) (from, to int64, err error) {
	h, err := f.acquire(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer h.release()
	z := h.zones
	first, last := 0, z.len()-1
	for first <= last && p.Compare(&z.upper.Keys, first) < 0 {
		first++
	}
	for first <= last && p.Compare(&z.lower.Keys, last) > 0 {
		last--
	}
	if first > last {
		return 0, 0, nil
	}
	ends := []int{first}
	if last > first {
		ends = append(ends, last)
	}
	keys, err := f.loadZones(ctx, h, ends)
	if err != nil {
		return 0, 0, err
	}
	a, b := keys[0], keys[len(keys)-1]
	from = a.from + int64(searchPrefix(p, &a.Keys, -1))
	return from, b.from + int64(searchPrefix(p, &b.Keys, 0)), nil
}

// searchPrefix finds the first key that lies behind the prefix, or with -1
// the first that does not lie before it.
func searchPrefix(p *vector.Prefix, keys *vector.Keys, side int) int {
	lo, hi := 0, keys.Len()
	for lo < hi {
		if mid := (lo + hi) / 2; p.Compare(keys, mid) <= side {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
