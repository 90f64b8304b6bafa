package main

import (
	"context"
	"testing"

	"github.com/tidelake/tidelake/table"
)

// BenchmarkFilter merges the ten files of BenchmarkScan and keeps rows by a
// column that is no key: about none, one of a thousand, half, and all of them.
func BenchmarkFilter(b *testing.B) {
	f := rowsOfBench(b)
	t := benchTable(b, f, b.TempDir())
	upsert(b, t, generated(b, f, arrowSchemaOf(b, t)), f.commits)
	for _, c := range []struct{ name, where string }{
		{"none", "c03 < 0.0001"}, {"thousandth", "c03 < 1"}, {"half", "c03 < 500"}, {"all", "c03 >= 0"},
	} {
		for name, anyOrder := range map[string]bool{"inOrder": false, "anyOrder": true} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					s, err := t.Scan(context.Background(), table.ScanOptions{Where: c.where, AnyOrder: anyOrder})
					if err != nil {
						b.Fatal(err)
					}
					for _, err := range s.Batches(context.Background()) {
						if err != nil {
							b.Fatal(err)
						}
					}
				}
				rate(b, float64(f.rows))
			})
		}
	}
}
