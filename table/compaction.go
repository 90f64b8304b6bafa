package table

import (
	"context"
	"errors"
	"runtime"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// compaction is one unit of one bucket on its way into new files. It reads
// files and writes files; who needs to know learns from what it returns.
type compaction struct {
	table       *Table
	partition   []byte
	bucket      int
	unit        lsm.Unit
	top         int                 // the bucket's highest level
	dropDeletes bool                // nothing older lies below the unit
	above       []manifest.DataFile // files on the levels above the output
	view        *vectorView         // deletion vectors of the bucket, nil for none

	progress func(rows int64) // told of rows read, by several goroutines; may be nil
}

// compactResult is what a compaction did: files to take out of the bucket and
// files to put in. A file that only moved to another level is in both.
// changelog are the files of what it found to have changed, marks rows of
// other files that are outdated by it. base are the files above level 0 among
// which keys were looked up, nil where none were.
type compactResult struct {
	before, after, changelog []manifest.DataFile
	marks                    vectorMarks
	base                     []string
}

// compactions bounds how many compactions run in this process at a time, of
// all writers, buckets and tables together: each holds its readers' batches
// and a row group in memory, and keeps about two cores busy.
var compactions = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// inTurn does a compaction's work once there is room for it.
func inTurn(ctx context.Context, work func() error) error {
	select {
	case compactions <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-compactions }()
	if err := ctx.Err(); err != nil {
		return err
	}
	return work()
}

// compareKeys orders the bodies of trimmed primary keys.
func (t *Table) compareKeys() func(a, b []byte) int {
	types := typesOf(t.schema.KeyFields())
	return func(a, b []byte) int { return binaryrow.Compare(types, a, b) }
}

// steps are the unit's work in key order.
func (c *compaction) steps() []lsm.Step {
	t := c.table
	return c.unit.Steps(t.compareKeys(), lsm.StepOptions{
		Small: t.options.SmallFileSize(true),
		Rewrite: func(f *manifest.DataFile) bool {
			return c.unit.Output == c.top && mayDelete(*f) || t.mustRewrite(f) || c.lookupRewrites(f)
		},
	})
}

// mustRewrite tells that a file is to be written anew whenever a compaction
// comes across it.
func (t *Table) mustRewrite(f *manifest.DataFile) bool {
	return t.options.Compaction.ForceRewrite || t.expiry.stale(t, f)
}

// lookupRewrites tells that a file cannot move up as it is because of what
// looking up its keys changes: deletes that take effect as marks, rows that are
// dropped, or merged with older ones.
func (c *compaction) lookupRewrites(f *manifest.DataFile) bool {
	o := c.table.options
	if !o.NeedsLookup() || f.Level > 0 {
		return false
	}
	if o.DeletionVectors && mayDelete(*f) || o.FileFormatFor(0) != o.FileFormatFor(c.unit.Output) {
		return true
	}
	plain := o.MergeEngine == "deduplicate" && len(o.SequenceFields) == 0
	return c.unit.Output < c.top && !plain
}

// run does the work. After an error nothing that it wrote is left.
func (c *compaction) run(ctx context.Context) (done compactResult, err error) {
	dir, err := c.table.bucketDir(c.partition, c.bucket)
	if err != nil {
		return compactResult{}, err
	}
	out, err := c.newOutput(dir)
	if err != nil {
		return compactResult{}, err
	}
	r, err := c.newReader(ctx)
	if err != nil {
		return compactResult{}, err
	}
	done, err = c.work(ctx, r, out)
	if err = errors.Join(err, r.close()); err != nil {
		return compactResult{}, errors.Join(err, out.discard())
	}
	rows, changes := out.take()
	done.after, done.changelog, done.base = append(done.after, rows...), changes, c.base()
	return done, nil
}

// base are the files above level 0 that decide about rows of the result: a unit
// holds all up to its output level.
func (c *compaction) base() []string {
	if !c.table.options.NeedsLookup() || c.unit.Output == 0 || !fromLevel0(c.unit.Files) {
		return nil
	}
	return namesAbove0(slices.Concat(c.unit.Files, c.above))
}

// work goes through the steps. The files that it wrote are those of out.
func (c *compaction) work(ctx context.Context, r *unitReader, out *unitOutput) (done compactResult, err error) {
	for _, step := range c.steps() {
		for _, f := range step.Upgrade {
			if err := c.upgrade(ctx, r, out, f); err != nil {
				return done, err
			}
			done.before = append(done.before, f)
			f.Level = c.unit.Output
			done.after = append(done.after, f)
		}
		if err := c.rewrite(ctx, r, out, step.Rewrite); err != nil {
			return done, err
		}
		for _, section := range step.Rewrite {
			for _, run := range section {
				done.before = append(done.before, run...)
			}
		}
	}
	if r.probe != nil {
		done.marks = r.probe.marks
	}
	return done, nil
}

// foldsAlone tells that keys of one version go through the merge engine like
// all others: so it is where rows leave level 0 and older ones are looked up,
// whether any are found or not.
func (c *compaction) foldsAlone(sections [][]lsm.SortedRun) bool {
	if !outdates(c.table.engine, c.table.options) || c.unit.Output == 0 {
		return false
	}
	return slices.ContainsFunc(sections, func(section []lsm.SortedRun) bool { return slices.ContainsFunc(section, fromLevel0) })
}

// rewrite merges sections, one after the other, into files of their own.
func (c *compaction) rewrite(ctx context.Context, r *unitReader, out *unitOutput, sections [][]lsm.SortedRun) error {
	r.folds = c.foldsAlone(sections)
	for _, section := range sections {
		err := c.inRanges(ctx, r, out, section, func(ctx context.Context, out *unitOutput, within *keyRange) error {
			rows, err := r.open(ctx, section, within, c.changes(ctx, r, out.changelog, section))
			if err != nil {
				return err
			}
			return errors.Join(copyRows(ctx, rows, &out.rolling, r.split.parallel), rows.Close())
		})
		if err != nil {
			return err
		}
	}
	return out.roll()
}

// rowSource yields the merged rows of a section, as files hold them.
type rowSource interface {
	batchSource
	Close() error
}

func copyRows(ctx context.Context, from rowSource, to *rolling, parallel int) error {
	return eachBatch(from, func(rec arrow.RecordBatch) error { return to.write(ctx, rec, parallel) })
}

// makerFor is the maker of the files that compactions write on a level.
func (t *Table) makerFor(level int) (*fileMaker, error) {
	return newFileMaker(t, level, manifest.SourceCompact)
}

// rowBytes is about how many bytes fields of a row of these files take in memory;
// the files have so many columns.
func rowBytes(fields []schema.Field, columns int, files []manifest.DataFile) int64 {
	wide := int64(0)
	for _, f := range fields {
		wide += fieldBytes(f.Type)
	}
	footer := int64(1<<10 + 256*columns) // most of a file of few rows
	packed := int64(0)
	for i := range files {
		packed = max(packed, (files[i].Size-footer)/max(1, files[i].Rows))
	}
	return wide + 2*packed*int64(len(fields))/int64(max(1, columns))
}

func fieldBytes(t schema.Type) int64 {
	switch t.Kind {
	case schema.Boolean, schema.TinyInt:
		return 1
	case schema.SmallInt, schema.Int, schema.Float, schema.Date, schema.Time:
		return 4
	case schema.BigInt, schema.Double, schema.Timestamp, schema.TimestampLTZ:
		return 8
	}
	return 16 // decimals; of texts and nested values offsets and little else
}
