package snapshot

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
)

// FollowOptions say how a Follower waits. The zero value is ready.
type FollowOptions struct {
	// Ceiling is the longest time between two looks for the next snapshot.
	// After a snapshot the looks begin sixteen times as close and move apart
	// again. Default 20 ms on a local directory, 500 ms on an object store.
	Ceiling time.Duration

	Clock func() time.Time                           // for the lag; default time.Now
	Sleep func(context.Context, time.Duration) error // between looks; default really waits
}

// FollowStats counts what a Follower went through.
type FollowStats struct {
	Snapshots int64         // handed out
	Polls     int64         // looks for a snapshot by its name, found or not
	Wakes     int64         // waits that a commit of this process cut short
	Requests  int64         // all requests to the store, polls among them
	Bytes     int64         // read from the store
	Lag       time.Duration // from the commit of the newest snapshot handed out to its handing out, by both clocks
}

// OutOfRange says that a follower asked for a snapshot that the chain cannot
// give any more, or could only give after snapshots that it does not have.
// It is the cause within an error of class fault.ErrNotFound.
type OutOfRange struct {
	Next     int64 // the snapshot asked for
	Earliest int64 // the oldest one there is, 0 when there is none
	Latest   int64 // the newest one there is, 0 when there is none
	// Rewritten says that the snapshot handed out before Next is another one
	// by now: the chain was rolled back and went on, or the table made anew.
	Rewritten bool
}

// Expired tells whether the chain begins after Next: snapshots Next to
// Earliest-1 are lost to this reader.
func (e *OutOfRange) Expired() bool { return !e.Rewritten && e.Next < e.Earliest }

// Error names the gap.
func (e *OutOfRange) Error() string {
	switch {
	case e.Rewritten:
		return fmt.Sprintf("snapshot %d is not the one that was read: the table was rolled back or made anew", e.Next-1)
	case e.Expired():
		return fmt.Sprintf("snapshots %d to %d have expired, the oldest is %d", e.Next, e.Earliest-1, e.Earliest)
	case e.Latest == 0:
		return fmt.Sprintf("the next snapshot would be %d, and the table has none: it was dropped or made anew", e.Next)
	}
	return fmt.Sprintf("the next snapshot would be %d, and the newest is %d: the table was rolled back or made anew, or never got that far", e.Next, e.Latest)
}

func (e *OutOfRange) fault() error {
	hint := "start again from the table's present state, or with a snapshot from " + fmt.Sprint(max(e.Earliest, 1)) + " on"
	if e.Expired() {
		hint += ", which leaves the gap out; keep snapshots longer, or follow under a consumer id, which keeps those it has not read"
	}
	return &fault.Error{Class: fault.ErrNotFound, Op: "follow", Snapshot: e.Next, Err: e, Hint: hint}
}

// rangeInterval is the number of polls in vain from one look at the chain's
// ends to the next: they cost more requests than a poll.
const rangeInterval = 16

// Follower waits for the snapshots of a chain, one after the other. A poll is
// one small read by name and no listing; every sixteenth poll in vain also
// looks whether the chain still leads to the snapshot. A commit made in this
// process, by whatever Table, ends the wait at once.
//
// It holds no goroutine and needs no Close. Next belongs to one goroutine at a
// time, Stats may be called by others meanwhile.
type Follower struct {
	chain *Chain
	count *store.Counter
	place string
	cfg   FollowOptions
	pause time.Duration // the next wait
	last  *Snapshot     // handed out last

	mu    sync.Mutex
	stats FollowStats // without requests and bytes
}

// NewFollower follows chain. It makes no request.
func NewFollower(chain *Chain, cfg FollowOptions) *Follower {
	if cfg.Ceiling <= 0 {
		cfg.Ceiling = defaultCeiling(chain.st.URL())
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Sleep == nil {
		cfg.Sleep = Sleep
	}
	count := store.Counting(chain.st)
	f := &Follower{chain: &Chain{st: count, root: chain.root}, count: count, place: chain.place(), cfg: cfg}
	f.pause = f.floor()
	return f
}

// defaultCeiling depends on what a request costs. A local directory is an
// absolute path, other stores have a scheme.
func defaultCeiling(url string) time.Duration {
	if strings.Contains(url, "://") {
		return 500 * time.Millisecond
	}
	return 20 * time.Millisecond
}

func (f *Follower) floor() time.Duration { return max(f.cfg.Ceiling/16, 1) }

// Next waits until snapshot id exists and returns it. Errors: fault.ErrNotFound
// with an *OutOfRange as its cause when the chain cannot lead there any more;
// that of ctx; those of the store, after which Next may be called again.
func (f *Follower) Next(ctx context.Context, id int64) (*Snapshot, error) {
	if id < 1 {
		return nil, fault.Invalid(fmt.Sprintf("there is no snapshot %d: ids begin at 1", id))
	}
	for poll := 1; ; poll++ {
		// Registered before looking, so that no commit falls in between.
		asleep, leave := sleepers.add(ctx, f.place, id)
		s, err := f.look(ctx, id, poll)
		if s == nil && err == nil {
			err = f.wait(ctx, asleep)
		}
		leave()
		if s != nil || err != nil {
			return s, err
		}
	}
}

// look polls once. Nil without an error says: not yet.
func (f *Follower) look(ctx context.Context, id int64, poll int) (*Snapshot, error) {
	s, err := f.chain.Get(ctx, id)
	f.note(func(stats *FollowStats) { stats.Polls++ })
	switch {
	case err == nil:
		f.last, f.pause = s, f.floor()
		f.note(func(stats *FollowStats) {
			stats.Snapshots++
			stats.Lag = f.cfg.Clock().Sub(time.UnixMilli(s.TimeMillis))
		})
		return s, nil
	case !isNotFound(err):
		return nil, err
	case poll%rangeInterval == 0, poll == 1 && f.last == nil:
		return nil, f.checkRange(ctx, id)
	}
	return nil, nil
}

// wait sleeps until the next look is due or a commit wakes.
func (f *Follower) wait(ctx, asleep context.Context) error {
	err := f.cfg.Sleep(asleep, f.pause)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case asleep.Err() != nil:
		f.note(func(stats *FollowStats) { stats.Wakes++ })
		return nil
	}
	f.pause = min(f.pause+f.pause/2+1, f.cfg.Ceiling)
	return err
}

// checkRange tells whether the chain leads to a snapshot that is not there.
// Usually the one before it answers that: it is the newest.
func (f *Follower) checkRange(ctx context.Context, id int64) error {
	if id > 1 {
		before, err := f.chain.Get(ctx, id-1)
		switch {
		case err == nil && f.last != nil && f.last.ID == before.ID && !sameSnapshot(f.last, before):
			return (&OutOfRange{Next: id, Rewritten: true}).fault()
		case err == nil:
			return nil
		case !isNotFound(err):
			return err
		}
	}
	earliest, err := f.chain.Earliest(ctx)
	if err != nil {
		return err
	}
	latest, err := f.chain.LatestID(ctx)
	if err != nil {
		return err
	}
	e := &OutOfRange{Next: id, Latest: latest}
	if earliest != nil {
		e.Earliest = earliest.ID
	}
	if e.Expired() || id > latest+1 {
		return e.fault()
	}
	return nil
}

// sameSnapshot tells whether two readings of one id are the same commit: no
// two commits name the same list.
func sameSnapshot(a, b *Snapshot) bool {
	return sameCommit(a, b) && a.DeltaManifestList == b.DeltaManifestList && a.TimeMillis == b.TimeMillis
}

func (f *Follower) note(change func(*FollowStats)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.stats)
}

// Stats reads the counters.
func (f *Follower) Stats() FollowStats {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, c := f.stats, f.count.Counts()
	s.Requests, s.Bytes = c.Requests(), c.BytesRead
	return s
}
