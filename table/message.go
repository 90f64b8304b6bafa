package table

import (
	"encoding/json"
	"fmt"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
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

// entries are the manifest entries that add the message's files.
func (m *CommitMessage) entries() []manifest.Entry {
	out := make([]manifest.Entry, len(m.NewFiles))
	for i, f := range m.NewFiles {
		out[i] = manifest.Entry{Kind: manifest.Add, Partition: m.Partition, Bucket: m.Bucket, TotalBuckets: m.TotalBuckets, File: f}
	}
	return out
}
