package rowjson

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// fixed is a column of values of one width. The three functions make a value of each kind of input.
type fixed[T any] struct {
	header
	values   []T
	fromJSON func(p *parser) (T, error)
	fromText func(s string) (T, error)
	fromGo   func(v any) (T, error)
}

func (c *fixed[T]) null() {
	var zero T
	c.values = append(c.values, zero)
	c.push(false)
}

func (c *fixed[T]) add(v T, err error) error {
	if err != nil {
		return err
	}
	c.values = append(c.values, v)
	c.push(true)
	return nil
}

func (c *fixed[T]) json(p *parser) error { return c.add(c.fromJSON(p)) }
func (c *fixed[T]) text(s string) error  { return c.add(c.fromText(s)) }
func (c *fixed[T]) value(v any) error    { return c.add(c.fromGo(v)) }

func (c *fixed[T]) cut(n int) {
	c.truncate(n)
	c.values = c.values[:n]
}

func (c *fixed[T]) raw(from, to int) []byte {
	part := c.values[from:to]
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(part))), len(part)*int(unsafe.Sizeof(zero)))
}

func (c *fixed[T]) key(dst []byte, row int) []byte {
	if !c.isValid(row) {
		return append(dst, 0)
	}
	return append(append(dst, 1), c.raw(row, row+1)...)
}

func (c *fixed[T]) size() int64 { return int64(len(c.raw(0, len(c.values)))) + int64(len(c.valid)) }

func (c *fixed[T]) build(alloc memory.Allocator) *array.Data {
	data := c.data(alloc, nil, c.raw(0, c.rows))
	c.clear()
	c.values = c.values[:0]
	return data
}

var (
	errWantNumber = errors.New("is not a number")
	errWantString = errors.New("is not a string")
	errWantBool   = errors.New("is not true or false")
)

// numberText takes a JSON number as text.
func numberText(p *parser) (string, error) {
	if c := p.peek(); c != '-' && c-'0' > 9 {
		return "", errWantNumber
	}
	return p.number()
}

// stringText takes a JSON string as text that lives until the parser moves on.
func stringText(p *parser) (string, error) {
	if p.peek() != '"' {
		return "", errWantString
	}
	b, err := p.str()
	return view(b), err
}

func newIntegers[T int8 | int16 | int32 | int64](h header) column {
	kind := h.typ.Kind
	narrow := func(v int64, err error) (T, error) { return T(v), err }
	c := &fixed[T]{header: h}
	c.fromJSON = func(p *parser) (T, error) {
		text, err := numberText(p)
		if err != nil {
			return 0, err
		}
		if v, ok := shortInteger(text); ok && int64(T(v)) == v {
			return T(v), nil
		}
		return narrow(literal.ParseInteger(text, kind))
	}
	c.fromText = func(s string) (T, error) { return narrow(literal.ParseInteger(s, kind)) }
	c.fromGo = func(v any) (T, error) {
		if t, ok := v.(T); ok {
			return t, nil
		}
		return narrow(goInteger(v, kind))
	}
	return c
}

// shortInteger reads up to eighteen digits, which no 64 bits overflow.
func shortInteger(text string) (int64, bool) {
	i, v := 0, int64(0)
	negative := text[0] == '-'
	if negative {
		i = 1
	}
	if len(text)-i > 18 {
		return 0, false
	}
	for ; i < len(text); i++ {
		d := text[i] - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + int64(d)
	}
	if negative {
		v = -v
	}
	return v, true
}

func newFloats[T float32 | float64](h header, bits int) column {
	c := &fixed[T]{header: h}
	c.fromText = func(s string) (T, error) {
		v, fit, err := literal.ParseFloat(s, bits)
		if err == nil && fit != literal.Exact {
			err = errors.New("is out of range")
		}
		return T(v), err
	}
	c.fromJSON = func(p *parser) (T, error) {
		if p.peek() == '"' {
			text, err := stringText(p)
			if err != nil {
				return 0, err
			}
			switch text {
			case "NaN", "Infinity", "-Infinity", "+Infinity":
				return c.fromText(text)
			}
			return 0, errors.New("is neither a number nor NaN, Infinity or -Infinity")
		}
		text, err := numberText(p)
		if err != nil {
			return 0, err
		}
		return c.fromText(text)
	}
	c.fromGo = func(v any) (T, error) {
		if t, ok := v.(T); ok {
			return t, nil
		}
		f, err := goFloat(v)
		if err == nil && math.IsInf(float64(T(f)), 0) && !math.IsInf(f, 0) {
			err = errors.New("is out of range")
		}
		return T(f), err
	}
	return c
}

func newDecimals(h header) column {
	precision, scale := h.typ.Precision, h.typ.Scale
	c := &fixed[decimal128.Num]{header: h}
	fit := func(n literal.Number, err error) (decimal128.Num, error) {
		if err != nil {
			return decimal128.Num{}, err
		}
		v, f := n.Decimal(precision, scale)
		if f != literal.Exact {
			err = literal.DecimalError(f, precision, scale)
		}
		return v, err
	}
	c.fromText = func(s string) (decimal128.Num, error) {
		if v, ok := shortDecimal(s, precision, scale); ok {
			return decimal128.FromI64(v), nil
		}
		return fit(literal.ParseNumber(s))
	}
	c.fromJSON = func(p *parser) (decimal128.Num, error) {
		read := numberText
		if p.peek() == '"' {
			read = stringText
		}
		text, err := read(p)
		if err != nil {
			return decimal128.Num{}, err
		}
		return c.fromText(text)
	}
	c.fromGo = func(v any) (decimal128.Num, error) {
		if d, ok := v.(decimal128.Num); ok {
			if !d.FitsInPrecision(int32(precision)) {
				return d, literal.DecimalError(literal.TooLarge, precision, scale)
			}
			return d, nil
		}
		return fit(goNumber(v))
	}
	return c
}

// shortDecimal reads the plain decimals that 64 bits hold, which are nearly all.
func shortDecimal(text string, precision, scale int) (int64, bool) {
	if len(text) > 18 || precision > 18 {
		return 0, false
	}
	i, v := 0, int64(0)
	if text != "" && text[0] == '-' {
		i = 1
	}
	whole := i
	for ; i < len(text) && text[i]-'0' <= 9; i++ {
		v = v*10 + int64(text[i]-'0')
	}
	whole = i - whole
	if whole == 0 || whole > precision-scale {
		return 0, false
	}
	if i < len(text) && text[i] == '.' {
		for i++; i < len(text) && text[i]-'0' <= 9 && scale > 0; i++ {
			v = v*10 + int64(text[i]-'0')
			scale--
		}
	}
	if i < len(text) {
		return 0, false
	}
	for ; scale > 0; scale-- {
		v *= 10
	}
	if text[0] == '-' {
		v = -v
	}
	return v, true
}

// quoted reads a JSON string and hands its text on.
func quoted[T any](read func(s string) (T, error)) func(p *parser) (T, error) {
	return func(p *parser) (T, error) {
		text, err := stringText(p)
		if err != nil {
			var zero T
			return zero, err
		}
		return read(text)
	}
}

func newDates(h header) column {
	return &fixed[int32]{header: h,
		fromText: literal.ParseDate, fromJSON: quoted(literal.ParseDate), fromGo: goDate}
}

func newTimes(h header) column {
	return &fixed[int32]{header: h,
		fromText: literal.ParseTimeOfDay, fromJSON: quoted(literal.ParseTimeOfDay), fromGo: goTimeOfDay}
}

func newTimestamps(h header, loc *time.Location) column {
	precision, zoned := h.typ.Precision, h.typ.Kind == schema.TimestampLTZ
	units := func(v schema.TimestampValue, err error) (int64, error) {
		if err != nil {
			return 0, err
		}
		u, fit := literal.ToUnits(v, precision)
		if fit == literal.TooLarge || fit == literal.TooSmall {
			return 0, errors.New("is out of range: a precision above 6 reaches from 1677 to 2262")
		}
		return u, nil
	}
	read := func(s string) (int64, error) { return units(literal.ParseTimestamp(s, precision, zoned, loc)) }
	return &fixed[int64]{header: h, fromText: read, fromJSON: quoted(read),
		fromGo: func(v any) (int64, error) { return units(goTimestamp(v, precision, zoned, loc)) }}
}

// booleans packs its bits only in the end.
type booleans struct {
	header
	values []bool
}

func (c *booleans) null() { c.values = append(c.values, false); c.push(false) }

func (c *booleans) add(v bool) error {
	c.values = append(c.values, v)
	c.push(true)
	return nil
}

func (c *booleans) json(p *parser) error {
	if p.word("true") {
		return c.add(true)
	}
	if p.word("false") {
		return c.add(false)
	}
	return errWantBool
}

func (c *booleans) text(s string) error {
	v, err := literal.ParseBool(s)
	if err != nil {
		return err
	}
	return c.add(v)
}

func (c *booleans) value(v any) error {
	if b, ok := v.(bool); ok {
		return c.add(b)
	}
	plain, err := plainGo(v)
	if err != nil {
		return err
	}
	if b, ok := plain.(bool); ok {
		return c.add(b)
	}
	return errWantBool
}

func (c *booleans) cut(n int) {
	c.truncate(n)
	c.values = c.values[:n]
}

func (c *booleans) key(dst []byte, row int) []byte {
	switch {
	case !c.isValid(row):
		return append(dst, 0)
	case c.values[row]:
		return append(dst, 2)
	}
	return append(dst, 1)
}

func (c *booleans) size() int64 { return int64(len(c.values)) }

func (c *booleans) build(alloc memory.Allocator) *array.Data {
	bits := make([]byte, (c.rows+7)/8)
	for i, v := range c.values {
		if v {
			bits[i>>3] |= 1 << (i & 7)
		}
	}
	data := c.data(alloc, nil, bits)
	c.clear()
	c.values = c.values[:0]
	return data
}

// texts is a column of character or binary strings, one after the other.
type texts struct {
	header
	hex     bool // binary, whose text is hex
	offsets []int32
	bytes   []byte
}

func (c *texts) null() {
	c.offsets = append(c.offsets, int32(len(c.bytes)))
	c.push(false)
}

// end finishes a value whose bytes from start on are in place.
func (c *texts) end(start int) error {
	n := len(c.bytes) - start
	err := checkOffset(len(c.bytes))
	if err == nil && n > c.typ.Length { // rarely reached: characters are at most as many as bytes
		if c.hex {
			err = literal.CheckBytes(n, c.typ.Length)
		} else {
			err = literal.CheckText(view(c.bytes[start:]), c.typ.Length)
		}
	}
	if err != nil {
		c.bytes = c.bytes[:start]
		return err
	}
	c.offsets = append(c.offsets, int32(len(c.bytes)))
	c.push(true)
	return nil
}

func (c *texts) json(p *parser) error {
	s, err := stringText(p)
	if err != nil {
		return err
	}
	return c.plain(s)
}

func (c *texts) text(s string) error {
	if !c.hex {
		if err := literal.CheckText(s, c.typ.Length); err != nil {
			return err
		}
	}
	return c.plain(s)
}

// plain appends a text that is valid UTF-8.
func (c *texts) plain(s string) error {
	start := len(c.bytes)
	if !c.hex {
		c.bytes = append(c.bytes, s...)
		return c.end(start)
	}
	var ok bool
	if c.bytes, ok = literal.DecodeHex(c.bytes, s); !ok {
		c.bytes = c.bytes[:start]
		return errors.New("is not hex")
	}
	return c.end(start)
}

func (c *texts) value(v any) error {
	switch v := v.(type) {
	case string:
		if !c.hex {
			return c.text(v)
		}
	case []byte:
		start := len(c.bytes)
		if !c.hex {
			return c.text(view(v))
		}
		c.bytes = append(c.bytes, v...)
		return c.end(start)
	default:
		plain, err := plainGo(v)
		if err != nil {
			return err
		}
		switch plain.(type) {
		case string, []byte:
			return c.value(plain)
		}
	}
	if c.hex {
		return errors.New("is not a []byte")
	}
	return errWantString
}

func (c *texts) cut(n int) {
	c.truncate(n)
	c.offsets = c.offsets[:n+1]
	c.bytes = c.bytes[:c.offsets[n]]
}

func (c *texts) key(dst []byte, row int) []byte {
	if !c.isValid(row) {
		return append(dst, 0)
	}
	b := c.bytes[c.offsets[row]:c.offsets[row+1]]
	return append(binary.AppendUvarint(append(dst, 1), uint64(len(b))), b...)
}

func (c *texts) size() int64 { return int64(len(c.bytes)) + 4*int64(len(c.offsets)) }

func (c *texts) build(alloc memory.Allocator) *array.Data {
	data := c.data(alloc, nil, arrow.Int32Traits.CastToBytes(c.offsets), c.bytes)
	c.clear()
	c.offsets, c.bytes = c.offsets[:1], c.bytes[:0]
	return data
}
