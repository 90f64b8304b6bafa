package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
)

// rowSource are rows to print.
type rowSource interface {
	Fields() []schema.Field
	Schema() *arrow.Schema
	Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error]
}

// printRows writes rows, such as those of a scan, in one of the formats.
func printRows(ctx context.Context, out io.Writer, s rowSource, format string) error {
	switch format {
	case "parquet":
		return printParquet(ctx, out, s)
	case "arrow":
		return printArrow(ctx, out, s)
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		return err
	}
	p := rowPrinter{out: out, enc: enc, format: format}
	if err := p.begin(s.Fields()); err != nil {
		return err
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return err
		}
		if err := p.batch(rec); err != nil {
			return err
		}
	}
	return p.end()
}

// rowPrinter writes rows as text.
type rowPrinter struct {
	out    io.Writer
	enc    *rowjson.Encoder
	format string
	tab    *tabwriter.Writer
	rows   int
	buf    []byte
}

// tableBlock is after how many rows a table's columns are aligned anew, so that memory stays bounded.
const tableBlock = 1000

func (p *rowPrinter) begin(fields []schema.Field) error {
	switch p.format {
	case "csv":
		_, err := p.out.Write(p.enc.AppendCSVHeader(nil, ','))
		return err
	case "table":
		p.tab = newTab(p.out)
		names := make([]string, len(fields))
		for i, f := range fields {
			names[i] = f.Name
		}
		_, err := fmt.Fprintln(p.tab, strings.Join(names, "\t"))
		return err
	}
	return nil
}

func (p *rowPrinter) batch(rec arrow.RecordBatch) error {
	if err := p.enc.Bind(rec); err != nil {
		return err
	}
	for r := range int(rec.NumRows()) {
		switch p.format {
		case "csv":
			p.buf = p.enc.AppendCSV(p.buf, ',', r)
		case "table":
			if err := p.tableRow(int(rec.NumCols()), r); err != nil {
				return err
			}
		default:
			p.buf = append(p.enc.AppendRow(p.buf, r), '\n')
		}
		if len(p.buf) > 1<<16 {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

func (p *rowPrinter) flush() error {
	_, err := p.out.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}

// tableRow writes one aligned row; tabs and line ends within a cell become spaces.
func (p *rowPrinter) tableRow(cols, row int) error {
	var line []byte
	for c := range cols {
		if c > 0 {
			line = append(line, '\t')
		}
		from := len(line)
		var null bool
		if line, null = p.enc.AppendText(line, c, row); null {
			line = append(line[:from], "null"...)
		}
		for i, b := range line[from:] {
			if bytes.IndexByte([]byte("\t\n\v\f\r"), b) >= 0 {
				line[from+i] = ' '
			}
		}
	}
	if _, err := p.tab.Write(append(line, '\n')); err != nil {
		return err
	}
	if p.rows++; p.rows%tableBlock == 0 {
		return p.tab.Flush()
	}
	return nil
}

func (p *rowPrinter) end() error {
	if p.tab != nil {
		return p.tab.Flush()
	}
	return nil
}

func printParquet(ctx context.Context, out io.Writer, s rowSource) error {
	w, err := datafile.NewWriter(out, s.Fields(), datafile.WriterOptions{})
	if err != nil {
		return err
	}
	for rec, err := range s.Batches(ctx) {
		if err == nil {
			err = w.Write(rec)
		}
		if err != nil {
			w.Abort()
			return err
		}
	}
	_, err = w.Close()
	return err
}

func printArrow(ctx context.Context, out io.Writer, s rowSource) error {
	w := ipc.NewWriter(out, ipc.WithSchema(s.Schema()))
	for rec, err := range s.Batches(ctx) {
		if err == nil {
			err = w.Write(rec)
		}
		if err != nil {
			return err
		}
	}
	return w.Close()
}
