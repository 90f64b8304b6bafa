package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// A writer may be open while the table's producer of changelogs is altered. Its
// next commit carries the new schema, and what the old producer wrote.
func TestRowsOfAWriterThatIsOpenWhileTheProducerIsAlteredAreTold(t *testing.T) {
	producers := []string{"none", "input", "lookup", "full-compaction"}
	for _, from := range producers {
		for _, to := range producers {
			if from == to {
				continue
			}
			t.Run(from+" to "+to, func(t *testing.T) {
				st := store.NewMem()
				create(t, st, versions, "bucket=1", soon, "changelog-producer="+from, "full-compaction.delta-commits=1")
				tab := impatient(t, st)
				w, err := tab.NewWriter(ctx, table.WriterOptions{User: "svc", WaitCompaction: true})
				if err != nil {
					t.Fatal(err)
				}
				defer w.Close()
				puts := func(round int) {
					t.Helper()
					row := func(k int) string {
						return fmt.Sprintf(`{"k":%d,"v":"v%d","n":%d,"s":%d}`, k, round, round, round)
					}
					commit(t, w, tab, row(round), row(round+1))
				}
				puts(1)
				puts(2)
				old := reopen(t, st)
				alter(t, st, "set changelog-producer="+to)
				puts(3)
				_, err = old.Compact(ctx, table.CompactOptions{Full: true})
				failsWith(t, err, table.ErrConflict, "changelog-producer was altered from "+from+" to "+to, "open the table again")
				puts(4)
				puts(5)
				now := reopen(t, st)
				if _, err := now.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
					t.Fatal(err)
				}
				want := lines(t, now, table.ScanOptions{})
				if got := madeOfChanges(t, now); !slices.Equal(got, want) {
					t.Errorf("the changes make %q, the table is %q", got, want)
				}
				sound(t, now)
			})
		}
	}
}

// Between two versions the changes are those that a stream tells, also where the
// producer was altered on the way.
func TestChangesBetweenVersionsAreToldByTheProducerOfEach(t *testing.T) {
	for _, order := range [][]string{{"none", "input", "none"}, {"input", "none", "input"}} {
		st := store.NewMem()
		tab := create(t, st, keyed, "changelog-producer="+order[0])
		for i, producer := range order {
			if i > 0 {
				tab = alter(t, st, "set changelog-producer="+producer)
			}
			load(t, tab, fmt.Sprintf(`{"k":1,"v":"a%d"}`, i), fmt.Sprintf(`{"k":1,"v":"b%d"}`, i))
		}
		var told []string
		for _, line := range streamLines(t, tab, table.StreamOptions{Snapshot: 1, UntilSnapshot: 3}) {
			_, line, _ = strings.Cut(line, ",")
			told = append(told, "{"+line)
		}
		got, err := diffLines(tab, between(0, 3, table.ChangesAuto))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(told, got); d != "" {
			t.Errorf("%q (-stream +between):\n%s", order, d)
		}
	}
}
