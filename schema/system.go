package schema

import "strings"

// Names and field ids of the columns that every file of a primary-key table
// carries besides the table's own. Users cannot take these names.
const (
	KeyPrefix     = "_KEY_"            // before the name of a copied key column
	SequenceName  = "_SEQUENCE_NUMBER" // order of arrival within a bucket, BIGINT NOT NULL
	ValueKindName = "_VALUE_KIND"      // row kind, TINYINT NOT NULL
	LevelName     = "_LEVEL"
	RowKindName   = "rowkind"
	RowIDName     = "_ROW_ID"

	// Columns of rows that are read as changes; no file carries them.
	SnapshotIDName = "_SNAPSHOT_ID" // the snapshot that brought the row, BIGINT
	CommitTimeName = "_COMMIT_TIME" // when it was committed, TIMESTAMP(3) WITH LOCAL TIME ZONE

	KeyFieldIDBase   = 1073741823 // added to a key column's id for its copy
	SequenceFieldID  = 2147483646
	ValueKindFieldID = 2147483645
	LevelFieldID     = 2147483644
	RowKindFieldID   = 2147483643
	RowIDFieldID     = 2147483642
)

// maxFieldID is the largest id a column may have: above it lie the ids of key copies.
const maxFieldID = KeyFieldIDBase - 1

func reservedName(name string) bool {
	switch name {
	case SequenceName, ValueKindName, LevelName, RowKindName, RowIDName:
		return true
	}
	return strings.HasPrefix(name, KeyPrefix)
}

// FileFields are the columns of the table's data files, in file order. An append
// table stores its columns as they are; a primary-key table stores copies of
// the trimmed primary key (unless thin), the sequence number and the row kind
// before them.
func (t *Table) FileFields(thin bool) []Field {
	if len(t.PrimaryKeys) == 0 {
		return t.Fields
	}
	keys := t.KeyFields()
	out := make([]Field, 0, len(keys)+2+len(t.Fields))
	if !thin {
		for _, f := range keys {
			f.ID += KeyFieldIDBase
			f.Name = KeyPrefix + f.Name
			f.Type.Nullable = false
			f.Description, f.Default = "", nil
			out = append(out, f)
		}
	}
	out = append(out,
		Field{ID: SequenceFieldID, Name: SequenceName, Type: Type{Kind: BigInt}},
		Field{ID: ValueKindFieldID, Name: ValueKindName, Type: Type{Kind: TinyInt}})
	return append(out, t.Fields...)
}
