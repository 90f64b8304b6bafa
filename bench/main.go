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
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/tidelake/tidelake/catalog"
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

// commonFlags are those of every benchmark.
type commonFlags struct {
	warehouse, table, profile string
	repeat                    int
	settings                  table.Settings
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

// profiled parses the arguments and does the job, profiled if they say so.
func (f *commonFlags) profiled(fs *flag.FlagSet, args []string, job func() error) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	stop, err := startProfile(f.profile)
	if err != nil {
		return err
	}
	defer stop()
	return job()
}

// onTable is profiled for a job on a table that is there.
func (f *commonFlags) onTable(ctx context.Context, fs *flag.FlagSet, args []string, job func(*table.Table) error) error {
	return f.profiled(fs, args, func() error {
		c, t, err := f.open(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		return job(t)
	})
}

// open opens the table. Close the catalog.
func (f *commonFlags) open(ctx context.Context) (*catalog.Catalog, *table.Table, error) {
	c, err := catalog.Open(ctx, f.warehouse, f.settings, table.Components{})
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
