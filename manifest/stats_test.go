package manifest

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/schema"
	"pgregory.net/rapid"
)

// sample is the data of the tables stats_*: a = {1, 5, null}, s = {abcdefgh, zzzzzzzz, null}.
var (
	sampleFields = []schema.Field{field("a", schema.Int), field("s", schema.VarChar)}
	sampleCols   = []datafile.ColumnStats{{Min: int32(1), Max: int32(5), Nulls: 1}, {Min: "abcdefgh", Max: "zzzzzzzz", Nulls: 1}}
)

// TestStoredStatisticsAreJavasBytes compares each mode with what Java stored for the same data.
func TestStoredStatisticsAreJavasBytes(t *testing.T) {
	for table, mode := range map[string]string{"stats_none": "none", "stats_counts": "counts", "stats_truncate4": "truncate(4)", "stats_full": "full"} {
		var want DataFile
		for _, f := range javaFiles(t, "manifest") {
			if f.release == "1.4.2" && f.table == table {
				entries, err := entryCodec.read(f.name, f.data, 0, nil)
				if err != nil {
					t.Fatal(err)
				}
				want = entries[0].File
			}
		}
		// The tables have a third column, an array, of which Parquet knows nothing.
		fields := append(append([]schema.Field{}, sampleFields...), schema.Field{Name: "arr", Type: schema.Type{Kind: schema.Array, Nullable: true,
			Elem: &schema.Type{Kind: schema.Int, Nullable: true}}})
		cols := append(append([]datafile.ColumnStats{}, sampleCols...), datafile.ColumnStats{Nulls: -1})
		modes, err := StatsModes([]string{"a", "s", "arr"}, mode, nil, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, names, has, err := DenseValueStats(fields, cols, func(i int) StatsMode { return modes[i] })
		if err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprint(got, names, has), fmt.Sprint(want.ValueStats, want.ValueStatsCols, want.HasValueStatsCols); a != b {
			t.Errorf("%s:\n%s, want\n%s", table, a, b)
		}
	}
}

func TestDenseStoreNamesColumnsOnlyWhenSomeAreLeftOut(t *testing.T) {
	full := func(int) StatsMode { return StatsFull }
	if _, names, has, err := DenseValueStats(sampleFields, sampleCols, full); has || names != nil || err != nil {
		t.Error(names, has, err)
	}
	s, names, has, err := DenseValueStats(sampleFields, sampleCols, func(i int) StatsMode { return []StatsMode{StatsNone, StatsCounts}[i] })
	if !has || fmt.Sprint(names) != "[s]" || s.Arity != 1 || err != nil {
		t.Error(s, names, has, err)
	}
	all, err := BuildStats(sampleFields, sampleCols, func(int) StatsMode { return StatsNone })
	if err != nil || all.Arity != 2 || fmt.Sprint(all.NullCounts) != "[-1 -1]" {
		t.Error(all, err)
	}
	if _, err := BuildStats(sampleFields, nil, full); err == nil {
		t.Error("columns without statistics")
	}
}

func TestBytesAndNestedColumnsHaveNoBounds(t *testing.T) {
	fields := []schema.Field{field("b", schema.VarBinary)}
	s, err := BuildStats(fields, []datafile.ColumnStats{{Min: []byte("a"), Max: []byte("b"), Nulls: 3}}, func(int) StatsMode { return StatsFull })
	if err != nil {
		t.Fatal(err)
	}
	if lo, hi, nulls, ok := s.Column(fields, 0); lo != nil || hi != nil || nulls != 3 || !ok {
		t.Error(lo, hi, nulls, ok)
	}
}

func TestTruncationCutsCodePointsAndRaisesTheLast(t *testing.T) {
	top := string(rune(utf8.MaxRune))
	for _, c := range []struct {
		s    string
		n    int
		want string
		ok   bool
	}{
		{"zzzzzzzz", 4, "zzz{", true}, {"abcd", 4, "abcd", true}, {"", 4, "", true},
		{"äöüß", 2, "ä÷", true}, {"a" + top + top + "x", 3, "b", true}, {top + top + top, 2, "", false},
		{"a\uD7FFx", 2, "a\uE000", true}, {"𝄞𝄞𝄞", 1, "𝄟", true}, {"\xff\xff\xff", 2, "", false}, {"a\xff\xff", 2, "b", true},
	} {
		if got, ok := upperBound(c.s, c.n); got != c.want || ok != c.ok {
			t.Errorf("%q cut to %d: %q, %v", c.s, c.n, got, ok)
		}
	}
	f := field("s", schema.VarChar)
	c := StatsTruncate(2).apply(f.Type, datafile.ColumnStats{Min: "abc", Max: top + top + top, Nulls: 2})
	if c.Min != nil || c.Max != nil || c.Nulls != 2 {
		t.Errorf("%v: without an upper bound there is no lower one", c)
	}
}

func TestABoundHoldsForEveryString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "s"), rapid.IntRange(1, 6).Draw(t, "n")
		if low := s[:prefix(s, n)]; low > s || utf8.RuneCountInString(low) > n {
			t.Fatalf("least %q", low)
		}
		if up, ok := upperBound(s, n); ok && (up < s || utf8.RuneCountInString(up) > n || !utf8.ValidString(up)) {
			t.Fatalf("greatest %q", up)
		}
	})
}

func TestModesByFieldSystemColumnsAndFirstN(t *testing.T) {
	names := []string{"_KEY_id", "_SEQUENCE_NUMBER", "_VALUE_KIND", "id", "a", "b", "c"}
	byField := map[string]string{"b": "FULL", "_VALUE_KIND": "none"}
	modes, err := StatsModes(names, "truncate(16)", byField, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	// _VALUE_KIND is set by hand, which counts as one of the first two.
	if got := fmt.Sprint(modes); got != "[truncate(128) truncate(128) none truncate(16) none full none]" {
		t.Error(got)
	}
	modes, err = StatsModes([]string{"id", "a"}, "none", nil, -1, []string{"id"})
	if err != nil || fmt.Sprint(modes) != "[truncate(128) none]" {
		t.Error(modes, err)
	}
	for _, bad := range []string{"", "truncate", "truncate()", "truncate(0)", "truncate(-1)", "truncate(x)", "fully", "truncate(99999999999)"} {
		if _, err := StatsModes([]string{"a"}, bad, nil, -1, nil); err == nil || !strings.Contains(err.Error(), "want none") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestColumnsAreLookedUpByName(t *testing.T) {
	s, err := BuildStats(sampleFields, sampleCols, func(int) StatsMode { return StatsTruncate(4) })
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(s.Max); got != "000000000000000005000000000000007a7a7a7b00000084" {
		t.Error(got)
	}
	f := DataFile{ValueStats: s, HasValueStatsCols: true, ValueStatsCols: []string{"a", "s"}}
	all := []schema.Field{field("x", schema.Int), sampleFields[1], sampleFields[0]}
	look := f.ValueColumns(all)
	if lo, hi, nulls, ok := look("s"); lo != "abcd" || hi != "zzz{" || nulls != 1 || !ok {
		t.Error(lo, hi, nulls, ok)
	}
	if lo, _, _, ok := look("a"); lo != int32(1) || !ok {
		t.Error(lo, ok)
	}
	for _, name := range []string{"x", "nope"} {
		if _, _, nulls, ok := look(name); ok || nulls != -1 {
			t.Error(name, "is known")
		}
	}
	f.HasValueStatsCols = false // says: all three columns, but there are statistics of two
	if _, _, _, ok := f.ValueColumns(all)("a"); ok {
		t.Error("statistics of other columns were used")
	}
	f.ValueStats = Stats{}
	if _, _, _, ok := f.ValueColumns(all)("a"); ok {
		t.Error("empty statistics know something")
	}
	broken := Stats{Min: s.Min[:20], Max: s.Max, NullCounts: []int64{0, -1}}
	if lo, _, nulls, ok := broken.Column(sampleFields, 0); lo != nil || nulls != 0 || !ok {
		t.Error(lo, nulls, ok)
	}
	if _, _, _, ok := broken.Column(sampleFields, 1); ok {
		t.Error("broken row is known")
	}
}
