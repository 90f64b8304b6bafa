package manifest

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
