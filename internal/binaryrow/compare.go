package binaryrow

import (
	"bytes"
	"cmp"
	"math"

	"github.com/tidelake/tidelake/schema"
)

// Compare orders two row bodies of the same scalar types column by column, in
// the order of keys (section 5.10): null first, strings and bytes by unsigned
// byte, -0.0 equal to 0.0, NaN after all numbers. It decodes and allocates
// nothing. A body too short for its types sorts as if its columns were null,
// and a value that lies outside its row as if it were empty: what comes from a
// file is checked by Decode before it is trusted.
func Compare(types []schema.Type, a, b []byte) int {
	size, header := fixedSize(len(types)), headerSize(len(types))
	if len(a) < size || len(b) < size {
		return cmp.Compare(min(len(a), size), min(len(b), size))
	}
	for i := range types {
		switch an, bn := isNull(a, i), isNull(b, i); {
		case an && bn:
			continue
		case an:
			return -1
		case bn:
			return 1
		}
		if c := compareSlot(&types[i], a, b, header+slotSize*i); c != 0 {
			return c
		}
	}
	return 0
}

func compareSlot(t *schema.Type, a, b []byte, at int) int {
	x, y := le.Uint64(a[at:]), le.Uint64(b[at:])
	switch t.Kind {
	case schema.Boolean:
		return cmp.Compare(byte(x), byte(y))
	case schema.TinyInt:
		return cmp.Compare(int8(x), int8(y))
	case schema.SmallInt:
		return cmp.Compare(int16(x), int16(y))
	case schema.Int, schema.Date, schema.Time:
		return cmp.Compare(int32(x), int32(y))
	case schema.BigInt:
		return cmp.Compare(int64(x), int64(y))
	case schema.Float:
		return compareFloat(float64(math.Float32frombits(uint32(x))), float64(math.Float32frombits(uint32(y))))
	case schema.Double:
		return compareFloat(math.Float64frombits(x), math.Float64frombits(y))
	case schema.Decimal:
		if t.Precision <= compactDigit {
			return cmp.Compare(int64(x), int64(y))
		}
		d, _ := decimalAt(a, at, t.Precision)
		e, _ := decimalAt(b, at, t.Precision)
		return d.Cmp(e)
	case schema.Timestamp, schema.TimestampLTZ:
		d, _ := timestampAt(a, at, t.Precision)
		e, _ := timestampAt(b, at, t.Precision)
		return cmp.Or(cmp.Compare(d.Millis, e.Millis), cmp.Compare(d.Nanos, e.Nanos))
	case schema.Char, schema.VarChar, schema.Binary, schema.VarBinary:
		d, _ := bytesAt(a, at)
		e, _ := bytesAt(b, at)
		return bytes.Compare(d, e)
	}
	return 0
}

// compareFloat is a total order: NaN is the greatest, and equals itself.
func compareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	xn, yn := x != x, y != y
	switch {
	case xn && yn:
		return 0
	case xn:
		return 1
	}
	return -1
}
