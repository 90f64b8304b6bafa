package vector

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
)

// Layout says how the columns of a key become a vector that sorts by plain
// unsigned comparison. There are three forms, the first that fits is taken:
//
//	words   columns of fixed width, 8 bytes at most together: one uint64 a row
//	bytes   a single string or binary: the column's own memory
//	packed  anything else: columns one after the other, big-endian, strings
//	        before the last column escaped so that shorter ones sort first
//
// Order within a column is the key order of the table format: numbers by
// value with -0 equal to 0 and NaN greatest, false before true, strings and
// binaries by unsigned bytes.
type Layout struct {
	types []arrow.DataType
	bits  []uint // width of each column, 0 for strings and binaries
	form  form
	width int // bytes of a packed key when every column is fixed, else 0
}

type form uint8

const (
	formWords form = iota
	formBytes
	formPacked
)

// NewLayout returns the layout of a key of the given column types.
func NewLayout(types []arrow.DataType) (*Layout, error) {
	if len(types) == 0 {
		return nil, fault.Invalid("key without columns")
	}
	l := &Layout{types: types}
	total, fixed := uint(0), true
	for _, t := range types {
		w, ok := orderBits(t)
		if !ok {
			return nil, fault.Invalid("column of Arrow type " + t.String() + " in a key or sequence field: it has no order")
		}
		l.bits = append(l.bits, w)
		total += w
		fixed = fixed && w > 0
	}
	switch {
	case fixed && total <= 64:
		l.form = formWords
	case len(types) == 1 && !fixed:
		l.form = formBytes
	default:
		l.form = formPacked
		if fixed {
			l.width = int(total / 8)
		}
	}
	return l, nil
}

// orderBits is the width of a column in a key, 0 for strings and binaries.
func orderBits(t arrow.DataType) (uint, bool) {
	switch t.ID() {
	case arrow.BOOL, arrow.INT8:
		return 8, true
	case arrow.INT16:
		return 16, true
	case arrow.INT32, arrow.DATE32, arrow.TIME32, arrow.FLOAT32:
		return 32, true
	case arrow.INT64, arrow.TIMESTAMP, arrow.FLOAT64:
		return 64, true
	case arrow.DECIMAL128:
		if t.(*arrow.Decimal128Type).Precision <= 18 {
			return 64, true
		}
		return 128, true
	case arrow.STRING, arrow.BINARY:
		return 0, true
	}
	return 0, false
}

// Exact says that words are whole keys.
func (l *Layout) Exact() bool { return l.form == formWords }

// Keys is the key vector of some rows of one batch. It borrows the memory of
// the columns it was built from; the zero value is empty.
type Keys struct {
	n     int
	words []uint64 // formWords
	data  []byte   // the other forms
	offs  []int32  // where each key begins and the last one ends …
	rows  []int32  // … for these rows of the column only, nil for all
	width int      // … or keys of one width
	temp  []uint64
}

// Build makes k the vector of the given rows of cols, nil for all rows. The
// memory of k is used again; rows is kept. Nulls sort arbitrarily: whoever
// allows them asks for validity first.
func (l *Layout) Build(k *Keys, cols []arrow.Array, rows []int32) error {
	k.n = cols[0].Len()
	if rows != nil {
		k.n = len(rows)
	}
	k.data, k.offs, k.rows, k.width = nil, nil, nil, 0
	switch l.form {
	case formWords:
		k.words = zeroed(k.words, k.n)
		for i, c := range cols {
			if err := packOrder(k.words, l.bits[i], c, rows); err != nil {
				return err
			}
		}
		return nil
	case formBytes:
		s := newBytesSource(cols[0])
		k.data, k.offs, k.rows = s.data, s.offs, rows
		return nil
	}
	if l.width > 0 {
		return l.buildFixed(k, cols, rows)
	}
	return l.buildPacked(k, cols, rows)
}

func zeroed(s []uint64, n int) []uint64 {
	if cap(s) < n {
		return make([]uint64, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// buildFixed writes columns of fixed width side by side.
func (l *Layout) buildFixed(k *Keys, cols []arrow.Array, rows []int32) error {
	k.width = l.width
	k.data = make([]byte, k.n*l.width)
	at := 0
	for i, c := range cols {
		if l.bits[i] == 128 {
			putDecimals(k.data, l.width, at, c, rows)
			at += 16
			continue
		}
		k.temp = zeroed(k.temp, k.n)
		if err := packOrder(k.temp, l.bits[i], c, rows); err != nil {
			return err
		}
		w := int(l.bits[i] / 8)
		putWords(k.data, l.width, at, w, k.temp)
		at += w
	}
	return nil
}

func putWords(dst []byte, stride, at, w int, words []uint64) {
	for _, v := range words {
		switch w {
		case 8:
			binary.BigEndian.PutUint64(dst[at:], v)
		case 4:
			binary.BigEndian.PutUint32(dst[at:], uint32(v))
		case 2:
			binary.BigEndian.PutUint16(dst[at:], uint16(v))
		default:
			dst[at] = byte(v)
		}
		at += stride
	}
}

func putDecimals(dst []byte, stride, at int, c arrow.Array, rows []int32) {
	vals := arrow.GetValues[decimal128.Num](c.Data(), 1)
	put := func(v decimal128.Num) {
		binary.BigEndian.PutUint64(dst[at:], uint64(v.HighBits())^1<<63)
		binary.BigEndian.PutUint64(dst[at+8:], v.LowBits())
		at += stride
	}
	if rows == nil {
		for _, v := range vals {
			put(v)
		}
		return
	}
	for _, r := range rows {
		put(vals[r])
	}
}

// part is one column of a packed key: fixed ones as bytes of one width,
// strings and binaries where they lie.
type part struct {
	fixed []byte
	width int
	str   bytesSource
}

// buildPacked writes keys of varying length.
func (l *Layout) buildPacked(k *Keys, cols []arrow.Array, rows []int32) error {
	parts := make([]part, len(cols))
	for i, c := range cols {
		if l.bits[i] == 0 {
			parts[i].str = newBytesSource(c)
			continue
		}
		one := Layout{types: l.types[i : i+1], bits: l.bits[i : i+1], form: formPacked, width: int(l.bits[i] / 8)}
		tmp := Keys{n: k.n, temp: k.temp}
		if err := one.buildFixed(&tmp, cols[i:i+1], rows); err != nil {
			return err
		}
		k.temp = tmp.temp
		parts[i] = part{fixed: tmp.data, width: one.width}
	}
	offs := make([]int32, k.n+1)
	var data []byte
	for i := range k.n {
		row := i
		if rows != nil {
			row = int(rows[i])
		}
		for j := range parts {
			p := &parts[j]
			if p.width > 0 {
				data = append(data, p.fixed[i*p.width:(i+1)*p.width]...)
				continue
			}
			cell := p.str.data[p.str.offs[row]:p.str.offs[row+1]]
			if j == len(parts)-1 {
				data = append(data, cell...)
			} else {
				data = appendEscaped(data, cell)
			}
		}
		if tooLarge(len(data)) {
			return fault.Invalid("keys of one batch take more than 2 GiB: make batches smaller")
		}
		offs[i+1] = int32(len(data))
	}
	k.data, k.offs = data, offs
	return nil
}

// appendEscaped ends a string with two zero bytes and writes a zero within
// it as zero and 255, so that no string is the beginning of another.
func appendEscaped(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, 0)
		if i < 0 {
			return append(append(dst, s...), 0, 0)
		}
		dst = append(append(dst, s[:i]...), 0, 0xff)
		s = s[i+1:]
	}
}

// packOrder shifts the order words of a column into dst from the right.
func packOrder(dst []uint64, bits uint, c arrow.Array, rows []int32) error {
	switch c.DataType().ID() {
	case arrow.BOOL:
		packBools(dst, c, rows)
	case arrow.INT8:
		packInts(dst, bits, arrow.GetValues[int8](c.Data(), 1), rows)
	case arrow.INT16:
		packInts(dst, bits, arrow.GetValues[int16](c.Data(), 1), rows)
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		packInts(dst, bits, arrow.GetValues[int32](c.Data(), 1), rows)
	case arrow.INT64, arrow.TIMESTAMP:
		packInts(dst, bits, arrow.GetValues[int64](c.Data(), 1), rows)
	case arrow.FLOAT32:
		vals := arrow.GetValues[float32](c.Data(), 1)
		for i := range dst {
			dst[i] = dst[i]<<32 | orderFloat32(vals[at(rows, i)])
		}
	case arrow.FLOAT64:
		vals := arrow.GetValues[float64](c.Data(), 1)
		for i := range dst {
			dst[i] = orderFloat64(vals[at(rows, i)])
		}
	case arrow.DECIMAL128:
		return packDecimals(dst, c, rows)
	}
	return nil
}

func at(rows []int32, i int) int {
	if rows == nil {
		return i
	}
	return int(rows[i])
}

func packInts[T int8 | int16 | int32 | int64](dst []uint64, bits uint, vals []T, rows []int32) {
	sign := uint64(1) << (bits - 1)
	mask := ^uint64(0) >> (64 - bits)
	if rows == nil {
		for i, v := range vals[:len(dst)] {
			dst[i] = dst[i]<<bits | (uint64(int64(v))^sign)&mask
		}
		return
	}
	for i, r := range rows[:len(dst)] {
		dst[i] = dst[i]<<bits | (uint64(int64(vals[r]))^sign)&mask
	}
}

func packBools(dst []uint64, c arrow.Array, rows []int32) {
	if len(dst) == 0 {
		return
	}
	bits, off := c.Data().Buffers()[1].Bytes(), c.Data().Offset()
	for i := range dst {
		k := off + at(rows, i)
		dst[i] = dst[i]<<8 | uint64(bits[k>>3]>>(k&7)&1)
	}
}

func packDecimals(dst []uint64, c arrow.Array, rows []int32) error {
	vals := arrow.GetValues[decimal128.Num](c.Data(), 1)
	nulls := NullCount(c) > 0
	for i := range dst {
		row := at(rows, i)
		v := vals[row]
		if v.HighBits() != int64(v.LowBits())>>63 && !(nulls && c.IsNull(row)) {
			return fault.Invalid("decimal " + v.ToString(0) + " unscaled does not fit in " + c.DataType().String())
		}
		dst[i] = v.LowBits() ^ 1<<63
	}
	return nil
}

func orderFloat32(f float32) uint64 {
	b := math.Float32bits(f)
	switch {
	case f != f:
		b = 0x7fc00000
	case f == 0:
		b = 0 // also for -0
	}
	if b>>31 == 1 {
		return uint64(^b)
	}
	return uint64(b | 1<<31)
}

func orderFloat64(f float64) uint64 {
	b := math.Float64bits(f)
	switch {
	case f != f:
		b = 0x7ff8 << 48
	case f == 0:
		b = 0 // also for -0
	}
	if b>>63 == 1 {
		return ^b
	}
	return b | 1<<63
}

// Forget lets go of borrowed memory and keeps its own for the next Build.
func (k *Keys) Forget() { *k = Keys{words: k.words[:0], temp: k.temp[:0]} }

// Compare orders key i of a and key j of b, both built by l.
func (l *Layout) Compare(a *Keys, i int, b *Keys, j int) int {
	if l.Exact() {
		return cmp.Compare(a.words[i], b.words[j])
	}
	return bytes.Compare(a.Bytes(i), b.Bytes(j))
}

// Len is the number of keys.
func (k *Keys) Len() int { return k.n }

// Words are the keys of an exact layout.
func (k *Keys) Words() []uint64 { return k.words }

// Bytes is one key of a layout that is not exact.
func (k *Keys) Bytes(i int) []byte {
	if k.width > 0 {
		return k.data[i*k.width : (i+1)*k.width]
	}
	if k.rows != nil {
		i = int(k.rows[i])
	}
	return k.data[k.offs[i]:k.offs[i+1]]
}

// Word is the eight bytes of a key from skip on, with zeros after its end.
func Word(key []byte, skip int) uint64 {
	if len(key) >= skip+8 {
		return binary.BigEndian.Uint64(key[skip:])
	}
	var w uint64
	for i := skip; i < len(key); i++ {
		w |= uint64(key[i]) << (56 - 8*(i-skip))
	}
	return w
}

// Common is the length of the longest common beginning of a and b, limit at most.
func Common(a, b []byte, limit int) int {
	limit = min(limit, len(a), len(b))
	i := 0
	for i+8 <= limit && binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:]) {
		i += 8
	}
	for i < limit && a[i] == b[i] {
		i++
	}
	return i
}
