package table

import (
	"bytes"
	"cmp"
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/take"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
)

const (
	// plainBytes is what the rows of one batch cost a buffer beside it.
	plainBytes = 48
	// maxOpenFiles is up to how many buckets an append writer keeps its files
	// open over several flushes; with more, each flush closes its files.
	maxOpenFiles = 16
)

// bucketBuffer is one bucket's rows on their way into files. Rows are not
// copied: it holds the shared batches and which rows of them are its own.
type bucketBuffer struct {
	table     *Table
	files     *fileMaker
	partition []byte
	bucket    int
	dir, id   string
	made      int // files started, the next file's number
	next      int64

	sorted *lsm.Buffer // primary-key tables
	plain  []rowsOf    // append tables, in arrival order
	refs   int64       // bytes of row numbers in there
	count  int64

	open *newFile // append tables: a file that is not full yet
	done []manifest.DataFile
}

// rowsOf are some rows of a retained batch; nil rows are all of them.
type rowsOf struct {
	rec  arrow.RecordBatch
	rows []int32
}

func newBucketBuffer(t *Table, files *fileMaker, partition []byte, bucket int) (*bucketBuffer, error) {
	dir, err := t.bucketDir(partition, bucket)
	if err != nil {
		return nil, err
	}
	b := &bucketBuffer{table: t, files: files, partition: partition, bucket: bucket, dir: dir, id: t.world.NewID()}
	if len(t.schema.PrimaryKeys) == 0 {
		return b, nil
	}
	b.sorted, err = lsm.NewBuffer(t.bufferSpec())
	return b, err
}

func (t *Table) bufferSpec() lsm.BufferSpec {
	arrowSchema, _ := schema.ArrowSchema(t.schema.Fields)
	return lsm.BufferSpec{
		Schema: arrowSchema, Key: names(t.schema.KeyFields()),
		Sequence: t.options.SequenceFields, SequenceDescending: t.options.SequenceDescending,
		Engine: t.engine, OmitKeys: t.options.ThinMode, Alloc: t.world.Alloc, Parallel: t.settings.Parallel,
	}
}

func names(fields []schema.Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return out
}

func (b *bucketBuffer) compare(c *bucketBuffer) int {
	return cmp.Or(bytes.Compare(b.partition, c.partition), cmp.Compare(b.bucket, c.bucket))
}

func (b *bucketBuffer) add(rec arrow.RecordBatch, kinds []int8, rows []int32) error {
	if b.sorted != nil {
		return b.sorted.Add(rec, kinds, rows)
	}
	rec.Retain()
	b.plain = append(b.plain, rowsOf{rec, rows})
	b.refs += plainBytes + 4*int64(len(rows))
	if rows == nil {
		b.count += rec.NumRows()
	} else {
		b.count += int64(len(rows))
	}
	return nil
}

// refBytes is the memory that the buffered rows need beside their batches.
func (b *bucketBuffer) refBytes() int64 {
	if b.sorted != nil {
		return b.sorted.RefBytes()
	}
	return b.refs
}

// heldOpen is about how many bytes the open file holds in memory.
func (b *bucketBuffer) heldOpen() int64 {
	if b.open == nil {
		return 0
	}
	return b.open.held()
}

func (b *bucketBuffer) rows() int64 {
	if b.sorted != nil {
		return b.sorted.Rows()
	}
	return b.count
}

// flush writes the buffered rows. keepOpen lets an append file go on growing.
func (b *bucketBuffer) flush(ctx context.Context, parallel int, keepOpen bool) error {
	if b.sorted != nil {
		next, err := b.sorted.Flush(b.next, func(rec arrow.RecordBatch) error { return b.write(ctx, rec, parallel) })
		b.next = next
		return errors.Join(err, b.roll())
	}
	err := b.flushPlain(ctx, parallel)
	if err == nil && !keepOpen {
		err = b.roll()
	}
	return err
}

func (b *bucketBuffer) flushPlain(ctx context.Context, parallel int) error {
	defer b.dropPlain()
	for _, p := range b.plain {
		if err := b.writePlain(ctx, p, parallel); err != nil {
			return err
		}
	}
	return nil
}

func (b *bucketBuffer) writePlain(ctx context.Context, p rowsOf, parallel int) error {
	if p.rows == nil {
		return b.write(ctx, p.rec, parallel)
	}
	taken, err := take.Record(p.rec, p.rows, b.table.world.Alloc)
	if err != nil {
		return err
	}
	defer taken.Release()
	return b.write(ctx, taken, parallel)
}

func (b *bucketBuffer) dropPlain() {
	for _, p := range b.plain {
		p.rec.Release()
	}
	b.plain, b.count, b.refs = nil, 0, 0
}

// write appends rows to the open file and closes it once it is large enough.
func (b *bucketBuffer) write(ctx context.Context, rec arrow.RecordBatch, parallel int) error {
	if b.open == nil {
		f, err := b.files.create(ctx, b.dir, b.id, b.made, parallel)
		if err != nil {
			return err
		}
		b.made++
		b.open = f
		f.meta.MinSequence, f.meta.MaxSequence = b.next, b.next-1
	}
	if err := b.open.write(ctx, rec); err != nil {
		return err
	}
	if b.sorted == nil {
		b.next += rec.NumRows()
		b.open.meta.MaxSequence = b.next - 1
	}
	if b.open.enc.Size() < b.files.target {
		return nil
	}
	return b.roll()
}

// roll finishes the open file, if there is one.
func (b *bucketBuffer) roll() error {
	if b.open == nil {
		return nil
	}
	d, err := b.open.finish()
	b.open = nil
	if err != nil {
		return err
	}
	b.done = append(b.done, d)
	return nil
}

// take hands out the files made so far; none is open.
func (b *bucketBuffer) take() []manifest.DataFile {
	files := b.done
	b.done = nil
	b.release()
	return files
}

func (b *bucketBuffer) release() {
	b.dropPlain()
	if b.sorted != nil {
		b.sorted.Close()
	}
}

// discard gives up everything that was not handed out.
func (b *bucketBuffer) discard() error {
	b.release()
	if b.open != nil {
		b.open.abandon()
		b.open = nil
	}
	return b.table.deleteFiles(context.Background(), b.dir, b.done)
}

// compacted returns rec, or a copy of it when it is a small slice that would
// hold a much larger batch in memory, with the bytes that it holds.
func compacted(rec arrow.RecordBatch, mem memory.Allocator) (arrow.RecordBatch, int64, error) {
	held, used := int64(0), int64(0)
	for _, col := range rec.Columns() {
		h, u := footprint(col.Data())
		held, used = held+h, used+u
	}
	if held <= 2*used+4096 {
		rec.Retain()
		return rec, held, nil
	}
	cols := make([]arrow.Array, rec.NumCols())
	defer func() { releaseAll(cols) }()
	for i, col := range rec.Columns() {
		one, err := array.Concatenate([]arrow.Array{col}, mem)
		if err != nil {
			return nil, 0, err
		}
		cols[i] = one
	}
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows()), used, nil
}

// footprint is how many bytes an array's buffers hold, and about how many its own rows use.
func footprint(d arrow.ArrayData) (held, used int64) {
	for _, b := range d.Buffers() {
		if b != nil {
			held += int64(b.Len())
		}
	}
	capacity := rowsHeld(d)
	used = held
	if capacity > d.Len() {
		used = held * int64(d.Len()) / int64(capacity)
	}
	for _, c := range d.Children() {
		h, u := footprint(c)
		held, used = held+h, used+u
	}
	return held, used
}

// rowsHeld is how many rows the buffers of a slice can hold.
func rowsHeld(d arrow.ArrayData) int {
	width := 0
	switch t := d.DataType().(type) {
	case arrow.BinaryDataType, *arrow.ListType, *arrow.MapType:
		width = 32
	case arrow.FixedWidthDataType:
		width = t.BitWidth()
	}
	if width == 0 || len(d.Buffers()) < 2 || d.Buffers()[1] == nil {
		return d.Len()
	}
	return d.Buffers()[1].Len() * 8 / width
}
