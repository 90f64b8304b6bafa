package main

import (
	"context"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/table"
)

// changes times reading what a stream tells up to the newest snapshot, like
// the Java program.
func changes(ctx context.Context, args []string) error {
	var f commonFlags
	fs := f.newFlags("changes", 3)
	from := fs.Int64("from", 1, "first snapshot")
	warmup := fs.Int("warmup", 3, "runs before those that are timed")
	digest := fs.Bool("digest", false, "print a digest of the changes first")
	if err := fs.Parse(args); err != nil {
		return err
	}
	stop, err := startProfile(f.profile)
	if err != nil {
		return err
	}
	defer stop()
	c, t, err := f.open(ctx, table.Settings{})
	if err != nil {
		return err
	}
	defer c.Close()
	o := table.StreamOptions{Snapshot: *from}
	if o.UntilSnapshot, err = t.Snapshots().LatestID(ctx); err != nil {
		return err
	}
	if *digest {
		var sum uint64
		rows, err := eachChange(ctx, t, o, func(rec arrow.RecordBatch) { sum += kindDigest(rec) })
		if err != nil {
			return err
		}
		if err := say(append(base("digest"), kv{"rows", rows}, kv{"digest", strconv.FormatUint(sum, 16)})); err != nil {
			return err
		}
	}
	for rep := -*warmup; rep < f.repeat; rep++ {
		start, cpu := time.Now(), cpuTime()
		rows, err := eachChange(ctx, t, o, func(arrow.RecordBatch) {})
		if err != nil {
			return err
		}
		l := append(base("bench-changes"), kv{"rows", rows}, kv{"seconds", r3(time.Since(start).Seconds())},
			kv{"cpu_seconds", r3((cpuTime() - cpu).Seconds())}, kv{"peak_rss_mib", peakRSS()})
		if rep < 0 {
			continue
		}
		if err := say(l); err != nil {
			return err
		}
	}
	return nil
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
