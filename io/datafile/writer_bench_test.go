//go:build unix

package datafile

import (
	"encoding/binary"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/tidelake/tidelake/schema"
)

// The rows of the benchmarks: ten columns, a key in order, and then by turns a
// random BIGINT, INT, DOUBLE, 16-digit STRING, TIMESTAMP(3), DECIMAL(12, 2),
// BOOLEAN, one of 100 STRINGs, DATE, as a primary-key table stores them.

func benchFields() []schema.Field {
	value := []schema.Type{scalar(schema.BigInt), scalar(schema.Int), scalar(schema.Double), text(),
		stamp(schema.Timestamp, 3), decimal(12, 2), scalar(schema.Boolean), text(), scalar(schema.Date)}
	fields := []schema.Field{
		field(schema.KeyFieldIDBase, "_KEY_id", scalar(schema.BigInt)),
		field(schema.SequenceFieldID, schema.SequenceName, scalar(schema.BigInt)),
		field(schema.ValueKindFieldID, schema.ValueKindName, scalar(schema.TinyInt)),
		field(0, "id", scalar(schema.BigInt)),
	}
	for i, t := range value {
		fields = append(fields, field(i+1, fmt.Sprintf("c%02d", i+1), opt(t)))
	}
	return fields
}

const benchBatch = 64 << 10

// benchBatches makes n batches of benchBatch rows; every nullEvery-th cell of
// the nullable columns is null, 0 for none.
func benchBatches(n, nullEvery int) []arrow.RecordBatch {
	fields := benchFields()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrowSchema(fields))
	defer b.Release()
	var all []arrow.RecordBatch
	for part := range n {
		for i := range benchBatch {
			r := uint64(part*benchBatch + i)
			b.Field(0).(*array.Int64Builder).Append(int64(r))
			b.Field(1).(*array.Int64Builder).Append(int64(splitmix(9, r) % 1000000))
			b.Field(2).(*array.Int8Builder).Append(0)
			b.Field(3).(*array.Int64Builder).Append(int64(r))
			for c := range uint64(9) {
				f := b.Field(4 + int(c))
				if nullEvery > 0 && (r+c)%uint64(nullEvery) == 0 {
					f.AppendNull()
					continue
				}
				benchCell(f, c, splitmix(1+(c+1)*0xD1B54A32D192ED03, r))
			}
		}
		all = append(all, b.NewRecordBatch())
	}
	return all
}

func benchCell(b array.Builder, c, v uint64) {
	switch b := b.(type) {
	case *array.Int64Builder:
		b.Append(int64(v))
	case *array.Int32Builder:
		b.Append(int32(v >> 32))
	case *array.Float64Builder:
		b.Append(float64(v>>11) * 0x1p-53 * 1000)
	case *array.StringBuilder:
		if c == 3 {
			b.Append(fmt.Sprintf("%016x", v))
		} else {
			b.Append(fmt.Sprintf("cat-%02d", v%100))
		}
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(1600000000000 + v%100000000000))
	case *array.Decimal128Builder:
		b.Append(num(int64(v%10000000000) - 5000000000))
	case *array.BooleanBuilder:
		b.Append(v&1 == 1)
	case *array.Date32Builder:
		b.Append(arrow.Date32(18000 + v%3650))
	}
}

func BenchmarkWriter(b *testing.B) {
	for _, nullEvery := range []int{0, 10} {
		batches := benchBatches(8, nullEvery)
		for _, codec := range []string{"none", "zstd"} {
			name := fmt.Sprintf("%s/nulls=%v", codec, nullEvery > 0)
			for _, parallel := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/tidelake-%d", name, parallel), func(b *testing.B) {
					benchWrite(b, batches, func(out io.Writer) error {
						w, err := NewWriter(out, benchFields(), WriterOptions{Compression: codec, Parallel: parallel, Stats: true})
						if err != nil {
							return err
						}
						for _, r := range batches {
							if err := w.Write(r); err != nil {
								return err
							}
						}
						_, err = w.Close()
						return err
					})
				})
			}
			b.Run(name+"/arrow-go", func(b *testing.B) {
				benchWrite(b, batches, func(out io.Writer) error { return peerWrite(out, codec, batches) })
			})
		}
	}
}

// cpuNanos is the process's processor time, which a busy machine does not stretch.
func cpuNanos() int64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

type countingWriter struct{ n int64 }

func (c *countingWriter) Write(p []byte) (int, error) { c.n += int64(len(p)); return len(p), nil }

func benchWrite(b *testing.B, batches []arrow.RecordBatch, write func(io.Writer) error) {
	rows := len(batches) * benchBatch
	var out countingWriter
	b.ReportAllocs()
	b.SetBytes(int64(rows) * 109) // unencoded bytes of a row
	start := cpuNanos()
	for b.Loop() {
		out.n = 0
		if err := write(&out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuNanos()-start)/float64(b.N)/float64(rows), "cpu-ns/row")
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrow/s")
	b.ReportMetric(float64(out.n)/float64(rows), "B/row")
}

// peerWrite is the same file by Arrow's column writers as one would use them:
// typed slices, dictionaries on the columns of few values, page index.
func peerWrite(out io.Writer, codec string, batches []arrow.RecordBatch) error {
	pq, err := parquetSchema(benchFields())
	if err != nil {
		return err
	}
	id := compress.Codecs.Uncompressed
	if codec == "zstd" {
		id = compress.Codecs.Zstd
	}
	w := file.NewParquetWriter(out, pq.Root(), file.WithWriterProps(parquet.NewWriterProperties(
		parquet.WithVersion(parquet.V1_0), parquet.WithCompression(id), parquet.WithCompressionLevel(1),
		parquet.WithPageIndexEnabled(true), parquet.WithDictionaryDefault(false),
		parquet.WithDictionaryFor("_VALUE_KIND", true), parquet.WithDictionaryFor("c08", true), parquet.WithDictionaryFor("c09", true))))
	g, err := w.AppendBufferedRowGroupChecked()
	if err != nil {
		return err
	}
	var s peerScratch
	for _, r := range batches {
		for i := range int(r.NumCols()) {
			cw, err := g.Column(i)
			if err != nil {
				return err
			}
			if err := s.column(cw, r.Column(i)); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

type peerScratch struct {
	i32 []int32
	i64 []int64
	f64 []float64
	str []parquet.ByteArray
	bit []bool
	def []int16
}

func (s *peerScratch) column(cw file.ColumnChunkWriter, a arrow.Array) error {
	n := a.Len()
	var def []int16
	if cw.Descr().MaxDefinitionLevel() > 0 {
		s.def = s.def[:0]
		for i := range n {
			if a.IsNull(i) {
				s.def = append(s.def, 0)
			} else {
				s.def = append(s.def, 1)
			}
		}
		def = s.def
	}
	var err error
	switch w := cw.(type) {
	case *file.Int64ColumnChunkWriter:
		v := s.i64[:0]
		switch a := a.(type) {
		case *array.Int64:
			v = compact(v, a, a.Int64Values(), func(x int64) int64 { return x })
		case *array.Timestamp:
			v = compact(v, a, a.TimestampValues(), func(x arrow.Timestamp) int64 { return int64(x) })
		case *array.Decimal128:
			for i := range n {
				if a.IsValid(i) {
					v = append(v, int64(a.Value(i).LowBits()))
				}
			}
		}
		s.i64 = v
		_, err = w.WriteBatch(v, def, nil)
	case *file.Int32ColumnChunkWriter:
		v := s.i32[:0]
		switch a := a.(type) {
		case *array.Int32:
			v = compact(v, a, a.Int32Values(), func(x int32) int32 { return x })
		case *array.Int8:
			v = compact(v, a, a.Int8Values(), func(x int8) int32 { return int32(x) })
		case *array.Date32:
			v = compact(v, a, a.Date32Values(), func(x arrow.Date32) int32 { return int32(x) })
		}
		s.i32 = v
		_, err = w.WriteBatch(v, def, nil)
	case *file.Float64ColumnChunkWriter:
		s.f64 = compact(s.f64[:0], a, a.(*array.Float64).Float64Values(), func(x float64) float64 { return x })
		_, err = w.WriteBatch(s.f64, def, nil)
	case *file.BooleanColumnChunkWriter:
		s.bit = s.bit[:0]
		for i := range n {
			if a.IsValid(i) {
				s.bit = append(s.bit, a.(*array.Boolean).Value(i))
			}
		}
		_, err = w.WriteBatch(s.bit, def, nil)
	case *file.ByteArrayColumnChunkWriter:
		s.str = s.str[:0]
		str := a.(*array.String)
		data, off := str.ValueBytes(), str.ValueOffsets()
		for i := range n {
			if a.IsValid(i) {
				s.str = append(s.str, data[off[i]-off[0]:off[i+1]-off[0]])
			}
		}
		_, err = w.WriteBatch(s.str, def, nil)
	}
	return err
}

func compact[S, T any](dst []T, a arrow.Array, vals []S, to func(S) T) []T {
	for i, v := range vals {
		if a.IsValid(i) {
			dst = append(dst, to(v))
		}
	}
	return dst
}

func BenchmarkWriterColumns(b *testing.B) {
	batch := benchBatches(1, 0)[0]
	nulls := benchBatches(1, 10)[0]
	fields := benchFields()
	for i, f := range fields {
		for _, rec := range []arrow.RecordBatch{batch, nulls} {
			for _, codec := range []string{"none", "zstd"} {
				if rec == nulls && (codec == "zstd" || !f.Type.Nullable) {
					continue
				}
				one := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{rec.Schema().Field(i)}, nil), []arrow.Array{rec.Column(i)}, -1)
				b.Run(fmt.Sprintf("%s/%s/nulls=%v", f.Name, codec, rec == nulls), func(b *testing.B) {
					var out countingWriter
					start := cpuNanos()
					for b.Loop() {
						out.n = 0
						w, err := NewWriter(&out, []schema.Field{f}, WriterOptions{Compression: codec, Parallel: 1})
						if err != nil {
							b.Fatal(err)
						}
						for range 8 {
							if err := w.Write(one); err != nil {
								b.Fatal(err)
							}
						}
						if _, err := w.Close(); err != nil {
							b.Fatal(err)
						}
					}
					cells := 8 * float64(benchBatch)
					b.ReportMetric(float64(cpuNanos()-start)/float64(b.N)/cells, "cpu-ns/cell")
					b.ReportMetric(float64(out.n)/cells, "B/cell")
				})
			}
		}
	}
}

func BenchmarkPackLZ4(b *testing.B) {
	src := make([]byte, 0, 1<<20)
	for i := range uint64(1 << 17) {
		src = binary.LittleEndian.AppendUint64(src, i*i)
	}
	var dst []byte
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		var err error
		if dst, err = packLZ4(dst[:0], src); err != nil {
			b.Fatal(err)
		}
	}
}
