package table

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// CommitMessage is what one writer made for one partition and bucket: files
// that are durable in the store and that no snapshot names yet. It is a plain
// value; its JSON can be committed by another process on another machine.
type CommitMessage struct {
	Partition    []byte              `json:"partition"` // BinaryRow body of the partition columns
	Bucket       int                 `json:"bucket"`
	TotalBuckets int                 `json:"totalBuckets"`
	NewFiles     []manifest.DataFile `json:"newFiles"`
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
		if len(m.Partition) == 0 || len(m.NewFiles) == 0 {
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
	buckets := t.options.Bucket
	if m.TotalBuckets != buckets {
		return bad("made for a table of %d buckets, this one has %d", m.TotalBuckets, buckets)
	}
	if m.Bucket < 0 || m.Bucket >= max(1, buckets) {
		return bad("bucket %d of %d", m.Bucket, buckets)
	}
	types := typesOf(t.schema.KeyFields())
	for i := range m.NewFiles {
		f := &m.NewFiles[i]
		switch {
		case !plainName(f.Name):
			return bad("file name %q", f.Name)
		case f.Rows <= 0 || f.Size <= 0 || f.MinSequence < 0 || f.MaxSequence < f.MinSequence || f.Level < 0 || f.Level >= max(1, t.options.NumLevels):
			return bad("file %s: impossible rows, size, sequence numbers or level", f.Name)
		}
		if err := checkKeys(types, f); err != nil {
			return fmt.Errorf("commit message: %w", err)
		}
	}
	return nil
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

// entries are the manifest entries that add the message's files.
func (m *CommitMessage) entries() []manifest.Entry {
	out := make([]manifest.Entry, len(m.NewFiles))
	for i, f := range m.NewFiles {
		out[i] = manifest.Entry{Kind: manifest.Add, Partition: m.Partition, Bucket: m.Bucket, TotalBuckets: m.TotalBuckets, File: f}
	}
	return out
}
