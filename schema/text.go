package schema

import (
	"strconv"
	"strings"
)

// kindWords are the canonical words of the kinds.
var kindWords = [...]string{
	Char: "CHAR", VarChar: "VARCHAR", Boolean: "BOOLEAN", Binary: "BINARY", VarBinary: "VARBINARY",
	Decimal: "DECIMAL", TinyInt: "TINYINT", SmallInt: "SMALLINT", Int: "INT", BigInt: "BIGINT",
	Float: "FLOAT", Double: "DOUBLE", Date: "DATE", Time: "TIME", Timestamp: "TIMESTAMP",
	TimestampLTZ: "TIMESTAMP_LTZ", Array: "ARRAY", Map: "MAP", Multiset: "MULTISET", Row: "ROW",
	Variant: "VARIANT", Blob: "BLOB", Vector: "VECTOR",
}

// String is the kind's word in the type grammar.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindWords) {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindWords[k]
}

// String is the type in Paimon's canonical spelling, the one schema files use;
// nested types are written ARRAY<INT>, MAP<STRING, INT>, ROW<`x` INT 'comment'>.
// ParseType reads it back, but for field ids.
func (t Type) String() string {
	var b strings.Builder
	t.write(&b)
	return b.String()
}

func (t Type) write(b *strings.Builder) {
	switch t.Kind {
	case Array, Multiset:
		b.WriteString(t.Kind.String())
		b.WriteByte('<')
		writeChild(b, t.Elem)
		b.WriteByte('>')
	case Map:
		b.WriteString("MAP<")
		writeChild(b, t.Key)
		b.WriteString(", ")
		writeChild(b, t.Elem)
		b.WriteByte('>')
	case Vector:
		b.WriteString("VECTOR<")
		writeChild(b, t.Elem)
		b.WriteString(", " + strconv.Itoa(t.Length) + ">")
	case Row:
		t.writeRow(b)
	default:
		b.WriteString(t.scalarText())
	}
	if !t.Nullable {
		b.WriteString(" NOT NULL")
	}
}

func writeChild(b *strings.Builder, t *Type) {
	if t == nil {
		b.WriteByte('?') // only a Type built by hand, and wrongly, lacks its child
		return
	}
	t.write(b)
}

func (t Type) writeRow(b *strings.Builder) {
	b.WriteString("ROW<")
	for i, f := range t.Fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("`" + strings.ReplaceAll(f.Name, "`", "``") + "` ")
		f.Type.write(b)
		if f.Description != "" {
			b.WriteString(" '" + strings.ReplaceAll(f.Description, "'", "''") + "'")
		}
	}
	b.WriteByte('>')
}

// scalarText is the type's text without nullability.
func (t Type) scalarText() string {
	word := t.Kind.String()
	switch t.Kind {
	case VarChar:
		if t.Length == MaxLength {
			return "STRING"
		}
	case VarBinary:
		if t.Length == MaxLength {
			return "BYTES"
		}
	}
	switch t.Kind {
	case Char, VarChar, Binary, VarBinary:
		return word + "(" + strconv.Itoa(t.Length) + ")"
	case Decimal:
		return word + "(" + strconv.Itoa(t.Precision) + ", " + strconv.Itoa(t.Scale) + ")"
	case Time, Timestamp:
		return word + "(" + strconv.Itoa(t.Precision) + ")"
	case TimestampLTZ:
		return "TIMESTAMP(" + strconv.Itoa(t.Precision) + ") WITH LOCAL TIME ZONE"
	}
	return word
}
