package table

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
)

// ChangeOptions say which rows Delete and Update change, and how.
type ChangeOptions struct {
	// Where chooses the rows for which it is true, as text; see ScanOptions.
	Where string
	// Filter is the same as a built expression; both must hold when both are given.
	Filter predicate.Expr
	// User is the commit user, as in WriterOptions. Default: random.
	User string
	// DryRun finds out what would change, and changes nothing.
	DryRun bool
}

// Assignment gives a column of the changed rows its new value: Value, unless
// Expr or Compute says where it comes from.
type Assignment struct {
	// Name is the column that is set.
	Name string
	// Value is as for Writer.Put; nil is null.
	Value any
	// Expr is a literal or another column of the row, as filters have them:
	// "3", "'text'", "DATE '2026-01-31'", "NULL", "other".
	Expr string
	// Compute makes the new values of a batch of old rows, which has all columns
	// and is borrowed; the result is one value a row and becomes the callee's.
	Compute func(old arrow.RecordBatch) (arrow.Array, error)
}

// ChangeReport tells what Delete and Update did, or would do.
type ChangeReport struct {
	Rows    int64 // rows deleted or updated
	Files   int   // data files that held them
	Rewrote int   // of these files, those that were written again without the rows
	Vectors int   // of these files, those whose rows were marked in a deletion vector
}

// Delete removes the rows that a filter chooses, in one atomic commit; without
// such rows there is none.
//
// In a table without a primary key it marks them in deletion vectors where
// deletion-vectors.enabled is set, and otherwise writes the files that hold
// them again without them. The commit is an OVERWRITE; when others have changed
// the same files meanwhile it is planned and made anew, as often as
// commit.max-retries says.
//
// In a primary-key table it writes a delete for the key of every such row, as a
// Writer would. A row that another writer changes between the scan and the
// commit is then deleted all the same. The merge engine must let a delete remove
// a row: deduplicate does, partial-update and aggregation do by their options
// remove-record-on-delete and remove-record-on-sequence-group, first-row does not.
//
// Errors: ErrInvalid without a filter (use Truncate), ErrUnsupported where a
// delete would not remove the row, ErrConflict when retries did not help,
// ErrUncertain when the store did not answer: the text names the commit user and
// identifier, and if a snapshot of Snapshots has them the rows are gone.
func (t *Table) Delete(ctx context.Context, o ChangeOptions) (ChangeReport, error) {
	if o.Where == "" && o.Filter.IsTrue() {
		return ChangeReport{}, t.wrap("delete", fault.Invalid("no filter given; to remove every row use Truncate"))
	}
	c := &change{table: t, options: o}
	report, err := c.run(ctx)
	return report, t.wrap("delete", err)
}

// Update gives columns of the rows that a filter chooses new values, in one
// atomic commit; without a filter those of all rows. It works as Delete does,
// and writes the new rows besides; in a primary-key table they go through the
// merge engine, so that a sequence field which becomes smaller loses. The engine
// must be deduplicate or partial-update; the columns of partial-update that have
// an aggregate function keep their values and cannot be set.
//
// Errors: those of Delete, ErrInvalid for columns that do not exist or values
// they cannot take, ErrUnsupported for columns of the primary key, and where
// merging the new row would not make a column what it was set to: null, say, in
// a column of partial-update outside of sequence groups.
func (t *Table) Update(ctx context.Context, set []Assignment, o ChangeOptions) (ChangeReport, error) {
	c := &change{table: t, options: o}
	err := c.assign(set)
	defer c.release()
	if err != nil {
		return ChangeReport{}, t.wrap("update", err)
	}
	report, err := c.run(ctx)
	return report, t.wrap("update", err)
}

// change is one Delete (no assignments) or Update.
type change struct {
	table   *Table
	options ChangeOptions
	set     []assignment
	silent  []int // columns that a new version says nothing about
}

func (c *change) deletes() bool { return c.set == nil }

// run plans and commits until no other commit is in the way.
func (c *change) run(ctx context.Context) (ChangeReport, error) {
	t := c.table
	if err := errors.Join(t.options.CheckWrite(t.schema), c.sound()); err != nil {
		return ChangeReport{}, err
	}
	commits, err := t.NewCommitter(ctx, c.options.User)
	if err != nil {
		return ChangeReport{}, err
	}
	id := int64(BatchIdentifier)
	if c.options.User != "" {
		if id, err = commits.NextIdentifier(ctx); err != nil {
			return ChangeReport{}, err
		}
	}
	for n := 0; ; n++ {
		report, msgs, err := c.prepare(ctx, id)
		if err != nil || len(msgs) == 0 {
			return report, err
		}
		in, err := commits.commitSurely(ctx, id, msgs)
		if err == nil || errors.Is(err, fault.ErrUncertain) {
			return report, err
		}
		again := errors.Is(err, fault.ErrConflict)
		if in {
			msgs = compactionsOf(msgs)
		}
		err = errors.Join(err, t.abort(context.WithoutCancel(ctx), msgs))
		if in || !again || n >= t.options.CommitMaxRetries || ctx.Err() != nil {
			return report, err
		}
	}
}

// prepare makes the files of one attempt, from the newest snapshot.
func (c *change) prepare(ctx context.Context, id int64) (ChangeReport, []CommitMessage, error) {
	scan, err := c.table.scanAlone(ctx, ScanOptions{Where: c.options.Where, Filter: c.options.Filter})
	if err != nil {
		return ChangeReport{}, nil, err
	}
	if scan.snapshot != nil {
		if err := c.table.mayWriteAgain(scan.snapshot.SchemaID); err != nil {
			return ChangeReport{}, nil, err
		}
	}
	if len(c.table.schema.PrimaryKeys) > 0 {
		return c.upsert(ctx, scan, id)
	}
	return c.rewrite(ctx, scan, id)
}

// upsert writes a newer version of every row that the scan finds.
func (c *change) upsert(ctx context.Context, scan *Scan, id int64) (report ChangeReport, msgs []CommitMessage, err error) {
	var w *Writer
	if !c.options.DryRun {
		if w, err = c.table.NewWriter(ctx, WriterOptions{}); err != nil {
			return report, nil, err
		}
		defer func() { err = errors.Join(err, w.Close()) }()
	}
	kind := schema.UpdateAfter
	if c.deletes() {
		kind = schema.Delete
	}
	for rec, err := range scan.Batches(ctx) {
		if err != nil {
			return report, nil, err
		}
		report.Rows += rec.NumRows()
		if err := c.write(ctx, w, rec, kind); err != nil {
			return report, nil, err
		}
	}
	if w == nil {
		return report, nil, nil
	}
	msgs, err = w.Prepare(ctx, id)
	return report, msgs, err
}

// write sends rows, changed where this is an update, to the writer; without one
// it only finds out whether they could be.
func (c *change) write(ctx context.Context, w *Writer, rec arrow.RecordBatch, kind schema.RowKind) error {
	out, err := c.changed(rec)
	if err != nil {
		return err
	}
	defer func() { out.Release() }()
	if out, err = c.mergeable(rec, out); err != nil {
		return err
	}
	if w == nil {
		return nil
	}
	kinds := make([]int8, out.NumRows())
	for i := range kinds {
		kinds[i] = int8(kind)
	}
	return w.WriteKinds(ctx, out, kinds)
}
