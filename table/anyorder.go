package table

import (
	"context"
	"iter"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"
)

// piece is what one core reads when order does not matter: a file, or a range
// of keys of the files that have to be merged.
type piece struct {
	reader *splitReader
	runs   []rankedRun
	within *keyRange
	done   func() // gives up what its group shares
}

// inAnyOrder cuts splits into pieces and yields batches as they are ready.
func (s *Scan) inAnyOrder(ctx context.Context, splits []Split) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		cores := s.table.settings.Parallel
		out := make(chan arrow.RecordBatch, cores)
		group, ctx := errgroup.WithContext(ctx)
		pieces := make(chan piece)
		group.Go(func() error { return s.cutSplits(ctx, splits, pieces) })
		for range cores {
			group.Go(func() error { return readPieces(ctx, pieces, out) })
		}
		var failed error
		go func() {
			failed = group.Wait()
			close(out)
		}()
		stopped := false
		for rec := range out {
			if !stopped && !yield(rec, nil) {
				stopped = true
				cancel()
			}
			rec.Release()
		}
		cancel()
		if failed != nil && !stopped {
			yield(nil, failed)
		}
	}
}

// cutSplits sends the pieces of all splits. Few files are cut finer.
func (s *Scan) cutSplits(ctx context.Context, splits []Split, pieces chan<- piece) error {
	defer close(pieces)
	cores, expected := s.table.settings.Parallel, 0
	for i := range splits {
		expected += splits[i].expectedPieces(cores)
	}
	for _, split := range splits {
		r, err := s.newSplitReader(split, max(1, cores/max(1, expected)))
		if err != nil {
			return err
		}
		groups := r.groups()
		open := &shared{left: len(groups) + 1, release: r.release}
		for i, runs := range groups {
			if err := s.cutGroup(ctx, r, runs, open, pieces); err != nil {
				open.give(len(groups) - i) // those to come, and the last one
				return err
			}
		}
		open.give(1)
	}
	return nil
}

// expectedPieces is about how many pieces a split will be cut in.
func (s *Split) expectedPieces(cores int) int {
	if !s.Merge {
		return len(s.Files)
	}
	rows := int64(0)
	for i := range s.Files {
		rows = max(rows, s.Files[i].Rows)
	}
	return int(max(1, min(2*int64(cores), rows/minRangeRows)))
}

// cutGroup sends the pieces of one group, which gives its share of open back
// when all of them are done.
func (s *Scan) cutGroup(ctx context.Context, r *splitReader, runs []rankedRun, open *shared, pieces chan<- piece) error {
	ranges := []keyRange{{}}
	if len(runs) > 1 {
		var err error
		// Twice as many pieces as cores: they are never of the same size.
		if ranges, err = r.keyRanges(ctx, runs, 2*s.table.settings.Parallel); err != nil {
			open.give(1)
			return err
		}
	}
	own := &shared{left: len(ranges), release: func() {
		releaseRanges(ranges)
		open.give(1)
	}}
	sent := 0
	defer func() {
		if sent < len(ranges) {
			own.give(len(ranges) - sent)
		}
	}()
	for i := range ranges {
		p := piece{reader: r, runs: runs, done: func() { own.give(1) }}
		if len(ranges) > 1 {
			p.within = &ranges[i]
		}
		select {
		case pieces <- p:
			sent++
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// shared is released when nobody holds a part of it any more.
type shared struct {
	mu      sync.Mutex
	left    int
	release func()
}

func (h *shared) give(n int) {
	h.mu.Lock()
	h.left -= n
	last := h.left == 0
	h.mu.Unlock()
	if last {
		h.release()
	}
}

func readPieces(ctx context.Context, pieces <-chan piece, out chan<- arrow.RecordBatch) (failed error) {
	for p := range pieces {
		if failed == nil {
			p.reader.readGroup(ctx, p.runs, p.within, func(rec arrow.RecordBatch, err error) bool {
				if err != nil {
					failed = err
					return false
				}
				rec.Retain()
				select {
				case out <- rec:
					return true
				case <-ctx.Done():
					rec.Release()
					failed = ctx.Err()
					return false
				}
			})
		}
		p.done()
	}
	return failed
}
