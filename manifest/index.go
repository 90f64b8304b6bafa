package manifest

import (
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
)

// The index types this library knows by name.
const (
	HashIndex            = "HASH"
	DeletionVectorsIndex = "DELETION_VECTORS"
)

// DeletionRange locates the deletion vector of one data file within an index file.
type DeletionRange struct {
	File        string    `json:"file"`
	Offset      int32     `json:"offset"`
	Length      int32     `json:"length"`
	Cardinality *int64    `json:"cardinality"` // deleted rows
	Extra       []Unknown `json:"extra,omitempty"`
}

// GlobalIndex describes an index file that covers a range of row ids.
type GlobalIndex struct {
	RowStart      int64     `json:"rowStart"`
	RowEnd        int64     `json:"rowEnd"` // inclusive
	FieldID       int32     `json:"fieldId"`
	ExtraFieldIDs []int32   `json:"extraFieldIds"` // nil: none recorded
	Meta          []byte    `json:"meta"`
	Extra         []Unknown `json:"extra,omitempty"`
}

// IndexEntry describes one index file (section 4.7). Files hold only entries
// of kind Add; Delete is used in changes.
type IndexEntry struct {
	Kind         Kind            `json:"kind"`
	Partition    []byte          `json:"partition"` // body of the partition's binary row
	Bucket       int             `json:"bucket"`
	Type         string          `json:"type"` // HashIndex, DeletionVectorsIndex or the name of a global index
	Name         string          `json:"name"`
	Size         int64           `json:"size"`   // bytes
	Rows         int64           `json:"rows"`   // hashes, or deletion vectors
	Ranges       []DeletionRange `json:"ranges"` // nil: none recorded
	ExternalPath *string         `json:"externalPath"`
	Global       *GlobalIndex    `json:"global"`
	Extra        []Unknown       `json:"extra,omitempty"`
}

// CombineIndex applies changes to the index files of the previous snapshot
// and returns the live ones, all of kind Add (section 4.7). Per bucket there
// is at most one hash index and one file of deletion vectors, so a new one
// replaces the old. In tables without buckets (bucketUnaware) files of
// deletion vectors go by name, and a data file may have only one vector.
// Global indexes go by name, and may not overlap one that stays.
func CombineIndex(previous, changes []IndexEntry, bucketUnaware bool) ([]IndexEntry, error) {
	c := combiner{at: map[indexKey]int{}, unaware: bucketUnaware, vectors: map[string]bool{}}
	for i := range previous {
		c.put(&previous[i])
	}
	c.kept = len(c.entries)
	// Deletes go first where a new file takes the place of an old one.
	for _, kind := range []Kind{Delete, Add} {
		for i := range changes {
			if e := &changes[i]; e.Kind == kind && !c.byName(e) {
				if err := c.change(e); err != nil {
					return nil, err
				}
			}
		}
	}
	for i := range changes {
		if e := &changes[i]; c.byName(e) {
			if err := c.vector(e); err != nil {
				return nil, err
			}
		}
	}
	out := []IndexEntry{}
	for i := range c.entries {
		if !c.gone[i] {
			out = append(out, c.entries[i])
		}
	}
	return out, nil
}

// indexKey is what a new index file replaces an old one by.
type indexKey struct {
	kind      string
	name      string // of files that go by name
	partition string
	bucket    int
}

type combiner struct {
	entries []IndexEntry
	gone    []bool
	at      map[indexKey]int
	kept    int // entries of the previous snapshot
	unaware bool
	vectors map[string]bool // data files with a vector, where files go by name
}

func (c *combiner) key(e *IndexEntry) indexKey {
	if e.Type == HashIndex || e.Type == DeletionVectorsIndex && !c.unaware {
		return indexKey{kind: e.Type, partition: string(e.Partition), bucket: e.Bucket}
	}
	return indexKey{kind: e.Type, name: e.Name}
}

// byName says whether e holds deletion vectors of a table without buckets.
func (c *combiner) byName(e *IndexEntry) bool { return c.unaware && e.Type == DeletionVectorsIndex }

func (c *combiner) put(e *IndexEntry) {
	k := c.key(e)
	i, there := c.at[k]
	if !there {
		i = len(c.entries)
		c.entries, c.gone = append(c.entries, IndexEntry{}), append(c.gone, false)
		c.at[k] = i
	}
	c.entries[i] = *e
	if c.byName(e) {
		for _, r := range e.Ranges {
			c.vectors[r.File] = true
		}
	}
}

func (c *combiner) drop(e *IndexEntry) bool {
	k := c.key(e)
	i, there := c.at[k]
	if there {
		c.gone[i] = true
		delete(c.at, k)
	}
	return there
}

// change applies a change of a hash index, of a bucket's deletion vectors or of a global index.
func (c *combiner) change(e *IndexEntry) error {
	if e.Kind == Delete {
		c.drop(e)
		return nil
	}
	if e.Global != nil {
		if err := c.checkOverlap(e); err != nil {
			return err
		}
	}
	c.put(e)
	return nil
}

// checkOverlap compares a new global index with those of the previous
// snapshot that stay. New ones are not compared with each other.
func (c *combiner) checkOverlap(e *IndexEntry) error {
	for i := range c.entries[:c.kept] {
		old := &c.entries[i]
		if c.gone[i] || old.Global == nil || old.Type != e.Type || old.Global.FieldID != e.Global.FieldID {
			continue
		}
		if old.Global.RowStart <= e.Global.RowEnd && e.Global.RowStart <= old.Global.RowEnd {
			return &fault.Error{Class: fault.ErrConflict, File: e.Name,
				Detail: fmt.Sprintf("global index of field %d over rows %d to %d overlaps %s", e.Global.FieldID, e.Global.RowStart, e.Global.RowEnd, old.Name),
				Hint:   "plan again from the newest snapshot, then retry"}
		}
	}
	return nil
}

// vector applies a change of a file of deletion vectors that goes by name.
func (c *combiner) vector(e *IndexEntry) error {
	conflict := func(what string) error {
		return &fault.Error{Class: fault.ErrConflict, File: e.Name, Detail: what, Hint: "plan again from the newest snapshot, then retry"}
	}
	if e.Kind == Delete {
		if !c.drop(e) {
			return conflict("deletion vectors to delete are not there")
		}
		for _, r := range e.Ranges {
			if !c.vectors[r.File] {
				return conflict("deletion vector to delete is not there: data file " + r.File)
			}
			delete(c.vectors, r.File)
		}
		return nil
	}
	if _, there := c.at[c.key(e)]; there {
		return conflict("deletion vectors to add are there already")
	}
	for _, r := range e.Ranges {
		if c.vectors[r.File] {
			return conflict("a deletion vector is there already: data file " + r.File)
		}
		c.vectors[r.File] = true
	}
	c.put(e)
	return nil
}
