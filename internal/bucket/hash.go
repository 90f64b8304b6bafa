package bucket

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Hashes appends the hash of every row of a key to dst: the one behind the
// default function and in hash index files. cols are the columns of the key,
// of one length and of the canonical Arrow types of types. Nothing is
// allocated per row.
func Hashes(dst []int32, types []schema.Type, cols []arrow.Array) ([]int32, error) {
	if len(cols) != len(types) || len(cols) == 0 {
		return dst, fault.Invalid("a key without columns, or of other columns than its types")
	}
	base := len(dst)
	dst = append(dst, make([]int32, cols[0].Len())...)
	return dst, hashRows(dst[base:], types, cols)
}

// hashRows hashes keys of one integer straight from their column and any other
// key through its binary row.
func hashRows(dst []int32, types []schema.Type, cols []arrow.Array) error {
	if len(cols) == 1 {
		switch a := cols[0].(type) {
		case *array.Int64:
			if types[0].Kind == schema.BigInt {
				hashIntegers(dst, a.Values(), func(v int64) uint64 { return uint64(v) }, a)
				return nil
			}
		case *array.Int32:
			if types[0].Kind == schema.Int {
				hashIntegers(dst, a.Values(), func(v int32) uint64 { return uint64(uint32(v)) }, a)
				return nil
			}
		}
	}
	enc, err := binaryrow.NewEncoder(types, cols)
	if err != nil {
		return err
	}
	body := make([]byte, 0, 128)
	for row := range dst {
		body = enc.Append(body[:0], row)
		dst[row] = binaryrow.Hash(body)
	}
	return nil
}

func hashIntegers[T int32 | int64](dst []int32, values []T, slot func(T) uint64, arr arrow.Array) {
	for row, v := range values {
		dst[row] = binaryrow.HashSlot(slot(v))
	}
	if arr.NullN() == 0 {
		return
	}
	for row := range dst {
		if arr.IsNull(row) {
			dst[row] = binaryrow.HashNull
		}
	}
}
