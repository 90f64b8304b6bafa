package table

import (
	"context"
	"path"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/snapshot"
)

// mostDeltas is how many snapshots a refresh follows one by one; further away,
// the files of the newest are listed anew.
const mostDeltas = 64

// lookupState is what a Lookup knows of one snapshot. It is immutable but for
// users, which Lookup.mu guards.
type lookupState struct {
	snapshot *snapshot.Snapshot // nil: none yet
	entries  map[manifest.Identity]manifest.Entry
	buckets  map[bucketKey]*lookupBucket
	parts    map[string][]*lookupBucket // by partition
	users    int                        // calls, and the Lookup for its newest
}

// lookupBucket are the files of one bucket, youngest runs first.
type lookupBucket struct {
	bucketKey
	total     int // buckets of the partition when the files were written
	constants map[string]arrow.Array
	files     []*lookupFile
	gone      []*goneVector // by file, nil without
	runs      []finderRun
	levels    []int   // of runs, where a version stands for those on higher levels
	ceiling   []int64 // greatest sequence number of a run and those after it
}

// goneVector is a deletion vector, read when it is first needed.
type goneVector struct {
	ref  VectorRef
	mu   sync.Mutex
	read *deletion.Vector
}

// open makes the state of a snapshot the current one.
func (l *Lookup) open(ctx context.Context, at *snapshot.Snapshot) error {
	now := l.table.world.Clock()
	l.mu.Lock()
	before := l.state
	l.mu.Unlock()
	s := &lookupState{snapshot: at, users: 1, buckets: map[bucketKey]*lookupBucket{}, parts: map[string][]*lookupBucket{}}
	var err error
	if s.entries, err = l.entriesAt(ctx, before, at); err != nil {
		return err
	}
	if err := l.arrange(ctx, s, before); err != nil {
		return err
	}
	l.mu.Lock()
	l.enter(s)
	l.state, l.known = s, now
	var gone []*lookupFile
	if before != nil {
		gone = l.leave(before)
	}
	l.mu.Unlock()
	l.forget(gone)
	return nil
}

// enter counts the state as a user of its files; leave ends that when the last
// user of the state leaves, and returns the files that nobody uses then. Both
// under l.mu.
func (l *Lookup) enter(s *lookupState) {
	for _, b := range s.buckets {
		for _, f := range b.files {
			f.states++
			l.files[f.id()] = f
		}
	}
}

func (l *Lookup) leave(s *lookupState) (gone []*lookupFile) {
	s.users--
	if s.users > 0 {
		return nil
	}
	for _, b := range s.buckets {
		for _, f := range b.files {
			if f.states--; f.states == 0 {
				delete(l.files, f.id())
				gone = append(gone, f)
			}
		}
	}
	return gone
}

func (l *Lookup) forget(gone []*lookupFile) {
	if len(gone) == 0 {
		return
	}
	set := make(map[any]bool, len(gone))
	for _, f := range gone {
		set[&f.keyFile] = true
		l.local.drop(f)
	}
	l.cache.forget(set)
}

// entriesAt lists the live files, from the state before where few snapshots
// lie between.
func (l *Lookup) entriesAt(ctx context.Context, before *lookupState, at *snapshot.Snapshot) (map[manifest.Identity]manifest.Entry, error) {
	if at == nil {
		return nil, nil
	}
	if before != nil && before.snapshot != nil && before.snapshot.ID < at.ID && at.ID-before.snapshot.ID <= mostDeltas {
		now, err := l.table.chain.Get(ctx, before.snapshot.ID)
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		if err == nil && now.Same(before.snapshot) { // else it has expired, or was rolled back
			entries, err := l.follow(ctx, before, at)
			if !isNotFound(err) {
				return entries, err
			}
		}
	}
	live, err := l.table.liveFiles(ctx, at, l.scan.limited(l.scan.pruning(ctx)))
	if err != nil {
		return nil, err
	}
	entries := make(map[manifest.Identity]manifest.Entry, len(live))
	for _, e := range live {
		entries[e.Identity()] = e
	}
	return entries, nil
}

// follow applies what each snapshot after the state's has changed.
func (l *Lookup) follow(ctx context.Context, before *lookupState, at *snapshot.Snapshot) (map[manifest.Identity]manifest.Entry, error) {
	entries := make(map[manifest.Identity]manifest.Entry, len(before.entries))
	for id, e := range before.entries {
		entries[id] = e
	}
	for id := before.snapshot.ID + 1; id <= at.ID; id++ {
		next := at
		if id < at.ID {
			var err error
			if next, err = l.table.chain.Get(ctx, id); err != nil {
				return nil, err
			}
		}
		metas, err := l.table.manifest.ReadList(ctx, next.DeltaManifestList)
		if err != nil {
			return nil, err
		}
		for _, m := range metas {
			changes, err := l.table.manifest.ReadEntries(ctx, m)
			if err != nil {
				return nil, err
			}
			for _, e := range changes {
				if e.Kind == manifest.Delete {
					delete(entries, e.Identity())
				} else if (e.File.Level > 0 || !l.scan.compacted) && (l.scan.keep == nil || l.scan.keep(&e)) {
					entries[e.Identity()] = e
				}
			}
		}
	}
	return entries, nil
}

// arrange sorts the files into buckets and runs; what has not changed since
// the state before is taken over.
func (l *Lookup) arrange(ctx context.Context, s, before *lookupState) error {
	vectors, err := l.table.vectorsAt(ctx, s.snapshot)
	if err != nil {
		return err
	}
	byBucket := make(map[bucketKey][]manifest.Entry)
	for _, e := range s.entries {
		if e.Bucket >= 0 {
			key := bucketKey{string(e.Partition), e.Bucket}
			byBucket[key] = append(byBucket[key], e)
		}
	}
	for key, entries := range byBucket {
		slices.SortFunc(entries, func(a, b manifest.Entry) int { return l.table.compareEntries(&a, &b) })
		b, err := l.bucket(ctx, key, entries, vectors[key], before)
		if err != nil {
			return err
		}
		s.buckets[key] = b
		s.parts[key.partition] = append(s.parts[key.partition], b)
	}
	return nil
}

func (l *Lookup) bucket(ctx context.Context, key bucketKey, entries []manifest.Entry, vectors bucketVectors, before *lookupState) (*lookupBucket, error) {
	var old *lookupBucket
	if before != nil {
		old = before.buckets[key]
	}
	b := &lookupBucket{bucketKey: key, total: entries[0].TotalBuckets}
	dir, err := l.table.bucketDir([]byte(key.partition), key.bucket)
	if err != nil {
		return nil, err
	}
	metas := make([]manifest.DataFile, len(entries))
	for i, e := range entries {
		if e.TotalBuckets != b.total {
			b.total = -1
		}
		metas[i] = e.File
		f := l.file(dir, e.File)
		b.files = append(b.files, f)
		b.gone = append(b.gone, old.vector(f, vectors))
	}
	if b.runs, err = l.space.runs(metas); err != nil {
		return nil, err
	}
	if err := b.setLevels(ctx, l, metas); err != nil {
		return nil, err
	}
	b.ceiling = make([]int64, len(b.runs)+1)
	b.ceiling[len(b.runs)] = -1 << 62
	for i := len(b.runs) - 1; i >= 0; i-- {
		b.ceiling[i] = b.ceiling[i+1]
		for _, f := range b.runs[i].files {
			b.ceiling[i] = max(b.ceiling[i], metas[f].MaxSequence)
		}
	}
	return b, b.setConstants(l, old)
}

// file is the one file of its name, whichever states it is part of. Only
// refreshes, one at a time, make new ones.
func (l *Lookup) file(dir string, meta manifest.DataFile) *lookupFile {
	f := &lookupFile{lookup: l, keyFile: keyFile{table: l.table, space: l.space, meta: meta, where: fileLocation{dir, &l.external}, cache: l.cache}}
	f.blockRows = f.rowsOfBlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.files[f.id()]; have != nil {
		return have
	}
	return f
}

// vector is the deletion vector of a file; one that has not changed is not read again.
func (b *lookupBucket) vector(f *lookupFile, vectors bucketVectors) *goneVector {
	ref, ok := vectors[f.meta.Name]
	if !ok {
		return nil
	}
	if b != nil {
		for i, have := range b.files {
			if g := b.gone[i]; have.meta.Name == f.meta.Name && g != nil && g.ref.Index == ref.Index && g.ref.DeletionRange.Offset == ref.Offset {
				return g
			}
		}
	}
	return &goneVector{ref: ref}
}

// goneFrom gives the deleted rows of a file of the bucket, nil for none.
func (b *lookupBucket) goneFrom(ctx context.Context, l *Lookup, file int) (*deletion.Vector, error) {
	g := b.gone[file]
	if g == nil {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.read == nil {
		f := b.files[file]
		r := vectorReader{table: l.table, dir: l.table.indexDir(f.where.dir)}
		v, err := r.read(ctx, &g.ref, &f.meta)
		if err != nil {
			return nil, err
		}
		g.read = v
	}
	return g.read, nil
}

// setConstants makes the partition columns, which never come from files. They
// live on Go's heap.
func (b *lookupBucket) setConstants(l *Lookup, old *lookupBucket) error {
	if old != nil {
		b.constants = old.constants
		return nil
	}
	fields := l.scan.schema.PartitionFields()
	values, err := binaryrow.Decode(typesOf(fields), []byte(b.partition))
	if err != nil {
		return err
	}
	b.constants = make(map[string]arrow.Array, len(fields))
	for i, f := range fields {
		if b.constants[f.Name], err = oneCell(f, values[i], memory.DefaultAllocator); err != nil {
			return err
		}
	}
	return nil
}

// id names the file among those of the table.
func (f *lookupFile) id() string {
	if f.meta.ExternalPath != nil {
		return *f.meta.ExternalPath
	}
	return path.Join(f.where.dir, f.meta.Name)
}
