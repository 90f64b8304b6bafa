package datafile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/schema"
)

const benchRows = 500_000

// benchFile is the file every benchmark reads: the ten columns of the common
// benchmarks, zstd level 1.
var benchFile = sync.OnceValues(func() ([]byte, []schema.Field) {
	def := schema.Definition{Columns: benchrows.Columns(10), PrimaryKey: []string{"id"}, Options: map[string]string{"bucket": "1"}}
	table, err := def.Table(0)
	if err != nil {
		panic(err)
	}
	s, err := schema.ArrowSchema(table.Fields)
	if err != nil {
		panic(err)
	}
	var buf bytes.Buffer
	w, err := NewWriter(&buf, table.Fields, WriterOptions{})
	if err != nil {
		panic(err)
	}
	g := benchrows.New(1, 1_000_000, 10)
	for from := 0; from < benchRows; from += 10_000 {
		rec := g.Batch(s, uint64(from), 10_000, memory.DefaultAllocator)
		if err := w.Write(rec); err != nil {
			panic(err)
		}
		rec.Release()
	}
	if _, err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes(), table.Fields
})

func reportRows(b *testing.B, size int) {
	b.SetBytes(int64(size))
	b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
	b.ReportAllocs()
}

func BenchmarkRead(b *testing.B) {
	data, fields := benchFile()
	for _, c := range []struct {
		name string
		opts ReaderOptions
	}{
		{"all", ReaderOptions{}},
		{"two", ReaderOptions{Fields: fields[:2]}},
		{"all/batch=1024", ReaderOptions{BatchRows: 1024}},
		{"all/batch=65536", ReaderOptions{BatchRows: 65536}},
		{"all/parallel=2", ReaderOptions{Parallel: 2}},
		{"all/prefetch", ReaderOptions{Prefetch: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			opts := c.opts
			opts.Format = "parquet"
			if opts.Fields == nil {
				opts.Fields = fields
			}
			b.ReportAllocs()
			for b.Loop() {
				rows := int64(0)
				if err := readAll(data, opts, func(rec arrow.RecordBatch, _ int64) error { rows += rec.NumRows(); return nil }); err != nil || rows != benchRows {
					b.Fatal(rows, err)
				}
			}
			reportRows(b, len(data))
		})
	}
	for i, f := range fields {
		b.Run(fmt.Sprintf("column/%s-%s", f.Name, f.Type), func(b *testing.B) {
			for b.Loop() {
				if err := readAll(data, ReaderOptions{Format: "parquet", Fields: fields[i : i+1]}, func(arrow.RecordBatch, int64) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			reportRows(b, len(data))
		})
	}
}

// BenchmarkReadByArrow is the same with Arrow's own reader.
func BenchmarkReadByArrow(b *testing.B) {
	data, _ := benchFile()
	for b.Loop() {
		pf, err := file.NewParquetReader(bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		fr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: defaultBatchRows}, memory.DefaultAllocator)
		if err != nil {
			b.Fatal(err)
		}
		rr, err := fr.GetRecordReader(context.Background(), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		rows := int64(0)
		for rr.Next() {
			rows += rr.RecordBatch().NumRows()
		}
		rr.Release()
		if rows != benchRows {
			b.Fatal(rows, rr.Err())
		}
	}
	reportRows(b, len(data))
}

// BenchmarkPagesByParquetGo only decodes pages: no batches, nulls not in
// place, dictionary values not looked up.
func BenchmarkPagesByParquetGo(b *testing.B) {
	data, _ := benchFile()
	for b.Loop() {
		f, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			b.Fatal(err)
		}
		for _, g := range f.RowGroups() {
			for _, c := range g.ColumnChunks() {
				pages := c.Pages()
				for {
					p, err := pages.ReadPage()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					_ = p.Data()
					parquetgo.Release(p)
				}
				pages.Close()
			}
		}
	}
	reportRows(b, len(data))
}
