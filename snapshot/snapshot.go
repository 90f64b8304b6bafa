package snapshot

// Kind says what a commit did; readers of changes decide by it what they may skip.
type Kind string

// The kinds of commits.
const (
	Append    Kind = "APPEND"    // added files and nothing else
	Compact   Kind = "COMPACT"   // rewrote files without changing the rows they stand for
	Overwrite Kind = "OVERWRITE" // removed rows that earlier commits added
	Analyze   Kind = "ANALYZE"   // added statistics only
)

// CurrentVersion is the version of the snapshot files that this package writes.
const CurrentVersion = 3

// Snapshot is one state of the table (section 2.1). Empty strings, nil
// pointers and empty maps are absent fields. A Snapshot that came from this
// package is shared: do not change it.
type Snapshot struct {
	Version                   int               // 1 for files that carry none
	UUID                      string            // since 2.0
	ID                        int64             // from 1, without gaps
	SchemaID                  int64             // newest schema when it was committed
	BaseManifestList          string            // manifests of all before this commit
	BaseManifestListSize      *int64            // bytes
	DeltaManifestList         string            // manifests of this commit
	DeltaManifestListSize     *int64            // bytes
	ChangelogManifestList     string            // changelog files of this commit
	ChangelogManifestListSize *int64            // bytes
	IndexManifest             string            // all live index files
	CommitUser                string            // writer
	WriterVersion             string            // since 2.1
	CommitIdentifier          int64             // rises from commit to commit of one user
	CommitKind                Kind              //
	TimeMillis                int64             // epoch milliseconds
	TotalRecordCount          *int64            // rows of all live files, before merging
	DeltaRecordCount          *int64            // rows added less rows removed by this commit
	ChangelogRecordCount      *int64            // rows of the changelog files
	Watermark                 *int64            // event time up to which the table is complete
	Statistics                string            // file in directory statistics
	Properties                map[string]string // given by the committer
	NextRowID                 *int64            // first free row id
	Operation                 string            // since 2.0
}

// Lists are the names of the manifest lists that make up the table's state,
// in the order in which they are read.
func (s *Snapshot) Lists() []string { return []string{s.BaseManifestList, s.DeltaManifestList} }

// sameCommit tells whether two snapshots are the outcome of one commit.
func sameCommit(a, b *Snapshot) bool {
	return a.CommitUser == b.CommitUser && a.CommitIdentifier == b.CommitIdentifier && a.CommitKind == b.CommitKind
}
