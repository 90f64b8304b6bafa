package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// textInput is JSON lines or CSV: rows without types of their own.
type textInput struct{ io.ReadCloser }

func newTextInput(r io.ReadCloser) (input, error) { return textInput{r}, nil }

func (in textInput) definition() (schema.Definition, error) {
	return schema.Definition{}, errors.New("text has no types to make a table of")
}

func (in textInput) batches(t *table.Table, s settingsOf) iter.Seq2[rowjson.Batch, error] {
	if s.flags.format == "csv" {
		return rowjson.ReadCSV(in, t.Schema().Fields, rowjson.CSVOptions{Options: s.options, Header: !s.flags.noHeader, Null: s.flags.null})
	}
	return rowjson.ReadJSON(in, t.Schema().Fields, s.options)
}

// parquetInput is a Parquet file of any origin.
type parquetInput struct {
	reader *file.Reader
	arrow  *pqarrow.FileReader
	temp   *os.File // where standard input was kept, nil for files
}

func newParquetInput(r io.ReadCloser) (input, error) {
	in := &parquetInput{}
	f, ok := r.(*os.File)
	if !ok {
		var err error
		if f, err = spool(r); err != nil {
			return nil, err
		}
		in.temp = f
	}
	reader, err := file.NewParquetReader(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the input is not a parquet file: %w", err), in.Close())
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
		errs = append(errs, in.reader.Close())
	}
	if in.temp != nil {
		in.temp.Close()
		errs = append(errs, os.Remove(in.temp.Name()))
	}
	return errors.Join(errs...)
}

func (in *parquetInput) definition() (schema.Definition, error) {
	sc, err := in.arrow.Schema()
	if err != nil {
		return schema.Definition{}, err
	}
	var def schema.Definition
	for _, f := range sc.Fields() {
		t, err := schema.FromArrow(f.Type, f.Nullable)
		if err != nil {
			return def, fmt.Errorf("column %q: %w", f.Name, err)
		}
		def.Columns = append(def.Columns, schema.Column{Name: f.Name, Type: t})
	}
	return def, nil
}

func (in *parquetInput) batches(_ *table.Table, _ settingsOf) iter.Seq2[rowjson.Batch, error] {
	return func(yield func(rowjson.Batch, error) bool) {
		records, err := in.arrow.GetRecordReader(context.Background(), nil, nil)
		if err != nil {
			yield(rowjson.Batch{}, err)
			return
		}
		defer records.Release()
		line := int64(1)
		for records.Next() {
			rec := records.RecordBatch()
			if !yield(rowjson.Batch{Record: rec, Line: line}, nil) {
				return
			}
			line += rec.NumRows()
		}
		if err := records.Err(); err != nil && !errors.Is(err, io.EOF) {
			yield(rowjson.Batch{}, err)
		}
	}
}
