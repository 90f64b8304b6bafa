package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// batchRows is how many rows the generator hands to the writer at once.
const batchRows = 8192

type ingestFlags struct {
	commonFlags
	bucket, options, format, partition string
	rows, keys, seed, nulls, warmRows  uint64
	cols, commits                      int
	ratio                              float64
	appendOnly, noWarmup, waitEach     bool
}

// ingest times loading a table.
func ingest(ctx context.Context, args []string) error {
	return loading(ctx, "ingest", args, ingestOnce)
}

// loading does a benchmark that loads tables, after one that is not timed.
func loading(ctx context.Context, name string, args []string, once func(context.Context, ingestFlags) error) error {
	var f ingestFlags
	return f.profiled(f.flags(name), args, func() error {
		err := f.warmUp(ctx)
		for i := 0; i < f.repeat && err == nil; i++ {
			err = once(ctx, f)
		}
		return err
	})
}

// flags are those of a benchmark that loads a table.
func (f *ingestFlags) flags(name string) *flag.FlagSet {
	fs := f.newFlags(name, 1)
	fs.Uint64Var(&f.rows, "rows", 1_000_000, "rows to write")
	fs.Uint64Var(&f.keys, "keys", 1_000_000, "distinct keys")
	fs.Uint64Var(&f.seed, "seed", 1, "seed of the rows")
	fs.IntVar(&f.cols, "cols", 10, "columns")
	fs.IntVar(&f.commits, "commits", 10, "commits")
	fs.StringVar(&f.bucket, "bucket", "1", "table option bucket")
	fs.StringVar(&f.options, "options", "", "table options k=v,k=v")
	fs.Float64Var(&f.ratio, "upsert-ratio", -1, "share of rows that update an earlier key")
	fs.BoolVar(&f.appendOnly, "append", false, "no primary key")
	fs.StringVar(&f.format, "format", "parquet", "table option file.format")
	fs.BoolVar(&f.noWarmup, "no-warmup", false, "no round before the one that is timed")
	fs.Uint64Var(&f.warmRows, "warm-rows", 0, "rows of that round, 0 for a tenth and at least 200000")
	fs.BoolVar(&f.waitEach, "wait-each", false, "every commit waits for the compaction that it causes")
	fs.Bool("full-each", false, "for the Java program: here options say it")
	fs.StringVar(&f.partition, "partition", "", "partition columns a,b")
	fs.Uint64Var(&f.nulls, "nulls", 0, "percent of values that are null")
	return fs
}

// warmUp loads a smaller table, like the Java program, and drops it.
func (f ingestFlags) warmUp(ctx context.Context) error {
	if f.noWarmup {
		return nil
	}
	rows := f.warmRows
	if rows == 0 {
		rows = max(200_000, f.rows/10)
	}
	f.table, f.rows, f.commits = f.table+"_warm", rows, 2
	return f.onFresh(ctx, func(c *catalog.Catalog, t *table.Table, sc *arrow.Schema) error {
		if _, err := load(ctx, t, f.generator(), sc, f); err != nil {
			return err
		}
		id, err := catalog.ParseIdentifier(f.table)
		if err != nil {
			return err
		}
		return c.DropTable(ctx, id)
	})
}

// onFresh makes the table anew and gives it with its schema.
func (f ingestFlags) onFresh(ctx context.Context, do func(*catalog.Catalog, *table.Table, *arrow.Schema) error) error {
	c, err := catalog.Open(ctx, f.warehouse, table.Settings{}, table.Components{})
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := fresh(ctx, c, f)
	if err != nil {
		return err
	}
	sc, err := schema.ArrowSchema(t.Schema().Fields)
	if err != nil {
		return err
	}
	return do(c, t, sc)
}

func (f ingestFlags) generator() *benchrows.Generator {
	g := benchrows.New(f.seed, f.keys, f.cols)
	g.UpsertRatio, g.Nulls = f.ratio, f.nulls
	return g
}

func (f *ingestFlags) definition() (schema.Definition, error) {
	def := schema.Definition{Columns: benchrows.Columns(f.cols), Options: map[string]string{"bucket": f.bucket, "file.format": f.format, "write-only": "true"}}
	split := func(list string) []string { return strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) }
	def.PartitionBy = split(f.partition)
	if !f.appendOnly {
		def.PrimaryKey = append([]string{"id"}, def.PartitionBy...)
	}
	for _, kv := range split(f.options) {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return def, fmt.Errorf("option %q is not k=v", kv)
		}
		def.Options[k] = v
	}
	return def, nil
}

func ingestOnce(ctx context.Context, f ingestFlags) error {
	return f.onFresh(ctx, func(_ *catalog.Catalog, t *table.Table, sc *arrow.Schema) error { return f.timed(ctx, t, sc) })
}

func (f ingestFlags) timed(ctx context.Context, t *table.Table, sc *arrow.Schema) error {
	g := f.generator()
	start, cpu := time.Now(), cpuTime()
	latencies, err := load(ctx, t, g, sc, f)
	if err != nil {
		return err
	}
	seconds, cpuSeconds := time.Since(start).Seconds(), (cpuTime() - cpu).Seconds()
	rss := peakRSS()
	m := base("bench-ingest")
	m = append(m, kv{"rows", f.rows}, kv{"keys", f.keys}, kv{"cols", f.cols}, kv{"bucket", f.bucket}, kv{"format", f.format},
		kv{"options", t.Schema().Options}, kv{"commits", f.commits}, kv{"seconds", r3(seconds)}, kv{"rows_per_s", math.Round(float64(f.rows) / seconds)},
		kv{"cpu_seconds", r3(cpuSeconds)}, kv{"generator_seconds", r3(generatorSeconds(f, sc))},
		kv{"commit_ms_p50", r3(percentile(latencies, 0.5))}, kv{"commit_ms_p99", r3(percentile(latencies, 0.99))}, kv{"commit_ms_max", r3(percentile(latencies, 1))})
	stored, err := storedSize(ctx, t)
	if err != nil {
		return err
	}
	return say(append(m, kv{"files", stored.files}, kv{"file_rows", stored.rows}, kv{"bytes", stored.bytes}, kv{"peak_rss_mib", rss}))
}

func fresh(ctx context.Context, c *catalog.Catalog, f ingestFlags) (*table.Table, error) {
	id, err := catalog.ParseIdentifier(f.table)
	if err != nil {
		return nil, err
	}
	if err := c.CreateDatabase(ctx, id.Database); err != nil && !errors.Is(err, table.ErrExists) {
		return nil, err
	}
	if err := c.DropTable(ctx, id); err != nil && !errors.Is(err, table.ErrNotFound) {
		return nil, err
	}
	def, err := f.definition()
	if err != nil {
		return nil, err
	}
	return c.CreateTable(ctx, id, def)
}

func load(ctx context.Context, t *table.Table, g *benchrows.Generator, sc *arrow.Schema, f ingestFlags) ([]float64, error) {
	w, err := t.NewWriter(ctx, table.WriterOptions{WaitCompaction: f.waitEach})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var latencies []float64
	done := uint64(0)
	for c := range uint64(f.commits) {
		end := f.rows * (c + 1) / uint64(f.commits)
		for done < end {
			n := min(batchRows, end-done)
			rec := g.Batch(sc, done, int(n), memory.DefaultAllocator)
			err := w.Write(ctx, rec)
			rec.Release()
			if err != nil {
				return nil, err
			}
			done += n
		}
		start := time.Now()
		if err := w.CommitNext(ctx); err != nil {
			return nil, err
		}
		latencies = append(latencies, float64(time.Since(start).Microseconds())/1000)
	}
	return latencies, w.Close()
}

// generatorSeconds is what making the rows alone takes.
func generatorSeconds(f ingestFlags, sc *arrow.Schema) float64 {
	g := f.generator()
	probe := min(f.rows, 1_000_000)
	start := time.Now()
	for done := uint64(0); done < probe; done += batchRows {
		g.Batch(sc, done, int(min(batchRows, probe-done)), memory.DefaultAllocator).Release()
	}
	return time.Since(start).Seconds() * float64(f.rows) / float64(probe)
}
