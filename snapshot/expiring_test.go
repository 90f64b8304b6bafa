package snapshot_test

import (
	"testing"

	"github.com/tidelake/tidelake/io/store"
)

// What is expiring is told by a hint that no reader takes for a snapshot.
func TestSnapshotsThatExpireDoNotStay(t *testing.T) {
	st := store.NewMem()
	c := grow(t, st, "", 3, 4, 5, 6)
	stays := func(id int64) bool {
		t.Helper()
		s, err := c.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		is, err := c.Stays(ctx, s)
		if err != nil {
			t.Fatal(err)
		}
		return is
	}
	below := func(want int64) {
		t.Helper()
		if got, err := c.ExpiringBelow(ctx); err != nil || got != want {
			t.Errorf("expiring below %d, want %d: %v", got, want, err)
		}
	}
	below(0)
	if !stays(3) {
		t.Error("snapshot 3 does not stay")
	}
	if err := c.Expiring(ctx, 5); err != nil {
		t.Fatal(err)
	}
	below(5)
	if stays(4) || !stays(5) {
		t.Error("snapshots up to 4 expire, those from 5 on stay")
	}
	if got := idOf(c.Earliest(ctx)); got != "3 <nil>" {
		t.Errorf("the chain begins with %s", got)
	}
	if err := c.Undone(ctx, 4); err != nil {
		t.Fatal(err)
	}
	if below(4); !stays(4) {
		t.Error("snapshot 4 is another one now")
	}
	if err := c.Undone(ctx, 6); err != nil {
		t.Fatal(err)
	}
	below(4)
	c.Began(ctx, false, 4)
	below(0)
	for _, nonsense := range []string{"", "x", "-", "-x"} {
		hint(t, st, "EARLIEST", nonsense)
		below(0)
	}
}

// An id that a rollback gave out again is another snapshot.
func TestASnapshotInThePlaceOfAnotherDoesNotStay(t *testing.T) {
	st := store.NewMem()
	c := grow(t, st, "", 1, 2)
	was, err := c.Get(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	other := *was
	other.DeltaManifestList += "-other"
	if err := st.Write(ctx, c.Path(2), other.Marshal()); err != nil {
		t.Fatal(err)
	}
	if is, err := c.Stays(ctx, was); err != nil || is {
		t.Error(is, err)
	}
	if err := st.Delete(ctx, c.Path(2)); err != nil {
		t.Fatal(err)
	}
	if is, err := c.Stays(ctx, was); err != nil || is {
		t.Error(is, err)
	}
}
