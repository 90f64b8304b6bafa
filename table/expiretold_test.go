package table_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// Changelogs from before a table had a producer are told by data files, which stay
// as long, whatever the producer is when they would go.
func TestOlderChangelogsAreToldAfterAProducerWasSet(t *testing.T) {
	for _, early := range []bool{false, true} { // snapshots expire before the table is altered, too
		for _, tag := range []bool{false, true} {
			t.Run(fmt.Sprint("early ", early, " tag ", tag), func(t *testing.T) {
				st := store.NewMem()
				tab := create(t, st, keyed, "changelog.num-retained.max=100", "snapshot.num-retained.min=1", "snapshot.num-retained.max=50")
				load(t, tab, `{"k":1,"v":"a"}`)
				load(t, tab, `{"k":1,"v":"b"}`, `{"k":2,"v":"b"}`)
				load(t, tab, `{"k":2,"v":"c"}`)
				if tag {
					tagged(t, tab, "x", table.TagOptions{Snapshot: 2})
				}
				if early {
					expired(t, tab, last(1))
				}
				tab = alter(t, st, "set changelog-producer=input")
				load(t, tab, `{"k":1,"v":"d"}`)
				if err := compacted(ctx, tab); err != nil {
					t.Fatal(err)
				}
				load(t, tab, `{"k":3,"v":"e"}`)
				o := table.StreamOptions{Snapshot: 1, UntilSnapshot: latestID(t, tab)}
				told := streamLines(t, tab, o)
				expired(t, tab, last(1))
				if tag {
					if err := tab.DeleteTag(ctx, "x"); err != nil {
						t.Fatal(err)
					}
				}
				if err := cleans(openOn(t, st)); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(told, streamLines(t, reopen(t, st), o)); d != "" {
					t.Errorf("before expiry, and after (-want +got):\n%s", d)
				}
			})
		}
	}
}
