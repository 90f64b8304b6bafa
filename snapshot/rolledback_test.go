package snapshot_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/io/store"
)

// What was rolled back is not committed any more: the same rows under the same
// identifier, by the same committer, are no replay. Others may have made the chain
// as long again.
func TestACommitThatWasRolledBackIsMadeAgain(t *testing.T) {
	for _, between := range []int{0, 1, 3, 30} {
		t.Run(fmt.Sprint(between, " by others"), func(t *testing.T) {
			w := newWorld(t, store.NewMem())
			c := w.committer("svc", newUser)
			for id := int64(1); id <= 3; id++ {
				w.commit(c, adding(id, fmt.Sprint("f", id)))
			}
			back(t, w, 1)
			others := w.committer("other")
			for i := range between {
				w.commit(others, adding(int64(i+1), fmt.Sprint("o", i)))
			}
			if between%2 == 1 {
				if last, _, err := c.LastIdentifier(ctx); err != nil || last != 1 {
					t.Errorf("last identifier %d: %v", last, err)
				}
				if rest, err := c.FilterCommitted(ctx, []int64{1, 2, 3}); err != nil || fmt.Sprint(rest) != "[2 3]" {
					t.Errorf("left to commit %v: %v", rest, err)
				}
			}
			for id := int64(1); id <= 3; id++ {
				w.commit(c, adding(id, fmt.Sprint("f", id)))
			}
			live := w.live(w.latest())
			for _, name := range []string{"f1", "f2", "f3"} {
				if !slices.Contains(live, name) {
					t.Errorf("%s is lost: %q", name, live)
				}
			}
			if len(live) != 3+between {
				t.Errorf("live %q", live)
			}
		})
	}
}

// A commit whose snapshot has expired is a replay still.
func TestACommitThatHasExpiredIsNotMadeAgain(t *testing.T) {
	w := newWorld(t, store.NewMem())
	c, others := w.committer("svc", newUser), w.committer("other")
	w.commit(c, adding(1, "f1"))
	w.commit(c, adding(2, "f2"))
	w.commit(others, adding(1, "o1"))
	for id := int64(1); id <= 2; id++ {
		if err := w.st.Delete(ctx, w.chain().Path(id)); err != nil {
			t.Fatal(err)
		}
	}
	for id := int64(1); id <= 2; id++ {
		if ids := w.commit(c, adding(id, fmt.Sprint("f", id))); len(ids) > 0 {
			t.Errorf("identifier %d was committed again as %v", id, ids)
		}
	}
}

// back takes the snapshots after one away, as a rollback does.
func back(t *testing.T, w *world, last int64) {
	t.Helper()
	if err := w.chain().ForgetLatest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.chain().EachFrom(ctx, last+1, func(id int64) error { return w.st.Delete(ctx, w.chain().Path(id)) }); err != nil {
		t.Fatal(err)
	}
	if err := w.chain().SetLatest(ctx); err != nil {
		t.Fatal(err)
	}
}
