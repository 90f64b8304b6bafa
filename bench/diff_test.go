package main

import (
	"context"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// BenchmarkDiff compares a table of 2 million keys on the top level with what
// it is after as many newer versions of half of them, in one bucket and in
// eight, and reads the same versions as a delta of forty commits. A scan of the newer
// version stands beside. TIDELAKE_BENCH_ROWS is the number of rows in all.
func BenchmarkDiff(b *testing.B) {
	for _, buckets := range []string{"1", "8"} {
		f := rowsOfBench(b)
		if f.rows == 5_000_000 {
			f.rows = 2_000_000
		}
		f.bucket, f.keys = buckets, f.rows/2
		f.options = "write-only=true"
		t := benchTable(b, f, b.TempDir())
		batches := generated(b, f, arrowSchemaOf(b, t))
		half := len(batches) / 2
		upsert(b, t, batches[:half], 1)
		ctx := context.Background()
		if _, err := t.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
			b.Fatal(err)
		}
		upsert(b, t, batches[half:], 40)
		for _, mode := range []table.ChangeMode{table.ChangesDiff, table.ChangesDelta} {
			b.Run("buckets="+buckets+"/"+string(mode), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					d, err := t.Diff(ctx, table.ScanOptions{Between: &table.Between{From: table.Version{Snapshot: 2}, Mode: mode}})
					if err != nil {
						b.Fatal(err)
					}
					if n, err := d.Count(ctx); err != nil || n == 0 {
						b.Fatal(n, err)
					}
				}
				rate(b, float64(f.rows))
			})
		}
		b.Run("buckets="+buckets+"/scan", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := int64(0)
				s, err := t.Scan(ctx, table.ScanOptions{})
				if err != nil {
					b.Fatal(err)
				}
				for rec, err := range s.Batches(ctx) {
					if err != nil {
						b.Fatal(err)
					}
					n += rec.NumRows()
				}
			}
			rate(b, float64(f.rows))
		})
	}
}
