package table

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

// rowPlan says how wanted columns come out of the files of one schema.
type rowPlan struct {
	columns []columnPlan
	ask     []schema.Field // of the file reader: the system columns, if wanted, and those that the file has
	system  int            // how many of them are system columns
	schema  *arrow.Schema  // of the result
}

// systemFields are the columns that every file of a keyed table has.
var systemFields = []schema.Field{
	{Name: schema.SequenceName, Type: schema.Type{Kind: schema.BigInt}},
	{Name: schema.ValueKindName, Type: schema.Type{Kind: schema.TinyInt}},
}

// planRows plans to read columns from files of a schema, with the sequence
// number and the kind of each row before them if system is set. Zone is the session's, for casts.
func planRows(want []schema.Field, own *schema.Table, system bool, zone *time.Location) (*rowPlan, error) {
	p := &rowPlan{}
	var err error
	if p.columns, err = planColumns(want, own.Fields, zone); err != nil {
		return nil, err
	}
	result := want
	if system {
		p.system = len(systemFields)
		p.ask = append(p.ask, systemFields...)
		result = append(append([]schema.Field{}, systemFields...), want...)
	}
	for _, c := range p.columns {
		if c.have {
			p.ask = append(p.ask, c.ask)
		}
	}
	p.schema, err = schema.ArrowSchema(result)
	return p, err
}

// shape brings a batch of the asked columns to the wanted ones. The caller
// releases both.
func (p *rowPlan) shape(rec arrow.RecordBatch, mem memory.Allocator) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, p.system+len(p.columns))
	defer func() { releaseAll(cols) }()
	for i := range p.system {
		rec.Column(i).Retain()
		cols = append(cols, rec.Column(i))
	}
	from := p.system
	for i := range p.columns {
		var col arrow.Array
		if p.columns[i].have {
			col = rec.Column(from)
			from++
		}
		out, err := p.columns[i].apply(col, int(rec.NumRows()), mem)
		if err != nil {
			return nil, err
		}
		cols = append(cols, out)
	}
	return array.NewRecordBatch(p.schema, cols, rec.NumRows()), nil
}
