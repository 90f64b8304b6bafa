package mergeengine

import (
	"bytes"
	"cmp"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
)

// extreme is the choice of max and min, and of bool_or and bool_and, which are
// the same for booleans. Null does not count.
type extreme struct {
	irrevocable
	cells *vector.Gatherer
	least bool
	// compare orders two cells that are not null. It is made anew for each
	// fold, as sources come and go.
	compare func(a, b vector.Ref) int
}

func (c *extreme) start() {}

func (c *extreme) step(acc, in vector.Ref, _ bool) vector.Ref {
	switch {
	case isNull(c.cells, acc):
		return in
	case c.cells.IsNull(in):
		return acc
	}
	if order := c.compare(acc, in); order < 0 != c.least && order != 0 {
		return in
	}
	return acc
}

func (c *extreme) adds(refs []vector.Ref) vector.Ref {
	acc := refs[0]
	for _, in := range refs[1:] {
		acc = c.step(acc, in, false)
	}
	return acc
}

// bind looks at the sources as they are now.
func (c *extreme) bind() { c.compare = comparison(c.cells, javaFloats) }

// comparison orders the cells of a scalar column that are not null. It is
// valid until a source is set or cleared. floats compares floating-point
// numbers: fields of a key or a sequence do it in another way than aggregates.
func comparison(cells *vector.Gatherer, floats func(a, b float64) int) func(a, b vector.Ref) int {
	switch cells.Type().ID() {
	case arrow.BOOL:
		return func(a, b vector.Ref) int { return cmp.Compare(bit(cells.Bool(a)), bit(cells.Bool(b))) }
	case arrow.INT8:
		return ordered(vector.Values[int8](cells))
	case arrow.INT16:
		return ordered(vector.Values[int16](cells))
	case arrow.INT32, arrow.DATE32, arrow.TIME32:
		return ordered(vector.Values[int32](cells))
	case arrow.INT64, arrow.TIMESTAMP:
		return ordered(vector.Values[int64](cells))
	case arrow.FLOAT32:
		vals := vector.Values[float32](cells)
		return func(a, b vector.Ref) int { return floats(float64(at(vals, a)), float64(at(vals, b))) }
	case arrow.FLOAT64:
		vals := vector.Values[float64](cells)
		return func(a, b vector.Ref) int { return floats(at(vals, a), at(vals, b)) }
	case arrow.DECIMAL128:
		vals := vector.Values[decimal128.Num](cells)
		return func(a, b vector.Ref) int { return at(vals, a).Cmp(at(vals, b)) }
	case arrow.STRING, arrow.BINARY:
		return func(a, b vector.Ref) int { return bytes.Compare(cells.Bytes(a), cells.Bytes(b)) }
	}
	return nil
}

func at[T any](vals [][]T, r vector.Ref) T { return vals[r.Source()][r.Row()] }

func ordered[T cmp.Ordered](vals [][]T) func(a, b vector.Ref) int {
	return func(a, b vector.Ref) int { return cmp.Compare(at(vals, a), at(vals, b)) }
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// javaFloats is the order of Java's Double.compare: -0 before 0, NaN last.
func javaFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b && a != 0:
		return 0
	case a != a || b != b:
		return bit(a != a) - bit(b != b)
	}
	return bit(math.Signbit(b)) - bit(math.Signbit(a))
}

// keyFloats is the order of keys and sequence fields: -0 equals 0, NaN last.
func keyFloats(a, b float64) int {
	if a != a || b != b {
		return bit(a != a) - bit(b != b)
	}
	return cmp.Compare(a, b)
}

// irrevocable is a choice that cannot take a version back.
type irrevocable struct{ field, function string }

func (c irrevocable) retract(acc, _ vector.Ref, _ bool) (vector.Ref, error) {
	return acc, cannotRetract(c.field, c.function)
}

func cannotRetract(field, function string) error {
	return &fault.Error{Class: fault.ErrInvalid,
		Detail: "column " + field + ": aggregate function " + function + " cannot take back a -D or -U row",
		Hint:   "set fields." + field + ".ignore-retract = true if such rows shall not count in the column"}
}
