package table

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/manifest"
)

// rolling writes the rows of one bucket into files, one after the other, and
// begins a new one when a file has reached the target size. It is for one
// goroutine at a time. A nil one has no files to finish, hand out or give up.
type rolling struct {
	files   *fileMaker
	dir, id string
	made    int   // files started, the next file's number
	next    int64 // the first free sequence number; of append tables, that of the next row

	open *newFile // a file that is not full yet
	done []manifest.DataFile
}

// rollRows is after how many rows near the end of a file its size is looked at, as in Java.
const rollRows = 1000

// write appends rows to the open file and closes it once it is large enough.
func (r *rolling) write(ctx context.Context, rec arrow.RecordBatch, parallel int) error {
	for from, rows := int64(0), rec.NumRows(); from < rows; {
		to := rows
		if to-from > rollRows && r.nearEnd(rec) {
			to = from + rollRows
		}
		part := rec.NewSlice(from, to)
		err := r.append(ctx, part, parallel)
		part.Release()
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// nearEnd tells that a batch may fill the open file.
func (r *rolling) nearEnd(rec arrow.RecordBatch) bool {
	size := int64(0)
	if r.open != nil {
		size = r.open.enc.Size()
	}
	for _, col := range rec.Columns() {
		_, used := footprint(col.Data())
		size += used
	}
	return size >= r.files.target
}

func (r *rolling) append(ctx context.Context, rec arrow.RecordBatch, parallel int) error {
	if r.open == nil {
		f, err := r.files.create(ctx, r.dir, r.id, r.made, parallel)
		if err != nil {
			return err
		}
		r.made++
		r.open = f
		f.meta.MinSequence, f.meta.MaxSequence = r.next, r.next-1
	}
	if err := r.open.write(ctx, rec); err != nil {
		return err
	}
	if r.files.sequence < 0 {
		r.next += rec.NumRows()
		r.open.meta.MaxSequence = r.next - 1
	}
	if r.open.enc.Size() < r.files.target {
		return nil
	}
	return r.roll()
}

// roll finishes the open file, if there is one.
func (r *rolling) roll() error {
	if r == nil || r.open == nil {
		return nil
	}
	d, err := r.open.finish()
	r.open = nil
	if err != nil {
		return err
	}
	r.done = append(r.done, d)
	return nil
}

// heldOpen is about how many bytes the open file holds in memory.
func (r *rolling) heldOpen() int64 {
	if r.open == nil {
		return 0
	}
	return r.open.held()
}

// take hands out the files that are finished; none is open.
func (r *rolling) take() []manifest.DataFile {
	if r == nil {
		return nil
	}
	files := r.done
	r.done = nil
	return files
}

// discard gives up the open file and deletes those that were not handed out.
func (r *rolling) discard() error {
	if r == nil {
		return nil
	}
	if r.open != nil {
		r.open.abandon()
		r.open = nil
	}
	return r.files.table.deleteFiles(context.Background(), r.dir, r.take())
}
