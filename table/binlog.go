package table

import (
	"context"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// The system table "binlog" is audit_log with an array in each column: of
// changes from a changelog, the rows before and after an update are one row
// [before, after] of kind +U; every other row is alone in its arrays.

func binlog(ctx context.Context, t *Table, o *ScanOptions) (*systemView, error) {
	k, err := t.kinded(ctx, o)
	if err != nil {
		return nil, err
	}
	return &systemView{fields: k.columns(arrays(k.fields)), rows: k.binlogRows}, nil
}

// arrays are columns of arrays of nullable values of columns.
func arrays(fields []schema.Field) []schema.Field {
	out := make([]schema.Field, len(fields))
	for i, f := range fields {
		element := f.Type
		element.Nullable = true
		out[i] = f
		out[i].Type = schema.Type{Kind: schema.Array, Nullable: true, Elem: &element}
	}
	return out
}

func (k *kinded) binlogRows(ctx context.Context, need systemNeed) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		fields := k.needed(need)
		shown, err := schema.ArrowSchema(k.columns(arrays(fields)))
		if err != nil {
			yield(nil, err)
			return
		}
		p := &rowPacker{kinded: k, shown: shown}
		defer p.release()
		for rec, err := range k.read(ctx, fields, predicate.True(), k.rowsFor(need.limit)) {
			if err != nil {
				yield(nil, err)
				return
			}
			if rec, err = p.complete(rec); err == nil && rec.NumRows() > 0 {
				var out arrow.RecordBatch
				out, err = p.pack(rec)
				if !handOut(out, err, yield) {
					rec.Release()
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			rec.Release()
		}
		if p.held != nil { // its +U never came
			out, err := p.pack(p.held)
			handOut(out, err, yield)
		}
	}
}

// rowsFor is how many rows make so many packed ones at most.
func (k *kinded) rowsFor(limit int64) int64 {
	if k.pairs {
		return 2 * limit
	}
	return limit
}

// rowPacker makes arrays of rows.
type rowPacker struct {
	*kinded
	shown *arrow.Schema
	held  arrow.RecordBatch // a last row of kind -U, whose +U is in the next batch
}

func (p *rowPacker) release() {
	if p.held != nil {
		p.held.Release()
		p.held = nil
	}
}

// complete puts the row that was held before a batch, and holds its last one
// if the row behind it is missing. The caller releases the result.
func (p *rowPacker) complete(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	rec.Retain()
	if p.held != nil {
		whole, err := joinBatches([]arrow.RecordBatch{p.held, rec}, p.alloc)
		rec.Release()
		p.release()
		if err != nil {
			return nil, err
		}
		rec = whole
	}
	kinds, last := rec.Column(0).(*array.Int8).Values(), rec.NumRows()-1
	if !p.pairs || last < 0 || schema.RowKind(kinds[last]) != schema.UpdateBefore {
		return rec, nil
	}
	defer rec.Release()
	p.held = rec.NewSlice(last, last+1)
	return rec.NewSlice(0, last), nil
}

// firsts are the rows that begin a packed row: all but a +U right behind a -U.
func (p *rowPacker) firsts(kinds []int8) []int32 {
	rows := make([]int32, 0, len(kinds)+1)
	for i, kind := range kinds {
		if !p.pairs || i == 0 || schema.RowKind(kind) != schema.UpdateAfter || schema.RowKind(kinds[i-1]) != schema.UpdateBefore {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// pack makes rows of arrays, which share the memory of the rows.
func (p *rowPacker) pack(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	n := int(rec.NumRows())
	kinds := rec.Column(0).(*array.Int8).Values()
	begin := p.firsts(kinds)
	rows := len(begin)
	last := make([]int8, rows) // the kind of a packed row is that of its last one
	begin = append(begin, int32(n))
	for i := range last {
		last[i] = kinds[begin[i+1]-1]
	}
	cols := []arrow.Array{kindTexts(last, p.alloc)}
	defer func() { releaseAll(cols) }()
	from := 1
	if p.sequence {
		numbers, err := take.Array(rec.Column(1), begin[:rows], p.alloc)
		if err != nil {
			return nil, err
		}
		cols, from = append(cols, numbers), 2
	}
	offsets := memory.NewResizableBuffer(p.alloc)
	defer offsets.Release()
	offsets.Resize(arrow.Int32Traits.BytesRequired(len(begin)))
	copy(arrow.Int32Traits.CastFromBytes(offsets.Bytes()), begin)
	for i := from; i < int(rec.NumCols()); i++ {
		data := array.NewData(p.shown.Field(i).Type, rows, []*memory.Buffer{nil, offsets}, []arrow.ArrayData{rec.Column(i).Data()}, 0, 0)
		cols = append(cols, array.MakeFromData(data))
		data.Release()
	}
	return array.NewRecordBatch(p.shown, cols, int64(rows)), nil
}
