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
	types := typesOf(t.schema.KeyFields())
	for i := range files {
		if err := checkKeys(types, &files[i]); err != nil {
			return nil, err
		}
	}
	levels, err := lsm.NewLevels(t.compareKeys(), files, t.options.NumLevels)
	if err != nil {
		return nil, err
	}
	m := &mergeTree{table: t, key: key, levels: levels}
	if old, ok := before.(*mergeTree); ok {
		m.picker = old.picker
	} else {
		m.picker = lsm.NewPicker(pickOptions(t.options))
	}
	return m, nil
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
func (m *mergeTree) runs() int                                { return m.levels.RunCount() }

func (m *mergeTree) pick(full bool, now time.Time) work {
	unit, ok := lsm.Unit{}, false
	if full {
		unit, ok = lsm.PickFull(m.levels, m.table.mustRewrite)
	} else {
		unit, ok = m.picker.Pick(m.levels, now)
	}
	if !ok {
		return nil
	}
	c := m.compaction(unit)
	return func(ctx context.Context) (compactResult, error) { return c.run(ctx) }
}

func (m *mergeTree) compaction(unit lsm.Unit) *compaction {
	return &compaction{
		table: m.table, partition: []byte(m.key.partition), bucket: m.key.bucket, unit: unit, top: m.levels.Max(),
		dropDeletes: unit.DropsDeletes(m.levels, m.table.options.DeletionVectors),
	}
}
