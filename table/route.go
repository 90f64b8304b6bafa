package table

import (
	"bytes"
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/schema"
)

// router finds the partition and bucket of every row of a batch, column by
// column, and the rows of each.
type router struct {
	partCols, keyCols   []int
	partTypes, keyTypes []schema.Type
	function            *bucket.Function // nil: everything in bucket 0
	chooser             bucketChooser    // set: it chooses the bucket, row by row

	buckets []int32 // scratch, one a row
	targets []int32 // scratch, index into parts, one a row
	key     []byte  // scratch
}

// bucketChooser gives rows their buckets where these follow from more than the key.
type bucketChooser interface {
	// begin announces the batch that choose will be asked about.
	begin(rec arrow.RecordBatch) error
	// choose is the bucket of a row, whose partition is given as BinaryRow body.
	choose(ctx context.Context, partition []byte, row int) (int, error)
}

// routed is one target of a batch. Rows is nil when it takes the whole batch.
type routed struct {
	partition []byte // BinaryRow body
	bucket    int
	rows      []int32
}

func newRouter(sc *schema.Table, o *schema.Options) (*router, error) {
	r := &router{}
	for _, f := range sc.PartitionFields() {
		r.partCols, r.partTypes = append(r.partCols, sc.Index(f.Name)), append(r.partTypes, f.Type)
	}
	if o.Bucket <= 0 {
		return r, nil
	}
	for _, f := range sc.BucketKeyFields() {
		r.keyCols, r.keyTypes = append(r.keyCols, sc.Index(f.Name)), append(r.keyTypes, f.Type)
	}
	var err error
	r.function, err = bucket.New(o.BucketFunction, o.Bucket, r.keyTypes)
	return r, err
}

func pick(rec arrow.RecordBatch, at []int) []arrow.Array {
	cols := make([]arrow.Array, len(at))
	for i, c := range at {
		cols[i] = rec.Column(c)
	}
	return cols
}

// route splits rec's rows by target, keeping their order within each. Only
// rows that keep admits are routed; a nil keep admits all.
func (r *router) route(ctx context.Context, rec arrow.RecordBatch, keep func(row int) bool) ([]routed, error) {
	n := int(rec.NumRows())
	if n == 0 {
		return nil, nil
	}
	if err := r.assignBuckets(rec, n); err != nil {
		return nil, err
	}
	parts, counts, err := r.assignTargets(ctx, rec, n, keep)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 && counts[0] == n {
		return parts, nil
	}
	total := 0
	for _, c := range counts {
		total += c
	}
	rows := make([]int32, total)
	for i, at := 0, 0; i < len(parts); i++ {
		parts[i].rows = rows[at : at : at+counts[i]]
		at += counts[i]
	}
	for row, t := range r.targets[:n] {
		if t >= 0 {
			parts[t].rows = append(parts[t].rows, int32(row))
		}
	}
	return parts, nil
}

func (r *router) assignBuckets(rec arrow.RecordBatch, n int) error {
	var err error
	if r.chooser != nil {
		err = r.chooser.begin(rec)
	}
	if r.function == nil {
		r.buckets = append(r.buckets[:0], make([]int32, n)...)
		return err
	}
	r.buckets, err = r.function.Assign(r.buckets[:0], pick(rec, r.keyCols))
	return err
}

// assignTargets numbers the distinct (partition, bucket) pairs of the batch.
func (r *router) assignTargets(ctx context.Context, rec arrow.RecordBatch, n int, keep func(int) bool) ([]routed, []int, error) {
	enc, err := binaryrow.NewEncoder(r.partTypes, pick(rec, r.partCols))
	if err != nil {
		return nil, nil, err
	}
	type target struct {
		partition string
		bucket    int32
	}
	if cap(r.targets) < n {
		r.targets = make([]int32, n)
	}
	r.targets = r.targets[:n]
	var parts []routed
	var counts []int
	known := make(map[target]int32)
	last := int32(-1)
	r.key = enc.Append(r.key[:0], 0)
	for row := range n {
		r.targets[row] = -1
		if keep != nil && !keep(row) {
			continue
		}
		if len(r.partCols) > 0 {
			r.key = enc.Append(r.key[:0], row)
		}
		if r.chooser != nil {
			b, err := r.chooser.choose(ctx, r.key, row)
			if err != nil {
				return nil, nil, err
			}
			r.buckets[row] = int32(b)
		}
		if last < 0 || int32(parts[last].bucket) != r.buckets[row] || !bytes.Equal(parts[last].partition, r.key) {
			at, ok := known[target{string(r.key), r.buckets[row]}]
			if !ok {
				at = int32(len(parts))
				known[target{string(r.key), r.buckets[row]}] = at
				parts = append(parts, routed{partition: bytes.Clone(r.key), bucket: int(r.buckets[row])})
				counts = append(counts, 0)
			}
			last = at
		}
		r.targets[row] = last
		counts[last]++
	}
	return parts, counts, nil
}
