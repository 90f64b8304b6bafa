package manifest

import (
	"context"
	"iter"
	"sync"
)

// ordered runs read for 0..n-1, at most parallel at once and at most that far
// ahead, and yields the results in order, up to the first error. When it
// returns, nothing runs any more.
func ordered[T any](ctx context.Context, n, parallel int, read func(ctx context.Context, i int) (T, error)) iter.Seq2[T, error] {
	type result struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		waiting := make([]chan result, 0, parallel)
		next := 0
		for range n {
			for next < n && len(waiting) < parallel {
				i, c := next, make(chan result, 1)
				running.Go(func() {
					v, err := read(ctx, i)
					c <- result{v, err}
				})
				waiting = append(waiting, c)
				next++
			}
			r := <-waiting[0]
			waiting = append(waiting[:0], waiting[1:]...)
			if !yield(r.value, r.err) || r.err != nil {
				return
			}
		}
	}
}
