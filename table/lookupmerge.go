package table

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
)

// memoryRun is a sorted run of one batch in memory.
type memoryRun struct {
	name string
	rank int
	rec  arrow.RecordBatch
}

// Name is the file that the last row is of.
func (r *memoryRun) Name() string { return r.name }

// Rank is the age of the run.
func (r *memoryRun) Rank() int { return r.rank }

// Next is the batch, once.
func (r *memoryRun) Next() (arrow.RecordBatch, error) {
	if r.rec == nil {
		return nil, io.EOF
	}
	rec := r.rec
	r.rec = nil
	return rec, nil
}

// Close releases a batch that was not read.
func (r *memoryRun) Close() error {
	if r.rec != nil {
		r.rec.Release()
	}
	r.rec = nil
	return nil
}

// merge merges runs of a bucket as a scan of the table does, into the columns
// of blocks. levels are those of the runs by their rank, nil where they do not matter.
func (l *Lookup) merge(levels []int, runs []lsm.Run, drop bool) (*lsm.Merge, error) {
	t := l.table
	values := arrow.NewSchema(l.rows.Fields()[len(systemFields):], nil)
	m, err := lsm.NewMerge(runs, lsm.MergeSpec{
		Schema: values, Key: names(l.space.fields), Sequence: t.options.SequenceFields, SequenceDescending: t.options.SequenceDescending,
		Engine: t.engine, Levels: levels, Output: names(l.stored), WithSequence: true, WithKind: true, DropDeletes: drop, Alloc: t.world.Alloc,
	})
	if err != nil {
		for _, r := range runs {
			_ = r.Close()
		}
	}
	return m, err
}

// setLevels finds the level of each run where it matters for merging.
func (b *lookupBucket) setLevels(ctx context.Context, l *Lookup, files []manifest.DataFile) error {
	t := l.table
	if !outdates(t.engine, t.options) {
		return nil
	}
	if sure, err := t.settled(ctx, l.scan.schema.ID, files, looksUp); err != nil || !sure {
		return err
	}
	b.levels = make([]int, len(b.runs))
	for i, run := range b.runs {
		b.levels[i] = files[run.files[0]].Level
	}
	return nil
}

// merged finds all versions of each key and merges them.
func (l *Lookup) merged(ctx context.Context, a *answer, b *lookupBucket, q *lookupQuery) error {
	runs, err := l.versionRuns(ctx, b, q)
	if err != nil {
		return errors.Join(err, closeRuns(runs))
	}
	return l.mergeRuns(a, b.levels, runs)
}

// mergeRuns merges runs of the query's keys, and closes them.
func (l *Lookup) mergeRuns(a *answer, levels []int, runs []lsm.Run) error {
	if len(runs) == 0 {
		return nil
	}
	q := &a.query
	m, err := l.merge(levels, runs, false)
	if err != nil {
		return err
	}
	defer m.Close()
	at := 0
	return eachBatch(m, func(rec arrow.RecordBatch) error {
		rec.Retain()
		a.borrowed = append(a.borrowed, rec)
		block, err := l.blockOf(rec, 0)
		if err != nil {
			return err
		}
		for row := range block.keys.Len() {
			for l.space.layout.Compare(&q.keys.Keys, int(q.order[at]), &block.keys.Keys, row) < 0 {
				at++
			}
			q.best[q.order[at]] = version{block, int32(row)}
		}
		return nil
	})
}

// versionRuns are the versions that each sorted run has. The caller closes them,
// after an error too.
func (l *Lookup) versionRuns(ctx context.Context, b *lookupBucket, q *lookupQuery) (runs []lsm.Run, err error) {
	q.merging = true
	for i := range b.runs {
		q.found = q.found[:0]
		if err := l.inRun(ctx, b, i, q, q.order); err != nil {
			return runs, err
		}
		if len(q.found) > 0 {
			run, err := l.runOf(q.found, q.file.meta.Name, i)
			if err != nil {
				return runs, err
			}
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// lend makes runs of the same versions, whose ranks are moved.
func lend(runs []lsm.Run, moved int) []lsm.Run {
	out := make([]lsm.Run, len(runs))
	for i, run := range runs {
		m := *run.(*memoryRun)
		m.rec.Retain()
		m.rank += moved
		out[i] = &m
	}
	return out
}

// runOf makes a run of the versions that one sorted run has.
func (l *Lookup) runOf(found []version, name string, rank int) (lsm.Run, error) {
	blocks := map[*rowBlock]int{}
	refs := make([]vector.Ref, len(found))
	var sources []arrow.RecordBatch
	for i, v := range found {
		n := numberOf(blocks, v.block)
		if n == len(sources) {
			sources = append(sources, v.block.RecordBatch)
		}
		refs[i] = vector.MakeRef(n, int(v.row))
	}
	rec, err := gatherBatch(l.rows, sources, refs, l.table.world.Alloc)
	if err != nil {
		return nil, err
	}
	return &memoryRun{name, rank, rec}, nil
}
