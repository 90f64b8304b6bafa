package table

import (
	"context"
	"time"

	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

// newBucketTree arranges the files of a bucket. What the tree before
// remembered about its past compactions is kept.
func (t *Table) newBucketTree(key bucketKey, files []manifest.DataFile, before bucketTree) (bucketTree, error) {
	if len(t.schema.PrimaryKeys) == 0 {
		a := &appendTree{table: t, key: key, all: make(map[fileID]bool)}
		a.update(nil, files)
		return a, nil
	}
	m, err := t.newMergeTree(key, files)
	if old, ok := before.(*mergeTree); ok && err == nil {
		m.picker = old.picker
	}
	return m, err
}

func (t *Table) newMergeTree(key bucketKey, files []manifest.DataFile) (*mergeTree, error) {
	types := typesOf(t.schema.KeyFields())
	for i := range files {
		if err := checkKeys(types, &files[i]); err != nil {
			return nil, err
		}
	}
	levels, err := lsm.NewLevels(t.compareKeys(), files, t.options.NumLevels)
	return &mergeTree{table: t, key: key, levels: levels, picker: lsm.NewPicker(pickOptions(t.options))}, err
}

// pickOptions are the table's rules of compaction.
func pickOptions(o *schema.Options) lsm.PickOptions {
	c := &o.Compaction
	p := lsm.PickOptions{
		Trigger: c.Trigger, SizeAmplification: c.SizeAmplification, SizeRatio: c.SizeRatio,
		FullInterval: c.FullInterval, TotalSize: c.TotalSize, IncrementalSize: c.IncrementalSize,
		OffPeakStart: c.OffPeakStart, OffPeakEnd: c.OffPeakEnd, OffPeakRatio: c.OffPeakRatio,
		ForceLevel0: c.ForceLevel0 || o.NeedsLookup(),
	}
	if o.NeedsLookup() && c.LookupGentle {
		p.ForceEvery = c.LookupMaxInterval
	}
	return p
}

// mergeTree is a bucket of a table with a primary key.
type mergeTree struct {
	table  *Table
	key    bucketKey
	levels *lsm.Levels
	picker *lsm.Picker
}

func (m *mergeTree) update(before, after []manifest.DataFile) { m.levels.Update(before, after) }
func (m *mergeTree) has(f *manifest.DataFile) bool            { return m.levels.Has(f) }
func (m *mergeTree) fits(before, after []manifest.DataFile) bool {
	return m.levels.Fits(before, after)
}
func (m *mergeTree) above0() []string { return namesAbove0(m.levels.Files()) }
func (m *mergeTree) runs() int        { return m.levels.RunCount() }

func (m *mergeTree) pick(ctx context.Context, full bool, now time.Time, index *bucketIndex, before *compactResult) (work, error) {
	unit, ok, err := m.unit(ctx, full, now, index)
	if err != nil || !ok {
		return nil, err
	}
	c := m.compaction(unit)
	c.view, err = index.view(before)
	return c.run, err
}

// unit chooses what to compact. Files with deletion vectors are stale in a full
// compaction. Where older rows are looked up, files are first brought to where
// each key has one.
func (m *mergeTree) unit(ctx context.Context, full bool, now time.Time, index *bucketIndex) (unit lsm.Unit, ok bool, err error) {
	sure := true
	if o := m.table.options; o.NeedsLookup() && !full {
		does := looksUp
		if o.DeletionVectors {
			does = marksRows
		}
		sure, err = m.table.settled(ctx, m.table.schema.ID, m.levels.Files(), does)
	}
	if err == nil && (full || !sure) {
		unit, ok = lsm.PickFull(m.levels, func(f *manifest.DataFile) bool { return m.table.mustRewrite(f) || index.has(f) })
	} else if err == nil {
		unit, ok = m.picker.Pick(m.levels, now)
	}
	return unit, ok, err
}

func (m *mergeTree) compaction(unit lsm.Unit) *compaction {
	var above []manifest.DataFile
	for level := unit.Output + 1; level <= m.levels.Max(); level++ {
		above = append(above, m.levels.Level(level)...)
	}
	return &compaction{
		above: above, table: m.table, partition: []byte(m.key.partition), bucket: m.key.bucket, unit: unit, top: m.levels.Max(),
		dropDeletes: unit.DropsDeletes(m.levels, m.table.options.DeletionVectors),
	}
}
