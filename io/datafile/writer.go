package datafile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	pqschema "github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// createdBy names the writer in the footer, in the form readers parse.
const createdBy = "tidelake version 1.0.0"

const parquetMagic = "PAR1"

const (
	defaultRowGroup = 128 << 20
	defaultPage     = 1 << 20
)

// Writer writes one data file. It is not for concurrent use; inside, the
// columns of a batch are encoded by several goroutines, all of which have
// ended when Write returns.
//
// Held in memory are the packed pages of the open row group and one unpacked
// page a column: at most about RowGroupBytes and the last batch. Of an Avro
// file it is one block, and one goroutine encodes it.
type Writer struct {
	fields  []schema.Field
	opts    WriterOptions
	codec   codec
	pq      *pqschema.Schema
	columns []*column
	out     *sink
	meta    *metadata.FileMetaDataBuilder
	index   *metadata.PageIndexBuilder
	avro    *avroWriter // instead of all that, for an Avro file

	checked   *arrow.Schema // the last batch schema found to be right
	rows      int64
	groupRows int64
	groups    int
	err       error // the first failure, which ends the writer
	ended     bool
}

// NewWriter starts a data file on w with the given columns in the given order
// (in a table with a primary key: key, sequence number, kind, values; see
// spec section 6.1). The field ids go into the file. The caller keeps w: Close
// neither closes nor syncs it.
//
// Errors: ErrUnsupported for a format, codec or type that is not built,
// ErrInvalid for options and columns that cannot be, and w's own.
func NewWriter(w io.Writer, fields []schema.Field, opts WriterOptions) (*Writer, error) {
	if err := opts.resolve(); err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		return nil, fault.Invalid("a data file needs a column")
	}
	if opts.Format == "avro" {
		a, err := newAvroWriter(w, fields, &opts)
		return &Writer{fields: fields, opts: opts, avro: a}, err
	}
	c, err := newCodec(opts.Compression, opts.ZstdLevel)
	if err != nil {
		return nil, err
	}
	pq, err := parquetSchema(fields)
	if err != nil {
		return nil, err
	}
	props := parquet.NewWriterProperties(parquet.WithVersion(parquet.V1_0), parquet.WithCreatedBy(createdBy),
		parquet.WithCompression(c.id), parquet.WithDictionaryDefault(false))
	f := &Writer{
		fields: fields, opts: opts, codec: c, pq: pq,
		out:   newSink(w),
		meta:  metadata.NewFileMetadataBuilder(pq, props, nil),
		index: &metadata.PageIndexBuilder{Schema: pq},
	}
	f.out.put([]byte(parquetMagic))
	return f, f.out.err
}

func (o *WriterOptions) resolve() error {
	switch o.Format {
	case "", "parquet", "avro":
	case "orc", "csv", "json", "text", "lance":
		return fault.Unsupported("writing data files with file.format="+o.Format, "set file.format=parquet, or avro")
	default:
		return fault.Invalid("file.format=" + o.Format + " is unknown; set file.format=parquet")
	}
	if o.RowGroupBytes < 0 || o.PageBytes < 0 || o.Parallel < 0 || o.ZstdLevel < 0 || o.ZstdLevel > 22 {
		return fault.Invalid(fmt.Sprintf("writer options out of range: row group %d, page %d, parallel %d, zstd level %d",
			o.RowGroupBytes, o.PageBytes, o.Parallel, o.ZstdLevel))
	}
	if o.RowGroupBytes == 0 {
		o.RowGroupBytes = defaultRowGroup
	}
	if o.PageBytes == 0 {
		o.PageBytes = defaultPage
	}
	o.PageBytes = min(o.PageBytes, 1<<30)
	if o.Parallel == 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	if o.Alloc == nil {
		o.Alloc = memory.DefaultAllocator
	}
	return nil
}

// start makes the columns when the size of the first batch is known, which
// tells how many rows a dictionary would be spread over.
func (f *Writer) start(rows int) {
	for i, field := range f.fields {
		for _, p := range leafPaths(field.Type, field.Type.Nullable, nil) {
			descr := f.pq.Column(len(f.columns))
			c := newColumn(descr, i, p, f.trial(field, rows), int(f.opts.PageBytes), f.codec)
			c.chunk.alloc = f.opts.Alloc
			f.columns = append(f.columns, c)
		}
	}
}

func (f *Writer) trial(field schema.Field, rows int) dictTrial {
	d := dictTrial{state: dictTrying, rows: rows}
	if f.opts.Dictionary != nil {
		if want := f.opts.Dictionary(field.Name); want != nil {
			d.force = *want
			if !*want {
				d.state = dictNever
			}
			return d
		}
	}
	if field.Name == schema.SequenceName {
		d.state = dictNever // numbers that are all different
	}
	return d
}

// Write appends the rows of rec, whose columns are the file's in order, in
// their canonical Arrow types. It keeps no reference to rec.
//
// After an error the writer is broken: every later call returns it; Abort.
func (f *Writer) Write(rec arrow.RecordBatch) error {
	if err := f.usable(); err != nil {
		return err
	}
	if rec.Schema() != f.checked {
		if err := checkBatch(f.fields, rec.Schema()); err != nil {
			f.err = err
			return err
		}
		f.checked = rec.Schema()
	}
	rows := int(rec.NumRows())
	if rows == 0 {
		return nil
	}
	if f.avro != nil {
		f.err = f.avro.write(rec, f.opts.Stats)
		return f.err
	}
	if f.columns == nil {
		f.start(rows)
	}
	f.err = f.each(rows*len(f.columns), func(c *column, s *scratch) error {
		return c.write(rec.Column(c.field), s)
	})
	if f.err != nil {
		return f.err
	}
	f.rows += int64(rows)
	f.groupRows += int64(rows)
	if f.buffered() >= f.opts.RowGroupBytes {
		f.err = f.endGroup()
	}
	return f.err
}

func (f *Writer) usable() error {
	if f.err != nil {
		return f.err
	}
	if f.ended {
		return &fault.Error{Class: fault.ErrClosed, Detail: "data file writer"}
	}
	return nil
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// inlineCells is the work below which goroutines cost more than they bring.
const inlineCells = 1 << 13

// each runs do for every column, on as many goroutines as allowed, the next
// free one taking the next column.
func (f *Writer) each(cells int, do func(*column, *scratch) error) error {
	workers := min(f.opts.Parallel, len(f.columns))
	if cells < inlineCells {
		workers = 1
	}
	var next atomic.Int64
	errs := make([]error, workers)
	work := func(id int) {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		for errs[id] == nil {
			i := int(next.Add(1)) - 1
			if i >= len(f.columns) {
				return
			}
			errs[id] = do(f.columns[i], s)
		}
	}
	var wg sync.WaitGroup
	for id := 1; id < workers; id++ {
		wg.Go(func() { work(id) })
	}
	work(0)
	wg.Wait()
	return errors.Join(errs...)
}

func (f *Writer) buffered() int64 {
	var n int64
	for _, c := range f.columns {
		n += c.buffered()
	}
	return n
}

// Size is the size of the file if it were closed now, without the footer:
// exact for what is written and packed, an estimate for the rest. It is what
// a caller compares with the target file size.
func (f *Writer) Size() int64 {
	if f.avro != nil {
		return f.avro.size()
	}
	n := f.out.Tell()
	for _, c := range f.columns {
		n += c.estimate()
	}
	return n
}

// endGroup writes the open row group.
func (f *Writer) endGroup() error {
	if f.groupRows == 0 {
		return nil
	}
	if err := f.each(inlineCells, func(c *column, s *scratch) error { return c.endChunk(s) }); err != nil {
		return err
	}
	if f.groups > 1<<15-1 {
		return fault.Invalid("more than 32767 row groups in one file; raise the row group size")
	}
	if err := f.index.AppendRowGroup(); err != nil {
		return err
	}
	group := f.meta.AppendRowGroup()
	for i, c := range f.columns {
		ci, err := f.index.GetColumnIndexBuilder(i)
		if err != nil {
			return err
		}
		oi, err := f.index.GetOffsetIndexBuilder(i)
		if err != nil {
			return err
		}
		if err := c.flush(f.out, group.NextColumnChunk(), ci, oi); err != nil {
			return err
		}
	}
	group.SetNumRows(int(f.groupRows))
	f.groupRows = 0
	f.groups++
	return group.Finish(0, int16(f.groups-1))
}

// Close writes what is buffered and the footer. The file is complete when it
// returns without an error; the caller then closes w. A second call returns
// ErrClosed.
func (f *Writer) Close() (Result, error) {
	if err := f.usable(); err != nil {
		f.Abort()
		return Result{}, err
	}
	if f.avro != nil {
		f.ended = true
		return f.avro.close(f.opts.Stats)
	}
	if f.columns == nil {
		f.start(0)
	}
	err := f.endGroup()
	if err == nil {
		err = f.footer()
	}
	res := Result{Rows: f.rows, Bytes: f.out.Tell()}
	if f.opts.Stats {
		res.Columns = f.stats()
	}
	f.Abort()
	if err != nil {
		f.err = err
		return Result{}, err
	}
	return res, nil
}

// footer is: page indexes, file metadata, its length, magic.
func (f *Writer) footer() error {
	var at metadata.PageIndexLocation
	f.index.Finish()
	if err := f.index.WriteTo(f.out, &at); err != nil {
		return err
	}
	if err := f.meta.SetPageIndexLocation(at); err != nil {
		return err
	}
	meta, err := f.meta.Finish()
	if err != nil {
		return err
	}
	// Java marks the pairs of a map by the old annotation only.
	for _, e := range meta.FileMetaData.Schema {
		if e.Name == "key_value" && e.IsSetNumChildren() && e.GetRepetitionType().String() == "REPEATED" {
			e.LogicalType = nil
		}
	}
	n, err := meta.WriteTo(f.out, nil)
	if err != nil {
		return err
	}
	f.out.put(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), parquetMagic...))
	return f.out.flush()
}

// stats of nested columns are unknown: Parquet has none for the column itself.
func (f *Writer) stats() []ColumnStats {
	all := make([]ColumnStats, len(f.fields))
	for i := range all {
		all[i].Nulls = -1
	}
	for _, c := range f.columns {
		if len(c.path) == 1 {
			all[c.field] = c.stats()
		}
	}
	return all
}

// Abort gives the file up and frees its memory; what w has of it is garbage.
// It may be called at any time, also after Close, where it does nothing.
func (f *Writer) Abort() {
	if f.ended {
		return
	}
	f.ended = true
	for _, c := range f.columns {
		c.chunk.free()
	}
	f.columns = nil
	f.out.release()
}

// sink counts what goes to the file and remembers the first error.
type sink struct {
	w   *bufio.Writer // nil once released
	at  int64
	err error
}

// sinkBuffers spares small files a buffer that is larger than they are.
var sinkBuffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 16<<10) }}

func newSink(w io.Writer) *sink {
	b := sinkBuffers.Get().(*bufio.Writer)
	b.Reset(w)
	return &sink{w: b}
}

func (s *sink) release() {
	if s == nil || s.w == nil {
		return
	}
	s.w.Reset(nil)
	sinkBuffers.Put(s.w)
	s.w, s.err = nil, &fault.Error{Class: fault.ErrClosed, Detail: "data file writer"}
}

// Tell is the position in the file.
func (s *sink) Tell() int64 { return s.at }

// Write is for the serializers of indexes and footer.
func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.at += int64(n)
	s.err = err
	return n, err
}

func (s *sink) put(p []byte) { _, _ = s.Write(p) }

func (s *sink) flush() error {
	if s.err == nil {
		s.err = s.w.Flush()
	}
	return s.err
}
