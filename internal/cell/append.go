package cell

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
)

// Append copies the cells from up to but without to of a into b, a builder of
// a's type. The error is [vector.ErrTooLarge] when the texts or elements of
// the new array do not fit in it.
func Append(b array.Builder, a arrow.Array, from, to int) error {
	switch x := a.(type) {
	case *array.Int8:
		appendFixed(b.(*array.Int8Builder), x, x.Values(), from, to)
	case *array.Int16:
		appendFixed(b.(*array.Int16Builder), x, x.Values(), from, to)
	case *array.Int32:
		appendFixed(b.(*array.Int32Builder), x, x.Values(), from, to)
	case *array.Int64:
		appendFixed(b.(*array.Int64Builder), x, x.Values(), from, to)
	case *array.Float32:
		appendFixed(b.(*array.Float32Builder), x, x.Values(), from, to)
	case *array.Float64:
		appendFixed(b.(*array.Float64Builder), x, x.Values(), from, to)
	case *array.Decimal128:
		appendFixed(b.(*array.Decimal128Builder), x, x.Values(), from, to)
	case *array.Date32:
		appendFixed(b.(*array.Date32Builder), x, x.Values(), from, to)
	case *array.Time32:
		appendFixed(b.(*array.Time32Builder), x, x.Values(), from, to)
	case *array.Timestamp:
		appendFixed(b.(*array.TimestampBuilder), x, x.TimestampValues(), from, to)
	default:
		return appendOther(b, a, from, to)
	}
	return nil
}

type fixedBuilder[T any] interface {
	AppendNull()
	AppendValues(v []T, valid []bool)
}

// appendFixed copies stretches between nulls.
func appendFixed[T any](b fixedBuilder[T], a arrow.Array, values []T, from, to int) {
	if a.NullN() == 0 {
		b.AppendValues(values[from:to], nil)
		return
	}
	for from < to {
		end := from
		for end < to && a.IsValid(end) {
			end++
		}
		b.AppendValues(values[from:end], nil)
		for from = end; from < to && a.IsNull(from); from++ {
			b.AppendNull()
		}
	}
}

func appendOther(b array.Builder, a arrow.Array, from, to int) error {
	for i := from; i < to; i++ {
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		var err error
		switch x := a.(type) {
		case *array.Boolean:
			b.(*array.BooleanBuilder).Append(x.Value(i))
		case *array.String:
			err = AppendBytes(b.(*array.StringBuilder).BinaryBuilder, TextBytes(x, i))
		case *array.Binary:
			err = AppendBytes(b.(*array.BinaryBuilder), x.Value(i))
		default:
			err = appendNested(b, a, i)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TextBytes is text i of a without a copy: borrowed from a.
func TextBytes(a *array.String, i int) []byte {
	n := len(a.Value(i))
	if n == 0 {
		return nil
	}
	from := a.ValueOffset(i)
	return a.Data().Buffers()[2].Bytes()[from : from+n]
}

// AppendBytes appends one text or binary value, or refuses to as Append does.
func AppendBytes(b *array.BinaryBuilder, v []byte) error {
	if err := fits(b.DataLen(), len(v)); err != nil {
		return err
	}
	b.Append(v)
	return nil
}

func fits(have, more int) error {
	if have+more > vector.MaxCells {
		return vector.ErrTooLarge
	}
	return nil
}

func appendNested(b array.Builder, a arrow.Array, i int) error {
	switch x := a.(type) {
	case *array.Struct:
		out := b.(*array.StructBuilder)
		out.Append(true)
		for f := range x.NumField() {
			if err := Append(out.FieldBuilder(f), x.Field(f), i, i+1); err != nil {
				return err
			}
		}
		return nil
	case *array.List:
		e, from, to := Elements(x, i)
		return AppendList(b, []Range{{e, from, to}})
	case *array.Map:
		e, from, to := Elements(x, i)
		return AppendList(b, []Range{{e, from, to}})
	}
	return fault.Invalid("column of Arrow type " + a.DataType().String() + ": not a canonical type of any table column")
}

// Range is a stretch of cells of one array: from up to but without to.
type Range struct {
	Array    arrow.Array
	From, To int
}

// AppendList appends one list or map that is made of the elements of parts.
func AppendList(b array.Builder, parts []Range) error {
	n := 0
	for _, p := range parts {
		n += p.To - p.From
	}
	switch out := b.(type) {
	case *array.ListBuilder:
		if err := fits(out.ValueBuilder().Len(), n); err != nil {
			return err
		}
		out.Append(true)
		for _, p := range parts {
			if err := Append(out.ValueBuilder(), p.Array, p.From, p.To); err != nil {
				return err
			}
		}
	case *array.MapBuilder:
		if err := fits(out.KeyBuilder().Len(), n); err != nil {
			return err
		}
		out.Append(true)
		for _, p := range parts {
			entries := p.Array.(*array.Struct)
			if err := Append(out.KeyBuilder(), entries.Field(0), p.From, p.To); err != nil {
				return err
			}
			if err := Append(out.ItemBuilder(), entries.Field(1), p.From, p.To); err != nil {
				return err
			}
		}
	default:
		return fault.Invalid("a list for a builder of Arrow type " + b.Type().String())
	}
	return nil
}
