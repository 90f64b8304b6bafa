package schema

import (
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/tidelake/tidelake/internal/fault"
)

func TestEachTypeHasOneArrowType(t *testing.T) {
	for text, want := range map[string]string{
		"CHAR(3)": "utf8", "VARCHAR(9)": "utf8", "STRING": "utf8", "BINARY(2)": "binary", "VARBINARY(2)": "binary", "BYTES": "binary",
		"BOOLEAN": "bool", "TINYINT": "int8", "SMALLINT": "int16", "INT": "int32", "BIGINT": "int64", "FLOAT": "float32", "DOUBLE": "float64",
		"DECIMAL(38, 10)": "decimal(38, 10)", "DATE": "date32", "TIME(9)": "time32[ms]",
		"TIMESTAMP(0)": "timestamp[s]", "TIMESTAMP(1)": "timestamp[ms]", "TIMESTAMP(3)": "timestamp[ms]", "TIMESTAMP(4)": "timestamp[us]",
		"TIMESTAMP(6)": "timestamp[us]", "TIMESTAMP(7)": "timestamp[ns]", "TIMESTAMP_LTZ(9)": "timestamp[ns, tz=UTC]",
		"ARRAY<INT>":                           "list<element: int32, nullable>",
		"ARRAY<INT NOT NULL>":                  "list<element: int32>",
		"MAP<STRING, BIGINT>":                  "map<utf8, int64, items_nullable>",
		"MAP<STRING, BIGINT NOT NULL>":         "map<utf8, int64, items_non_nullable>",
		"MULTISET<STRING>":                     "map<utf8, int32, items_non_nullable>",
		"ROW<x INT, y ARRAY<STRING> NOT NULL>": "struct<x: int32 nullable, y: list<element: utf8, nullable>>",
	} {
		dt, err := ArrowType(mustType(t, text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if dt.String() != want {
			t.Errorf("%s: got %s, want %s", text, dt, want)
		}
	}
	m, _ := ArrowType(mustType(t, "MAP<STRING, INT>"))
	mt := m.(*arrow.MapType)
	if mt.KeyField().Name != "key" || mt.KeyField().Nullable || mt.ItemField().Name != "value" || !mt.ItemField().Nullable {
		t.Errorf("%+v %+v", mt.KeyField(), mt.ItemField())
	}
	s, err := ArrowSchema([]Field{{Name: "a", Type: Type{Kind: Int}}, {Name: "b", Type: Type{Kind: Int, Nullable: true}}})
	if err != nil || s.Field(0).Nullable || !s.Field(1).Nullable {
		t.Errorf("%v %v", s, err)
	}
	for _, bad := range []Type{{}, {Kind: Array}, {Kind: Map}, {Kind: Decimal}, {Kind: Row}, {Kind: 99}} {
		if _, err := ArrowType(bad); err == nil {
			t.Errorf("%v has an Arrow type", bad)
		}
	}
}

func TestTypesSurviveTheWayThroughArrow(t *testing.T) {
	for _, text := range []string{
		"STRING", "BYTES", "BOOLEAN NOT NULL", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(20, 3)", "DATE", "TIME(3)",
		"TIMESTAMP(0)", "TIMESTAMP(3)", "TIMESTAMP(6)", "TIMESTAMP(9) WITH LOCAL TIME ZONE", "ARRAY<INT NOT NULL>",
		"MAP<STRING, ROW<`x` INT NOT NULL>> NOT NULL", "ROW<`a` INT, `b` ARRAY<STRING>>",
	} {
		want := mustType(t, text)
		dt, err := ArrowType(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromArrow(dt, want.Nullable)
		if err != nil || got.String() != text {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
}

func TestForeignArrowTypes(t *testing.T) {
	for want, dt := range map[string]arrow.DataType{
		"SMALLINT":       arrow.PrimitiveTypes.Uint8,
		"INT":            arrow.PrimitiveTypes.Uint16,
		"BIGINT":         arrow.PrimitiveTypes.Uint32,
		"DECIMAL(20, 0)": arrow.PrimitiveTypes.Uint64,
		"STRING":         &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.LargeString},
		"BYTES":          arrow.BinaryTypes.BinaryView,
		"BINARY(5)":      &arrow.FixedSizeBinaryType{ByteWidth: 5},
		"DATE":           arrow.FixedWidthTypes.Date64,
		"TIME(3)":        arrow.FixedWidthTypes.Time64us,
		"ARRAY<FLOAT>":   arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32),
		"DECIMAL(9, 2)":  &arrow.Decimal256Type{Precision: 9, Scale: 2},
		"ARRAY<BIGINT>":  arrow.LargeListOf(arrow.PrimitiveTypes.Int64),
	} {
		got, err := FromArrow(dt, true)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v", dt, got, err)
		}
	}
	for _, dt := range []arrow.DataType{nil, arrow.Null, arrow.FixedWidthTypes.Duration_s, &arrow.Decimal256Type{Precision: 60}, arrow.FixedWidthTypes.MonthInterval} {
		if _, err := FromArrow(dt, true); !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%v: %v", dt, err)
		}
	}
}
