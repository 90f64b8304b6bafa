package cast

import (
	"math"
	"math/big"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

type integer interface{ int8 | int16 | int32 | int64 }

// integers reads whole numbers and truth values.
func integers(col arrow.Array) func(i int) int64 {
	switch a := col.(type) {
	case *array.Int8:
		return func(i int) int64 { return int64(a.Value(i)) }
	case *array.Int16:
		return func(i int) int64 { return int64(a.Value(i)) }
	case *array.Int32:
		return func(i int) int64 { return int64(a.Value(i)) }
	case *array.Int64:
		return a.Value
	case *array.Boolean:
		return func(i int) int64 {
			if a.Value(i) {
				return 1
			}
			return 0
		}
	}
	return nil
}

func floats(col arrow.Array) func(i int) float64 {
	switch a := col.(type) {
	case *array.Float32:
		return func(i int) float64 { return float64(a.Value(i)) }
	case *array.Float64:
		return a.Value
	}
	return nil
}

// sure is a cast that always succeeds.
func sure[T any](at func(i int) T) func(i int) (T, verdict) {
	return func(i int) (T, verdict) { return at(i), value }
}

func toInteger[T integer](c caster, col arrow.Array) func(i int) (T, verdict) {
	wide := c.to.Kind == schema.BigInt
	switch a := col.(type) {
	case *array.Decimal128:
		return sure(func(i int) T { return T(wholePart(a.Value(i), c.from.Scale)) })
	case *array.Timestamp:
		return sure(func(i int) T { return T(literal.FromUnits(int64(a.Value(i)), c.from.Precision).Millis / 1000) })
	case *array.String:
		return func(i int) (T, verdict) {
			v, ok := parseLong(a.Value(i), c.to.Kind)
			return T(v), okay(ok)
		}
	}
	if at := floats(col); at != nil {
		return sure(func(i int) T {
			if wide {
				return T(javaLong(at(i)))
			}
			return T(javaInt(at(i)))
		})
	}
	at := integers(col)
	return sure(func(i int) T { return T(at(i)) })
}

func okay(ok bool) verdict {
	if ok {
		return value
	}
	return refuse
}

// javaInt is Java's (int): it saturates, and NaN is 0.
func javaInt(f float64) int32 {
	return int32(min(max(javaLong(f), math.MinInt32), math.MaxInt32))
}

func javaLong(f float64) int64 {
	switch {
	case f != f:
		return 0
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// wholePart is a decimal without its fraction, its low 64 bits if it has more.
func wholePart(v decimal128.Num, scale int) int64 {
	if n, ok := asInt64(v); ok && scale <= 18 {
		return n / pow10(scale)
	}
	whole := v.BigInt()
	whole.Quo(whole, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	return int64(new(big.Int).And(whole, new(big.Int).SetUint64(math.MaxUint64)).Uint64())
}

func asInt64(v decimal128.Num) (int64, bool) {
	n := int64(v.LowBits())
	return n, v.HighBits() == n>>63
}

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

func toFloat[T float32 | float64](c caster, col arrow.Array) func(i int) (T, verdict) {
	switch a := col.(type) {
	case *array.Decimal128:
		return sure(func(i int) T { return T(decimalFloat(a.Value(i), c.from)) })
	case *array.String:
		bits := 64
		if c.to.Kind == schema.Float {
			bits = 32
		}
		return func(i int) (T, verdict) {
			v, ok := parseFloat(a.Value(i), bits)
			return T(v), okay(ok)
		}
	}
	if at := floats(col); at != nil {
		return sure(func(i int) T { return T(at(i)) })
	}
	at := integers(col)
	return sure(func(i int) T { return T(at(i)) })
}

// decimalFloat divides where the digits fit 64 bits, as Java does, though that rounds twice.
func decimalFloat(v decimal128.Num, t schema.Type) float64 {
	if n, ok := asInt64(v); ok && t.Precision <= 18 {
		return float64(n) / float64(pow10(t.Scale))
	}
	f, _ := strconv.ParseFloat(string(literal.AppendDecimal(nil, v, t.Scale)), 64)
	return f
}

func (c caster) toBool(col arrow.Array) func(i int) (bool, verdict) {
	if a, ok := col.(*array.String); ok {
		return func(i int) (bool, verdict) {
			v, ok := parseBool(a.Value(i))
			return v, okay(ok)
		}
	}
	at := integers(col)
	return sure(func(i int) bool { return at(i) != 0 })
}

func (c caster) toDecimal(col arrow.Array) func(i int) (decimal128.Num, verdict) {
	round := func(n literal.Number) (decimal128.Num, verdict) {
		v, fits := n.RoundDecimal(c.to.Precision, c.to.Scale)
		if !fits {
			return v, null
		}
		return v, value
	}
	switch a := col.(type) {
	case *array.Decimal128:
		if c.from.Precision <= 18 && c.to.Precision <= 18 {
			return c.rescale(a)
		}
		return func(i int) (decimal128.Num, verdict) { return round(literal.FromDecimal(a.Value(i), c.from.Scale)) }
	case *array.String:
		return func(i int) (decimal128.Num, verdict) {
			n, err := literal.ParseNumber(a.Value(i))
			if err != nil {
				return decimal128.Num{}, refuse
			}
			return round(n)
		}
	}
	if at := floats(col); at != nil {
		return func(i int) (decimal128.Num, verdict) {
			n, err := literal.ParseNumber(strconv.FormatFloat(at(i), 'e', -1, 64))
			if err != nil {
				return decimal128.Num{}, refuse // NaN and the infinities
			}
			return round(n)
		}
	}
	at := integers(col)
	return func(i int) (decimal128.Num, verdict) { return round(literal.FromInt(at(i))) }
}

// rescale is the cast between decimals of at most 18 digits.
func (c caster) rescale(a *array.Decimal128) func(i int) (decimal128.Num, verdict) {
	up, down := pow10(max(0, c.to.Scale-c.from.Scale)), pow10(max(0, c.from.Scale-c.to.Scale))
	limit := pow10(c.to.Precision)
	return func(i int) (decimal128.Num, verdict) {
		n, _ := asInt64(a.Value(i))
		q, r := n/down, n%down
		if r = max(r, -r); r >= down-r && down > 1 {
			if n < 0 {
				q--
			} else {
				q++
			}
		}
		if most := limit / up; q >= most || q <= -most {
			return decimal128.Num{}, null
		}
		return decimal128.FromI64(q * up), value
	}
}
