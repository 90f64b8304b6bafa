// Bench times whole jobs on tables of generated rows and prints one JSON line
// a run, with the flags and members of the Java program beside the interop
// suite, so that both can be run side by side and their digests compared:
//
//	go run ./bench ingest --warehouse DIR --table db.t --rows 5000000 --keys 1000000 --cols 10 --commits 10 --seed 1
//	go run ./bench scan   --warehouse DIR --table db.t --threads 2 --digest
//	go run ./bench lookup --warehouse DIR --table db.t --keys 1000000 --lookups 200000
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("usage: bench ingest|compact|scan|changes|plan|lookup --warehouse DIR --table db.t [flags]")
	}
	switch args[0] {
	case "ingest":
		return ingest(ctx, args[1:])
	case "scan":
		return scan(ctx, args[1:])
	case "lookup":
		return lookup(ctx, args[1:])
	case "compact":
		return compact(ctx, args[1:])
	case "changes":
		return changes(ctx, args[1:])
	case "plan":
		return plan(ctx, args[1:])
	}
	return fmt.Errorf("unknown benchmark %q: ingest, compact, scan, changes, plan or lookup", args[0])
}

var out io.Writer = os.Stdout

// batchRows is how many rows the generator hands to the writer at once.
const batchRows = 8192

// commonFlags are those of every benchmark.
type commonFlags struct {
	warehouse, table, profile string
	repeat                    int
}

// newFlags are the flags that the benchmarks share.
func (f *commonFlags) newFlags(name string, repeat int) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.StringVar(&f.warehouse, "warehouse", "", "directory or URL")
	fs.StringVar(&f.table, "table", "bench.t", "table; ingest makes it anew")
	fs.IntVar(&f.repeat, "repeat", repeat, "runs")
	fs.StringVar(&f.profile, "cpuprofile", "", "write a CPU profile to this file")
	return fs
}

// open opens the table. Close the catalog.
func (f *commonFlags) open(ctx context.Context, s table.Settings) (*catalog.Catalog, *table.Table, error) {
	c, err := catalog.Open(ctx, f.warehouse, s, table.Components{})
	if err != nil {
		return nil, nil, err
	}
	id, err := catalog.ParseIdentifier(f.table)
	if err == nil {
		var t *table.Table
		if t, err = c.Table(ctx, id); err == nil {
			return c, t, nil
		}
	}
	return nil, nil, errors.Join(err, c.Close())
}

type ingestFlags struct {
	commonFlags
	bucket, options, format, partition string
	rows, keys, seed, nulls, warmRows  uint64
	cols, commits                      int
	ratio                              float64
	appendOnly, noWarmup, waitEach     bool
}

func ingest(ctx context.Context, args []string) error {
	var f ingestFlags
	fs := f.flags("ingest")
	if err := fs.Parse(args); err != nil {
		return err
	}
	stop, err := startProfile(f.profile)
	if err != nil {
		return err
	}
	defer stop()
	if err := f.warmUp(ctx); err != nil {
		return err
	}
	for range f.repeat {
		if err := ingestOnce(ctx, f); err != nil {
			return err
		}
	}
	return nil
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
	c, err := catalog.Open(ctx, f.warehouse, table.Settings{}, table.Components{})
	if err != nil {
		return err
	}
	defer c.Close()
	rows := f.warmRows
	if rows == 0 {
		rows = max(200_000, f.rows/10)
	}
	f.table, f.rows, f.commits = f.table+"_warm", rows, 2
	t, err := fresh(ctx, c, f)
	if err != nil {
		return err
	}
	g, sc, err := f.generator(t)
	if err != nil {
		return err
	}
	if _, err := load(ctx, t, g, sc, f); err != nil {
		return err
	}
	id, err := catalog.ParseIdentifier(f.table)
	if err != nil {
		return err
	}
	return c.DropTable(ctx, id)
}

func (f ingestFlags) generator(t *table.Table) (*benchrows.Generator, *arrow.Schema, error) {
	g := benchrows.New(f.seed, f.keys, f.cols)
	g.UpsertRatio, g.Nulls = f.ratio, f.nulls
	sc, err := schema.ArrowSchema(t.Schema().Fields)
	return g, sc, err
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
	c, err := catalog.Open(ctx, f.warehouse, table.Settings{}, table.Components{})
	if err != nil {
		return err
	}
	defer c.Close()
	t, err := fresh(ctx, c, f)
	if err != nil {
		return err
	}
	g, sc, err := f.generator(t)
	if err != nil {
		return err
	}
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
	g := benchrows.New(f.seed, f.keys, f.cols)
	g.UpsertRatio, g.Nulls = f.ratio, f.nulls
	probe := min(f.rows, 1_000_000)
	start := time.Now()
	for done := uint64(0); done < probe; done += batchRows {
		g.Batch(sc, done, int(min(batchRows, probe-done)), memory.DefaultAllocator).Release()
	}
	return time.Since(start).Seconds() * float64(f.rows) / float64(probe)
}

func scan(ctx context.Context, args []string) error {
	var f commonFlags
	fs := f.newFlags("scan", 3)
	threads := fs.Int("threads", runtime.GOMAXPROCS(0), "goroutines")
	warmup := fs.Int("warmup", 1, "scans before those that are timed")
	warmSeconds := fs.Float64("warm-seconds", 5, "seconds that such scans go on at least")
	where := fs.String("filter", "", "filter")
	projection := fs.String("projection", "", "columns of the second scan, default the first two")
	digest := fs.Bool("digest", false, "print a digest of the content too")
	if err := fs.Parse(args); err != nil {
		return err
	}
	stop, err := startProfile(f.profile)
	if err != nil {
		return err
	}
	defer stop()
	c, t, err := f.open(ctx, table.Settings{Parallel: *threads})
	if err != nil {
		return err
	}
	defer c.Close()
	two := strings.Split(*projection, ",")
	if *projection == "" {
		two = []string{t.Schema().Fields[0].Name, t.Schema().Fields[min(1, len(t.Schema().Fields)-1)].Name}
	}
	for _, columns := range [][]string{nil, two} {
		until := time.Now().Add(time.Duration(*warmSeconds * float64(time.Second)))
		for i := 0; i < *warmup || time.Now().Before(until); i++ {
			if _, _, err := timedScan(ctx, t, table.ScanOptions{Columns: columns, Where: *where}); err != nil {
				return err
			}
		}
		for i := range f.repeat {
			if err := scanOnce(ctx, t, table.ScanOptions{Columns: columns, Where: *where}, i, *threads); err != nil {
				return err
			}
		}
	}
	if !*digest {
		return nil
	}
	return sayDigest(ctx, t, *where)
}

// timedScan reads everything and tells the rows and the seconds.
func timedScan(ctx context.Context, t *table.Table, o table.ScanOptions) (rows int64, seconds float64, err error) {
	start := time.Now()
	s, err := t.Scan(ctx, o)
	if err != nil {
		return 0, 0, err
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return 0, 0, err
		}
		rows += rec.NumRows()
	}
	return rows, time.Since(start).Seconds(), nil
}

func scanOnce(ctx context.Context, t *table.Table, o table.ScanOptions, repeat, threads int) error {
	cpu := cpuTime()
	rows, seconds, err := timedScan(ctx, t, o)
	if err != nil {
		return err
	}
	used := (cpuTime() - cpu).Seconds()
	projection := "*"
	if o.Columns != nil {
		projection = strings.Join(o.Columns, ",")
	}
	stored, err := storedSize(ctx, t)
	if err != nil {
		return err
	}
	return say(append(base("bench-scan"), kv{"projection", projection}, kv{"repeat", repeat}, kv{"threads", threads},
		kv{"rows_out", rows}, kv{"rows_in", stored.rows}, kv{"files", stored.files}, kv{"bytes", stored.bytes},
		kv{"seconds", r3(seconds)}, kv{"rows_out_per_s", math.Round(float64(rows) / seconds)},
		kv{"rows_in_per_s", math.Round(float64(stored.rows) / seconds)}, kv{"cpu_seconds", r3(used)}, kv{"peak_rss_mib", peakRSS()}))
}

func sayDigest(ctx context.Context, t *table.Table, where string) error {
	s, err := t.Scan(ctx, table.ScanOptions{Where: where})
	if err != nil {
		return err
	}
	var rows int64
	var sum uint64
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return err
		}
		rows += rec.NumRows()
		sum += benchrows.Digest(rec)
	}
	return say(append(base("digest"), kv{"rows", rows}, kv{"digest", strconv.FormatUint(sum, 16)}))
}

// startProfile profiles the process until the function it returns is called; "" does nothing.
func startProfile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); f.Close() }, nil
}

// line is a JSON object that keeps the order of its members.
type line []kv

type kv struct {
	key   string
	value any
}

func base(op string) line {
	return line{{"op", op}, {"go", runtime.Version()}, {"cpus", runtime.GOMAXPROCS(0)}}
}

// size is what the newest snapshot stores.
type size struct{ files, rows, bytes int64 }

func storedSize(ctx context.Context, t *table.Table) (s size, err error) {
	for f, err := range t.Files(ctx, 0) {
		if err != nil {
			return s, err
		}
		s.files, s.rows, s.bytes = s.files+1, s.rows+f.Rows, s.bytes+f.Size
	}
	return s, nil
}

func say(l line) error {
	var b strings.Builder
	for i, m := range l {
		v, err := json.Marshal(m.value)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%c%q:%s", "{,"[min(i, 1)], m.key, v)
	}
	_, err := fmt.Fprintln(out, b.String()+"}")
	return err
}

func r3(v float64) float64 { return math.Round(v*1000) / 1000 }

func percentile(values []float64, p float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[max(0, int(math.Ceil(p*float64(len(s))))-1)]
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakRSS is the highest resident set of this process in MiB, -1 where unknown.
func peakRSS() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	for _, l := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib >> 10
		}
	}
	return -1
}
