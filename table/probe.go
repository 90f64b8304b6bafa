package table

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// A compaction that takes rows out of level 0 looks their keys up in the
// levels above its output, so that afterwards no two files show one key:
//
//	first-row                          a key that is there: the new row is dropped
//	deduplicate, no sequence field     the old row is marked as deleted
//	all others                         the old row is merged in, and marked as deleted
//
// Rows are marked only in tables with deletion vectors; without them the older
// row stays, and whoever reads merges. Spec: lsm, 7.6.

// probeCache is how many bytes of key pages a compaction keeps.
const probeCache = 64 << 20

// prober looks keys up for one compaction. Its runs may use it from several goroutines.
type prober struct {
	table *Table
	files []manifest.DataFile // above the output level
	gone  []*deletion.Vector  // of these files, nil for none
	names []string            // of the key columns

	mu    sync.Mutex
	find  *finder
	marks vectorMarks // nil where rows are not marked
}

// newProber returns nil when there is nothing to look up.
func (c *compaction) newProber(ctx context.Context) (*prober, error) {
	t := c.table
	fromZero := func() bool {
		for i := range c.unit.Files {
			if c.unit.Files[i].Level == 0 {
				return true
			}
		}
		return false
	}
	if !t.options.NeedsLookup() || len(c.above) == 0 || c.unit.Output == 0 || !fromZero() {
		return nil, nil
	}
	p := &prober{table: t, files: c.above, gone: make([]*deletion.Vector, len(c.above)), names: names(t.schema.KeyFields())}
	var err error
	for i := range p.files {
		if p.gone[i], err = c.view.of(ctx, &p.files[i]); err != nil {
			return nil, err
		}
	}
	if t.options.DeletionVectors {
		p.marks = vectorMarks{}
	}
	p.find, err = t.newFinder(t.schema, c.partition, c.bucket, p.files, probeCache)
	return p, err
}

func (p *prober) close() error {
	if p == nil {
		return nil
	}
	return p.find.close()
}

// drops tells that rows of keys that are found are left out; merges, that the
// rows found are part of the result.
func (p *prober) drops() bool { return p.table.options.MergeEngine == "first-row" }

func (p *prober) merges() bool {
	if p.table.options.ChangelogProducer == "lookup" && !p.drops() {
		return true // who follows the table is told what was there
	}
	_, choose := p.table.engine.(mergeengine.Deduplicate)
	return !p.drops() && !(choose && len(p.table.options.SequenceFields) == 0)
}

// places finds the keys of a batch, and marks what it finds.
func (p *prober) places(ctx context.Context, rec arrow.RecordBatch) ([]place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, err := p.find.newest(ctx, columnsNamed(rec, p.names), func(at place) bool {
		gone := p.gone[at.file()]
		return gone != nil && gone.Has(at.row())
	})
	if err != nil || p.marks == nil {
		return found, err
	}
	for _, at := range found {
		if at != nowhere {
			p.marks.mark(&p.files[at.file()], at.row())
		}
	}
	return found, nil
}

// probedRun looks up the keys of the rows that come from level 0.
type probedRun struct {
	lsm.Run
	ctx    context.Context
	probe  *prober
	levels []int // by rank
}

// Next leaves out rows of keys that are found where the engine wants that.
func (r *probedRun) Next() (arrow.RecordBatch, error) {
	for {
		rec, err := r.Run.Next()
		if err != nil || r.levels[r.Run.Rank()] > 0 {
			return rec, err
		}
		found, err := r.probe.places(r.ctx, rec)
		if err != nil {
			rec.Release()
			return nil, err
		}
		if !r.probe.drops() {
			return rec, nil
		}
		out, err := take.Record(rec, absent(found), r.probe.table.world.Alloc)
		rec.Release()
		if err != nil || out.NumRows() > 0 {
			return out, err
		}
		out.Release()
	}
}

func absent(found []place) []int32 {
	rows := make([]int32, 0, len(found))
	for i, at := range found {
		if at == nowhere {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// foundRun are the rows that are found for the keys of some files of level 0,
// in key order. It implements lsm.Run.
type foundRun struct {
	ctx   context.Context
	probe *prober
	keys  rowSource // the keys, each once and in order
	rank  int
}

// Name says whose rows these are, in errors.
func (r *foundRun) Name() string { return "rows found above the compaction" }

// Rank is that of files older than all others.
func (r *foundRun) Rank() int { return r.rank }

// Close gives the keys up.
func (r *foundRun) Close() error { return r.keys.Close() }

// Next is the next batch of rows.
func (r *foundRun) Next() (arrow.RecordBatch, error) {
	for {
		keys, err := r.keys.Next()
		if err != nil {
			return nil, err
		}
		found, err := r.probe.places(r.ctx, keys)
		keys.Release()
		if err != nil {
			return nil, err
		}
		there := slices.DeleteFunc(found, func(at place) bool { return at == nowhere })
		if len(there) == 0 {
			continue
		}
		r.probe.mu.Lock()
		rec, err := r.probe.find.fetch(r.ctx, there, r.probe.table.schema.Fields)
		r.probe.mu.Unlock()
		return rec, err
	}
}

// keysOf merges the keys of files of level 0, of which each is a run, within a
// range (nil: all).
func (r *unitReader) keysOf(ctx context.Context, files []manifest.DataFile, within *keyRange) (rowSource, error) {
	t := r.c.table
	fields := t.schema.KeyFields()
	as, err := schema.ArrowSchema(fields)
	if err != nil {
		return nil, err
	}
	batch := r.batchRows(len(files))
	var inputs []mergeInput
	for i, f := range files {
		inputs = append(inputs, mergeInput{f.Size, heldBy(files[i:i+1], rowBytes(fields, len(t.schema.Fields), files[i:i+1]), len(fields)), func(int) (lsm.Run, error) {
			run := r.split.newRun(ctx, rankedRun{{f, i}}, true, batch)
			run.want, run.within = fields, within
			return run, nil
		}})
	}
	return t.merge(ctx, t.options.Spill.MergeBytes/4, inputs, lsm.MergeSpec{Schema: as, Key: names(fields), Output: names(fields), BatchRows: batch, Alloc: t.world.Alloc})
}

// probeFile looks up the keys of a file that only moves up.
func (r *unitReader) probeFile(ctx context.Context, f manifest.DataFile) error {
	if r.probe == nil || r.probe.marks == nil || f.Level > 0 {
		return nil
	}
	keys, err := r.keysOf(ctx, []manifest.DataFile{f}, nil)
	if err != nil {
		return err
	}
	err = eachBatch(keys, func(rec arrow.RecordBatch) error {
		_, err := r.probe.places(ctx, rec)
		return err
	})
	return errors.Join(err, keys.Close())
}
