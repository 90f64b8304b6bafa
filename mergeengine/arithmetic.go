package mergeengine

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// number are the Go types of the numeric columns but DECIMAL. Integers wrap,
// as Java's do.
type number interface {
	int8 | int16 | int32 | int64 | float32 | float64
}

// calculus is what a function does with two numbers. Where null is true there
// is no result, which is null.
type calculus[T any] interface {
	add(acc, in T) (v T, null bool)
	// retract takes in back from acc.
	retract(acc, in T) (v T, null bool, err error)
	// owe is what taking in back from null leaves.
	owe(in T) (v T, null bool)
}

// computed folds a column of numbers.
type computed[T arrow.FixedWidthType, C calculus[T]] struct {
	source
	calc  C
	width int
	vals  [][]T
}

func (c *computed[T, C]) fold(p *Plan) (arrow.Array, error) {
	if !p.multi {
		return c.cells.Take(p.Newest())
	}
	n := len(p.Spans)
	c.vals = vector.Values[T](c.cells)
	buf, valid := newBuffer(c.mem, n*c.width), newBuffer(c.mem, int(bitutil.BytesForBits(int64(n))))
	defer buf.Release()
	defer valid.Release()
	nulls, err := c.fill(p, arrow.GetData[T](buf.Bytes()), valid.Bytes())
	if err != nil {
		return nil, err
	}
	buffers := []*memory.Buffer{nil, buf}
	if nulls > 0 {
		buffers[0] = valid
	}
	data := array.NewData(c.cells.Type(), n, buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data), nil
}

func newBuffer(mem memory.Allocator, bytes int) *memory.Buffer {
	buf := memory.NewResizableBuffer(mem)
	buf.Resize(bytes)
	clear(buf.Bytes())
	return buf
}

func (c *computed[T, C]) fill(p *Plan, out []T, valid []byte) (nulls int, err error) {
	ops, hasNulls := p.ops[c.class], c.cells.HasNulls()
	for i, sp := range p.Spans {
		refs := p.Refs[sp.Start:sp.End]
		acc, null := at(c.vals, refs[0]), hasNulls && c.cells.IsNull(refs[0])
		switch {
		case !p.merged(sp):
		case ops != nil:
			acc, null, err = c.steps(refs, ops[sp.Start:sp.End])
			if err != nil {
				return nulls, err
			}
		case !hasNulls:
			for _, r := range refs[1:] {
				if in := at(c.vals, r); null {
					acc, null = in, false
				} else {
					acc, null = c.calc.add(acc, in)
				}
			}
		default:
			for _, r := range refs[1:] {
				acc, null = c.add(acc, null, r)
			}
		}
		if null {
			nulls++
			continue
		}
		out[i] = acc
		valid[i>>3] |= 1 << (i & 7)
	}
	return nulls, nil
}

// add leaves out what is null.
func (c *computed[T, C]) add(acc T, null bool, r vector.Ref) (T, bool) {
	switch {
	case c.cells.IsNull(r):
		return acc, null
	case null:
		return at(c.vals, r), false
	}
	return c.calc.add(acc, at(c.vals, r))
}

func (c *computed[T, C]) steps(refs []vector.Ref, ops []op) (acc T, null bool, err error) {
	null = true
	for i, r := range refs {
		switch ops[i] {
		case opAdd, opLate: // the order does not matter
			acc, null = c.add(acc, null, r)
		case opBase, opBaseRetract:
			acc, null = at(c.vals, r), c.cells.IsNull(r)
		}
		switch ops[i] {
		case opRetract, opRetractLate, opBaseRetract:
			if c.ignoreRetract {
				continue
			}
			if acc, null, err = c.retract(acc, null, r); err != nil {
				return acc, null, err
			}
		}
	}
	return acc, null, nil
}

func (c *computed[T, C]) retract(acc T, null bool, r vector.Ref) (T, bool, error) {
	switch {
	case c.cells.IsNull(r):
		return acc, null, nil
	case null:
		acc, null = c.calc.owe(at(c.vals, r))
		return acc, null, nil
	}
	return c.calc.retract(acc, at(c.vals, r))
}

// sum adds up.
type sum[T number] struct{}

func (sum[T]) add(acc, in T) (T, bool)            { return acc + in, false }
func (sum[T]) retract(acc, in T) (T, bool, error) { return acc - in, false, nil }
func (sum[T]) owe(in T) (T, bool)                 { return -in, false }

// product multiplies.
type product[T number] struct{ field string }

func (product[T]) add(acc, in T) (T, bool) { return acc * in, false }
func (product[T]) owe(in T) (T, bool)      { return in, true }

func (c product[T]) retract(acc, in T) (T, bool, error) {
	half := 0.5
	if in == 0 && T(half) == 0 {
		return acc, true, cannotDivide(c.field, "by zero")
	}
	return acc / in, false, nil
}

func cannotDivide(field, why string) error {
	return &fault.Error{Class: fault.ErrInvalid, Detail: "column " + field + ": aggregate function product cannot take a -D or -U row back: division " + why,
		Hint: "set fields." + field + ".ignore-retract = true if such rows shall not count in the column"}
}

// numeric makes a function of numbers.
func numeric(make func(f schema.Field) newColumn) function {
	return func(f schema.Field, _ schema.FieldOptions) (newColumn, error) {
		if err := numbers.check(f); err != nil {
			return nil, err
		}
		return make(f), nil
	}
}

func computing[T arrow.FixedWidthType, C calculus[T]](calc C, width int) newColumn {
	return func(s source) column { return &computed[T, C]{source: s, calc: calc, width: width} }
}

func newSum(f schema.Field) newColumn {
	switch f.Type.Kind {
	case schema.TinyInt:
		return computing[int8](sum[int8]{}, 1)
	case schema.SmallInt:
		return computing[int16](sum[int16]{}, 2)
	case schema.Int:
		return computing[int32](sum[int32]{}, 4)
	case schema.BigInt:
		return computing[int64](sum[int64]{}, 8)
	case schema.Float:
		return computing[float32](sum[float32]{}, 4)
	case schema.Double:
		return computing[float64](sum[float64]{}, 8)
	}
	return decimals(f, decimalSum{precision: f.Type.Precision})
}

func newProduct(f schema.Field) newColumn {
	switch f.Type.Kind {
	case schema.TinyInt:
		return computing[int8](product[int8]{f.Name}, 1)
	case schema.SmallInt:
		return computing[int16](product[int16]{f.Name}, 2)
	case schema.Int:
		return computing[int32](product[int32]{f.Name}, 4)
	case schema.BigInt:
		return computing[int64](product[int64]{f.Name}, 8)
	case schema.Float:
		return computing[float32](product[float32]{f.Name}, 4)
	case schema.Double:
		return computing[float64](product[float64]{f.Name}, 8)
	}
	return decimals(f, decimalProduct{f.Name, f.Type.Precision, f.Type.Scale})
}
