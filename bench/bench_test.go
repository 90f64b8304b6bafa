package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// rowsOfBench is five million unless TIDELAKE_BENCH_ROWS says otherwise; keys
// are a fifth of it, in ten commits.
func rowsOfBench(b *testing.B) ingestFlags {
	rows := uint64(5_000_000)
	if text := os.Getenv("TIDELAKE_BENCH_ROWS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		rows = n
	}
	return ingestFlags{commonFlags: commonFlags{table: "bench.t"}, bucket: "1", rows: rows, keys: max(1, rows/5), seed: 1, cols: 10, commits: 10, ratio: -1, format: "parquet"}
}

// generated are all rows of the benchmark, made before any clock runs.
func generated(b *testing.B, f ingestFlags, sc *arrow.Schema) []arrow.RecordBatch {
	b.Helper()
	g := benchrows.New(f.seed, f.keys, f.cols)
	var out []arrow.RecordBatch
	for done := uint64(0); done < f.rows; done += batchRows {
		out = append(out, g.Batch(sc, done, int(min(batchRows, f.rows-done)), memory.DefaultAllocator))
	}
	return out
}

func benchTable(b *testing.B, f ingestFlags, dir string) *table.Table {
	b.Helper()
	c, err := catalog.Open(context.Background(), dir, table.Settings{}, table.Components{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	t, err := fresh(context.Background(), c, f)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func arrowSchemaOf(b *testing.B, t *table.Table) *arrow.Schema {
	b.Helper()
	s, err := t.Scan(context.Background(), table.ScanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return s.Schema()
}

// upsert writes the batches in ten commits.
func upsert(b *testing.B, t *table.Table, batches []arrow.RecordBatch, commits int) {
	b.Helper()
	ctx := context.Background()
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for c := range commits {
		for _, rec := range batches[len(batches)*c/commits : len(batches)*(c+1)/commits] {
			if err := w.Write(ctx, rec); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.CommitNext(ctx); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}

func rate(b *testing.B, rows float64) {
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrow/s")
}

// BenchmarkUpsert is the whole way of a row into committed files.
func BenchmarkUpsert(b *testing.B) {
	f := rowsOfBench(b)
	batches := generated(b, f, arrowSchemaOf(b, benchTable(b, f, b.TempDir())))
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		t := benchTable(b, f, b.TempDir())
		b.StartTimer()
		upsert(b, t, batches, f.commits)
	}
	rate(b, float64(f.rows))
}

// storedBatches are the rows that reach the files, with their system columns:
// what the upsert above hands to the encoder.
func storedBatches(b *testing.B, t *table.Table) [][]arrow.RecordBatch {
	b.Helper()
	var out [][]arrow.RecordBatch
	eachFile(b, t, func(r *datafile.Reader) {
		var own []arrow.RecordBatch
		for {
			rec, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			own = append(own, rec)
		}
		out = append(out, own)
	})
	return out
}

// eachFile opens every live file with all its columns.
func eachFile(b *testing.B, t *table.Table, read func(r *datafile.Reader)) {
	b.Helper()
	ctx := context.Background()
	for f, err := range t.Files(ctx, 0) {
		if err != nil {
			b.Fatal(err)
		}
		r := openFile(b, t, f)
		read(r)
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func openFile(b *testing.B, t *table.Table, f table.FileInfo) *datafile.Reader {
	b.Helper()
	ctx := context.Background()
	st, err := store.NewLocal(filepath.Dir(filepath.Join(t.Location(), f.Path)))
	if err != nil {
		b.Fatal(err)
	}
	object, err := st.Open(ctx, f.Name, f.Size)
	if err != nil {
		b.Fatal(err)
	}
	r, err := datafile.Open(ctx, object, f.Name, datafile.ReaderOptions{Format: "parquet", Fields: t.Schema().FileFields(false), Parallel: 2, Prefetch: true})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkUpsertEncodeOnly is the Parquet library alone on the same rows that
// the upsert stores, same columns and codec, one file a core at a time.
func BenchmarkUpsertEncodeOnly(b *testing.B) {
	f := rowsOfBench(b)
	t := benchTable(b, f, b.TempDir())
	upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
	files := storedBatches(b, t)
	b.ReportAllocs()
	for b.Loop() {
		var group errgroup.Group
		group.SetLimit(2)
		dir := b.TempDir()
		for i, batches := range files {
			group.Go(func() error { return encodeWithLibrary(filepath.Join(dir, strconv.Itoa(i)), batches) })
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	rate(b, float64(f.rows))
}

// encodeWithLibrary writes batches as arrow-go does by itself, with
// dictionaries only on the one column where they pay.
func encodeWithLibrary(path string, batches []arrow.RecordBatch) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1),
		parquet.WithDictionaryDefault(false), parquet.WithDictionaryFor("c08", true))
	w, err := pqarrow.NewFileWriter(batches[0].Schema(), out, props, pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	for _, rec := range batches {
		if err := w.WriteBuffered(rec); err != nil {
			return err
		}
	}
	return w.Close()
}

// BenchmarkScan is merge-on-read over the ten files.
func BenchmarkScan(b *testing.B) {
	f := rowsOfBench(b)
	t := benchTable(b, f, b.TempDir())
	upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
	b.ReportAllocs()
	for b.Loop() {
		s, err := t.Scan(context.Background(), table.ScanOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for _, err := range s.Batches(context.Background()) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	rate(b, float64(f.rows))
}

// BenchmarkScanDecodeOnly decodes every column of the same ten files without
// merging, two files at a time.
func BenchmarkScanDecodeOnly(b *testing.B) {
	f := rowsOfBench(b)
	t := benchTable(b, f, b.TempDir())
	upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
	b.ReportAllocs()
	for b.Loop() {
		var group errgroup.Group
		group.SetLimit(2)
		for info, err := range t.Files(context.Background(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			group.Go(func() error { return drain(openFile(b, t, info)) })
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	rate(b, float64(f.rows))
}

func drain(r *datafile.Reader) error {
	defer r.Close()
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rec.Release()
	}
}

// BenchmarkScanLibraryDecode decodes the same files with arrow-go's own reader.
func BenchmarkScanLibraryDecode(b *testing.B) {
	f := rowsOfBench(b)
	t := benchTable(b, f, b.TempDir())
	upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
	b.ReportAllocs()
	for b.Loop() {
		var group errgroup.Group
		group.SetLimit(2)
		for info, err := range t.Files(context.Background(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			group.Go(func() error { return decodeWithLibrary(filepath.Join(t.Location(), info.Path)) })
		}
		if err := group.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	rate(b, float64(f.rows))
}

func decodeWithLibrary(path string) error {
	r, err := file.OpenParquetFile(path, false)
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{BatchSize: 8192}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	records, err := p.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		return err
	}
	defer records.Release()
	for records.Next() {
	}
	if err := records.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
