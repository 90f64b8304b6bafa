package table

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// doubts are the kinds of row that a merge engine may not take: -U and -D until
// one of them was tried. A row that its engine refuses must not be stored, since
// the key could never be read or compacted from then on.
type doubts map[schema.RowKind]bool

// newDoubts doubts what the engine of a table may refuse; deduplicate takes
// everything.
func newDoubts(t *Table) doubts {
	if len(t.schema.PrimaryKeys) == 0 || t.options.MergeEngine == "" || t.options.MergeEngine == (mergeengine.Deduplicate{}).Name() {
		return nil
	}
	return doubts{schema.UpdateBefore: true, schema.Delete: true}
}

// settle tries the first row of each kind in doubt that keep lets pass.
func (d doubts) settle(t *Table, rec arrow.RecordBatch, kinds []int8, keep func(int) bool) error {
	for row := 0; row < len(kinds) && len(d) > 0; row++ {
		kind := schema.RowKind(kinds[row])
		if !d[kind] || (keep != nil && !keep(row)) {
			continue
		}
		if err := t.tryRetract(rec, row, kind); err != nil {
			return err
		}
		delete(d, kind)
	}
	return nil
}

// tryRetract merges a retraction of a row with that row, before and after, as
// compactions and reads will.
func (t *Table) tryRetract(rec arrow.RecordBatch, row int, kind schema.RowKind) error {
	r := int32(row)
	rows, err := take.Record(rec, []int32{r, r, r}, t.world.Alloc)
	if err != nil {
		return err
	}
	defer rows.Release()
	b, err := lsm.NewBuffer(t.bufferSpec())
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Add(rows, []int8{int8(schema.Insert), int8(kind), int8(schema.Insert)}, nil); err != nil {
		return err
	}
	_, err = b.Flush(0, func(arrow.RecordBatch) error { return nil })
	return err
}
