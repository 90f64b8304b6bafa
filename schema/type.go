package schema

import "math"

// Kind is the root of a data type, in the words of Paimon's type grammar.
type Kind uint8

// The kinds. Variant, Blob and Vector are known by name so that they can be refused by name.
const (
	Char Kind = iota + 1
	VarChar
	Boolean
	Binary
	VarBinary
	Decimal
	TinyInt
	SmallInt
	Int
	BigInt
	Float
	Double
	Date
	Time
	Timestamp
	TimestampLTZ
	Array
	Map
	Multiset
	Row
	Variant
	Blob
	Vector
)

// MaxLength is the length of an unbounded VARCHAR or VARBINARY, written STRING and BYTES.
const MaxLength = math.MaxInt32

// Type is one data type. It is a value: copy it freely, and never change what
// Elem, Key or Fields point to once a Type is shared.
type Type struct {
	Kind      Kind
	Nullable  bool
	Length    int     // CHAR, VARCHAR, BINARY, VARBINARY: 1..MaxLength; VECTOR: number of elements
	Precision int     // DECIMAL 1..38; TIME, TIMESTAMP, TIMESTAMP_LTZ 0..9
	Scale     int     // DECIMAL
	Key       *Type   // MAP key
	Elem      *Type   // ARRAY, MULTISET and VECTOR element; MAP value
	Fields    []Field // ROW
}

// Field is a column of a table or a member of a ROW. ID is unique within a table and never reused.
type Field struct {
	ID          int
	Name        string
	Type        Type
	Description string
	Default     *string // text of a literal, applied on write to null columns; top level only
}

// TimestampValue is a TIMESTAMP or TIMESTAMP_LTZ value in metadata and
// literals: epoch milliseconds (floor) and the nanoseconds within that
// millisecond, 0..999999. Bulk data uses Arrow timestamps instead.
type TimestampValue struct {
	Millis int64
	Nanos  int32
}

// Values of metadata (partitions, keys, statistics, literals) are held as any
// in one canonical Go type each, nil for null:
//
//	BOOLEAN bool · TINYINT int8 · SMALLINT int16 · INT, DATE (days), TIME (millis) int32 · BIGINT int64
//	FLOAT float32 · DOUBLE float64 · CHAR, VARCHAR string · BINARY, VARBINARY []byte
//	DECIMAL decimal128.Num · TIMESTAMP, TIMESTAMP_LTZ TimestampValue
//
// Compare orders two of them the way Paimon orders keys.
