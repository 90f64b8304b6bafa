package datafile

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// avroPut appends the Avro encoding of one row of the array it is bound to.
type avroPut func(dst []byte, row int) []byte

// avroWriterOf binds the encoder of a value of type t to an array. A null where
// the type has none is an error, told before anything is written.
func avroWriterOf(path string, t schema.Type, arr arrow.Array) (avroPut, error) {
	put, err := avroPlainWriter(path, t, arr)
	if err != nil {
		return nil, err
	}
	if !t.Nullable {
		return put, nil
	}
	if arr.NullN() == 0 {
		return func(dst []byte, row int) []byte { return put(append(dst, 2), row) }, nil
	}
	return func(dst []byte, row int) []byte {
		if arr.IsNull(row) {
			return append(dst, 0)
		}
		return put(append(dst, 2), row)
	}, nil
}

func avroPlainWriter(path string, t schema.Type, arr arrow.Array) (avroPut, error) {
	switch a := arr.(type) {
	case *array.Struct:
		return avroStructWriter(path, t, a)
	case *array.Map:
		return avroMapWriter(path, t, a)
	case *array.List:
		item, err := avroWriterOf(path+".element", *t.Elem, a.ListValues())
		if err != nil {
			return nil, err
		}
		return avroItemsOf(a.Offsets(), a.Offset(), item), nil
	case *array.Timestamp:
		return avroTimeWriter(path, t, a)
	}
	if put := avroScalarWriter(arr); put != nil {
		return put, nil
	}
	return nil, fault.Unsupported(fmt.Sprintf("writing column %s of arrow type %s to an avro file", path, arr.DataType()), "set file.format=parquet")
}

func avroScalarWriter(arr arrow.Array) avroPut {
	switch a := arr.(type) {
	case *array.Boolean:
		return func(dst []byte, row int) []byte { return avro.AppendBool(dst, a.Value(row)) }
	case *array.Int8:
		return avroLongs(a.Values())
	case *array.Int16:
		return avroLongs(a.Values())
	case *array.Int32:
		return avroLongs(a.Values())
	case *array.Int64:
		return avroLongs(a.Values())
	case *array.Date32:
		return avroLongs(a.Values())
	case *array.Time32:
		return avroLongs(a.Values())
	case *array.Float32:
		return func(dst []byte, row int) []byte { return avro.AppendFloat(dst, a.Value(row)) }
	case *array.Float64:
		return func(dst []byte, row int) []byte { return avro.AppendDouble(dst, a.Value(row)) }
	case *array.String:
		return func(dst []byte, row int) []byte { return avro.AppendText(dst, a.Value(row)) }
	case *array.Binary:
		return func(dst []byte, row int) []byte { return avro.AppendBytes(dst, a.Value(row)) }
	case *array.Decimal128:
		return func(dst []byte, row int) []byte { return appendAvroDecimal(dst, a.Value(row)) }
	}
	return nil
}

func avroLongs[T ~int8 | ~int16 | ~int32 | ~int64](values []T) avroPut {
	return func(dst []byte, row int) []byte { return avro.AppendLong(dst, int64(values[row])) }
}

// avroTimeWriter: precision 0 is held in seconds, and written in milliseconds.
func avroTimeWriter(path string, t schema.Type, a *array.Timestamp) (avroPut, error) {
	values := a.Values()
	if t.Precision > 0 {
		return avroLongs(values), nil
	}
	for row, v := range values {
		if a.IsValid(row) && (int64(v) > maxSeconds || int64(v) < -maxSeconds) {
			return nil, fault.Invalid(fmt.Sprintf("column %s: %d seconds are out of the range of %s", path, v, t))
		}
	}
	return func(dst []byte, row int) []byte { return avro.AppendLong(dst, int64(values[row])*1000) }, nil
}

const maxSeconds = 1<<63/1000 - 1

// appendAvroDecimal appends the fewest bytes of two's complement that hold the
// unscaled value, big-endian, as Java's BigInteger does.
func appendAvroDecimal(dst []byte, n decimal128.Num) []byte {
	b := appendDecimal(nil, n, 16)
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return avro.AppendBytes(dst, b)
}

// avroItemsOf writes the items of a list as one counted block.
func avroItemsOf(offsets []int32, first int, item avroPut) avroPut {
	return func(dst []byte, row int) []byte {
		from, to := offsets[first+row], offsets[first+row+1]
		if to > from {
			dst = avro.AppendLong(dst, int64(to-from))
			for i := from; i < to; i++ {
				dst = item(dst, int(i))
			}
		}
		return append(dst, 0)
	}
}

func avroStructWriter(path string, t schema.Type, a *array.Struct) (avroPut, error) {
	members := make([]avroPut, len(t.Fields))
	for i, f := range t.Fields {
		var err error
		if members[i], err = avroWriterOf(path+"."+f.Name, f.Type, a.Field(i)); err != nil {
			return nil, err
		}
	}
	return func(dst []byte, row int) []byte {
		for _, put := range members {
			dst = put(dst, row)
		}
		return dst
	}, nil
}

func avroMapWriter(path string, t schema.Type, a *array.Map) (avroPut, error) {
	kt, vt := avroPair(t)
	if textual(kt) {
		kt.Nullable = false // the keys of Avro's own maps
	}
	key, err := avroWriterOf(path+".key", kt, a.Keys())
	if err != nil {
		return nil, err
	}
	value, err := avroWriterOf(path+".value", vt, a.Items())
	if err != nil {
		return nil, err
	}
	return avroItemsOf(a.Offsets(), a.Offset(), func(dst []byte, row int) []byte { return value(key(dst, row), row) }), nil
}
