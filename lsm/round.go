package lsm

import (
	"io"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
)

// runState is a run and the batches of it that are in memory and not used up.
type runState struct {
	run    Run
	queue  []int // slots, in order
	pos    int   // first row left in queue[0]
	rows   int   // rows left in queue
	done   bool  // nothing comes after queue
	closed bool
	last   lastKey
	cols   columnIndex
}

func (r *runState) close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	return r.run.Close()
}

// round merges all rows up to a bound into pending:
//
//	run 1   ▒▒▒▒▒▒▒▒▒│           bound: the smallest of the last keys in
//	run 2   ▒▒▒│▒▒▒▒▒▒▒▒▒        memory. Whatever comes later is larger, so
//	run 3     ▒│▒▒▒▒▒▒▒▒▒▒▒▒     no key has versions on both sides.
//
// A bound that takes in much more than a batch is replaced by a smaller one.
// At least one row is merged; more is false when there was none.
func (m *Merge) round() (more bool, err error) {
	if err := m.refill(); err != nil {
		return false, err
	}
	m.segs = m.segs[:0]
	bound, bounded := m.bound()
	for _, r := range m.runs {
		pos := r.pos
		for _, slot := range r.queue {
			end := m.slots.at(slot).n
			if bounded {
				end = m.slots.upTo(slot, pos, end, bound)
			}
			if end == pos {
				break
			}
			m.segs = append(m.segs, segment{slot, pos, end})
			if end < m.slots.at(slot).n {
				break
			}
			pos = 0
		}
	}
	if len(m.segs) == 0 {
		return false, nil
	}
	m.narrow()
	if err := m.mergeSegments(); err != nil {
		return false, err
	}
	m.advance()
	return true, nil
}

// refill gives every run that has more a window of rows.
func (m *Merge) refill() error {
	kept := m.runs[:0]
	var failed error
	for i, r := range m.runs {
		for !r.done && (r.rows < minWindow || !m.slots.passed(r)) && failed == nil {
			failed = m.load(r)
		}
		if failed != nil {
			kept = append(kept, m.runs[i:]...)
			break
		}
		if r.done && r.rows == 0 {
			if err := r.close(); err != nil {
				failed = err
			}
			continue
		}
		kept = append(kept, r)
	}
	m.runs = kept
	if failed == nil {
		m.slots.refreshWords()
	}
	return failed
}

func (m *Merge) load(r *runState) error {
	rec, err := r.run.Next()
	if err == io.EOF {
		r.done = true
		return nil
	}
	if err != nil {
		return err
	}
	if rec.NumRows() == 0 {
		rec.Release()
		return nil
	}
	slot, err := m.slots.add(r, rec)
	if err != nil {
		return err
	}
	r.queue = append(r.queue, slot)
	r.rows += m.slots.at(slot).n
	return nil
}

// bound is the smallest last key of the runs that have more rows to come: the
// last one of which all rows of the run are in memory.
func (m *Merge) bound() (bound item, ok bool) {
	for _, r := range m.runs {
		if r.done {
			continue
		}
		last := m.slots.lastWhole(r)
		if !ok || m.slots.compare(last, bound) < 0 {
			bound, ok = last, true
		}
	}
	return bound, ok
}

// narrow moves the ends of segments to a smaller bound until they hold about
// a batch of rows. The bound is the key of some row picked at random: like
// quickselect, this takes a few steps whatever the runs look like.
func (m *Merge) narrow() {
	want := m.spec.BatchRows
	for range 24 {
		total := total(m.segs)
		if total <= 2*want {
			break
		}
		bound := m.pick(int(m.rand() % uint64(total)))
		rows := 0
		for _, s := range m.segs {
			rows += m.slots.upTo(s.slot, s.pos, s.end, bound) - s.pos
		}
		if rows < want/4 {
			continue // too few to be worth a round; pick again
		}
		for i := range m.segs {
			s := &m.segs[i]
			s.end = m.slots.upTo(s.slot, s.pos, s.end, bound)
		}
	}
	kept := m.segs[:0]
	for _, s := range m.segs {
		if s.len() > 0 {
			kept = append(kept, s)
		}
	}
	m.segs = kept
}

func total(segs []segment) int {
	n := 0
	for _, s := range segs {
		n += s.len()
	}
	return n
}

// pick is the n-th row of all segments.
func (m *Merge) pick(n int) item {
	for _, s := range m.segs {
		if n < s.len() {
			return m.slots.item(s.slot, s.pos+n)
		}
		n -= s.len()
	}
	panic("lsm: row beyond the segments of a round")
}

func (m *Merge) rand() uint64 {
	m.random ^= m.random << 13
	m.random ^= m.random >> 7
	m.random ^= m.random << 17
	return m.random
}

// mergeSegments appends the rows that the segments become to pending.
func (m *Merge) mergeSegments() error {
	if len(m.segs) == 1 && !m.spec.Versions && m.changes == nil {
		m.keepSegment(m.segs[0])
		return nil
	}
	items := m.merger.run(m.segs)
	m.starts = groupStarts(m.starts[:0], items, m.slots.sameKeys())
	m.changes.note(items)
	if len(m.starts) <= len(items) {
		if m.spec.Levels != nil {
			items = m.dropOutdated(items)
		}
		for g, start := range m.starts[:len(m.starts)-1] {
			if end := m.starts[g+1]; end-start > 1 {
				sortGroup(items[start:end], m.slots.compareVersions)
			}
		}
	}
	if m.fold != nil {
		m.keepVersions(items)
		return nil
	}
	return m.choose(items)
}

// dropOutdated leaves out the versions of each key that one at a level above
// 0 stands for. The order within a key is open yet.
func (m *Merge) dropOutdated(items []item) []item {
	kept := items[:0]
	for g, start := range m.starts[:len(m.starts)-1] {
		group := items[start:m.starts[g+1]]
		m.starts[g] = int32(len(kept))
		low := 0
		for _, it := range group {
			if l := m.level(it.ref); l > 0 && (low == 0 || l < low) {
				low = l
			}
		}
		for _, it := range group {
			if l := m.level(it.ref); l <= 0 || l == low {
				kept = append(kept, it)
			}
		}
	}
	m.starts[len(m.starts)-1] = int32(len(kept))
	return kept
}

func (m *Merge) level(r vector.Ref) int { return m.spec.Levels[m.slots.at(r.Source()).rankOf(r.Row())] }

// choose appends the rows that the engine picks.
func (m *Merge) choose(items []item) (err error) {
	groups := mergeengine.Groups{Starts: m.starts, Kind: func(pos int32) int8 { return m.slots.kind(items[pos].ref) }}
	if m.chosen, err = m.chooser.Choose(m.chosen[:0], &groups); err != nil {
		return err
	}
	if m.changes != nil {
		m.changes.keep(items, m.chosen)
		return nil
	}
	check := m.spec.DropDeletes && m.slots.retracting > 0
	for _, pos := range m.chosen {
		if pos == mergeengine.None {
			continue
		}
		ref := items[pos].ref
		if check && mergeengine.Retracts(m.slots.kind(ref)) {
			continue
		}
		m.pending = append(m.pending, ref)
	}
	return nil
}

// keepVersions appends all versions, for folding.
func (m *Merge) keepVersions(items []item) {
	first := int32(len(m.pending))
	for _, it := range items {
		m.pending = append(m.pending, it.ref)
	}
	for _, start := range m.starts[:len(m.starts)-1] {
		m.groups = append(m.groups, first+start)
	}
}

// keepSegment is the short way for rows of one run: no key has two versions.
func (m *Merge) keepSegment(s segment) {
	check := !m.spec.Alone && m.spec.DropDeletes && m.slots.at(s.slot).retracts
	first := len(m.pending)
	ref := vector.MakeRef(s.slot, s.pos)
	for range s.len() {
		if !check || !mergeengine.Retracts(m.slots.kind(ref)) {
			m.pending = append(m.pending, ref)
		}
		ref++
	}
	if m.fold != nil {
		for ; first < len(m.pending); first++ {
			m.groups = append(m.groups, int32(first))
		}
	}
}

// advance moves the runs past the merged segments and retires batches that
// are used up: pending may still refer to them.
func (m *Merge) advance() {
	i := 0
	for _, r := range m.runs {
		for i < len(m.segs) && len(r.queue) > 0 && m.segs[i].slot == r.queue[0] {
			s := m.segs[i]
			i++
			r.rows -= s.len()
			r.pos = s.end
			if s.end < m.slots.at(s.slot).n {
				break
			}
			m.slots.retire(s.slot)
			r.queue = append(r.queue[:0], r.queue[1:]...)
			r.pos = 0
		}
	}
}
