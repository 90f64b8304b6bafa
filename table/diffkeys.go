package table

import (
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/snapshot"
)

// A comparison of two versions reads only what they do not share. The files of
// a bucket are cut into sections, ranges of keys that no file crosses:
//
//	before   a━━━c      f━━━━━━h   m━━━p
//	after    a━━━c      f━━━h g━━j m━━━p     (x━x is new)
//	         shared     compared   shared
//
// In a section where files differ both sides are merged on their own and put
// side by side, key by key. Where the newest version of a key is its row, files
// that are on both sides are left out of that, as Paimon does. Where a row is
// made of several versions, or an older one can win by its sequence fields, the
// shared ones are part of it: Paimon leaves them out and tells half a row.

// versionFiles are the live files of a version, by bucket.
type versionFiles struct {
	files   map[bucketKey][]manifest.DataFile
	vectors map[bucketKey]bucketVectors
	buckets map[string]int // how many a partition has
}

// bothFiles are the files of both versions.
func (d *Diff) bothFiles(ctx context.Context) (before, after *versionFiles, err error) {
	if before, err = d.files(ctx, d.stretch.before); err == nil {
		after, err = d.files(ctx, d.stretch.after)
	}
	return before, after, err
}

// files finds the files of a version that may hold rows of the result; nil has none.
func (d *Diff) files(ctx context.Context, at *snapshot.Snapshot) (*versionFiles, error) {
	v := &versionFiles{files: make(map[bucketKey][]manifest.DataFile), buckets: make(map[string]int)}
	if at == nil {
		return v, nil
	}
	entries, err := d.base.table.liveFiles(ctx, at, d.base.pruning(ctx))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Bucket < 0 && len(d.base.schema.PrimaryKeys) > 0 {
			continue // rows that wait for a bucket are not visible to batch reads
		}
		key := bucketKey{string(e.Partition), e.Bucket}
		v.files[key] = append(v.files[key], e.File)
		v.buckets[key.partition] = e.TotalBuckets
	}
	v.vectors, err = d.base.table.vectorsAt(ctx, at)
	return v, err
}

// in names the files of a bucket.
func (v *versionFiles) in(key bucketKey) map[fileID]bool {
	ids := make(map[fileID]bool, len(v.files[key]))
	for i := range v.files[key] {
		ids[idOf(&v.files[key][i])] = true
	}
	return ids
}

// without are the files of a bucket that another version does not have.
func (v *versionFiles) without(other *versionFiles, key bucketKey) (out []manifest.DataFile) {
	theirs := make(map[string]bool)
	for i := range other.files[key] {
		theirs[other.files[key][i].Name] = true
	}
	for _, f := range v.files[key] {
		if !theirs[f.Name] {
			out = append(out, f)
		}
	}
	return out
}

// sameVector tells that a file has the same rows marked under both.
func sameVector(a, b bucketVectors, name string) bool {
	x, inA := a[name]
	y, inB := b[name]
	return inA == inB && (!inA || x.Index == y.Index && x.Offset == y.Offset && x.Length == y.Length)
}

// diffUnit is a section of a bucket to be compared.
type diffUnit struct {
	key           bucketKey
	before, after []manifest.DataFile
	tells         unitTells
}

// unitTells says which differences of a section are told.
type unitTells int

const (
	tellAll unitTells = iota
	tellDeletes
	tellOthers
)

func (tells unitTells) has(kind int8) bool {
	return tells == tellAll || (tells == tellDeletes) == mergeengine.Retracts(kind)
}

// units are the sections of a bucket in which the versions differ.
func (d *Diff) units(key bucketKey, before, after *versionFiles) (units []diffUnit) {
	s := &d.base
	inBefore, inAfter := before.in(key), after.in(key)
	_, chooses := s.engine.(mergeengine.Chooser)
	// Where keys move, whether a key was there decides if its delete is told.
	leaveShared := chooses && len(s.merging.SequenceFields) == 0 && !s.table.crossing()
	all := slices.Clone(before.files[key])
	for _, f := range after.files[key] {
		if !inBefore[idOf(&f)] {
			all = append(all, f)
		}
	}
	types := typesOf(s.schema.KeyFields())
	for _, section := range lsm.Sections(all, func(a, b []byte) int { return binaryrow.Compare(types, a, b) }) {
		u, differs := diffUnit{key: key}, false
		for _, run := range section {
			for _, f := range run {
				was, is := inBefore[idOf(&f)], inAfter[idOf(&f)]
				shared := was && is && sameVector(before.vectors[key], after.vectors[key], f.Name)
				differs = differs || !shared
				if shared && leaveShared {
					continue
				}
				if was {
					u.before = append(u.before, f)
				}
				if is {
					u.after = append(u.after, f)
				}
			}
		}
		if differs {
			units = append(units, u)
		}
	}
	return units
}

// allUnits are the sections of all buckets, in the order in which they are told.
func (d *Diff) allUnits(before, after *versionFiles) (all []diffUnit) {
	both := maps.Clone(before.files)
	maps.Copy(both, after.files)
	keys := d.base.table.sortedBuckets(both)
	for len(keys) > 0 {
		n := d.together(keys, before, after)
		var units []diffUnit
		for _, key := range keys[:n] {
			units = append(units, d.units(key, before, after)...)
		}
		if n > 1 && d.mayMove(keys[:n], before, after) {
			units = deletesFirst(units)
		}
		all, keys = append(all, units...), keys[n:]
	}
	return all
}

// together is how many of the first buckets hold, between them, all that may
// become of their keys.
func (d *Diff) together(keys []bucketKey, before, after *versionFiles) int {
	t, partition := d.base.table, keys[0].partition
	switch {
	case t.crossing():
		return len(keys)
	case t.options.Bucket > 0 && before.buckets[partition] == after.buckets[partition]:
		return 1
	}
	n := 1
	for n < len(keys) && keys[n].partition == partition {
		n++
	}
	return n
}

// mayMove tells that a key may lie in another of some buckets than it did. Within
// a partition an overwrite is needed for that, and leaves none of its files.
func (d *Diff) mayMove(keys []bucketKey, before, after *versionFiles) bool {
	for _, key := range keys {
		if !d.base.table.crossing() && len(after.without(before, key)) < len(after.files[key]) {
			return false
		}
	}
	return true
}

// deletesFirst is for keys that move: what is deleted in one bucket must not
// come after what is new in another.
func deletesFirst(units []diffUnit) []diffUnit {
	var first, then []diffUnit
	for _, u := range units {
		if len(u.before) > 0 || slices.ContainsFunc(u.after, mayDelete) {
			u.tells = tellDeletes
			first = append(first, u)
			u.tells = tellOthers
		}
		then = append(then, u)
	}
	return append(first, then...)
}

// compared reads both versions and yields what differs.
func (d *Diff) compared(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	before, after, err := d.bothFiles(ctx)
	if err != nil {
		return failing(err)
	}
	units := d.allUnits(before, after)
	cores := d.base.table.settings.Parallel
	lanes := min(cores, len(units))
	return batchesOf(inLanes(ctx, lanes, func(yield func(readPart, error) bool) {
		for _, u := range units {
			read := func(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
				side := func(at *snapshot.Snapshot, files []manifest.DataFile, vectors bucketVectors) iter.Seq2[arrow.RecordBatch, error] {
					return d.side(ctx, at, u.key, files, vectors, max(1, cores/lanes/2))
				}
				older := side(d.stretch.before, u.before, before.vectors[u.key])
				return d.compare(u.tells, older, side(d.stretch.after, u.after, after.vectors[u.key]))
			}
			if !yield(read, nil) {
				return
			}
		}
	}))
}

// side reads all columns of one side of a section in the order of keys, with
// sequence numbers and kinds, rows that are deletes too. Of the filter it holds
// to what is the same on both sides: that on keys and partitions.
func (d *Diff) side(ctx context.Context, at *snapshot.Snapshot, key bucketKey, files []manifest.DataFile, vectors bucketVectors, parallel int) iter.Seq2[arrow.RecordBatch, error] {
	if len(files) == 0 {
		return func(func(arrow.RecordBatch, error) bool) {}
	}
	filter, _ := d.base.filter.OnlyFields(nameSet(append(d.base.schema.KeyFields(), d.base.schema.PartitionFields()...)))
	s, err := d.base.ofColumns(d.base.schema.Fields, filter)
	if err != nil {
		return failing(err)
	}
	s.snapshot = at
	s.with(systemColumns{sequence: true, deletes: true})
	split := s.split(key, files)
	split.Merge, split.Vectors = true, vectors.of(files)
	return s.readSplit(ctx, split, parallel)
}
