package table

import (
	"context"
	"errors"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// renewal is what a Writer remembers in order to take up newer schemas between
// commits. It is used under the writer's lock.
type renewal struct {
	opened      *schema.Table // when the writer was opened: the order of WriteValues
	options     WriterOptions
	outstanding []int64 // identifiers with messages that wait for their commit, in the order of Prepare
	prepared    int64   // rows accepted before the last Prepare
	stale       error   // a newer schema that cannot be written here
}

// handedOut notes n messages that now wait for a commit.
func (r *renewal) handedOut(identifier int64, n int, seen int64) {
	r.prepared = seen
	if n > 0 {
		r.outstanding = append(r.outstanding, identifier)
	}
}

// settled notes a commit. What was prepared before it is in the table as well,
// by another committer, or given up: see Prepare.
func (r *renewal) settled(identifier int64) {
	for i, id := range slices.Backward(r.outstanding) {
		if id == identifier {
			r.outstanding = slices.Delete(r.outstanding, 0, i+1)
			return
		}
	}
}

func (w *Writer) committer() *Committer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.commits
}

// committed notes a commit, and takes up a newer schema if there is one. What
// the writer knows of its buckets may only be forgotten when all its files are in
// the chain, where it is found again: sequence numbers above all. Compactions
// under way are given up; the next ones do their work.
func (w *Writer) committed(ctx context.Context, identifier int64) {
	w.settled(identifier)
	idle := len(w.outstanding) == 0 && w.unsent == nil && w.pending == 0 && w.seen == w.prepared
	if !idle || w.broken != nil || w.closed || w.options.Overwrite {
		return
	}
	id, err := w.commits.newest.latest(ctx)
	if err != nil || id <= w.table.schema.ID {
		return
	}
	fresh, err := w.at(ctx, id)
	switch {
	case errors.Is(err, fault.ErrUnsupported), errors.Is(err, fault.ErrInvalid):
		w.stale = err
		return
	case err != nil:
		return // the store does not answer: after the next commit, then
	}
	w.canon.release()
	if err := w.buffers.close(); err != nil {
		w.table.world.Logger.Warn("files of compactions that were given up are left behind", "table", w.table.name, "error", err)
	}
	fresh.commits.watermark = w.commits.watermark
	w.table, w.commits, w.canon, w.router, w.filter, w.buffers = fresh.table, fresh.commits, fresh.canon, fresh.router, fresh.filter, fresh.buffers
	w.rows, w.doubted = nil, fresh.doubted
}

// at is a writer of the same user on another schema.
func (w *Writer) at(ctx context.Context, id int64) (*Writer, error) {
	sc, err := w.table.schemas.get(ctx, id)
	if err != nil {
		return nil, err
	}
	next, err := w.table.withSchema(sc)
	if err != nil {
		return nil, err
	}
	o := w.options
	o.User = w.commits.User()
	return next.NewWriter(ctx, o)
}

// reshaped brings single rows in the shape of an older schema to the columns
// of the writer's own. It takes over rec.
func (w *Writer) reshaped(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	if w.shape == w.table.schema {
		return rec, nil
	}
	defer rec.Release()
	plans, err := planColumns(nullable(w.table.schema.Fields), w.shape.Fields, w.table.settings.TimeZone)
	if err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(plans))
	cols := make([]arrow.Array, len(plans))
	defer releaseAll(cols)
	for i := range plans {
		var col arrow.Array
		if plans[i].have {
			col = rec.Column(indexOfID(w.shape.Fields, plans[i].want.ID))
		}
		if cols[i], err = plans[i].apply(col, int(rec.NumRows()), w.table.world.Alloc); err != nil {
			return nil, err
		}
		fields[i] = arrow.Field{Name: plans[i].want.Name, Type: plans[i].arrow, Nullable: true}
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, rec.NumRows()), nil
}

func indexOfID(fields []schema.Field, id int) int {
	for i, f := range fields {
		if f.ID == id {
			return i
		}
	}
	return -1
}
