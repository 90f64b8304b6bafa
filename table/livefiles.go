package table

import (
	"context"

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
	group int // changes of one group are committed or given up together
}

type changeID struct {
	kind manifest.Kind
	fileID
}

func idOf(f *manifest.DataFile) fileID { return fileID{f.Level, f.Name} }

// liveBucket are the files of one bucket in the snapshot seen last, and which
// changes of this writer no snapshot has shown yet.
type liveBucket struct {
	files   map[fileID]manifest.DataFile
	waiting map[changeID]bool
	foreign bool // something changed that this writer did not do
}

// apply notes an entry of a delta. Told twice, it changes nothing.
func (s *sequences) apply(e *manifest.Entry) {
	b := s.live[bucketKey{string(e.Partition), e.Bucket}]
	if b == nil {
		return
	}
	id := idOf(&e.File)
	change := changeID{e.Kind, id}
	if b.waiting[change] {
		delete(b.waiting, change)
	} else {
		b.foreign = true
	}
	if e.Kind == manifest.Add {
		b.files[id] = e.File
	} else {
		delete(b.files, id)
	}
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
		s.live[key] = &liveBucket{waiting: make(map[changeID]bool)}
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
	for _, key := range keys {
		b := s.live[key]
		b.files, b.foreign = make(map[fileID]manifest.DataFile), true
	}
	if at == nil || len(keys) == 0 {
		return nil
	}
	entries, err := s.table.liveFiles(ctx, at, s.table.filterBuckets(keys))
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if b := s.live[bucketKey{string(e.Partition), e.Bucket}]; b != nil {
			b.files[idOf(&e.File)] = e.File
			delete(b.waiting, changeID{manifest.Add, idOf(&e.File)})
		}
	}
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

// await names changes of this writer that a snapshot will show.
func (s *sequences) await(key bucketKey, changes []fileChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range changes {
		s.live[key].waiting[changeID{changes[i].kind, idOf(&changes[i].file)}] = true
	}
}

// withdraw names changes that no snapshot will show.
func (s *sequences) withdraw(key bucketKey, changes []fileChange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range changes {
		delete(s.live[key].waiting, changeID{changes[i].kind, idOf(&changes[i].file)})
	}
}

// unseen leaves those of a writer's changes that no snapshot has shown, and
// tells whether others have changed the bucket since it was asked last.
func (s *sequences) unseen(key bucketKey, changes []fileChange) (left []fileChange, foreign bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.live[key]
	for _, c := range changes {
		id := idOf(&c.file)
		_, there := b.files[id]
		moot := c.kind == manifest.Delete && !there && !b.waiting[changeID{manifest.Add, id}]
		if b.waiting[changeID{c.kind, id}] && !moot {
			left = append(left, c)
		}
	}
	foreign, b.foreign = b.foreign, false
	return left, foreign
}

// liveIn are the files of a bucket in the snapshot seen last.
func (s *sequences) liveIn(key bucketKey) []manifest.DataFile {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := make([]manifest.DataFile, 0, len(s.live[key].files))
	for _, f := range s.live[key].files {
		files = append(files, f)
	}
	return files
}
