package main

import (
	"context"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// BenchmarkFullChangelog reads commits as they were written, and as a full
// changelog that the stream makes: ten of half the table each, on top of each
// other (wide), and ten of one row in two hundred, on top of a compacted table
// (narrow). Rates are rows written, whatever is told of them.
func BenchmarkFullChangelog(b *testing.B) {
	for _, engine := range []string{"deduplicate", "partial-update"} {
		for _, commits := range []string{"wide", "narrow"} {
			f := rowsOfBench(b)
			if f.rows == 5_000_000 {
				f.rows = 2_000_000
			}
			f.keys = f.rows / 5
			f.options = "write-only=true,merge-engine=" + engine
			t := benchTable(b, f, b.TempDir())
			batches := generated(b, f, arrowSchemaOf(b, t))
			first := int64(1)
			if commits == "narrow" {
				upsert(b, t, batches, 1)
				if _, err := t.Compact(context.Background(), table.CompactOptions{Full: true}); err != nil {
					b.Fatal(err)
				}
				f.rows, first = f.rows/20, 3
				batches = generated(b, f, arrowSchemaOf(b, t))
			}
			upsert(b, t, batches, f.commits)
			f.rows = uint64(changesFrom(b, t, table.StreamOptions{Snapshot: first}))
			for _, full := range []bool{false, true} {
				name := engine + "/" + commits + "/as-written"
				if full {
					name = engine + "/" + commits + "/full"
				}
				b.Run(name, func(b *testing.B) {
					before, told := cpuTime(), int64(0)
					for b.Loop() {
						told = changesFrom(b, t, table.StreamOptions{Snapshot: first, FullChangelog: full})
					}
					b.ReportMetric((cpuTime()-before).Seconds()/float64(b.N), "cpu-s")
					b.ReportMetric(float64(told), "told")
					rate(b, float64(f.rows))
				})
			}
		}
	}
}

// changesFrom counts the rows of a stream up to the newest snapshot.
func changesFrom(b *testing.B, t *table.Table, o table.StreamOptions) (rows int64) {
	ctx := context.Background()
	var err error
	if o.UntilSnapshot, err = t.Snapshots().LatestID(ctx); err != nil {
		b.Fatal(err)
	}
	s, err := t.Stream(ctx, o)
	if err != nil {
		b.Fatal(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			b.Fatal(err)
		}
		rows += rec.NumRows()
	}
	return rows
}
