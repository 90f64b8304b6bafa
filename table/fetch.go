package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// fetcher reads columns of rows that are known by their places.
type fetcher struct {
	reader *splitReader
	files  []manifest.DataFile
	open   []*datafile.File // by number, nil until needed
	fields []schema.Field
	rows   int64 // how many to ask for at once, at least
}

// fetchBytes is about what the rows asked for at once take unpacked.
const fetchBytes = 32 << 20

func newFetcher(r *splitReader, files []manifest.DataFile, fields []schema.Field) *fetcher {
	size, rows := int64(0), int64(1)
	for i := range files {
		size, rows = size+files[i].Size, rows+files[i].Rows
	}
	const unpacked = 4 // times the stored size, roughly
	return &fetcher{reader: r, files: files, open: make([]*datafile.File, len(files)), fields: fields,
		rows: max(256, min(int64(r.scan.options.batchRows()), fetchBytes/(unpacked*size/rows+1)))}
}

// columns reads the fields of the rows at the given places; within one file
// places rise. The caller releases the arrays.
func (q *fetcher) columns(ctx context.Context, at []int64) (cols []arrow.Array, err error) {
	ranges := make([][]datafile.RowRange, len(q.files))
	refs := make([]vector.Ref, len(at))
	count := make([]int, len(q.files))
	for i, place := range at {
		file, row := int(place>>placeBits), place&(1<<placeBits-1)
		refs[i] = vector.MakeRef(file, count[file])
		count[file]++
		if of := ranges[file]; len(of) > 0 && of[len(of)-1].To == row {
			of[len(of)-1].To++
		} else {
			ranges[file] = append(of, datafile.RowRange{From: row, To: row + 1})
		}
	}
	parts := make([][]arrow.Array, len(q.files))
	defer func() {
		for _, p := range parts {
			releaseAll(p)
		}
	}()
	for file, rows := range ranges {
		if len(rows) > 0 {
			if parts[file], err = q.read(ctx, file, rows); err != nil {
				return nil, err
			}
		}
	}
	sel := vector.Select(refs)
	for i, f := range q.fields {
		col, err := q.gather(f, i, parts, sel)
		if err != nil {
			releaseAll(cols)
			return nil, err
		}
		cols = append(cols, col)
	}
	return cols, nil
}

func (q *fetcher) gather(f schema.Field, i int, parts [][]arrow.Array, sel vector.Selection) (arrow.Array, error) {
	field, err := schema.ArrowField(f)
	if err != nil {
		return nil, err
	}
	g, err := vector.NewGatherer(field.Type, q.reader.scan.table.world.Alloc)
	if err != nil {
		return nil, err
	}
	for file, cols := range parts {
		if cols != nil {
			if err := g.Set(file, cols[i]); err != nil {
				return nil, err
			}
		}
	}
	return g.Take(sel)
}

// read reads rows of one file and brings them to the read schema.
func (q *fetcher) read(ctx context.Context, file int, rows []datafile.RowRange) (cols []arrow.Array, err error) {
	meta, t := &q.files[file], q.reader.scan.table
	own, err := t.schemas.get(ctx, meta.SchemaID)
	if err != nil {
		return nil, err
	}
	plan, err := planRows(q.fields, own, false, t.settings.TimeZone)
	if err != nil {
		return nil, &fault.Error{File: meta.Name, Err: err}
	}
	rec, err := q.readRows(ctx, file, plan.ask, rows)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	out, err := plan.shape(rec, t.world.Alloc)
	if err != nil {
		return nil, err
	}
	defer out.Release()
	for _, col := range out.Columns() {
		col.Retain()
		cols = append(cols, col)
	}
	return cols, nil
}

func (q *fetcher) readRows(ctx context.Context, file int, ask []schema.Field, rows []datafile.RowRange) (arrow.RecordBatch, error) {
	if q.open[file] == nil {
		st, key, err := q.reader.locate(ctx, &q.files[file])
		if err != nil {
			return nil, err
		}
		object, err := st.Open(ctx, key, q.files[file].Size)
		if err != nil {
			return nil, err
		}
		if q.open[file], err = datafile.OpenFile(ctx, object, key, q.reader.scan.table.world.Alloc); err != nil {
			return nil, err
		}
	}
	return q.open[file].ReadRows(ctx, ask, rows)
}

func (q *fetcher) close() {
	for _, f := range q.open {
		if f != nil {
			_ = f.Close()
		}
	}
}
