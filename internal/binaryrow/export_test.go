package binaryrow

import "github.com/tidelake/tidelake/schema"

// AppendArray appends the BinaryArray of the values to dst (section 5.5).
func AppendArray(dst []byte, elem schema.Type, values []any) ([]byte, error) {
	w := writer{buf: dst}
	if err := w.array(elem, values); err != nil {
		return dst, err
	}
	return w.buf, nil
}
