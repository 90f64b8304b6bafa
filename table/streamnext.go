package table

import (
	"context"
	"errors"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// await gets the snapshot at a position when it is there, old enough and
// within the stream's bounds; errStreamEnd if it is behind them.
func (s *Stream) await(ctx context.Context, at position) (*snapshot.Snapshot, error) {
	get := s.changesOf
	if at.full {
		get = s.stateOf
	}
	snap, err := get(ctx, at.next)
	if err == nil {
		err = s.follows(ctx, at) // now that the next one is there
	}
	if err != nil {
		return nil, err
	}
	o := &s.options
	if !o.Until.IsZero() && snap.TimeMillis > o.Until.UnixMilli() || !at.full && o.past(snap) {
		return nil, errStreamEnd
	}
	for {
		left := o.Delay - s.table.world.Clock().Sub(time.UnixMilli(snap.TimeMillis))
		if o.Delay == 0 || left <= 0 {
			return snap, nil
		}
		s.stillThere(ctx)
		if err := s.table.world.Sleep(ctx, min(left, time.Minute)); err != nil {
			return nil, err
		}
	}
}

// changesOf gets a snapshot to tell its changes. One that has expired may have
// left them in the long-lived changelogs.
func (s *Stream) changesOf(ctx context.Context, id int64) (*snapshot.Snapshot, error) {
	if s.keptLong { // the next one has probably expired too
		snap, err := s.table.chain.LongLived(ctx, id)
		if !isNotFound(err) {
			return snap, err
		}
	}
	s.keptLong = false
	snap, err := s.follower.Next(ctx, id)
	if !isExpired(err) || s.options.FullChangelog { // which takes the table before and after
		return snap, err
	}
	snap, kept := s.table.chain.LongLived(ctx, id)
	if isNotFound(kept) {
		return nil, err
	}
	s.keptLong = kept == nil
	return snap, kept
}

// follows proves that the snapshot before a position is still the one that was
// read: a table that was rolled back, or made anew, may have gone on since. One
// that has expired proves nothing, and cannot have been rolled back.
func (s *Stream) follows(ctx context.Context, at position) error {
	if at.before == 0 {
		return nil
	}
	before, err := s.table.chain.Get(ctx, at.next-1)
	if isNotFound(err) {
		before, err = s.table.chain.LongLived(ctx, at.next-1)
	}
	switch {
	case isNotFound(err):
		return nil
	case err == nil && digest(before) != at.before:
		return rewritten(at.next)
	}
	return err
}

// stands proves that a rollback has not taken away what was read before a
// position, nor put another history in its place.
func (s *Stream) stands(ctx context.Context, at position) error {
	if at.next == 1 {
		return nil
	}
	before, err := s.table.chain.Get(ctx, at.next-1)
	switch {
	case err == nil && at.before != 0 && digest(before) != at.before:
		return rewritten(at.next)
	case !isNotFound(err):
		return err
	}
	newest, err := s.table.chain.LatestID(ctx) // or it has expired
	if err == nil && newest < at.next-1 {
		return rewritten(at.next)
	}
	return err
}

// rewritten is the error for what follows a snapshot that is another one by now.
func rewritten(next int64) error {
	return &fault.Error{Class: fault.ErrNotFound, Snapshot: next, Err: &snapshot.OutOfRange{Next: next, Rewritten: true},
		Hint: "start again from the table's present state"}
}

// stateOf gets a snapshot to read it in full. One that has expired may be
// kept by a tag.
func (s *Stream) stateOf(ctx context.Context, id int64) (*snapshot.Snapshot, error) {
	snap, err := s.follower.Next(ctx, id)
	if !isExpired(err) {
		return snap, err
	}
	return s.table.taggedSnapshot(ctx, id, err)
}

// past tells that a snapshot's watermark is beyond the stream's bound.
func (o *StreamOptions) past(s *snapshot.Snapshot) bool {
	return o.UntilWatermark != nil && s.Watermark != nil && *s.Watermark > *o.UntilWatermark
}

// endsBefore is errStreamEnd when the snapshot before a position is beyond the
// stream's watermark already.
func (s *Stream) endsBefore(ctx context.Context, at position) error {
	if s.options.UntilWatermark == nil || at.full || at.next == 1 {
		return nil
	}
	snap, err := s.table.chain.Get(ctx, at.next-1)
	if err == nil && s.options.past(snap) {
		return errStreamEnd
	}
	if isNotFound(err) {
		return nil
	}
	return err
}

// sleep waits, but not beyond the time that ends the stream.
func (s *Stream) sleep(ctx context.Context, d time.Duration) error {
	if until := s.options.Until; !until.IsZero() {
		left := until.Sub(s.table.world.Clock())
		if left <= 0 {
			return errStreamEnd
		}
		d = min(d, left)
	}
	s.stillThere(ctx)
	return s.table.world.Sleep(ctx, d)
}

// orGone is err, or that the snapshot which could not be read has expired
// meanwhile, or was rolled back.
func (s *Stream) orGone(ctx context.Context, snap *snapshot.Snapshot, err error) error {
	var gap *snapshot.OutOfRange
	if !isNotFound(err) || errors.As(err, &gap) {
		return err
	}
	now, lookErr := s.table.chain.Get(ctx, snap.ID)
	switch {
	case lookErr == nil && digest(now) != digest(snap):
		return rewritten(snap.ID + 1)
	case isNotFound(lookErr):
		if gone := s.outOfRange(ctx, snap.ID); errors.As(gone, &gap) {
			return gone
		}
	}
	return err
}

// outOfRange is nil when the chain has a snapshot, or will have it next.
func (s *Stream) outOfRange(ctx context.Context, id int64) error {
	waits := errors.New("not there yet")
	f := snapshot.NewFollower(s.table.chain, snapshot.FollowOptions{
		Clock: s.table.world.Clock, Sleep: func(context.Context, time.Duration) error { return waits }})
	if _, err := f.Next(ctx, id); !errors.Is(err, waits) {
		return err
	}
	return nil
}

func isExpired(err error) bool {
	var gap *snapshot.OutOfRange
	return errors.As(err, &gap) && gap.Expired()
}
