package table

import (
	"cmp"
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// readRows reads rows of a file, by its number; the caller releases them.
type readRows func(file int, rows []datafile.RowRange) (arrow.RecordBatch, error)

// rowsAt are the rows at places, in their order, of which none is nowhere. Each
// file is read once, in the columns of the result.
func rowsAt(as *arrow.Schema, places []place, mem memory.Allocator, read readRows) (arrow.RecordBatch, error) {
	refs := make([]vector.Ref, len(places))
	order := make([]int, len(places))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
	var sources []arrow.RecordBatch
	defer func() { releaseRecords(sources) }()
	for len(order) > 0 {
		file, n := places[order[0]].file(), 1
		for n < len(order) && places[order[n]].file() == file {
			n++
		}
		var rows []datafile.RowRange
		at := -1 // in the rows read
		for i, o := range order[:n] {
			if row := places[o].row(); i == 0 || places[order[i-1]] != places[o] {
				at++
				if last := len(rows) - 1; last >= 0 && rows[last].To == row {
					rows[last].To++
				} else {
					rows = append(rows, datafile.RowRange{From: row, To: row + 1})
				}
			}
			refs[o] = vector.MakeRef(len(sources), at)
		}
		rec, err := read(file, rows)
		if err != nil {
			return nil, err
		}
		sources, order = append(sources, rec), order[n:]
	}
	return gatherBatch(as, sources, refs, mem)
}

// fetcher reads columns of rows of a split that are known by their places.
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

// fetch reads the rows at places. The caller releases them.
func (q *fetcher) fetch(ctx context.Context, places []place) (arrow.RecordBatch, error) {
	as, err := schema.ArrowSchema(q.fields)
	if err != nil {
		return nil, err
	}
	return rowsAt(as, places, q.reader.scan.table.world.Alloc, func(file int, rows []datafile.RowRange) (arrow.RecordBatch, error) {
		return q.read(ctx, file, rows)
	})
}

// read reads rows of one file and brings them to the read schema.
func (q *fetcher) read(ctx context.Context, file int, rows []datafile.RowRange) (arrow.RecordBatch, error) {
	meta, t := &q.files[file], q.reader.scan.table
	own, err := t.schemas.get(ctx, meta.SchemaID)
	if err != nil {
		return nil, err
	}
	plan, err := planRows(q.fields, own, false, t.settings.TimeZone)
	if err != nil {
		return nil, &fault.Error{File: meta.Name, Err: err}
	}
	if q.open[file] == nil {
		if q.open[file], err = q.openFile(ctx, meta); err != nil {
			return nil, err
		}
	}
	rec, err := q.open[file].ReadRows(ctx, plan.ask, rows)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	return plan.shape(rec, t.world.Alloc)
}

func (q *fetcher) openFile(ctx context.Context, meta *manifest.DataFile) (*datafile.File, error) {
	st, key, err := q.reader.locate(ctx, meta)
	if err != nil {
		return nil, err
	}
	object, err := st.Open(ctx, key, meta.Size)
	if err != nil {
		return nil, err
	}
	return datafile.OpenFile(ctx, object, key, q.reader.scan.table.world.Alloc)
}

func (q *fetcher) close() {
	for _, f := range q.open {
		if f != nil {
			_ = f.Close()
		}
	}
}
