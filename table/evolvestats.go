package table

import (
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// throughSchema makes statistics of a file's columns, as its own schema names
// and types them, into statistics of today's columns. A column that the file
// does not have is null in every row. Where the type changed, the bounds count
// only if the cast keeps every value and their order; else nothing is known,
// since a cast may wrap, cut or lose a value.
func throughSchema(today *schema.Table, own []schema.Field, stats predicate.Stats, rows int64) predicate.Stats {
	return func(name string) (any, any, int64, bool) {
		want, known := today.Field(name)
		if !known {
			return nil, nil, -1, false
		}
		have, ok := byID(own, want.ID)
		if !ok {
			return nil, nil, rows, true
		}
		if !keepsOrder(have.Type, want.Type) {
			return nil, nil, -1, false
		}
		least, greatest, nulls, ok := stats(have.Name)
		return widened(least, have.Type, want.Type), widened(greatest, have.Type, want.Type), nulls, ok
	}
}

// keepsOrder tells of casts that lose no value and make none null.
func keepsOrder(from, to schema.Type) bool {
	switch {
	case from.EqualIgnoringNullability(to):
		return true
	case to.Kind >= schema.SmallInt && to.Kind <= schema.BigInt:
		return from.Kind >= schema.TinyInt && from.Kind <= to.Kind
	case to.Kind == schema.Decimal:
		return from.Kind == to.Kind && from.Scale <= to.Scale && from.Precision-from.Scale <= to.Precision-to.Scale
	case to.Kind == schema.VarChar:
		return from.Kind == to.Kind && from.Length <= to.Length // bounds of a CHAR may be padded
	case to.Kind == schema.VarBinary:
		return from.Kind == to.Kind && from.Length <= to.Length
	case to.Kind == schema.Timestamp || to.Kind == schema.TimestampLTZ:
		return from.Kind == to.Kind && from.Precision <= to.Precision
	}
	return false
}

// widened is a bound as a value of the wider type, nil when it is unknown.
func widened(v any, from, to schema.Type) any {
	switch x := v.(type) {
	case int8:
		return wider(int64(x), to.Kind)
	case int16:
		return wider(int64(x), to.Kind)
	case int32:
		if from.Kind == schema.Int {
			return wider(int64(x), to.Kind)
		}
	case decimal128.Num:
		if up := to.Scale - from.Scale; up > 0 {
			return x.IncreaseScaleBy(int32(up))
		}
	}
	return v
}

func wider(v int64, k schema.Kind) any {
	switch k {
	case schema.TinyInt:
		return int8(v)
	case schema.SmallInt:
		return int16(v)
	case schema.Int:
		return int32(v)
	}
	return v
}
