package manifest

// Meta describes one manifest within a manifest list (section 4.1). The
// optional ranges are nil when unknown.
type Meta struct {
	Name           string    `json:"name"`
	Size           int64     `json:"size"` // bytes
	Added          int64     `json:"added"`
	Deleted        int64     `json:"deleted"`
	PartitionStats Stats     `json:"partitionStats"`
	SchemaID       int64     `json:"schemaId"` // highest schema id of its files
	MinBucket      *int      `json:"minBucket"`
	MaxBucket      *int      `json:"maxBucket"`
	MinLevel       *int      `json:"minLevel"`
	MaxLevel       *int      `json:"maxLevel"`
	MinRowID       *int64    `json:"minRowId"`
	MaxRowID       *int64    `json:"maxRowId"`
	Extra          []Unknown `json:"extra,omitempty"`
}
