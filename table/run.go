package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// fileRun reads the files of a run one after the other, in the read schema.
// For a merge, and as stored rows, it hands out sequence numbers and kinds too;
// otherwise only rows that are visible. It implements lsm.Run.
type fileRun struct {
	ctx     context.Context // of the read this run belongs to
	split   *splitReader
	files   rankedRun
	merging bool
	stored  bool // with sequence numbers and kinds, rows that are deletes too
	batch   int
	ahead   int64 // bytes to read at once of a column, 0 for the reader's default
	want    []schema.Field
	within  *keyRange // of files in key order: only rows in there, nil for all
	places  *places   // adds the column of places, nil for none
	over    bool      // what is left lies behind the range

	at     int // files opened so far
	object store.Object
	reader *datafile.Reader
	plans  []columnPlan
	kinds  bool             // the open file may hold deletes, so kinds are read
	gone   *deletion.Vector // rows of the open file that were deleted, nil for none
	left   int64            // rows of the open file that were not read yet
	schema *arrow.Schema
}

func (r *splitReader) newRun(ctx context.Context, files rankedRun, merging bool, batch int) *fileRun {
	return &fileRun{ctx: ctx, split: r, files: files, merging: merging, stored: merging, batch: batch, want: r.stored}
}

// Name is the file being read.
func (f *fileRun) Name() string {
	if f.at == 0 {
		return f.files[0].Name
	}
	return f.files[f.at-1].Name
}

// Rank is the age of the file being read.
func (f *fileRun) Rank() int { return f.files[max(f.at-1, 0)].rank }

// Close closes the open file.
func (f *fileRun) Close() error {
	var errs []error
	if f.reader != nil {
		errs = append(errs, f.reader.Close())
	}
	if f.object != nil {
		errs = append(errs, f.object.Close())
	}
	f.reader, f.object = nil, nil
	return errors.Join(errs...)
}

// Next returns the next batch that has rows.
func (f *fileRun) Next() (arrow.RecordBatch, error) {
	for {
		if f.reader == nil {
			for f.within != nil && f.at < len(f.files) && !f.within.admits(f.split.keyTypes, &f.files[f.at].DataFile) {
				f.at++
			}
			if f.at == len(f.files) || f.over {
				return nil, io.EOF
			}
			if err := f.openNext(); err != nil {
				return nil, err
			}
		}
		rec, err := f.reader.Next()
		if errors.Is(err, io.EOF) {
			if err := f.endOfFile(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		f.left -= rec.NumRows()
		out, err := f.shape(rec)
		rec.Release()
		if err == nil && f.within != nil {
			out, err = f.cut(out)
		}
		if err != nil || out.NumRows() > 0 {
			return out, err
		}
		out.Release()
	}
}

// cut leaves the rows within the range. Behind its end there is nothing to read.
func (f *fileRun) cut(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	if rec.NumRows() == 0 {
		return rec, nil
	}
	key := rec.Schema().FieldIndices(f.within.field.Name)[0]
	from, to, past, err := f.within.within(rec.Column(key))
	if err == nil && from == 0 && int64(to) == rec.NumRows() {
		return rec, nil
	}
	defer rec.Release()
	if err != nil {
		return nil, err
	}
	if past {
		f.over = true
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	return rec.NewSlice(int64(from), int64(to)), nil
}

// openNext opens the next file of the run.
func (f *fileRun) openNext() error {
	meta := &f.files[f.at].DataFile
	f.at++
	s := f.split.scan
	own, err := s.table.schemas.get(f.ctx, meta.SchemaID)
	if err != nil {
		return err
	}
	if f.plans, err = planColumns(f.want, own.Fields, s.table.settings.TimeZone); err != nil {
		return &fault.Error{File: meta.Name, Err: err}
	}
	f.places.narrow(meta.Name, f.plans)
	if f.gone = nil; f.split.vectorOf != nil {
		if f.gone, err = f.split.vectorOf(f.ctx, meta); err != nil {
			return err
		}
	}
	f.kinds = f.stored || (len(s.schema.PrimaryKeys) > 0 && mayDelete(*meta))
	st, key, err := f.split.locate(f.ctx, meta)
	if err != nil {
		return err
	}
	if f.object, err = st.Open(f.ctx, key, meta.Size); err != nil {
		return err
	}
	f.reader, err = datafile.Open(f.ctx, f.object, key, datafile.ReaderOptions{
		Format: fileFormat(meta.Name), Fields: f.asked(), BatchRows: f.batch, ReadAhead: f.ahead, Alloc: s.table.world.Alloc,
		// Files of append tables may have been taken over from elsewhere, without columns added later.
		Complete: len(own.PrimaryKeys) > 0,
		Keep:     f.keep(meta, own), Parallel: f.columnsAtOnce(), Prefetch: !f.merging && f.split.parallel > 1,
	})
	if err != nil {
		return err
	}
	f.left = meta.Rows
	if n := f.reader.Rows(); n >= 0 && n != meta.Rows {
		return f.wrongRows(n)
	}
	return nil
}

// columnsAtOnce: runs of a merge are decoded beside each other already.
func (f *fileRun) columnsAtOnce() int {
	if f.merging {
		return 1
	}
	return f.split.parallel
}

// endOfFile closes a file that was read to its end. A format that does not
// say how many rows it has is read whole, so they were counted.
func (f *fileRun) endOfFile() error {
	meta := &f.files[f.at-1].DataFile
	if f.reader.Rows() < 0 && f.left != 0 {
		return f.wrongRows(meta.Rows - f.left)
	}
	return f.Close()
}

func (f *fileRun) wrongRows(n int64) error {
	meta := &f.files[f.at-1].DataFile
	return fault.Corrupt(meta.Name, fmt.Sprintf("holds %d rows, its manifest says %d", n, meta.Rows), nil)
}

// asked are the columns to read from the file, under the names it has for them.
func (f *fileRun) asked() []schema.Field {
	var out []schema.Field
	if f.stored {
		out = append(out, schema.Field{Name: schema.SequenceName, Type: schema.Type{Kind: schema.BigInt}})
	}
	if f.kinds {
		out = append(out, schema.Field{Name: schema.ValueKindName, Type: schema.Type{Kind: schema.TinyInt}})
	}
	for _, p := range f.plans {
		if p.have {
			out = append(out, p.ask)
		}
	}
	return out
}

// keep prunes row groups and pages: by the whole filter where this file's rows
// stand alone, by the key alone where they hide older versions.
func (f *fileRun) keep(meta *manifest.DataFile, own *schema.Table) func(func(string) (datafile.ColumnStats, bool), int64) bool {
	filter := f.split.scan.filter
	if f.merging {
		filter = f.split.keyPart
	}
	if filter.IsTrue() && f.within == nil {
		return nil
	}
	return func(stats func(string) (datafile.ColumnStats, bool), rows int64) bool {
		evolved := throughSchema(f.split.scan.schema, own.Fields, func(name string) (any, any, int64, bool) {
			c, ok := stats(name)
			return c.Min, c.Max, c.Nulls, ok
		}, rows)
		known := func(name string) (any, any, int64, bool) {
			if f.split.constant[name] != nil {
				return nil, nil, -1, false
			}
			return evolved(name)
		}
		if f.within != nil {
			if least, greatest, _, _ := known(f.within.field.Name); !f.within.overlaps(least, greatest) {
				return false
			}
		}
		return filter.MayMatch(known, rows)
	}
}

// shape brings a batch of the file to the read schema.
func (f *fileRun) shape(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	mem := f.split.scan.table.world.Alloc
	cols := make([]arrow.Array, 0, len(f.plans)+2)
	defer func() { releaseAll(cols) }()
	from := 0
	if f.stored {
		rec.Column(0).Retain()
		rec.Column(1).Retain()
		cols = append(cols, rec.Column(0), rec.Column(1))
		from = 2
	} else if f.kinds {
		from = 1
	}
	for i := range f.plans {
		var col arrow.Array
		if f.plans[i].have {
			col = rec.Column(from)
			from++
		}
		out, err := f.plans[i].apply(col, int(rec.NumRows()), mem)
		if err != nil {
			return nil, err
		}
		cols = append(cols, out)
	}
	if f.places != nil {
		cols = append(cols, f.places.column(f.Name(), f.reader.Position(), int(rec.NumRows()), mem))
	}
	if f.schema == nil {
		f.schema = f.outSchema()
	}
	out := array.NewRecordBatch(f.schema, cols, rec.NumRows())
	rows, all := f.visible(rec)
	if all {
		return out, nil
	}
	defer out.Release()
	return take.Record(out, rows, mem)
}

func (f *fileRun) outSchema() *arrow.Schema {
	var fields []arrow.Field
	if f.stored {
		fields = append(fields,
			arrow.Field{Name: schema.SequenceName, Type: arrow.PrimitiveTypes.Int64},
			arrow.Field{Name: schema.ValueKindName, Type: arrow.PrimitiveTypes.Int8})
	}
	for _, p := range f.plans {
		fields = append(fields, arrow.Field{Name: p.want.Name, Type: p.arrow, Nullable: true})
	}
	if f.places != nil {
		fields = append(fields, placeField)
	}
	return arrow.NewSchema(fields, nil)
}

// visible are the rows of a batch that no deletion vector marks and that, alone,
// are not deletes themselves; all tells that they are all.
func (f *fileRun) visible(rec arrow.RecordBatch) (rows []int32, all bool) {
	all = true
	if f.gone != nil {
		rows, all = f.gone.Live(f.reader.Position(), int(rec.NumRows()))
	}
	if f.stored || !f.kinds {
		return rows, all
	}
	kinds := rec.Column(0).(*array.Int8).Values()
	if all {
		rows = make([]int32, 0, len(kinds))
		for i := range kinds {
			rows = append(rows, int32(i))
		}
	}
	return slices.DeleteFunc(rows, func(i int32) bool { return mergeengine.Retracts(kinds[i]) }), false
}

// fileFormat is what follows the last dot of a file's name.
func fileFormat(name string) string { return strings.TrimPrefix(path.Ext(name), ".") }
