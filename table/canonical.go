package table

import (
	"fmt"
	"math"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/conform"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// canonicalizer turns a batch as the user brings it into the batch that the
// table stores: canonical Arrow types, columns in schema order, defaults
// filled in, row kinds apart; and refuses what may not be stored.
type canonicalizer struct {
	fields   []schema.Field
	arrow    *arrow.Schema
	defaults []arrow.Array // one cell where a column has a default, else nil
	ordered  []bool        // key and sequence columns: no NaN
	keys     []bool        // key columns: one zero
	kindFrom int           // column of rowkind.field, -1 without one
	mem      memory.Allocator
}

func newCanonicalizer(t *Table, mem memory.Allocator) (*canonicalizer, error) {
	sc, err := schema.ArrowSchema(t.schema.Fields)
	if err != nil {
		return nil, err
	}
	n := len(t.schema.Fields)
	c := &canonicalizer{fields: t.schema.Fields, arrow: sc, mem: mem, kindFrom: -1,
		defaults: make([]arrow.Array, n), ordered: make([]bool, n), keys: make([]bool, n)}
	for _, name := range t.schema.PrimaryKeys {
		c.ordered[t.schema.Index(name)], c.keys[t.schema.Index(name)] = true, true
	}
	for _, name := range t.options.SequenceFields {
		c.ordered[t.schema.Index(name)] = true
	}
	for _, f := range t.schema.PartitionFields() {
		c.keys[t.schema.Index(f.Name)] = true
	}
	for _, f := range t.schema.BucketKeyFields() {
		c.keys[t.schema.Index(f.Name)] = true
	}
	if name := t.options.RowKindField; name != "" {
		c.kindFrom = t.schema.Index(name)
	}
	for i, f := range c.fields {
		if f.Default == nil {
			continue
		}
		if c.defaults[i], err = defaultCell(f, t.settings.TimeZone, mem); err != nil {
			c.release()
			return nil, err
		}
	}
	return c, nil
}

func (c *canonicalizer) release() {
	for _, d := range c.defaults {
		if d != nil {
			d.Release()
		}
	}
}

// apply returns the stored form of rec and its row kinds (nil: all inserts).
// firstRow is the number of rec's first row in the user's input, for errors.
func (c *canonicalizer) apply(rec arrow.RecordBatch, firstRow int64) (arrow.RecordBatch, []int8, error) {
	cols := make([]arrow.Array, len(c.fields))
	defer releaseAll(cols)
	var kinds []int8
	for i := range int(rec.NumCols()) {
		name := rec.ColumnName(i)
		if name == schema.ValueKindName {
			if kinds != nil {
				return nil, nil, fault.Invalid(fmt.Sprintf("column %q twice in one batch", name))
			}
			k, err := kindColumn(rec.Column(i), firstRow)
			if err != nil {
				return nil, nil, err
			}
			kinds = k
			continue
		}
		at := c.arrow.FieldIndices(name)
		if len(at) == 0 {
			return nil, nil, fault.Invalid(fmt.Sprintf("no column %q in the table", name))
		}
		if cols[at[0]] != nil {
			return nil, nil, fault.Invalid(fmt.Sprintf("column %q twice in one batch", name))
		}
		col, err := conform.Array(rec.Column(i), c.arrow.Field(at[0]).Type, c.mem)
		if err != nil {
			return nil, nil, columnError(name, err)
		}
		cols[at[0]] = col
	}
	for i := range cols {
		if err := c.finish(cols, i, int(rec.NumRows()), firstRow); err != nil {
			return nil, nil, err
		}
	}
	if c.kindFrom >= 0 {
		k, err := kindsFromText(cols[c.kindFrom].(*array.String), c.fields[c.kindFrom].Name, firstRow)
		if err != nil {
			return nil, nil, err
		}
		kinds = k
	}
	return array.NewRecordBatch(c.arrow, cols, rec.NumRows()), kinds, nil
}

// complete refuses a row without the values that its columns must have, before
// it is among others.
func (c *canonicalizer) complete(values []any) error {
	for i, f := range c.fields {
		if values[i] == nil && !f.Type.Nullable && c.defaults[i] == nil {
			return fault.Invalid(fmt.Sprintf("column %q is null, but its type is %s", f.Name, f.Type))
		}
	}
	return nil
}

// finish fills defaults into column i, then checks what its cells may be.
func (c *canonicalizer) finish(cols []arrow.Array, i, rows int, firstRow int64) error {
	f := c.fields[i]
	if cols[i] == nil {
		cols[i] = array.MakeArrayOfNull(c.mem, c.arrow.Field(i).Type, rows)
	}
	if c.defaults[i] != nil && cols[i].NullN() > 0 {
		filled, err := fillNulls(cols[i], c.defaults[i], c.mem)
		if err != nil {
			return columnError(f.Name, err)
		}
		cols[i].Release()
		cols[i] = filled
	}
	if !f.Type.Nullable && cols[i].NullN() > 0 {
		for r := range rows {
			if cols[i].IsNull(r) {
				return fault.Invalid(fmt.Sprintf("row %d: column %q is null, but its type is %s", firstRow+int64(r), f.Name, f.Type))
			}
		}
	}
	if r, member := firstNestedNull(f.Type, cols[i]); r >= 0 {
		return fault.Invalid(fmt.Sprintf("row %d: column %q: %s is null, but the type is %s", firstRow+int64(r), f.Name, member, f.Type))
	}
	if f.Type.Kind == schema.Decimal {
		if err := checkPrecision(f, cols[i].(*array.Decimal128), firstRow); err != nil {
			return err
		}
	}
	if f.Type.Kind != schema.Float && f.Type.Kind != schema.Double {
		return nil
	}
	if c.ordered[i] {
		if r := firstNaN(cols[i]); r >= 0 {
			return fault.Invalid(fmt.Sprintf("row %d: column %q is NaN, which a key or sequence column may not hold: other engines lose rows there", firstRow+int64(r), f.Name))
		}
	}
	if c.keys[i] {
		cols[i] = oneZero(cols[i], c.mem)
	}
	return nil
}

// checkPrecision refuses a decimal that the column's physical type would cut.
func checkPrecision(f schema.Field, a *array.Decimal128, firstRow int64) error {
	for r, v := range a.Values() {
		if !v.FitsInPrecision(int32(f.Type.Precision)) && a.IsValid(r) {
			return fault.Invalid(fmt.Sprintf("row %d: column %q: %s does not fit %s", firstRow+int64(r), f.Name, v.ToString(int32(f.Type.Scale)), f.Type))
		}
	}
	return nil
}

func firstNaN(col arrow.Array) int {
	switch a := col.(type) {
	case *array.Float32:
		for r, v := range a.Values() {
			if v != v && a.IsValid(r) {
				return r
			}
		}
	case *array.Float64:
		for r, v := range a.Values() {
			if v != v && a.IsValid(r) {
				return r
			}
		}
	}
	return -1
}

// oneZero returns col with every −0.0 made 0.0; it takes over col's reference.
func oneZero(col arrow.Array, mem memory.Allocator) arrow.Array {
	switch a := col.(type) {
	case *array.Float32:
		if !hasNegativeZero(a.Values(), func(v float32) bool { return math.Float32bits(v) == 1<<31 }) {
			return col
		}
		b := array.NewFloat32Builder(mem)
		defer b.Release()
		copyFloats(a.Len(), a.IsNull, b.AppendNull, func(r int) { b.Append(a.Value(r) + 0) })
		col.Release()
		return b.NewArray()
	case *array.Float64:
		if !hasNegativeZero(a.Values(), func(v float64) bool { return math.Float64bits(v) == 1<<63 }) {
			return col
		}
		b := array.NewFloat64Builder(mem)
		defer b.Release()
		copyFloats(a.Len(), a.IsNull, b.AppendNull, func(r int) { b.Append(a.Value(r) + 0) })
		col.Release()
		return b.NewArray()
	}
	return col
}

func hasNegativeZero[T any](values []T, is func(T) bool) bool {
	for _, v := range values {
		if is(v) {
			return true
		}
	}
	return false
}

func copyFloats(n int, null func(int) bool, appendNull func(), appendAt func(int)) {
	for r := range n {
		if null(r) {
			appendNull()
		} else {
			appendAt(r)
		}
	}
}

// kindColumn reads the optional _VALUE_KIND column.
func kindColumn(col arrow.Array, firstRow int64) ([]int8, error) {
	a, ok := col.(*array.Int8)
	if !ok || a.NullN() > 0 {
		return nil, fault.Invalid(fmt.Sprintf("column %q must be int8 without nulls: 0 +I, 1 -U, 2 +U, 3 -D", schema.ValueKindName))
	}
	for r, k := range a.Values() {
		if k < 0 || k > int8(schema.Delete) {
			return nil, fault.Invalid(fmt.Sprintf("row %d: column %q is %d; the kinds are 0 +I, 1 -U, 2 +U, 3 -D", firstRow+int64(r), schema.ValueKindName, k))
		}
	}
	return a.Values(), nil
}

// agreed combines the kinds given beside a batch with those that its columns
// tell (nil: nothing), and refuses rows for which both say something else.
func (c *canonicalizer) agreed(given, told []int8, firstRow int64) ([]int8, error) {
	for r, k := range given {
		switch {
		case k < 0 || k > int8(schema.Delete):
			return nil, fault.Invalid(fmt.Sprintf("row %d: row kind %d; the kinds are 0 +I, 1 -U, 2 +U, 3 -D", firstRow+int64(r), k))
		case told != nil && k != told[r] && k != int8(schema.Insert):
			return nil, fault.Invalid(fmt.Sprintf("row %d: given as %s, but its own column says %s", firstRow+int64(r), schema.RowKind(k), schema.RowKind(told[r])))
		}
	}
	if told != nil {
		return told, nil
	}
	return given, nil
}

func kindsFromText(a *array.String, name string, firstRow int64) ([]int8, error) {
	kinds := make([]int8, a.Len())
	for r := range kinds {
		if a.IsNull(r) {
			return nil, fault.Invalid(fmt.Sprintf("row %d: column %q holds the row kind and is null", firstRow+int64(r), name))
		}
		k, err := schema.ParseRowKind(a.Value(r))
		if err != nil {
			return nil, fault.Invalid(fmt.Sprintf("row %d: column %q: %v", firstRow+int64(r), name, err))
		}
		kinds[r] = int8(k)
	}
	return kinds, nil
}

// defaultCell is a column's default value as an array of one cell.
func defaultCell(f schema.Field, loc *time.Location, mem memory.Allocator) (arrow.Array, error) {
	v, err := predicate.CastDefault(*f.Default, f.Type, loc)
	if err != nil {
		return nil, columnError(f.Name, fmt.Errorf("default %q: %w", *f.Default, err))
	}
	return oneCell(f, v, mem)
}

// oneCell is a metadata value as an array of length one.
func oneCell(f schema.Field, v any, mem memory.Allocator) (arrow.Array, error) {
	f.Type.Nullable = true
	one, err := rowjson.NewAppender([]schema.Field{f}, mem)
	if err != nil {
		return nil, err
	}
	if err := one.Append(schema.Insert, []any{v}); err != nil {
		return nil, err
	}
	rec, _ := one.Flush()
	defer rec.Release()
	cell := rec.Column(0)
	cell.Retain()
	return cell, nil
}

// fillNulls replaces the nulls of col by the one cell.
func fillNulls(col, cell arrow.Array, mem memory.Allocator) (arrow.Array, error) {
	both, err := array.Concatenate([]arrow.Array{col, cell}, mem)
	if err != nil {
		return nil, err
	}
	defer both.Release()
	pick := make([]int32, col.Len())
	for r := range pick {
		pick[r] = int32(r)
		if col.IsNull(r) {
			pick[r] = int32(col.Len())
		}
	}
	return take.Array(both, pick, mem)
}
