package lsm

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
)

// folding makes batches of an engine that folds columns: it keeps the versions
// of a slice of rows together until they are emitted.
type folding struct {
	*mergeengine.Fold
	emitter *emitter
	columns []int // for each source column of the emitter, the fold's; -1 for sequence numbers
	starts  []int32
	refs    []vector.Ref
}

// newFolding adds to e the columns that decide about those it shows.
func newFolding(engine mergeengine.Folder, e *emitter, s *arrow.Schema) (*folding, error) {
	var output []string
	for _, name := range e.names {
		if name != sequenceField.Name {
			output = append(output, name)
		}
	}
	sources, _, err := columns(s, engine.Sources(output), "source")
	if err != nil {
		return nil, err
	}
	for _, c := range sources {
		if err := e.hidden(s.Field(c)); err != nil {
			return nil, err
		}
	}
	f := &folding{emitter: e}
	var names []string
	var cells []*vector.Gatherer
	for i, name := range e.names {
		if name == sequenceField.Name {
			f.columns = append(f.columns, -1)
			continue
		}
		f.columns = append(f.columns, len(names))
		names, cells = append(names, name), append(cells, e.gathers[i])
	}
	f.Fold, err = engine.NewFold(names, cells, e.mem)
	return f, err
}

// batch makes the columns of a plan.
func (f *folding) batch(p *mergeengine.Plan, computed ...arrow.Array) (arrow.RecordBatch, error) {
	return f.emitter.make(len(p.Spans), func(i int) (arrow.Array, error) {
		if f.columns[i] < 0 {
			return f.numbers(i, p)
		}
		return f.Column(f.columns[i])
	}, computed...)
}

// numbers are the sequence numbers, which are column i of the emitter.
func (f *folding) numbers(i int, p *mergeengine.Plan) (arrow.Array, error) {
	a, err := f.emitter.gathers[i].Take(p.Newest())
	if err != nil || len(p.None) == 0 {
		return a, err
	}
	defer a.Release()
	b := array.NewInt64Builder(f.emitter.mem)
	defer b.Release()
	b.AppendValues(a.(*array.Int64).Values(), nil)
	own := b.NewInt64Array()
	withoutNumber(own, p)
	return own, nil
}

// withoutNumber sets those to 0 of which no version counts.
func withoutNumber(numbers *array.Int64, p *mergeengine.Plan) {
	for _, row := range p.None {
		numbers.Values()[row] = 0
	}
}

// foldBatch makes a batch of the next n rows, fewer if some were deleted.
func (m *Merge) foldBatch(n int) (arrow.RecordBatch, error) {
	starts, end := m.groups[m.emitted:m.emitted+n], int32(len(m.pending))
	if m.emitted+n < len(m.groups) {
		end = m.groups[m.emitted+n]
	}
	first := starts[0]
	refs := m.pending[first:end]
	m.fold.starts = m.fold.starts[:0]
	for _, s := range starts {
		m.fold.starts = append(m.fold.starts, s-first)
	}
	groups := mergeengine.Groups{Starts: append(m.fold.starts, end-first), Alone: m.spec.Alone}
	if m.spec.WithKind || m.slots.retracting > 0 {
		groups.Kind = func(pos int32) int8 { return m.slots.kind(refs[pos]) }
	}
	p, err := m.fold.Plan(refs, &groups)
	if err != nil {
		return nil, err
	}
	if m.changes != nil {
		m.changes.ofFolded(p)
	}
	if m.spec.DropDeletes {
		p.DropRetracts()
	}
	if !m.spec.WithKind {
		return m.fold.batch(p)
	}
	kinds := kindColumn(p.Kinds, m.spec.Alloc)
	defer kinds.Release()
	return m.fold.batch(p, kinds)
}

func kindColumn(kinds []int8, mem memory.Allocator) arrow.Array {
	b := array.NewInt8Builder(mem)
	defer b.Release()
	b.AppendValues(kinds, nil)
	return b.NewArray()
}

// emitFolded emits all groups in batches.
func (b *Buffer) emitFolded(items []item, groups *mergeengine.Groups, firstSeq int64, emit func(arrow.RecordBatch) error) error {
	for at, n := 0, 0; at < groups.Len(); at += n {
		n = min(groups.Len()-at, b.spec.BatchRows)
		rec, err := b.foldBatch(items, groups, at, n, firstSeq)
		for errors.Is(err, vector.ErrTooLarge) && n > 1 {
			n /= 2
			rec, err = b.foldBatch(items, groups, at, n, firstSeq)
		}
		if err != nil {
			return err
		}
		err = emit(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// foldBatch makes a batch of n groups.
func (b *Buffer) foldBatch(items []item, all *mergeengine.Groups, at, n int, firstSeq int64) (arrow.RecordBatch, error) {
	f, first := b.fold, all.Starts[at]
	f.starts, f.refs = f.starts[:0], f.refs[:0]
	for _, s := range all.Starts[at : at+n+1] {
		f.starts = append(f.starts, s-first)
	}
	items = items[first:all.Starts[at+n]]
	for _, it := range items {
		f.refs = append(f.refs, b.rowOf(it.ref))
	}
	groups := mergeengine.Groups{Starts: f.starts}
	if all.Kind != nil {
		groups.Kind = func(pos int32) int8 { return all.Kind(first + pos) }
	}
	p, err := f.Plan(f.refs, &groups)
	if err != nil {
		return nil, err
	}
	last := make([]vector.Ref, len(p.Last))
	for i, pos := range p.Last {
		last[i] = items[pos].ref
	}
	seqs, kinds := b.systemColumns(last, p.Kinds, firstSeq)
	defer seqs.Release()
	defer kinds.Release()
	withoutNumber(seqs.(*array.Int64), p)
	return f.batch(p, seqs, kinds)
}
