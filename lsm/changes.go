package lsm

import (
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/changelog"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
)

// ChangesSpec asks a [Merge] for a changelog: how the row of each key changed.
// The merge must emit keys as it is to, sequence numbers and kinds.
type ChangesSpec struct {
	Rule changelog.Rule
	// Levels gives the level of each rank ([Run]).
	Levels []int
	// Found is the level of rows that were looked up, 0 for none.
	Found int
	// Deduplicate leaves out updates that change no column but those of Ignore.
	Deduplicate bool
	Ignore      []string
	// Emit is given the changes of the keys of a batch, in their order, before
	// the batch itself is returned: batches of the merge's own schema, that are
	// Emit's for the duration of the call. It is called by the goroutine that
	// calls Next.
	Emit func(changes arrow.RecordBatch) error
}

// changes is the changelog of a merge under way. A nil one notes nothing.
//
//	round ──► note: the row before of each key, and whether it may have changed
//	batch ──► ofChosen, ofFolded: the row after of each key
//	      ──► emit: events, gathered from both
type changes struct {
	ChangesSpec
	merge    *Merge
	emitter  emitter // the merge's, but for computed kinds
	compared []int   // gatherers of the columns that Deduplicate looks at

	before  []vector.Ref // of each waiting row; NullRef where there is none
	changed []bool       // of each waiting row: it may have
	after   []vector.Ref // of the rows of the batch; NullRef where there is none
	kept    []vector.Ref

	refs  []vector.Ref // of the events
	kinds []int8
}

func (m *Merge) newChanges() (*changes, error) {
	c := &changes{ChangesSpec: *m.spec.Changes, merge: m, emitter: m.emitter}
	kind := slices.IndexFunc(m.emitter.fields, func(f arrow.Field) bool { return f.Name == kindField.Name })
	if kind < 0 {
		return nil, errors.New("lsm: a changelog needs the kinds of rows")
	}
	c.emitter.from = slices.Clone(m.emitter.from)
	c.emitter.from[kind] = ^0
	for _, name := range m.spec.Output {
		if !slices.Contains(c.Ignore, name) {
			c.compared = append(c.compared, slices.Index(m.emitter.names, name))
		}
	}
	return c, nil
}

func (c *changes) reset() {
	if c != nil {
		c.before, c.changed = c.before[:0], c.changed[:0]
	}
}

// note finds the row before of each group of items, among them those that others
// stand for: what was told last may be one of them.
func (c *changes) note(items []item) {
	if c == nil {
		return
	}
	m := c.merge
	for g, start := range m.starts[:len(m.starts)-1] {
		group := items[start:m.starts[g+1]]
		at, changed := c.Rule.Before(len(group), func(i int) int { return c.level(group[i].ref) })
		before := vector.NullRef
		if at != changelog.None && (c.Rule.Deletes() || !mergeengine.Retracts(m.slots.kind(group[at].ref))) {
			before = group[at].ref
		}
		c.before, c.changed = append(c.before, before), append(c.changed, changed)
	}
}

func (c *changes) level(r vector.Ref) int {
	return c.Levels[c.merge.slots.at(r.Source()).rankOf(r.Row())]
}

// keep lets the chosen rows wait, those too that are deletes, or none at all.
func (c *changes) keep(items []item, chosen []int32) {
	m := c.merge
	for _, pos := range chosen {
		ref := vector.NullRef
		if pos != mergeengine.None {
			ref = items[pos].ref
		}
		m.pending = append(m.pending, ref)
	}
}

// ofChosen takes note of the rows of a batch and leaves those that are emitted.
func (c *changes) ofChosen(refs []vector.Ref) []vector.Ref {
	m := c.merge
	c.after, c.kept = c.after[:0], c.kept[:0]
	for _, ref := range refs {
		if ref == vector.NullRef {
			c.after = append(c.after, ref)
			continue
		}
		retracts := mergeengine.Retracts(m.slots.kind(ref))
		if !retracts || !m.spec.DropDeletes {
			c.kept = append(c.kept, ref)
		}
		if retracts {
			ref = vector.NullRef
		}
		c.after = append(c.after, ref)
	}
	return c.kept
}

// ofFolded takes note of a batch whose rows are made, not chosen. They will be
// the rows of a source of their own, behind all slots.
func (c *changes) ofFolded(p *mergeengine.Plan) {
	c.after = c.after[:0]
	row, source := 0, c.folded()
	for i := range p.Spans {
		retracts := p.Kinds != nil && mergeengine.Retracts(p.Kinds[i])
		if retracts {
			c.after = append(c.after, vector.NullRef)
		} else {
			c.after = append(c.after, vector.MakeRef(source, row))
		}
		if !retracts || !c.merge.spec.DropDeletes {
			row++
		}
	}
}

func (c *changes) folded() int { return len(c.merge.slots.slots) }

// emit gives out the changes of the keys of rec, the batch made last.
func (c *changes) emit(rec arrow.RecordBatch) error {
	if c == nil {
		return nil
	}
	m := c.merge
	if m.fold != nil {
		for i, from := range m.emitter.from {
			if from >= 0 {
				if err := m.emitter.gathers[from].Set(c.folded(), rec.Column(i)); err != nil {
					return err
				}
			}
		}
		defer func() {
			for _, g := range m.emitter.gathers {
				g.Clear(c.folded())
			}
		}()
	}
	c.find()
	return c.gather(c.refs, c.kinds)
}

// find lists the events of the batch's keys.
func (c *changes) find() {
	c.refs, c.kinds = c.refs[:0], c.kinds[:0]
	for i, after := range c.after {
		at := c.merge.emitted + i
		before := c.before[at]
		if !c.changed[at] {
			continue
		}
		var same func() bool
		if c.Deduplicate {
			same = func() bool { return c.equal(before, after) }
		}
		for _, e := range c.Rule.Events(before != vector.NullRef, after != vector.NullRef, same) {
			ref := after
			if e.Before {
				ref = before
			}
			kind := int8(e.Kind)
			if e.Kind == changelog.AsStored {
				kind = c.merge.slots.kind(ref) // only of chosen rows
			}
			c.refs, c.kinds = append(c.refs, ref), append(c.kinds, kind)
		}
	}
}

// equal compares the values of two rows.
func (c *changes) equal(a, b vector.Ref) bool {
	// Folded from a row that was looked up, a cell is mostly that row's own.
	packed := c.level(a) == c.Found && (a == b || c.merge.fold != nil)
	for _, g := range c.compared {
		cells := c.merge.emitter.gathers[g]
		if !changelog.Same(cells.Source(a.Source()), a.Row(), cells.Source(b.Source()), b.Row(), packed) {
			return false
		}
	}
	return true
}

// gather makes batches of events.
func (c *changes) gather(refs []vector.Ref, kinds []int8) error {
	for len(refs) > 0 {
		n := min(len(refs), c.merge.spec.BatchRows)
		rec, err := c.batch(refs[:n], kinds[:n])
		for errors.Is(err, vector.ErrTooLarge) && n > 1 {
			n /= 2
			rec, err = c.batch(refs[:n], kinds[:n])
		}
		if err != nil {
			return err
		}
		err = c.Emit(rec)
		rec.Release()
		if err != nil {
			return err
		}
		refs, kinds = refs[n:], kinds[n:]
	}
	return nil
}

func (c *changes) batch(refs []vector.Ref, kinds []int8) (arrow.RecordBatch, error) {
	col := kindColumn(kinds, c.merge.spec.Alloc)
	defer col.Release()
	return c.emitter.batch(vector.Select(refs), col)
}
