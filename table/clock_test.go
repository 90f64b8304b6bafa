package table_test

import (
	"sync/atomic"
	"time"

	"github.com/tidelake/tidelake/table"
)

// clock is a clock that a test sets, beside goroutines of the table that look at
// it: compactions, streams that read ahead.
type clock struct{ nanos atomic.Int64 }

// stopped makes the clock of w one that stands at a time until it is set.
func stopped(w *table.Components, at time.Time) *clock {
	c := new(clock)
	c.set(at)
	w.Clock = c.now
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()).UTC() }
func (c *clock) set(at time.Time)     { c.nanos.Store(at.UnixNano()) }
func (c *clock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

// flying is a clock that goes on by a step whenever somebody looks at it.
func flying(from time.Time, step time.Duration) func() time.Time {
	var c clock
	c.set(from)
	return func() time.Time { return time.Unix(0, c.nanos.Add(int64(step))).UTC() }
}
