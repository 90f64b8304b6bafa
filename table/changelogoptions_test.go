package table_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// toldOf are the changes of all snapshots, without the snapshots' ids.
func toldOf(t *testing.T, tab *table.Table) (told []string) {
	t.Helper()
	for s, err := range tab.Snapshots().All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range storedChanges(t, tab, s.ID) {
			_, row, _ := strings.Cut(line, ",")
			told = append(told, row)
		}
	}
	return told
}

// How rows are stored and merged is nothing to those who follow; updates and
// deletes by condition are changes like others.
func TestChangesAreTheSameHoweverRowsAreKept(t *testing.T) {
	settled := []string{
		`"_kind":"+I","k":1,"v":"c"}`, `"_kind":"+I","k":3,"v":"x"}`, `"_kind":"+I","k":4,"v":"d"}`,
		`"_kind":"-U","k":1,"v":"c"}`, `"_kind":"+U","k":1,"v":"u"}`, `"_kind":"-D","k":3,"v":"x"}`,
	}
	asWritten := []string{
		`"_kind":"+I","k":1,"v":"a"}`, `"_kind":"+I","k":2,"v":"b"}`, `"_kind":"+I","k":1,"v":"c"}`, `"_kind":"+I","k":3,"v":"x"}`,
		`"_kind":"-D","k":2,"v":null}`, `"_kind":"+I","k":4,"v":"d"}`, `"_kind":"+U","k":1,"v":"u"}`, `"_kind":"-D","k":3,"v":"x"}`,
	}
	for producer, want := range map[string][]string{"lookup": settled, "full-compaction": settled, "input": asWritten} {
		for _, option := range []string{"bucket=1", "data-file.thin-mode=true", "sort-spill-threshold=2"} {
			t.Run(producer+" "+option, func(t *testing.T) {
				tab := create(t, store.NewMem(), keyed, "changelog-producer="+producer, option)
				compact := func() {
					t.Helper()
					if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
						t.Fatal(err)
					}
				}
				for _, rows := range [][]string{{`{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`}, {`{"k":1,"v":"c"}`, `{"k":3,"v":"x"}`}, {`{"_kind":"-D","k":2}`}, {`{"k":4,"v":"d"}`}} {
					load(t, tab, rows...)
				}
				compact()
				if _, err := tab.Update(ctx, []table.Assignment{{Name: "v", Value: "u"}}, table.ChangeOptions{Where: "k = 1"}); err != nil {
					t.Fatal(err)
				}
				if _, err := tab.Delete(ctx, table.ChangeOptions{Where: "k = 3"}); err != nil {
					t.Fatal(err)
				}
				compact()
				if got := toldOf(t, tab); !slices.Equal(got, want) {
					t.Errorf("told:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				sound(t, tab)
			})
		}
	}
}

// A commit that does not wait tells less, or later: never what does not fit.
func TestChangesThatComeLaterFitTheTable(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "write-only=false", "changelog-producer=lookup", "lookup-wait=false")
	w := newWriter(t, tab, "")
	for _, v := range []string{"a", "b", "c", "d"} {
		if err := write(t, w, tab, `{"k":1,"v":"`+v+`"}`, `{"k":2,"v":"`+v+`2"}`, `{"_kind":"-D","k":3}`); err != nil {
			t.Fatal(err)
		}
		if err := w.CommitNext(ctx); err != nil {
			t.Fatal(err)
		}
		load(t, tab, `{"k":3,"v":"`+v+`"}`)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]bool)
	for _, line := range toldOf(t, tab) {
		kind, row, _ := strings.Cut(strings.TrimPrefix(line, `"_kind":"`), `",`)
		if comes := kind[0] == '+'; rows[row] == comes {
			t.Errorf("%s is told of a row that is so already", line)
		} else {
			rows[row] = comes
		}
	}
	var got []string
	for row, there := range rows {
		if there {
			got = append(got, "{"+row)
		}
	}
	slices.Sort(got)
	expect(t, tab, table.ScanOptions{}, got...)
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"d"}`, `{"k":2,"v":"d2"}`, `{"k":3,"v":"d"}`)
	sound(t, tab)
}
