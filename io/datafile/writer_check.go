package datafile

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// checkBatch says how a batch differs from what the fields ask for.
func checkBatch(fields []schema.Field, got *arrow.Schema) error {
	if got.NumFields() != len(fields) {
		return fault.Invalid(fmt.Sprintf("the batch has %d columns, the file %d", got.NumFields(), len(fields)))
	}
	for i, f := range fields {
		g := got.Field(i)
		if g.Name != f.Name {
			return fault.Invalid(fmt.Sprintf("column %d of the batch is %q, the file has %q there", i, g.Name, f.Name))
		}
		if err := checkArrow(f.Name, f.Type, g.Type); err != nil {
			return err
		}
	}
	return nil
}

// checkArrow compares with the one Arrow type that stands for t. Names and
// nullability of children of lists and maps are free.
func checkArrow(name string, t schema.Type, got arrow.DataType) error {
	wrong := func(want string) error {
		return fault.Invalid(fmt.Sprintf("column %s: the batch has arrow type %s, the file needs %s; convert the batch first", name, got, want))
	}
	switch t.Kind {
	case schema.Array:
		l, ok := got.(*arrow.ListType)
		if !ok {
			return wrong("list")
		}
		return checkArrow(name+".element", *t.Elem, l.Elem())
	case schema.Map, schema.Multiset:
		m, ok := got.(*arrow.MapType)
		if !ok {
			return wrong("map")
		}
		parts := childTypes(t)
		if err := checkArrow(name+".key", parts[0], m.KeyType()); err != nil {
			return err
		}
		return checkArrow(name+".value", parts[1], m.ItemType())
	case schema.Row:
		s, ok := got.(*arrow.StructType)
		if !ok || s.NumFields() != len(t.Fields) {
			return wrong(fmt.Sprintf("struct of %d members", len(t.Fields)))
		}
		for i, f := range t.Fields {
			if s.Field(i).Name != f.Name {
				return wrong(fmt.Sprintf("member %d to be %q", i, f.Name))
			}
			if err := checkArrow(name+"."+f.Name, f.Type, s.Field(i).Type); err != nil {
				return err
			}
		}
		return nil
	}
	if want := scalarArrow(t); want == nil || !sameScalar(want, got) {
		return wrong(fmt.Sprint(want))
	}
	return nil
}

func sameScalar(want, got arrow.DataType) bool {
	if w, ok := want.(*arrow.TimestampType); ok {
		g, ok := got.(*arrow.TimestampType)
		return ok && g.Unit == w.Unit && (g.TimeZone == "") == (w.TimeZone == "")
	}
	return arrow.TypeEqual(want, got)
}

// scalarArrow is the Arrow type of a scalar, nil for what is none.
func scalarArrow(t schema.Type) arrow.DataType {
	switch t.Kind {
	case schema.Char, schema.VarChar:
		return arrow.BinaryTypes.String
	case schema.Binary, schema.VarBinary:
		return arrow.BinaryTypes.Binary
	case schema.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case schema.TinyInt:
		return arrow.PrimitiveTypes.Int8
	case schema.SmallInt:
		return arrow.PrimitiveTypes.Int16
	case schema.Int:
		return arrow.PrimitiveTypes.Int32
	case schema.BigInt:
		return arrow.PrimitiveTypes.Int64
	case schema.Float:
		return arrow.PrimitiveTypes.Float32
	case schema.Double:
		return arrow.PrimitiveTypes.Float64
	case schema.Date:
		return arrow.FixedWidthTypes.Date32
	case schema.Time:
		return arrow.FixedWidthTypes.Time32ms
	case schema.Decimal:
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}
	case schema.Timestamp:
		return &arrow.TimestampType{Unit: timestampUnit(t.Precision)}
	case schema.TimestampLTZ:
		return &arrow.TimestampType{Unit: timestampUnit(t.Precision), TimeZone: "UTC"}
	}
	return nil
}

func timestampUnit(precision int) arrow.TimeUnit {
	switch {
	case precision == 0:
		return arrow.Second
	case precision <= 3:
		return arrow.Millisecond
	case precision <= 6:
		return arrow.Microsecond
	}
	return arrow.Nanosecond
}
