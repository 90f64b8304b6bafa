package vector

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// searchKey is one key of three columns; which of them count is up to the test.
type searchKey struct {
	a int32
	b string
	c int16
}

func searchColumns(keys []searchKey) map[string]arrow.Array {
	a, b, c := array.NewInt32Builder(memory.DefaultAllocator), array.NewStringBuilder(memory.DefaultAllocator), array.NewInt16Builder(memory.DefaultAllocator)
	for _, k := range keys {
		a.Append(k.a)
		b.Append(k.b)
		c.Append(k.c)
	}
	return map[string]arrow.Array{"a": a.NewArray(), "b": b.NewArray(), "c": c.NewArray()}
}

func compareBy(columns string, x, y searchKey) int {
	for _, c := range columns {
		var r int
		switch c {
		case 'a':
			r = int(x.a) - int(y.a)
		case 'b':
			r = strings.Compare(x.b, y.b)
		default:
			r = int(x.c) - int(y.c)
		}
		if r != 0 {
			return r
		}
	}
	return 0
}

func TestSearchAndPrefixFollowTheOrderOfTheKey(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	texts := []string{"", "\x00", "a", "a\x00", "a\x00b", "ab", "b", "\xff"}
	random := func() searchKey {
		return searchKey{int32(r.IntN(5)) - 2, texts[r.IntN(len(texts))], int16(r.IntN(5)) - 2}
	}
	for _, columns := range []string{"a", "b", "ac", "ab", "ba", "abc", "bca", "acb"} {
		keys := make([]searchKey, 60)
		for i := range keys {
			keys[i] = random()
		}
		slices.SortFunc(keys, func(x, y searchKey) int { return compareBy(columns, x, y) })
		build := func(keys []searchKey, n int) (cols []arrow.Array) {
			all := searchColumns(keys)
			for _, c := range columns[:n] {
				cols = append(cols, all[string(c)])
			}
			return cols
		}
		cols := build(keys, len(columns))
		var types []arrow.DataType
		for _, c := range cols {
			types = append(types, c.DataType())
		}
		l, err := NewLayout(types)
		if err != nil {
			t.Fatal(err)
		}
		var have, probes Keys
		if err := l.Build(&have, cols, nil); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			want := random()
			if err := l.Build(&probes, build([]searchKey{want}, len(columns)), nil); err != nil {
				t.Fatal(err)
			}
			first, found := slices.BinarySearchFunc(keys, want, func(x, y searchKey) int { return compareBy(columns, x, y) })
			if got := l.Search(&have, 0, len(keys), &probes, 0); got != first {
				t.Fatalf("%s: %v is searched at %d, not %d", columns, want, got, first)
			}
			if found && (l.Compare(&have, first, &probes, 0) != 0 || l.Hash(&have, first) != l.Hash(&probes, 0)) {
				t.Fatalf("%s: %v is not equal to itself", columns, want)
			}
			for n := 1; n <= len(columns); n++ {
				p, err := l.Prefix(build([]searchKey{want}, n))
				if err != nil {
					t.Fatal(err)
				}
				for i, k := range keys {
					if got, want := sign(p.Compare(&have, i)), sign(compareBy(columns[:n], k, want)); got != want {
						t.Fatalf("%s: %v against the first %d of %v: %d, not %d", columns, k, n, probes.data, got, want)
					}
				}
			}
		}
	}
}

func sign(n int) int { return min(max(n, -1), 1) }
