package table

import (
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/vector"
)

// batchSource yields batches, which the caller releases, and io.EOF in the end.
type batchSource interface {
	Next() (arrow.RecordBatch, error)
}

// eachBatch visits the batches of a source up to its end and releases them.
func eachBatch(src batchSource, visit func(arrow.RecordBatch) error) error {
	for {
		rec, err := src.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = visit(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// handOut yields a batch that has rows and releases it.
func handOut(rec arrow.RecordBatch, err error, yield func(arrow.RecordBatch, error) bool) bool {
	if err != nil {
		yield(nil, err)
		return false
	}
	defer rec.Release()
	return rec.NumRows() == 0 || yield(rec, nil)
}

// column finds a column that is there.
func column(rec arrow.RecordBatch, name string) arrow.Array {
	return rec.Column(rec.Schema().FieldIndices(name)[0])
}

// selectColumns are the columns of a batch that a schema names.
func selectColumns(rec arrow.RecordBatch, as *arrow.Schema) arrow.RecordBatch {
	cols := make([]arrow.Array, as.NumFields())
	for i := range cols {
		cols[i] = column(rec, as.Field(i).Name)
	}
	return array.NewRecordBatch(as, cols, rec.NumRows())
}

// columnsNamed are columns that are there.
func columnsNamed(rec arrow.RecordBatch, names []string) []arrow.Array {
	cols := make([]arrow.Array, len(names))
	for i, name := range names {
		cols[i] = column(rec, name)
	}
	return cols
}

// gatherBatch makes a batch of chosen rows of sources, whose columns are its
// own. A source that is nil has none of them.
func gatherBatch(as *arrow.Schema, sources []arrow.RecordBatch, refs []vector.Ref, mem memory.Allocator) (arrow.RecordBatch, error) {
	sel := vector.Select(refs)
	cols := make([]arrow.Array, 0, as.NumFields())
	defer func() { releaseAll(cols) }()
	for i, f := range as.Fields() {
		g, err := vector.NewGatherer(f.Type, mem)
		if err != nil {
			return nil, err
		}
		for s, rec := range sources {
			if rec == nil {
				continue
			}
			if err := g.Set(s, rec.Column(i)); err != nil {
				return nil, err
			}
		}
		col, err := g.Take(sel)
		if err != nil {
			return nil, err
		}
		cols = append(cols, col)
	}
	return array.NewRecordBatch(as, cols, int64(len(refs))), nil
}

// joinBatches puts batches of one schema behind one another; there is one at
// least, and one alone is not copied.
func joinBatches(recs []arrow.RecordBatch, mem memory.Allocator) (arrow.RecordBatch, error) {
	if len(recs) == 1 {
		recs[0].Retain()
		return recs[0], nil
	}
	cols := make([]arrow.Array, recs[0].NumCols())
	defer func() { releaseAll(cols) }()
	rows := int64(0)
	for _, rec := range recs {
		rows += rec.NumRows()
	}
	for i := range cols {
		parts := make([]arrow.Array, len(recs))
		for j, rec := range recs {
			parts[j] = rec.Column(i)
		}
		var err error
		if cols[i], err = array.Concatenate(parts, mem); err != nil {
			return nil, err
		}
	}
	return array.NewRecordBatch(recs[0].Schema(), cols, rows), nil
}

// besides is a batch with the columns of both, which have as many rows.
func besides(a, b arrow.RecordBatch) arrow.RecordBatch {
	fields := append(a.Schema().Fields(), b.Schema().Fields()...)
	cols := append(append([]arrow.Array{}, a.Columns()...), b.Columns()...)
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, a.NumRows())
}

func releaseRecords(recs []arrow.RecordBatch) {
	for _, rec := range recs {
		rec.Release()
	}
}

func releaseAll(cols []arrow.Array) {
	for _, c := range cols {
		if c != nil {
			c.Release()
		}
	}
}
