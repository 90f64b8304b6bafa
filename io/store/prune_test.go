package store_test

import (
	"context"
	"testing"

	"github.com/tidelake/tidelake/io/store"
)

func TestOnlyEmptyDirectoriesArePruned(t *testing.T) {
	ctx := context.Background()
	local, err := store.NewLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	st := store.Counting(store.Sub(local, "db.db/t"))
	for _, key := range []string{"a/b/file", "a/c/file"} {
		if err := st.Write(ctx, key, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Delete(ctx, "a/b/file"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		gone bool
	}{{"a", false}, {"a/c", false}, {"a/c/file", false}, {"a/b", true}, {"a/b", true}, {"a", false}} {
		if gone, err := store.PruneDir(ctx, st, c.dir); err != nil || gone != c.gone {
			t.Errorf("%s: gone is %v (%v)", c.dir, gone, err)
		}
	}
	if _, err := st.Stat(ctx, "a/c/file"); err != nil {
		t.Error(err)
	}
	if gone, err := store.PruneDir(ctx, store.NewMem(), "a"); gone || err != nil {
		t.Errorf("in memory: %v %v", gone, err)
	}
	if _, err := store.PruneDir(ctx, st, "../t"); err == nil {
		t.Error("a path that leads out is no error")
	}
}
