package table

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/changelog"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
)

// unitOutput is where a compaction writes: files of rows, and files of what
// became of each key where the table's changelog producer asks for them.
type unitOutput struct {
	rolling
	changelog *rolling // nil for none
}

func (c *compaction) newOutput(dir string) (*unitOutput, error) {
	t := c.table
	files, err := t.makerFor(c.unit.Output)
	if err != nil {
		return nil, err
	}
	out := &unitOutput{rolling: rolling{files: files, dir: dir, id: t.world.NewID()}}
	if !c.producesChangelog() {
		return out, nil
	}
	made, err := newChangelogMaker(t, c.unit.Output)
	if err != nil {
		return nil, err
	}
	made.rowGroup = min(made.rowGroup, compactRowGroup) // writers have a buffer's memory for it
	out.changelog = &rolling{files: made, dir: dir, id: out.id}
	return out, nil
}

// producesChangelog tells that keys of the unit may change for those who follow
// the table (format section 7.6).
func (c *compaction) producesChangelog() bool {
	switch c.table.options.ChangelogProducer {
	case "full-compaction":
		return c.unit.Output == c.top
	case "lookup":
		return c.unit.Output > 0
	}
	return false
}

// another is an output of the same kind under an id of its own, one of several
// that are written at once and share the memory of this one.
func (o *unitOutput) another(id string, among int) *unitOutput {
	next := &unitOutput{rolling: rolling{files: o.files.among(among), dir: o.dir, id: id}}
	if o.changelog != nil {
		next.changelog = &rolling{files: o.changelog.files.among(among), dir: o.dir, id: id}
	}
	return next
}

func (o *unitOutput) roll() error { return errors.Join(o.rolling.roll(), o.changelog.roll()) }

func (o *unitOutput) take() (rows, changes []manifest.DataFile) {
	return o.rolling.take(), o.changelog.take()
}

// join takes over the files of another output, whose keys come behind.
func (o *unitOutput) join(next *unitOutput) {
	o.done = append(o.done, next.rolling.take()...)
	if o.changelog != nil {
		o.changelog.done = append(o.changelog.done, next.changelog.take()...)
	}
}

func (o *unitOutput) discard() error { return errors.Join(o.rolling.discard(), o.changelog.discard()) }

// changes asks a merge of a section for its changelog, nil where there is none.
func (c *compaction) changes(ctx context.Context, r *unitReader, to *rolling, section []lsm.SortedRun) *lsm.ChangesSpec {
	o := c.table.options
	lookup := o.ChangelogProducer == "lookup"
	if to == nil || lookup && !slices.ContainsFunc(section, fromLevel0) {
		return nil
	}
	rule := changelog.Rule{FirstRow: o.MergeEngine == "first-row"}
	if !lookup {
		rule.Top = c.top
	}
	found := c.unit.Output + 1 // the level of rows found above, which come last
	return &lsm.ChangesSpec{
		Rule: rule, Levels: append(slices.Clone(r.levels), found), Found: found,
		Deduplicate: o.Changelog.RowDeduplicate, Ignore: o.Changelog.IgnoreFields,
		Emit: func(rec arrow.RecordBatch) error { return to.write(ctx, rec, r.split.parallel) },
	}
}

func fromLevel0(run lsm.SortedRun) bool {
	return slices.ContainsFunc(run, func(f manifest.DataFile) bool { return f.Level == 0 })
}

// upgrade does what moving a file up brings with it: its keys are looked up, and
// those that are new or changed are told.
func (c *compaction) upgrade(ctx context.Context, r *unitReader, out *unitOutput, f manifest.DataFile) error {
	section := []lsm.SortedRun{{f}}
	changes := c.changes(ctx, r, out.changelog, section)
	if changes == nil {
		return r.probeFile(ctx, f)
	}
	r.folds = c.foldsAlone([][]lsm.SortedRun{section})
	rows, err := r.open(ctx, section, nil, changes)
	if err != nil {
		return err
	}
	if err = eachBatch(rows, func(arrow.RecordBatch) error { return nil }); err == nil {
		err = out.changelog.roll()
	}
	return errors.Join(err, rows.Close())
}
