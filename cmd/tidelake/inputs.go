package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// input is a source of rows, opened before the table is.
type input interface {
	// definition infers the table from typed input; notes are for people.
	definition() (def schema.Definition, notes []string, err error)
	// batches yields rows for a table; a batch is borrowed until the next step.
	batches(t *table.Table, o rowjson.Options) iter.Seq2[rowjson.Batch, error]
	// passedOver tells what was read and is no row, "" for nothing.
	passedOver() string
	Close() error
}

// textInput is JSON lines or CSV: rows without types of their own.
type textInput struct {
	io.ReadCloser
	flags *writeFlags
}

func newTextInput(r io.ReadCloser, f *writeFlags) (input, error) { return textInput{r, f}, nil }

func (in textInput) definition() (schema.Definition, []string, error) {
	return schema.Definition{}, nil, errors.New("text has no types to make a table of")
}

func (in textInput) passedOver() string { return "" }

func (in textInput) batches(t *table.Table, o rowjson.Options) iter.Seq2[rowjson.Batch, error] {
	if in.flags.format == "csv" {
		return rowjson.ReadCSV(in, t.Schema().Fields, rowjson.CSVOptions{Options: o, Header: !in.flags.noHeader, Null: in.flags.null})
	}
	return rowjson.ReadJSON(in, t.Schema().Fields, o)
}

// parquetInput is a Parquet file of any origin.
type parquetInput struct {
	reader *file.Reader
	arrow  *pqarrow.FileReader
	temp   *os.File // where a stream was kept, nil for files
}

func newParquetInput(r io.ReadCloser, _ *writeFlags) (input, error) {
	in := &parquetInput{}
	f, ok := r.(*os.File)
	if !ok {
		var err error
		f, err = spool(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
		in.temp = f
	}
	reader, err := file.NewParquetReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the input is not a parquet file: %w", err), f.Close(), in.Close())
	}
	in.reader = reader
	in.arrow, err = pqarrow.NewFileReader(reader, pqarrow.ArrowReadProperties{BatchSize: 65536, Parallel: true}, memory.DefaultAllocator)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// spool keeps a stream in a temporary file, for formats that are read from their end.
func spool(r io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "tidelake-*.parquet")
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(f, r); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

func (in *parquetInput) Close() error {
	var errs []error
	if in.reader != nil {
		errs = append(errs, in.reader.Close()) // closes the file too
	}
	if in.temp != nil {
		errs = append(errs, os.Remove(in.temp.Name()))
	}
	return errors.Join(errs...)
}

func (in *parquetInput) passedOver() string { return "" }

func (in *parquetInput) definition() (schema.Definition, []string, error) {
	var def schema.Definition
	sc, err := in.arrow.Schema()
	if err != nil {
		return def, nil, err
	}
	for _, f := range sc.Fields() {
		if f.Name == schema.ValueKindName {
			continue // the kinds of the rows
		}
		t, err := schema.FromArrow(f.Type, f.Nullable)
		if err != nil {
			return def, nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		def.Columns = append(def.Columns, schema.Column{Name: f.Name, Type: t})
	}
	return def, nil, nil
}

func (in *parquetInput) batches(t *table.Table, _ rowjson.Options) iter.Seq2[rowjson.Batch, error] {
	return func(yield func(rowjson.Batch, error) bool) {
		records, err := in.arrow.GetRecordReader(context.Background(), nil, nil)
		if err != nil {
			yield(rowjson.Batch{}, err)
			return
		}
		defer records.Release()
		zoneless := in.zoneless(t.Schema().Fields)
		line := int64(1)
		for records.Next() {
			rec := withoutZones(records.RecordBatch(), zoneless)
			line += rec.NumRows()
			more := yield(rowjson.Batch{Record: rec, Line: line - rec.NumRows()}, nil)
			rec.Release()
			if !more {
				return
			}
		}
		if err := records.Err(); err != nil && !errors.Is(err, io.EOF) {
			yield(rowjson.Batch{}, err)
		}
	}
}

// zoneless are the columns of INT96 that the table has as TIMESTAMP: such
// values do not say whether they have a zone, and the reader takes all for UTC.
func (in *parquetInput) zoneless(fields []schema.Field) map[string]bool {
	columns, out := in.reader.MetaData().Schema, map[string]bool{}
	for _, f := range fields {
		at := columns.ColumnIndexByName(f.Name)
		out[f.Name] = f.Type.Kind == schema.Timestamp && at >= 0 && columns.Column(at).PhysicalType() == parquet.Types.Int96
	}
	return out
}

// withoutZones is rec with the same numbers, but no zone in those columns.
func withoutZones(rec arrow.RecordBatch, zoneless map[string]bool) arrow.RecordBatch {
	fields, columns := slices.Clone(rec.Schema().Fields()), slices.Clone(rec.Columns())
	for i, f := range fields {
		columns[i].Retain()
		if at, ok := f.Type.(*arrow.TimestampType); ok && zoneless[f.Name] {
			fields[i].Type = &arrow.TimestampType{Unit: at.Unit}
			d := columns[i].Data()
			data := array.NewData(fields[i].Type, d.Len(), d.Buffers(), nil, d.NullN(), d.Offset())
			columns[i].Release()
			columns[i] = array.MakeFromData(data)
			data.Release()
		}
	}
	out := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rec.NumRows())
	for _, c := range columns {
		c.Release()
	}
	return out
}
