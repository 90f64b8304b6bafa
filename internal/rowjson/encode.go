package rowjson

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// Encoder prints the rows of Arrow batches. It is not safe for concurrent use.
//
//	e.Bind(batch); for row := range n { buf = append(e.AppendRow(buf, row), '\n') }
type Encoder struct {
	fields  []schema.Field
	names   [][]byte // "name": as JSON, with the comma before it
	cells   []printer
	base64  bool
	scratch []byte
}

// NewEncoder makes an encoder of batches with the given columns, in this order.
func NewEncoder(fields []schema.Field) (*Encoder, error) {
	e := &Encoder{fields: fields, names: memberNames(fields), cells: make([]printer, len(fields))}
	for _, f := range fields {
		if _, err := schema.ArrowType(f.Type); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func memberNames(fields []schema.Field) [][]byte {
	names := make([][]byte, len(fields))
	for i, f := range fields {
		if i > 0 {
			names[i] = append(names[i], ',')
		}
		names[i] = append(appendString(names[i], f.Name), ':')
	}
	return names
}

// Base64 prints binary columns in base64 from the next Bind on, as change events
// have them. Binary values within nested ones stay in hex.
func (e *Encoder) Base64() { e.base64 = true }

// Bind sets the batch whose rows are printed from now on. It must have the
// encoder's columns, in the Arrow types of their table types, and must not be
// released before the last row is printed.
func (e *Encoder) Bind(rec arrow.RecordBatch) error {
	if int(rec.NumCols()) != len(e.fields) {
		return fault.Invalid(fmt.Sprintf("printing rows: the batch has %d columns, want %d", rec.NumCols(), len(e.fields)))
	}
	for i, f := range e.fields {
		var err error
		if e.cells[i], err = newPrinter(f.Type, rec.Column(i)); err != nil {
			return fmt.Errorf("printing column %s: %w", f.Name, err)
		}
		if a, binary := rec.Column(i).(*array.Binary); binary && e.base64 {
			e.cells[i].put = func(dst []byte, row int) []byte { return base64.StdEncoding.AppendEncode(dst, a.Value(row)) }
		}
	}
	return nil
}

// AppendRow appends a row as a JSON object, without a line end.
func (e *Encoder) AppendRow(dst []byte, row int) []byte {
	dst = append(dst, '{')
	for i := range e.cells {
		dst = e.cells[i].json(append(dst, e.names[i]...), row)
	}
	return append(dst, '}')
}

// AppendText appends the text of one cell for people: as in JSON but without
// quotes and escapes around it; nested values are JSON. null tells a null, of
// which nothing is appended.
func (e *Encoder) AppendText(dst []byte, col, row int) (out []byte, null bool) {
	c := &e.cells[col]
	if c.isNull(row) {
		return dst, true
	}
	return c.put(dst, row), false
}

// AppendCSVHeader appends the record of the column names.
func (e *Encoder) AppendCSVHeader(dst []byte, comma byte) []byte {
	for i, f := range e.fields {
		if i > 0 {
			dst = append(dst, comma)
		}
		dst = appendCSVCell(dst, []byte(f.Name), comma)
	}
	return append(dst, '\n')
}

// AppendCSV appends a row as a CSV record with its line end. A null is an
// empty cell, the empty string one with quotes.
func (e *Encoder) AppendCSV(dst []byte, comma byte, row int) []byte {
	for i := range e.cells {
		if i > 0 {
			dst = append(dst, comma)
		}
		if text, null := e.AppendText(e.scratch[:0], i, row); !null {
			dst = appendCSVCell(dst, text, comma)
			e.scratch = text
		}
	}
	return append(dst, '\n')
}

func appendCSVCell(dst, text []byte, comma byte) []byte {
	special := func(c byte) bool { return c == comma || c == '"' || c == '\n' || c == '\r' }
	if len(text) > 0 && !slices.ContainsFunc(text, special) {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// printer prints the cells of one array.
type printer struct {
	arr   arrow.Array // nil when it has no nulls
	style style
	put   func(dst []byte, row int) []byte // appends the bare text of a cell that is not null
}

// style says what JSON needs around the bare text.
type style uint8

const (
	bare    style = iota // nothing: numbers, true, false, nested values
	quotes               // quotes: text without anything to escape
	escapes              // quotes and escapes
	floats               // quotes when it is NaN or infinite
)

func (c *printer) isNull(row int) bool { return c.arr != nil && c.arr.IsNull(row) }

func (c *printer) json(dst []byte, row int) []byte {
	if c.isNull(row) {
		return append(dst, "null"...)
	}
	switch c.style {
	case bare:
		return c.put(dst, row)
	case quotes:
		return append(c.put(append(dst, '"'), row), '"')
	}
	start := len(dst)
	dst = c.put(dst, row)
	if c.style == escapes {
		return escapeTail(dst, start)
	}
	switch last := dst[len(dst)-1]; last {
	case 'N', 'y': // NaN, Infinity
		return append(slices.Insert(dst, start, '"'), '"')
	}
	return dst
}

// integers has the values of the integer arrays.
type integers[T int8 | int16 | int32 | int64] interface{ Value(int) T }

func printInteger[T int8 | int16 | int32 | int64](a integers[T]) func([]byte, int) []byte {
	return func(dst []byte, row int) []byte { return strconv.AppendInt(dst, int64(a.Value(row)), 10) }
}

func newPrinter(t schema.Type, arr arrow.Array) (printer, error) {
	p := printer{}
	if arr.NullN() > 0 {
		p.arr = arr
	}
	mismatch := fault.Invalid(fmt.Sprintf("an Arrow array of type %s does not hold %s", arr.DataType(), literal.TypeName(t)))
	want, err := schema.ArrowType(t)
	if err != nil {
		return p, err
	}
	if want.ID() != arr.DataType().ID() {
		return p, mismatch
	}
	switch a := arr.(type) {
	case *array.Boolean:
		p.put = func(dst []byte, row int) []byte { return strconv.AppendBool(dst, a.Value(row)) }
	case *array.Int8:
		p.put = printInteger[int8](a)
	case *array.Int16:
		p.put = printInteger[int16](a)
	case *array.Int32:
		p.put = printInteger[int32](a)
	case *array.Int64:
		p.put = printInteger[int64](a)
	case *array.Float32:
		p.style = floats
		p.put = func(dst []byte, row int) []byte { return literal.AppendFloat(dst, float64(a.Value(row)), 32) }
	case *array.Float64:
		p.style = floats
		p.put = func(dst []byte, row int) []byte { return literal.AppendFloat(dst, a.Value(row), 64) }
	case *array.String:
		p.style = escapes
		p.put = func(dst []byte, row int) []byte { return append(dst, a.Value(row)...) }
	case *array.Binary:
		p.style = quotes
		p.put = func(dst []byte, row int) []byte { return literal.AppendHex(dst, a.Value(row)) }
	default:
		return p.others(t, arr, want, mismatch)
	}
	return p, nil
}

// others goes on where the parameters of the type matter.
func (c printer) others(t schema.Type, arr arrow.Array, want arrow.DataType, mismatch error) (printer, error) {
	c.style = quotes
	switch a := arr.(type) {
	case *array.Decimal128:
		if dt := a.DataType().(*arrow.Decimal128Type); int(dt.Scale) != t.Scale {
			return c, mismatch
		}
		c.put = printDecimal(a.Values(), t.Scale)
	case *array.Date32:
		c.put = func(dst []byte, row int) []byte { return literal.AppendDate(dst, int64(a.Value(row))) }
	case *array.Time32:
		if !arrow.TypeEqual(want, a.DataType()) {
			return c, mismatch
		}
		c.put = func(dst []byte, row int) []byte { return literal.AppendTime(dst, int32(a.Value(row))) }
	case *array.Timestamp:
		if a.DataType().(*arrow.TimestampType).Unit != want.(*arrow.TimestampType).Unit {
			return c, mismatch
		}
		c.put = printTimestamp(a.Values(), t)
	default:
		return c.nested(t, arr, mismatch)
	}
	return c, nil
}

func printDecimal(values []decimal128.Num, scale int) func([]byte, int) []byte {
	return func(dst []byte, row int) []byte { return literal.AppendDecimal(dst, values[row], scale) }
}

func printTimestamp(values []arrow.Timestamp, t schema.Type) func([]byte, int) []byte {
	zoned := t.Kind == schema.TimestampLTZ
	return func(dst []byte, row int) []byte {
		seconds, nanos := literal.SplitUnits(int64(values[row]), t.Precision)
		dst = literal.AppendTimestamp(dst, seconds, nanos, t.Precision)
		if zoned {
			dst = append(dst, 'Z')
		}
		return dst
	}
}

func (c printer) nested(t schema.Type, arr arrow.Array, mismatch error) (printer, error) {
	c.style = bare
	var err error
	switch a := arr.(type) {
	case *array.List:
		c.put, err = printList(*t.Elem, a)
	case *array.Map:
		key, value := t.Key, *t.Elem
		if t.Kind == schema.Multiset {
			key, value = t.Elem, schema.Type{Kind: schema.Int}
		}
		c.put, err = printMap(*key, value, a)
	case *array.Struct:
		if a.NumField() != len(t.Fields) {
			return c, mismatch
		}
		c.put, err = printStruct(t.Fields, a)
	default:
		return c, mismatch
	}
	return c, err
}

func printList(elem schema.Type, a *array.List) (func([]byte, int) []byte, error) {
	item, err := newPrinter(elem, a.ListValues())
	return func(dst []byte, row int) []byte {
		from, to := a.ValueOffsets(row)
		dst = append(dst, '[')
		for i := from; i < to; i++ {
			if i > from {
				dst = append(dst, ',')
			}
			dst = item.json(dst, int(i))
		}
		return append(dst, ']')
	}, err
}

func printMap(key, value schema.Type, a *array.Map) (func([]byte, int) []byte, error) {
	// Not Keys and Items, which do not see where a slice of entries begins.
	entries := a.ListValues().(*array.Struct)
	k, err := newPrinter(key, entries.Field(0))
	if err != nil {
		return nil, err
	}
	v, err := newPrinter(value, entries.Field(1))
	var pairs [][]byte // the text of each pair, in scratch
	var scratch []byte
	return func(dst []byte, row int) []byte {
		from, to := a.ValueOffsets(row)
		pairs = pairs[:0]
		text := scratch[:0]
		for i := from; i < to; i++ {
			start := len(text)
			text = k.json(append(text, '['), int(i))
			text = append(v.json(append(text, ','), int(i)), ']')
			pairs = append(pairs, text[start:len(text):len(text)])
		}
		scratch = text
		slices.SortFunc(pairs, bytes.Compare)
		dst = append(dst, '[')
		for i, pair := range pairs {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, pair...)
		}
		return append(dst, ']')
	}, err
}

func printStruct(fields []schema.Field, a *array.Struct) (func([]byte, int) []byte, error) {
	names := memberNames(fields)
	cells := make([]printer, len(fields))
	for i, f := range fields {
		var err error
		if cells[i], err = newPrinter(f.Type, a.Field(i)); err != nil {
			return nil, fmt.Errorf("member %s: %w", f.Name, err)
		}
	}
	return func(dst []byte, row int) []byte {
		dst = append(dst, '{')
		for i := range cells {
			dst = cells[i].json(append(dst, names[i]...), row)
		}
		return append(dst, '}')
	}, nil
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	start := len(dst)
	return escapeTail(append(dst, s...), start)
}

// escapeTail makes the bytes from start on a JSON string, with the escapes
// that Go's encoding/json writes when it leaves HTML alone.
func escapeTail(dst []byte, start int) []byte {
	clean := true
	for _, c := range dst[start:] {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			clean = false
			break
		}
	}
	if clean {
		dst = append(dst, '"', '"')
		copy(dst[start+1:], dst[start:len(dst)-2])
		dst[start] = '"'
		return dst
	}
	// The escaped text is built behind the bare one, then moved over it.
	end := len(dst)
	dst = append(dst, '"')
	for i := start; i < end; {
		c := dst[i]
		if c < utf8.RuneSelf {
			dst = appendEscaped(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRune(dst[i:end])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&15])
		default:
			dst = append(dst, dst[i:i+size]...)
		}
		i += size
	}
	dst = append(dst, '"')
	n := copy(dst[start:], dst[end:])
	return dst[:start+n]
}

const hexDigits = "0123456789abcdef"

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if c < ' ' {
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, c)
}
