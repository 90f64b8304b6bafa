package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/table"
)

// copied counts what a write did.
type copied struct{ rows, commits, committed int64 }

// copyRows reads the input to its end into the table.
func (a *app) copyRows(ctx context.Context, t *table.Table, in input, f *writeFlags, bad *badRows) (done copied, err error) {
	w, err := t.NewWriter(ctx, table.WriterOptions{WaitCompaction: true, Batch: true}) // the same input leaves the same files
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	p := a.progress("writing " + t.Name())
	defer p.done()
	for b, err := range in.batches(t, a.rowOptions(t, f, bad)) {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = copyBatch(ctx, w, b, f.commitEvery, &done)
		}
		if err != nil {
			return done, explainPartial(err, done)
		}
		p.show("%d rows, %d commits", done.rows, done.commits)
	}
	if f.watermark != noWatermark {
		w.SetWatermark(f.watermark) // of all the input, so not of --commit-every's commits before
	}
	return done, explainPartial(commit(ctx, w, &done), done)
}

// rowOptions say how rows of text are read for a table.
func (a *app) rowOptions(t *table.Table, f *writeFlags, bad *badRows) rowjson.Options {
	keys := t.Schema().PrimaryKeys
	o := rowjson.Options{Loc: a.loc, Rules: rowjson.Rules{NotNull: true, InsertsOnly: len(keys) == 0,
		NoNaN: append(slices.Clone(keys), t.Options().SequenceFields...)}}
	if f.commitEvery > 0 {
		o.BatchRows = int(min(f.commitEvery, batchRows))
	}
	if bad.out != nil {
		o.BadRow = bad.add
	}
	return o
}

// copyBatch writes one batch, and commits wherever a number of rows is full.
func copyBatch(ctx context.Context, w *table.Writer, b rowjson.Batch, every int64, done *copied) error {
	for from, rows := int64(0), b.Record.NumRows(); from < rows; {
		to := rows
		if every > 0 {
			to = min(rows, from+every-(done.rows-done.committed))
		}
		if err := writePart(ctx, w, b, from, to); err != nil {
			return err
		}
		done.rows += to - from
		if done.rows-done.committed == every {
			if err := commit(ctx, w, done); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

func writePart(ctx context.Context, w *table.Writer, b rowjson.Batch, from, to int64) error {
	part := b.Record.NewSlice(from, to)
	defer part.Release()
	kinds := b.Kinds
	if kinds != nil {
		kinds = kinds[from:to]
	}
	return w.WriteKinds(ctx, part, kinds)
}

// commit publishes the rows since the last commit, if there are any.
func commit(ctx context.Context, w *table.Writer, done *copied) error {
	if done.rows == done.committed {
		return nil
	}
	identifier := done.commits + 1 // the commit user is fresh
	msgs, err := w.Prepare(ctx, identifier)
	if err != nil {
		return err
	}
	done.committed = done.rows
	if len(msgs) == 0 {
		return nil // the table drops such rows (ignore-delete)
	}
	done.commits++
	return w.Commit(ctx, identifier, msgs)
}

// explainPartial says what an error left behind.
func explainPartial(err error, done copied) error {
	if err == nil || done.commits == 0 {
		return err
	}
	return fmt.Errorf("%w (committed before that: %s in %s)", err, count(done.committed, "row"), count(done.commits, "commit"))
}

func (a *app) sayWritten(t *table.Table, w copied, bad int64, passed string) error {
	sentence := fmt.Sprintf("wrote %s into %s in %s", count(w.rows, "row"), t.Name(), count(w.commits, "commit"))
	if w.rows == 0 {
		sentence = "no rows for " + t.Name() + ": no snapshot made"
	}
	if bad > 0 {
		sentence += fmt.Sprintf("; left out %s", count(bad, "malformed row"))
	}
	if passed != "" {
		sentence += "; passed over " + passed
	}
	return a.say(sentence, cell{"table", t.Name()}, cell{"rows", w.rows}, cell{"commits", w.commits}, cell{"bad_rows", bad})
}
