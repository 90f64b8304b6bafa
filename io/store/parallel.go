package store

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// eachKey runs f for every key, sixteen at a time: what a bucket does per
// object is mostly waiting. Markers of directories ("dir/") wait for the rest
// and, when last is set, run one by one from the deepest up.
func eachKey(ctx context.Context, keys []string, last bool, f func(string) error) error {
	var markers []string
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for _, key := range keys {
		if last && key[len(key)-1] == '/' {
			markers = append(markers, key)
			continue
		}
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(key)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := len(markers) - 1; i >= 0; i-- {
		if err := f(markers[i]); err != nil {
			return err
		}
	}
	return nil
}
