package table

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/bucket"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// CommitMessage is what one writer or compaction made for one partition and
// bucket: files that are durable in the store and that no snapshot names yet.
// It is a plain value; its JSON can be committed by another process on another
// machine. The first group becomes an APPEND snapshot (OVERWRITE where it takes
// rows away), the second a COMPACT snapshot after it.
type CommitMessage struct {
	Partition    []byte `json:"partition"` // BinaryRow body of the partition columns
	Bucket       int    `json:"bucket"`
	TotalBuckets int    `json:"totalBuckets"`

	NewFiles     []manifest.DataFile   `json:"newFiles,omitempty"`
	DeletedFiles []manifest.DataFile   `json:"deletedFiles,omitempty"` // replaced by a delete or update of an append table
	NewChangelog []manifest.DataFile   `json:"newChangelog,omitempty"` // how the new rows changed their keys
	Index        []manifest.IndexEntry `json:"index,omitempty"`        // changes of index files

	// In tables with dynamic buckets: the hash index files of the partition
	// that the rows got their buckets by. Overwrite: nothing that was there
	// counted when the rows were given buckets and compacted.
	IndexBase []string `json:"indexBase,omitempty"`
	Overwrite bool     `json:"overwrite,omitempty"`
	// In tables whose keys move between partitions.
	KeyBase *KeyBase `json:"keyBase,omitempty"`

	CompactBefore    []manifest.DataFile   `json:"compactBefore,omitempty"` // files that a compaction read
	CompactAfter     []manifest.DataFile   `json:"compactAfter,omitempty"`  // what it left instead; an upgraded file is in both
	CompactChangelog []manifest.DataFile   `json:"compactChangelog,omitempty"`
	CompactIndex     []manifest.IndexEntry `json:"compactIndex,omitempty"`
	// Where the compaction looked older rows up, all files above level 0 that the
	// bucket had then; nil where it did not.
	CompactBase []string `json:"compactBase,omitzero"`
}

// empty tells that there is nothing to commit.
func (m *CommitMessage) empty() bool {
	return !m.bringsRows() && !m.compacts()
}

func (m *CommitMessage) key() bucketKey { return bucketKey{string(m.Partition), m.Bucket} }

func bucketsOf(msgs []CommitMessage) []bucketKey {
	keys := make([]bucketKey, len(msgs))
	for i := range msgs {
		keys[i] = msgs[i].key()
	}
	return keys
}

// bringsRows tells that there is something for the first of the two snapshots.
func (m *CommitMessage) bringsRows() bool {
	return len(m.NewFiles)+len(m.DeletedFiles)+len(m.NewChangelog)+len(m.Index) > 0
}

// compacts tells that there is something for the second one.
func (m *CommitMessage) compacts() bool {
	return len(m.CompactBefore)+len(m.CompactAfter)+len(m.CompactChangelog)+len(m.CompactIndex) > 0
}

// rowsOnly is the message without its compaction, compactionOnly without its rows.
func (m CommitMessage) rowsOnly() CommitMessage {
	m.CompactBefore, m.CompactAfter, m.CompactChangelog, m.CompactIndex, m.CompactBase = nil, nil, nil, nil, nil
	return m
}

func (m CommitMessage) compactionOnly() CommitMessage {
	m.NewFiles, m.DeletedFiles, m.NewChangelog, m.Index = nil, nil, nil, nil
	return m
}

// made are the files that exist because of the message: aborting it deletes
// them. An upgraded file was there before.
func (m *CommitMessage) made() []manifest.DataFile {
	return append(slices.Concat(m.NewFiles, m.NewChangelog, m.CompactChangelog), notAmong(m.CompactAfter, m.CompactBefore)...)
}

// MarshalMessages encodes messages for another process.
func MarshalMessages(msgs []CommitMessage) ([]byte, error) { return json.Marshal(msgs) }

// UnmarshalMessages is the reverse of MarshalMessages. A message with an
// unknown member is refused: it was made by a version that knows more.
func UnmarshalMessages(data []byte) ([]CommitMessage, error) {
	var msgs []CommitMessage
	if err := strictJSON(data, &msgs); err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Op: "read commit messages", Err: err}
	}
	for i, m := range msgs {
		if len(m.Partition) == 0 || m.empty() {
			return nil, fault.Invalid(fmt.Sprintf("commit message %d: no partition or no files", i))
		}
	}
	return msgs, nil
}

// checkMessage refuses a message that cannot be of this table: it may come
// from another process, and what it says ends up in the table's metadata.
func (t *Table) checkMessage(m *CommitMessage) error {
	bad := func(format string, args ...any) error {
		return fault.Invalid("commit message: " + fmt.Sprintf(format, args...))
	}
	if _, err := t.partitionValues(m.Partition); err != nil {
		return fmt.Errorf("commit message: its partition: %w", err)
	}
	if err := t.checkBucket(m); err != nil {
		return err
	}
	least := int64(0)
	if m.Bucket == postponeBucket {
		least = -1 // rows that wait have no numbers
	}
	types := typesOf(t.schema.KeyFields())
	for n, files := range [][]manifest.DataFile{m.NewFiles, m.DeletedFiles, m.CompactBefore, m.CompactAfter, m.NewChangelog, m.CompactChangelog} {
		for i := range files {
			f := &files[i]
			switch {
			case n == 0 && f.Level >= max(1, t.options.NumLevels): // compactions may find more levels than that
				return bad("file %s: impossible level", f.Name)
			case !plainName(f.Name):
				return bad("file name %q", f.Name)
			case f.Rows <= 0 || f.Size <= 0 || f.MinSequence < least || f.MaxSequence < f.MinSequence || f.Level < 0:
				return bad("file %s: impossible rows, size, sequence numbers or level", f.Name)
			}
			if err := checkKeys(types, f); err != nil {
				return fmt.Errorf("commit message: %w", err)
			}
		}
	}
	for _, index := range [][]manifest.IndexEntry{m.Index, m.CompactIndex} {
		for i := range index {
			e := &index[i]
			if !plainName(e.Name) || !bytes.Equal(e.Partition, m.Partition) || e.Bucket != m.Bucket {
				return bad("index file %q of another partition or bucket", e.Name)
			}
		}
	}
	return nil
}

// checkBucket refuses a bucket that the table cannot have.
func (t *Table) checkBucket(m *CommitMessage) error {
	buckets, limit := t.options.Bucket, t.bucketLimit()
	switch {
	case t.postponed() && m.Bucket == postponeBucket:
		limit = 0
	case t.postponed():
		buckets = m.TotalBuckets
		limit = buckets
	case len(m.NewFiles) == 0 && len(m.Index) == 0: // a compaction leaves it at what the partition has
		buckets = m.TotalBuckets
		limit = max(limit, buckets)
	}
	if m.TotalBuckets != buckets {
		return fault.Invalid(fmt.Sprintf("commit message: made for a table of %d buckets, this one has %d", m.TotalBuckets, buckets))
	}
	if m.Bucket >= limit || m.Bucket < 0 && !(t.postponed() && m.Bucket == postponeBucket) {
		return fault.Invalid(fmt.Sprintf("commit message: bucket %d of %d", m.Bucket, buckets))
	}
	return nil
}

// bucketLimit is above every bucket that the table can have.
func (t *Table) bucketLimit() int {
	if t.dynamic() || t.crossing() {
		return bucket.MaxDynamic
	}
	return max(1, t.options.Bucket)
}

// checkKeys proves that a file's key range can be compared.
func checkKeys(types []schema.Type, f *manifest.DataFile) error {
	if len(types) == 0 {
		return nil
	}
	for _, key := range [][]byte{f.MinKey, f.MaxKey} {
		if _, err := binaryrow.Decode(types, key); err != nil {
			return fmt.Errorf("file %q: its key range: %w", f.Name, err)
		}
	}
	return nil
}

// plainName tells that a file name cannot lead out of its directory.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\\\x00")
}

// addTo puts the message's changes among those of a commit.
func (m *CommitMessage) addTo(c *snapshot.Changes, dynamic bool) {
	c.AppendFiles = m.entries(m.entries(c.AppendFiles, manifest.Delete, m.DeletedFiles), manifest.Add, m.NewFiles)
	c.AppendChangelog = m.entries(c.AppendChangelog, manifest.Add, m.NewChangelog)
	c.AppendIndex = append(c.AppendIndex, m.Index...)
	if dynamic && len(m.NewFiles)+len(m.Index) > 0 && !m.Overwrite {
		c.HashBase = append(c.HashBase, snapshot.HashBase{Partition: m.Partition, Files: m.IndexBase})
	}
	m.addKeyBase(c)
	c.CompactFiles = m.entries(m.entries(c.CompactFiles, manifest.Delete, m.CompactBefore), manifest.Add, m.CompactAfter)
	c.CompactChangelog = m.entries(c.CompactChangelog, manifest.Add, m.CompactChangelog)
	c.CompactIndex = append(c.CompactIndex, m.CompactIndex...)
	if m.CompactBase != nil {
		c.CompactBase = append(c.CompactBase, snapshot.CompactBase{Partition: m.Partition, Bucket: m.Bucket, Files: m.CompactBase})
	}
}

func (m *CommitMessage) entries(to []manifest.Entry, kind manifest.Kind, files []manifest.DataFile) []manifest.Entry {
	for _, f := range files {
		to = append(to, manifest.Entry{Kind: kind, Partition: m.Partition, Bucket: m.Bucket, TotalBuckets: m.TotalBuckets, File: f})
	}
	return to
}
