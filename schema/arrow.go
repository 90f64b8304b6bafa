package schema

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/tidelake/tidelake/internal/fault"
)

// ArrowType is the one Arrow type that carries values of t: utf8 for CHAR and
// VARCHAR, binary, decimal128, date32, time32[ms], timestamps in s, ms, µs or ns
// by precision 0, 1–3, 4–6, 7–9 (TIMESTAMP_LTZ with the zone UTC), list, map and
// struct, and map<T, int32> for MULTISET. VARIANT, BLOB and VECTOR are refused.
func ArrowType(t Type) (arrow.DataType, error) {
	if err := checkType(t, 1); err != nil {
		return nil, err
	}
	return arrowType(t)
}

func arrowType(t Type) (arrow.DataType, error) {
	switch t.Kind {
	case Char, VarChar:
		return arrow.BinaryTypes.String, nil
	case Binary, VarBinary:
		return arrow.BinaryTypes.Binary, nil
	case Boolean:
		return arrow.FixedWidthTypes.Boolean, nil
	case Decimal:
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}, nil
	case TinyInt:
		return arrow.PrimitiveTypes.Int8, nil
	case SmallInt:
		return arrow.PrimitiveTypes.Int16, nil
	case Int:
		return arrow.PrimitiveTypes.Int32, nil
	case BigInt:
		return arrow.PrimitiveTypes.Int64, nil
	case Float:
		return arrow.PrimitiveTypes.Float32, nil
	case Double:
		return arrow.PrimitiveTypes.Float64, nil
	case Date:
		return arrow.FixedWidthTypes.Date32, nil
	case Time:
		return arrow.FixedWidthTypes.Time32ms, nil
	case Timestamp:
		return &arrow.TimestampType{Unit: TimestampUnit(t.Precision)}, nil
	case TimestampLTZ:
		return &arrow.TimestampType{Unit: TimestampUnit(t.Precision), TimeZone: "UTC"}, nil
	case Array, Map, Multiset, Row:
		return arrowNested(t)
	}
	return nil, refusedType(t)
}

func arrowNested(t Type) (arrow.DataType, error) {
	if t.Kind == Row {
		fields, err := arrowFields(t.Fields)
		if err != nil {
			return nil, err
		}
		return arrow.StructOf(fields...), nil
	}
	elem, err := arrowType(*t.Elem)
	if err != nil {
		return nil, err
	}
	switch t.Kind {
	case Array:
		return arrow.ListOfField(arrow.Field{Name: "element", Type: elem, Nullable: t.Elem.Nullable}), nil
	case Multiset:
		return mapOf(elem, arrow.PrimitiveTypes.Int32, false), nil
	}
	key, err := arrowType(*t.Key)
	if err != nil {
		return nil, err
	}
	return mapOf(key, elem, t.Elem.Nullable), nil
}

func mapOf(key, value arrow.DataType, nullable bool) arrow.DataType {
	return arrow.MapOfFields(arrow.Field{Name: "key", Type: key}, arrow.Field{Name: "value", Type: value, Nullable: nullable})
}

// TimestampUnit is the Arrow unit of timestamps with that many fraction digits.
func TimestampUnit(precision int) arrow.TimeUnit {
	switch {
	case precision <= 0:
		return arrow.Second
	case precision <= 3:
		return arrow.Millisecond
	case precision <= 6:
		return arrow.Microsecond
	}
	return arrow.Nanosecond
}

// ArrowField is the column as an Arrow field: name, type, nullability.
func ArrowField(f Field) (arrow.Field, error) {
	dt, err := ArrowType(f.Type)
	if err != nil {
		return arrow.Field{}, fmt.Errorf("column %s: %w", strconv.Quote(f.Name), err)
	}
	return arrow.Field{Name: f.Name, Type: dt, Nullable: f.Type.Nullable}, nil
}

func arrowFields(fields []Field) ([]arrow.Field, error) {
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		dt, err := arrowType(f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", strconv.Quote(f.Name), err)
		}
		out[i] = arrow.Field{Name: f.Name, Type: dt, Nullable: f.Type.Nullable}
	}
	return out, nil
}

// ArrowSchema is the schema of record batches with these columns, in order.
func ArrowSchema(fields []Field) (*arrow.Schema, error) {
	out := make([]arrow.Field, len(fields))
	for i, f := range fields {
		field, err := ArrowField(f)
		if err != nil {
			return nil, err
		}
		out[i] = field
	}
	return arrow.NewSchema(out, nil), nil
}

func refusedType(t Type) error {
	return fault.Unsupported("type "+t.Kind.String(), "leave the column out, or read and write the table with Paimon")
}
