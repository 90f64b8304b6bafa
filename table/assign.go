package table

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/conform"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// assignment is an Assignment whose columns were found.
type assignment struct {
	Assignment
	at    int         // column that is set
	from  int         // column that it is taken from, -1 for none
	cell  arrow.Array // the value, of one row
	dtype arrow.DataType
}

// assign checks what an update sets.
func (c *change) assign(set []Assignment) error {
	if len(set) == 0 {
		return fault.Invalid("an update that sets no column")
	}
	c.set = []assignment{}
	for _, a := range set {
		one, err := c.bind(a)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(c.set, func(b assignment) bool { return b.Name == a.Name }) {
			one.release()
			return fault.Invalid(fmt.Sprintf("column %q is set twice", a.Name))
		}
		c.set = append(c.set, one)
	}
	return nil
}

func (c *change) bind(a Assignment) (assignment, error) {
	fields := c.table.schema.Fields
	one := assignment{Assignment: a, at: c.table.schema.Index(a.Name), from: -1}
	ways := 0
	for _, given := range []bool{a.Value != nil, a.Expr != "", a.Compute != nil} {
		if given {
			ways++
		}
	}
	switch {
	case one.at < 0:
		return one, fault.Invalid(fmt.Sprintf("no column %q in the table", a.Name))
	case ways > 1:
		return one, fault.Invalid(fmt.Sprintf("column %q is set to more than one thing", a.Name))
	}
	f := fields[one.at]
	field, err := schema.ArrowField(f)
	if err != nil {
		return one, err
	}
	one.dtype = field.Type
	var v any
	switch {
	case a.Compute != nil:
		return one, nil
	case a.Expr != "":
		var from string
		if v, from, err = predicate.ParseValue(a.Expr, f, fields, c.table.settings.TimeZone); err == nil && from != "" {
			one.from = c.table.schema.Index(from)
			return one, nil
		}
	case a.Value != nil:
		v, err = goValue(f.Type, reflect.ValueOf(a.Value), c.table.settings.TimeZone)
	}
	if err != nil {
		return one, columnError(a.Name, err)
	}
	one.cell, err = oneCell(f, v, c.table.world.Alloc)
	return one, err
}

func (a *assignment) release() {
	if a.cell != nil {
		a.cell.Release()
	}
}

func (c *change) release() {
	for i := range c.set {
		c.set[i].release()
	}
}

// changed is a batch of rows, all columns in schema order, as the update leaves
// them. The caller releases it.
func (c *change) changed(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	cols := slices.Clone(rec.Columns())
	fields := slices.Clone(rec.Schema().Fields())
	var made []arrow.Array
	defer func() { releaseAll(made) }()
	for i := range c.set {
		a := &c.set[i]
		col, err := c.values(a, rec)
		if err != nil {
			return nil, columnError(a.Name, err)
		}
		made = append(made, col)
		cols[a.at] = col
		fields[a.at] = arrow.Field{Name: a.Name, Type: a.dtype, Nullable: true}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, rec.NumRows()), nil
}

func (c *change) values(a *assignment, rec arrow.RecordBatch) (arrow.Array, error) {
	mem := c.table.world.Alloc
	switch {
	case a.Compute != nil:
		col, err := a.Compute(rec)
		if err != nil {
			return nil, err
		}
		if col == nil {
			return nil, fault.Invalid("no values were computed")
		}
		defer col.Release()
		if int64(col.Len()) != rec.NumRows() {
			return nil, fault.Invalid(fmt.Sprintf("%d values were computed for %d rows", col.Len(), rec.NumRows()))
		}
		return conform.Array(col, a.dtype, mem)
	case a.from >= 0:
		return conform.Array(rec.Column(a.from), a.dtype, mem)
	}
	return take.Array(a.cell, make([]int32, rec.NumRows()), mem)
}
