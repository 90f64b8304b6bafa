package main

import (
	"context"
	"time"

	"github.com/tidelake/tidelake/table"
)

type planFlags struct {
	commonFlags
	where  string
	warmup int
}

// plan times planning a scan, from nothing but the table's place.
func plan(ctx context.Context, args []string) error {
	var f planFlags
	fs := f.newFlags("plan", 3)
	fs.StringVar(&f.where, "filter", "", "filter")
	fs.IntVar(&f.warmup, "warmup", 3, "plans before those that are timed")
	return f.profiled(fs, args, func() error { return f.run(ctx) })
}

func (f *planFlags) run(ctx context.Context) error {
	for rep := -f.warmup; rep < f.repeat; rep++ {
		start, cpu := time.Now(), cpuTime()
		splits, err := f.splits(ctx)
		if err != nil {
			return err
		}
		seconds, used := time.Since(start).Seconds(), (cpuTime() - cpu).Seconds()
		files := 0
		for _, s := range splits {
			files += len(s.Files)
		}
		l := append(base("bench-plan"), kv{"splits", len(splits)}, kv{"files", files},
			kv{"seconds", r3(seconds)}, kv{"cpu_seconds", r3(used)}, kv{"peak_rss_mib", peakRSS()})
		if rep < 0 {
			continue
		}
		if err := say(l); err != nil {
			return err
		}
	}
	return nil
}

func (f *planFlags) splits(ctx context.Context) ([]table.Split, error) {
	c, t, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s, err := t.Scan(ctx, table.ScanOptions{Where: f.where})
	if err != nil {
		return nil, err
	}
	return s.Plan(ctx)
}
