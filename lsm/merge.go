package lsm

import (
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
)

const (
	defaultMergeRows = 16384
	// minWindow is how many rows of a run are kept in memory where the run
	// has them: a run of tiny batches would otherwise make tiny rounds.
	minWindow = 256
)

// MergeSpec describes the runs and the result of a [Merge].
type MergeSpec struct {
	// Schema holds the value columns in their canonical Arrow types: at
	// least those named in Key, Sequence and Output.
	Schema *arrow.Schema
	// Key names the key columns: the primary key without partition columns.
	Key []string
	// Sequence names the user's sequence fields, which order the versions of
	// a key before sequence numbers do. Null is the smallest value, also
	// when SequenceDescending reverses the order.
	Sequence           []string
	SequenceDescending bool
	// Engine merges the versions of a key. Default: deduplicate. Schema must
	// hold the Sources of Output when it is a Folder.
	Engine mergeengine.Engine
	// Levels gives the level of each rank ([Run]) where compaction looks up
	// older rows of the keys that it merges, nil elsewhere. Of several
	// versions above level 0 only the one of the lowest level counts then:
	// the others are in it already.
	Levels []int
	// Alone has a Folder merge keys of one version too ([mergeengine.Groups]).
	Alone bool
	// Changes asks for what became of each key, nil for nothing.
	Changes *ChangesSpec
	// Versions says that a run may hold several versions of a key, one after
	// the other in any order: keys need not rise strictly. In memory are then,
	// of every run, all the versions of the key that it is at.
	Versions bool
	// Output names the value columns to emit, in this order.
	Output []string
	// WithKeys emits _KEY_ columns, WithSequence _SEQUENCE_NUMBER and
	// WithKind _VALUE_KIND, in this order before the columns of Output.
	WithKeys, WithSequence, WithKind bool
	// DropDeletes leaves out results of the kinds -U and -D.
	DropDeletes bool
	// BatchRows bounds the rows of an emitted batch. Default: 16384.
	BatchRows int
	// Parallel bounds the goroutines that gather columns. Default: 1.
	Parallel int
	// Alloc allocates emitted batches; it must be safe for concurrent use.
	// Default: memory.DefaultAllocator.
	Alloc memory.Allocator
}

// Merge reads several runs as one stream of merged rows in key order, one row
// a key. In memory are, for each run, the batch that it is in, and the rows
// on their way to the next batches that are emitted: a small multiple of
// BatchRows. A Merge is used by one goroutine at a time.
//
// Rows of one key are ordered by the sequence fields, then by sequence
// number, then by the rank of their file ([Run]); the engine sees the oldest
// first.
type Merge struct {
	spec    MergeSpec
	runs    []*runState
	slots   slotTable
	emitter emitter

	merger pairMerger
	segs   []segment
	starts []int32
	chosen []int32
	random uint64

	chooser mergeengine.Chooser // or
	fold    *folding
	changes *changes // nil when nobody asks

	// pending are merged rows that wait to be gathered, in slices of at most
	// slice rows. When columns are folded it holds all versions of the rows,
	// and groups where each row's versions begin.
	pending []vector.Ref
	groups  []int32
	emitted int
	slice   int
	err     error
}

// NewMerge returns the merge of runs, which it takes over unless there is an
// error: ErrInvalid for a specification that names columns wrongly or orders
// by columns that have no order. The order of runs does not matter.
func NewMerge(runs []Run, spec MergeSpec) (*Merge, error) {
	if spec.Engine == nil {
		spec.Engine = mergeengine.Deduplicate{}
	}
	if spec.BatchRows <= 0 {
		spec.BatchRows = defaultMergeRows
	}
	if spec.Alloc == nil {
		spec.Alloc = memory.DefaultAllocator
	}
	m := &Merge{spec: spec, random: 0x9e3779b97f4a7c15}
	if err := m.newEmitter(); err != nil {
		return nil, err
	}
	if err := m.slots.init(&m.spec, m.emitter.names, m.emitter.gathers); err != nil {
		return nil, err
	}
	m.slots.versions = spec.Versions
	m.merger.words = m.slots.wordsOf
	if !m.slots.layout.Exact() {
		m.merger.tail = m.slots.compareTails
	}
	for _, r := range runs {
		m.runs = append(m.runs, &runState{run: r})
	}
	return m, nil
}

func (m *Merge) newEmitter() error {
	e := emitter{mem: m.spec.Alloc, parallel: m.spec.Parallel}
	if m.spec.WithKeys {
		index, _, err := columns(m.spec.Schema, m.spec.Key, "key")
		if err != nil {
			return err
		}
		for _, c := range index {
			f := m.spec.Schema.Field(c)
			if err := e.gathered(keyField(f), f.Name); err != nil {
				return err
			}
		}
	}
	if m.spec.WithSequence {
		if err := e.gathered(sequenceField, sequenceField.Name); err != nil {
			return err
		}
	}
	if _, folds := m.spec.Engine.(mergeengine.Folder); m.spec.WithKind && folds {
		e.computed(kindField, 0)
	} else if m.spec.WithKind {
		if err := e.gathered(kindField, kindField.Name); err != nil {
			return err
		}
	}
	index, _, err := columns(m.spec.Schema, m.spec.Output, "output")
	if err != nil {
		return err
	}
	for _, c := range index {
		f := m.spec.Schema.Field(c)
		if err := e.gathered(f, f.Name); err != nil {
			return err
		}
	}
	e.finish()
	m.emitter = e
	if err := m.useEngine(); err != nil || m.spec.Changes == nil {
		return err
	}
	m.changes, err = m.newChanges()
	return err
}

// useEngine gets ready to choose or to fold.
func (m *Merge) useEngine() (err error) {
	switch engine := m.spec.Engine.(type) {
	case mergeengine.Chooser:
		m.chooser = engine
	case mergeengine.Folder:
		m.fold, err = newFolding(engine, &m.emitter, m.spec.Schema)
	}
	return err
}

// Schema is the schema of emitted batches.
func (m *Merge) Schema() *arrow.Schema { return m.emitter.schema }

// Next returns the next batch, which the caller releases, or io.EOF. A run
// whose keys do not rise, or whose columns are not what they should be, is
// ErrCorrupt with the run's name; errors of runs are passed on. After an
// error the merge stays in error.
func (m *Merge) Next() (arrow.RecordBatch, error) {
	rec, err := m.next()
	if err != nil {
		m.err = err
	}
	return rec, err
}

func (m *Merge) next() (arrow.RecordBatch, error) {
	for m.err == nil {
		if m.emitted == m.waiting() {
			if err := m.fill(); err != nil {
				return nil, err
			}
		}
		n := min(m.slice, m.waiting()-m.emitted)
		rec, err := m.batch(n)
		for errors.Is(err, vector.ErrTooLarge) && n > 1 {
			n /= 2
			rec, err = m.batch(n)
		}
		if err != nil {
			return nil, err
		}
		if err := m.changes.emit(rec); err != nil {
			rec.Release()
			return nil, err
		}
		m.emitted += n
		if rec.NumRows() > 0 {
			return rec, nil
		}
		rec.Release() // all its rows were deleted
	}
	return nil, m.err
}

// waiting is the number of merged rows since the last fill.
func (m *Merge) waiting() int {
	if m.fold != nil {
		return len(m.groups)
	}
	return len(m.pending)
}

// batch makes a batch of the next n rows.
func (m *Merge) batch(n int) (arrow.RecordBatch, error) {
	if m.fold != nil {
		return m.foldBatch(n)
	}
	refs := m.pending[m.emitted : m.emitted+n]
	if m.changes != nil {
		refs = m.changes.ofChosen(refs)
	}
	return m.emitter.batch(vector.Select(refs))
}

// fill merges rounds until a batch is worth gathering: half of a full one,
// or so many rows read for it that it is time to let go of their batches.
// What is left from one fill to the next are only batches that runs are in.
func (m *Merge) fill() error {
	m.pending, m.groups, m.emitted = m.pending[:0], m.groups[:0], 0
	m.changes.reset()
	m.slots.freeRetired()
	for m.waiting()*2 < m.spec.BatchRows {
		if len(m.pending) > 0 && m.slots.retiredRows > 4*m.spec.BatchRows {
			break
		}
		more, err := m.round()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if len(m.pending) == 0 {
			m.slots.freeRetired()
		}
	}
	if len(m.pending) == 0 {
		return io.EOF
	}
	slices := (m.waiting() + m.spec.BatchRows - 1) / m.spec.BatchRows
	m.slice = (m.waiting() + slices - 1) / slices
	return nil
}

// Close releases all batches and closes all runs, those too that have come to
// their end. It may be called more than once.
func (m *Merge) Close() error {
	var all error
	for _, r := range m.runs {
		all = errors.Join(all, r.close())
	}
	m.runs = nil
	m.slots.freeAll()
	m.pending, m.groups, m.emitted = nil, nil, 0
	if m.err == nil {
		m.err = errClosed("merge")
	}
	return all
}
