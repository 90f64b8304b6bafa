package mergeengine

import (
	"slices"
	"sync"

	"github.com/tidelake/tidelake/internal/vector"
)

// op is what becomes of one version of a row that has several.
type op uint8

const (
	opAdd         op = iota // it is the newest so far
	opLate                  // it is older than what its sequence group holds already
	opRetract               // the newest so far is taken back
	opRetractLate           // it is taken back, but its sequence group holds newer values
	opSkip                  // it does not count
	opBase                  // the row starts anew with its values
	opBaseRetract           // as opBase, and then it is taken back
)

// Span is the positions of one key's versions, oldest first.
type Span struct{ Start, End int32 }

// Plan is what the first step of a fold found out: which rows there will be,
// and what becomes of each version.
type Plan struct {
	// Refs are the stored rows of all positions.
	Refs []vector.Ref
	// Spans, Kinds and Last hold one entry for each row of the result: its
	// versions, its kind, and the position whose sequence number it takes.
	// Kinds is nil when all are +I. None are the rows, all deleted, of which no
	// version counts: their sequence number is 0.
	Spans []Span
	Kinds []int8
	Last  []int32
	None  []int32

	ops    [][]op // by class of columns, then by position; nil where all are added
	memory [][]op // of ops, for the next plan
	multi  bool   // some row is merged
	alone  bool   // those of one version are
	newest shared
}

// shared is the selection of the last versions, made once for all columns
// that take it.
type shared struct {
	once sync.Once
	refs []vector.Ref
	sel  vector.Selection
}

// begin lays out a row for each group, its kind that of the last version.
func (p *Plan) begin(refs []vector.Ref, g *Groups, classes int) {
	n := g.Len()
	p.Refs = refs
	p.Spans, p.Last, p.Kinds, p.None = slices.Grow(p.Spans[:0], n), slices.Grow(p.Last[:0], n), nil, p.None[:0]
	if p.ops == nil {
		p.ops, p.memory = make([][]op, classes), make([][]op, classes)
	}
	clear(p.ops)
	p.newest.once = sync.Once{}
	p.multi, p.alone = n < len(refs) || g.Alone, g.Alone
	for i := range n {
		p.Spans = append(p.Spans, Span{g.Starts[i], g.Starts[i+1]})
		p.Last = append(p.Last, g.Starts[i+1]-1)
	}
	if g.Kind == nil {
		return
	}
	p.Kinds = make([]int8, n)
	for i, sp := range p.Spans {
		if !p.merged(sp) {
			p.Kinds[i] = g.Kind(sp.Start)
		}
	}
}

// merged tells that a row is more than its only version as it is.
func (p *Plan) merged(s Span) bool { return s.End-s.Start > 1 || p.alone }

// opsOf is the list of a class, all opAdd when it is new.
func (p *Plan) opsOf(class int) []op {
	if p.ops[class] == nil {
		p.memory[class] = slices.Grow(p.memory[class][:0], len(p.Refs))[:len(p.Refs)]
		p.ops[class] = p.memory[class]
		clear(p.ops[class])
	}
	return p.ops[class]
}

// DropRetracts leaves out the rows of kind -U and -D.
func (p *Plan) DropRetracts() {
	if p.Kinds == nil {
		return
	}
	kept := 0
	for i, kind := range p.Kinds {
		if !Retracts(kind) {
			p.Spans[kept], p.Last[kept], p.Kinds[kept] = p.Spans[i], p.Last[i], kind
			kept++
		}
	}
	p.Spans, p.Last, p.Kinds, p.None = p.Spans[:kept], p.Last[:kept], p.Kinds[:kept], p.None[:0]
}

// Newest is the selection of the positions in Last. It is safe for concurrent
// use.
func (p *Plan) Newest() vector.Selection {
	s := &p.newest
	s.once.Do(func() {
		s.refs = slices.Grow(s.refs[:0], len(p.Last))[:len(p.Last)]
		for i, pos := range p.Last {
			s.refs[i] = p.Refs[pos]
		}
		s.sel = vector.Select(s.refs)
	})
	return s.sel
}
