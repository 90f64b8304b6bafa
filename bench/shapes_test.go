package main

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/table"
)

// What tables of unusual shapes cost: many small files, and planning them.

// BenchmarkSmallFiles commits sixteen rows to each of 256 buckets, in memory:
// what a file costs beside the store.
func BenchmarkSmallFiles(b *testing.B) {
	ctx := context.Background()
	f := smallCommits
	f.bucket, f.rows, f.keys = "256", 4096, 1<<40
	t := benchTable(b, f, "mem://")
	rec := benchrows.New(f.seed, f.keys, f.cols).Batch(arrowSchemaOf(b, t), 0, int(f.rows), memory.DefaultAllocator)
	defer rec.Release()
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	cpu := cpuTime()
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Write(ctx, rec); err != nil {
			b.Fatal(err)
		}
		if err := w.CommitNext(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N)/256, "cpu-µs/file")
}

// BenchmarkPlan plans scans of ten thousand files in as many buckets: all, and
// those that may hold one key.
func BenchmarkPlan(b *testing.B) {
	ctx := context.Background()
	c := newChurn(b, 100)
	for name, where := range map[string]string{"all": "", "key": "k = 7"} {
		b.Run(name, func(b *testing.B) {
			plan := func() {
				s, err := c.tab.Scan(ctx, table.ScanOptions{Where: where})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Plan(ctx); err != nil {
					b.Fatal(err)
				}
			}
			peak := heapPeak(plan)
			cpu := cpuTime()
			b.ReportAllocs()
			for b.Loop() {
				plan()
			}
			b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N)/10_000, "cpu-µs/file")
			b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MiB")
		})
	}
}
