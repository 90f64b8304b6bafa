package manifest

import (
	"encoding/binary"
	"math"
	"strings"
)

// Kind says whether an entry adds or removes a file.
type Kind int8

// The kinds, with the numbers used on disk.
const (
	Add    Kind = 0
	Delete Kind = 1
)

// String is "ADD" or "DELETE".
func (k Kind) String() string {
	switch k {
	case Add:
		return "ADD"
	case Delete:
		return "DELETE"
	}
	return "kind?"
}

// File sources, the values of DataFile.Source.
const (
	SourceAppend  int8 = 0 // written by an append or upsert
	SourceCompact int8 = 1 // written by a compaction
)

// NoCreationTime is the CreationTime of a file whose metadata carries none.
const NoCreationTime = math.MinInt64

// Unknown is a field of a manifest record that this package does not know,
// as found on disk. It is kept so that rewriting a manifest loses nothing.
type Unknown struct {
	Name   string `json:"name"`
	Schema string `json:"schema"` // Avro type as JSON: always a union that contains null
	Value  []byte `json:"value"`  // Avro encoding of the value under Schema
}

// DataFile describes one data file (format section 4.2, DataFileMeta). Row
// values (keys, statistics) are bodies of binary rows, without the arity
// prefix of the serialized form.
type DataFile struct {
	Name              string    `json:"name"`
	Size              int64     `json:"size"` // bytes
	Rows              int64     `json:"rows"` // all rows, including deletes
	MinKey            []byte    `json:"minKey"`
	MaxKey            []byte    `json:"maxKey"`
	KeyArity          int       `json:"keyArity"` // columns of MinKey and MaxKey; 0 = as many as KeyStats covers
	KeyStats          Stats     `json:"keyStats"`
	ValueStats        Stats     `json:"valueStats"`
	MinSequence       int64     `json:"minSequence"`
	MaxSequence       int64     `json:"maxSequence"`
	SchemaID          int64     `json:"schemaId"`
	Level             int       `json:"level"`
	ExtraFiles        []string  `json:"extraFiles"`
	CreationTime      int64     `json:"creationTime"` // millis of the writer's wall clock, as if it were UTC; NoCreationTime = absent
	DeleteRows        *int64    `json:"deleteRows"`   // rows of kind -D and -U
	EmbeddedIndex     []byte    `json:"embeddedIndex"`
	Source            *int8     `json:"source"` // SourceAppend or SourceCompact
	ValueStatsCols    []string  `json:"valueStatsCols"`
	HasValueStatsCols bool      `json:"hasValueStatsCols"` // false: ValueStats covers all columns of the schema
	ExternalPath      *string   `json:"externalPath"`
	FirstRowID        *int64    `json:"firstRowId"`
	WriteCols         []string  `json:"writeCols"` // nil: the file holds all columns
	Extra             []Unknown `json:"extra,omitempty"`
}

// Entry says that a file was added to, or removed from, a bucket (section 4.2).
type Entry struct {
	Kind         Kind      `json:"kind"`
	Partition    []byte    `json:"partition"` // body of the partition's binary row
	Bucket       int       `json:"bucket"`
	TotalBuckets int       `json:"totalBuckets"`
	File         DataFile  `json:"file"`
	Extra        []Unknown `json:"extra,omitempty"`
}

// Identity is what makes two entries speak of the same file: partition,
// bucket, level, name, extra files, embedded index and external path (section
// 4.3). It is comparable and can be a map key.
type Identity struct {
	Partition string
	Bucket    int
	Level     int
	Name      string
	rest      string // extra files, embedded index, external path; "" in the common case
}

// Identity of the entry.
func (e *Entry) Identity() Identity { return e.identity(string(e.Partition)) }

func (e *Entry) identity(partition string) Identity {
	if len(e.Partition) == 0 {
		partition = string(emptyRow)
	}
	return Identity{Partition: partition, Bucket: e.Bucket, Level: e.File.Level, Name: e.File.Name, rest: e.File.identityRest()}
}

// identityRest encodes the rare parts of an identity so that different parts
// never encode to the same text.
func (f *DataFile) identityRest() string {
	if len(f.ExtraFiles) == 0 && f.EmbeddedIndex == nil && f.ExternalPath == nil {
		return ""
	}
	var b strings.Builder
	part := func(s string) {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		b.Write(n[:])
		b.WriteString(s)
	}
	for _, x := range f.ExtraFiles {
		part(x)
	}
	if f.EmbeddedIndex != nil {
		b.WriteByte('i')
		part(string(f.EmbeddedIndex))
	}
	if f.ExternalPath != nil {
		b.WriteByte('p')
		part(*f.ExternalPath)
	}
	return b.String()
}

// WithoutStats is a copy of the entry without value statistics, the form of
// DELETE entries under manifest.delete-file-drop-stats.
func (e Entry) WithoutStats() Entry {
	e.File.ValueStats = Stats{}
	e.File.ValueStatsCols = []string{}
	e.File.HasValueStatsCols = true
	return e
}

// emptyRow is the body of a row without columns.
var emptyRow = make([]byte, 8)
