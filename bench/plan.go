package main

import (
	"context"
	"time"

	"github.com/tidelake/tidelake/table"
)

// plan times planning a scan, from nothing but the table's place.
func plan(ctx context.Context, args []string) error {
	var f commonFlags
	fs := f.newFlags("plan", 3)
	where := fs.String("filter", "", "filter")
	warmup := fs.Int("warmup", 3, "plans before those that are timed")
	if err := fs.Parse(args); err != nil {
		return err
	}
	stop, err := startProfile(f.profile)
	if err != nil {
		return err
	}
	defer stop()
	for rep := -*warmup; rep < f.repeat; rep++ {
		start, cpu := time.Now(), cpuTime()
		splits, err := f.splits(ctx, *where)
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

func (f *commonFlags) splits(ctx context.Context, where string) ([]table.Split, error) {
	c, t, err := f.open(ctx, table.Settings{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s, err := t.Scan(ctx, table.ScanOptions{Where: where})
	if err != nil {
		return nil, err
	}
	return s.Plan(ctx)
}
