package table

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
)

// begin finds where a stream begins that nothing goes before.
func (s *Stream) begin(ctx context.Context) (position, error) {
	at, err := s.first(ctx)
	if last := s.options.UntilSnapshot; err == nil && at.full && last > 0 && at.next > last {
		return at, &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("the full picture would be of snapshot %d, and the stream ends with snapshot %d", at.next, last),
			Hint: "begin with the full picture of an older snapshot or with changes, or end later"}
	}
	return at, err
}

// first is the position that the options ask for (streaming format, section 8.2).
func (s *Stream) first(ctx context.Context) (position, error) {
	latest, err := s.table.newest(ctx)
	if err != nil {
		return position{}, err
	}
	newest := int64(0)
	if latest != nil {
		newest = latest.ID
	}
	full := position{next: max(newest, 1), full: true} // of a table without snapshots the first one
	switch s.options.Mode {
	case LatestFull:
		return full, nil
	case Latest:
		if latest == nil {
			return position{next: 1}, nil
		}
		return after(latest), nil
	case CompactedFull:
		compacted, err := s.table.newestCompacted(ctx)
		if compacted != nil {
			full.next = compacted.ID
		}
		return full, err
	case FromTimestamp:
		next, _, err := s.firstSince(ctx, s.options.Time.UnixMilli())
		return position{next: next}, err
	case FromFileCreationTime:
		millis := s.options.Time.UnixMilli()
		full.since = &millis
		return full, nil
	case FromCreationTimestamp:
		millis := s.options.Time.UnixMilli()
		next, between, err := s.firstSince(ctx, millis)
		if between && next <= newest {
			return position{next: next}, err
		}
		full.since = &millis
		return full, err
	}
	return s.beginAt(ctx, newest)
}

// beginAt begins at a snapshot or a tag.
func (s *Stream) beginAt(ctx context.Context, newest int64) (position, error) {
	at := position{next: s.options.Snapshot, full: s.options.Mode == FromSnapshotFull}
	if s.options.Tag != "" {
		tag, err := s.table.tag(ctx, s.options.Tag)
		if err != nil {
			return at, err
		}
		at.next = tag.ID
		return at, nil // if only the tag is left, a full start reads that
	}
	if newest == 0 && at.next == 1 {
		return at, nil
	}
	gap := s.outOfRange(ctx, at.next)
	if !isExpired(gap) {
		return at, gap
	}
	earliest, err := s.earliest(ctx, !at.full)
	if err != nil {
		return at, err
	}
	if earliest > at.next {
		s.table.world.Logger.Warn("snapshots have expired, so the stream begins later",
			"table", s.table.name, "asked", at.next, "begins", earliest)
		at.next = earliest
	}
	return at, nil
}

// earliest is the oldest snapshot, or the oldest one whose changes are kept.
func (s *Stream) earliest(ctx context.Context, changes bool) (int64, error) {
	first, err := s.table.chain.Earliest(ctx)
	if err != nil || first == nil {
		return 1, err
	}
	if changes {
		kept, err := s.keptBefore(ctx, first.ID)
		if err != nil {
			return 0, err
		}
		if len(kept) > 0 {
			return kept[0], nil
		}
	}
	return first.ID, nil
}

// keptBefore are the long-lived changelogs that lead up to a snapshot without a
// gap. A full changelog is not made of these.
func (s *Stream) keptBefore(ctx context.Context, id int64) ([]int64, error) {
	if s.options.FullChangelog {
		return nil, nil
	}
	ids, err := s.table.chain.LongLivedIDs(ctx)
	if err != nil {
		return nil, err
	}
	to := len(ids)
	for to > 0 && ids[to-1] >= id {
		to--
	}
	from := to
	for from > 0 && ids[from-1] == id-int64(to-from)-1 {
		from--
	}
	return ids[from:to], nil
}

// firstSince is the first snapshot that was committed at or after a time, the
// next one to come if none was. between says that an earlier one is left too,
// so that nothing since that time is missing.
func (s *Stream) firstSince(ctx context.Context, millis int64) (next int64, between bool, err error) {
	before, err := s.table.chain.AtOrBefore(ctx, millis-1)
	if err != nil {
		return 0, false, err
	}
	if before != nil {
		return before.ID + 1, true, nil
	}
	first, err := s.table.chain.Earliest(ctx)
	if err != nil || first == nil {
		return 1, false, err
	}
	kept, err := s.keptBefore(ctx, first.ID)
	if err != nil {
		return 0, false, err
	}
	for low, high := 0, len(kept); ; { // kept[:low] are before that time, kept[high:] are not
		if low == high {
			next = first.ID - int64(len(kept)-low)
			return next, low > 0, nil
		}
		middle := (low + high) / 2
		snap, err := s.table.chain.LongLived(ctx, kept[middle])
		switch {
		case err != nil:
			return 0, false, err
		case snap.TimeMillis < millis:
			low = middle + 1
		default:
			high = middle
		}
	}
}

// resume finds where a token's stream was.
func (s *Stream) resume(ctx context.Context, token string) (position, error) {
	at, err := parseToken(token, s.identity)
	if at.since != nil && s.options.FullChangelog {
		err = errPartsInFull
	}
	if err == nil {
		err = s.follows(ctx, at)
	}
	return at, err
}
