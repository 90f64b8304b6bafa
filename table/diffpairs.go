package table

import (
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/cell"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// pairs walks through two streams of rows in the order of their keys, one row a
// key, and picks what differs. In memory are a batch of each and the picks that
// point into them.
type pairs struct {
	diff     *Diff
	tells    unitTells
	sides    [2]*pairSide // the older, the newer
	layout   *vector.Layout
	compared []int // columns that are no key
	gathers  []*vector.Gatherer
	schema   *arrow.Schema // of the streams
	refs     []vector.Ref
	kinds    []int8
}

// pairSide is one of the streams.
type pairSide struct {
	next  func() (arrow.RecordBatch, error, bool)
	rec   arrow.RecordBatch // borrowed from the stream
	keys  vector.Keys
	kinds []int8
	row   int
	done  bool
}

func (s *pairSide) has() bool { return !s.done && s.row < len(s.kinds) }

// compare yields the differences of two streams that are to be told.
func (d *Diff) compare(tells unitTells, older, newer iter.Seq2[arrow.RecordBatch, error]) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		p, err := d.newPairs()
		if err != nil {
			yield(nil, err)
			return
		}
		p.tells = tells
		p.run(older, newer, yield)
	}
}

// run goes through both streams to their ends.
func (p *pairs) run(older, newer iter.Seq2[arrow.RecordBatch, error], yield func(arrow.RecordBatch, error) bool) {
	for i, seq := range []iter.Seq2[arrow.RecordBatch, error]{older, newer} {
		next, stop := iter.Pull2(seq)
		defer stop()
		p.sides[i] = &pairSide{next: next}
	}
	defer func() {
		for _, g := range p.gathers {
			g.Reset()
		}
	}()
	for {
		for i, s := range p.sides {
			if s.done || s.has() {
				continue
			}
			if !p.flush(yield) { // picks point into the batch that goes
				return
			}
			if err := p.load(i); err != nil {
				yield(nil, err)
				return
			}
		}
		if p.sides[0].done && p.sides[1].done {
			p.flush(yield)
			return
		}
		p.walk()
	}
}

func (d *Diff) newPairs() (*pairs, error) {
	s, err := d.base.ofColumns(d.base.schema.Fields, d.base.filter)
	if err != nil {
		return nil, err
	}
	s.with(systemColumns{sequence: true})
	p := &pairs{diff: d, schema: s.arrow}
	keys := nameSet(s.schema.KeyFields())
	for _, f := range s.schema.PartitionFields() {
		keys[f.Name] = true
	}
	for i, f := range s.arrow.Fields() {
		g, err := vector.NewGatherer(f.Type, s.table.world.Alloc)
		if err != nil {
			return nil, err
		}
		p.gathers = append(p.gathers, g)
		if i >= 2 && !keys[f.Name] {
			p.compared = append(p.compared, i)
		}
	}
	var types []arrow.DataType
	for _, f := range s.schema.KeyFields() {
		types = append(types, s.arrow.Field(s.arrow.FieldIndices(f.Name)[0]).Type)
	}
	p.layout, err = vector.NewLayout(types)
	return p, err
}

// load reads the next batch of a side.
func (p *pairs) load(i int) error {
	s := p.sides[i]
	for _, g := range p.gathers {
		g.Clear(i)
	}
	s.keys.Forget()
	s.kinds, s.row = nil, 0
	rec, err, more := s.next()
	if err != nil {
		return err
	}
	if !more {
		s.done = true
		return nil
	}
	s.rec = rec
	s.kinds = column(rec, schema.ValueKindName).(*array.Int8).Values()
	var keys []arrow.Array
	for _, f := range p.diff.base.schema.KeyFields() {
		keys = append(keys, column(rec, f.Name))
	}
	for c, g := range p.gathers {
		if err := g.Set(i, rec.Column(c)); err != nil {
			return err
		}
	}
	return p.layout.Build(&s.keys, keys, nil)
}

// walk picks until a batch is used up.
func (p *pairs) walk() {
	older, newer := p.sides[0], p.sides[1]
	for (older.has() || older.done) && (newer.has() || newer.done) && (older.has() || newer.has()) {
		order := 0
		switch {
		case older.done:
			order = 1
		case newer.done:
			order = -1
		default:
			order = p.layout.Compare(&older.keys, older.row, &newer.keys, newer.row)
		}
		switch {
		case order < 0:
			if !mergeengine.Retracts(older.kinds[older.row]) {
				p.pick(0, int8(schema.Delete))
			}
			older.row++
		case order > 0:
			p.pickNewer(false)
			newer.row++
		default:
			if !p.same() {
				p.pickNewer(!mergeengine.Retracts(older.kinds[older.row]))
			}
			older.row++
			newer.row++
		}
	}
}

// pickNewer picks the newer row. A delete of a key that was not there is told, as
// Paimon does, but not where keys move between partitions: there it may be all
// that is left of a key that came by, and who keeps rows by key has it elsewhere.
func (p *pairs) pickNewer(was bool) {
	kind := p.sides[1].kinds[p.sides[1].row]
	if was || !mergeengine.Retracts(kind) || !p.diff.base.table.crossing() {
		p.pick(1, kind)
	}
}

// pick notes the row that a side is at.
func (p *pairs) pick(side int, kind int8) {
	if !p.tells.has(kind) {
		return
	}
	p.refs, p.kinds = append(p.refs, vector.MakeRef(side, p.sides[side].row)), append(p.kinds, kind)
}

// same tells that the rows that both sides are at are one.
func (p *pairs) same() bool {
	a, b := p.sides[0], p.sides[1]
	if mergeengine.Retracts(a.kinds[a.row]) != mergeengine.Retracts(b.kinds[b.row]) {
		return false
	}
	for _, c := range p.compared {
		if !cell.Equal(a.rec.Column(c), a.row, b.rec.Column(c), b.row) {
			return false
		}
	}
	return true
}

// flush yields what was picked and tells whether to go on.
func (p *pairs) flush(yield func(arrow.RecordBatch, error) bool) bool {
	if len(p.refs) == 0 {
		return true
	}
	defer func() { p.refs, p.kinds = p.refs[:0], p.kinds[:0] }()
	cols := make([]arrow.Array, len(p.gathers))
	defer func() { releaseAll(cols) }()
	sel := vector.Select(p.refs)
	for c, g := range p.gathers {
		var err error
		if c == 0 {
			cols[c] = int8Array(p.kinds, p.diff.base.table.world.Alloc)
		} else if cols[c], err = g.Take(sel); err != nil {
			yield(nil, err)
			return false
		}
	}
	wide := array.NewRecordBatch(p.schema, cols, int64(len(p.refs)))
	defer wide.Release()
	out, err := p.diff.finish(wide)
	return handOut(out, err, yield)
}

func int8Array(values []int8, mem memory.Allocator) arrow.Array {
	b := array.NewInt8Builder(mem)
	defer b.Release()
	b.AppendValues(values, nil)
	return b.NewArray()
}
