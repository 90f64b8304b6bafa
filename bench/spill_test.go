package main

import (
	"context"
	"testing"
	"time"

	"github.com/tidelake/tidelake/table"
)

// BenchmarkSmallBuffer ingests far more than the write buffer holds in two
// commits, full buffers spilled to local disk or flushed to level 0, and says
// how many files compaction and readers are left with.
func BenchmarkSmallBuffer(b *testing.B) {
	for _, mode := range []struct{ name, options string }{
		{"spill/compacting", ""}, {"flush/compacting", ",write-buffer-spillable=false"},
		{"spill/write-only", ",write-only=true"}, {"flush/write-only", ",write-only=true,write-buffer-spillable=false"},
	} {
		b.Run(mode.name, func(b *testing.B) {
			f := rowsOfBench(b)
			f.commits, f.options = 2, "write-buffer-size=8mb"+mode.options
			batches := generated(b, f, arrowSchemaOf(b, benchTable(b, f, b.TempDir())))
			files, cpu := 0, time.Duration(0)
			for b.Loop() {
				b.StopTimer()
				t := benchTable(b, f, b.TempDir())
				before := cpuTime()
				b.StartTimer()
				upsert(b, t, batches, f.commits)
				cpu += cpuTime() - before
				files = liveFiles(b, t)
			}
			rate(b, float64(f.rows))
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s")
			b.ReportMetric(float64(files), "files")
		})
	}
}

func liveFiles(b *testing.B, t *table.Table) (n int) {
	for _, err := range t.Files(context.Background(), 0) {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n
}
