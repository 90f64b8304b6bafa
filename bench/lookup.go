package main

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/table"
)

type lookupFlags struct {
	commonFlags
	keys, lookups, seed uint64
	batch               int
	cold                bool
}

// lookup times point reads of random keys, with the keys of the Java program.
func lookup(ctx context.Context, args []string) error {
	var f lookupFlags
	fs := f.newFlags("lookup", 3)
	fs.Uint64Var(&f.keys, "keys", 1_000_000, "keys are below this number")
	fs.Uint64Var(&f.lookups, "lookups", 100_000, "lookups of a run")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of the table's rows")
	fs.IntVar(&f.batch, "batch", 1, "keys of a call; 1 takes and gives Go values, more take and give columns")
	fs.BoolVar(&f.cold, "cold", false, "without copying data files to the local cache")
	return f.onTable(ctx, fs, args, func(t *table.Table) error { return f.run(ctx, t) })
}

func (f *lookupFlags) run(ctx context.Context, t *table.Table) error {
	o := table.LookupOptions{}
	if f.cold {
		o.DiskBytes = 1
	}
	l, err := t.NewLookup(ctx, o)
	if err != nil {
		return err
	}
	defer l.Close()
	start := time.Now()
	if _, err := l.Get(ctx, int64(0)); err != nil {
		return err
	}
	first := time.Since(start)
	start = time.Now()
	if !f.cold {
		if err := l.Warm(ctx); err != nil {
			return err
		}
	}
	warm := max(1000, f.lookups/5)
	if _, _, err := f.timed(ctx, l, 0, warm); err != nil {
		return err
	}
	warmed := time.Since(start)
	for rep := range f.repeat {
		cpu, start := cpuTime(), time.Now()
		hits, took, err := f.timed(ctx, l, warm+uint64(rep)*f.lookups, f.lookups)
		if err != nil {
			return err
		}
		seconds := time.Since(start).Seconds()
		l := append(base("bench-lookup"), kv{"repeat", rep}, kv{"lookups", f.lookups}, kv{"hits", hits}, kv{"batch", f.batch},
			kv{"first_lookup_seconds", r3(first.Seconds())}, kv{"warmup_seconds", r3(warmed.Seconds())}, kv{"seconds", r3(seconds)},
			kv{"cpu_seconds", r3((cpuTime() - cpu).Seconds())}, kv{"lookups_per_s", int64(float64(f.lookups) / seconds)},
			kv{"us_p50", r3(percentile(took, 0.5))}, kv{"us_p99", r3(percentile(took, 0.99))}, kv{"peak_rss_mib", peakRSS()})
		if err := say(l); err != nil {
			return err
		}
	}
	return nil
}

// timed looks n keys up and returns how many there are, and the microseconds
// that each call took.
func (f *lookupFlags) timed(ctx context.Context, l *table.Lookup, from, n uint64) (hits int, took []float64, err error) {
	if f.batch == 1 {
		for i := range n {
			start := time.Now()
			rows, err := l.Get(ctx, benchrows.Key(f.seed+2, from+i, f.keys))
			if err != nil {
				return 0, nil, err
			}
			if rows[0] != nil {
				hits++
			}
			took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
		}
		return hits, took, nil
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil)
	for i := uint64(0); i < n; i += uint64(f.batch) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for j := i; j < min(n, i+uint64(f.batch)); j++ {
			b.Field(0).(*array.Int64Builder).Append(benchrows.Key(f.seed+2, from+j, f.keys))
		}
		start := time.Now()
		found, err := l.GetBatch(ctx, b.NewRecordBatch())
		if err != nil {
			return 0, nil, err
		}
		hits += int(found.Batch.NumRows())
		found.Release()
		took = append(took, float64(time.Since(start).Nanoseconds())/1e3)
	}
	return hits, took, nil
}
