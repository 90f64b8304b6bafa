package snapshot_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
)

func write(t *testing.T, st store.Store, key, text string) {
	t.Helper()
	if err := st.Write(ctx, key, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func never(t *testing.T) func(context.Context, time.Duration) error {
	return func(context.Context, time.Duration) error { t.Error("it waits"); return nil }
}

func TestConsumersAreFilesThatJavaReads(t *testing.T) {
	for branch, key := range map[string]string{"": "consumer/consumer-c1", "b": "branch/branch-b/consumer/consumer-c1"} {
		st := store.NewMem()
		c := snapshot.NewConsumers(snapshot.NewChain(st, branch), never(t))
		if err := c.Put(ctx, "c1", 7); err != nil {
			t.Fatal(err)
		}
		data, err := st.ReadAll(ctx, key)
		if want := "{\n  \"nextSnapshot\" : 7\n}"; err != nil || string(data) != want {
			t.Errorf("file is %q (%v), want %q", data, err, want)
		}
		got, err := c.Get(ctx, "c1")
		if err != nil || got.Next != 7 || got.ID != "c1" {
			t.Errorf("read %+v: %v", got, err)
		}
		if err := c.Delete(ctx, "c1"); err != nil {
			t.Error(err)
		}
		wantClass(t, c.Delete(ctx, "c1"), fault.ErrNotFound)
		_, err = c.Get(ctx, "c1")
		wantClass(t, err, fault.ErrNotFound)
	}
}

func TestTheSlowestConsumerCounts(t *testing.T) {
	st := store.NewMem()
	c := snapshot.NewConsumers(snapshot.NewChain(st, ""), never(t))
	if _, any, err := c.MinNext(ctx); any || err != nil {
		t.Errorf("without consumers: %v, %v", any, err)
	}
	write(t, st, "consumer/consumer-b", `{"nextSnapshot":5,"later":"field"}`)
	write(t, st, "consumer/consumer-a", `{"nextSnapshot":9}`)
	write(t, st, "consumer/consumer-", `{"nextSnapshot":3}`) // nobody can name it, but it holds back all the same
	write(t, st, "consumer/other", `no consumer`)
	if next, any, err := c.MinNext(ctx); next != 3 || !any || err != nil {
		t.Errorf("least is %d, %v: %v", next, any, err)
	}
	all, err := c.All(ctx)
	if err != nil || len(all) != 3 || all[1].ID != "a" || all[1].Next != 9 || all[2].ID != "b" || all[2].Next != 5 {
		t.Errorf("all are %+v: %v", all, err)
	}
}

func TestAHalfWrittenConsumerIsReadAgain(t *testing.T) {
	st := store.NewMem()
	waits := 0
	c := snapshot.NewConsumers(snapshot.NewChain(st, ""), func(_ context.Context, d time.Duration) error {
		if d != 200*time.Millisecond {
			t.Errorf("waits %v", d)
		}
		if waits++; waits == 3 {
			write(t, st, "consumer/consumer-a", `{"nextSnapshot" : 4}`)
		}
		return nil
	})
	write(t, st, "consumer/consumer-a", `{"nextSn`)
	if got, err := c.Get(ctx, "a"); err != nil || got.Next != 4 || waits != 3 {
		t.Errorf("read %+v after %d waits: %v", got, waits, err)
	}
	waits = 3
	write(t, st, "consumer/consumer-a", `{}`)
	_, err := c.Get(ctx, "a")
	wantClass(t, err, fault.ErrCorrupt)
	if waits != 3+9 {
		t.Errorf("%d waits", waits-3)
	}
	if _, _, err := c.MinNext(ctx); !errors.Is(err, fault.ErrCorrupt) {
		t.Errorf("the least of broken ones: %v", err)
	}
	if err := c.Delete(ctx, "a"); err != nil {
		t.Errorf("a broken consumer can be deleted: %v", err)
	}
}

func TestConsumersThatRecordNothingExpire(t *testing.T) {
	st, err := store.NewLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := snapshot.NewConsumers(snapshot.NewChain(st, ""), never(t))
	for _, id := range []string{"a", "b"} {
		if err := c.Put(ctx, id, 1); err != nil {
			t.Fatal(err)
		}
	}
	if gone, err := c.Expire(ctx, time.Now().Add(-time.Hour), false); len(gone) != 0 || err != nil {
		t.Errorf("expired %v: %v", gone, err)
	}
	later := time.Now().Add(time.Hour)
	if gone, err := c.Expire(ctx, later, true); len(gone) != 2 || err != nil {
		t.Errorf("would expire %v: %v", gone, err)
	}
	onlyB := func(f snapshot.Consumer) bool { return f.ID == "b" }
	if gone, err := c.DeleteWhere(ctx, onlyB, false); len(gone) != 1 || gone[0].ID != "b" || err != nil {
		t.Errorf("deleted %v: %v", gone, err)
	}
	if gone, err := c.Expire(ctx, later, false); len(gone) != 1 || gone[0].ID != "a" || err != nil {
		t.Errorf("expired %v: %v", gone, err)
	}
	if all, err := c.All(ctx); len(all) != 0 || err != nil {
		t.Errorf("left are %v: %v", all, err)
	}
}

func TestIdsOfConsumersArePartsOfFileNames(t *testing.T) {
	c := snapshot.NewConsumers(snapshot.NewChain(store.NewMem(), ""), nil)
	for _, id := range []string{"", "a/b", `a\b`, "a\nb", "\xff", strings.Repeat("x", 201)} {
		wantClass(t, c.Put(ctx, id, 1), fault.ErrInvalid)
		wantClass(t, c.Delete(ctx, id), fault.ErrInvalid)
		_, err := c.Get(ctx, id)
		wantClass(t, err, fault.ErrInvalid)
	}
	wantClass(t, c.Put(ctx, "a", 0), fault.ErrInvalid)
	if err := c.Put(ctx, "größe 1", 1); err != nil {
		t.Error(err)
	}
}
