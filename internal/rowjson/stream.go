package rowjson

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/tidelake/tidelake/schema"
)

// lines reads lines of bounded length and counts them.
type lines struct {
	r    *bufio.Reader
	most int
	n    int64 // number of the last line read, from 1
	long []byte
}

func newLines(r io.Reader, most int) *lines {
	return &lines{r: bufio.NewReaderSize(r, 256<<10), most: most}
}

// next returns a line with its end, borrowed until the next call; io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.rest(line)
	}
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	if l.n++; l.n == 1 {
		line = bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF")) // a byte order mark
	}
	if len(line) > l.most {
		return nil, &RowError{Line: l.n, Err: fmt.Errorf("the row is longer than %d bytes", l.most)}
	}
	return line, nil
}

// rest reads on a line that is longer than the reader's buffer; of one that is too long it keeps only the head.
func (l *lines) rest(head []byte) ([]byte, error) {
	l.long = append(l.long[:0], head...)
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.long) <= l.most {
			l.long = append(l.long, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}

func trimEnd(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r"))
}

// reader drives a source of rows: it flushes full batches and hands on malformed rows.
type reader struct {
	opts  Options
	batch *batch
	first int64 // line of the first row of the batch
	yield func(Batch, error) bool
}

// added tells the reader of a row, and whether it was malformed. It returns false to stop.
func (r *reader) added(line int64, text []byte, err error) bool {
	if err != nil {
		return r.bad(line, text, err)
	}
	if r.batch.Rows() == 1 {
		r.first = line
	}
	// The size is a walk over the columns, so ask now and then.
	rows := r.batch.Rows()
	if rows >= r.opts.BatchRows || (rows&63 == 0 || len(text) > 64<<10) && r.batch.Bytes() >= maxBatchBytes {
		return r.flush()
	}
	return true
}

func (r *reader) bad(line int64, text []byte, err error) bool {
	var row *RowError
	if !errors.As(err, &row) {
		return r.fail(err)
	}
	row.Line = line
	if err := r.opts.BadRow(text, row); err != nil {
		return r.fail(err)
	}
	return true
}

// fail gives out the rows before an error, then the error.
func (r *reader) fail(err error) bool {
	if r.flush() {
		r.yield(Batch{}, err)
	}
	return false
}

func (r *reader) flush() bool {
	rec, kinds := r.batch.Flush()
	if rec == nil {
		return true
	}
	defer rec.Release()
	return r.yield(Batch{Record: rec, Kinds: kinds, Line: r.first}, nil)
}

// ReadJSON reads JSON lines, one row each, as batches in their order; blank
// lines are passed over. Each batch is borrowed until the next step. The last
// step may be an error: of a malformed row (*RowError, after the rows before
// it), of r, or of a type without text. Memory is bounded by one batch and one
// row.
func ReadJSON(r io.Reader, fields []schema.Field, opts Options) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		opts := opts.withDefaults()
		d, err := NewDecoder(fields, opts)
		if err != nil {
			yield(Batch{}, err)
			return
		}
		out := reader{opts: opts, batch: &d.batch, yield: yield}
		for in := newLines(r, opts.MaxRow); ; {
			line, err := in.next()
			if errors.Is(err, io.EOF) {
				out.flush()
				return
			}
			if line = trimEnd(line); err == nil {
				if len(bytes.TrimSpace(line)) == 0 {
					continue
				}
				err = d.Row(line)
			}
			if !out.added(in.n, line, err) {
				return
			}
		}
	}
}
