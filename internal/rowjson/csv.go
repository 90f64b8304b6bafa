package rowjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/schema"
)

// CSVOptions of ReadCSV. The zero value reads records without a header, in the order of the fields.
type CSVOptions struct {
	Options
	Comma  byte   // between cells; default ','
	Header bool   // the first record names the columns, in any order; a column not named is null
	Null   string // a cell of this text without quotes is null; default "", so that "" in quotes is the empty string
}

// ReadCSV reads RFC 4180 records as batches, like ReadJSON. Cells are the text
// of values without JSON's quotes; ARRAY, MAP, MULTISET and ROW are JSON. A
// BOOLEAN may also be yes, no, t, f, y, n, 1 or 0. Quotes stand around whole
// cells only; within, a quote is doubled, and a cell may go on over lines.
func ReadCSV(r io.Reader, fields []schema.Field, opts CSVOptions) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		opts.Options = opts.Options.withDefaults()
		if opts.Comma == 0 {
			opts.Comma = ','
		}
		b, err := newBatch(fields, opts.Alloc, opts.Loc)
		if err != nil {
			yield(Batch{}, err)
			return
		}
		b.rules = opts.Rules.bind(fields)
		c := csvReader{batch: &b, opts: opts, in: newLines(r, opts.MaxRow)}
		c.out = reader{opts: opts.Options, batch: &b, yield: yield}
		c.run()
	}
}

type csvReader struct {
	*batch
	opts CSVOptions
	in   *lines
	out  reader

	at    []int // column of each cell; kindCell for the row kind
	raw   []byte
	bytes []byte // of the cells of one record, one after the other
	cells []cell
	fault error // of the source, met within a record
	p     parser
}

// cell is one cell of a record, before its bytes are known to stay in place.
type cell struct {
	from, to int
	quoted   bool
}

const kindCell = -1

func (c *csvReader) run() {
	if err := c.header(); err != nil {
		if !errors.Is(err, io.EOF) {
			c.out.fail(err)
		}
		return
	}
	for {
		line, err := c.record()
		var row *RowError
		switch {
		case errors.Is(err, io.EOF):
			c.out.flush()
			return
		case err != nil && !errors.As(err, &row):
			c.out.fail(err)
			return
		case err == nil:
			err = c.row()
		}
		if !c.out.added(line, c.raw, err) {
			return
		}
	}
}

// header settles which cell is which column.
func (c *csvReader) header() error {
	if !c.opts.Header {
		for i := range c.names {
			c.at = append(c.at, i)
		}
		return nil
	}
	line, err := c.record()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, cell := range c.cells {
		name := string(c.bytes[cell.from:cell.to])
		i, ok := c.index[name]
		switch {
		case seen[name]:
			return &RowError{Line: line, Err: fmt.Errorf("the header names %s twice", literal.Quote(name))}
		case !ok && name == KindName:
			i = kindCell
		case !ok:
			return &RowError{Line: line, Err: &unknownError{name, literal.DidYouMean(name, c.names)}}
		}
		seen[name] = true
		c.at = append(c.at, i)
	}
	return nil
}

// record reads the cells of the next record and returns its first line.
func (c *csvReader) record() (int64, error) {
	for {
		text, err := c.in.next()
		if err != nil {
			return c.in.n, err
		}
		c.raw = append(c.raw[:0], text...)
		if len(trimEnd(text)) == 0 && len(c.cols) != 1 {
			continue // a blank line; of one column it is a cell
		}
		line := c.in.n
		err = c.split()
		if c.fault != nil {
			return line, c.fault
		}
		if err != nil {
			return line, &RowError{Line: line, Err: err}
		}
		return line, nil
	}
}

// split parts c.raw, reading on while a quoted cell does.
func (c *csvReader) split() error {
	c.bytes, c.cells = c.bytes[:0], c.cells[:0]
	for at := 0; ; at++ {
		from := len(c.bytes)
		quoted := at < len(c.raw) && c.raw[at] == '"'
		var err error
		if quoted {
			at, err = c.quoted(at + 1)
		} else {
			at, err = c.plain(at)
		}
		if err != nil {
			return err
		}
		c.cells = append(c.cells, cell{from, len(c.bytes), quoted})
		if at == len(trimEnd(c.raw)) {
			return nil
		}
		if c.raw[at] != c.opts.Comma {
			return fmt.Errorf("cell %d: text after its closing quote", len(c.cells))
		}
	}
}

func (c *csvReader) plain(at int) (int, error) {
	rest := trimEnd(c.raw)[at:]
	if i := bytes.IndexByte(rest, c.opts.Comma); i >= 0 {
		rest = rest[:i]
	}
	if bytes.IndexByte(rest, '"') >= 0 {
		return 0, fmt.Errorf("cell %d: a quote within a cell that does not begin with one", len(c.cells)+1)
	}
	c.bytes = append(c.bytes, rest...)
	return at + len(rest), nil
}

// quoted reads a cell from behind its opening quote to behind its closing one.
func (c *csvReader) quoted(at int) (int, error) {
	for {
		i := bytes.IndexByte(c.raw[at:], '"')
		if i < 0 {
			c.bytes = append(c.bytes, c.raw[at:]...)
			at = len(c.raw)
			text, err := c.in.next()
			if err != nil {
				if errors.Is(err, io.EOF) {
					return 0, fmt.Errorf("cell %d: no closing quote", len(c.cells)+1)
				}
				c.fault = err
				return 0, err
			}
			if len(c.raw)+len(text) > c.opts.MaxRow {
				return 0, fmt.Errorf("the row is longer than %d bytes", c.opts.MaxRow)
			}
			c.raw = append(c.raw, text...)
			continue
		}
		c.bytes = append(c.bytes, c.raw[at:at+i]...)
		at += i + 1
		if at == len(c.raw) || c.raw[at] != '"' {
			return at, nil
		}
		c.bytes = append(c.bytes, '"')
		at++
	}
}

// row adds the record just read.
func (c *csvReader) row() error {
	if len(c.cells) != len(c.at) {
		return &RowError{Err: fmt.Errorf("the record has %d cells, want %d", len(c.cells), len(c.at))}
	}
	kind := schema.Insert
	for i, cell := range c.cells {
		text := c.bytes[cell.from:cell.to]
		null := !cell.quoted && string(text) == c.opts.Null
		if c.at[i] == kindCell {
			if null {
				continue
			}
			var err error
			if kind, err = parseKind(string(text)); err != nil {
				return c.end(kind, err)
			}
			continue
		}
		if null {
			c.cols[c.at[i]].null()
			continue
		}
		if err := c.cell(c.cols[c.at[i]], text); err != nil {
			c.failed = c.names[c.at[i]]
			return c.end(kind, err)
		}
	}
	for _, col := range c.cols { // those that the header does not name
		if col.head().rows == len(c.batch.rows) {
			col.null()
		}
	}
	return c.end(kind, nil)
}

// cell appends the text of one value.
func (c *csvReader) cell(col column, text []byte) error {
	plain, ok := col.(texter)
	if !ok {
		c.p.reset(text)
		err := readJSON(&c.p, col)
		if err == nil {
			err = c.p.finish()
		}
		var cell *cellError
		if err == nil || errors.As(err, &cell) {
			return err
		}
		return &cellError{typ: col.head().typ, value: literal.Quote(string(text)), err: fmt.Errorf("is %w", err)}
	}
	if err := plain.text(view(text)); err != nil {
		return &cellError{typ: col.head().typ, value: literal.Quote(string(text)), err: err}
	}
	return nil
}
