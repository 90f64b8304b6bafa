package predicate

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// Filter returns the rows of a batch where e is true, ascending. The batch
// holds the columns of e under their names, in the Arrow types of their table
// types; others do not matter. The error is ErrInvalid when it does not.
func (e Expr) Filter(rec arrow.RecordBatch) ([]int32, error) { return e.AppendFilter(nil, rec) }

// AppendFilter is Filter into a buffer that is used again from batch to batch.
func (e Expr) AppendFilter(dst []int32, rec arrow.RecordBatch) ([]int32, error) {
	b := &batch{rec: rec, rows: int(rec.NumRows())}
	out := b.borrow()
	defer b.giveBack(out)
	if err := e.node().eval(b, out); err != nil {
		return dst, err
	}
	return out.appendRows(slices.Grow(dst, out.count()), b.rows), nil
}

// batch is a batch under evaluation.
type batch struct {
	rec  arrow.RecordBatch
	rows int
}

// scratch keeps the bits of past evaluations.
var scratch = sync.Pool{New: func() any { return new(bitset) }}

// borrow gives clear bits, one a row.
func (b *batch) borrow() bitset {
	s := *scratch.Get().(*bitset)
	words := (b.rows + 63) / 64
	if cap(s) < words {
		return make(bitset, words)
	}
	s = s[:words]
	clear(s)
	return s
}

func (b *batch) giveBack(s bitset) { scratch.Put(&s) }

// column finds the array of a column, and checks its type.
func (b *batch) column(c column) (arrow.Array, error) {
	arr, err := b.named(c.field.Name)
	if err != nil {
		return nil, err
	}
	if !sameLayout(arr.DataType(), c.dt) {
		return nil, fault.Invalid("filter: column " + c.field.Name + " has the Arrow type " + arr.DataType().String() + ", want " + c.dt.String())
	}
	return arr, nil
}

func (b *batch) named(name string) (arrow.Array, error) {
	at := b.rec.Schema().FieldIndices(name)
	if len(at) != 1 {
		return nil, fault.Invalid("filter: the batch has no single column named " + literal.Quote(name))
	}
	return b.rec.Column(at[0]), nil
}

// sameLayout compares what the values depend on: not the zone of a timestamp, nor a decimal's precision.
func sameLayout(got, want arrow.DataType) bool {
	if got.ID() != want.ID() {
		return false
	}
	switch got := got.(type) {
	case *arrow.TimestampType:
		return got.Unit == want.(*arrow.TimestampType).Unit
	case *arrow.Decimal128Type:
		return got.Scale == want.(*arrow.Decimal128Type).Scale
	case *arrow.Time32Type:
		return got.Unit == want.(*arrow.Time32Type).Unit
	}
	return true
}

// bitset has one bit a row; those behind the last row are clear.
type bitset []uint64

func (s bitset) and(t bitset) {
	for i := range s {
		s[i] &= t[i]
	}
}

func (s bitset) or(t bitset) {
	for i := range s {
		s[i] |= t[i]
	}
}

// fill sets the bits of all rows.
func (s bitset) fill(rows int) {
	for i := range s {
		s[i] = ^uint64(0)
	}
	s.trim(rows)
}

// flip turns the bits of all rows.
func (s bitset) flip(rows int) {
	for i := range s {
		s[i] = ^s[i]
	}
	s.trim(rows)
}

func (s bitset) trim(rows int) {
	if rows%64 != 0 {
		s[len(s)-1] &= 1<<(rows%64) - 1
	}
}

func (s bitset) empty() bool { return !slices.ContainsFunc(s, func(w uint64) bool { return w != 0 }) }

func (s bitset) full(rows int) bool { return s.count() == rows }

func (s bitset) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s bitset) appendRows(dst []int32, rows int) []int32 {
	for i, w := range s {
		base := int32(i * 64)
		if w == ^uint64(0) {
			for j := range int32(64) {
				dst = append(dst, base+j)
			}
			continue
		}
		for ; w != 0; w &= w - 1 {
			dst = append(dst, base+int32(bits.TrailingZeros64(w)))
		}
	}
	return dst
}

// known clears the bits of rows that are null.
func (s bitset) known(arr arrow.Array) {
	if arr.NullN() == 0 {
		return
	}
	valid, offset := arr.NullBitmapBytes(), arr.Data().Offset()
	for i := range s {
		s[i] &= word(valid, offset+i*64)
	}
}

// word reads 64 bits of a bitmap from any bit on; zeros behind its end.
func word(bitmap []byte, from int) uint64 {
	var w uint64
	at, shift := from/8, from%8
	for i := range 9 {
		if at+i >= len(bitmap) {
			break
		}
		b := uint64(bitmap[at+i])
		if i == 0 {
			w = b >> shift
		} else {
			w |= b << (8*i - shift)
		}
	}
	return w
}

// operand is a fitted literal as the values of a batch are held.
type operand struct {
	fit literal.Fit
	i   int64 // integers, DATE, TIME, timestamps in the unit of their precision, booleans
	f   float64
	s   string // text and binary
	d   decimal128.Num
}

func newOperand(t schema.Type, x fitted) operand {
	o := operand{fit: x.fit}
	switch v := x.value.(type) {
	case bool:
		o.i = int64(bit(v))
	case int8:
		o.i = int64(v)
	case int16:
		o.i = int64(v)
	case int32:
		o.i = int64(v)
	case int64:
		o.i = v
	case float32:
		o.f = float64(v)
	case float64:
		o.f = v
	case string:
		o.s = v
	case []byte:
		o.s = string(v)
	case decimal128.Num:
		o.d = v
	case schema.TimestampValue:
		var fit literal.Fit
		if o.i, fit = literal.ToUnits(v, t.Precision); fit != literal.Exact {
			o.fit = fit
		}
	}
	return o
}

// operandSet is the operands of an IN list, each kind as it is searched.
type operandSet struct {
	ints   []int64
	floats []float64
	nums   []decimal128.Num
	texts  map[string]struct{}
	kept   []operand
}

func (s *operandSet) add(o operand) {
	if o.fit == literal.Exact {
		s.kept = append(s.kept, o)
	}
}

func (s *operandSet) finish() {
	s.texts = make(map[string]struct{}, len(s.kept))
	for _, o := range s.kept {
		s.ints = append(s.ints, o.i)
		s.floats = append(s.floats, o.f)
		s.nums = append(s.nums, o.d)
		s.texts[o.s] = struct{}{}
	}
	slices.Sort(s.ints)
	slices.SortFunc(s.floats, compareFloats)
	slices.SortFunc(s.nums, decimal128.Num.Cmp)
	s.kept = nil
}

func (t nullTest) eval(b *batch, out bitset) error {
	arr, err := b.named(t.name)
	if err != nil {
		return err
	}
	out.fill(b.rows)
	out.known(arr)
	if !t.negated {
		out.flip(b.rows)
	}
	return nil
}

func (c comparison) eval(b *batch, out bitset) error {
	arr, err := b.column(c.column)
	if err != nil {
		return err
	}
	x := c.cell
	op := c.op.over(x.fit)
	switch {
	case op == never:
		return nil
	case op == always:
		out.fill(b.rows)
		out.known(arr)
		return nil
	}
	// Three loops do for six operators: the others are their complements.
	positive := op
	if op == Ne || op == Gt || op == Ge {
		positive = opNots[op]
	}
	switch a := arr.(type) {
	case *array.Boolean:
		compareBooleans(out, a, positive, x.i)
	case *array.Int8:
		compareOrdered(out, a.Int8Values(), positive, int8(x.i))
	case *array.Int16:
		compareOrdered(out, a.Int16Values(), positive, int16(x.i))
	case *array.Int32:
		compareOrdered(out, a.Int32Values(), positive, int32(x.i))
	case *array.Int64:
		compareOrdered(out, a.Int64Values(), positive, x.i)
	case *array.Date32:
		compareOrdered(out, a.Date32Values(), positive, arrow.Date32(x.i))
	case *array.Time32:
		compareOrdered(out, a.Time32Values(), positive, arrow.Time32(x.i))
	case *array.Timestamp:
		compareOrdered(out, a.TimestampValues(), positive, arrow.Timestamp(x.i))
	case *array.Float32:
		compareFloating(out, a.Float32Values(), positive, float32(x.f))
	case *array.Float64:
		compareFloating(out, a.Float64Values(), positive, x.f)
	case *array.Decimal128:
		compareDecimals(out, a.Values(), positive, x.d)
	case *array.String:
		compareTexts(out, a.Len(), a.Value, positive, x.s)
	case *array.Binary:
		compareTexts(out, a.Len(), a.ValueString, positive, x.s)
	default:
		return fault.Invalid("filter: column " + c.field.Name + " has the Arrow type " + arr.DataType().String())
	}
	if positive != op {
		out.flip(b.rows)
	}
	out.known(arr)
	return nil
}

type ordered interface {
	~int8 | ~int16 | ~int32 | ~int64 | ~float32 | ~float64
}

// compareOrdered sets the bits where v op x, for op one of Eq, Lt and Le. The
// inner loops have no branch that depends on the values.
func compareOrdered[T ordered](out bitset, values []T, op Op, x T) {
	for i := range out {
		block := values[i*64 : min(i*64+64, len(values))]
		var w uint64
		switch op {
		case Eq:
			for j, v := range block {
				w |= bit(v == x) << (j & 63)
			}
		case Lt:
			for j, v := range block {
				w |= bit(v < x) << (j & 63)
			}
		case Le:
			for j, v := range block {
				w |= bit(v <= x) << (j & 63)
			}
		}
		out[i] = w
	}
}

// compareFloating is compareOrdered in the total order, where NaN comes last.
func compareFloating[T ~float32 | ~float64](out bitset, values []T, op Op, x T) {
	if x == x {
		compareOrdered(out, values, op, x) // false for every NaN, which is right for Eq, Lt and Le
		return
	}
	for i, v := range values { // x is NaN
		nan := v != v
		out[i/64] |= bit(op == Le || nan == (op == Eq)) << (i & 63)
	}
}

func compareDecimals(out bitset, values []decimal128.Num, op Op, x decimal128.Num) {
	for i, v := range values {
		var hit bool
		switch op {
		case Eq:
			hit = v == x
		case Lt:
			hit = v.Less(x)
		case Le:
			hit = !x.Less(v)
		}
		out[i/64] |= bit(hit) << (i & 63)
	}
}

func compareTexts(out bitset, rows int, value func(int) string, op Op, x string) {
	switch op {
	case Eq:
		for i := range rows {
			out[i/64] |= bit(value(i) == x) << (i & 63)
		}
	case Lt:
		for i := range rows {
			out[i/64] |= bit(value(i) < x) << (i & 63)
		}
	case Le:
		for i := range rows {
			out[i/64] |= bit(value(i) <= x) << (i & 63)
		}
	}
}

// compareBooleans copies the values, turned round or not, or sets all or none.
func compareBooleans(out bitset, a *array.Boolean, op Op, x int64) {
	onFalse, onTrue := op.holds(int(0-x)), op.holds(int(1-x))
	values, offset := a.Data().Buffers()[1].Bytes(), a.Data().Offset()
	for i := range out {
		w := word(values, offset+i*64)
		out[i] = mask(onTrue)&w | mask(onFalse)&^w
	}
	out.trim(a.Len())
}

func mask(set bool) uint64 { return -bit(set) }

func (m membership) eval(b *batch, out bitset) error {
	arr, err := b.column(m.column)
	if err != nil {
		return err
	}
	switch a := arr.(type) {
	case *array.Boolean:
		for _, x := range m.set.ints {
			compareBooleans(out, a, Eq, x)
			if len(m.set.ints) > 1 && m.set.ints[0] != m.set.ints[len(m.set.ints)-1] {
				out.fill(b.rows) // both values are in the list
			}
		}
	case *array.Int8:
		searchInts(out, a.Int8Values(), m.set.ints)
	case *array.Int16:
		searchInts(out, a.Int16Values(), m.set.ints)
	case *array.Int32:
		searchInts(out, a.Int32Values(), m.set.ints)
	case *array.Int64:
		searchInts(out, a.Int64Values(), m.set.ints)
	case *array.Date32:
		searchInts(out, a.Date32Values(), m.set.ints)
	case *array.Time32:
		searchInts(out, a.Time32Values(), m.set.ints)
	case *array.Timestamp:
		searchInts(out, a.TimestampValues(), m.set.ints)
	case *array.Float32:
		searchFloats(out, a.Float32Values(), m.set.floats)
	case *array.Float64:
		searchFloats(out, a.Float64Values(), m.set.floats)
	case *array.Decimal128:
		for i, v := range a.Values() {
			_, hit := slices.BinarySearchFunc(m.set.nums, v, decimal128.Num.Cmp)
			out[i/64] |= bit(hit) << (i & 63)
		}
	case *array.String:
		m.searchTexts(out, a.Len(), a.Value)
	case *array.Binary:
		m.searchTexts(out, a.Len(), a.ValueString)
	default:
		return fault.Invalid("filter: column " + m.field.Name + " has the Arrow type " + arr.DataType().String())
	}
	if m.negated {
		out.flip(b.rows)
	}
	out.known(arr)
	return nil
}

// searchInts looks the values up in a sorted list.
func searchInts[T ~int8 | ~int16 | ~int32 | ~int64](out bitset, values []T, list []int64) {
	if len(list) == 0 {
		return
	}
	low, high := list[0], list[len(list)-1]
	for i, v := range values {
		x := int64(v)
		hit := x >= low && x <= high
		if hit {
			_, hit = slices.BinarySearch(list, x)
		}
		out[i/64] |= bit(hit) << (i & 63)
	}
}

func searchFloats[T ~float32 | ~float64](out bitset, values []T, list []float64) {
	for i, v := range values {
		_, hit := slices.BinarySearchFunc(list, float64(v), compareFloats)
		out[i/64] |= bit(hit) << (i & 63)
	}
}

func (m membership) searchTexts(out bitset, rows int, value func(int) string) {
	for i := range rows {
		_, hit := m.set.texts[value(i)]
		out[i/64] |= bit(hit) << (i & 63)
	}
}

func (p patternTest) eval(b *batch, out bitset) error {
	arr, err := b.column(p.column)
	if err != nil {
		return err
	}
	a, ok := arr.(*array.String)
	if !ok {
		return fault.Invalid("filter: column " + p.field.Name + " has the Arrow type " + arr.DataType().String())
	}
	for i := range b.rows {
		out[i/64] |= bit(p.pattern.match(a.Value(i)) != p.negated) << (i & 63)
	}
	out.known(arr)
	return nil
}
