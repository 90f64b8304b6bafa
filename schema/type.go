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

// Limits of type parameters.
const (
	// MaxLength is the length of an unbounded VARCHAR or VARBINARY, written STRING and BYTES.
	MaxLength = math.MaxInt32
	// MaxDecimalPrecision is the largest precision of a DECIMAL.
	MaxDecimalPrecision = 38
	// MaxTimePrecision is the largest number of fraction digits of TIME and the timestamps.
	MaxTimePrecision = 9
	// MaxDepth bounds how deep types may nest, so that hostile input cannot exhaust the stack.
	MaxDepth = 256
)

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

// NoID marks a field that has not been numbered yet, as in a type read from text.
const NoID = -1

// Field is a column of a table or a member of a ROW. ID is unique within a table and never reused.
type Field struct {
	ID          int
	Name        string
	Type        Type
	Description string
	Default     *string // text of a literal, applied on write to null columns; top level only
}

// DefaultText is the literal to cast when a null is written to the column, and
// whether there is one. Single quotes around the whole text are dropped, as
// Paimon does.
func (f Field) DefaultText() (string, bool) {
	if f.Default == nil {
		return "", false
	}
	s := *f.Default
	if len(s) >= 2 && s[0] == '\'' && s[len(s)-1] == '\'' {
		s = s[1 : len(s)-1]
	}
	return s, true
}

// TimestampValue is a TIMESTAMP or TIMESTAMP_LTZ value in metadata and
// literals: epoch milliseconds (floor) and the nanoseconds within that
// millisecond, 0..999999. Bulk data uses Arrow timestamps instead.
type TimestampValue struct {
	Millis int64
	Nanos  int32
}

// Nested reports whether values of the kind hold other values.
func (k Kind) Nested() bool {
	switch k {
	case Array, Map, Multiset, Row, Vector:
		return true
	}
	return false
}

// Refused reports whether the kind is only known by name: columns of it can
// neither be read nor written yet.
func (k Kind) Refused() bool { return k == Variant || k == Blob || k == Vector }

// Equal reports whether t and u are the same type: kind, parameters,
// nullability, and for ROW the members' ids, names and types in order.
// Descriptions do not count.
func (t Type) Equal(u Type) bool { return equal(t, u, true, true) }

// EqualIgnoringNullability is Equal but for nullability, at every level.
func (t Type) EqualIgnoringNullability(u Type) bool { return equal(t, u, false, true) }

// SameShape reports whether values of t are laid out as values of u: it is
// EqualIgnoringNullability without field ids, for types that were never
// numbered, such as inferred ones.
func (t Type) SameShape(u Type) bool { return equal(t, u, false, false) }

func equal(t, u Type, nullability, ids bool) bool {
	if t.Kind != u.Kind || t.Length != u.Length || t.Precision != u.Precision || t.Scale != u.Scale {
		return false
	}
	if nullability && t.Nullable != u.Nullable {
		return false
	}
	if !equalChild(t.Key, u.Key, nullability, ids) || !equalChild(t.Elem, u.Elem, nullability, ids) {
		return false
	}
	if len(t.Fields) != len(u.Fields) {
		return false
	}
	for i, f := range t.Fields {
		g := u.Fields[i]
		if f.Name != g.Name || ids && f.ID != g.ID || !equal(f.Type, g.Type, nullability, ids) {
			return false
		}
	}
	return true
}

func equalChild(a, b *Type, nullability, ids bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return equal(*a, *b, nullability, ids)
}
