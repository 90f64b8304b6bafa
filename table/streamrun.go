package table

import (
	"context"
	"errors"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// streamAhead is how many batches, and ends of snapshots, may wait for their reader.
const streamAhead = 4

// streamRun is one iteration of a stream: a goroutine reads ahead of the consumer.
type streamRun struct {
	stream *Stream
	cancel context.CancelFunc
	ctx    context.Context // of the iteration
	out    chan streamItem
	rows   int64   // handed out so far
	images *imager // of a full changelog, nil before the first
	err    error   // what ended it, set before out is closed
}

// streamItem is a batch, or without one the end of a snapshot, and the
// position behind it.
type streamItem struct {
	snapshot *snapshot.Snapshot
	full     bool
	rec      arrow.RecordBatch
	at       position
}

// errStreamEnd ends a stream where its options say.
var errStreamEnd = errors.New("end of the stream")

func (s *Stream) start(ctx context.Context) (*streamRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		return nil, fault.Invalid("the stream is being iterated already")
	}
	s.running = true
	r := &streamRun{stream: s, out: make(chan streamItem, streamAhead)}
	r.ctx, r.cancel = context.WithCancel(ctx)
	go r.produce(s.at)
	return r, nil
}

// stop ends the goroutine and releases what it had read.
func (r *streamRun) stop() {
	r.cancel()
	for item := range r.out {
		if item.rec != nil {
			item.rec.Release()
		}
	}
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	r.stream.running = false
}

// next waits for the next item, nil at the end of the stream. The caller
// releases its batch.
func (r *streamRun) next() (*streamItem, error) {
	item, more := <-r.out
	switch {
	case more:
		return &item, nil
	case errors.Is(r.err, errStreamEnd):
		return nil, nil
	}
	return nil, r.stream.table.wrap("stream", r.err)
}

// produce reads one snapshot after the other until the stream ends.
func (r *streamRun) produce(at position) {
	defer close(r.out)
	defer func() { _ = r.images.close() }() // whose files are temporary
	err := r.stream.endsBefore(r.ctx, at)
	for err == nil {
		at, err = r.snapshot(at)
	}
	r.err = err
}

// send gives an item to the consumer, or releases it when he has gone.
func (r *streamRun) send(item streamItem) error {
	select {
	case r.out <- item:
		return nil
	case <-r.ctx.Done():
		if item.rec != nil {
			item.rec.Release()
		}
		return r.ctx.Err()
	}
}

// snapshot reads what is left of one snapshot and returns the position behind it.
func (r *streamRun) snapshot(at position) (position, error) {
	s := r.stream
	if last := s.options.UntilSnapshot; last > 0 && at.next > last {
		return at, errStreamEnd
	}
	snap, err := s.await(r.ctx, at)
	if err != nil {
		return at, err
	}
	if err := s.table.checkAltered(r.ctx, snap.SchemaID); err != nil {
		return at, err
	}
	reads, err := r.plan(snap, at)
	if err == nil {
		err = r.read(snap, at, reads)
	}
	if err != nil {
		return at, s.orGone(r.ctx, snap, err)
	}
	next := after(snap)
	if err := r.send(streamItem{snapshot: snap, full: at.full, at: next}); err != nil {
		return at, err
	}
	if at.full && s.options.past(snap) {
		return at, errStreamEnd
	}
	return next, nil
}

// left is how many rows may still be handed out.
func (r *streamRun) left() int64 {
	if r.stream.options.Limit > 0 {
		return r.stream.options.Limit - r.rows
	}
	return math.MaxInt32
}

// read hands out the rows of a snapshot behind a position in it.
func (r *streamRun) read(snap *snapshot.Snapshot, from position, reads []streamRead) error {
	plan := r.stream.planDigests(reads)
	if from.within && (from.split >= len(plan) || plan[from.split] != from.plan) {
		return &fault.Error{Class: fault.ErrInvalid, Snapshot: snap.ID,
			Detail: "the token was taken in the middle of the snapshot, by a stream of another filter, share, way with overwrites or kind of changelog, or under other options of the table",
			Hint:   "go on with the same ones, or from a token that was taken when a snapshot was read to its end"}
	}
	at, skip, first := from, from.rows, 0 // first is the number of the read's first split
	at.within = true
	for _, read := range reads {
		done := min(len(read.splits), max(0, from.split-first))
		for i, got := range read.numbered(r.ctx, done) {
			if got.err != nil {
				return got.err
			}
			if split := first + done + i; split != at.split {
				at.split, at.rows = split, 0
			}
			rec := got.rec
			if at.split > from.split {
				skip = 0
			}
			if skip >= rec.NumRows() { // read before
				skip -= rec.NumRows()
				continue
			}
			rec = rec.NewSlice(skip, min(rec.NumRows(), skip+r.left()))
			skip = 0
			r.rows += rec.NumRows()
			at.rows += rec.NumRows()
			at.plan = plan[at.split]
			if err := r.send(streamItem{snapshot: snap, full: from.full, rec: rec, at: at}); err != nil {
				return err
			}
			if r.left() == 0 {
				return errStreamEnd
			}
		}
		first += len(read.splits)
	}
	return nil
}
