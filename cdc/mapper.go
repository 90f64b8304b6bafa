package cdc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// Change is one row for a table: what to do with it, and a metadata value for
// each column in schema order (see schema.TimestampValue for their Go types;
// an ARRAY is []any, a MAP [][2]any, a ROW []any).
type Change struct {
	Kind   schema.RowKind
	Values []any
}

// MapperOptions say how to read what an event leaves open. The zero value fits
// connectors with default settings.
type MapperOptions struct {
	// Zone is where clocks without a zone are read for TIMESTAMP_LTZ columns, and
	// the zone whose clock a TIMESTAMP column gets from an instant. Nil is UTC.
	Zone *time.Location
	// Times and Decimals are the connector's modes, for events without schemas.
	Times    TimePrecision
	Decimals DecimalHandling
	// DropUnknown passes over columns that the table does not have. Otherwise
	// they are errors.
	DropUnknown bool
	// Unavailable gives the value of a column that PostgreSQL did not send
	// because it is large and unchanged, as the metadata value of the row with
	// this primary key (its columns in the order of the table's key). Nil makes
	// such an event an error.
	Unavailable func(column string, key []any) (any, error)
	// Placeholder is the connector's unavailable.value.placeholder; empty is
	// Debezium's default.
	Placeholder string
}

// defaultPlaceholder is what Debezium sends for a value that it does not have.
const defaultPlaceholder = "__debezium_unavailable_value"

// Mapper turns events into rows of one table. It belongs to one goroutine.
type Mapper struct {
	table    *schema.Table
	opts     MapperOptions
	decimals evidence
	column   string // the one being converted
	index    map[string]int
	key      []int
	base64   string // of the placeholder
	out      []Change
}

// NewMapper prepares for events of a table.
func NewMapper(t *schema.Table, opts MapperOptions) (*Mapper, error) {
	if err := opts.Times.check(); err != nil {
		return nil, err
	}
	if err := opts.Decimals.check(); err != nil {
		return nil, err
	}
	if opts.Zone == nil {
		opts.Zone = time.UTC
	}
	if opts.Placeholder == "" {
		opts.Placeholder = defaultPlaceholder
	}
	m := &Mapper{table: t, opts: opts, index: make(map[string]int),
		base64: base64.StdEncoding.EncodeToString([]byte(opts.Placeholder))}
	for i, f := range t.Fields {
		m.index[f.Name] = i
	}
	for _, name := range t.PrimaryKeys {
		i, ok := m.index[name]
		if !ok {
			return nil, fault.Invalid(fmt.Sprintf("primary key column %q is not in the table", name))
		}
		m.key = append(m.key, i)
	}
	return m, nil
}

// Rows turns an event into rows, which are valid until the next call.
//
// A table with a primary key gets +I for reads and creates, +U for updates
// (after a -D of the old row when its key changed) and -D for deletes. A table
// without one takes only reads and creates. What the table cannot do, a
// truncate among it, is fault.ErrUnsupported; a value that does not fit is
// fault.ErrInvalid and names its column. Both come as a *LineError. Columns that the
// event does not have are null.
func (m *Mapper) Rows(e *Event) ([]Change, error) {
	m.out = m.out[:0]
	if err := m.rows(e); err != nil {
		return nil, &LineError{Line: e.Line, Text: e.Text, Err: err}
	}
	return m.out, nil
}

func (m *Mapper) rows(e *Event) error {
	if e.Op == Truncate {
		return fault.Unsupported("a truncate of "+e.Table+" among events", "truncate the table by itself, then go on behind this line")
	}
	if len(m.key) == 0 && (e.Op == Update || e.Op == Delete) {
		return fault.Unsupported("an "+e.Op.String()+" of "+e.Table+" into a table without a primary key",
			"give the table a primary key, or leave such events out")
	}
	switch e.Op {
	case Read, Create:
		return m.add(schema.Insert, e, e.After, nil)
	case Delete:
		return m.add(schema.Delete, e, e.Before, e.Key)
	case Update:
		moved, err := m.keyChanged(e)
		if err != nil {
			return err
		}
		if moved {
			if err := m.add(schema.Delete, e, e.Before, nil); err != nil {
				return err
			}
		}
		return m.add(schema.UpdateAfter, e, e.After, nil)
	}
	return fault.Unsupported(e.Op.String(), "leave such events out")
}

// keyChanged compares the key of both rows, where the old one has it.
func (m *Mapper) keyChanged(e *Event) (bool, error) {
	if e.Before == nil {
		return false, nil
	}
	changed := false
	for _, i := range m.key {
		f := m.table.Fields[i]
		was, ok := e.Before.Get(f.Name)
		is, has := e.After.Get(f.Name)
		if !ok || !has {
			return false, nil
		}
		if string(was.raw) == string(is.raw) {
			continue
		}
		a, err := m.value(was, f, e.connector)
		if err != nil {
			return false, err
		}
		b, err := m.value(is, f, e.connector)
		if err != nil {
			return false, err
		}
		changed = changed || schema.Compare(f.Type, a, b) != 0
	}
	return changed, nil
}

// next gives a row of nulls, in memory of an earlier call where there is some.
func (m *Mapper) next(kind schema.RowKind) *Change {
	if len(m.out) < cap(m.out) {
		m.out = m.out[:len(m.out)+1]
	} else {
		m.out = append(m.out, Change{})
	}
	c := &m.out[len(m.out)-1]
	c.Kind = kind
	if c.Values == nil {
		c.Values = make([]any, len(m.table.Fields))
	}
	clear(c.Values)
	return c
}

// add appends one row of the cells of row and, where that has none, of key.
func (m *Mapper) add(kind schema.RowKind, e *Event, row, key Row) error {
	c := m.next(kind)
	var missing []int
	for _, cells := range [...]Row{key, row} {
		for _, cell := range cells {
			i, ok := m.index[cell.Name]
			if !ok {
				if m.opts.DropUnknown {
					continue
				}
				return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("column %q of %s is not in the table", cell.Name, e.Table),
					Hint: "add the column to the table, or let unknown columns be dropped"}
			}
			if m.unavailable(cell) {
				missing = append(missing, i)
				continue
			}
			v, err := m.value(cell, m.table.Fields[i], e.connector)
			if err != nil {
				return err
			}
			if v != nil || c.Values[i] == nil {
				c.Values[i] = v
			}
		}
	}
	if kind == schema.Delete {
		return m.completeDelete(c)
	}
	return m.fetch(c, e, missing)
}

// completeDelete checks the key and gives columns that must not be null, and
// were not sent, a value.
func (m *Mapper) completeDelete(c *Change) error {
	for _, i := range m.key {
		if c.Values[i] == nil {
			return fault.Invalid(fmt.Sprintf("a delete without a value of the key column %q", m.table.Fields[i].Name))
		}
	}
	for i, f := range m.table.Fields {
		if c.Values[i] == nil && !f.Type.Nullable {
			c.Values[i] = zero(f.Type)
		}
	}
	return nil
}

// fetch fills in what the source left out because it did not change.
func (m *Mapper) fetch(c *Change, e *Event, missing []int) error {
	for _, i := range missing {
		f := m.table.Fields[i]
		if was, ok := e.Before.Get(f.Name); ok && !was.Null() && !m.unavailable(was) {
			v, err := m.value(was, f, e.connector)
			if err != nil {
				return err
			}
			c.Values[i] = v
			continue
		}
		if m.opts.Unavailable == nil {
			return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("column %q: the event does not carry the value, which is large and unchanged", f.Name),
				Hint: "set REPLICA IDENTITY FULL on the source table"}
		}
		key := make([]any, len(m.key))
		for k, j := range m.key {
			key[k] = c.Values[j]
		}
		v, err := m.opts.Unavailable(f.Name, key)
		if err != nil {
			return columnError(f.Name, err)
		}
		c.Values[i] = v
	}
	return nil
}

// unavailable recognises the placeholder as text, as bytes, and as the one
// element of an array.
func (m *Mapper) unavailable(cell Cell) bool {
	raw := cell.raw
	if isArray(raw) {
		n := 0
		var first []byte
		_ = eachElement(raw, func(v []byte) error {
			if n++; n == 1 {
				first = v
			}
			return nil
		})
		if n != 1 {
			return n == len(m.opts.Placeholder) && m.placeholderCodes(raw)
		}
		raw = first
	}
	if !isString(raw) {
		return false
	}
	inside := string(raw[1 : len(raw)-1])
	return inside == m.opts.Placeholder || inside == m.base64
}

// placeholderCodes recognises the placeholder in an array of numbers, one for each of its bytes.
func (m *Mapper) placeholderCodes(raw []byte) bool {
	i, same := 0, true
	_ = eachElement(raw, func(v []byte) error {
		same = same && i < len(m.opts.Placeholder) && strings.TrimSuffix(string(v), ".0") == fmt.Sprint(m.opts.Placeholder[i])
		i++
		return nil
	})
	return same
}

// value converts one cell for a column.
func (m *Mapper) value(cell Cell, f schema.Field, connector string) (any, error) {
	m.column = f.Name
	v, err := m.convert(cell, f.Type, connector)
	if err != nil {
		return nil, columnError(f.Name, err)
	}
	return v, nil
}

func (m *Mapper) convert(cell Cell, t schema.Type, connector string) (any, error) {
	if cell.Null() {
		return nil, nil
	}
	if t.Kind.Refused() || t.Kind == schema.Multiset {
		return nil, fault.Unsupported("change events into a column of type "+literal.TypeName(t), "use another type")
	}
	if cell.src == nil || cell.src.form == formJSON {
		return m.untyped(cell.raw, t, connector)
	}
	v, err := cell.src.read(cell.raw)
	if err != nil {
		return nil, err
	}
	if s, ok := v.(string); ok && cell.src == untypedText && (t.Kind == schema.Binary || t.Kind == schema.VarBinary) {
		if v, err = latin1(s); err != nil {
			return nil, err
		}
	}
	return assign(v, t, m.opts.Zone)
}

func columnError(name string, err error) error {
	return &fault.Error{Class: classOf(err), Detail: fmt.Sprintf("column %q", name), Err: err}
}

func classOf(err error) error {
	if errors.Is(err, fault.ErrUnsupported) {
		return fault.ErrUnsupported
	}
	return fault.ErrInvalid
}

// zero is the smallest value of a type that is not null.
func zero(t schema.Type) any {
	switch t.Kind {
	case schema.Boolean:
		return false
	case schema.Char, schema.VarChar:
		return ""
	case schema.Binary, schema.VarBinary:
		return []byte{}
	case schema.Decimal:
		return decimal128.Num{}
	case schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt, schema.Date, schema.Time:
		return literal.Integer(t.Kind, 0)
	case schema.Float:
		return float32(0)
	case schema.Double:
		return float64(0)
	case schema.Timestamp, schema.TimestampLTZ:
		return schema.TimestampValue{}
	case schema.Array:
		return []any{}
	case schema.Map, schema.Multiset:
		return [][2]any{}
	case schema.Row:
		fields := make([]any, len(t.Fields))
		for i, f := range t.Fields {
			if !f.Type.Nullable {
				fields[i] = zero(f.Type)
			}
		}
		return fields
	}
	return nil
}
