package main

import (
	"context"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/table"
)

type scanFlags struct {
	commonFlags
	warmup            int
	warmSeconds       float64
	where, projection string
	digest            bool
}

// scan times reading all columns, and then some.
func scan(ctx context.Context, args []string) error {
	var f scanFlags
	fs := f.newFlags("scan", 3)
	fs.IntVar(&f.settings.Parallel, "threads", runtime.GOMAXPROCS(0), "goroutines")
	fs.IntVar(&f.warmup, "warmup", 1, "scans before those that are timed")
	fs.Float64Var(&f.warmSeconds, "warm-seconds", 5, "seconds that such scans go on at least")
	fs.StringVar(&f.where, "filter", "", "filter")
	fs.StringVar(&f.projection, "projection", "", "columns of the second scan, default the first two")
	fs.BoolVar(&f.digest, "digest", false, "print a digest of the content too")
	return f.onTable(ctx, fs, args, func(t *table.Table) error { return f.run(ctx, t) })
}

func (f *scanFlags) run(ctx context.Context, t *table.Table) error {
	two := strings.Split(f.projection, ",")
	if f.projection == "" {
		two = []string{t.Schema().Fields[0].Name, t.Schema().Fields[min(1, len(t.Schema().Fields)-1)].Name}
	}
	for _, columns := range [][]string{nil, two} {
		o := table.ScanOptions{Columns: columns, Where: f.where}
		until := time.Now().Add(time.Duration(f.warmSeconds * float64(time.Second)))
		for i := 0; i < f.warmup || time.Now().Before(until); i++ {
			if _, _, err := timedScan(ctx, t, o); err != nil {
				return err
			}
		}
		for i := range f.repeat {
			if err := scanOnce(ctx, t, o, i, f.settings.Parallel); err != nil {
				return err
			}
		}
	}
	if !f.digest {
		return nil
	}
	return sayDigest(ctx, t, f.where)
}

// timedScan reads everything and tells the rows and the seconds.
func timedScan(ctx context.Context, t *table.Table, o table.ScanOptions) (rows int64, seconds float64, err error) {
	start := time.Now()
	s, err := t.Scan(ctx, o)
	if err != nil {
		return 0, 0, err
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return 0, 0, err
		}
		rows += rec.NumRows()
	}
	return rows, time.Since(start).Seconds(), nil
}

func scanOnce(ctx context.Context, t *table.Table, o table.ScanOptions, repeat, threads int) error {
	cpu := cpuTime()
	rows, seconds, err := timedScan(ctx, t, o)
	if err != nil {
		return err
	}
	used := (cpuTime() - cpu).Seconds()
	projection := "*"
	if o.Columns != nil {
		projection = strings.Join(o.Columns, ",")
	}
	stored, err := storedSize(ctx, t)
	if err != nil {
		return err
	}
	return say(append(base("bench-scan"), kv{"projection", projection}, kv{"repeat", repeat}, kv{"threads", threads},
		kv{"rows_out", rows}, kv{"rows_in", stored.rows}, kv{"files", stored.files}, kv{"bytes", stored.bytes},
		kv{"seconds", r3(seconds)}, kv{"rows_out_per_s", math.Round(float64(rows) / seconds)},
		kv{"rows_in_per_s", math.Round(float64(stored.rows) / seconds)}, kv{"cpu_seconds", r3(used)}, kv{"peak_rss_mib", peakRSS()}))
}

func sayDigest(ctx context.Context, t *table.Table, where string) error {
	s, err := t.Scan(ctx, table.ScanOptions{Where: where})
	if err != nil {
		return err
	}
	var rows int64
	var sum uint64
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return err
		}
		rows += rec.NumRows()
		sum += benchrows.Digest(rec)
	}
	return say(append(base("digest"), kv{"rows", rows}, kv{"digest", strconv.FormatUint(sum, 16)}))
}
