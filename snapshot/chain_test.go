package snapshot_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/snapshot"
)

// grow makes a chain of snapshots by hand, 10 ms apart: snapshot n has time 10n.
func grow(t testing.TB, st store.Store, root string, ids ...int64) *snapshot.Chain {
	t.Helper()
	zero := int64(0)
	for _, id := range ids {
		s := snapshot.Snapshot{Version: 3, ID: id, BaseManifestList: "b", DeltaManifestList: "d", CommitUser: "u", CommitIdentifier: id,
			CommitKind: snapshot.Append, TimeMillis: 10 * id, TotalRecordCount: &zero, DeltaRecordCount: &zero}
		if err := st.Write(ctx, fmt.Sprintf("%ssnapshot/snapshot-%d", root, id), s.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	return snapshot.NewChain(st, "")
}

func hint(t testing.TB, st store.Store, name, content string) {
	t.Helper()
	if err := st.Write(ctx, "snapshot/"+name, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

func idOf(s *snapshot.Snapshot, err error) string {
	if s == nil {
		return fmt.Sprint("none ", err)
	}
	return fmt.Sprint(s.ID, " ", err)
}

func TestLatestTrustsAHintOnlyAtTheEndOfTheChain(t *testing.T) {
	for content, lists := range map[string]int64{
		"5":                    0, // right
		"5\n":                  0,
		"4":                    1, // late
		"9":                    1, // its snapshot is not there
		"2":                    1, // expired long ago
		"":                     1,
		"x":                    1,
		"-3":                   1,
		"99999999999999999999": 1,
	} {
		st := store.NewMem()
		grow(t, st, "", 3, 4, 5)
		hint(t, st, "LATEST", content)
		hint(t, st, ".snapshot-9.torn.tmp", "")
		hint(t, st, "snapshot-10x", "")
		counter := store.Counting(st)
		if got := idOf(snapshot.NewChain(counter, "").Latest(ctx)); got != "5 <nil>" {
			t.Errorf("hint %q: %s", content, got)
		}
		if n := counter.Counts().Lists; n != lists {
			t.Errorf("hint %q: %d listings, want %d", content, n, lists)
		}
	}
}

// A writer that slept may write its hint long after its snapshot has expired.
func TestAHintBelowTheTailIsNotBelieved(t *testing.T) {
	st := store.NewMem()
	c := grow(t, st, "", 8, 9)
	hint(t, st, "LATEST", "3")
	if got := idOf(c.Latest(ctx)); got != "9 <nil>" {
		t.Error(got)
	}
}

func TestEarliest(t *testing.T) {
	for content, want := range map[string]string{"3": "3 <nil>", "1": "3 <nil>", "": "3 <nil>", "4": "4 <nil>"} {
		st := store.NewMem()
		c := grow(t, st, "", 3, 4, 5)
		hint(t, st, "EARLIEST", content)
		if got := idOf(c.Earliest(ctx)); got != want {
			t.Errorf("hint %q: %s, want %s", content, got, want)
		}
	}
}

func TestATableWithoutSnapshots(t *testing.T) {
	c := snapshot.NewChain(store.NewMem(), "")
	if a, b, d := idOf(c.Latest(ctx)), idOf(c.Earliest(ctx)), idOf(c.AtOrBefore(ctx, 5)); a != "none <nil>" || b != a || d != a {
		t.Error(a, b, d)
	}
	for s, err := range c.All(ctx) {
		t.Error(s, err)
	}
	_, err := c.Get(ctx, 1)
	wantClass(t, err, fault.ErrNotFound)
}

func TestBranchesHaveChainsOfTheirOwn(t *testing.T) {
	st := store.NewMem()
	grow(t, st, "", 1)
	grow(t, st, "branch/branch-dev/", 1, 2)
	if got := idOf(snapshot.NewChain(st, "dev").Latest(ctx)); got != "2 <nil>" {
		t.Error(got)
	}
	if got := idOf(snapshot.NewChain(st, "main").Latest(ctx)); got != "1 <nil>" {
		t.Error(got)
	}
	_, err := snapshot.NewChain(st, "../../other").Get(ctx, 1)
	wantClass(t, err, fault.ErrInvalid)
}

func TestAllYieldsOldestFirst(t *testing.T) {
	st := store.NewMem()
	c := grow(t, st, "", 9, 10, 11)
	var got []int64
	for s, err := range c.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s.ID)
	}
	if fmt.Sprint(got) != "[9 10 11]" {
		t.Error(got)
	}
}

func TestAllTellsAnExpiryFromAHole(t *testing.T) {
	st := store.NewMem()
	c := grow(t, st, "", 1, 2, 3, 4)
	for s, err := range c.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if s.ID == 1 { // expiry runs while we read
			for id := range int64(3) {
				if err := st.Delete(ctx, c.Path(id+1)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if s.ID == 2 || s.ID == 3 {
			t.Errorf("snapshot %d is gone", s.ID)
		}
	}
	grow(t, st, "", 1, 2, 3)
	var last error
	for s, err := range c.All(ctx) {
		if last = err; err == nil && s.ID == 1 {
			if err := st.Delete(ctx, c.Path(2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantClass(t, last, fault.ErrNotFound)
}

func TestAtOrBeforeFindsTheStateOfATime(t *testing.T) {
	st := store.NewMem()
	ids := []int64{}
	for id := int64(5); id <= 60; id++ {
		ids = append(ids, id)
	}
	grow(t, st, "", ids...)
	counter := store.Counting(st)
	c := snapshot.NewChain(counter, "")
	for millis, want := range map[int64]string{49: "none <nil>", 50: "5 <nil>", 59: "5 <nil>", 60: "6 <nil>", 305: "30 <nil>", 599: "59 <nil>", 600: "60 <nil>", 9999: "60 <nil>"} {
		before := counter.Counts()
		if got := idOf(c.AtOrBefore(ctx, millis)); got != want {
			t.Errorf("%d: %s, want %s", millis, got, want)
		}
		if n := counter.Counts().Sub(before).Reads; n > 12 {
			t.Errorf("%d: %d reads", millis, n)
		}
	}
}

func TestAtOrBeforeSurvivesExpiry(t *testing.T) {
	st := store.NewMem()
	plain := grow(t, st, "", 1, 2, 3, 4, 5, 6, 7, 8)
	gone := false
	faulty := storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if op.Verb == storetest.ReadAll && op.Key == plain.Path(4) && !gone {
			gone = true
			for id := range int64(5) {
				if err := st.Delete(ctx, plain.Path(id+1)); err != nil {
					t.Error(err)
				}
			}
		}
		return storetest.Outcome{}
	})
	if got := idOf(snapshot.NewChain(faulty, "").AtOrBefore(ctx, 65)); got != "6 <nil>" || !gone {
		t.Error(got, gone)
	}
}

func TestAFileThatSaysAnotherIDIsCorrupt(t *testing.T) {
	st := store.NewMem()
	c := grow(t, st, "", 4)
	data, err := st.ReadAll(ctx, c.Path(4))
	if err != nil {
		t.Fatal(err)
	}
	hint(t, st, "snapshot-5", string(data))
	_, err = c.Get(ctx, 5)
	wantClass(t, err, fault.ErrCorrupt)
}

func ExampleChain() {
	ctx := context.Background()
	st := store.NewMem()
	first := snapshot.Snapshot{Version: 3, ID: 1, BaseManifestList: "manifest-list-u-0", DeltaManifestList: "manifest-list-u-1",
		CommitUser: "job", CommitIdentifier: 1, CommitKind: snapshot.Append, TimeMillis: 1000}
	if err := st.Write(ctx, "snapshot/snapshot-1", first.Marshal()); err != nil {
		panic(err)
	}
	chain := snapshot.NewChain(st, snapshot.MainBranch)
	newest, err := chain.Latest(ctx)
	if err != nil {
		panic(err)
	}
	before, err := chain.AtOrBefore(ctx, 999)
	fmt.Println(newest.ID, newest.CommitKind, before, err)
	// Output: 1 APPEND <nil> <nil>
}
