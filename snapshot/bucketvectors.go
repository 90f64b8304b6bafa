package snapshot

import (
	"fmt"

	"github.com/tidelake/tidelake/manifest"
)

// vectorBucket is a bucket whose deletion vectors are in one index file.
type vectorBucket struct {
	partition string
	bucket    int
}

// bucketChange is what becomes of a bucket's index file. A change names the
// file that it has seen by deleting it, so that two commits which mark rows of
// the same bucket cannot undo each other.
type bucketChange struct {
	current *manifest.IndexEntry // of the base
	seen    string               // deleted by the commit
	added   *manifest.IndexEntry
}

// bucketVectors applies the rules of tables with one file of deletion vectors a
// bucket:
//
//   - who replaces or deletes it has seen the one that is there;
//   - a data file that leaves the table takes its vector with it;
//   - vectors are of data files that stay.
//
// Paimon replaces whatever is there, and relies on one compactor a bucket.
func (k *conflictCase) bucketVectors(current, index []manifest.IndexEntry) error {
	buckets := map[vectorBucket]*bucketChange{}
	at := func(e *manifest.IndexEntry) *bucketChange {
		key := vectorBucket{string(e.Partition), e.Bucket}
		if buckets[key] == nil {
			buckets[key] = &bucketChange{}
		}
		return buckets[key]
	}
	for i := range current {
		if e := &current[i]; e.Type == manifest.DeletionVectorsIndex {
			at(e).current = e
		}
	}
	for i := range index {
		e := &index[i]
		switch {
		case e.Type != manifest.DeletionVectorsIndex:
			continue
		case e.Kind == manifest.Delete:
			at(e).seen = e.Name
		default:
			at(e).added = e
		}
	}
	if len(buckets) == 0 {
		return nil
	}
	stays := k.stays()
	gone := map[string]*fact{}
	for i := range k.delta {
		if f := &k.delta[i]; f.kind == manifest.Delete && !stays[f.File.Name] {
			gone[f.File.Name] = f
		}
	}
	for _, b := range buckets {
		var err error
		switch {
		case b.added != nil || b.seen != "":
			err = k.vectorsSeen(b, stays)
		default:
			err = k.vectorsLeave(b, gone)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stays are the data files after the commit. One that is deleted and added
// changes its level only.
func (k *conflictCase) stays() map[string]bool {
	out := make(map[string]bool, len(k.live)+len(k.delta))
	for _, f := range k.live {
		out[f.File.Name] = true
	}
	for _, f := range k.delta {
		if f.kind == manifest.Delete {
			delete(out, f.File.Name)
		}
	}
	for _, f := range k.delta {
		if f.kind == manifest.Add {
			out[f.File.Name] = true
		}
	}
	return out
}

func (k *conflictCase) vectorsSeen(b *bucketChange, stays map[string]bool) error {
	have := ""
	if b.current != nil {
		have = b.current.Name
	}
	if have != b.seen {
		return k.c.conflictError(k.at, fmt.Sprintf("the deletion vectors of a bucket were changed by another commit: %q is there instead of %q", have, b.seen),
			"plan again from the newest snapshot", nil)
	}
	if b.added == nil {
		return nil
	}
	for _, r := range b.added.Ranges {
		if !stays[r.File] {
			return k.c.conflictError(k.at, "a deletion vector is added for data file "+r.File+", which is not in the table",
				"plan again from the newest snapshot", nil)
		}
	}
	return nil
}

// vectorsLeave: a commit that has not seen the vector of a file which it
// deletes has read rows that are deleted.
func (k *conflictCase) vectorsLeave(b *bucketChange, gone map[string]*fact) error {
	for _, r := range b.current.Ranges {
		if f := gone[r.File]; f != nil {
			return k.refuse(*f, "another commit has marked rows of the file as deleted", "plan again from the newest snapshot")
		}
	}
	return nil
}
