package binaryrow

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// Values gives one cell of a canonical Arrow column as a metadata value, nil
// for null. Nothing returned shares memory with the column. It is meant for
// metadata, a few cells at a time; rows in bulk go through Encoder.
func Values(t schema.Type, col arrow.Array, row int) (any, error) {
	if row < 0 || row >= col.Len() {
		return nil, fault.Invalid(fmt.Sprintf("row %d of a column of %d rows", row, col.Len()))
	}
	if col.IsNull(row) {
		return nil, nil
	}
	c, err := openColumn(t, col)
	if err != nil {
		return nil, err
	}
	switch t.Kind {
	case schema.Boolean:
		return c.bools.Value(row), nil
	case schema.TinyInt:
		return c.i8[row], nil
	case schema.SmallInt:
		return c.i16[row], nil
	case schema.Int, schema.Date, schema.Time:
		return c.i32[row], nil
	case schema.BigInt:
		return c.i64[row], nil
	case schema.Float:
		return c.f32[row], nil
	case schema.Double:
		return c.f64[row], nil
	case schema.Decimal:
		return c.dec[row], nil
	case schema.Timestamp, schema.TimestampLTZ:
		return splitTimestamp(c.i64[row], t.Precision), nil
	case schema.Char, schema.VarChar:
		return string(append([]byte(nil), c.text.Value(row)...)), nil
	}
	return append([]byte{}, c.binary.Value(row)...), nil
}
