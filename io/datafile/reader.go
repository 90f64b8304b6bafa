package datafile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
)

// defaultBatchRows keeps a batch of a dozen columns within a second-level cache.
const defaultBatchRows = 8192

// ReaderOptions says what Open is to read and how. Only Format and Fields
// have to be set.
type ReaderOptions struct {
	// Format is the format of the file: "parquet" or "avro". Others are refused.
	Format string

	// Fields are the wanted columns in output order, with the types the file
	// was written with. They are found by name, at every level; ids are not
	// looked at. A ROW may list fewer members than the file holds. A column
	// the file lacks comes out as nulls, a missing member of a ROW is an
	// error. With no fields at all, batches carry row counts only.
	//
	// Timestamps finer than the Arrow unit of their type are rounded down;
	// those of precision above 6 that Arrow cannot hold are an error.
	Fields []schema.Field

	// Complete says that the writer put every one of Fields into the file, so
	// that a column the file lacks is fault.ErrCorrupt instead of nulls.
	Complete bool

	// BatchRows is the largest number of rows in a batch, 0 for 8192. Batches
	// are shorter at row groups, at gaps left by Keep, and where values are large.
	BatchRows int

	// ReadAhead is how many bytes of a column are read at once, 0 for 1 MiB. So
	// much is held in memory for every column.
	ReadAhead int64

	// Alloc provides the memory of the batches, nil for memory.DefaultAllocator.
	Alloc memory.Allocator

	// Keep, when set, is asked whether a range of rows can hold anything the
	// caller wants: first for each row group, then, where the file has page
	// indexes, for ranges of pages. It gets the number of rows and a function
	// that finds the statistics of a top-level column. Answer true when in
	// doubt. Parquet only; Avro files have no statistics.
	//
	// Min and Max are bounds, not always values of the column: writers cut
	// long text. Either is nil when unknown. Nulls is −1 when unknown.
	Keep func(stats func(column string) (ColumnStats, bool), rows int64) bool

	// Parallel is the number of columns decoded at the same time, 0 for one.
	Parallel int

	// Prefetch decodes the next batch while the caller works on the last.
	Prefetch bool
}

// Reader reads the wanted columns of one data file as Arrow record batches.
// It is for one goroutine; Close may be called more than once.
type Reader struct {
	src    source
	name   string
	pos    int64
	failed error
	ahead  *prefetcher
	close  sync.Once
}

// source is a file format: it decodes one batch after the other.
type source interface {
	// next returns the next batch and the physical row number of its first
	// row, or io.EOF.
	next() (arrow.RecordBatch, int64, error)
	rows() int64
	close()
}

// Open reads the footer or header of obj and prepares to read the wanted
// columns. name stands for the file in errors. ctx bounds every later read of
// the Reader too. Open takes obj over: Close of the Reader closes it, and so
// does Open when it fails.
//
// Errors: fault.ErrUnsupported for other formats and for features of the
// format that cannot be read, fault.ErrCorrupt for bytes that are not the
// format they should be, and those of the store as they come.
func Open(ctx context.Context, obj store.Object, name string, opts ReaderOptions) (r *Reader, err error) {
	defer func() {
		if err != nil {
			_ = obj.Close()
		}
	}()
	if opts.BatchRows < 0 || opts.Parallel < 0 || opts.ReadAhead < 0 {
		return nil, fault.Invalid(fmt.Sprintf("batch rows %d, parallel %d and read ahead %d must not be negative", opts.BatchRows, opts.Parallel, opts.ReadAhead))
	}
	if opts.BatchRows == 0 {
		opts.BatchRows = defaultBatchRows
	}
	if opts.Alloc == nil {
		opts.Alloc = memory.DefaultAllocator
	}
	for i := range opts.Fields {
		for j := range i {
			if opts.Fields[i].Name == opts.Fields[j].Name {
				return nil, fault.Invalid("column " + opts.Fields[i].Name + " is wanted twice")
			}
		}
	}
	var src source
	err = guard(name, func() (err error) {
		switch opts.Format {
		case "parquet":
			src, err = openParquet(ctx, obj, name, opts)
		case "avro":
			src, err = openAvro(ctx, obj, name, opts)
		default:
			err = fault.Unsupported("reading "+opts.Format+" data files (file "+name+")", "rewrite the table as parquet or avro")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	r = &Reader{src: src, name: name, pos: -1}
	if opts.Prefetch {
		r.ahead = startPrefetch(r.decode)
	}
	return r, nil
}

// Next returns the next batch, or io.EOF after the last. Its columns are those
// of schema.ArrowSchema(Fields); the caller releases it. After an error every
// further call returns the same error.
func (r *Reader) Next() (arrow.RecordBatch, error) {
	if r.failed != nil {
		return nil, r.failed
	}
	var d decoded
	if r.ahead != nil {
		d = r.ahead.next()
	} else {
		d = r.decode()
	}
	if d.err != nil {
		r.failed = d.err
		return nil, d.err
	}
	r.pos = d.pos
	return d.rec, nil
}

// decode reads one batch, with panics of decoders turned into errors.
func (r *Reader) decode() (d decoded) {
	d.err = guard(r.name, func() (err error) {
		d.rec, d.pos, err = r.src.next()
		return err
	})
	return d
}

// Position returns the physical row number, from 0, of the first row of the
// last batch: the number that deletion vectors count by. It is −1 before the
// first batch.
func (r *Reader) Position() int64 { return r.pos }

// Rows returns the number of rows in the file, −1 for Avro, whose files do
// not say.
func (r *Reader) Rows() int64 { return r.src.rows() }

// Close releases the file and waits for decoding under way. Batches already
// returned stay valid.
func (r *Reader) Close() error {
	r.close.Do(func() {
		if r.ahead != nil {
			r.ahead.stop()
		}
		r.src.close()
		r.failed = &fault.Error{Class: fault.ErrClosed, Op: "read data file", File: r.name}
	})
	return nil
}

// guard runs f and turns a panic of a decoder into an ErrCorrupt: decoders of
// others are written for files that keep their promises.
func guard(name string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.Corrupt(name, fmt.Sprintf("decoder failed: %v%s", p, panicSite()), nil)
		}
	}()
	return f()
}

// panicSite is empty unless a test asks for stacks.
var panicSite = func() string { return "" }

// decoded is what reading one batch gave.
type decoded struct {
	rec arrow.RecordBatch
	pos int64
	err error
}

// prefetcher decodes one batch ahead in a goroutine of its own.
type prefetcher struct {
	out  chan decoded
	quit chan struct{}
	done chan struct{}
}

func startPrefetch(decode func() decoded) *prefetcher {
	p := &prefetcher{out: make(chan decoded), quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(p.done)
		for {
			d := decode()
			select {
			case p.out <- d:
			case <-p.quit:
				if d.rec != nil {
					d.rec.Release()
				}
				return
			}
			if d.err != nil {
				return
			}
		}
	}()
	return p
}

func (p *prefetcher) next() decoded { return <-p.out }

func (p *prefetcher) stop() {
	close(p.quit)
	<-p.done
}

// corrupt formats an ErrCorrupt of the named file.
func corrupt(name, format string, args ...any) error {
	return fault.Corrupt(name, fmt.Sprintf(format, args...), nil)
}

// readRange fills p from off. A file that ends early is corrupt, whatever the
// store says about it; other errors of the store pass through.
func readRange(ctx context.Context, obj store.Object, name string, p []byte, off int64) error {
	for read := 0; read < len(p); {
		n, err := obj.ReadRange(ctx, p[read:], off+int64(read))
		read += n
		if read == len(p) {
			return nil
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || (err == nil && n == 0) {
			return corrupt(name, "file ends at byte %d, %d bytes at %d are missing", off+int64(read), len(p)-read, off+int64(read))
		}
		if err != nil {
			return storeError{err}
		}
	}
	return nil
}

// storeError marks errors that came from the store, not from the bytes.
type storeError struct{ error }

func (e storeError) Unwrap() error { return e.error }
