package table

import (
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// pairs walks through two streams of rows in the order of their keys, one row a
// key, and picks what differs. In memory are a batch of each and the picks that
// point into them.
type pairs struct {
	told     Scan // what is handed out of the picks
	tells    unitTells
	sides    [2]pairSide
	layout   *vector.Layout
	keys     []string      // columns of the key
	compared []string      // columns of neither key nor partition
	rows     *arrow.Schema // of picks
	picks
}

// pairSide is one of the streams.
type pairSide struct {
	next     func() (arrow.RecordBatch, error, bool)
	rec      arrow.RecordBatch // borrowed from the stream
	keys     vector.Keys
	compared []arrow.Array
	kinds    []int8
	row      int
	done     bool
}

func (s *pairSide) has() bool { return !s.done && s.row < len(s.kinds) }

// retracts tells that the row at hand is one that retracts.
func (s *pairSide) retracts() bool { return mergeengine.Retracts(s.kinds[s.row]) }

// compare yields the differences of two streams that are to be told.
func (d *Diff) compare(tells unitTells, before, after iter.Seq2[arrow.RecordBatch, error]) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		p, err := d.newPairs()
		if err != nil {
			yield(nil, err)
			return
		}
		p.tells = tells
		p.run(before, after, yield)
	}
}

func (d *Diff) newPairs() (*pairs, error) {
	p := &pairs{told: d.base}
	p.told.snapshot = d.stretch.after
	p.told.with(d.columns)
	sc := d.base.schema
	as, err := schema.ArrowSchema(sc.Fields)
	if err != nil {
		return nil, err
	}
	p.rows, p.compared = pickedSchema(d.columns.sequence, as), comparedIn(sc, sc.Fields)
	var keyTypes []arrow.DataType
	for _, f := range sc.KeyFields() {
		p.keys, keyTypes = append(p.keys, f.Name), append(keyTypes, as.Field(sc.Index(f.Name)).Type)
	}
	p.layout, err = vector.NewLayout(keyTypes)
	return p, err
}

// run goes through both streams to their ends.
func (p *pairs) run(before, after iter.Seq2[arrow.RecordBatch, error], yield func(arrow.RecordBatch, error) bool) {
	for i, seq := range []iter.Seq2[arrow.RecordBatch, error]{before, after} {
		next, stop := iter.Pull2(seq)
		defer stop()
		p.sides[i].next = next
	}
	for {
		for i := range p.sides {
			s := &p.sides[i]
			if s.done || s.has() {
				continue
			}
			if !p.flush(yield) { // picks point into the batch that goes
				return
			}
			if err := p.load(s); err != nil {
				yield(nil, err)
				return
			}
		}
		if p.sides[older].done && p.sides[newer].done {
			p.flush(yield)
			return
		}
		p.walk()
	}
}

// load reads the next batch of a side.
func (p *pairs) load(s *pairSide) error {
	s.keys.Forget()
	s.kinds, s.row = nil, 0
	rec, err, more := s.next()
	s.rec, s.done = rec, !more
	if err != nil || !more {
		return err
	}
	s.kinds = column(rec, schema.ValueKindName).(*array.Int8).Values()
	s.compared = columnsNamed(rec, p.compared)
	return p.layout.Build(&s.keys, columnsNamed(rec, p.keys), nil)
}

// walk picks until a batch is used up.
func (p *pairs) walk() {
	was, is := &p.sides[older], &p.sides[newer]
	for (was.has() || was.done) && (is.has() || is.done) && (was.has() || is.has()) {
		order := 0
		switch {
		case was.done:
			order = 1
		case is.done:
			order = -1
		default:
			order = p.layout.Compare(&was.keys, was.row, &is.keys, is.row)
		}
		switch {
		case order < 0:
			if !was.retracts() {
				p.pick(older, int8(schema.Delete))
			}
			was.row++
		case order > 0:
			p.pickNewer(false)
			is.row++
		default:
			if was.retracts() != is.retracts() || !sameCells(was.compared, was.row, is.compared, is.row) {
				p.pickNewer(!was.retracts())
			}
			was.row++
			is.row++
		}
	}
}

// pickNewer picks the newer row. A delete of a key that was not there is told, as
// Paimon does, but not where keys move between partitions: there it may be all
// that is left of a key that came by, and who keeps rows by key has it elsewhere.
func (p *pairs) pickNewer(was bool) {
	is := &p.sides[newer]
	if was || !is.retracts() || !p.told.table.crossing() {
		p.pick(newer, is.kinds[is.row])
	}
}

// pick notes the row that a side is at.
func (p *pairs) pick(side int, kind int8) {
	if p.tells.has(kind) {
		p.add(schema.RowKind(kind), side, p.sides[side].row)
	}
}

// flush yields what was picked and tells whether to go on.
func (p *pairs) flush(yield func(arrow.RecordBatch, error) bool) bool {
	if len(p.refs) == 0 {
		return true
	}
	wide, err := p.gather(p.rows, [2]arrow.RecordBatch{p.sides[older].rec, p.sides[newer].rec}, p.told.table.world.Alloc)
	if err != nil {
		yield(nil, err)
		return false
	}
	defer wide.Release()
	p.refs, p.kinds = p.refs[:0], p.kinds[:0]
	out, err := p.told.matching(wide)
	return handOut(out, err, yield)
}
