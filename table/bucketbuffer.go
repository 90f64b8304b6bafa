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
	rolling
	told      int // finished files that were handed to the bucket's compaction
	table     *Table
	partition []byte
	bucket    int

	sorted    *lsm.Buffer   // primary-key tables
	changelog *rolling      // takes every row as it came (changelog-producer input), nil for none
	spilled   []*spilledRun // older rows than those in sorted
	plain     []rowsOf      // append tables and postponed rows, in arrival order
	refs      int64         // bytes of row numbers in there
	count     int64
}

// rowsOf are some rows of a retained batch; nil rows are all of them. Kinds are
// those of these rows, in tables with a primary key; nil is all inserts.
type rowsOf struct {
	rec   arrow.RecordBatch
	rows  []int32
	kinds []int8
}

// bucketMaker makes the buffers of a writer's buckets. What they share is made once.
type bucketMaker struct {
	table     *Table
	files     *fileMaker
	changelog *fileMaker  // of changelog-producer input, nil for none
	rows      *lsm.Buffer // empty, what those of all buckets are like; nil where rows are not sorted
}

func newBucketMaker(t *Table) (m bucketMaker, err error) {
	m.table = t
	if m.files, err = newFileMaker(t, 0, manifest.SourceAppend); err != nil || len(t.schema.PrimaryKeys) == 0 || t.postponed() {
		return m, err
	}
	if t.options.ChangelogProducer == "input" {
		if m.changelog, err = newChangelogMaker(t, 0); err != nil {
			return m, err
		}
	}
	m.rows, err = lsm.NewBuffer(t.bufferSpec())
	return m, err
}

func (m *bucketMaker) make(partition []byte, bucket int) (*bucketBuffer, error) {
	dir, err := m.table.bucketDir(partition, bucket)
	if err != nil {
		return nil, err
	}
	b := &bucketBuffer{table: m.table, partition: partition, bucket: bucket, rolling: rolling{files: m.files, dir: dir, id: m.table.world.NewID()}}
	if m.rows != nil {
		b.sorted = m.rows.Like()
	}
	if m.changelog != nil {
		b.changelog = &rolling{files: m.changelog, dir: dir, id: b.id}
	}
	return b, nil
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

func (b *bucketBuffer) key() bucketKey { return bucketKey{string(b.partition), b.bucket} }

// untold are the files finished since it was asked last.
func (b *bucketBuffer) untold() []manifest.DataFile {
	files := b.done[b.told:]
	b.told = len(b.done)
	return files
}

func (b *bucketBuffer) compare(c *bucketBuffer) int {
	return cmp.Or(bytes.Compare(b.partition, c.partition), cmp.Compare(b.bucket, c.bucket))
}

func (b *bucketBuffer) add(rec arrow.RecordBatch, kinds []int8, rows []int32) error {
	if b.sorted != nil {
		return b.sorted.Add(rec, kinds, rows)
	}
	rec.Retain()
	p := rowsOf{rec: rec, rows: rows}
	if b.files.sequence >= 0 {
		p.kinds = kindsOf(kinds, rows)
	}
	b.plain = append(b.plain, p)
	b.refs += plainBytes + 4*int64(len(rows)) + int64(len(p.kinds))
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

// rows is how many are in memory.
func (b *bucketBuffer) rows() int64 {
	if b.sorted != nil {
		return b.sorted.Rows()
	}
	return b.count
}

func (b *bucketBuffer) empty() bool { return b.rows() == 0 && len(b.spilled) == 0 }

// flush writes the buffered rows. keepOpen lets an append file go on growing.
func (b *bucketBuffer) flush(ctx context.Context, parallel int, keepOpen bool) error {
	if len(b.spilled) > 0 {
		return errors.Join(b.flushSpilled(ctx, parallel), b.roll(), b.changelog.roll())
	}
	if b.sorted != nil {
		into := func(files *rolling) func(arrow.RecordBatch) error {
			if files == nil {
				return nil
			}
			return func(rec arrow.RecordBatch) error { return files.write(ctx, rec, parallel) }
		}
		next, err := b.sorted.FlushAll(b.next, into(b.changelog), into(&b.rolling))
		b.next = next
		return errors.Join(err, b.roll(), b.changelog.roll())
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
	rec := p.rec
	if p.rows != nil {
		taken, err := take.Record(p.rec, p.rows, b.table.world.Alloc)
		if err != nil {
			return err
		}
		defer taken.Release()
		rec = taken
	}
	if b.files.sequence >= 0 {
		rec = b.files.postponedBatch(rec, p.kinds)
		defer rec.Release()
	}
	return b.write(ctx, rec, parallel)
}

func (b *bucketBuffer) dropPlain() {
	for _, p := range b.plain {
		p.rec.Release()
	}
	b.plain, b.count, b.refs = nil, 0, 0
}

// take hands out the files made so far, those of rows and those of the
// changelog; none is open.
func (b *bucketBuffer) take() (files, changelog []manifest.DataFile) {
	b.release()
	return b.rolling.take(), b.changelog.take()
}

func (b *bucketBuffer) release() {
	b.dropPlain()
	b.spilled = nil
	if b.sorted != nil {
		b.sorted.Close()
	}
}

// discard gives up everything that was not handed out.
func (b *bucketBuffer) discard() error {
	b.release()
	return errors.Join(b.rolling.discard(), b.changelog.discard())
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
