package binaryrow

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Append appends the body of one row of metadata values (nil for null) to dst
// and returns it. Nested values are []any for ARRAY and ROW and [][2]any
// (pairs in their own order) for MAP and MULTISET; VARIANT, BLOB and VECTOR
// take only null. A value of the wrong Go type is fault.ErrInvalid.
func Append(dst []byte, types []schema.Type, values []any) ([]byte, error) {
	if len(types) != len(values) {
		return dst, fault.Invalid(fmt.Sprintf("binary row: %d values for %d columns", len(values), len(types)))
	}
	w := writer{buf: dst}
	if err := w.row(types, values); err != nil {
		return dst, err
	}
	return w.buf, nil
}

// writer appends one structure, nested ones included. base is where the
// innermost open structure begins: offsets count from there.
type writer struct {
	buf  []byte
	base int
}

func (w *writer) open(n int) (outer int) {
	outer, w.base = w.base, len(w.buf)
	w.zeros(n)
	return outer
}

func (w *writer) zeros(n int) { w.buf = append(w.buf, make([]byte, n)...) }

func (w *writer) row(types []schema.Type, values []any) error {
	outer := w.open(fixedSize(len(types)))
	header := headerSize(len(types))
	for i := range types {
		at := header + slotSize*i
		if values[i] == nil {
			setNull(w.buf[w.base:], i)
			if n := reserved(&types[i]); n > 0 {
				w.setPlace(at, len(w.buf)-w.base, 0)
				w.zeros(n)
			}
			continue
		}
		if err := w.put(at, types[i], values[i]); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	w.base = outer
	return nil
}

func (w *writer) array(elem schema.Type, values []any) error {
	header, width := arrayHeader(len(values)), elementWidth(elem.Kind)
	size := header + width*len(values)
	outer := w.open(size + pad8(size))
	le.PutUint32(w.buf[w.base:], uint32(len(values)))
	for i, v := range values {
		if v == nil {
			w.buf[w.base+4+i/8] |= 1 << (i & 7)
			continue
		}
		if err := w.put(header+width*i, elem, v); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	w.base = outer
	return nil
}

// mapping writes the key array's size, the keys and the values.
func (w *writer) mapping(key, elem schema.Type, pairs [][2]any) error {
	keys, values := make([]any, len(pairs)), make([]any, len(pairs))
	for i, p := range pairs {
		keys[i], values[i] = p[0], p[1]
	}
	outer := w.open(4)
	if err := w.array(key, keys); err != nil {
		return err
	}
	le.PutUint32(w.buf[w.base:], uint32(len(w.buf)-w.base-4))
	err := w.array(elem, values)
	w.base = outer
	return err
}

// put writes a non-null value into the slot at offset at of the open structure.
func (w *writer) put(at int, t schema.Type, v any) error {
	ok := true
	slot := w.buf[w.base+at:]
	switch t.Kind {
	case schema.Boolean:
		var x bool
		if x, ok = v.(bool); x {
			slot[0] = 1
		}
	case schema.TinyInt:
		var x int8
		x, ok = v.(int8)
		slot[0] = byte(x)
	case schema.SmallInt:
		var x int16
		x, ok = v.(int16)
		le.PutUint16(slot, uint16(x))
	case schema.Int, schema.Date, schema.Time:
		var x int32
		x, ok = v.(int32)
		le.PutUint32(slot, uint32(x))
	case schema.BigInt:
		var x int64
		x, ok = v.(int64)
		le.PutUint64(slot, uint64(x))
	case schema.Float:
		var x float32
		x, ok = v.(float32)
		le.PutUint32(slot, floatBits(x))
	case schema.Double:
		var x float64
		x, ok = v.(float64)
		le.PutUint64(slot, doubleBits(x))
	default:
		return w.putWide(at, t, v)
	}
	if !ok {
		return wrongType(t, v)
	}
	return nil
}

// putWide is put for the types that may need the variable part.
func (w *writer) putWide(at int, t schema.Type, v any) error {
	switch t.Kind {
	case schema.Char, schema.VarChar:
		if x, ok := v.(string); ok {
			w.buf = appendBytes(w.buf, w.base, at, x)
			return nil
		}
	case schema.Binary, schema.VarBinary:
		if x, ok := v.([]byte); ok {
			w.buf = appendBytes(w.buf, w.base, at, x)
			return nil
		}
	case schema.Decimal:
		if x, ok := v.(decimal128.Num); ok {
			return w.putDecimal(at, t, x)
		}
	case schema.Timestamp, schema.TimestampLTZ:
		if x, ok := v.(schema.TimestampValue); ok {
			w.buf = appendTimestamp(w.buf, w.base, at, t.Precision, x)
			return nil
		}
	default:
		return w.putNested(at, t, v)
	}
	return wrongType(t, v)
}

func (w *writer) putDecimal(at int, t schema.Type, x decimal128.Num) error {
	if t.Precision > compactDigit {
		w.buf = appendBigDecimal(w.buf, w.base, at, x)
		return nil
	}
	if x.HighBits() != int64(x.LowBits())>>63 {
		return fault.Invalid(fmt.Sprintf("decimal does not fit into %d digits", t.Precision))
	}
	le.PutUint64(w.buf[w.base+at:], x.LowBits())
	return nil
}

func (w *writer) putNested(at int, t schema.Type, v any) error {
	start := len(w.buf)
	var err error
	switch t.Kind {
	case schema.Row:
		x, ok := v.([]any)
		if !ok || len(x) != len(t.Fields) {
			return wrongType(t, v)
		}
		err = w.row(fieldTypes(t.Fields), x)
	case schema.Array:
		x, ok := v.([]any)
		if !ok {
			return wrongType(t, v)
		}
		err = w.array(*t.Elem, x)
	case schema.Map, schema.Multiset:
		x, ok := v.([][2]any)
		if !ok {
			return wrongType(t, v)
		}
		key, elem := mapTypes(t)
		err = w.mapping(key, elem, x)
	default:
		return unsupportedType(t)
	}
	if err != nil {
		return err
	}
	length := len(w.buf) - start
	w.zeros(pad8(length))
	w.setPlace(at, start-w.base, length)
	if len(w.buf)-w.base > math.MaxInt32 {
		return fault.Invalid("binary row exceeds 2 GiB")
	}
	return nil
}

func (w *writer) setPlace(at, offset, length int) {
	le.PutUint64(w.buf[w.base+at:], place(offset, length))
}

func fieldTypes(fields []schema.Field) []schema.Type {
	types := make([]schema.Type, len(fields))
	for i, f := range fields {
		types[i] = f.Type
	}
	return types
}

// mapTypes gives key and value of a MAP, and of a MULTISET, which is a map to counts.
func mapTypes(t schema.Type) (key, elem schema.Type) {
	if t.Kind == schema.Multiset {
		return *t.Elem, schema.Type{Kind: schema.Int}
	}
	return *t.Key, *t.Elem
}

func wrongType(t schema.Type, v any) error {
	return fault.Invalid(fmt.Sprintf("value of Go type %T for a column of type %s", v, kindName(t.Kind)))
}

// The three below fill the slot at base+at of buf and append the variable
// part; Append and Encoder share them.

func appendBytes[T string | []byte](buf []byte, base, at int, v T) []byte {
	n := len(v)
	if n <= inlineMax {
		slot := buf[base+at : base+at+slotSize]
		copy(slot, v)
		slot[7] = inlineMark | byte(n)
		return buf
	}
	le.PutUint64(buf[base+at:], place(len(buf)-base, n))
	buf = append(buf, v...)
	return append(buf, zero8[:pad8(n)]...)
}

var zero8 [8]byte

func appendTimestamp(buf []byte, base, at, precision int, v schema.TimestampValue) []byte {
	if precision <= milliDigit {
		le.PutUint64(buf[base+at:], uint64(v.Millis))
		return buf
	}
	le.PutUint64(buf[base+at:], place(len(buf)-base, int(v.Nanos)))
	return le.AppendUint64(buf, uint64(v.Millis))
}

// appendBigDecimal writes the shortest big-endian two's complement, left
// aligned in 16 bytes.
func appendBigDecimal(buf []byte, base, at int, v decimal128.Num) []byte {
	hi, lo := uint64(v.HighBits()), v.LowBits()
	n := bigDecimal
	for sign := uint64(v.HighBits() >> 63); n > 1; n-- {
		// The first byte can go when it and the top bit of the next are all sign.
		first := nineBits(hi, lo, n)
		if first != sign&0x1ff {
			break
		}
	}
	le.PutUint64(buf[base+at:], place(len(buf)-base, n))
	for i := n - 1; i >= 0; i-- {
		buf = append(buf, byteAt(hi, lo, i))
	}
	for i := n; i < bigDecimal; i++ {
		buf = append(buf, 0)
	}
	return buf
}

// byteAt is byte i, from the low end, of a 128-bit number.
func byteAt(hi, lo uint64, i int) byte {
	if i >= 8 {
		return byte(hi >> (8 * (i - 8)))
	}
	return byte(lo >> (8 * i))
}

// nineBits are byte n-1 and the top bit of byte n-2.
func nineBits(hi, lo uint64, n int) uint64 {
	return uint64(byteAt(hi, lo, n-1))<<1 | uint64(byteAt(hi, lo, n-2)>>7)
}
