package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// What following a table costs: the time from a commit's return to the rows in
// the follower's hands, rows a second against a plain read of the same files,
// and what a follower of a quiet table does.

// smallCommits is a table of small rows for commits that follow each other.
var smallCommits = ingestFlags{commonFlags: commonFlags{table: "bench.t"}, bucket: "1", rows: 100, keys: 100, seed: 1, cols: 10, commits: 1, ratio: -1, format: "parquet"}

const commitGap = 7 * time.Millisecond // between commits, no multiple of the follower's looks

// BenchmarkFollowLatency commits b.N times while a follower reads along, once
// both in this process and once the writer in another.
func BenchmarkFollowLatency(b *testing.B) {
	b.Run("one-process", func(b *testing.B) {
		t := benchTable(b, smallCommits, b.TempDir())
		followCommits(b, t, func(returned chan<- time.Time) error { return commitSmall(t, b.N, returned) })
	})
	b.Run("between-processes", func(b *testing.B) {
		dir := b.TempDir()
		t := benchTable(b, smallCommits, dir)
		followCommits(b, t, func(returned chan<- time.Time) error {
			cmd := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("TIDELAKE_BENCH_WRITER=%s %d", dir, b.N))
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				return err
			}
			if err := cmd.Start(); err != nil {
				return err
			}
			for lines := bufio.NewScanner(out); lines.Scan(); {
				var nanos int64
				if _, err := fmt.Sscanf(lines.Text(), "returned %d", &nanos); err == nil {
					returned <- time.Unix(0, nanos)
				}
			}
			return cmd.Wait()
		})
	})
}

// TestWriterProcess is the writer of the benchmark above in its own process.
func TestWriterProcess(t *testing.T) {
	dir, n := "", 0
	if _, err := fmt.Sscan(os.Getenv("TIDELAKE_BENCH_WRITER"), &dir, &n); err != nil {
		t.Skip("only BenchmarkFollowLatency runs it")
	}
	c, err := catalog.Open(context.Background(), dir, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tab, err := c.Table(context.Background(), catalog.Identifier{Database: "bench", Table: "t"})
	if err != nil {
		t.Fatal(err)
	}
	returned := make(chan time.Time, n)
	if err := commitSmall(tab, n, returned); err != nil {
		t.Fatal(err)
	}
	close(returned)
	for at := range returned {
		fmt.Println("returned", at.UnixNano())
	}
}

// commitSmall makes n commits and tells when each returned.
func commitSmall(t *table.Table, n int, returned chan<- time.Time) (err error) {
	ctx := context.Background()
	s, err := t.Scan(ctx, table.ScanOptions{})
	if err != nil {
		return err
	}
	f := smallCommits
	rec := benchrows.New(f.seed, f.keys, f.cols).Batch(s.Schema(), 0, int(f.rows), memory.DefaultAllocator)
	defer rec.Release()
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for range n {
		time.Sleep(commitGap)
		if err := errors.Join(w.Write(ctx, rec), w.CommitNext(ctx)); err != nil {
			return err
		}
		returned <- time.Now()
	}
	return nil
}

// followCommits reads a table's changes while commit makes b.N commits, and
// reports how long after each its rows were there.
func followCommits(b *testing.B, t *table.Table, commit func(returned chan<- time.Time) error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := t.Stream(ctx, table.StreamOptions{Snapshot: 1})
	if err != nil {
		b.Fatal(err)
	}
	returned := make(chan time.Time, b.N)
	done := make(chan error, 1)
	b.ResetTimer()
	go func() { done <- commit(returned) }()
	held := make([]time.Time, 0, b.N)
	for _, err := range s.Batches(ctx) {
		if err != nil {
			b.Fatal(err)
		}
		if held = append(held, time.Now()); len(held) == b.N {
			break
		}
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	late := make([]time.Duration, b.N)
	for i := range late {
		late[i] = max(0, held[i].Sub(<-returned)) // a follower can be there before the call has returned
	}
	slices.Sort(late)
	at := func(share float64) float64 {
		return float64(late[int(float64(len(late)-1)*share)].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(at(1), "max-ms")
	b.ReportMetric(float64(s.Stats().Requests)/float64(b.N), "polls/commit")
}

// BenchmarkStreamThroughput reads the changes of ten commits, and beside it the
// same files as a table's rows: without a primary key these are the same.
func BenchmarkStreamThroughput(b *testing.B) {
	for _, kind := range []string{"append", "keyed"} {
		f := rowsOfBench(b)
		f.options = "write-only=true"
		if kind == "append" {
			f.appendOnly, f.bucket = true, "-1"
		}
		t := benchTable(b, f, b.TempDir())
		upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
		f.rows = 0 // a commit keeps one row of each key
		for file, err := range t.Files(context.Background(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			f.rows += uint64(file.Rows)
		}
		b.Run(kind+"/stream", func(b *testing.B) {
			readAll(b, f, func() int64 { return changesFrom(b, t, table.StreamOptions{Snapshot: 1}) })
		})
		if f.appendOnly {
			b.Run(kind+"/scan", func(b *testing.B) { readAll(b, f, func() int64 { return scanned(b, t) }) })
		}
		b.Run(kind+"/files", func(b *testing.B) {
			readAll(b, f, func() (rows int64) {
				for _, own := range storedBatches(b, t) {
					for _, rec := range own {
						rows += rec.NumRows()
						rec.Release()
					}
				}
				return rows
			})
		})
	}
}

func readAll(b *testing.B, f ingestFlags, read func() int64) {
	before := cpuTime()
	for b.Loop() {
		if rows := read(); rows != int64(f.rows) {
			b.Fatalf("%d rows, want %d", rows, f.rows)
		}
	}
	b.ReportMetric((cpuTime()-before).Seconds()/float64(b.N), "cpu-s")
	rate(b, float64(f.rows))
}

func scanned(b *testing.B, t *table.Table) (rows int64) {
	s, err := t.Scan(context.Background(), table.ScanOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for rec, err := range s.Batches(context.Background()) {
		if err != nil {
			b.Fatal(err)
		}
		rows += rec.NumRows()
	}
	return rows
}

// BenchmarkFollowIdle is a look of a follower of a quiet table, without the
// waits between: what an hour of it leaves behind is heap-growth-bytes, if b.N
// is 180,000.
func BenchmarkFollowIdle(b *testing.B) {
	t := benchTable(b, smallCommits, b.TempDir())
	upsert(b, t, generated(b, smallCommits, arrowSchemaOf(b, t)), 1)
	enough, polls, cpu := errors.New("enough"), 0, cpuTime()
	before := heap()
	f := snapshot.NewFollower(t.Snapshots(), snapshot.FollowOptions{Sleep: func(context.Context, time.Duration) error {
		if polls++; polls >= b.N {
			return enough
		}
		return nil
	}})
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := f.Next(context.Background(), 2); !errors.Is(err, enough) {
		b.Fatal(err)
	}
	b.ReportMetric(float64(f.Stats().Requests)/float64(f.Stats().Polls), "requests/poll")
	b.ReportMetric(float64((cpuTime()-cpu).Microseconds())/float64(b.N), "cpu-µs/poll")
	b.ReportMetric(float64(heap()-before), "heap-growth-bytes")
	runtime.KeepAlive(f)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
