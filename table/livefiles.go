package table

import (
	"context"
	"maps"
	"slices"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// fileID names a file of a bucket: the same file on another level is another.
type fileID struct {
	level int
	name  string
}

// fileChange is a file that came into a bucket or left it.
type fileChange struct {
	kind  manifest.Kind
	file  manifest.DataFile
	group int // changes of one group are in one snapshot, or in none
	seen  bool
}

func changesOf(before, after []manifest.DataFile) []fileChange {
	var out []fileChange
	for _, f := range before {
		out = append(out, fileChange{kind: manifest.Delete, file: f})
	}
	for _, f := range after {
		out = append(out, fileChange{kind: manifest.Add, file: f})
	}
	return out
}

func idOf(f *manifest.DataFile) fileID { return fileID{f.Level, f.Name} }

// is tells that two changes are the same, whatever group they are of.
func (c *fileChange) is(kind manifest.Kind, f *manifest.DataFile) bool {
	return c.kind == kind && idOf(&c.file) == idOf(f)
}

// liveBucket are the files of one bucket in the snapshot seen last, and what
// this writer has done to them and no snapshot has shown.
//
// What a writer hands out is committed in that order, or never. So once a
// snapshot shows a group of changes, all before it are settled. It is shown by
// the files that it adds: others may take the same ones away.
type liveBucket struct {
	files   map[fileID]manifest.DataFile
	ours    []fileChange // handed out and not settled, the oldest first
	group   int          // handed out last
	shown   int          // the newest that a snapshot has shown
	doubt   int          // up to this one it may be that snapshots have come and gone unseen
	changed bool         // since it was asked for, by more than what is ours
}

// apply notes entries of a snapshot, all of them at once. Told twice, they
// change nothing.
func (s *sequences) apply(entries []manifest.Entry) {
	touched := make(map[*liveBucket]bool)
	for _, kind := range []manifest.Kind{manifest.Add, manifest.Delete} {
		for i := range entries {
			e := &entries[i]
			b := s.live[bucketKey{string(e.Partition), e.Bucket}]
			if b == nil || e.Kind != kind {
				continue
			}
			touched[b] = true
			if kind == manifest.Add {
				b.add(&e.File)
			} else {
				b.remove(&e.File)
			}
		}
	}
	for b := range touched {
		b.settle()
	}
}

func (b *liveBucket) add(f *manifest.DataFile) {
	b.files[idOf(f)] = *f
	own := b.see(manifest.Add, f)
	if own < 0 {
		b.changed = true // also when it is ours, on the level that an overwrite has given it
		own = slices.IndexFunc(b.ours, func(c fileChange) bool { return c.kind == manifest.Add && c.file.Name == f.Name })
	}
	if own >= 0 {
		b.shown = max(b.shown, b.ours[own].group)
	}
}

func (b *liveBucket) remove(f *manifest.DataFile) {
	delete(b.files, idOf(f))
	if own := b.see(manifest.Delete, f); own < 0 || b.ours[own].group > b.shown {
		b.changed = true
	}
}

// see finds a change among ours, -1 for none.
func (b *liveBucket) see(kind manifest.Kind, f *manifest.DataFile) int {
	for i := range b.ours { // a change is large to move about
		if b.ours[i].is(kind, f) {
			b.ours[i].seen = true
			return i
		}
	}
	return -1
}

// settle forgets what is in snapshots, or never will be, or makes no difference
// any more.
func (b *liveBucket) settle() {
	for len(b.ours) > 0 {
		n := slices.IndexFunc(b.ours, func(c fileChange) bool { return c.group != b.ours[0].group })
		if n < 0 {
			n = len(b.ours)
		}
		first := b.ours[:n]
		if first[0].group > b.shown && slices.ContainsFunc(first, b.matters) {
			return
		}
		b.changed = b.changed || slices.ContainsFunc(first, func(c fileChange) bool { return !c.seen })
		b.ours = b.ours[n:]
	}
}

// matters tells that the bucket is another one with a change than without.
func (b *liveBucket) matters(c fileChange) bool {
	_, there := b.files[idOf(&c.file)]
	return there || c.kind == manifest.Add
}

// watch begins to follow the files of buckets.
func (s *sequences) watch(ctx context.Context, keys []bucketKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.loaded {
		if err := s.look(ctx); err != nil {
			return err
		}
	}
	for _, key := range keys {
		s.live[key] = &liveBucket{}
	}
	at, err := s.snapshotSeen(ctx)
	if err == nil {
		err = s.loadLive(ctx, at, keys)
	}
	if err != nil {
		for _, key := range keys {
			delete(s.live, key)
		}
	}
	return err
}

// snapshotSeen is the snapshot seen last, or the newest where that one has expired.
func (s *sequences) snapshotSeen(ctx context.Context) (*snapshot.Snapshot, error) {
	if s.seen == 0 {
		return nil, nil
	}
	at, err := s.table.chain.Get(ctx, s.seen)
	if !isNotFound(err) {
		return at, err
	}
	if err := s.look(ctx); err != nil || s.seen == 0 {
		return nil, err
	}
	return s.table.chain.Get(ctx, s.seen)
}

// loadLive reads the files of buckets from a whole snapshot; nil is none.
func (s *sequences) loadLive(ctx context.Context, at *snapshot.Snapshot, keys []bucketKey) error {
	var entries []manifest.Entry
	if at != nil && len(keys) > 0 {
		var err error
		if entries, err = s.table.liveFiles(ctx, at, s.table.filterBuckets(keys)); err != nil {
			return err
		}
	}
	asked := make(map[bucketKey]bool, len(keys))
	for _, key := range keys {
		asked[key] = true
		b := s.live[key]
		b.files, b.changed, b.doubt = make(map[fileID]manifest.DataFile), true, b.group
	}
	s.apply(slices.DeleteFunc(entries, func(e manifest.Entry) bool { return !asked[bucketKey{string(e.Partition), e.Bucket}] }))
	return nil
}

// filterBuckets admits the files of some buckets, and perhaps of others.
func (t *Table) filterBuckets(keys []bucketKey) *manifest.Filter {
	partitions := make(map[string]bool, len(keys))
	buckets := make(map[int]bool, len(keys))
	low, high := keys[0].bucket, keys[0].bucket
	for _, key := range keys {
		partitions[key.partition], buckets[key.bucket] = true, true
		low, high = min(low, key.bucket), max(high, key.bucket)
	}
	return &manifest.Filter{
		Partition: func(p []byte) bool { return partitions[string(p)] },
		Bucket:    func(bucket, _ int) bool { return buckets[bucket] },
		MinBucket: &low, MaxBucket: &high,
	}
}

// indexFiles are the index files of the snapshot seen last.
func (s *sequences) indexFiles(ctx context.Context) ([]manifest.IndexEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == s.indexAt {
		return s.index, nil
	}
	at, err := s.snapshotSeen(ctx)
	if err != nil {
		return nil, err
	}
	index, err := s.table.indexAt(ctx, at)
	if err == nil {
		s.index, s.indexAt = index, s.seen
	}
	return index, err
}

// forget stops following a bucket.
func (s *sequences) forget(key bucketKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, key)
}

// handOut notes changes of this writer that a snapshot may show, and returns
// their group.
func (s *sequences) handOut(key bucketKey, changes []fileChange) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.live[key]
	b.group++
	for _, c := range changes {
		c.group = b.group
		b.ours = append(b.ours, c)
	}
	return b.group
}

// withdraw names changes that no snapshot will show.
func (s *sequences) withdraw(key bucketKey, changes []fileChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.live[key]
	type change struct {
		kind manifest.Kind
		file fileID
	}
	gone := make(map[change]bool, len(changes))
	for i := range changes {
		gone[change{changes[i].kind, idOf(&changes[i].file)}] = true
	}
	b.ours = slices.DeleteFunc(b.ours, func(c fileChange) bool { return gone[change{c.kind, idOf(&c.file)}] })
	b.doubt, b.changed = b.group, true // what was built on them will not be committed either
}

// mistrust says that the bucket is not as it was thought to be.
func (s *sequences) mistrust(key bucketKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[key].doubt = s.live[key].group
}

// doubtful tells that it is not known yet what became of changes of this writer.
func (s *sequences) doubtful(key bucketKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.live[key]
	return len(b.ours) > 0 && b.ours[0].group <= b.doubt
}

// outstanding tells that changes of this writer are not settled.
func (s *sequences) outstanding(key bucketKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live[key].ours) > 0
}

// changed tells that the bucket has become another one since it was asked for,
// by more than that snapshots show what is ours.
func (s *sequences) changed(key bucketKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[key].changed
}

// bucket are the files of a bucket in the snapshot seen last, and this writer's
// groups of changes that are not settled.
func (s *sequences) bucket(key bucketKey) (files []manifest.DataFile, ours [][]fileChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.live[key]
	b.changed = false
	for i, c := range b.ours {
		if i == 0 || c.group != b.ours[i-1].group {
			ours = append(ours, nil)
		}
		ours[len(ours)-1] = append(ours[len(ours)-1], c)
	}
	return slices.Collect(maps.Values(b.files)), ours
}
