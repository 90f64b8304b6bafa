package snapshot

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

// MainBranch is the name of the branch that a table begins with.
const MainBranch = "main"

// Chain reads the snapshots of one branch of a table. It keeps nothing between
// calls, so every answer is the store's, and may be used from many goroutines.
type Chain struct {
	st   store.Store
	root string // "" or "branch/branch-b/"
}

// NewChain reads the snapshots of a branch ("" or MainBranch for the main one)
// of the table whose root directory st is.
func NewChain(st store.Store, branch string) *Chain {
	return &Chain{st: st, root: BranchPath(branch)}
}

// BranchPath is what precedes the keys of a branch's snapshots and schemas,
// relative to the table's root; "" for the main branch (section 1.1).
func BranchPath(branch string) string {
	if branch == "" || branch == MainBranch {
		return ""
	}
	return "branch/branch-" + branch + "/"
}

const snapshotPrefix = "snapshot-"

func (c *Chain) dir() string { return c.root + "snapshot" }

// Path is the key of a snapshot's file.
func (c *Chain) Path(id int64) string {
	return c.dir() + "/" + snapshotPrefix + strconv.FormatInt(id, 10)
}

// Get reads one snapshot: fault.ErrNotFound when there is none of this id.
func (c *Chain) Get(ctx context.Context, id int64) (*Snapshot, error) {
	s, _, err := c.read(ctx, id)
	return s, err
}

// read is Get with the bytes of the file.
func (c *Chain) read(ctx context.Context, id int64) (*Snapshot, []byte, error) {
	return c.readFile(ctx, "snapshot", c.Path(id), id)
}

// readFile reads a file that holds the snapshot of an id; what names it in errors.
func (c *Chain) readFile(ctx context.Context, what, path string, id int64) (*Snapshot, []byte, error) {
	data, err := c.st.ReadAll(ctx, path)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s %d: %w", what, id, err)
	}
	s, err := Parse(path, data)
	if err != nil {
		return nil, nil, err
	}
	if s.ID != id {
		return nil, nil, fault.Corrupt(path, fmt.Sprintf("the file says that it is snapshot %d", s.ID), nil)
	}
	return s, data, nil
}

// Exists tells whether there is a snapshot of this id.
func (c *Chain) Exists(ctx context.Context, id int64) (bool, error) {
	_, err := c.st.Stat(ctx, c.Path(id))
	if isNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// listAttempts bounds how often a listing is repeated because what it showed
// was gone when it was read: expiry may run meanwhile.
const listAttempts = 5

// Latest is the newest snapshot, nil when there is none.
func (c *Chain) Latest(ctx context.Context) (*Snapshot, error) {
	s, _, err := c.latest(ctx)
	return s, err
}

// LatestID is the id of the newest snapshot, 0 when there is none.
func (c *Chain) LatestID(ctx context.Context) (int64, error) {
	s, err := c.Latest(ctx)
	if s == nil {
		return 0, err
	}
	return s.ID, nil
}

// latest trusts the hint only when the snapshot it names exists and the next
// one does not: a hint can lag behind, and one written by a process that slept
// can name what has expired.
func (c *Chain) latest(ctx context.Context) (*Snapshot, []byte, error) {
	if id := c.hint(ctx, latestHint); id > 0 {
		s, data, err := c.read(ctx, id)
		if err == nil {
			next, err := c.Exists(ctx, id+1)
			if err != nil || !next {
				return s, data, err
			}
		} else if !isNotFound(err) {
			return nil, nil, err
		}
	}
	return c.endOfList(ctx, func(ids []int64) int64 { return slices.Max(ids) })
}

// Earliest is the oldest snapshot, nil when there is none.
func (c *Chain) Earliest(ctx context.Context) (*Snapshot, error) {
	if id := c.hint(ctx, earliestHint); id > 0 {
		s, err := c.Get(ctx, id)
		if !isNotFound(err) {
			return s, err
		}
	}
	s, _, err := c.endOfList(ctx, func(ids []int64) int64 { return slices.Min(ids) })
	return s, err
}

// endOfList reads the snapshot that pick chooses among all ids.
func (c *Chain) endOfList(ctx context.Context, pick func([]int64) int64) (*Snapshot, []byte, error) {
	for attempt := 1; ; attempt++ {
		ids, err := c.ids(ctx)
		if err != nil || len(ids) == 0 {
			return nil, nil, err
		}
		s, data, err := c.read(ctx, pick(ids))
		if !isNotFound(err) || attempt == listAttempts {
			return s, data, err
		}
	}
}

// ids lists the ids of all snapshots, ascending.
func (c *Chain) ids(ctx context.Context) ([]int64, error) {
	return c.numbered(ctx, c.dir(), snapshotPrefix)
}

// numbered lists the ids in the names of a directory's files, ascending.
func (c *Chain) numbered(ctx context.Context, dir, prefix string) ([]int64, error) {
	var ids []int64
	for info, err := range c.st.List(ctx, dir) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, err)
		}
		if id, ok := parseID(prefix, info.Name); ok && !info.Dir {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// parseID reads the id out of a file name; temporary files and hints have none.
func parseID(prefix, name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok || digits == "" || digits[0] < '0' || digits[0] > '9' {
		return 0, false
	}
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, err == nil && id > 0
}

// All yields every snapshot, oldest first. Snapshots that expire while it runs
// are left out; a gap in the middle of the chain is fault.ErrNotFound, which
// ends it.
func (c *Chain) All(ctx context.Context) iter.Seq2[*Snapshot, error] {
	return func(yield func(*Snapshot, error) bool) {
		ids, err := c.ids(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, id := range ids {
			s, err := c.Get(ctx, id)
			if isNotFound(err) {
				if gone, e := c.expired(ctx, id); e == nil && gone {
					continue
				}
			}
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

// expired tells whether the chain begins after id by now.
func (c *Chain) expired(ctx context.Context, id int64) (bool, error) {
	ids, err := c.ids(ctx)
	return len(ids) == 0 || ids[0] > id, err
}

// AtOrBefore is the newest snapshot whose time is not after millis (epoch
// milliseconds), nil when all are younger. It searches by halves, trusting
// that times rise with ids, and reads about log2 of the chain's length files.
func (c *Chain) AtOrBefore(ctx context.Context, millis int64) (*Snapshot, error) {
	found, _, err := c.divide(ctx, func(s *Snapshot) bool { return s.TimeMillis <= millis })
	return found, err
}

// AtWatermark is the oldest snapshot whose watermark (epoch milliseconds) is
// not before the given one, nil when there is none. It searches as AtOrBefore
// does: a watermark once set is never taken back.
func (c *Chain) AtWatermark(ctx context.Context, watermark int64) (*Snapshot, error) {
	_, found, err := c.divide(ctx, func(s *Snapshot) bool {
		w := s.Watermark
		return w == nil || *w == math.MinInt64 || *w < watermark
	})
	return found, err
}

// divide finds where the chain stops being of a kind that only its beginning
// is: the last snapshot of that kind and the first that is not; nil where
// there is none.
func (c *Chain) divide(ctx context.Context, is func(*Snapshot) bool) (last, first *Snapshot, err error) {
	latest, err := c.Latest(ctx)
	if err != nil || latest == nil {
		return nil, nil, err
	}
	if is(latest) {
		return latest, nil, nil
	}
	earliest, err := c.Earliest(ctx)
	if err != nil || earliest == nil {
		return nil, nil, err
	}
	if !is(earliest) {
		return nil, earliest, nil
	}
	low, high := earliest, latest
	for low.ID+1 < high.ID {
		middle := low.ID + (high.ID-low.ID)/2
		s, err := c.Get(ctx, middle)
		switch {
		case isNotFound(err):
			gone, e := c.expired(ctx, middle)
			if e == nil && gone {
				return c.divide(ctx, is) // the chain begins later by now
			}
			return nil, nil, errors.Join(err, e) // a hole in the chain
		case err != nil:
			return nil, nil, err
		case is(s):
			low = s
		default:
			high = s
		}
	}
	return low, high, nil
}

func isNotFound(err error) bool { return errors.Is(err, fault.ErrNotFound) }
