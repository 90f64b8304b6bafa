package schema

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/tidelake/tidelake/internal/fault"
)

// FromArrow is the type that holds values of an Arrow type, for tables made from
// data. Unsigned integers take the next wider type, UINT64 a DECIMAL(20, 0);
// times finer than a millisecond become TIME(3), as TIME stores no more;
// dictionaries take their value type. ROW members have the id NoID. Arrow types without a counterpart (durations, intervals, unions, null)
// are invalid input.
func FromArrow(dt arrow.DataType, nullable bool) (Type, error) {
	t, err := fromArrow(dt, 1)
	t.Nullable = nullable
	return t, err
}

func fromArrow(dt arrow.DataType, depth int) (Type, error) {
	if dt == nil || depth > MaxDepth {
		return Type{}, fault.Invalid("an Arrow type is missing or nests too deep")
	}
	switch v := dt.(type) {
	case arrow.DecimalType:
		return decimalFromArrow(dt, v)
	case *arrow.TimestampType:
		kind := Timestamp
		if v.TimeZone != "" {
			kind = TimestampLTZ
		}
		return Type{Kind: kind, Precision: unitDigits(v.Unit)}, nil
	case *arrow.Time32Type:
		return Type{Kind: Time, Precision: unitDigits(v.Unit)}, nil
	case *arrow.Time64Type:
		return Type{Kind: Time, Precision: 3}, nil
	case *arrow.FixedSizeBinaryType:
		if v.ByteWidth < 1 {
			return Type{}, noCounterpart(dt, "drop the column")
		}
		return Type{Kind: Binary, Length: v.ByteWidth}, nil
	case *arrow.DictionaryType:
		return fromArrow(v.ValueType, depth+1)
	case *arrow.RunEndEncodedType:
		return fromArrow(v.Encoded(), depth+1)
	case arrow.ExtensionType:
		return fromArrow(v.StorageType(), depth+1)
	case *arrow.StructType:
		return rowFromArrow(v, depth)
	case *arrow.MapType:
		return mapFromArrow(v, depth)
	case arrow.ListLikeType:
		field := v.ElemField()
		elem, err := fromArrow(field.Type, depth+1)
		elem.Nullable = field.Nullable
		return Type{Kind: Array, Elem: &elem}, err
	}
	return scalarFromArrow(dt)
}

func scalarFromArrow(dt arrow.DataType) (Type, error) {
	switch dt.ID() {
	case arrow.BOOL:
		return Type{Kind: Boolean}, nil
	case arrow.INT8:
		return Type{Kind: TinyInt}, nil
	case arrow.INT16, arrow.UINT8:
		return Type{Kind: SmallInt}, nil
	case arrow.INT32, arrow.UINT16:
		return Type{Kind: Int}, nil
	case arrow.INT64, arrow.UINT32:
		return Type{Kind: BigInt}, nil
	case arrow.UINT64:
		return Type{Kind: Decimal, Precision: 20}, nil
	case arrow.FLOAT16, arrow.FLOAT32:
		return Type{Kind: Float}, nil
	case arrow.FLOAT64:
		return Type{Kind: Double}, nil
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return Type{Kind: VarChar, Length: MaxLength}, nil
	case arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW:
		return Type{Kind: VarBinary, Length: MaxLength}, nil
	case arrow.DATE32, arrow.DATE64:
		return Type{Kind: Date}, nil
	}
	return Type{}, noCounterpart(dt, "cast or drop the column")
}

func noCounterpart(dt arrow.DataType, hint string) error {
	return &fault.Error{Class: fault.ErrInvalid, Detail: "Arrow type " + dt.String() + " has no counterpart", Hint: hint}
}

func decimalFromArrow(dt arrow.DataType, v arrow.DecimalType) (Type, error) {
	p, s := int(v.GetPrecision()), int(v.GetScale())
	if p < 1 || p > MaxDecimalPrecision || s < 0 || s > p {
		return Type{}, noCounterpart(dt, fmt.Sprintf("DECIMAL takes precision 1 to %d and scale 0 to precision", MaxDecimalPrecision))
	}
	return Type{Kind: Decimal, Precision: p, Scale: s}, nil
}

func unitDigits(u arrow.TimeUnit) int {
	switch u {
	case arrow.Second:
		return 0
	case arrow.Millisecond:
		return 3
	case arrow.Microsecond:
		return 6
	}
	return 9
}

func rowFromArrow(v *arrow.StructType, depth int) (Type, error) {
	t := Type{Kind: Row, Fields: []Field{}}
	for _, f := range v.Fields() {
		ft, err := fromArrow(f.Type, depth+1)
		if err != nil {
			return t, fmt.Errorf("member %q: %w", f.Name, err)
		}
		ft.Nullable = f.Nullable
		t.Fields = append(t.Fields, Field{ID: NoID, Name: f.Name, Type: ft})
	}
	return t, nil
}

// mapFromArrow makes keys nullable in the grammar, as MAP<STRING, INT> is; Arrow
// keys never are null.
func mapFromArrow(v *arrow.MapType, depth int) (Type, error) {
	key, err := fromArrow(v.KeyType(), depth+1)
	if err != nil {
		return Type{}, fmt.Errorf("map key: %w", err)
	}
	key.Nullable = true
	value, err := fromArrow(v.ItemField().Type, depth+1)
	if err != nil {
		return Type{}, fmt.Errorf("map value: %w", err)
	}
	value.Nullable = v.ItemField().Nullable
	return Type{Kind: Map, Key: &key, Elem: &value}, nil
}
