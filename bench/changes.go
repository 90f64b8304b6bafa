package main

import (
	"context"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/table"
)

type changesFlags struct {
	commonFlags
	from   int64
	warmup int
	digest bool
}

// changes times reading what a stream tells up to the newest snapshot, like
// the Java program.
func changes(ctx context.Context, args []string) error {
	var f changesFlags
	fs := f.newFlags("changes", 3)
	fs.Int64Var(&f.from, "from", 1, "first snapshot")
	fs.IntVar(&f.warmup, "warmup", 3, "runs before those that are timed")
	fs.BoolVar(&f.digest, "digest", false, "print a digest of the changes first")
	return f.onTable(ctx, fs, args, func(t *table.Table) error { return f.run(ctx, t) })
}

func (f *changesFlags) run(ctx context.Context, t *table.Table) error {
	var err error
	o := table.StreamOptions{Snapshot: f.from}
	if o.UntilSnapshot, err = t.Snapshots().LatestID(ctx); err != nil {
		return err
	}
	if f.digest {
		var sum uint64
		rows, err := eachChange(ctx, t, o, func(rec arrow.RecordBatch) { sum += kindDigest(rec) })
		if err != nil {
			return err
		}
		if err := say(append(base("digest"), kv{"rows", rows}, kv{"digest", strconv.FormatUint(sum, 16)})); err != nil {
			return err
		}
	}
	return rounds("bench-changes", f.warmup, f.repeat, func() (line, error) {
		rows, err := eachChange(ctx, t, o, func(arrow.RecordBatch) {})
		return line{{"rows", rows}}, err
	})
}

func eachChange(ctx context.Context, t *table.Table, o table.StreamOptions, do func(arrow.RecordBatch)) (rows int64, err error) {
	s, err := t.Stream(ctx, o)
	if err != nil {
		return 0, err
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return 0, err
		}
		rows += rec.NumRows()
		do(rec)
	}
	return rows, nil
}

// kindDigest is the digest of a stream's batch, whose columns are the kind, the
// snapshot and then those of the table.
func kindDigest(rec arrow.RecordBatch) (sum uint64) {
	kinds := rec.Column(0).(*array.Int8)
	for r, d := range benchrows.Digests(rec.Columns()[2:]) {
		sum += d * (2*uint64(kinds.Value(r)) + 1)
	}
	return sum
}
