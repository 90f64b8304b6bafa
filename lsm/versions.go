package lsm

import (
	"bytes"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
)

// AllVersions is a merge engine that merges nothing: a [Merge] with it makes
// one run of several ([MergeSpec].Versions) and loses none of their rows.
type AllVersions struct{}

// Name is "all versions", which no table option says.
func (AllVersions) Name() string { return "all versions" }

// Choose answers with every position.
func (AllVersions) Choose(dst []int32, g *mergeengine.Groups) ([]int32, error) {
	for i := range g.Len() {
		for pos := g.Starts[i]; pos < g.Starts[i+1]; pos++ {
			dst = append(dst, pos)
		}
	}
	return dst, nil
}

// Reduction is the engine that merges runs which will be merged once more by
// engine: itself where it picks rows, since the pick of picks is the pick of
// all; [AllVersions] where it folds, which depends on how it is cut up.
func Reduction(engine mergeengine.Engine) mergeengine.Chooser {
	if c, ok := engine.(mergeengine.Chooser); ok {
		return c
	}
	return AllVersions{}
}

// Sorted gives the rows as a run that a [Merge] with Versions takes, numbered
// as [Buffer.Flush] numbers them and reduced: by the [Reduction] of the engine,
// or by [AllVersions] where every row is needed.
// The rows stay in the buffer, which must not be changed before the run is
// closed. Errors are those of Flush.
func (b *Buffer) Sorted(firstSeq int64, reduce mergeengine.Chooser) (Run, error) {
	r := &sortedBuffer{b: b, firstSeq: firstSeq}
	if b.n == 0 {
		return r, nil
	}
	items, groups, err := b.order()
	if err != nil {
		return nil, err
	}
	if r.refs, err = b.choose(reduce, items, groups); err != nil {
		return nil, err
	}
	if err := b.setSources(); err != nil {
		b.clearSources()
		return nil, err
	}
	return r, nil
}

// sortedBuffer is a Run.
type sortedBuffer struct {
	b        *Buffer
	firstSeq int64
	refs     []vector.Ref
	closed   bool
}

func (r *sortedBuffer) Name() string { return "the write buffer" }
func (r *sortedBuffer) Rank() int    { return 0 }

// Next leaves out the key columns, which the value columns say again.
func (r *sortedBuffer) Next() (arrow.RecordBatch, error) {
	if r.closed {
		return nil, errClosed(r.Name())
	}
	if len(r.refs) == 0 {
		return nil, io.EOF
	}
	rec, err := r.b.batch(r.refs, r.firstSeq)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	r.refs = r.refs[rec.NumRows():]
	first := int(rec.NumCols()) - 2 - r.b.spec.Schema.NumFields()
	fields := rec.Schema().Fields()[first:]
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), rec.Columns()[first:], rec.NumRows()), nil
}

func (r *sortedBuffer) Close() error {
	if !r.closed {
		r.closed = true
		r.b.clearSources()
	}
	return nil
}

// passed tells that all versions of the key that the run is at are in memory.
// It may be asked before words are computed.
func (t *slotTable) passed(r *runState) bool {
	if !t.versions {
		return true
	}
	return !t.same(vector.MakeRef(r.queue[0], r.pos), t.lastRow(r))
}

func (t *slotTable) lastRow(r *runState) vector.Ref {
	slot := r.queue[len(r.queue)-1]
	return vector.MakeRef(slot, t.at(slot).n-1)
}

// lastWhole is the last row in memory whose key no later row of the run has.
func (t *slotTable) lastWhole(r *runState) item {
	last := t.lastRow(r)
	if !t.versions {
		return t.item(last.Source(), last.Row())
	}
	for i := len(r.queue) - 1; i >= 0; i-- {
		slot := r.queue[i]
		for row := t.at(slot).n - 1; row >= 0; row-- {
			if !t.same(vector.MakeRef(slot, row), last) {
				return t.item(slot, row)
			}
		}
	}
	panic("lsm: a run of one key in memory has more to come")
}

func (t *slotTable) same(a, b vector.Ref) bool {
	if t.layout.Exact() {
		return t.slots[a.Source()].keys.Words()[a.Row()] == t.slots[b.Source()].keys.Words()[b.Row()]
	}
	return bytes.Equal(t.bytes(a), t.bytes(b))
}
