package datafile

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/schema"
)

// Avro files hold no statistics, so those of the manifest are gathered from
// the rows, as Paimon does: bounds of all scalars but binaries, and the nulls
// of every column.

// columnSpan is the range of one column.
type columnSpan interface {
	add(arr arrow.Array)
	bounds(t schema.Type) (lo, hi any)
}

// avroStats gathers the statistics of one column.
type avroStats struct {
	typ   schema.Type
	span  columnSpan // nil: no bounds
	nulls int64
}

func newAvroStats(t schema.Type) *avroStats {
	s := &avroStats{typ: t}
	switch t.Kind {
	case schema.Boolean:
		s.span = &booleanSpan{}
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt, schema.Date, schema.Time, schema.Timestamp, schema.TimestampLTZ:
		s.span = &integerSpan{}
	case schema.Float:
		s.span = &floatSpan[float32]{}
	case schema.Double:
		s.span = &floatSpan[float64]{}
	case schema.Char, schema.VarChar:
		s.span = &textSpan{}
	case schema.Decimal:
		s.span = &numberSpan{}
	}
	return s
}

func (s *avroStats) add(arr arrow.Array) {
	s.nulls += int64(arr.NullN())
	if s.span != nil && arr.NullN() < arr.Len() {
		s.span.add(arr)
	}
}

func (s *avroStats) result() ColumnStats {
	c := ColumnStats{Nulls: s.nulls}
	if s.span != nil {
		c.Min, c.Max = s.span.bounds(s.typ)
	}
	return c
}

// runs calls add with each stretch of values that are not null.
func runs[T any](arr arrow.Array, values []T, add func([]T)) {
	if arr.NullN() == 0 {
		add(values)
		return
	}
	for from := 0; from < len(values); {
		to := from
		for to < len(values) && arr.IsValid(to) {
			to++
		}
		if to > from {
			add(values[from:to])
		}
		from = to + 1
	}
}

type floatSpan[T float32 | float64] struct{ s span[T] }

func (f *floatSpan[T]) add(arr arrow.Array) {
	switch a := arr.(type) {
	case interface{ Values() []T }:
		runs(arr, a.Values(), f.s.add)
	}
}

func (f *floatSpan[T]) bounds(t schema.Type) (lo, hi any) { return f.s.values(t) }

type integerSpan struct{ s span[int64] }

func (i *integerSpan) add(arr arrow.Array) {
	switch a := arr.(type) {
	case *array.Int8:
		runs(arr, a.Values(), func(v []int8) { addAll(i, v, 1) })
	case *array.Int16:
		runs(arr, a.Values(), func(v []int16) { addAll(i, v, 1) })
	case *array.Int32:
		runs(arr, a.Values(), func(v []int32) { addAll(i, v, 1) })
	case *array.Date32:
		runs(arr, a.Values(), func(v []arrow.Date32) { addAll(i, v, 1) })
	case *array.Time32:
		runs(arr, a.Values(), func(v []arrow.Time32) { addAll(i, v, 1) })
	case *array.Int64:
		runs(arr, a.Values(), i.s.add)
	case *array.Timestamp:
		scale := int64(1)
		if a.DataType().(*arrow.TimestampType).Unit == arrow.Second {
			scale = 1000
		}
		runs(arr, a.Values(), func(v []arrow.Timestamp) { addAll(i, v, scale) })
	}
}

func addAll[T ~int8 | ~int16 | ~int32 | ~int64](i *integerSpan, values []T, scale int64) {
	lo, hi := values[0], values[0]
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	i.s.add([]int64{int64(lo) * scale, int64(hi) * scale})
}

func (i *integerSpan) bounds(t schema.Type) (lo, hi any) { return i.s.values(t) }

type booleanSpan struct{ no, yes bool }

func (b *booleanSpan) add(arr arrow.Array) {
	a := arr.(*array.Boolean)
	for row := range a.Len() {
		if a.IsValid(row) {
			b.no, b.yes = b.no || !a.Value(row), b.yes || a.Value(row)
		}
	}
}

func (b *booleanSpan) bounds(schema.Type) (lo, hi any) {
	if !b.no && !b.yes {
		return nil, nil
	}
	return !b.no, b.yes
}

type textSpan struct{ s bytesSpan }

func (x *textSpan) add(arr arrow.Array) {
	a := arr.(*array.String)
	offsets := a.ValueOffsets()
	data := a.ValueBytes()
	for row := range a.Len() {
		if a.IsValid(row) {
			x.s.add(data[offsets[row]-offsets[0] : offsets[row+1]-offsets[0]])
		}
	}
}

func (x *textSpan) bounds(schema.Type) (lo, hi any) {
	if !x.s.has {
		return nil, nil
	}
	return string(x.s.min), string(x.s.max)
}

type numberSpan struct{ s decimalSpan }

func (n *numberSpan) add(arr arrow.Array) {
	a := arr.(*array.Decimal128)
	for row, v := range a.Values() {
		if a.IsValid(row) {
			n.s.add(v)
		}
	}
}

func (n *numberSpan) bounds(schema.Type) (lo, hi any) {
	if !n.s.has {
		return nil, nil
	}
	return n.s.min, n.s.max
}
