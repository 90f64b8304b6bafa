package rowjson

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// Append appends the JSON of one cell of an array that has the Arrow type of t.
func Append(dst []byte, t schema.Type, col arrow.Array, row int) ([]byte, error) {
	p, err := newPrinter(t, col)
	if err != nil {
		return dst, err
	}
	return p.json(dst, row), nil
}

// AppendValue appends the JSON of a value of a scalar type.
func AppendValue(dst []byte, t schema.Type, v any) ([]byte, error) {
	col, err := newColumn(t, nil)
	if err == nil {
		err = readGo(v, col)
	}
	if err != nil {
		return dst, err
	}
	data := col.build(memory.DefaultAllocator)
	defer data.Release()
	arr := array.MakeFromData(data)
	defer arr.Release()
	return Append(dst, t, arr, 0)
}
