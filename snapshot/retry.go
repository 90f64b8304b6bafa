package snapshot

import (
	"context"
	"math"
	"time"
)

// backoff spaces attempts: each wait is twice the one before, up to a limit,
// plus up to a fifth at random so that racing writers part.
type backoff struct {
	min, max time.Duration
	rand     func() float64
}

func (b backoff) next(attempt int) time.Duration {
	wait := float64(b.min) * math.Pow(2, float64(min(attempt, 60)))
	wait = min(wait, float64(b.max))
	return time.Duration(wait * (1 + b.rand()/5))
}

// Sleep waits for d or until ctx ends, whose error it returns.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
