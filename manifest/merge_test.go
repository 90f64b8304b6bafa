package manifest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// merging is a table of manifests: sizes are set by hand, as the rules go by
// what the list says.
type merging struct {
	t     *testing.T
	st    *memory
	m     *IO
	metas []Meta
}

func newMerging(t *testing.T, partition ...schema.Field) *merging {
	st := newMemory()
	return &merging{t: t, st: st, m: testIO(st, IOOptions{Partition: partition})}
}

// add writes a manifest; words are "+name" and "-name", with "name@p" in partition p.
func (g *merging) add(size int64, words ...string) {
	g.t.Helper()
	var entries []Entry
	for _, w := range words {
		kind := Add
		if w[0] == '-' {
			kind = Delete
		}
		name, p, _ := strings.Cut(w[1:], "@")
		e := entry(kind, name, 0, 0)
		if len(g.m.opts.Partition) > 0 {
			e.Partition = intRow(p[0] - '0')
		}
		entries = append(entries, e)
	}
	x, err := g.m.WriteEntries(ctx, entries)
	if err != nil {
		g.t.Fatal(err)
	}
	x[0].Size = size
	g.metas = append(g.metas, x...)
}

// merge describes the result: kept manifests by position, new ones by content.
func (g *merging) merge(p MergeParams) string {
	g.t.Helper()
	out, created, err := g.m.Merge(ctx, g.metas, p)
	if err != nil {
		g.t.Fatal(err)
	}
	var parts []string
	for _, x := range out {
		if i := slices.IndexFunc(g.metas, func(y Meta) bool { return y.Name == x.Name }); i >= 0 {
			parts = append(parts, fmt.Sprint("m", i))
			continue
		}
		if !slices.Contains(created, x.Name) {
			g.t.Errorf("%s is not among the created", x.Name)
		}
		entries, err := g.m.ReadEntries(ctx, x)
		if err != nil {
			g.t.Fatal(err)
		}
		var words []string
		for i := range entries {
			words = append(words, map[Kind]string{Add: "+", Delete: "-"}[entries[i].Kind]+entries[i].File.Name)
		}
		parts = append(parts, "("+strings.Join(words, " ")+")")
	}
	return strings.Join(parts, " ")
}

func TestMinorMergeRules(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []int64
		count int
		want  string
	}{
		{"too few small ones stay", []int64{10, 10, 10}, 4, "m0 m1 m2"},
		{"enough small ones are merged", []int64{10, 10, 10}, 3, "(+f0 +f1 +f2)"},
		{"a group is merged when it reaches the target", []int64{40, 60, 10}, 30, "(+f0 +f1) m2"},
		{"a big one alone stays", []int64{100, 200, 10}, 30, "m0 m1 m2"},
		{"a big one after small ones is merged with them", []int64{10, 200, 10}, 30, "(+f0 +f1) m2"},
		{"several groups", []int64{50, 50, 50, 50, 10, 10}, 2, "(+f0 +f1) (+f2 +f3) (+f4 +f5)"},
		{"a single tail stays whatever the count", []int64{100, 1}, 1, "m0 m1"},
		{"nothing", nil, 1, ""},
	} {
		g := newMerging(t)
		for i, size := range c.sizes {
			g.add(size, fmt.Sprint("+f", i))
		}
		if got := g.merge(MergeParams{TargetSize: 100, FullSize: 1 << 30, MinCount: c.count}); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestMinorMergeCancelsPairsAndKeepsOtherDeletes(t *testing.T) {
	g := newMerging(t)
	g.add(200, "+old", "+a") // a big one, left alone
	g.add(10, "+b", "+c")
	g.add(10, "-b", "-a")
	g.add(10, "+d")
	p := MergeParams{TargetSize: 100, FullSize: 1 << 30, MinCount: 3}
	if got := g.merge(p); got != "m0 (+c -a +d)" {
		t.Error(got)
	}
	g.metas = g.metas[1:2]
	g.add(10, "-b", "-c")
	g.add(10, "+e")
	g.metas = g.metas[:2]
	p.MinCount = 2
	if got := g.merge(p); got != "" { // nothing is left, nothing is written
		t.Errorf("%q", got)
	}
}

func TestFullMergeRules(t *testing.T) {
	p := MergeParams{TargetSize: 100, FullSize: 30, MinCount: 30}
	g := newMerging(t)
	g.add(200, "+a", "+b")
	g.add(200, "+c", "+d")
	g.add(10, "-a", "+e")
	g.add(10, "-e", "+f")
	if got := g.merge(p); got != "m0 m1 m2 m3" { // changing 20 < 30
		t.Error(got)
	}
	p.FullSize = 20
	// No partitions: all are read; the one that lost nothing is kept, before the new one.
	if got := g.merge(p); got != "m1 (+b +f)" {
		t.Error(got)
	}

	g = newMerging(t, field("p", schema.Int))
	g.add(200, "+a@1", "+b@2")
	g.add(200, "+c@5")
	g.add(10, "-a@1")
	g.add(10, "+d@7")
	c := 0
	read := g.m.Path(g.metas[1].Name)
	g.st.before = func(op, key string) error {
		if op == "read" && key == read {
			c++
		}
		return nil
	}
	if got := g.merge(p); got != "m1 (+b +d)" || c != 0 {
		t.Error(got, "reads of a manifest of other partitions:", c)
	}

	g = newMerging(t)
	g.add(200, "+a")
	g.add(10, "+b")
	if got := g.merge(MergeParams{TargetSize: 100, FullSize: 1, MinCount: 30}); got != "m0 m1" { // one to merge: given up
		t.Error(got)
	}
	g.add(10, "+c")
	if got := g.merge(MergeParams{TargetSize: 100, FullSize: 1, MinCount: 30}); got != "m0 (+b +c)" { // without deletes big ones stay
		t.Error(got)
	}
}

func TestFullMergeAppliesADeleteWhoseAddComesLater(t *testing.T) {
	// Identities go over all manifests at once, so order does not matter.
	g := newMerging(t)
	g.add(10, "-a", "+b")
	g.add(10, "+a")
	if got := g.merge(MergeParams{TargetSize: 100, FullSize: 1, MinCount: 1}); got != "(+b)" {
		t.Error(got)
	}
}

func TestPartitionsOutOfRangeAreToldByStatistics(t *testing.T) {
	g := newMerging(t, field("p", schema.Int))
	null := []byte{0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	stats := func(lo, hi []byte, nulls int64) *Meta {
		return &Meta{Added: 4, PartitionStats: Stats{Min: lo, Max: hi, NullCounts: []int64{nulls}}}
	}
	del := func(parts ...[]byte) map[Identity]bool {
		out := map[Identity]bool{}
		for _, p := range parts {
			e := Entry{Partition: p}
			out[e.Identity()] = true
		}
		return out
	}
	for _, c := range []struct {
		name string
		del  map[Identity]bool
		meta *Meta
		want bool
	}{
		{"no deletes", del(), stats(intRow(1), intRow(9), 0), false},
		{"inside", del(intRow(5)), stats(intRow(1), intRow(9), 0), true},
		{"below", del(intRow(0)), stats(intRow(1), intRow(9), 0), false},
		{"around", del(intRow(0), intRow(10)), stats(intRow(1), intRow(9), 0), true},
		{"null meets nulls", del(null), stats(intRow(1), intRow(9), 2), true},
		{"null meets none", del(null), stats(intRow(1), intRow(9), 0), false},
		{"null meets unknown", del(null), stats(intRow(1), intRow(9), -1), true},
		{"value meets only nulls", del(intRow(5)), stats(null, null, 4), false},
		{"value meets unknown", del(intRow(5)), stats(null, null, -1), true},
		{"both kinds", del(null, intRow(0)), stats(intRow(1), intRow(9), 1), true},
	} {
		touched, err := g.m.touches(c.del)
		if err != nil {
			t.Fatal(err)
		}
		if got := touched(c.meta); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestAFailedMergeLeavesNothingBehind(t *testing.T) {
	for _, p := range []MergeParams{{TargetSize: 100, FullSize: 1 << 30, MinCount: 1}, {TargetSize: 100, FullSize: 1, MinCount: 1}} {
		g := newMerging(t)
		g.add(50, "+a")
		g.add(50, "+b")
		g.add(50, "+c")
		g.add(50, "+d")
		delete(g.st.data, g.m.Path(g.metas[3].Name))
		before := len(g.st.data)
		if _, _, err := g.m.Merge(ctx, g.metas, p); !errors.Is(err, fault.ErrNotFound) {
			t.Error(err)
		}
		if len(g.st.data) != before {
			t.Errorf("%d files, were %d", len(g.st.data), before)
		}
	}
	g := newMerging(t)
	g.add(50, "+a")
	g.add(50, "+b")
	done, cancel := context.WithCancel(ctx)
	g.st.before = func(op, key string) error {
		if op == "write" {
			cancel()
		}
		if op != "delete" {
			return done.Err()
		}
		return nil
	}
	if _, _, err := g.m.Merge(done, g.metas, MergeParams{TargetSize: 100, FullSize: 1, MinCount: 1}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(g.st.data) != 2 {
		t.Error(len(g.st.data))
	}
	if _, _, err := g.m.Merge(ctx, nil, MergeParams{}); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
}
