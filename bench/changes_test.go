package main

import (
	"context"
	"testing"
	"time"

	"github.com/tidelake/tidelake/table"
)

// BenchmarkChangelog compacts a run of rows on the top level with as many newer
// versions of half of its keys, under each producer of changelogs: what telling
// the changes costs beside the compaction itself. All rows are 2 million unless
// TIDELAKE_BENCH_ROWS says otherwise.
func BenchmarkChangelog(b *testing.B) {
	for _, producer := range []string{
		"none", "lookup", "full-compaction", "lookup,changelog-producer.row-deduplicate=true",
	} {
		b.Run(producer, func(b *testing.B) {
			ctx := context.Background()
			f := rowsOfBench(b)
			if f.rows == 5_000_000 {
				f.rows = 2_000_000
			}
			f.cols, f.commits, f.keys = 12, 2, f.rows/2
			f.options = "write-only=true,write-buffer-size=2gb,changelog-producer=" + producer
			t := benchTable(b, f, b.TempDir())
			batches := generated(b, f, arrowSchemaOf(b, t))
			half := len(batches) / 2
			upsert(b, t, batches[:half], 1)
			if _, err := t.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
				b.Fatal(err)
			}
			upsert(b, t, batches[half:], 1)
			tasks, err := t.PlanCompaction(ctx, table.CompactOptions{Full: true})
			if err != nil || len(tasks) != 1 {
				b.Fatal(len(tasks), err)
			}
			var spent time.Duration
			for b.Loop() {
				before := cpuTime()
				m, err := t.RunCompaction(ctx, tasks[0])
				if err != nil {
					b.Fatal(err)
				}
				spent += cpuTime() - before
				b.StopTimer()
				if (len(m.CompactChangelog) > 0) != (producer != "none") {
					b.Fatal("files of changes: ", len(m.CompactChangelog))
				}
				if err := t.Abort(ctx, []table.CommitMessage{m}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			b.StopTimer()
			rate(b, float64(f.rows))
			b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s/compaction")
		})
	}
}
