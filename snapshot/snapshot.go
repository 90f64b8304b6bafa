package snapshot

// Kind says what a commit did.
type Kind string

// The kinds of commits.
const (
	Append    Kind = "APPEND"
	Compact   Kind = "COMPACT"
	Overwrite Kind = "OVERWRITE"
	Analyze   Kind = "ANALYZE"
)

// Snapshot is one state of the table (section 2.1). Empty strings and nil
// pointers are absent fields.
type Snapshot struct {
	Version                   int               `json:"version"`
	UUID                      string            `json:"uuid,omitempty"`
	ID                        int64             `json:"id"`
	SchemaID                  int64             `json:"schemaId"`
	BaseManifestList          string            `json:"baseManifestList"`
	BaseManifestListSize      *int64            `json:"baseManifestListSize,omitempty"`
	DeltaManifestList         string            `json:"deltaManifestList"`
	DeltaManifestListSize     *int64            `json:"deltaManifestListSize,omitempty"`
	ChangelogManifestList     string            `json:"changelogManifestList,omitempty"`
	ChangelogManifestListSize *int64            `json:"changelogManifestListSize,omitempty"`
	IndexManifest             string            `json:"indexManifest,omitempty"`
	CommitUser                string            `json:"commitUser"`
	WriterVersion             string            `json:"writerVersion,omitempty"`
	CommitIdentifier          int64             `json:"commitIdentifier"`
	CommitKind                Kind              `json:"commitKind"`
	TimeMillis                int64             `json:"timeMillis"`
	TotalRecordCount          *int64            `json:"totalRecordCount"`
	DeltaRecordCount          *int64            `json:"deltaRecordCount"`
	ChangelogRecordCount      *int64            `json:"changelogRecordCount,omitempty"`
	Watermark                 *int64            `json:"watermark,omitempty"`
	Statistics                string            `json:"statistics,omitempty"`
	Properties                map[string]string `json:"properties,omitempty"`
	NextRowID                 *int64            `json:"nextRowId,omitempty"`
	Operation                 string            `json:"operation,omitempty"`
}
