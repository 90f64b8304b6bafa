package manifest

import (
	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/schema"
)

// typesOf are the types of columns, which statistics treat as nullable.
func typesOf(fields []schema.Field) []schema.Type {
	out := make([]schema.Type, len(fields))
	for i := range fields {
		out[i] = fields[i].Type
		out[i].Nullable = true
	}
	return out
}

// hasBounds says whether statistics hold least and greatest values of a type.
// Bytes have none: Java's collectors only take values that order themselves.
func hasBounds(t schema.Type) bool {
	switch t.Kind {
	case schema.Binary, schema.VarBinary, schema.Array, schema.Map, schema.Multiset, schema.Row,
		schema.Variant, schema.Blob, schema.Vector:
		return false
	}
	return true
}

// decodeRow decodes the body of a row; nil is the row without columns.
func decodeRow(types []schema.Type, body []byte) ([]any, error) {
	if len(types) == 0 {
		return nil, nil
	}
	return binaryrow.Decode(types, body)
}

func encodeRow(types []schema.Type, values []any) ([]byte, error) {
	return binaryrow.Append(nil, types, values)
}
