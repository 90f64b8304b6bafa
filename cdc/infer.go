package cdc

import (
	"fmt"
	"slices"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// Infer makes the definition of a table that can take the given events, a
// sample of what is to be written. Columns and types are those that the
// sources declare, and where these changed on the way, a type for both;
// columns keep the order in which they first appear. The primary key is the
// events' key; without one the table is append-only. Only key columns are NOT
// NULL.
//
// A column becomes STRING when its declared type has no equal, or when a value
// of the sample does not fit it (MySQL's times beyond a day, PostgreSQL's
// infinite timestamps). Each such decision is one of the notes, for people.
//
// Events without types (Debezium's schemas.enable=false) are fault.ErrInvalid.
func Infer(events []Event) (def schema.Definition, notes []string, err error) {
	in := inferrer{index: make(map[string]int)}
	for i := range events {
		if err := in.event(&events[i]); err != nil {
			return schema.Definition{}, nil, &LineError{Line: events[i].Line, Text: events[i].Text, Err: err}
		}
	}
	if len(in.columns) == 0 {
		return schema.Definition{}, nil, fault.Invalid("no event has a row to infer a table from")
	}
	in.fit(events)
	for i, name := range in.key {
		at, ok := in.index[name]
		if !ok {
			return schema.Definition{}, nil, fault.Invalid(fmt.Sprintf("key column %d, %q, is in no row", i+1, name))
		}
		in.columns[at].Type.Nullable = false
	}
	return schema.Definition{Columns: in.columns, PrimaryKey: in.key}, in.notes, nil
}

type inferrer struct {
	columns []schema.Column
	index   map[string]int
	key     []string
	notes   []string
}

func (in *inferrer) event(e *Event) error {
	for _, row := range [...]Row{e.After, e.Before} {
		for _, cell := range row {
			if err := in.cell(cell); err != nil {
				return err
			}
		}
	}
	if e.Key == nil {
		return nil
	}
	names := make([]string, len(e.Key))
	for i, cell := range e.Key {
		names[i] = cell.Name
	}
	if in.key != nil && !slices.Equal(in.key, names) {
		return fault.Invalid(fmt.Sprintf("the key changed from %q to %q; give the table a definition of its own", in.key, names))
	}
	in.key = names
	return nil
}

func (in *inferrer) cell(cell Cell) error {
	t, ok := cell.Type()
	if !ok {
		return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("column %q comes without a type", cell.Name),
			Hint: "let the converter send schemas (schemas.enable=true), or create the table from a definition"}
	}
	i, known := in.index[cell.Name]
	if !known {
		in.index[cell.Name] = len(in.columns)
		in.columns = append(in.columns, schema.Column{Name: cell.Name, Type: t})
		return nil
	}
	was := in.columns[i].Type
	if was.Kind == t.Kind && !was.Kind.Nested() && was.Precision == t.Precision && was.Scale == t.Scale || was.Equal(t) {
		return nil
	}
	wide := widest(was, t)
	if !wide.Equal(was) {
		in.columns[i].Type = wide
		in.note(cell.Name, fmt.Sprintf("was %s and became %s", literal.TypeName(was), literal.TypeName(t)), wide)
	}
	return nil
}

func (in *inferrer) note(column, why string, t schema.Type) {
	in.notes = append(in.notes, fmt.Sprintf("column %q is %s: %s", column, literal.TypeName(t), why))
}

// fit tries every value of the sample; a column that cannot take one becomes STRING.
func (in *inferrer) fit(events []Event) {
	m := Mapper{opts: MapperOptions{Zone: time.UTC, Placeholder: defaultPlaceholder}}
	for i := range events {
		for _, row := range [...]Row{events[i].After, events[i].Before} {
			for _, cell := range row {
				c := &in.columns[in.index[cell.Name]]
				if isText(c.Type) || c.Type.Kind.Nested() || m.unavailable(cell) {
					continue
				}
				if _, err := m.convert(cell, c.Type, events[i].connector); err != nil {
					c.Type = stringType()
					in.note(c.Name, fmt.Sprintf("line %d: %v", events[i].Line, err), c.Type)
				}
			}
		}
	}
}

// widest is a type that holds the values of both, STRING if there is no other.
func widest(a, b schema.Type) schema.Type {
	ra, rb := integerRank(a.Kind), integerRank(b.Kind)
	switch {
	case ra > 0 && rb > 0:
		if ra >= rb {
			return a
		}
		return b
	case a.Kind == b.Kind && a.Kind == schema.Decimal:
		return widestDecimal(a, b)
	case a.Kind == schema.Decimal && rb > 0:
		return widestDecimal(a, decimalType(integerDigits[rb], 0))
	case b.Kind == schema.Decimal && ra > 0:
		return widestDecimal(decimalType(integerDigits[ra], 0), b)
	case a.Kind == schema.Float && b.Kind == schema.Double, a.Kind == schema.Double && b.Kind == schema.Float:
		return scalar(schema.Double)
	case a.Kind == b.Kind && (a.Kind == schema.Time || a.Kind == schema.Timestamp || a.Kind == schema.TimestampLTZ):
		return timed(a.Kind, max(a.Precision, b.Precision))
	}
	return stringType()
}

// integerRank orders the integer types; 0 is none.
func integerRank(k schema.Kind) int {
	switch k {
	case schema.TinyInt:
		return 1
	case schema.SmallInt:
		return 2
	case schema.Int:
		return 3
	case schema.BigInt:
		return 4
	}
	return 0
}

// integerDigits are the decimal digits that each rank needs.
var integerDigits = [...]int{0, 3, 5, 10, 19}

func widestDecimal(a, b schema.Type) schema.Type {
	scale := max(a.Scale, b.Scale)
	return decimalType(max(a.Precision-a.Scale, b.Precision-b.Scale)+scale, scale)
}
