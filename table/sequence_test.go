package table_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// highest is the largest sequence number of the newest snapshot's files.
func highest(t *testing.T, tab *table.Table) int64 {
	t.Helper()
	top := int64(-1)
	for f, err := range tab.Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		top = max(top, f.MaxSequence)
	}
	return top
}

func TestSequenceNumbersContinueAfterARestart(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`, `{"k":2,"v":"x"}`)
	if got := highest(t, tab); got != 2 {
		t.Errorf("three rows end at number %d", got)
	}
	for i := range 3 {
		tab = reopen(t, st)
		load(t, tab, fmt.Sprintf(`{"k":1,"v":"c%d"}`, i))
		if got := highest(t, tab); got != int64(3+i) {
			t.Errorf("after restart %d the highest number is %d", i, got)
		}
	}
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"c2"}`, `{"k":2,"v":"x"}`)
}

// Two live writers without a sequence field: whoever commits later wins.
func TestTheLaterOfTwoLiveWritersWins(t *testing.T) {
	st := store.NewMem()
	a := create(t, st, keyed)
	b := reopen(t, st)
	wa, wb := newWriter(t, a, "a"), newWriter(t, b, "b")
	for i := range 12 {
		// Unequal numbers of rows, so that counters drift apart.
		for range i%3 + 1 {
			if err := write(t, wa, a, fmt.Sprintf(`{"k":1,"v":"a%d"}`, i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := wa.CommitNext(ctx); err != nil {
			t.Fatal(err)
		}
		expect(t, a, table.ScanOptions{}, fmt.Sprintf(`{"k":1,"v":"a%d"}`, i))
		if i%4 == 3 {
			continue
		}
		commit(t, wb, b, fmt.Sprintf(`{"k":1,"v":"b%d"}`, i))
		expect(t, a, table.ScanOptions{}, fmt.Sprintf(`{"k":1,"v":"b%d"}`, i))
	}
	sound(t, a)
}

// Rows that wait in a buffer are flushed after what others committed meanwhile.
func TestBufferedRowsFollowCommitsOfOthers(t *testing.T) {
	st := store.NewMem()
	a := create(t, st, keyed)
	wa := newWriter(t, a, "a")
	commit(t, wa, a, `{"k":1,"v":"first"}`)
	if err := write(t, wa, a, `{"k":1,"v":"late"}`); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		load(t, reopen(t, st), `{"k":1,"v":"other"}`)
	}
	if err := wa.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, a, table.ScanOptions{}, `{"k":1,"v":"late"}`)
}

// A buffer that is written out because it is full is no different: its rows
// were numbered as if nobody else had committed, and hidden by older ones.
func TestRowsOfAFullBufferFollowCommitsOfOthers(t *testing.T) {
	st := store.NewMem()
	a := create(t, st, keyed, "write-buffer-size=1 b")
	wa := newWriter(t, a, "a")
	commit(t, wa, a, `{"k":1,"v":"first"}`)
	for range 5 {
		load(t, reopen(t, st), `{"k":1,"v":"other"}`)
	}
	commit(t, wa, a, `{"k":1,"v":"late"}`)
	expect(t, a, table.ScanOptions{}, `{"k":1,"v":"late"}`)
}

// Messages of another writer, committed by this one, count as well.
func TestForeignMessagesRaiseTheNumbers(t *testing.T) {
	st := store.NewMem()
	a := create(t, st, keyed)
	wa := newWriter(t, a, "a")
	commit(t, wa, a, `{"k":1,"v":"first"}`)
	wb := newWriter(t, reopen(t, st), "b")
	for range 9 {
		if err := write(t, wb, a, `{"k":1,"v":"b"}`); err != nil {
			t.Fatal(err)
		}
	}
	msgs, err := wb.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := wa.Commit(ctx, 50, msgs); err != nil {
		t.Fatal(err)
	}
	commit(t, wa, a, `{"k":1,"v":"last"}`)
	expect(t, a, table.ScanOptions{}, `{"k":1,"v":"last"}`)
}

// A chain that moved on and expired past the snapshot a writer saw has the next
// id free; a full look, due once a minute, finds where it is now.
func TestAnExpiredChainIsFoundAgain(t *testing.T) {
	st := store.NewMem()
	sc := define(t, keyed)
	if err := table.Create(ctx, st, sc); err != nil {
		t.Fatal(err)
	}
	parts, _ := world(t)
	clock := stopped(&parts, noon)
	a := reopenIn(t, st, parts)
	wa := newWriter(t, a, "a")
	commit(t, wa, a, `{"k":1,"v":"first"}`)
	for range 5 {
		load(t, reopen(t, st), `{"k":1,"v":"other"}`)
	}
	for id := 1; id <= 4; id++ {
		if err := st.Delete(ctx, fmt.Sprintf("snapshot/snapshot-%d", id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Write(ctx, "snapshot/EARLIEST", []byte("5")); err != nil {
		t.Fatal(err)
	}
	clock.pass(2 * time.Minute)
	commit(t, wa, a, `{"k":1,"v":"last"}`)
	expect(t, a, table.ScanOptions{}, `{"k":1,"v":"last"}`)
	if at, err := a.Snapshots().Latest(ctx); err != nil || at.ID != 7 {
		t.Errorf("the commit became snapshot %v, %v: want 7", at, err)
	}
	if ok, err := a.Snapshots().Exists(ctx, 2); ok || err != nil {
		t.Errorf("the chain was continued below its tail: %v, %v", ok, err)
	}
}

// The same writer, without the minute: the base is proven before the create,
// so the commit lands at the end of the chain all the same.
func TestAPausedWriterNeverContinuesBelowTheTail(t *testing.T) {
	st := store.NewMem()
	a := create(t, st, keyed)
	wa := newWriter(t, a, "a")
	commit(t, wa, a, `{"k":1,"v":"first"}`)
	if err := write(t, wa, a, `{"k":2,"v":"paused"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := wa.Prepare(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		load(t, reopen(t, st), fmt.Sprintf(`{"k":%d,"v":"other"}`, 10+i))
	}
	for id := 1; id <= 3; id++ {
		if err := st.Delete(ctx, fmt.Sprintf("snapshot/snapshot-%d", id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Write(ctx, "snapshot/EARLIEST", []byte("4")); err != nil {
		t.Fatal(err)
	}
	if err := wa.Commit(ctx, 2, msgs); err != nil {
		t.Fatal(err)
	}
	fresh := reopen(t, st)
	if at, err := fresh.Snapshots().Latest(ctx); err != nil || at.ID != 7 {
		t.Errorf("the commit became snapshot %v, %v: want 7", at, err)
	}
	if ok, err := fresh.Snapshots().Exists(ctx, 2); ok || err != nil {
		t.Errorf("the chain was continued below its tail: %v, %v", ok, err)
	}
	if got := lines(t, fresh, table.ScanOptions{}); len(got) != 7 {
		t.Errorf("%q", got)
	}
}
