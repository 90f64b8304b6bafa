package manifest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/schema"
)

const benchEntries = 100_000

// benchTable is 100 000 entries of a partitioned table with ten columns of statistics.
func benchTable() []Entry {
	row := func(cols int, v int) []byte {
		b := make([]byte, bodySize(cols))
		for i := range cols {
			copy(b[len(b)-8*(i+1):], []byte{byte(v), byte(v >> 8), byte(v >> 16)})
		}
		return b
	}
	cols := []string{"id", "a", "b", "c", "d", "e", "f", "g", "h", "i"}
	nulls := make([]int64, 10)
	src, zero := SourceAppend, int64(0)
	out := make([]Entry, benchEntries)
	for i := range out {
		e := entry(Add, fmt.Sprintf("data-%08x-7d19-422e-8dd0-69cd%08x-0.parquet", i*2654435761, i*40503), i%16, 0)
		e.Partition = row(1, i/1000)
		e.File.KeyArity, e.File.MinKey, e.File.MaxKey = 1, row(1, i*100), row(1, i*100+99)
		e.File.KeyStats = Stats{Arity: 1, Min: e.File.MinKey, Max: e.File.MaxKey, NullCounts: nulls[:1]}
		e.File.ValueStats = Stats{Arity: 10, Min: row(10, i*3), Max: row(10, i*7), NullCounts: nulls}
		e.File.HasValueStatsCols, e.File.ValueStatsCols = true, cols
		e.File.Source, e.File.DeleteRows = &src, &zero
		e.File.MinSequence, e.File.MaxSequence = int64(i)*100, int64(i)*100+99
		out[i] = e
	}
	return out
}

// container is the entries in one file.
func container(b *testing.B, entries []Entry, codec string) []byte {
	var buf bytes.Buffer
	w, err := avro.NewWriter(&buf, avro.WriterOptions{Schema: entrySchema, Codec: codec})
	if err != nil {
		b.Fatal(err)
	}
	var lay layout
	for i := range entries {
		if w.Block, err = appendEntry(w.Block, &entries[i], 1, &lay); err != nil {
			b.Fatal(err)
		}
		if err := w.End(); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	return buf.Bytes()
}

func report(b *testing.B) {
	b.ReportMetric(float64(benchEntries)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mentries/s")
}

func BenchmarkEncode(b *testing.B) {
	entries := benchTable()
	for _, codec := range []string{avro.CodecNull, avro.CodecZstd, avro.CodecSnappy} {
		b.Run(codec, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(int64(len(container(b, entries, codec))))
			}
			report(b)
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	entries := benchTable()
	for _, codec := range []string{avro.CodecNull, avro.CodecZstd, avro.CodecSnappy} {
		data := container(b, entries, codec)
		b.Run(codec, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if got, err := entryCodec.read("bench", data, 1, nil); err != nil || len(got) != benchEntries {
					b.Fatal(len(got), err)
				}
			}
			report(b)
		})
	}
	data := container(b, entries, avro.CodecZstd)
	b.Run("zstandard-one-bucket", func(b *testing.B) {
		b.ReportAllocs()
		f := &Filter{Bucket: func(bucket, _ int) bool { return bucket == 3 }}
		for b.Loop() {
			if _, err := entryCodec.read("bench", data, 1, f.KeepEntry); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
}

// BenchmarkLive reads 25 manifests in parallel and folds them.
func BenchmarkLive(b *testing.B) {
	st := newMemory()
	m := testIO(st, IOOptions{Partition: []schema.Field{field("p", schema.Int)}})
	entries := benchTable()
	var metas []Meta
	for i := 0; i < len(entries); i += benchEntries / 25 {
		batch := append([]Entry{}, entries[i:i+benchEntries/25]...)
		if i > 0 {
			old := entries[i-1]
			old.Kind = Delete
			batch = append(batch, old)
		}
		x, err := m.WriteEntries(ctx, batch)
		if err != nil {
			b.Fatal(err)
		}
		metas = append(metas, x...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if live, err := m.Live(ctx, metas, nil); err != nil || len(live) != benchEntries-24 {
			b.Fatal(len(live), err)
		}
	}
	report(b)
}

func BenchmarkFold(b *testing.B) {
	entries := benchTable()
	b.ReportAllocs()
	for b.Loop() {
		f := NewFolder(len(entries))
		for i := range entries {
			if err := f.Apply(&entries[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b)
}
