package binaryrow

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/schema"
)

// Decode gives the metadata values of a row body, nil for null; nested values
// have the forms that Append takes. Nothing returned shares memory with body.
// Bytes that contradict the layout are fault.ErrCorrupt.
func Decode(types []schema.Type, body []byte) ([]any, error) {
	if len(body) < fixedSize(len(types)) {
		return nil, corrupt("row of %d bytes is too short for %d columns", len(body), len(types))
	}
	header := headerSize(len(types))
	values := make([]any, len(types))
	for i := range types {
		if isNull(body, i) {
			continue
		}
		v, err := get(body, header+slotSize*i, types[i])
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i, err)
		}
		values[i] = v
	}
	return values, nil
}

// get reads the non-null value whose slot is at offset at of data. The slot's
// own bytes are within data.
func get(data []byte, at int, t schema.Type) (any, error) {
	slot := data[at:]
	switch t.Kind {
	case schema.Boolean:
		return slot[0] != 0, nil
	case schema.TinyInt:
		return int8(slot[0]), nil
	case schema.SmallInt:
		return int16(le.Uint16(slot)), nil
	case schema.Int, schema.Date, schema.Time:
		return int32(le.Uint32(slot)), nil
	case schema.BigInt:
		return int64(le.Uint64(slot)), nil
	case schema.Float:
		return math.Float32frombits(le.Uint32(slot)), nil
	case schema.Double:
		return math.Float64frombits(le.Uint64(slot)), nil
	case schema.Char, schema.VarChar:
		b, ok := bytesAt(data, at)
		if !ok {
			return nil, outside(t)
		}
		return string(b), nil
	case schema.Binary, schema.VarBinary:
		b, ok := bytesAt(data, at)
		if !ok {
			return nil, outside(t)
		}
		return append([]byte{}, b...), nil
	case schema.Decimal:
		v, ok := decimalAt(data, at, t.Precision)
		if !ok {
			return nil, outside(t)
		}
		return v, nil
	case schema.Timestamp, schema.TimestampLTZ:
		v, ok := timestampAt(data, at, t.Precision)
		if !ok {
			return nil, outside(t)
		}
		return v, nil
	}
	return getNested(data, at, t)
}

func getNested(data []byte, at int, t schema.Type) (any, error) {
	part, ok := partAt(data, at)
	if !ok {
		return nil, outside(t)
	}
	switch t.Kind {
	case schema.Row:
		return Decode(fieldTypes(t.Fields), part)
	case schema.Array:
		return DecodeArray(*t.Elem, part)
	case schema.Map, schema.Multiset:
		return decodeMap(t, part)
	}
	return nil, unsupportedType(t)
}

func outside(t schema.Type) error {
	return corrupt("value of type %s lies outside its row", kindName(t.Kind))
}

// partAt is the variable part that a slot points to.
func partAt(data []byte, at int) ([]byte, bool) {
	offset, length := unplace(le.Uint64(data[at:]))
	if offset > len(data) || length > len(data)-offset {
		return nil, false
	}
	return data[offset : offset+length : offset+length], true
}

// bytesAt is a string or binary, inline or not. It shares data's memory.
func bytesAt(data []byte, at int) ([]byte, bool) {
	if mark := data[at+7]; mark&inlineMark != 0 {
		n := int(mark &^ inlineMark)
		if n > inlineMax {
			return nil, false
		}
		return data[at : at+n : at+n], true
	}
	return partAt(data, at)
}

func decimalAt(data []byte, at, precision int) (decimal128.Num, bool) {
	if precision <= compactDigit {
		return decimal128.FromI64(int64(le.Uint64(data[at:]))), true
	}
	b, ok := partAt(data, at)
	if !ok || len(b) == 0 || len(b) > bigDecimal {
		return decimal128.Num{}, false
	}
	var full [bigDecimal]byte
	if b[0]&0x80 != 0 {
		full = allOnes
	}
	copy(full[bigDecimal-len(b):], b)
	return decimal128.New(int64(binary.BigEndian.Uint64(full[:8])), binary.BigEndian.Uint64(full[8:])), true
}

var allOnes = [bigDecimal]byte(bytes.Repeat([]byte{0xff}, bigDecimal))

func timestampAt(data []byte, at, precision int) (schema.TimestampValue, bool) {
	slot := le.Uint64(data[at:])
	if precision <= milliDigit {
		return schema.TimestampValue{Millis: int64(slot)}, true
	}
	offset, nanos := unplace(slot)
	if offset > len(data)-8 || nanos > 999_999 {
		return schema.TimestampValue{}, false
	}
	return schema.TimestampValue{Millis: int64(le.Uint64(data[offset:])), Nanos: int32(nanos)}, true
}
