package datafile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
)

// An Avro data file is a header with the schema, then blocks of rows:
//
//	Obj 1 | {avro.schema, avro.codec} | sync
//	rows | length | compressed rows | sync
//	…
//
// One block at a time is in memory. Rows are decoded field by field straight
// into column builders; fields nobody wants are stepped over.
type avroFile struct {
	ctx  context.Context
	obj  store.Object
	name string
	opts ReaderOptions

	head []byte // the header, which stands before every block handed to the decoder
	buf  []byte // head and the block
	off  int64  // of the next block
	page []byte // memory of the unpacked block

	schema *arrow.Schema
	out    *array.RecordBuilder
	fields []avroField
	dec    avro.Decoder
	left   int   // rows left in the block
	row    int64 // rows returned
}

// avroField is a field of the file's record, in file order.
type avroField struct {
	typ  *avro.Schema
	read avroValue // nil for a field nobody wants
	name string
}

// avroValue decodes one value and appends it to a builder.
type avroValue func(d *avro.Decoder)

// avroBlock bounds the size of a block; writers end them after 64 KiB.
const avroBlock = 1 << 30

func openAvro(ctx context.Context, obj store.Object, name string, opts ReaderOptions) (source, error) {
	as, err := schema.ArrowSchema(opts.Fields)
	if err != nil {
		return nil, err
	}
	f := &avroFile{ctx: ctx, obj: obj, name: name, opts: opts, schema: as}
	record, err := f.header()
	if err != nil {
		return nil, f.fail(err)
	}
	f.out = array.NewRecordBuilder(opts.Alloc, as)
	if err := f.bind(record); err != nil {
		f.out.Release()
		return nil, f.fail(err)
	}
	return f, nil
}

// fail wraps an error with the file. Errors of the store and of features pass
// with their class.
func (f *avroFile) fail(err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known) && known.Class == fault.ErrUnsupported:
		return &fault.Error{Class: fault.ErrUnsupported, File: f.name, Detail: known.Detail, Hint: known.Hint}
	case known != nil, errors.As(err, new(storeError)):
		return err
	}
	return fault.Corrupt(f.name, "avro data", err)
}

// header reads and parses what stands before the blocks.
func (f *avroFile) header() (*avro.Schema, error) {
	size := f.obj.Size()
	for want := min(size, 64<<10); ; want = min(size, 4*want) {
		data := make([]byte, want)
		if err := readRange(f.ctx, f.obj, f.name, data, 0); err != nil {
			return nil, err
		}
		r, err := avro.NewReader(data)
		if err != nil && want < size && want < 64<<20 && bytes.HasPrefix(data, []byte("Obj\x01")) && !errors.Is(err, fault.ErrUnsupported) {
			continue // perhaps cut off
		}
		if err != nil {
			return nil, err
		}
		s, err := avro.ParseSchema(r.Schema())
		if err != nil {
			return nil, err
		}
		if s = notNull(s); s.Kind != avro.Record {
			return nil, fmt.Errorf("rows are of type %s, not records", s.Kind)
		}
		f.head = data[:headerLen(data)]
		f.off = int64(len(f.head))
		return s, nil
	}
}

// headerLen is the length of a header that has been parsed before.
func headerLen(data []byte) int {
	d := avro.NewDecoder(data)
	d.Fixed(4)
	for n := d.Count(2); n > 0; n = d.Count(2) {
		for range n {
			d.Bytes()
			d.Bytes()
		}
	}
	d.Fixed(16)
	return d.Offset()
}

// notNull is the type beside null in a union of the two.
func notNull(s *avro.Schema) *avro.Schema {
	if s.Kind == avro.Union && len(s.Branches) == 2 {
		if k := s.NullBranch(); k >= 0 {
			return s.Branches[1-k]
		}
	}
	return s
}

// bind finds for every field of the file the column it goes to.
func (f *avroFile) bind(record *avro.Schema) error {
	for _, field := range record.Fields {
		af := avroField{typ: field.Type, name: field.Name}
		for i, want := range f.opts.Fields {
			if want.Name == field.Name {
				var err error
				if af.read, err = bindAvro(want.Name, want.Type, field.Type, f.out.Field(i)); err != nil {
					return err
				}
			}
		}
		f.fields = append(f.fields, af)
	}
	if !f.opts.Complete {
		return nil
	}
	for _, want := range f.opts.Fields {
		if !slices.ContainsFunc(f.fields, func(have avroField) bool { return have.name == want.Name }) {
			return lacks(f.name, want.Name)
		}
	}
	return nil
}

func (f *avroFile) rows() int64 { return -1 }

func (f *avroFile) close() {
	f.out.Release()
	_ = f.obj.Close()
}

func (f *avroFile) next() (arrow.RecordBatch, int64, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, 0, err
	}
	n := 0
	for read := 0; n < f.opts.BatchRows && read < batchBytes; n++ {
		for f.left == 0 {
			if err := f.block(); errors.Is(err, io.EOF) && n > 0 {
				return f.batch(n)
			} else if errors.Is(err, io.EOF) {
				return nil, 0, io.EOF
			} else if err != nil {
				return nil, 0, f.fail(err)
			}
		}
		before := f.dec.Offset()
		if err := f.readRow(); err != nil {
			return nil, 0, f.fail(err)
		}
		read += f.dec.Offset() - before
	}
	return f.batch(n)
}

func (f *avroFile) readRow() error {
	for i := range f.fields {
		if a := &f.fields[i]; a.read != nil {
			a.read(&f.dec)
		} else {
			f.dec.Skip(a.typ)
		}
		if err := f.dec.Err(); err != nil {
			return fmt.Errorf("field %s of row %d: %w", f.fields[i].name, f.row, err)
		}
	}
	f.row++
	if f.left--; f.left == 0 && f.dec.Left() > 0 {
		return fmt.Errorf("block holds %d bytes behind its last row, %d", f.dec.Left(), f.row-1)
	}
	return nil
}

// batch takes n rows out of the builders; columns that the file lacks are null.
func (f *avroFile) batch(n int) (arrow.RecordBatch, int64, error) {
	cols := make([]arrow.Array, len(f.opts.Fields))
	for i, b := range f.out.Fields() {
		if b.Len() == 0 && n > 0 {
			b.AppendNulls(n)
		}
		cols[i] = b.NewArray()
	}
	rec := array.NewRecordBatch(f.schema, cols, int64(n))
	for _, c := range cols {
		c.Release()
	}
	return rec, f.row - int64(n), nil
}

// block reads and unpacks the next block.
func (f *avroFile) block() error {
	left := f.obj.Size() - f.off
	if left == 0 {
		return io.EOF
	}
	size, err := f.blockSize(left)
	if err != nil {
		return err
	}
	if need := int64(len(f.head)) + size; int64(cap(f.buf)) < need {
		f.buf = make([]byte, need+need/4)
		copy(f.buf, f.head)
	}
	f.buf = f.buf[:int64(len(f.head))+size]
	if err := readRange(f.ctx, f.obj, f.name, f.buf[len(f.head):], f.off); err != nil {
		return err
	}
	f.off += size
	r, err := avro.NewReader(f.buf)
	if err != nil {
		return err
	}
	data, rows, err := r.Next(f.page)
	if err != nil {
		return err
	}
	if cap(data) > cap(f.page) && f.codecOwns(r) {
		f.page = data
	}
	if len(data) == 0 && rows > 0 && len(f.fields) > 0 || len(data) > 0 && rows == 0 {
		return fmt.Errorf("block of %d rows in %d bytes", rows, len(data))
	}
	f.dec.Reset(data)
	f.left = rows
	return nil
}

// codecOwns says that unpacked blocks have memory of their own.
func (f *avroFile) codecOwns(r *avro.Reader) bool { return r.Codec() != avro.CodecNull }

// blockSize reads the two numbers before a block: its size in the file with
// them and the mark behind.
func (f *avroFile) blockSize(left int64) (int64, error) {
	head := make([]byte, min(left, 20))
	if err := readRange(f.ctx, f.obj, f.name, head, f.off); err != nil {
		return 0, err
	}
	d := avro.NewDecoder(head)
	rows, size := d.Long(), d.Long()
	if err := d.Err(); err != nil {
		return 0, fmt.Errorf("block at byte %d: %w", f.off, err)
	}
	if rows < 0 || size < 0 || size > avroBlock || size > left-int64(d.Offset())-16 {
		return 0, fmt.Errorf("block at byte %d: %d rows in %d bytes, the file has %d left", f.off, rows, size, left)
	}
	return int64(d.Offset()) + size + 16, nil
}
