package table

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// splitReader reads one split: files → merge where they overlap → partition
// columns → filter → projection.
type splitReader struct {
	scan     *Scan
	split    Split
	parallel int
	stored   []schema.Field // columns that come out of the files
	constant map[string]arrow.Array
	keyPart  predicate.Expr // the filter's part on the primary key alone
	keyTypes []schema.Type
	dir      string
	external externalFiles
	indexMu  sync.Mutex
	indexes  map[string]indexed // by file, what was asked
	// vectorOf is the deletion vector of a file, nil for none; nil has none of any.
	vectorOf func(ctx context.Context, f *manifest.DataFile) (*deletion.Vector, error)
}

// vectors reads the deletion vectors that a split names.
func (r *splitReader) vectors() func(context.Context, *manifest.DataFile) (*deletion.Vector, error) {
	refs := make(map[string]*VectorRef, len(r.split.Vectors))
	for i := range r.split.Vectors {
		refs[r.split.Vectors[i].File] = &r.split.Vectors[i]
	}
	v := vectorReader{table: r.scan.table, dir: r.scan.table.indexDir(r.dir)}
	return func(ctx context.Context, f *manifest.DataFile) (*deletion.Vector, error) {
		if refs[f.Name] == nil {
			return nil, nil
		}
		return v.read(ctx, refs[f.Name], f)
	}
}

// readSplit yields the rows of a split; batches are borrowed until the next step.
func (s *Scan) readSplit(ctx context.Context, split Split, parallel int) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		r, err := s.newSplitReader(split, parallel)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.release()
		for _, group := range r.groups() {
			if !r.readGroup(ctx, group, nil, yield) {
				return
			}
		}
	}
}

func (s *Scan) newSplitReader(split Split, parallel int) (*splitReader, error) {
	if s.other != nil && split.Branch == s.other.table.branch {
		s = s.ofOther()
	}
	if split.Branch != s.table.branch || s.snapshot == nil || split.Snapshot != s.snapshot.ID || split.SchemaID != s.schema.ID {
		return nil, fault.Invalid(fmt.Sprintf("the split belongs to snapshot %d with schema %d of branch %q, which this scan does not read", split.Snapshot, split.SchemaID, split.Branch))
	}
	keyTypes := typesOf(s.schema.KeyFields())
	for i := range split.Files {
		f := &split.Files[i]
		if f.Level < 0 || f.Rows < 0 || f.Size < 0 {
			return nil, fault.Corrupt(f.Name, "impossible level, rows or size in its metadata", nil)
		}
		if err := checkKeys(keyTypes, f); split.Merge && err != nil {
			return nil, err
		}
	}
	r := &splitReader{scan: s, split: split, parallel: parallel, keyTypes: keyTypes, external: externalFiles{table: s.table}}
	var err error
	if r.dir, err = s.table.bucketDir(split.Partition, split.Bucket); err != nil {
		return nil, err
	}
	r.vectorOf = r.vectors()
	if err := r.constants(); err != nil {
		r.release()
		return nil, err
	}
	needed, merged := s.needed(split.Merge), looksAt(s.engine)
	for _, f := range s.schema.Fields {
		if needed[f.Name] && (r.constant[f.Name] == nil || split.Merge && merged[f.Name]) {
			r.stored = append(r.stored, f)
		}
	}
	r.keyPart, _ = s.filter.OnlyFields(nameSet(s.schema.KeyFields()))
	return r, nil
}

// needed are the columns that must be at hand: those of the result and of the
// filter, and those that decide how rows are merged.
func (s *Scan) needed(merge bool) map[string]bool {
	list := append(names(s.fields), s.filter.Fields()...)
	if merge {
		list = append(list, names(s.schema.KeyFields())...)
		list = append(list, s.merging.SequenceFields...)
		if folder, ok := s.engine.(mergeengine.Folder); ok {
			list = folder.Sources(list)
		}
	}
	set := make(map[string]bool, len(list))
	for _, name := range list {
		set[name] = true
	}
	return set
}

// looksAt are the columns that an engine reads whatever is asked for: all of
// them, partition columns too, if it is a program's own.
func looksAt(engine mergeengine.Engine) map[string]bool {
	set := map[string]bool{}
	if folder, ok := engine.(mergeengine.Folder); ok {
		for _, name := range folder.Sources(nil) {
			set[name] = true
		}
	}
	return set
}

// constants are the partition columns, which come from the files only where the
// engine looks at them.
func (r *splitReader) constants() error {
	fields := r.scan.schema.PartitionFields()
	values, err := binaryrow.Decode(typesOf(fields), r.split.Partition)
	if err != nil {
		return err
	}
	r.constant = make(map[string]arrow.Array, len(fields))
	for i, f := range fields {
		if r.constant[f.Name], err = oneCell(f, values[i], r.scan.table.world.Alloc); err != nil {
			return err
		}
	}
	return nil
}

func (r *splitReader) release() {
	for _, c := range r.constant {
		if c != nil {
			c.Release()
		}
	}
	r.external.close()
}

// rankedRun is a sorted run with the age rank of each of its files.
type rankedRun []rankedFile

type rankedFile struct {
	manifest.DataFile
	rank int
}

func (r rankedRun) metas() []manifest.DataFile {
	out := make([]manifest.DataFile, len(r))
	for i := range r {
		out[i] = r[i].DataFile
	}
	return out
}

// groups cuts the split into pieces that are read one after the other, each a
// list of runs: one run is passed through, several are merged.
func (r *splitReader) groups() [][]rankedRun {
	if !r.split.Merge {
		out := make([][]rankedRun, len(r.split.Files))
		for i, f := range r.split.Files {
			out[i] = []rankedRun{{{f, 0}}}
		}
		return out
	}
	rank := make(map[string]int, len(r.split.Files))
	for i, n := range lsm.Ranks(r.split.Files) {
		rank[r.split.Files[i].Name] = n
	}
	types := typesOf(r.scan.schema.KeyFields())
	var out [][]rankedRun
	for _, section := range lsm.Sections(r.split.Files, func(a, b []byte) int { return binaryrow.Compare(types, a, b) }) {
		var runs []rankedRun
		for _, run := range section {
			var files rankedRun
			for _, f := range run {
				files = append(files, rankedFile{f, rank[f.Name]})
			}
			runs = append(runs, files)
		}
		out = append(out, runs)
	}
	return out
}

// readGroup yields the rows of a group, only those within a range if one is
// given, and tells whether to go on.
func (r *splitReader) readGroup(ctx context.Context, runs []rankedRun, within *keyRange, yield func(arrow.RecordBatch, error) bool) bool {
	runs, err := r.admitted(ctx, runs)
	if err != nil {
		yield(nil, err)
		return false
	}
	if len(runs) == 0 {
		return true
	}
	if len(runs) == 1 {
		run := r.newRun(ctx, runs[0], false, r.scan.options.BatchRows)
		run.stored = r.scan.system.stored(r.scan.schema)
		run.within = within
		return r.passThrough(run.Next, run.Close, yield)
	}
	if q := r.newFiltered(runs); q != nil {
		return q.read(ctx, within, yield)
	}
	m, err := r.openMerge(ctx, runs, r.stored, within, nil)
	if err != nil {
		yield(nil, err)
		return false
	}
	return r.passThrough(m.Next, m.Close, yield)
}

// passThrough finishes batches one by one.
func (r *splitReader) passThrough(next func() (arrow.RecordBatch, error), close func() error, yield func(arrow.RecordBatch, error) bool) bool {
	defer close()
	for {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			yield(nil, err)
			return false
		}
		out, err := r.finish(rec)
		rec.Release()
		if !handOut(out, err, yield) {
			return false
		}
	}
}

// openMerge merges several runs: the batches that come out hold the wanted
// columns, in that order, with the column of places if there are some, and
// only rows that are there to be seen.
func (r *splitReader) openMerge(ctx context.Context, runs []rankedRun, want []schema.Field, within *keyRange, places *places) (rowSource, error) {
	t := r.scan.table
	arrowSchema, err := schema.ArrowSchema(want)
	if err != nil {
		return nil, err
	}
	output := names(want)
	if places != nil {
		arrowSchema = arrow.NewSchema(append(arrowSchema.Fields(), placeField), nil)
		output = append(output, placeField.Name)
	}
	levels, err := t.outdating(ctx, r.scan.schema.ID, r.scan.engine, r.scan.merging, r.split.Files)
	if err != nil {
		return nil, err
	}
	var inputs []mergeInput
	columns := len(want) + 2
	for _, files := range runs {
		metas := files.metas()
		rowSize := rowBytes(want, len(r.scan.schema.Fields), metas)
		inputs = append(inputs, mergeInput{sizeOf(metas), heldBy(metas, rowSize, columns), func(among int) (lsm.Run, error) {
			run := r.newRun(ctx, files, true, runBatchRows(among, rowSize))
			run.want, run.within, run.places = want, within, places
			run.ahead = min(1<<20, max(16<<10, runsAhead/int64(among*columns)))
			return readAhead(run, r.parallel), nil
		}})
	}
	system := r.scan.system.stored(r.scan.schema)
	return t.merge(ctx, t.options.Spill.MergeBytes, inputs, lsm.MergeSpec{
		Schema: arrowSchema, Key: names(r.scan.schema.KeyFields()), Sequence: r.scan.merging.SequenceFields,
		SequenceDescending: r.scan.merging.SequenceDescending, Engine: r.scan.engine, Levels: levels, Output: output,
		WithSequence: system, WithKind: system, DropDeletes: !system || !r.scan.system.deletes, BatchRows: r.scan.options.BatchRows, Parallel: r.parallel, Alloc: t.world.Alloc,
	})
}

// outdates tells that a merge must leave out versions that one at a lower
// level above 0 stands for. Where one version is chosen they lose anyway.
func outdates(engine mergeengine.Engine, o *schema.Options) bool {
	_, folds := engine.(mergeengine.Folder)
	return folds && o.NeedsLookup()
}

// outdating gives the level of each rank of files where a merge must leave out
// versions that one at a lower level stands for, nil elsewhere. o are the
// options of schema id.
func (t *Table) outdating(ctx context.Context, id int64, engine mergeengine.Engine, o *schema.Options, files []manifest.DataFile) ([]int, error) {
	if !outdates(engine, o) {
		return nil, nil
	}
	if sure, err := t.settled(ctx, id, files, looksUp); err != nil || !sure {
		return nil, err
	}
	levels := make([]int, len(files))
	for i, rank := range lsm.Ranks(files) {
		levels[rank] = files[i].Level
	}
	return levels, nil
}

// runsAhead and runsBytes bound what all runs of a merge read ahead and, roughly, the batches that they are in.
const (
	runsAhead = 64 << 20
	runsBytes = 16 << 20
)

// runBatchRows keeps the rows that all runs of a merge hold within these bounds
// and about a quarter of a million.
func runBatchRows(runs int, rowSize int64) int {
	return int(min(8192, max(128, min(262144, runsBytes/rowSize)/int64(runs))))
}

// finish adds partition columns, filters exactly and projects.
func (r *splitReader) finish(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	wide, err := r.widen(rec)
	if err != nil {
		return nil, err
	}
	defer wide.Release()
	return r.scan.matching(wide)
}

// matching are the rows of a wide batch that the scan hands out, in its columns.
func (s *Scan) matching(wide arrow.RecordBatch) (arrow.RecordBatch, error) {
	hide := s.system.stored(s.schema) && !s.system.deletes
	if s.filter.IsTrue() && !hide {
		return s.projected(wide), nil
	}
	keep, err := s.filter.Filter(wide)
	if err != nil {
		return nil, err
	}
	if hide {
		kinds := column(wide, schema.ValueKindName).(*array.Int8).Values()
		keep = slices.DeleteFunc(keep, func(i int32) bool { return mergeengine.Retracts(kinds[i]) })
	}
	narrow := s.projected(wide)
	if len(keep) == int(wide.NumRows()) {
		return narrow, nil
	}
	defer narrow.Release()
	return take.Record(narrow, keep, s.table.world.Alloc)
}

// widen appends the partition columns that the filter or the result need.
func (r *splitReader) widen(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	fields := slices.Clone(rec.Schema().Fields())
	cols := slices.Clone(rec.Columns())
	made := len(cols)
	defer func() { releaseAll(cols[made:]) }()
	zeros := make([]int32, rec.NumRows())
	for _, f := range r.scan.schema.PartitionFields() {
		if slices.ContainsFunc(r.stored, func(s schema.Field) bool { return s.Name == f.Name }) {
			continue
		}
		field, err := schema.ArrowField(f)
		if err != nil {
			return nil, err
		}
		col, err := take.Array(r.constant[f.Name], zeros, r.scan.table.world.Alloc)
		if err != nil {
			return nil, err
		}
		fields, cols = append(fields, field), append(cols, col)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, rec.NumRows()), nil
}

// projected are the columns of the scan.
func (s *Scan) projected(wide arrow.RecordBatch) arrow.RecordBatch {
	cols := make([]arrow.Array, len(s.fields))
	for i, f := range s.fields {
		cols[i] = column(wide, f.Name)
	}
	if s.system != nil {
		return s.withSystem(wide, cols)
	}
	return array.NewRecordBatch(s.arrow, cols, wide.NumRows())
}
