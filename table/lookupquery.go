package table

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/deletion"
	"github.com/tidelake/tidelake/internal/rowjson"
)

// answer is what was found for some keys, and the memory that finding it took:
// a Lookup keeps it for later calls.
type answer struct {
	best     []version       // by key; without a block for an absent key
	from     []*lookupBucket // where
	borrowed []arrow.RecordBatch

	routes   router
	targets  []target
	query    lookupQuery
	touched  byte              // see rowBlock.touch
	appender *rowjson.Appender // of keys as Go values, nil until there are some
}

// target is a bucket and the keys to look for there, nil for all.
type target struct {
	bucket *lookupBucket
	rows   []int32
}

// newAnswer is an empty answer. Give it to keep in the end.
func (l *Lookup) newAnswer() *answer {
	if a, ok := l.answers.Get().(*answer); ok {
		return a
	}
	a := &answer{}
	if l.routes != nil {
		a.routes = *l.routes // with memory of its own
	}
	return a
}

// keep takes an answer back that nobody looks at any more.
func (l *Lookup) keep(a *answer) {
	for _, b := range a.borrowed {
		b.Release()
	}
	clear(a.borrowed)
	clear(a.targets)
	clear(a.best)
	clear(a.from)
	a.borrowed, a.targets = a.borrowed[:0], a.targets[:0]
	a.query.forget()
	l.answers.Put(a)
}

// clear is the answer to n keys before anything was found.
func (a *answer) clear(n int) { a.best, a.from = emptied(a.best, n), emptied(a.from, n) }

// answer looks for all keys.
func (l *Lookup) answer(ctx context.Context, a *answer, s *lookupState, keys arrow.RecordBatch) error {
	a.clear(int(keys.NumRows()))
	if err := l.targets(ctx, a, s, keys); err != nil {
		return err
	}
	a.query.now = l.table.world.Clock()
	for _, t := range a.targets {
		if t.rows != nil && len(t.rows) == 0 {
			continue
		}
		err := l.inBucket(ctx, a, t, keys)
		a.query.forget()
		if err != nil {
			return err
		}
	}
	return nil
}

// lookupQuery are keys that are looked for in one bucket, and what is found.
type lookupQuery struct {
	keys   keyList
	hashes []uint64
	order  []int32 // the keys in rising order, equal ones once
	first  []int32 // of each key, which one stands for it
	which  []int32 // those that are looked for still
	now    time.Time

	file *lookupFile      // that is asked now …
	gone *deletion.Vector // … and its rows that are not there

	best    []version // by key: the newest, and without merging nothing else
	merging bool
	found   []version // when merging, those of a run in order of key
}

// begin takes in the key columns.
func (q *lookupQuery) begin(s *keySpace) error {
	if err := s.layout.Build(&q.keys.Keys, q.keys.cols, nil); err != nil {
		return err
	}
	n := q.keys.Len()
	q.hashes = emptied(q.hashes, n)
	for i := range q.hashes {
		q.hashes[i] = s.layout.Hash(&q.keys.Keys, i)
	}
	q.order, q.first = s.sortKeys(&q.keys, q.order)
	q.best = emptied(q.best, n)
	return nil
}

// add notes a version of a key.
func (q *lookupQuery) add(key int32, v version) {
	if q.gone != nil && q.gone.Has(v.block.from+int64(v.row)) {
		return
	}
	if q.merging {
		q.found = append(q.found, v)
	} else if best := &q.best[key]; best.block == nil || v.sequence() > best.sequence() {
		*best = v
	}
}

// forget lets go of keys, blocks and files.
func (q *lookupQuery) forget() {
	clear(q.keys.cols)
	clear(q.best)
	clear(q.found)
	q.keys.Forget()
	q.keys.cols, q.found = q.keys.cols[:0], q.found[:0]
	q.file, q.gone, q.merging = nil, nil, false
}

// emptied is a slice of n zero values, in the memory of s if it has room.
func emptied[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}
