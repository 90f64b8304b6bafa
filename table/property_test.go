package table_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/table"
)

// state is what a table should hold: the newest row of each key.
type state map[string]string

// Random updates and deletes over several commits with files of a few rows; a
// filter must give what it gives over the plain rows, no old version ever.
func TestFiltersNeverBringBackOldVersions(t *testing.T) {
	const rounds = 32 / slow
	for seed := range rounds {
		random := rand.New(rand.NewPCG(uint64(seed), 7))
		option := []string{fmt.Sprintf("bucket=%d", 1+random.IntN(2)), "target-file-size=1 b", "write-buffer-size=1 kb", "source.split.target-size=1 kb"}
		bySequence := random.IntN(2) == 0
		if bySequence { // late rows would come back after a compaction has dropped a delete
			option = append(option, "sequence.field=a", "write-only=true")
		}
		tab := create(t, store.NewMem(), events, option...)
		want := state{}
		newest := map[string]int{}
		for range 2 + random.IntN(5) {
			var rows []string
			for range 1 + random.IntN(30) {
				key := fmt.Sprintf(`"dt":"%c","k":%d`, 'x'+random.IntN(2), random.IntN(12))
				a := random.IntN(40)
				row := fmt.Sprintf(`{%s,"a":%d,"s":"s%d"}`, key, a, random.IntN(5))
				wins := !bySequence || a >= newest[key]
				if wins {
					newest[key] = a
				}
				if random.IntN(5) == 0 {
					rows = append(rows, `{"_kind":"-D",`+row[1:])
					if wins {
						delete(want, key)
					}
					continue
				}
				rows = append(rows, row)
				if wins {
					want[key] = row
				}
			}
			load(t, tab, rows...)
		}
		var all []string
		for _, row := range want {
			all = append(all, row)
		}
		expect(t, tab, table.ScanOptions{}, append([]string{}, all...)...)
		for range 12 {
			filterOnce(t, tab, random, all)
		}
		sound(t, tab)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// filterOnce compares one random filter with the filter over plain rows.
func filterOnce(t *testing.T, tab *table.Table, random *rand.Rand, all []string) {
	t.Helper()
	atom := func() string {
		op := []string{"=", "<", ">", "<=", ">=", "<>"}[random.IntN(6)]
		switch random.IntN(4) {
		case 0:
			return fmt.Sprintf("k %s %d", op, random.IntN(12))
		case 1:
			return fmt.Sprintf("dt %s '%c'", op, 'x'+random.IntN(2))
		case 2:
			return fmt.Sprintf("s %s 's%d'", op, random.IntN(5))
		}
		return fmt.Sprintf("a %s %d", op, random.IntN(40))
	}
	where := atom()
	for range random.IntN(3) {
		where = fmt.Sprintf("(%s) %s %s", where, []string{"AND", "OR"}[random.IntN(2)], atom())
	}
	var want []string
	if len(all) > 0 {
		rec, _ := batch(t, tab.Schema().Fields, nil, all...)
		defer rec.Release()
		expr, err := predicate.Parse(where, tab.Schema().Fields, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		keep, err := expr.Filter(rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range keep {
			want = append(want, all[r])
		}
	}
	slices.Sort(want)
	got := lines(t, tab, table.ScanOptions{Where: where})
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", where, d)
	}
	s, err := tab.Scan(ctx, table.ScanOptions{Where: where})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(ctx); err != nil || n != int64(len(want)) {
		t.Errorf("%s: count %d, %v; want %d", where, n, err, len(want))
	}
}

func BenchmarkScanOfManySmallFiles(b *testing.B) {
	tab := large(b, store.NewMem())
	for b.Loop() {
		if got := lines(b, tab, table.ScanOptions{Columns: []string{"k"}}); len(got) != 2000 {
			b.Fatal(len(got))
		}
	}
}
