package table

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
)

// A read in order is made of parts: splits of a scan, sections to compare,
// files of a snapshot's changes. Several are read at once, each by a lane of its
// own that may be a few batches ahead, and their batches come part by part.
//
//	part 1  ▒▒▒▒▒▒ ─► handed out
//	part 2  ▒▒▒▒·· ─► waits, two batches ahead
//	part 3  not begun

// readPart is one of them: the batches it yields are borrowed until the next step.
type readPart func(ctx context.Context) iter.Seq2[arrow.RecordBatch, error]

type batchOrError struct {
	rec arrow.RecordBatch
	err error
}

// inLanes reads up to so many parts at once and yields their batches in the
// order of the parts, with the part's number. Parts are asked for when a lane
// is free. An error ends the sequence.
func inLanes(ctx context.Context, lanes int, parts iter.Seq2[readPart, error]) iter.Seq2[int, batchOrError] {
	return func(yield func(int, batchOrError) bool) {
		ctx, cancel := context.WithCancel(ctx)
		next, stop := iter.Pull2(parts)
		defer stop()
		var open []*lane
		defer func() {
			cancel()
			for _, l := range open {
				l.drain()
			}
		}()
		more := true
		for number := 0; ; number++ {
			for more && len(open) < lanes {
				var p readPart
				var err error
				if p, err, more = next(); err != nil {
					p, more = func(context.Context) iter.Seq2[arrow.RecordBatch, error] { return failing(err) }, false
				}
				if p != nil {
					open = append(open, startLane(ctx, p))
				}
			}
			if len(open) == 0 {
				return
			}
			for got := range open[0].out {
				if got.err != nil {
					yield(number, got)
					return
				}
				more := yield(number, got)
				got.rec.Release()
				if !more {
					return
				}
			}
			if err := ctx.Err(); err != nil { // the lane may have ended early
				yield(number, batchOrError{err: err})
				return
			}
			open = open[1:]
		}
	}
}

// batchesOf leaves the numbers out.
func batchesOf(numbered iter.Seq2[int, batchOrError]) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for _, got := range numbered {
			if !yield(got.rec, got.err) {
				return
			}
		}
	}
}

// lane is one part being read ahead by its own goroutine.
type lane struct{ out chan batchOrError }

// laneDepth is how many batches a part may be ahead of its consumer.
const laneDepth = 2

func startLane(ctx context.Context, p readPart) *lane {
	l := &lane{out: make(chan batchOrError, laneDepth)}
	go func() {
		defer close(l.out)
		for rec, err := range p(ctx) {
			if err == nil {
				rec.Retain()
			}
			select {
			case l.out <- batchOrError{rec, err}:
			case <-ctx.Done():
				if err == nil {
					rec.Release()
				}
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return l
}

// drain waits for the goroutine to end and releases what it had read.
func (l *lane) drain() {
	for got := range l.out {
		if got.err == nil {
			got.rec.Release()
		}
	}
}
