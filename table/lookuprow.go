package table

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

// Get looks up keys one caller at a time knows as Go values, and returns a Row
// for each in their order, nil for an absent one. A key is a struct or map by
// column name, as Writer.Put takes it, of which only the columns of the
// primary key are looked at, or the value itself where the key is one column.
// Values of rows are those that Put takes: integers of the column's width,
// string, []byte, time.Time, time.Duration since midnight, decimal128.Num, []any,
// map[any]any (with text for binary keys) and Row. It may be called concurrently.
func (l *Lookup) Get(ctx context.Context, keys ...any) ([]Row, error) {
	a := l.newAnswer()
	defer l.keep(a)
	if err := l.appendKeys(a, keys); err != nil {
		return nil, l.table.wrap("lookup", err)
	}
	rec := a.appender.Lend()
	defer rec.Release()
	s, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer l.end(s)
	if err := l.answer(ctx, a, s, rec); err != nil {
		return nil, l.table.wrap("lookup", err)
	}
	rows := make([]Row, len(keys))
	for i, v := range a.best {
		if v.block != nil {
			a.touched ^= v.block.touch(v.row)
			rows[i] = l.row(v, a.from[i])
		}
	}
	return rows, nil
}

// row is a version as Go values.
func (l *Lookup) row(v version, from *lookupBucket) Row {
	row := make(Row, len(l.scan.fields))
	for j := range l.scan.fields {
		f := &l.scan.fields[j]
		if at := l.at[j]; at >= 0 {
			row[f.Name] = v.block.value(&f.Type, at, v.row)
		} else {
			row[f.Name] = goCell(&f.Type, from.constants[f.Name], 0)
		}
	}
	return row
}

// GetRows looks up keys as Get does, and returns the rows as columns.
func (l *Lookup) GetRows(ctx context.Context, keys ...any) (*Found, error) {
	a := l.newAnswer()
	defer l.keep(a)
	if err := l.appendKeys(a, keys); err != nil {
		return nil, l.table.wrap("lookup", err)
	}
	rec := a.appender.Lend()
	defer rec.Release()
	return l.GetBatch(ctx, rec)
}

// RowOf is one row of a batch as Go values that Writer.Put takes: the columns
// of fields, which are found by their names, so those that a Stream puts before
// them are passed over. Nulls are left out.
func RowOf(fields []schema.Field, rec arrow.RecordBatch, row int) Row {
	out := make(Row, len(fields))
	at := 0
	for i := range fields {
		f := &fields[i]
		if at = columnFrom(rec, at, f.Name); at == int(rec.NumCols()) {
			at = 0
			continue
		}
		if v := goCell(&f.Type, rec.Column(at), row); v != nil {
			out[f.Name] = v
		}
		at++
	}
	return out
}

// columnFrom is the first column of a name, from one on and then from the
// first on; there are so many columns where none has it.
func columnFrom(rec arrow.RecordBatch, from int, name string) int {
	n := int(rec.NumCols())
	for i := range n {
		if at := (from + i) % n; rec.ColumnName(at) == name {
			return at
		}
	}
	return n
}

// Get looks up keys in the newest snapshot; see Lookup.Get. It opens a Lookup
// and closes it again: keep one for more than a few keys.
func (t *Table) Get(ctx context.Context, keys ...any) ([]Row, error) {
	l, err := t.NewLookup(ctx, LookupOptions{})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.Get(ctx, keys...)
}

// appendKeys turns keys as Go values into columns.
func (l *Lookup) appendKeys(a *answer, keys []any) error {
	if len(keys) == 0 {
		return l.wrongKey("none is given")
	}
	if a.appender == nil {
		var err error
		if a.appender, err = rowjson.NewAppender(l.primary, l.table.world.Alloc); err != nil {
			return err
		}
	}
	for i, key := range keys {
		values, err := l.keyValues(key)
		if err == nil {
			err = a.appender.Append(schema.Insert, values)
		}
		if err != nil {
			a.appender = nil // with the keys before
			return fmt.Errorf("key %d: %w", i+1, err)
		}
	}
	return nil
}

func (l *Lookup) keyValues(key any) ([]any, error) {
	loc := l.table.settings.TimeZone
	if row, ok := l.byColumn(key); ok {
		values, err := rowPart(l.primary, l.scan.schema.Fields, row, loc)
		if err != nil {
			return nil, err
		}
		for i, f := range l.primary {
			if values[i] == nil {
				return nil, l.wrongKey("column %q is missing or null", f.Name)
			}
		}
		return values, nil
	}
	if len(l.primary) != 1 {
		return nil, l.wrongKey("it has %d columns: give a Row or a struct", len(l.primary))
	}
	v, err := goValue(l.primary[0].Type, reflect.ValueOf(key), loc)
	if err != nil {
		return nil, columnError(l.primary[0].Name, err)
	}
	return []any{v}, nil
}

// byColumn tells that a key names its columns.
func (l *Lookup) byColumn(key any) (any, bool) {
	if key == nil {
		return key, true // rowValues says what is wrong with it
	}
	t := reflect.TypeOf(key)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return key, t.Kind() == reflect.Map || t.Kind() == reflect.Struct && t != timeType && t != decimalType
}

// goCell is one cell as a Go value that Put takes.
func goCell(t *schema.Type, col arrow.Array, row int) any {
	if col.IsNull(row) {
		return nil
	}
	switch c := col.(type) {
	case *array.Boolean:
		return c.Value(row)
	case *array.Int8:
		return c.Value(row)
	case *array.Int16:
		return c.Value(row)
	case *array.Int32:
		return c.Value(row)
	case *array.Int64:
		return c.Value(row)
	case *array.Float32:
		return c.Value(row)
	case *array.Float64:
		return c.Value(row)
	case *array.String:
		return string(append([]byte(nil), c.Value(row)...))
	case *array.Binary:
		return append([]byte{}, c.Value(row)...)
	case *array.Decimal128:
		return c.Value(row)
	case *array.Date32:
		return c.Value(row).ToTime()
	case *array.Time32:
		return time.Duration(c.Value(row)) * time.Millisecond
	case *array.Timestamp:
		return c.Value(row).ToTime(c.DataType().(*arrow.TimestampType).Unit)
	}
	return goNested(t, col, row)
}

func goNested(t *schema.Type, col arrow.Array, row int) any {
	switch c := col.(type) {
	case *array.Map:
		key, elem := t.Key, t.Elem
		if t.Kind == schema.Multiset {
			key, elem = t.Elem, &schema.Type{Kind: schema.Int}
		}
		from, to := c.ValueOffsets(row)
		pairs := c.ListValues().(*array.Struct)
		m := make(map[any]any, to-from)
		for i := int(from); i < int(to); i++ {
			k := goCell(key, pairs.Field(0), i)
			if b, ok := k.([]byte); ok {
				k = string(b)
			}
			m[k] = goCell(elem, pairs.Field(1), i)
		}
		return m
	case *array.List:
		from, to := c.ValueOffsets(row)
		list := make([]any, 0, to-from)
		for i := int(from); i < int(to); i++ {
			list = append(list, goCell(t.Elem, c.ListValues(), i))
		}
		return list
	case *array.Struct:
		r := make(Row, len(t.Fields))
		for i := range t.Fields {
			r[t.Fields[i].Name] = goCell(&t.Fields[i].Type, c.Field(i), row)
		}
		return r
	}
	return nil
}
