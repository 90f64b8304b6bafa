package cast

import (
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// toText prints. Bytes and nested values keep their length whatever the type says.
func (c caster) toText(col arrow.Array) func(i int) ([]byte, verdict) {
	show := c.printer(c.from, col)
	k := c.from.Kind
	fit := k != schema.Binary && k != schema.VarBinary && !k.Nested()
	var buf []byte
	return func(i int) ([]byte, verdict) {
		buf = show(buf[:0], i)
		if fit {
			buf = fitText(buf, c.to)
		}
		return buf, value
	}
}

func fitText(b []byte, t schema.Type) []byte {
	if t.Length >= len(b) && t.Kind == schema.VarChar {
		return b // a character has at least one byte
	}
	chars := 0
	for at := 0; at < len(b); chars++ {
		if chars == t.Length {
			return b[:at]
		}
		_, n := utf8.DecodeRune(b[at:])
		at += n
	}
	if t.Kind == schema.Char {
		for ; chars < t.Length; chars++ {
			b = append(b, ' ')
		}
	}
	return b
}

func (c caster) toBytes(col arrow.Array) func(i int) ([]byte, verdict) {
	var at func(i int) []byte
	switch a := col.(type) {
	case *array.String:
		at = func(i int) []byte { return []byte(a.Value(i)) }
	case *array.Binary:
		at = a.Value
	}
	return sure(func(i int) []byte {
		b := at(i)
		switch {
		case len(b) > c.to.Length:
			return b[:c.to.Length]
		case len(b) < c.to.Length && c.to.Kind == schema.Binary:
			return append(b[:len(b):len(b)], make([]byte, c.to.Length-len(b))...)
		}
		return b
	})
}

// printer appends the text of the value at i, which is not null.
func (c caster) printer(t schema.Type, col arrow.Array) func(dst []byte, i int) []byte {
	switch a := col.(type) {
	case *array.String:
		return func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) }
	case *array.Binary:
		return func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) }
	case *array.Boolean:
		return func(dst []byte, i int) []byte { return strconv.AppendBool(dst, a.Value(i)) }
	case *array.Float32:
		return func(dst []byte, i int) []byte { return append(dst, literal.JavaFloat(float64(a.Value(i)), 32)...) }
	case *array.Float64:
		return func(dst []byte, i int) []byte { return append(dst, literal.JavaFloat(a.Value(i), 64)...) }
	case *array.Decimal128:
		return func(dst []byte, i int) []byte { return literal.AppendDecimal(dst, a.Value(i), t.Scale) }
	case *array.Date32:
		return func(dst []byte, i int) []byte { return appendDate(dst, int64(a.Value(i))) }
	case *array.Time32:
		return func(dst []byte, i int) []byte { return appendTime(dst, int(a.Value(i)), t.Precision) }
	case *array.Timestamp:
		return func(dst []byte, i int) []byte {
			v := literal.FromUnits(int64(a.Value(i)), t.Precision)
			if t.Kind == schema.TimestampLTZ {
				v = c.wall(v)
			}
			return appendTimestamp(dst, v, t.Precision)
		}
	case *array.Map:
		return c.mapPrinter(t, a)
	case *array.List:
		elem := orNull(c.printer(*t.Elem, a.ListValues()), a.ListValues())
		return func(dst []byte, i int) []byte {
			from, to := a.ValueOffsets(i)
			return bracketed(dst, '[', ']', int(from), int(to), elem)
		}
	case *array.Struct:
		return c.rowPrinter(t, a)
	}
	at := integers(col)
	return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, at(i), 10) }
}

func orNull(show func([]byte, int) []byte, col arrow.Array) func([]byte, int) []byte {
	return func(dst []byte, i int) []byte {
		if col.IsNull(i) {
			return append(dst, "null"...)
		}
		return show(dst, i)
	}
}

func bracketed(dst []byte, open, end byte, from, to int, show func([]byte, int) []byte) []byte {
	dst = append(dst, open)
	for i := from; i < to; i++ {
		if i > from {
			dst = append(dst, ", "...)
		}
		dst = show(dst, i)
	}
	return append(dst, end)
}

func (c caster) mapPrinter(t schema.Type, m *array.Map) func(dst []byte, i int) []byte {
	// Not Keys and Items, which do not see where a slice of entries begins.
	entries := m.ListValues().(*array.Struct)
	key := orNull(c.printer(*t.Key, entries.Field(0)), entries.Field(0))
	val := orNull(c.printer(*t.Elem, entries.Field(1)), entries.Field(1))
	pair := func(dst []byte, i int) []byte { return val(append(key(dst, i), " -> "...), i) }
	return func(dst []byte, i int) []byte {
		from, to := m.ValueOffsets(i)
		return bracketed(dst, '{', '}', int(from), int(to), pair)
	}
}

func (c caster) rowPrinter(t schema.Type, s *array.Struct) func(dst []byte, i int) []byte {
	members := make([]func([]byte, int) []byte, len(t.Fields))
	for i, f := range t.Fields {
		members[i] = orNull(c.printer(f.Type, s.Field(i)), s.Field(i))
	}
	return func(dst []byte, row int) []byte {
		return bracketed(dst, '{', '}', 0, len(members), func(dst []byte, i int) []byte { return members[i](dst, row) })
	}
}

// appendDate prints four digits of the year, as Paimon does, even where it has more.
func appendDate(dst []byte, days int64) []byte {
	year, month, day := literal.DateOf(days)
	for _, unit := range []int{1000, 100, 10, 1} {
		dst = append(dst, byte('0'+year/unit%10))
	}
	return appendTwo(append(appendTwo(append(dst, '-'), month), '-'), day)
}

func appendTwo(dst []byte, v int) []byte { return append(dst, byte('0'+v/10%10), byte('0'+v%10)) }

func appendClock(dst []byte, seconds int) []byte {
	dst = append(appendTwo(dst, seconds/3600), ':')
	dst = append(appendTwo(dst, seconds/60%60), ':')
	return appendTwo(dst, seconds%60)
}

// appendTime prints the fraction as far as it is not zero, but one digit at least.
func appendTime(dst []byte, millis, precision int) []byte {
	for millis < 0 {
		millis += dayMillis
	}
	dst = appendClock(dst, millis/1000)
	if precision == 0 {
		return dst
	}
	dst = append(dst, '.')
	for ms := millis % 1000; precision > 0; precision-- {
		dst = append(dst, byte('0'+ms/100))
		if ms = ms % 100 * 10; ms == 0 {
			break
		}
	}
	return dst
}

func appendTimestamp(dst []byte, v schema.TimestampValue, precision int) []byte {
	days := floorDiv(v.Millis, dayMillis)
	millis := int(v.Millis - days*dayMillis)
	dst = appendClock(append(appendDate(dst, days), ' '), millis/1000)
	digits := strconv.Itoa(1_000_000_000 + millis%1000*1_000_000 + int(v.Nanos))[1:]
	for len(digits) > precision && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if digits == "" {
		return dst
	}
	return append(append(dst, '.'), digits...)
}
