package table

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/internal/conform"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// Found are the rows of a batch of keys: Batch holds the rows of the keys that
// are there, in the order of the keys, and At says for every key which row is
// its own, -1 for an absent key. Release it.
type Found struct {
	Batch arrow.RecordBatch
	At    []int32
}

// Release gives up the batch.
func (f *Found) Release() { f.Batch.Release() }

// GetBatch looks up many keys: rec holds the columns of the primary key, found
// by name; others are ignored. Keys may be in any order and more than once. It
// may be called concurrently. Errors: ErrInvalid for a key without one of its
// columns, or with null.
func (l *Lookup) GetBatch(ctx context.Context, rec arrow.RecordBatch) (*Found, error) {
	keys, err := l.canonicalKeys(rec)
	if err != nil {
		return nil, l.table.wrap("lookup", err)
	}
	defer keys.Release()
	s, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer l.end(s)
	a := l.newAnswer()
	defer l.keep(a)
	if err := l.answer(ctx, a, s, keys); err != nil {
		return nil, l.table.wrap("lookup", err)
	}
	found, err := l.gather(a)
	return found, l.table.wrap("lookup", err)
}

// canonicalKeys are the key columns in the order of the key.
func (l *Lookup) canonicalKeys(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	as, err := schema.ArrowSchema(l.primary)
	if err != nil {
		return nil, err
	}
	cols := make([]arrow.Array, 0, len(l.primary))
	defer func() { releaseAll(cols) }()
	for i, f := range l.primary {
		at := rec.Schema().FieldIndices(f.Name)
		if len(at) != 1 {
			return nil, l.wrongKey("column %q is given %d times", f.Name, len(at))
		}
		col, err := conform.Array(rec.Column(at[0]), as.Field(i).Type, l.table.world.Alloc)
		if err != nil {
			return nil, columnError(f.Name, err)
		}
		cols = append(cols, col)
		if col.NullN() > 0 {
			return nil, l.wrongKey("column %q is null", f.Name)
		}
	}
	return array.NewRecordBatch(as, cols, rec.NumRows()), nil
}

// targets finds the buckets that keys may lie in. The bucket follows from the
// key where the number of buckets is fixed, and was the same when the
// partition was written; else all buckets of the partition are asked, and all
// partitions where the key does not say which.
func (l *Lookup) targets(ctx context.Context, a *answer, s *lookupState, keys arrow.RecordBatch) error {
	if keys.NumRows() == 0 || len(s.buckets) == 0 {
		return nil
	}
	if l.routes == nil || len(s.buckets) == 1 && len(l.routes.partCols) == 0 {
		for _, b := range s.buckets { // a bucket that cannot hold a key costs a look at its bounds
			rows, err := l.inPartition(b, keys)
			if err != nil {
				return err
			}
			a.targets = append(a.targets, target{b, rows})
		}
		return nil
	}
	routed, err := a.routes.route(ctx, keys, nil)
	if err != nil {
		return err
	}
	for _, part := range routed {
		buckets := s.parts[string(part.partition)]
		fixed := a.routes.function != nil && !slices.ContainsFunc(buckets, func(b *lookupBucket) bool { return b.total != l.table.options.Bucket })
		if !fixed {
			for _, b := range buckets {
				a.targets = append(a.targets, target{b, part.rows})
			}
			continue
		}
		if b := s.buckets[bucketKey{string(part.partition), part.bucket}]; b != nil {
			a.targets = append(a.targets, target{b, part.rows})
		}
	}
	return nil
}

// inPartition are the keys whose partition columns, if they have some, are
// those of the bucket; nil for all.
func (l *Lookup) inPartition(b *lookupBucket, keys arrow.RecordBatch) ([]int32, error) {
	if len(b.constants) == 0 {
		return nil, nil
	}
	rows, all := make([]int32, 0, keys.NumRows()), true
	for i := range int(keys.NumRows()) {
		rows = append(rows, int32(i))
	}
	for i, f := range l.primary {
		constant := b.constants[f.Name]
		if constant == nil {
			continue
		}
		all = false
		want, err := binaryrow.Values(f.Type, constant, 0)
		if err != nil {
			return nil, err
		}
		rows = slices.DeleteFunc(rows, func(row int32) bool {
			have, bad := binaryrow.Values(f.Type, keys.Column(i), int(row))
			if bad != nil {
				err = bad
			}
			return bad != nil || want == nil || schema.Compare(f.Type, have, want) != 0
		})
		if err != nil {
			return nil, err
		}
	}
	if all {
		return nil, nil
	}
	return rows, nil
}

// inPrimary finds a column of the primary key, -1 for another one.
func (l *Lookup) inPrimary(name string) int {
	return slices.IndexFunc(l.primary, func(f schema.Field) bool { return f.Name == name })
}

// newRouter finds partitions and buckets by keys; it is nil when keys do not
// hold all partition columns.
func (l *Lookup) newRouter() (*router, error) {
	sc := l.scan.schema
	r := &router{}
	for _, f := range sc.PartitionFields() {
		if l.inPrimary(f.Name) < 0 {
			return nil, nil
		}
		r.partCols, r.partTypes = append(r.partCols, l.inPrimary(f.Name)), append(r.partTypes, f.Type)
	}
	for _, f := range sc.BucketKeyFields() {
		r.keyCols, r.keyTypes = append(r.keyCols, l.inPrimary(f.Name)), append(r.keyTypes, f.Type)
	}
	var err error
	if n := l.table.options.Bucket; n > 0 && !slices.Contains(r.keyCols, -1) {
		r.function, err = bucket.New(l.table.options.BucketFunction, n, r.keyTypes)
	}
	return r, err
}

// inBucket looks for keys in one bucket.
func (l *Lookup) inBucket(ctx context.Context, a *answer, t target, keys arrow.RecordBatch) error {
	q := &a.query
	for _, at := range l.keyAt {
		col := keys.Column(at)
		if t.rows != nil {
			picked, err := take.Array(col, t.rows, l.table.world.Alloc)
			if err != nil {
				return err
			}
			defer picked.Release()
			col = picked
		}
		q.keys.cols = append(q.keys.cols, col)
	}
	if err := q.begin(l.space); err != nil {
		return err
	}
	var err error
	if l.plain {
		err = l.newest(ctx, t.bucket, q)
	} else {
		err = l.merged(ctx, a, t.bucket, q)
	}
	if err == nil {
		a.take(t)
	}
	return err
}

// take notes the rows that the query has found, as far as they are no deletes.
func (a *answer) take(t target) {
	q := &a.query
	for i, k := range q.first {
		v := q.best[k]
		if v.block == nil || mergeengine.Retracts(v.kind()) {
			continue
		}
		if t.rows != nil {
			i = int(t.rows[i])
		}
		a.best[i], a.from[i] = v, t.bucket
	}
}

// newest finds the newest version of each key. The youngest run comes first,
// and a version ends the search when no older run holds a larger sequence number.
func (l *Lookup) newest(ctx context.Context, b *lookupBucket, q *lookupQuery) error {
	which := append(q.which[:0], q.order...)
	q.which = which
	for i := range b.runs {
		if err := l.inRun(ctx, b, i, q, which); err != nil {
			return err
		}
		which = slices.DeleteFunc(which, func(k int32) bool {
			return q.best[k].block != nil && q.best[k].sequence() >= b.ceiling[i+1]
		})
		if len(which) == 0 {
			break
		}
	}
	return nil
}

// inRun notes the versions of keys that a sorted run has, as far as deletion
// vectors leave them.
func (l *Lookup) inRun(ctx context.Context, b *lookupBucket, run int, q *lookupQuery, which []int32) error {
	for len(which) > 0 {
		var file int
		var keys []int32
		if file, keys, which = b.runs[run].next(l.space, &q.keys, which); len(keys) == 0 {
			continue
		}
		var err error
		if q.gone, err = b.goneFrom(ctx, l, file); err != nil {
			return err
		}
		q.file = b.files[file]
		if err := q.file.versions(ctx, q, keys); err != nil {
			return err
		}
	}
	return nil
}

// gather makes the batch of what was found.
func (l *Lookup) gather(a *answer) (*Found, error) {
	f := &Found{At: make([]int32, len(a.best))}
	found, from := make([]version, 0, len(a.best)), make([]*lookupBucket, 0, len(a.best))
	for i, v := range a.best {
		f.At[i] = -1
		if v.block != nil {
			f.At[i] = int32(len(found))
			found, from = append(found, v), append(from, a.from[i])
		}
	}
	cols := make([]arrow.Array, 0, len(l.scan.fields))
	defer func() { releaseAll(cols) }()
	for i, field := range l.scan.fields {
		col, err := l.gatherColumn(found, from, i)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", field.Name, err)
		}
		cols = append(cols, col)
	}
	f.Batch = array.NewRecordBatch(l.scan.arrow, cols, int64(len(found)))
	return f, nil
}

// gatherColumn makes one column of the result.
func (l *Lookup) gatherColumn(found []version, from []*lookupBucket, i int) (arrow.Array, error) {
	dt, at, mem := l.scan.arrow.Field(i).Type, l.at[i], l.table.world.Alloc
	if at >= 0 && len(found) > 0 && found[0].block.cells[at].form != cellNested {
		return gatherCells(found, at, dt, mem)
	}
	g, err := vector.NewGatherer(dt, mem)
	if err != nil {
		return nil, err
	}
	refs := make([]vector.Ref, len(found))
	blocks, buckets := map[*rowBlock]int{}, map[*lookupBucket]int{}
	for j, v := range found {
		var source arrow.Array
		if at >= 0 {
			refs[j], source = vector.MakeRef(numberOf(blocks, v.block), int(v.row)), v.block.Column(at)
		} else {
			refs[j], source = vector.MakeRef(numberOf(buckets, from[j]), 0), from[j].constants[l.scan.fields[i].Name]
		}
		if err := g.Set(refs[j].Source(), source); err != nil {
			return nil, err
		}
	}
	return g.Take(vector.Select(refs))
}

// numberOf numbers things in the order in which they are first asked for.
func numberOf[T comparable](numbers map[T]int, x T) int {
	n, ok := numbers[x]
	if !ok {
		n = len(numbers)
		numbers[x] = n
	}
	return n
}
