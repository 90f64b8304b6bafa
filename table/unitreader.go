package table

import (
	"context"
	"errors"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

const (
	// unitBytes bounds, roughly, the batches that the runs of a compaction are
	// in; some more are on their way, and as much again is read ahead.
	unitBytes = 4 << 20
	// mergedBytes bounds a batch on its way into a file.
	mergedBytes = 4 << 20
)

// unitReader reads the sections of a unit as rows of new files: all columns
// of the newest schema, with keys, sequence numbers and kinds.
type unitReader struct {
	c       *compaction
	split   *splitReader
	ranks   map[string]int
	rowSize int64
	names   []string      // of the value columns
	values  *arrow.Schema // the value columns
	files   *arrow.Schema // the columns of a file
	levels  []int         // by rank
	probe   *prober       // nil when there is nothing to look up
	folds   bool          // keys of one version are merged as well
	beside  int           // ranges of keys that are merged at once
}

func (c *compaction) newReader(ctx context.Context) (*unitReader, error) {
	t := c.table
	if err := t.mayWriteAgain(schemasOf(c.unit.Files)...); err != nil {
		return nil, err
	}
	s, err := t.wholeReader(c.partition, c.bucket)
	if err != nil {
		return nil, err
	}
	s.vectorOf = c.view.of
	n := len(c.unit.Files)
	r := &unitReader{c: c, split: s, ranks: make(map[string]int, n), levels: make([]int, n), names: names(t.schema.Fields), beside: 1}
	for i, rank := range lsm.Ranks(c.unit.Files) {
		r.ranks[c.unit.Files[i].Name] = rank
		r.levels[rank] = c.unit.Files[i].Level
	}
	if r.probe, err = c.newProber(ctx); err != nil {
		return nil, err
	}
	r.rowSize = rowBytes(t.schema.Fields, len(t.schema.Fields), c.unit.Files)
	if r.values, err = schema.ArrowSchema(t.schema.Fields); err != nil {
		return nil, err
	}
	r.files, err = schema.ArrowSchema(t.schema.FileFields(t.options.ThinMode))
	return r, err
}

// wholeReader reads the files of a bucket with every column, those of the
// partition included.
func (t *Table) wholeReader(partition []byte, bucket int) (*splitReader, error) {
	dir, err := t.bucketDir(partition, bucket)
	if err != nil {
		return nil, err
	}
	return &splitReader{
		scan:  &Scan{scanned: scanned{table: t, schema: t.schema}, fields: t.schema.Fields},
		split: Split{SchemaID: t.schema.ID, Partition: partition, Bucket: bucket}, parallel: max(1, t.settings.Parallel/cap(compactions)),
		stored: t.schema.Fields, keyTypes: typesOf(t.schema.KeyFields()), dir: dir, external: externalFiles{table: t},
	}, nil
}

func (r *unitReader) close() error { return errors.Join(r.split.external.close(), r.probe.close()) }

// open starts a section of runs, or a range of its keys; nil is all of them.
// changes are asked for along with the rows, nil for none.
func (r *unitReader) open(ctx context.Context, section []lsm.SortedRun, within *keyRange, changes *lsm.ChangesSpec) (rowSource, error) {
	var inputs []mergeInput
	for _, files := range section {
		inputs = append(inputs, mergeInput{sizeOf(files), heldBy(files, r.rowSize, r.files.NumFields()), func(among int) (lsm.Run, error) {
			return readAhead(r.run(ctx, files, r.batchRows(among), within), r.split.parallel), nil
		}})
	}
	t := r.c.table
	if found := r.found(ctx, section, within); found != nil {
		inputs = append(inputs, *found)
	}
	if len(inputs) == 1 && !r.folds && changes == nil {
		run, err := inputs[0].open(1)
		return &alone{r, run}, err
	}
	levels, err := t.outdating(ctx, t.schema.ID, t.engine, t.options, r.c.unit.Files)
	if err != nil {
		return nil, err
	}
	if levels != nil {
		levels = append(levels, r.c.unit.Output+1) // of the rows that are found above
	}
	// A quarter is for looking keys up, or for the row group that is written.
	return t.merge(ctx, t.options.Spill.MergeBytes/4*3, inputs, lsm.MergeSpec{
		Schema: r.values, Key: names(t.schema.KeyFields()), Sequence: t.options.SequenceFields,
		SequenceDescending: t.options.SequenceDescending, Engine: t.engine, Levels: levels, Alone: r.folds, Output: r.names,
		WithKeys: !t.options.ThinMode, WithSequence: true, WithKind: true, DropDeletes: r.c.dropDeletes, Changes: changes,
		BatchRows: int(min(16384, max(128, mergedBytes/r.rowSize/int64(r.beside)))), Parallel: r.split.parallel, Alloc: t.world.Alloc,
	})
}

// batchRows is how many rows a run is read at once that is one of so many.
func (r *unitReader) batchRows(among int) int {
	return int(min(8192, max(128, unitBytes/r.rowSize/int64(2*among*r.beside))))
}

func closeRuns(runs []lsm.Run) error {
	var errs []error
	for _, run := range runs {
		errs = append(errs, run.Close())
	}
	return errors.Join(errs...)
}

// aheadFor is how much of a column to read at once: what a few batches need, so
// that many runs of many columns stay within bounds.
func (r *unitReader) aheadFor(batch int) int64 {
	return min(1<<20, max(16<<10, 4*int64(batch)*r.rowSize/int64(r.files.NumFields())))
}

// run reads the files of a sorted run, without the records that have expired.
func (r *unitReader) run(ctx context.Context, files lsm.SortedRun, batch int, within *keyRange) lsm.Run {
	own := r.split.newRun(ctx, r.ranked(files), true, batch)
	own.within, own.ahead = within, r.aheadFor(batch)
	var run lsm.Run = own
	if r.c.progress != nil {
		run = &countedRun{run, r.c.progress}
	}
	run = r.c.table.expiry.filter(r.c.table, run)
	if r.probe != nil && !r.probe.merges() {
		run = &probedRun{run, ctx, r.probe, r.levels}
	}
	return run
}

// found are the older rows that are merged with those of a section, nil for none.
func (r *unitReader) found(ctx context.Context, section []lsm.SortedRun, within *keyRange) *mergeInput {
	if r.probe == nil || !r.probe.merges() {
		return nil
	}
	var files []manifest.DataFile
	for _, run := range section {
		for _, f := range run {
			if f.Level == 0 {
				files = append(files, f)
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	return &mergeInput{bytes: math.MaxInt64, open: func(int) (lsm.Run, error) {
		keys, err := r.keysOf(ctx, files, within)
		if err != nil {
			return nil, err
		}
		return r.c.table.expiry.filter(r.c.table, &foundRun{ctx, r.probe, keys, len(r.c.unit.Files)}), nil
	}}
}

func (r *unitReader) ranked(files lsm.SortedRun) rankedRun {
	out := make(rankedRun, len(files))
	for i, f := range files {
		out[i] = rankedFile{f, r.ranks[f.Name]}
	}
	return out
}

// countedRun tells of the rows that are read.
type countedRun struct {
	lsm.Run
	tell func(rows int64)
}

func (c *countedRun) Next() (arrow.RecordBatch, error) {
	rec, err := c.Run.Next()
	if err == nil {
		c.tell(rec.NumRows())
	}
	return rec, err
}

// alone passes on the rows of a section that is one run: no key has two
// versions, so there is nothing to merge.
type alone struct {
	r   *unitReader
	run lsm.Run
}

func (a *alone) Close() error { return a.run.Close() }

func (a *alone) Next() (arrow.RecordBatch, error) {
	for {
		rec, err := a.run.Next()
		if err != nil {
			return nil, err
		}
		out, err := a.stored(rec)
		rec.Release()
		if err != nil || out.NumRows() > 0 {
			return out, err
		}
		out.Release()
	}
}

// stored brings rows of a run to the columns of a file, without deletes where
// these are dropped.
func (a *alone) stored(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	t := a.r.c.table
	var cols []arrow.Array
	for _, f := range a.r.files.Fields()[:a.r.files.NumFields()-2-len(a.r.names)] {
		cols = append(cols, column(rec, f.Name[len(schema.KeyPrefix):]))
	}
	kinds := column(rec, schema.ValueKindName).(*array.Int8)
	cols = append(cols, column(rec, schema.SequenceName), kinds)
	for _, name := range a.r.names {
		cols = append(cols, column(rec, name))
	}
	out := array.NewRecordBatch(a.r.files, cols, rec.NumRows())
	if !a.r.c.dropDeletes {
		return out, nil
	}
	rows := additions(kinds.Values())
	if len(rows) == kinds.Len() {
		return out, nil
	}
	defer out.Release()
	return take.Record(out, rows, t.world.Alloc)
}

// additions are the rows that are no deletes.
func additions(kinds []int8) []int32 {
	rows := make([]int32, 0, len(kinds))
	for i, k := range kinds {
		if !mergeengine.Retracts(k) {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// sizeOf is the number of bytes of files.
func sizeOf(files []manifest.DataFile) (bytes int64) {
	for i := range files {
		bytes += files[i].Size
	}
	return bytes
}
