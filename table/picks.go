package table

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/schema"
)

// The rows of two versions of a table that are put side by side.
const (
	older = iota
	newer
)

// picks are rows of both sides that are told as changes, in their order.
type picks struct {
	refs  []vector.Ref
	kinds []int8
}

func (p *picks) add(kind schema.RowKind, side, row int) {
	p.refs, p.kinds = append(p.refs, vector.MakeRef(side, row)), append(p.kinds, int8(kind))
}

// pickedSchema is that of columns of picked rows, without their kinds, with
// their sequence numbers if these are asked for.
func pickedSchema(sequence bool, as *arrow.Schema) *arrow.Schema {
	if !sequence {
		return as
	}
	return arrow.NewSchema(append([]arrow.Field{sequenceField}, as.Fields()...), nil)
}

// comparedIn are the columns that may differ in two rows of one key.
func comparedIn(sc *schema.Table, fields []schema.Field) (names []string) {
	same := nameSet(append(sc.KeyFields(), sc.PartitionFields()...))
	for _, f := range fields {
		if !same[f.Name] {
			names = append(names, f.Name)
		}
	}
	return names
}

// gather makes a batch of the picks, with their kinds before the columns of as,
// which are found by name. A side without picks may be nil.
func (p *picks) gather(as *arrow.Schema, sides [2]arrow.RecordBatch, mem memory.Allocator) (arrow.RecordBatch, error) {
	for i, rec := range sides {
		if rec != nil {
			sides[i] = selectColumns(rec, as)
			defer sides[i].Release()
		}
	}
	rows, err := gatherBatch(as, sides[:], p.refs, mem)
	if err != nil {
		return nil, err
	}
	defer rows.Release()
	kinds := int8Array(p.kinds, mem)
	defer kinds.Release()
	return array.NewRecordBatch(arrow.NewSchema(append([]arrow.Field{valueKindField}, as.Fields()...), nil),
		append([]arrow.Array{kinds}, rows.Columns()...), rows.NumRows()), nil
}

func int8Array(values []int8, mem memory.Allocator) arrow.Array {
	b := array.NewInt8Builder(mem)
	defer b.Release()
	b.AppendValues(values, nil)
	return b.NewArray()
}

// sameCells tells that two rows are the same in columns of theirs.
func sameCells(a []arrow.Array, row int, b []arrow.Array, other int) bool {
	for i := range a {
		if !cell.Equal(a[i], row, b[i], other) {
			return false
		}
	}
	return true
}
