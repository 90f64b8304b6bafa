package main

import (
	"context"

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
	return rounds("bench-plan", f.warmup, f.repeat, func() (line, error) {
		splits, err := f.splits(ctx)
		files := 0
		for _, s := range splits {
			files += len(s.Files)
		}
		return line{{"splits", len(splits)}, {"files", files}}, err
	})
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
