package table

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// realBuckets gives rows of a table with postponed buckets their real ones: as
// many as their partition has already, or the table's default in a new one. It
// is for one goroutine.
type realBuckets struct {
	table  *Table
	counts map[string]int
	keys   []int // positions of the bucket key's columns
	types  []schema.Type

	rec      arrow.RecordBatch
	assigned map[int][]int32 // of rec, by number of buckets
	unused   [][]int32
	funcs    map[int]*bucket.Function
}

// newRealBuckets reads from a snapshot, nil for none, how many buckets each
// partition has.
func newRealBuckets(ctx context.Context, t *Table, at *snapshot.Snapshot) (*realBuckets, error) {
	r := &realBuckets{table: t, counts: make(map[string]int), assigned: make(map[int][]int32), funcs: make(map[int]*bucket.Function)}
	for _, f := range t.schema.BucketKeyFields() {
		r.keys, r.types = append(r.keys, t.schema.Index(f.Name)), append(r.types, f.Type)
	}
	if at == nil {
		return r, nil
	}
	entries, err := t.liveFiles(ctx, at, &manifest.Filter{Bucket: func(bucket, _ int) bool { return bucket >= 0 }})
	if err != nil {
		return nil, err
	}
	for i := range entries {
		e := &entries[i]
		if have := r.counts[string(e.Partition)]; have > 0 && e.TotalBuckets != have {
			return nil, fault.Corrupt(e.File.Name, fmt.Sprintf("it is of %d buckets, other files of its partition of %d", e.TotalBuckets, have), nil)
		}
		r.counts[string(e.Partition)] = e.TotalBuckets
	}
	return r, nil
}

// count is the number of buckets of a partition.
func (r *realBuckets) count(partition []byte) int {
	if n := r.counts[string(partition)]; n > 0 {
		return n
	}
	return r.table.options.PostponeDefaultBuckets
}

func (r *realBuckets) begin(rec arrow.RecordBatch) error {
	for n, buckets := range r.assigned {
		r.unused = append(r.unused, buckets)
		delete(r.assigned, n)
	}
	r.rec = rec
	return nil
}

func (r *realBuckets) choose(_ context.Context, partition []byte, row int) (int, error) {
	n := r.count(partition)
	buckets := r.assigned[n]
	if buckets == nil {
		f := r.funcs[n]
		if f == nil {
			var err error
			if f, err = bucket.New(r.table.options.BucketFunction, n, r.types); err != nil {
				return 0, err
			}
			r.funcs[n] = f
		}
		var scratch []int32
		if last := len(r.unused) - 1; last >= 0 {
			scratch, r.unused = r.unused[last][:0], r.unused[:last]
		}
		var err error
		if buckets, err = f.Assign(scratch, pick(r.rec, r.keys)); err != nil {
			return 0, err
		}
		r.assigned[n] = buckets
	}
	return int(buckets[row]), nil
}
