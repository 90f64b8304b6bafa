package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/table"
)

// overlapping is a write-only table of five runs, two fifths of whose rows are
// newer versions of others: two million rows each unless TIDELAKE_BENCH_ROWS,
// the number of all rows, says otherwise.
func overlapping(b *testing.B) (*table.Table, ingestFlags) {
	b.Helper()
	f := rowsOfBench(b)
	if f.rows == 5_000_000 {
		f.rows = 10_000_000
	}
	f.cols, f.commits, f.keys = 12, 5, f.rows
	f.options = "write-only=true,write-buffer-size=2gb"
	t := benchTable(b, f, b.TempDir())
	upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
	return t, f
}

// BenchmarkFullCompaction merges five runs into one, over and over. Beside its
// own CPU time it reports that of decoding the input once and encoding the
// output once, and how many times their sum it takes.
func BenchmarkFullCompaction(b *testing.B) {
	ctx := context.Background()
	t, f := overlapping(b)
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
		if err := t.Abort(ctx, []table.CommitMessage{m}); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.StopTimer()
	rate(b, float64(f.rows))
	own := spent.Seconds() / float64(b.N)
	decode, encode := floor(b, t)
	b.ReportMetric(own, "cpu-s/compaction")
	b.ReportMetric(decode, "cpu-s/decode")
	b.ReportMetric(encode, "cpu-s/encode")
	b.ReportMetric(own/(decode+encode), "times-floor")
}

// floor is the CPU time of decoding all files of a table with every column, and
// of encoding its merged rows into one file.
func floor(b *testing.B, t *table.Table) (decode, encode float64) {
	b.Helper()
	before := cpuTime()
	eachFile(b, t, func(r *datafile.Reader) {
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				b.Fatal(err)
			}
			rec.Release()
		}
	})
	decode = (cpuTime() - before).Seconds()
	ctx := context.Background()
	if _, err := t.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		b.Fatal(err)
	}
	var batches []arrow.RecordBatch
	eachFile(b, t, func(r *datafile.Reader) {
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return
			}
			if err != nil {
				b.Fatal(err)
			}
			batches = append(batches, rec)
		}
	})
	before = cpuTime()
	w, err := datafile.NewWriter(io.Discard, t.Schema().FileFields(false), datafile.WriterOptions{RowGroupBytes: 32 << 20, Stats: true})
	if err != nil {
		b.Fatal(err)
	}
	for _, rec := range batches {
		if err := w.Write(rec); err != nil {
			b.Fatal(err)
		}
		rec.Release()
	}
	if _, err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return decode, (cpuTime() - before).Seconds()
}
