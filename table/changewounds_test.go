package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// toldTable has a producer of changelogs and is compacted by jobs alone.
func toldTable(t *testing.T, options ...string) *table.Table {
	t.Helper()
	return create(t, store.NewMem(), versions, append([]string{"bucket=1", "write-only=true"}, options...)...)
}

// job compacts and returns what that told.
func job(t *testing.T, tab *table.Table, full bool) (changes []string) {
	t.Helper()
	tab, err := tab.Refresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: full}); err != nil {
		t.Fatal(err)
	}
	after, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for id := before + 1; id <= after; id++ {
		for _, line := range storedChanges(t, tab, id) {
			_, line, _ = strings.Cut(line, ",")
			changes = append(changes, strings.TrimPrefix(line, `"_kind":`))
		}
	}
	sound(t, tab)
	return changes
}

func tellsOnly(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// Two writers that began at once give their rows the same numbers. Real Paimon
// lets the row win that it looks up, so that the newer one is lost.
func TestEqualSequenceNumbersInTwoLevelsKeepTheNewerRow(t *testing.T) {
	for _, options := range [][]string{
		{"changelog-producer=lookup"}, {"changelog-producer=lookup", "sequence.field=s"}, {"changelog-producer=full-compaction"},
		{"changelog-producer=lookup", "deletion-vectors.enabled=true"}, {"changelog-producer=lookup", "merge-engine=partial-update"},
	} {
		tab := toldTable(t, options...)
		var prepared [][]table.CommitMessage
		for _, v := range []string{"a", "b"} {
			w := newWriter(t, tab, v)
			if err := write(t, w, tab, fmt.Sprintf(`{"k":1,"v":%q,"n":1,"s":1}`, v)); err != nil {
				t.Fatal(err)
			}
			msgs, err := w.Prepare(ctx, 1)
			if err != nil {
				t.Fatal(err)
			}
			prepared = append(prepared, msgs)
		}
		publish(t, tab, prepared[0])
		tellsOnly(t, "the first", job(t, tab, true), `"+I","k":1,"v":"a","n":1,"s":1}`)
		publish(t, tab, prepared[1])
		full := strings.HasSuffix(options[0], "full-compaction")
		tellsOnly(t, fmt.Sprint("the second, ", options), job(t, tab, full), `"-U","k":1,"v":"a","n":1,"s":1}`, `"+U","k":1,"v":"b","n":1,"s":1}`)
		expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"b","n":1,"s":1}`)
	}
}

// A delete that waits on a level hides what lies above: a new row of its key is
// an insert, and holds nothing of the row that was deleted.
func TestADeletedRowIsNotResurrectedByTheLookup(t *testing.T) {
	for _, options := range [][]string{
		nil, {"merge-engine=partial-update", "partial-update.remove-record-on-delete=true"}, {"deletion-vectors.enabled=true"},
		{"merge-engine=aggregation", "aggregation.remove-record-on-delete=true", "fields.n.aggregate-function=sum"},
	} {
		tab := toldTable(t, append(options, "changelog-producer=lookup")...)
		load(t, tab, `{"k":1,"v":"a","n":1,"s":1}`, `{"k":2,"v":"x","n":1,"s":1}`)
		job(t, tab, true)
		load(t, tab, `{"_kind":"-D","k":1}`)
		tellsOnly(t, fmt.Sprint("delete, ", options), job(t, tab, false), `"-D","k":1,"v":"a","n":1,"s":1}`)
		load(t, tab, `{"k":1,"v":null,"n":5,"s":2}`)
		tellsOnly(t, fmt.Sprint("insert, ", options), job(t, tab, false), `"+I","k":1,"v":null,"n":5,"s":2}`)
		want := []string{`{"k":1,"v":null,"n":5,"s":2}`, `{"k":2,"v":"x","n":1,"s":1}`}
		expect(t, tab, table.ScanOptions{}, want...)
		tellsOnly(t, fmt.Sprint("nothing new, ", options), job(t, tab, true))
		expect(t, tab, table.ScanOptions{}, want...)
	}
}

// A table that begins to tell changes, or to mark rows, has files that were
// made without looking keys up: the first compaction takes all of them in.
func TestAProducerOrVectorsThatComeToALiveTable(t *testing.T) {
	for _, set := range [][]string{
		{"changelog-producer=lookup"}, {"changelog-producer=full-compaction"}, {"changelog-producer=lookup", "deletion-vectors.enabled=true"},
	} {
		for engine, n := range map[string][]int{"merge-engine=aggregation": {7, 8}, "merge-engine=deduplicate": {4, 1}} {
			tab := toldTable(t, engine, "fields.n.aggregate-function=sum", "num-sorted-run.compaction-trigger=2", "deletion-vectors.modifiable=true")
			for range 3 {
				load(t, tab, `{"k":1,"v":"a","n":1,"s":1}`, `{"k":2,"v":"x","n":1,"s":1}`)
				job(t, tab, false)
			}
			load(t, tab, `{"k":1,"v":"b","n":4,"s":1}`)
			for _, o := range set {
				key, value, _ := strings.Cut(o, "=")
				if _, err := tab.Alter(ctx, schema.SetOption{Key: key, Value: value}); err != nil {
					t.Fatal(err)
				}
			}
			tab, err := tab.Refresh(ctx)
			if err != nil {
				t.Fatal(err)
			}
			full := set[0] == "changelog-producer=full-compaction"
			load(t, tab, `{"k":2,"v":"y","n":4,"s":1}`)
			got := job(t, tab, full)
			if len(got) == 0 {
				t.Errorf("%q, %s: nothing is told", set, engine)
			}
			rows := lines(t, tab, table.ScanOptions{})
			want := []string{fmt.Sprintf(`{"k":1,"v":"b","n":%d,"s":1}`, n[0]), fmt.Sprintf(`{"k":2,"v":"y","n":%d,"s":1}`, n[0])}
			if !slices.Equal(rows, want) {
				t.Errorf("%q, %s: rows %q, want %q", set, engine, rows, want)
			}
			load(t, tab, `{"k":1,"v":"c","n":1,"s":1}`)
			tellsOnly(t, fmt.Sprint(set, engine), job(t, tab, full), fmt.Sprintf(`"-U","k":1,"v":"b","n":%d,"s":1}`, n[0]), fmt.Sprintf(`"+U","k":1,"v":"c","n":%d,"s":1}`, n[1]))
		}
	}
}

// A row that was told waits on the top level until the next full compaction,
// though by then one on a lower level stands for it, which the producer does not
// tell of.
func TestAFullCompactionTellsWhatItToldLastWhereRowsAreLookedUp(t *testing.T) {
	tab := toldTable(t, "bucket=1", "merge-engine=aggregation", "fields.n.aggregate-function=sum", "changelog-producer=full-compaction", "force-lookup=true")
	load(t, tab, `{"k":1,"v":"a","n":1,"s":1}`, `{"k":2,"v":"`+strings.Repeat("b", 2000)+`","n":1,"s":1}`)
	job(t, tab, true)
	load(t, tab, `{"k":1,"v":"b","n":2,"s":1}`)
	tellsOnly(t, "to a lower level", job(t, tab, false))
	if got := levels(t, tab); got != "{4=1, 5=1}" {
		t.Errorf("levels %s: not what was to be shown", got)
	}
	tellsOnly(t, "to the top", job(t, tab, true), `"-U","k":1,"v":"a","n":1,"s":1}`, `"+U","k":1,"v":"b","n":3,"s":1}`)
}
