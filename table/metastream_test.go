package table_test

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// told is a row that a stream told.
type told struct {
	at   *snapshot.Snapshot
	full bool // a row of the table as it was, and no change
	kind schema.RowKind
	row  string // the columns as JSON
}

// line is the row with its kind.
func (r told) line() string { return fmt.Sprintf(`{"_kind":%q,%s`, r.kind, r.row[1:]) }

func toldLines(rows []told) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.line()
	}
	return out
}

// streamed is what the shares of a stream tell, each followed on its own,
// snapshot by snapshot.
func (m *metaRun) streamed(o table.StreamOptions, shares int) (all []told, err error) {
	for share := range shares {
		o.Share, o.Shares = share, shares
		o.SequenceNumbers, o.CommitTimes = m.random.IntN(3) == 0, m.random.IntN(3) == 0
		f := metaFollower{metaRun: m, options: o}
		for over := false; !over; {
			if over, err = f.turn(); err != nil {
				return nil, fmt.Errorf("stream %+v: %w", f.options, err)
			}
		}
		all = append(all, f.rows...)
	}
	slices.SortStableFunc(all, func(a, b told) int { return int(a.at.ID - b.at.ID) })
	return all, nil
}

// metaFollower is a reader that breaks off again and again, anywhere: it goes on in a
// table that was opened anew, from the last token that it kept. What it was
// told after that is forgotten, as by one that was killed.
type metaFollower struct {
	*metaRun
	options table.StreamOptions // of the next turn
	rows    []told
	kept    int // rows up to the token
	breaks  int
}

// turn follows until the stream is over, or until it breaks off.
func (f *metaFollower) turn() (over bool, err error) {
	tab, err := f.open()
	if err != nil {
		return false, err
	}
	f.rows, f.options.BatchRows = f.rows[:f.kept], oneOf(f.random, 1, 2, 5, 0)
	s, err := tab.Stream(ctx, f.options)
	if err != nil {
		return false, err
	}
	for c, err := range s.Snapshots(ctx) {
		if err != nil {
			return false, err
		}
		for rec, err := range c.Batches() {
			if err == nil {
				err = f.hear(s, c, rec)
			}
			if err != nil || f.pause(s) {
				return false, err
			}
		}
		if f.pause(s) {
			return false, nil
		}
	}
	return true, nil
}

// pause keeps a token at times, and tells at times to break off.
func (f *metaFollower) pause(s *table.Stream) bool {
	if f.breaks > 4 {
		return false
	}
	chance := f.random.IntN(8)
	if chance < 2 {
		f.kept, f.options.Token, f.options.Mode, f.options.Snapshot = len(f.rows), s.Token(), "", 0
	}
	if chance == 0 || chance == 7 {
		f.breaks++
		return true
	}
	return false
}

// hear notes the rows of a batch.
func (f *metaFollower) hear(s *table.Stream, c *table.Changes, rec arrow.RecordBatch) error {
	before := s.Schema().NumFields() - len(s.Fields())
	if !rec.Schema().Equal(s.Schema()) || rec.NumRows() == 0 {
		return fmt.Errorf("a batch of %d rows, %v, not of %v", rec.NumRows(), rec.Schema(), s.Schema())
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		return err
	}
	rows := array.NewRecordBatch(arrow.NewSchema(rec.Schema().Fields()[before:], nil), rec.Columns()[before:], rec.NumRows())
	defer rows.Release()
	if err := enc.Bind(rows); err != nil {
		return err
	}
	kinds, ids := rec.Column(0).(*array.Int8), rec.Column(1).(*array.Int64)
	for r := range int(rec.NumRows()) {
		if ids.Value(r) != c.Snapshot.ID {
			return fmt.Errorf("a row of snapshot %d among those of %d", ids.Value(r), c.Snapshot.ID)
		}
		f.rows = append(f.rows, told{c.Snapshot, c.Full, schema.RowKind(kinds.Value(r)), string(enc.AppendRow(nil, r))})
	}
	return nil
}

// narrowed proves that a stream of some columns and rows tells those of what
// the whole stream told.
func (m *metaRun) narrowed(o table.StreamOptions, shares int, all []told) error {
	o.Columns = m.someColumns()
	fields, err := m.model.Schema.FieldsByName(o.Columns)
	if err != nil {
		return err
	}
	keeps := func(map[int]any) truth { return yes }
	if m.random.IntN(2) == 0 {
		o.Where, keeps = drawFilter(m.random, m.model.Schema)
	}
	some, err := m.streamed(o, shares)
	if err != nil {
		return err
	}
	text := func(r told, cells map[int]any) string {
		if r.full { // +I or +U, by what there is to merge among the files that are read
			r.kind = schema.Insert
		}
		return fmt.Sprintf("%d %t %s %s", r.at.ID, r.full, r.kind, m.model.Line(cells, fields))
	}
	var want, got []string
	for _, r := range all {
		if cells := m.cells(m.model.Schema.Fields, r.row); keeps(cells) == yes {
			want = append(want, text(r, cells))
		}
	}
	for _, r := range some {
		got = append(got, text(r, m.cells(fields, r.row)))
	}
	if d := cmp.Diff(want, got); d != "" {
		return fmt.Errorf("a stream of %q WHERE %s (-of the whole stream +told):\n%s", o.Columns, o.Where, d)
	}
	return nil
}
