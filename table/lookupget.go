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
	a, err := l.answer(ctx, s, keys)
	if err != nil {
		return nil, l.table.wrap("lookup", err)
	}
	defer a.release()
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

// answer is what was found for some keys.
type answer struct {
	best     []version       // by key; without a block for an absent key
	from     []*lookupBucket // where
	borrowed []arrow.RecordBatch
}

func (a *answer) release() {
	for _, b := range a.borrowed {
		b.Release()
	}
}

// lookupQuery are the keys that are looked for in one bucket.
type lookupQuery struct {
	keys   *keyList
	hashes []uint64
	number []int32 // of each key among all, nil when they are all
}

// target is a bucket and the keys to look for there, nil for all.
type target struct {
	bucket *lookupBucket
	rows   []int32
}

// answer looks for all keys.
func (l *Lookup) answer(ctx context.Context, s *lookupState, keys arrow.RecordBatch) (*answer, error) {
	n := int(keys.NumRows())
	a := &answer{best: make([]version, n), from: make([]*lookupBucket, n)}
	targets, err := l.targets(ctx, s, keys)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if t.rows != nil && len(t.rows) == 0 {
			continue
		}
		if err := l.inBucket(ctx, a, t, keys); err != nil {
			a.release()
			return nil, err
		}
	}
	return a, nil
}

// targets finds the buckets that keys may lie in. The bucket follows from the
// key where the number of buckets is fixed, and was the same when the
// partition was written; else all buckets of the partition are asked, and all
// partitions where the key does not say which.
func (l *Lookup) targets(ctx context.Context, s *lookupState, keys arrow.RecordBatch) ([]target, error) {
	if keys.NumRows() == 0 || len(s.buckets) == 0 {
		return nil, nil
	}
	var out []target
	if l.routes == nil || len(s.buckets) == 1 && len(l.routes.partCols) == 0 {
		for _, b := range s.buckets { // a bucket that cannot hold a key costs a look at its bounds
			rows, err := l.inPartition(b, keys)
			if err != nil {
				return nil, err
			}
			out = append(out, target{b, rows})
		}
		return out, nil
	}
	r := *l.routes // with memory of its own
	routed, err := r.route(ctx, keys, nil)
	if err != nil {
		return nil, err
	}
	for _, part := range routed {
		buckets := s.parts[string(part.partition)]
		fixed := r.function != nil && !slices.ContainsFunc(buckets, func(b *lookupBucket) bool { return b.total != l.table.options.Bucket })
		if !fixed {
			for _, b := range buckets {
				out = append(out, target{b, part.rows})
			}
			continue
		}
		if b := s.buckets[bucketKey{string(part.partition), part.bucket}]; b != nil {
			out = append(out, target{b, part.rows})
		}
	}
	return out, nil
}

// inPartition are the keys whose partition columns, if they have some, are
// those of the bucket; nil for all.
func (l *Lookup) inPartition(b *lookupBucket, keys arrow.RecordBatch) ([]int32, error) {
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

// newRouter finds partitions and buckets by keys; it is nil when keys do not
// hold all partition columns.
func (l *Lookup) newRouter() (*router, error) {
	sc := l.scan.schema
	at := func(name string) int {
		return slices.IndexFunc(l.primary, func(f schema.Field) bool { return f.Name == name })
	}
	r := &router{}
	for _, f := range sc.PartitionFields() {
		if at(f.Name) < 0 {
			return nil, nil
		}
		r.partCols, r.partTypes = append(r.partCols, at(f.Name)), append(r.partTypes, f.Type)
	}
	for _, f := range sc.BucketKeyFields() {
		r.keyCols, r.keyTypes = append(r.keyCols, at(f.Name)), append(r.keyTypes, f.Type)
	}
	var err error
	if n := l.table.options.Bucket; n > 0 && !slices.Contains(r.keyCols, -1) {
		r.function, err = bucket.New(l.table.options.BucketFunction, n, r.keyTypes)
	}
	return r, err
}

// inBucket looks for keys in one bucket.
func (l *Lookup) inBucket(ctx context.Context, a *answer, t target, keys arrow.RecordBatch) error {
	cols := make([]arrow.Array, len(l.space.fields))
	for i, f := range l.space.fields {
		cols[i] = keys.Column(keys.Schema().FieldIndices(f.Name)[0])
		if t.rows != nil {
			picked, err := take.Array(cols[i], t.rows, l.table.world.Alloc)
			if err != nil {
				return err
			}
			defer picked.Release()
			cols[i] = picked
		}
	}
	q := &lookupQuery{number: t.rows}
	var err error
	if q.keys, err = l.space.list(cols); err != nil {
		return err
	}
	q.hashes = make([]uint64, q.keys.Len())
	for i := range q.hashes {
		q.hashes[i] = l.space.layout.Hash(&q.keys.Keys, i)
	}
	which, first := l.space.sortKeys(q.keys)
	best := make([]version, q.keys.Len())
	if l.plain {
		err = l.newest(ctx, t.bucket, q, which, best)
	} else {
		err = l.merged(ctx, a, t.bucket, q, which, best)
	}
	if err != nil {
		return err
	}
	for i, k := range first {
		v := best[k]
		if v.block == nil || mergeengine.Retracts(v.kind()) {
			continue
		}
		if q.number != nil {
			i = int(q.number[i])
		}
		a.best[i], a.from[i] = v, t.bucket
	}
	return nil
}

// newest finds the newest version of each key. The youngest run comes first,
// and a version ends the search when no older run holds a larger sequence number.
func (l *Lookup) newest(ctx context.Context, b *lookupBucket, q *lookupQuery, which []int32, best []version) error {
	which = slices.Clone(which)
	for i := range b.runs {
		err := b.runs[i].byFile(l.space, q.keys, which, func(file int, keys []int32) error {
			return l.visible(ctx, b, file, q, keys, func(k int32, v version) {
				if best[k].block == nil || v.sequence() > best[k].sequence() {
					best[k] = v
				}
			})
		})
		if err != nil {
			return err
		}
		which = slices.DeleteFunc(which, func(k int32) bool {
			return best[k].block != nil && best[k].sequence() >= b.ceiling[i+1]
		})
		if len(which) == 0 {
			break
		}
	}
	return nil
}

// visible are the versions of a file that its deletion vector leaves.
func (l *Lookup) visible(ctx context.Context, b *lookupBucket, file int, q *lookupQuery, keys []int32, found func(int32, version)) error {
	gone, err := b.goneFrom(ctx, l, file)
	if err != nil {
		return err
	}
	return b.files[file].versions(ctx, q, keys, func(k int32, v version) {
		if gone == nil || !gone.Has(v.block.from+int64(v.row)) {
			found(k, v)
		}
	})
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
