package main

import (
	"context"
	"testing"

	"github.com/tidelake/tidelake/internal/benchrows"
	"github.com/tidelake/tidelake/table"
)

// BenchmarkGet looks single keys up whose rows are in the local cache, and
// keys that are not in the table.
func BenchmarkGet(b *testing.B) {
	for _, buckets := range []string{"1", "4"} {
		f := rowsOfBench(b)
		f.bucket = buckets
		t := benchTable(b, f, b.TempDir())
		upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
		l, err := t.NewLookup(context.Background(), table.LookupOptions{MemoryBytes: 2 << 30})
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		if err := l.Warm(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.Run("present/"+buckets, func(b *testing.B) { get(b, l, f.keys, 0) })
		b.Run("absent/"+buckets, func(b *testing.B) { get(b, l, f.keys, int64(f.keys)) })
	}
}

func get(b *testing.B, l *table.Lookup, keys uint64, offset int64) {
	ctx := context.Background()
	for k := range int64(keys) { // into the cache
		if _, err := l.Get(ctx, offset+k); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	used, i := cpuTime(), uint64(0)
	for b.Loop() {
		if _, err := l.Get(ctx, offset+benchrows.Key(1, i, keys)); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64((cpuTime()-used).Nanoseconds())/float64(b.N), "cpu-ns/op")
}
