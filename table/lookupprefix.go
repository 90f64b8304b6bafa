package table

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/schema"
)

// GetPrefix yields all rows whose key begins with the given values: a Row of
// the first columns of the key, where partition columns do not count, and of
// none or all of the partition columns. Rows of one bucket come in key order.
// A batch is borrowed until the next step: Retain it to keep it. It may be
// called concurrently. Errors: ErrInvalid for other columns.
func (l *Lookup) GetPrefix(ctx context.Context, prefix Row) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		s, err := l.begin(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		defer l.end(s)
		p, buckets, err := l.prefix(s, prefix)
		if err != nil {
			yield(nil, l.table.wrap("lookup", err))
			return
		}
		for _, b := range buckets {
			for rec, err := range l.prefixIn(ctx, b, p) {
				if !yield(rec, l.table.wrap("lookup", err)) || err != nil {
					return
				}
			}
		}
	}
}

// prefix checks the columns, and finds the buckets that rows may lie in.
func (l *Lookup) prefix(s *lookupState, prefix Row) (*vector.Prefix, []*lookupBucket, error) {
	sc := l.scan.schema
	values, err := rowValues(sc.Fields, prefix, l.table.settings.TimeZone)
	if err != nil {
		return nil, nil, err
	}
	given := func(fields []schema.Field) (n int) {
		for n < len(fields) && values[sc.Index(fields[n].Name)] != nil {
			n++
		}
		return n
	}
	parts, leading := given(sc.PartitionFields()), given(l.space.fields)
	if leading == 0 || leading+parts != len(prefix) || parts != 0 && parts != len(sc.PartitionFields()) {
		return nil, nil, l.wrongKey("a prefix takes the first of the columns %v, and all partition columns or none", names(l.space.fields))
	}
	var cells []any
	for _, f := range l.space.fields[:leading] {
		cells = append(cells, values[sc.Index(f.Name)])
	}
	a, err := rowjson.NewAppender(l.space.fields[:leading], l.table.world.Alloc)
	if err != nil {
		return nil, nil, err
	}
	if err := a.Append(schema.Insert, cells); err != nil {
		return nil, nil, err
	}
	rec, _ := a.Flush()
	defer rec.Release()
	p, err := l.space.layout.Prefix(rec.Columns())
	if err != nil {
		return nil, nil, err
	}
	buckets, err := l.prefixBuckets(s, values, leading, parts)
	return p, buckets, err
}

// prefixBuckets are the buckets of the partition, or of all, in order; one
// bucket where the prefix says which.
func (l *Lookup) prefixBuckets(s *lookupState, values []any, leading, parts int) ([]*lookupBucket, error) {
	sc := l.scan.schema
	var out []*lookupBucket
	for _, b := range s.buckets {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *lookupBucket) int { return l.table.compareBuckets(a.bucketKey, b.bucketKey) })
	if parts > 0 {
		types := typesOf(sc.PartitionFields())
		out = slices.DeleteFunc(out, func(b *lookupBucket) bool {
			have, err := l.table.partitionValues([]byte(b.partition))
			if err != nil {
				return false
			}
			for i, f := range sc.PartitionFields() {
				if have[i] == nil || schema.Compare(types[i], have[i], values[sc.Index(f.Name)]) != 0 {
					return true
				}
			}
			return false
		})
	}
	inPrefix := nameSet(l.space.fields[:leading])
	var hashed []any
	for _, f := range sc.BucketKeyFields() {
		if !inPrefix[f.Name] {
			return out, nil
		}
		hashed = append(hashed, values[sc.Index(f.Name)])
	}
	if l.routes == nil || l.routes.function == nil {
		return out, nil
	}
	n, err := l.routes.function.Of(hashed)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out, func(b *lookupBucket) bool { return b.total == l.table.options.Bucket && b.bucket != n }), nil
}

// prefixIn merges the rows of a prefix in one bucket.
func (l *Lookup) prefixIn(ctx context.Context, b *lookupBucket, p *vector.Prefix) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		var runs []lsm.Run
		for i := range b.runs {
			r := &prefixRun{ctx: ctx, lookup: l, bucket: b, prefix: p, rank: i, files: b.runs[i].overlapping(p)}
			if len(r.files) > 0 {
				runs = append(runs, r)
			}
		}
		if len(runs) == 0 {
			return
		}
		m, err := l.merge(b.levels, runs, true)
		if err != nil {
			yield(nil, err)
			return
		}
		defer m.Close()
		for {
			rec, err := m.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			var out arrow.RecordBatch
			if err == nil {
				out, err = l.project(rec, b)
				rec.Release()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			more := yield(out, nil)
			out.Release()
			if !more {
				return
			}
		}
	}
}

// overlapping are the files of a run that may hold keys of a prefix.
func (r *finderRun) overlapping(p *vector.Prefix) (files []int) {
	for i, f := range r.files {
		if p.Compare(&r.upper.Keys, i) >= 0 && p.Compare(&r.lower.Keys, i) <= 0 {
			files = append(files, f)
		}
	}
	return files
}

// project makes rows of the result from rows of blocks.
func (l *Lookup) project(rec arrow.RecordBatch, b *lookupBucket) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, len(l.scan.fields))
	defer func() { releaseAll(cols) }()
	var zeros []int32
	for i, f := range l.scan.fields {
		if at := l.at[i]; at >= 0 {
			rec.Column(at).Retain()
			cols = append(cols, rec.Column(at))
			continue
		}
		if zeros == nil {
			zeros = make([]int32, rec.NumRows())
		}
		col, err := take.Array(b.constants[f.Name], zeros, l.table.world.Alloc)
		if err != nil {
			return nil, err
		}
		cols = append(cols, col)
	}
	return array.NewRecordBatch(l.scan.arrow, cols, rec.NumRows()), nil
}

// prefixBlocks is how many blocks of a data file are read together.
const prefixBlocks = 32

// prefixRun reads the rows of a prefix in one sorted run. It implements lsm.Run.
type prefixRun struct {
	ctx    context.Context // of the call that reads
	lookup *Lookup
	bucket *lookupBucket
	prefix *vector.Prefix
	rank   int
	files  []int
	name   string

	blocks func() (*rowBlock, error) // of the open file, nil at its end
	local  *localFile                // held while it is read
	gone   *deletion.Vector
}

// Name is the file being read.
func (r *prefixRun) Name() string { return r.name }

// Rank is the age of the run.
func (r *prefixRun) Rank() int { return r.rank }

// Close gives up the open file.
func (r *prefixRun) Close() error {
	if r.local != nil {
		r.local.release()
	}
	r.blocks, r.local = nil, nil
	return nil
}

// Next is the next batch that has rows.
func (r *prefixRun) Next() (arrow.RecordBatch, error) {
	for {
		if r.blocks == nil {
			if len(r.files) == 0 {
				return nil, io.EOF
			}
			if err := r.open(r.files[0]); err != nil {
				return nil, err
			}
			r.files = r.files[1:]
		}
		b, err := r.blocks()
		if err != nil {
			return nil, err
		}
		if b == nil {
			_ = r.Close()
			continue
		}
		rec, err := r.within(b)
		if rec != nil || err != nil {
			return rec, err
		}
	}
}

// within are the rows of a block that have the prefix, nil when there are none.
func (r *prefixRun) within(b *rowBlock) (arrow.RecordBatch, error) {
	from, to := searchPrefix(r.prefix, &b.keys.Keys, -1), searchPrefix(r.prefix, &b.keys.Keys, 0)
	if from == to {
		return nil, nil
	}
	rec := b.NewSlice(int64(from), int64(to))
	if r.gone == nil {
		return rec, nil
	}
	rows, all := r.gone.Live(b.from+int64(from), to-from)
	if all {
		return rec, nil
	}
	defer rec.Release()
	if len(rows) == 0 {
		return nil, nil
	}
	return take.Record(rec, rows, r.lookup.table.world.Alloc)
}

func (r *prefixRun) open(file int) error {
	f := r.bucket.files[file]
	r.name = f.meta.Name
	var err error
	if r.gone, err = r.bucket.goneFrom(r.ctx, r.lookup, file); err != nil {
		return err
	}
	if local := f.local.Load(); local != nil && local.acquire() {
		r.local = local
		r.blocks = r.localBlocks(f, local)
		return nil
	}
	from, to, err := f.prefixRows(r.ctx, r.prefix)
	if err != nil {
		return err
	}
	r.blocks = r.remoteBlocks(f, from, to)
	return nil
}

// remoteBlocks reads the blocks that hold rows of the data file, several together.
func (r *prefixRun) remoteBlocks(f *lookupFile, from, to int64) func() (*rowBlock, error) {
	var read []*rowBlock
	at, end := from/f.blockRows, (to+f.blockRows-1)/f.blockRows
	if from >= to {
		at = end
	}
	return func() (*rowBlock, error) {
		if len(read) == 0 {
			var numbers []int64
			for ; at < end && len(numbers) < prefixBlocks; at++ {
				numbers = append(numbers, at)
			}
			if len(numbers) == 0 {
				return nil, nil
			}
			var err error
			if read, err = f.blocks(r.ctx, numbers); err != nil {
				return nil, err
			}
		}
		b := read[0]
		read = read[1:]
		return b, nil
	}
}

// localBlocks goes through the blocks of a local file that may hold the prefix.
func (r *prefixRun) localBlocks(f *lookupFile, local *localFile) func() (*rowBlock, error) {
	at := max(0, searchPrefix(r.prefix, &local.firsts.Keys, -1)-1)
	return func() (*rowBlock, error) {
		if at == len(local.ends) || r.prefix.Compare(&local.firsts.Keys, at) > 0 {
			return nil, nil
		}
		at++
		return local.block(f, at-1)
	}
}
