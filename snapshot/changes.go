package snapshot

import (
	"bytes"

	"github.com/tidelake/tidelake/manifest"
)

// Changes are what one commit publishes: an append group (new files, and what
// deletes on append tables remove) and a compact group. Each group that holds
// something becomes a snapshot of its own, the append group first. Files named
// here must be durable. The slices are not modified, but kept until the commit
// ends.
type Changes struct {
	// Identifier rises from commit to commit of one user; batch jobs use
	// BatchIdentifier under a user of their own.
	Identifier int64
	Watermark  *int64            // nil: as before
	Properties map[string]string // kept in the snapshots

	AppendFiles     []manifest.Entry
	AppendChangelog []manifest.Entry
	AppendIndex     []manifest.IndexEntry

	// HashBase, in tables with dynamic buckets, is what the new files were
	// assigned to buckets by. When the hash index is another one by now, the
	// commit is refused, because keys could be in two buckets at once.
	HashBase []HashBase

	// KeyBase, in tables whose keys move between partitions, is what the new
	// files were assigned to partitions and buckets by; nil elsewhere. The commit
	// is refused when rows of others came in between.
	KeyBase *KeyBase

	CompactFiles     []manifest.Entry // DELETEs of the files read, ADDs of the files written
	CompactChangelog []manifest.Entry
	CompactIndex     []manifest.IndexEntry
	// CompactBase, of the buckets that were compacted with a look at older rows,
	// is where these were looked for. When a bucket has other files there by now,
	// the compact group is refused.
	CompactBase []CompactBase

	// New says that nobody can have tried this commit before: its identifier in
	// the chain is no replay, but another process that commits as the same user.
	// The append group is refused then (fault.ErrConflict), and not passed over.
	New bool
	// IgnoreEmpty drops an append group that holds nothing. Without it there
	// is a snapshot all the same, so that the identifier is on record. Option
	// snapshot.ignore-empty-commit overrides it.
	IgnoreEmpty bool
	// CompactOnly leaves the append group out, whatever the options say about
	// commits without changes: it was committed before.
	CompactOnly bool
	// CheckAppendConflicts checks an append group that only adds files, as is
	// needed when committables are restored from a checkpoint. Without it such
	// a group is appended blindly: new files cannot contradict others.
	CheckAppendConflicts bool
}

// HashBase are the names of all hash index files of one partition.
type HashBase struct {
	Partition []byte // BinaryRow body
	Files     []string
}

// CompactBase are the names of all files above level 0 of one bucket.
type CompactBase struct {
	Partition []byte // BinaryRow body
	Bucket    int
	Files     []string
}

// KeyBase is the state of the table that an index of its keys stands for.
type KeyBase struct {
	Snapshot int64  // as of this snapshot, 0 for an empty table
	List     string // its delta manifest list, "" when not known: a rollback gives ids out again
	After    *int64 // and of what the same user commits under this identifier, nil for nothing
}

// BatchIdentifier is the identifier of a job that commits once.
const BatchIdentifier = 1<<63 - 1

// OverwriteRequest replaces rows by other rows, or by none. Changelog files
// have no place in it: an overwrite publishes none.
type OverwriteRequest struct {
	Identifier int64
	Watermark  *int64
	Properties map[string]string

	// Files and Index are the new files.
	Files []manifest.Entry
	Index []manifest.IndexEntry
	// CompactFiles and CompactIndex become a COMPACT snapshot after the overwrite.
	CompactFiles []manifest.Entry
	CompactIndex []manifest.IndexEntry

	// KeepLevels leaves new files on level 0, where the caller's compactions
	// will look for them.
	KeepLevels bool

	// Dynamic replaces exactly the partitions that Files touch; without files
	// nothing happens, not even a snapshot.
	Dynamic bool
	// Match chooses the partitions to replace when Dynamic is false; nil means
	// the whole table. It gets the body of a partition's binary row. New files
	// must lie inside.
	Match func(partition []byte) bool
	// Description names what Match chooses, for messages.
	Description string
}

// group is what becomes one snapshot.
type group struct {
	kind       Kind
	identifier int64
	watermark  *int64
	properties map[string]string

	files       []manifest.Entry
	changelog   []manifest.Entry
	index       []manifest.IndexEntry
	hashBase    []HashBase
	keyBase     *KeyBase
	compactBase []CompactBase

	// replace, if set, chooses live files of the base that the group deletes
	// besides; they are found anew on every attempt.
	replace func(partition []byte) bool
	// check runs the conflict rules.
	check bool
	// discard leaves out files that the base has already.
	discard bool
	// novel groups are refused where they would be passed over as replays.
	novel bool
}

func (g *group) empty() bool { return len(g.files)+len(g.changelog)+len(g.index) == 0 }

// appendGroup is the first group of a commit. Deletes make it an overwrite
// for readers of changes, and they must be checked.
func (c *Committer) appendGroup(ch *Changes) *group {
	g := &group{
		kind: Append, identifier: ch.Identifier, watermark: ch.Watermark, properties: ch.Properties,
		files: ch.AppendFiles, changelog: ch.AppendChangelog, index: ch.AppendIndex, hashBase: ch.HashBase, keyBase: ch.KeyBase,
		check: ch.CheckAppendConflicts, novel: ch.New,
	}
	if removesRows(ch.AppendFiles, ch.AppendIndex) {
		g.kind, g.check = Overwrite, true
	}
	if g.kind == Append && c.cfg.Options.DiscardDuplicateFiles {
		g.check, g.discard = true, true
	}
	return g
}

func removesRows(files []manifest.Entry, index []manifest.IndexEntry) bool {
	for i := range files {
		if files[i].Kind == manifest.Delete {
			return true
		}
	}
	for i := range index {
		if index[i].Type == manifest.DeletionVectorsIndex {
			return true
		}
	}
	return false
}

func compactGroup(identifier int64, watermark *int64, properties map[string]string, files, changelog []manifest.Entry, index []manifest.IndexEntry) *group {
	return &group{
		kind: Compact, identifier: identifier, watermark: watermark, properties: properties,
		files: files, changelog: changelog, index: index, check: true,
	}
}

// ignoreEmpty settles who decides about commits without changes.
func (c *Committer) ignoreEmpty(asked bool) bool {
	switch o := c.cfg.Options; {
	case o.IgnoreEmptyCommit != nil:
		return *o.IgnoreEmptyCommit
	case o.CommitForceSnapshot:
		return false
	}
	return asked
}

// partitionSet tests membership in the partitions that a change touches:
// those of its files and of its deletion vectors.
type partitionSet struct {
	all map[string]bool
	one []byte // the only member, or the last one asked for
}

func changedPartitions(files []manifest.Entry, index []manifest.IndexEntry) *partitionSet {
	s := &partitionSet{all: map[string]bool{}}
	for i := range files {
		s.add(files[i].Partition)
	}
	for i := range index {
		if index[i].Type == manifest.DeletionVectorsIndex {
			s.add(index[i].Partition)
		}
	}
	return s
}

func (s *partitionSet) add(p []byte) {
	if s.one == nil || !bytes.Equal(s.one, p) {
		s.all[string(p)] = true
		s.one = p
	}
}

func (s *partitionSet) has(p []byte) bool { return s.all[string(p)] }
