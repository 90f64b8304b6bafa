package table

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// lookEvery is how long a writer believes that a missing snapshot-N+1 means
// that N is the newest. Without it a chain that moved on and expired past N
// would look quiet for ever.
const lookEvery = time.Minute

// sequences knows the next free sequence number of every bucket, as far as
// snapshots tell. It reads the newest snapshot once and then only what later
// snapshots of others added, so that the rows of a live writer stay newer than
// those that others committed before it flushes. On a quiet table that costs
// one Stat a commit. It is safe for concurrent use: the committer tells it of
// commits while the writer goes on.
type sequences struct {
	table *Table

	mu     sync.Mutex
	known  map[bucketKey]int64
	loaded bool
	seen   int64                     // newest snapshot read, 0 for none
	print  uint32                    // digest of that one, 0 when it is not known
	looked time.Time                 // when the newest snapshot was last looked for
	made   func() *snapshot.Snapshot // the newest one that this process knows, nil where it makes none

	index   []manifest.IndexEntry // of snapshot indexAt
	indexAt int64
	live    map[bucketKey]*liveBucket
	counted countedBuckets
}

func newSequences(t *Table) *sequences {
	return &sequences{table: t, known: make(map[bucketKey]int64), live: make(map[bucketKey]*liveBucket)}
}

// emptySequences knows a table without files, for who does not care for those
// that it has.
func emptySequences(t *Table) *sequences {
	s := newSequences(t)
	s.loaded = true
	return s
}

// needed tells whether this table numbers rows after those already stored:
// bucket-unaware append writers always begin at 0, and postponed rows have none.
func (s *sequences) needed() bool {
	mode := s.table.schema.BucketMode()
	return mode != schema.BucketUnaware && mode != schema.Postpone
}

// next is the first free number of a bucket.
func (s *sequences) next(ctx context.Context, key bucketKey) (int64, error) {
	if !s.needed() {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded {
		if err := s.look(ctx); err != nil {
			return 0, err
		}
	}
	if err := s.sameCount(ctx, key.partition); err != nil {
		return 0, err
	}
	return s.known[key], nil
}

// raise notes numbers that this writer used itself.
func (s *sequences) raise(key bucketKey, next int64) {
	if s.needed() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.known[key] = max(s.known[key], next)
	}
}

// published notes a commit of this process. When it directly follows the
// snapshot seen last, nothing of others can lie between, and when the messages
// are all that its snapshots changed, and are in no other, there is nothing to
// read. The next refresh reads the rest.
func (s *sequences) published(ids []int64, msgs []CommitMessage, whole bool) {
	if !s.needed() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range msgs {
		key := msgs[i].key()
		for _, f := range msgs[i].made() {
			s.known[key] = max(s.known[key], f.MaxSequence+1)
		}
	}
	for i, id := range ids {
		if !s.loaded || id != s.seen+1+int64(i) {
			s.looked = time.Time{} // others came before it: what is next may have expired
			return
		}
	}
	if len(s.live) > 0 {
		if !whole {
			return
		}
		var changes snapshot.Changes
		for i := range msgs {
			msgs[i].addTo(&changes, false)
		}
		s.apply(append(changes.AppendFiles, changes.CompactFiles...))
	}
	s.seen += int64(len(ids))
	if s.print = 0; s.made != nil {
		if last := s.made(); last != nil && last.ID == s.seen {
			s.print = digest(last)
		}
	}
}

// refresh catches up with the newest snapshot: one request when there is none newer.
// Where keys move between partitions a wrong order would leave a key in two of
// them, so it makes sure there that no rollback has given the id out again.
func (s *sequences) refresh(ctx context.Context) error {
	if !s.needed() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen > 0 && s.table.world.Clock().Sub(s.looked) < lookEvery {
		same := s.same
		if !s.table.crossing() {
			same = nil
		}
		if quiet, err := s.table.quiet(ctx, s.seen, same); err != nil || quiet {
			return err
		}
	}
	return s.look(ctx)
}

// quiet tells that no snapshot follows the one seen last, and that this one is the
// same still unless same is nil: a rollback gives ids out again.
func (t *Table) quiet(ctx context.Context, seen int64, same func(*snapshot.Snapshot) bool) (bool, error) {
	if same != nil {
		s, err := t.chain.Get(ctx, seen)
		if isNotFound(err) {
			return false, nil
		}
		if err != nil || !same(s) {
			return false, err
		}
	}
	more, err := t.chain.Exists(ctx, seen+1)
	return err == nil && !more, err
}

// look finds the newest snapshot and reads what is new in it.
func (s *sequences) look(ctx context.Context) error {
	at := s.table.world.Clock()
	newest, err := s.table.chain.Latest(ctx)
	if err == nil {
		err = s.catchUp(ctx, newest)
	}
	if err == nil {
		s.loaded, s.looked = true, at
	}
	return err
}

// catchUp reads what is new in a snapshot; nil is none.
func (s *sequences) catchUp(ctx context.Context, newest *snapshot.Snapshot) error {
	if newest == nil || newest.ID == s.seen && s.same(newest) {
		return nil
	}
	if s.seen > 0 && newest.ID > s.seen {
		if ok, err := s.follow(ctx, newest); ok || err != nil {
			return err
		}
	}
	return s.reload(ctx, newest)
}

// reload reads the highest number of every bucket from a whole snapshot, and
// the files of those that are followed.
func (s *sequences) reload(ctx context.Context, at *snapshot.Snapshot) error {
	for _, list := range []string{at.BaseManifestList, at.DeltaManifestList} {
		if _, err := s.read(ctx, list); err != nil {
			return err
		}
	}
	err := s.loadLive(ctx, at, slices.Collect(maps.Keys(s.live)))
	if err == nil {
		s.seen, s.print = at.ID, digest(at)
	}
	return err
}

// same tells that a snapshot may be the one seen last: a table that was rolled
// back has another one of its id.
func (s *sequences) same(at *snapshot.Snapshot) bool { return s.print == 0 || s.print == digest(at) }

// follow reads the deltas since the snapshot seen last; false when one of
// them has expired already, or when they follow another history.
func (s *sequences) follow(ctx context.Context, newest *snapshot.Snapshot) (bool, error) {
	switch last, err := s.table.chain.Get(ctx, s.seen); {
	case err == nil && !s.same(last):
		return false, nil
	case err != nil && !isNotFound(err):
		return false, err
	}
	for id := s.seen + 1; id <= newest.ID; id++ {
		at := newest
		if id < newest.ID {
			got, err := s.table.chain.Get(ctx, id)
			if isNotFound(err) {
				return false, nil
			}
			if err != nil {
				return false, err
			}
			at = got
		}
		delta, err := s.read(ctx, at.DeltaManifestList)
		if isNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		s.apply(delta)
		s.seen, s.print = id, digest(at)
	}
	return true, nil
}

// read raises the numbers by every file that a manifest list adds, and returns
// the entries of buckets that are followed. Files deleted since do no harm:
// numbers only have to be high enough.
func (s *sequences) read(ctx context.Context, list string) (followed []manifest.Entry, err error) {
	for e, err := range s.table.manifest.ScanLists(ctx, nil, list) {
		if err != nil {
			return nil, err
		}
		key := bucketKey{string(e.Partition), e.Bucket}
		if e.Kind == manifest.Add {
			s.known[key] = max(s.known[key], e.File.MaxSequence+1)
			s.counted.saw(e)
		}
		if s.live[key] != nil {
			followed = append(followed, *e)
		}
	}
	return followed, nil
}
