package lsm

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/vector"
)

// slot is a batch in memory with the vectors that merging looks at.
type slot struct {
	rec      arrow.RecordBatch
	n        int
	rank     int
	ranks    []int32 // of each row, nil where rank is that of all
	keys     vector.Keys
	words    []uint64 // of keys that are not exact: valid for skip
	skip     int
	seq      []int64
	kind     []int8
	retracts bool // has a row of kind -U or -D
}

// slotTable holds the batches of a merge. The number of a slot is the source
// in refs.
type slotTable struct {
	key, seq    []string
	versions    bool     // keys may repeat within a run
	names       []string // source columns of gathers
	gathers     []*vector.Gatherer
	layout      *vector.Layout
	keyTypes    []arrow.DataType
	seqTypes    []arrow.DataType
	order       *vector.Order // nil without sequence fields
	slots       []slot
	free        []int
	retired     []int
	retiredRows int
	retracting  int // slots with retracts

	// Words of longer keys begin after what all keys seen so far share.
	prefix  []byte
	started bool
}

func (t *slotTable) init(spec *MergeSpec, names []string, gathers []*vector.Gatherer) (err error) {
	t.key, t.seq, t.names, t.gathers = spec.Key, spec.Sequence, names, gathers
	if _, t.keyTypes, err = columns(spec.Schema, spec.Key, "key"); err != nil {
		return err
	}
	if t.layout, err = vector.NewLayout(t.keyTypes); err != nil {
		return err
	}
	if _, t.seqTypes, err = columns(spec.Schema, spec.Sequence, "sequence"); err != nil {
		return err
	}
	if len(t.seqTypes) > 0 {
		t.order, err = vector.NewOrder(t.seqTypes, spec.SequenceDescending)
	}
	return err
}

func (t *slotTable) at(i int) *slot { return &t.slots[i] }

// columnIndex remembers where a run's columns are, since all its batches
// mostly have one schema.
type columnIndex struct {
	schema   *arrow.Schema
	key, seq []int
	gathers  []int
	sequence int
	kind     int
	rank     int // -1 where the run tells it by batch
}

func (t *slotTable) find(c *columnIndex, r Run, s *arrow.Schema) error {
	if c.schema == s {
		return nil
	}
	*c = columnIndex{}
	look := func(name string) (i int, err error) {
		found := s.FieldIndices(name)
		if len(found) != 1 {
			return 0, corruptRun(r, "column "+name+" is missing or there twice")
		}
		return found[0], nil
	}
	all := func(names []string) (out []int, err error) {
		for _, name := range names {
			i, err := look(name)
			if err != nil {
				return nil, err
			}
			out = append(out, i)
		}
		return out, nil
	}
	var err error
	if c.key, err = all(t.key); err != nil {
		return err
	}
	if c.seq, err = all(t.seq); err != nil {
		return err
	}
	if c.gathers, err = all(t.names); err != nil {
		return err
	}
	if c.sequence, err = look(sequenceField.Name); err != nil {
		return err
	}
	if c.kind, err = look(kindField.Name); err != nil {
		return err
	}
	c.rank = -1
	if s.HasField(rankField.Name) {
		if c.rank, err = look(rankField.Name); err != nil {
			return err
		}
	}
	c.schema = s
	return nil
}

// add takes over rec, the next batch of run r, and returns its slot.
func (t *slotTable) add(r *runState, rec arrow.RecordBatch) (int, error) {
	i := len(t.slots)
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		t.slots = append(t.slots, slot{})
	}
	s := &t.slots[i]
	s.rec, s.n, s.rank = rec, int(rec.NumRows()), r.run.Rank()
	if err := t.fillSlot(i, s, r); err != nil {
		t.release(i)
		return 0, err
	}
	return i, nil
}

func (t *slotTable) fillSlot(i int, s *slot, r *runState) error {
	if err := t.find(&r.cols, r.run, s.rec.Schema()); err != nil {
		return err
	}
	keys := pick(s.rec, r.cols.key)
	for j, c := range keys {
		if err := wantColumn(r.run, t.key[j], c, t.keyTypes[j], false); err != nil {
			return err
		}
	}
	if err := t.layout.Build(&s.keys, keys, nil); err != nil {
		return &fault.Error{Class: fault.ErrCorrupt, File: r.run.Name(), Err: err}
	}
	if err := t.checkOrder(s, r); err != nil {
		return err
	}
	if err := s.system(r); err != nil {
		return err
	}
	if s.retracts {
		t.retracting++
	}
	if t.order != nil {
		seq := pick(s.rec, r.cols.seq)
		for j, c := range seq {
			if err := wantColumn(r.run, t.seq[j], c, t.seqTypes[j], true); err != nil {
				return err
			}
		}
		if err := t.order.Set(i, seq, nil); err != nil {
			return &fault.Error{Class: fault.ErrCorrupt, File: r.run.Name(), Err: err}
		}
	}
	for g, col := range r.cols.gathers {
		if err := t.gathers[g].Set(i, s.rec.Column(col)); err != nil {
			return &fault.Error{Class: fault.ErrInvalid, File: r.run.Name(), Detail: "column " + t.names[g], Err: err}
		}
	}
	t.narrowPrefix(s)
	return nil
}

func wantColumn(r Run, name string, c arrow.Array, dt arrow.DataType, nullable bool) error {
	if !arrow.TypeEqual(c.DataType(), dt) {
		return &fault.Error{Class: fault.ErrInvalid, File: r.Name(),
			Detail: "column " + name + " of type " + c.DataType().String() + ": want " + dt.String()}
	}
	if !nullable && vector.NullCount(c) > 0 {
		return corruptRun(r, "null in column "+name)
	}
	return nil
}

// system reads sequence numbers, kinds and ranks.
func (s *slot) system(r *runState) error {
	seq, kind := s.rec.Column(r.cols.sequence), s.rec.Column(r.cols.kind)
	if err := wantColumn(r.run, sequenceField.Name, seq, sequenceField.Type, false); err != nil {
		return err
	}
	if err := wantColumn(r.run, kindField.Name, kind, kindField.Type, false); err != nil {
		return err
	}
	s.seq, s.kind = seq.(*array.Int64).Int64Values(), kind.(*array.Int8).Int8Values()
	if r.cols.rank >= 0 {
		ranks := s.rec.Column(r.cols.rank)
		if err := wantColumn(r.run, rankField.Name, ranks, rankField.Type, false); err != nil {
			return err
		}
		s.ranks = ranks.(*array.Int32).Int32Values()
	}
	var any, odd int8
	for _, k := range s.kind {
		any |= k
		odd |= k & 1
	}
	if any&^3 != 0 {
		return corruptRun(r.run, "row kind out of 0..3 in column "+kindField.Name)
	}
	s.retracts = odd != 0
	return nil
}

// lastKey is the last key of a run so far.
type lastKey struct {
	ok   bool
	word uint64
	key  []byte
}

// checkOrder makes sure that keys rise within a batch and from the batch
// before to this one, strictly unless a run may hold several versions of a key:
// everything else relies on it.
func (t *slotTable) checkOrder(s *slot, r *runState) error {
	last := &r.last
	rising, least := true, 1 // of a comparison
	if t.versions {
		least = 0
	}
	if t.layout.Exact() {
		words := s.keys.Words()
		rising = !last.ok || cmp.Compare(words[0], last.word) >= least
		for i := 1; i < len(words); i++ {
			if words[i] < words[i-1] || words[i] == words[i-1] && !t.versions {
				rising = false
			}
		}
		last.word = words[len(words)-1]
	} else {
		prev := last.key
		for i := range s.n {
			key := s.keys.Bytes(i)
			if (i > 0 || last.ok) && bytes.Compare(key, prev) < least {
				rising = false
				break
			}
			prev = key
		}
		last.key = append(last.key[:0], s.keys.Bytes(s.n-1)...)
	}
	last.ok = true
	if !rising {
		return corruptRun(r.run, "keys are not in strictly rising order")
	}
	return nil
}

// narrowPrefix shortens the common beginning to what s shares with it. Keys
// rise within s, so its first and last key speak for all.
func (t *slotTable) narrowPrefix(s *slot) {
	if t.layout.Exact() {
		return
	}
	s.skip = -1
	first, last := s.keys.Bytes(0), s.keys.Bytes(s.n-1)
	if !t.started {
		t.started = true
		t.prefix = bytes.Clone(first)
	}
	t.prefix = t.prefix[:vector.Common(t.prefix, first, len(t.prefix))]
	t.prefix = t.prefix[:vector.Common(t.prefix, last, len(t.prefix))]
}

// refreshWords computes the words of batches for which the common beginning
// is new.
func (t *slotTable) refreshWords() {
	if t.layout.Exact() {
		return
	}
	for i := range t.slots {
		s := &t.slots[i]
		if s.rec == nil || s.skip == len(t.prefix) {
			continue
		}
		s.skip = len(t.prefix)
		s.words = slices.Grow(s.words[:0], s.n)[:s.n]
		for j := range s.words {
			s.words[j] = vector.Word(s.keys.Bytes(j), s.skip)
		}
	}
}

// wordsOf are the words of all rows of a slot.
func (t *slotTable) wordsOf(i int) []uint64 {
	if t.layout.Exact() {
		return t.slots[i].keys.Words()
	}
	return t.slots[i].words
}

func (t *slotTable) item(slot, row int) item {
	return item{t.wordsOf(slot)[row], vector.MakeRef(slot, row)}
}

func (t *slotTable) bytes(r vector.Ref) []byte { return t.slots[r.Source()].keys.Bytes(r.Row()) }

// compareTails compares keys of equal words.
func (t *slotTable) compareTails(a, b vector.Ref) int {
	x, y := t.bytes(a), t.bytes(b)
	return compareFrom(x, y, len(t.prefix)+8)
}

func (t *slotTable) compare(a, b item) int {
	if c := cmp.Compare(a.word, b.word); c != 0 || t.layout.Exact() {
		return c
	}
	return t.compareTails(a.ref, b.ref)
}

// sameKeys decides for equal words, nil if that is enough.
func (t *slotTable) sameKeys() func(a, b vector.Ref) bool {
	if t.layout.Exact() {
		return nil
	}
	return func(a, b vector.Ref) bool { return bytes.Equal(t.bytes(a), t.bytes(b)) }
}

// upTo is the first row in [pos, end) whose key is larger than bound, or end.
func (t *slotTable) upTo(slot, pos, end int, bound item) int {
	words := t.wordsOf(slot)
	in := func(row int) bool {
		if w := words[row]; w != bound.word {
			return w < bound.word
		}
		return t.layout.Exact() || t.compareTails(vector.MakeRef(slot, row), bound.ref) <= 0
	}
	lo, step := pos, 1
	for lo+step <= end && in(lo+step-1) {
		lo += step
		step *= 2
	}
	hi := min(lo+step-1, end)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if in(mid) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// compareVersions orders rows of one key, the oldest first.
func (t *slotTable) compareVersions(a, b vector.Ref) int {
	if t.order != nil {
		if c := t.order.Compare(a, b); c != 0 {
			return c
		}
	}
	x, y := &t.slots[a.Source()], &t.slots[b.Source()]
	if c := cmp.Compare(x.seq[a.Row()], y.seq[b.Row()]); c != 0 {
		return c
	}
	return cmp.Compare(y.rankOf(b.Row()), x.rankOf(a.Row()))
}

func (s *slot) rankOf(row int) int {
	if s.ranks != nil {
		return int(s.ranks[row])
	}
	return s.rank
}

func (t *slotTable) kind(r vector.Ref) int8 { return t.slots[r.Source()].kind[r.Row()] }

// retire marks a batch that no run needs any more.
func (t *slotTable) retire(i int) {
	t.retired = append(t.retired, i)
	t.retiredRows += t.slots[i].n
}

func (t *slotTable) freeRetired() {
	for _, i := range t.retired {
		t.release(i)
	}
	t.retired, t.retiredRows = t.retired[:0], 0
}

func (t *slotTable) freeAll() {
	t.retired, t.retiredRows = nil, 0
	for i := range t.slots {
		if t.slots[i].rec != nil {
			t.release(i)
		}
	}
}

// release lets go of a batch but keeps the memory of its vectors.
func (t *slotTable) release(i int) {
	s := &t.slots[i]
	for _, g := range t.gathers {
		g.Clear(i)
	}
	if t.order != nil {
		t.order.Clear(i)
	}
	if s.retracts {
		t.retracting--
	}
	s.rec.Release()
	s.keys.Forget()
	*s = slot{keys: s.keys, words: s.words[:0]}
	t.free = append(t.free, i)
}
