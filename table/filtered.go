package table

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/binaryrow"
	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/internal/vector"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// filtered reads a section of overlapping runs through a filter on value
// columns. A row that does not match may still hide an older one, so all keys
// are merged; but all other columns are read only where they have to be:
//
//	keys, filter columns ─► merge ─► filter ─┬─ few rows match: the other columns
//	  (of files whose statistics             │  of these rows, found by their places
//	   exclude the filter: keys)             └─ many: all columns at once
//
// It begins the first way, and changes over, between two keys, when the share
// of rows that match says so. Engines that make a row from several versions
// filter after that; they are not read this way.
type filtered struct {
	*splitReader
	runs   []rankedRun
	places *places
	narrow []schema.Field // keys, sequence fields and columns of the filter
	rest   []schema.Field // the other wanted columns
	fetch  *fetcher

	late    bool
	last    arrow.RecordBatch // key columns of the last merged row
	resumed bool              // a pass has begun that may bring rows up to last again
	seen    int64             // merged rows since the share was last judged …
	kept    int64             // … and those that matched
}

// newFiltered is nil where this way of reading has nothing to win.
func (r *splitReader) newFiltered(runs []rankedRun) *filtered {
	s := r.scan
	if _, onValues := s.filter.OnlyFields(nameSet(append(s.schema.KeyFields(), s.schema.PartitionFields()...))); onValues.IsTrue() || !r.choosing() || s.system != nil {
		return nil
	}
	q := &filtered{splitReader: r, runs: runs, places: &places{number: map[string]int{}}}
	q.places.always = nameSet(s.schema.KeyFields())
	for _, name := range s.merging.SequenceFields {
		q.places.always[name] = true
	}
	inFilter := map[string]bool{}
	for _, name := range s.filter.Fields() {
		inFilter[name] = true
	}
	for _, f := range r.stored {
		if q.places.always[f.Name] || inFilter[f.Name] {
			q.narrow = append(q.narrow, f)
		} else {
			q.rest = append(q.rest, f)
		}
	}
	for _, run := range runs {
		for i := range run {
			if fileFormat(run[i].Name) != "parquet" {
				return nil // other formats have no rows that can be read alone
			}
		}
	}
	return q
}

// choosing tells that a row of the result is one stored row.
func (r *splitReader) choosing() bool {
	_, ok := r.scan.engine.(mergeengine.Chooser)
	return ok
}

// number gives the files their numbers.
func (q *filtered) number(ctx context.Context) {
	for _, run := range q.runs {
		for i := range run {
			f := run[i].DataFile
			q.places.number[f.Name] = -1
			if q.scan.fileMayMatch(ctx, q.scan.filter, &f) {
				q.places.number[f.Name] = len(q.places.files)
				q.places.files = append(q.places.files, f)
			}
		}
	}
}

// read yields the rows of the section that match.
func (q *filtered) read(ctx context.Context, within *keyRange, yield func(arrow.RecordBatch, error) bool) bool {
	q.number(ctx)
	q.late = len(q.rest) > 0
	q.fetch = newFetcher(q.splitReader, q.places.files, q.rest)
	defer q.fetch.close()
	defer func() { q.remember(nil) }()
	for {
		done, more := q.pass(ctx, within, yield)
		if done || !more {
			return more
		}
		q.late, q.resumed = !q.late, true
		next, err := q.behindLast(within)
		if err != nil {
			yield(nil, err)
			return false
		}
		defer next.lo.cell.Release()
		within = next
	}
}

// pass merges in one way until the end, or until the other one is better.
func (q *filtered) pass(ctx context.Context, within *keyRange, yield func(arrow.RecordBatch, error) bool) (done, more bool) {
	want := q.stored
	if q.late {
		want = q.narrow
	}
	m, err := q.openMerge(ctx, q.runs, want, within, q.places)
	if err != nil {
		yield(nil, err)
		return false, false
	}
	defer m.Close()
	var held []arrow.RecordBatch // rows that match and wait for their other columns
	rows := int64(0)
	defer func() { releaseRecords(held) }()
	for {
		rec, err := q.nextMatches(m)
		done = errors.Is(err, io.EOF)
		if err != nil && !done {
			yield(nil, err)
			return false, false
		}
		if rec != nil {
			held, rows = append(held, rec), rows+rec.NumRows()
		}
		change := !done && q.judge()
		if rows > 0 && (done || change || !q.late || rows >= q.fetch.rows) {
			out, err := q.complete(ctx, held)
			releaseRecords(held)
			held, rows = nil, 0
			if !handOut(out, err, yield) {
				return false, false
			}
		}
		if done || change {
			return done, true
		}
	}
}

// The share of matching rows above which all columns are read at once, and
// below which they no longer are. Between two judgements lie so many rows.
const (
	manyMatch = 1.0 / 32
	fewMatch  = 1.0 / 128
)

var judgeAfter int64 = 1 << 15 // a variable for tests only

// judge tells that the other way of reading is the better one.
func (q *filtered) judge() bool {
	if q.seen < judgeAfter || len(q.rest) == 0 || !cutsWell(q.scan.schema.KeyFields()[0]) {
		return false
	}
	share := float64(q.kept) / float64(q.seen)
	q.seen, q.kept = 0, 0
	if q.late {
		return share > manyMatch
	}
	return share < fewMatch
}

// nextMatches merges the next batch and keeps its rows that match, nil if
// there are none.
func (q *filtered) nextMatches(m rowSource) (arrow.RecordBatch, error) {
	rec, err := m.Next()
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	skip, err := q.alreadySeen(rec)
	if err != nil || skip == rec.NumRows() {
		return nil, err
	}
	q.remember(rec)
	wide, err := q.widen(rec)
	if err != nil {
		return nil, err
	}
	defer wide.Release()
	keep, err := q.scan.filter.Filter(wide)
	if err != nil {
		return nil, err
	}
	at := rec.Column(int(rec.NumCols()) - 1).(*array.Int64).Values()
	keep = slices.DeleteFunc(keep, func(row int32) bool { return place(at[row]) == nowhere || int64(row) < skip })
	q.seen += rec.NumRows() - skip
	q.kept += int64(len(keep))
	if len(keep) == 0 {
		return nil, nil
	}
	return take.Record(rec, keep, q.scan.table.world.Alloc)
}

// complete makes the result of rows that match: all wanted columns of them.
func (q *filtered) complete(ctx context.Context, held []arrow.RecordBatch) (arrow.RecordBatch, error) {
	rec, err := joinBatches(held, q.scan.table.world.Alloc)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	if q.late {
		at := make([]place, rec.NumRows())
		for i, cell := range rec.Column(int(rec.NumCols()) - 1).(*array.Int64).Values() {
			at[i] = place(cell)
		}
		rest, err := q.fetch.fetch(ctx, at)
		if err != nil {
			return nil, err
		}
		defer rest.Release()
		rec = besides(rec, rest)
		defer rec.Release()
	}
	wide, err := q.widen(rec)
	if err != nil {
		return nil, err
	}
	defer wide.Release()
	return q.scan.projected(wide), nil
}

// remember keeps the key of a batch's last row.
func (q *filtered) remember(rec arrow.RecordBatch) {
	if q.last != nil {
		q.last.Release()
		q.last = nil
	}
	if rec != nil {
		one := rec.NewSlice(rec.NumRows()-1, rec.NumRows())
		defer one.Release()
		cols := q.keyColumns(one)
		fields := make([]arrow.Field, len(cols))
		for i, f := range q.scan.schema.KeyFields() {
			fields[i] = arrow.Field{Name: f.Name, Type: cols[i].DataType()}
		}
		q.last = array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, 1)
	}
}

func (q *filtered) keyColumns(rec arrow.RecordBatch) []arrow.Array {
	return columnsNamed(rec, names(q.scan.schema.KeyFields()))
}

// alreadySeen counts the rows of a batch up to the last key: a range begins at
// a value of the first key column, so a new pass may begin with some of them.
func (q *filtered) alreadySeen(rec arrow.RecordBatch) (int64, error) {
	if !q.resumed {
		return 0, nil
	}
	var types []arrow.DataType
	for _, c := range q.last.Columns() {
		types = append(types, c.DataType())
	}
	layout, err := vector.NewLayout(types)
	if err != nil {
		return 0, err
	}
	var last, keys vector.Keys
	if err := errors.Join(layout.Build(&last, q.last.Columns(), nil), layout.Build(&keys, q.keyColumns(rec), nil)); err != nil {
		return 0, err
	}
	n := int64(0)
	for n < rec.NumRows() && layout.Compare(&keys, int(n), &last, 0) <= 0 {
		n++
	}
	q.resumed = n == rec.NumRows()
	return n, nil
}

// behindLast is the part of a range that may hold keys behind the last one.
func (q *filtered) behindLast(within *keyRange) (*keyRange, error) {
	enc, err := binaryrow.NewEncoder(q.keyTypes, q.last.Columns())
	if err != nil {
		return nil, err
	}
	key, err := binaryrow.Decode(q.keyTypes, enc.Append(nil, 0))
	if err != nil {
		return nil, err
	}
	next, err := q.wholeRange()
	if err != nil {
		return nil, err
	}
	if within != nil {
		next.hi = within.hi
	}
	next.lo, err = newKeyCut(next.layout, next.field, key[0], q.scan.table.world.Alloc)
	return &next, err
}
