package table_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// started reads a stream up to the end of a snapshot and leaves it there.
func started(t *testing.T, tab *table.Table, o table.StreamOptions, last int64) *table.Stream {
	t.Helper()
	s, err := tab.Stream(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range s.Snapshots(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range c.Batches() {
			if err != nil {
				t.Fatal(err)
			}
		}
		if c.Snapshot.ID == last {
			break
		}
	}
	return s
}

// A history that was made anew while nobody looked can be as long as the old
// one: the next snapshot is there, and follows another one than was read.
func TestAStreamIsNotContinuedInAHistoryThatWasMadeAnew(t *testing.T) {
	for name, rewrite := range map[string]func(*testing.T, *table.Table){
		"rolled back": func(t *testing.T, tab *table.Table) {
			if _, err := tab.Rollback(ctx, table.RollbackOptions{Snapshot: 3}); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				load(t, tab, `{"k":1,"v":"new"}`)
			}
		},
		"fast-forwarded": func(t *testing.T, tab *table.Table) {
			if err := tab.CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 3}); err != nil {
				t.Fatal(err)
			}
			b, err := tab.OpenBranch(ctx, "b")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				load(t, b, `{"k":1,"v":"new"}`)
			}
			if err := tab.FastForward(ctx, "b"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, tab := history(t)
			s := started(t, tab, table.StreamOptions{Snapshot: 1, UntilSnapshot: 6}, 5)
			rewrite(t, tab)
			got, err := collect(t, s)
			failsWith(t, err, table.ErrNotFound, "rolled back")
			if len(got) > 0 {
				t.Errorf("it tells %v", got)
			}
		})
	}
}

// Who follows a table's changelog goes on when the table writes none any more.
func TestAChangelogThatIsNoMoreIsNotWaitedFor(t *testing.T) {
	st := store.NewMem()
	old := create(t, st, keyed, "changelog-producer=input")
	load(t, old, `{"k":1,"v":"a"}`)
	s := started(t, old, table.StreamOptions{Snapshot: 1, UntilSnapshot: 2}, 1)
	produce(t, old, "none")
	fresh := reopen(t, st)
	load(t, fresh, `{"_kind":"+U","k":1,"v":"b"}`)
	got, err := collect(t, s)
	if d := cmp.Diff([]string{"2:+U 1 b"}, shorten(got)); err != nil || d != "" {
		t.Error(err, d)
	}
	tells(t, fresh, table.StreamOptions{Snapshot: 1}, "1:+I 1 a", "2:+U 1 b")
}

// Commits made before a table had a changelog tell what they wrote.
func TestChangesFromBeforeAChangelogAreNotPassedOver(t *testing.T) {
	for _, producer := range []string{"input", "lookup"} {
		t.Run(producer, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed, "write-only=true")
			load(t, tab, `{"k":1,"v":"a"}`)
			compactAll(t, st)
			produce(t, tab, producer)
			tab = reopen(t, st)
			load(t, tab, `{"k":2,"v":"b"}`)
			compactAll(t, st)
			got := short(t, tab, table.StreamOptions{Snapshot: 1})
			if len(got) != 2 || got[0] != "1:+I 1 a" || !strings.HasSuffix(got[1], ":+I 2 b") {
				t.Error(got)
			}
		})
	}
}

func produce(t *testing.T, tab *table.Table, producer string) {
	t.Helper()
	if _, err := tab.Alter(ctx, schema.SetOption{Key: "changelog-producer", Value: producer}); err != nil {
		t.Fatal(err)
	}
}

// The changelogs and the hint of a history that a branch has replaced are gone with it.
func TestAFastForwardedTableForgetsItsExpiredHistory(t *testing.T) {
	st, tab := history(t)
	if err := tab.CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 3}); err != nil {
		t.Fatal(err)
	}
	b, err := tab.OpenBranch(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	load(t, b, `{"k":7,"v":"n"}`)
	load(t, b, `{"k":8,"v":"n"}`)
	changelogs(t, st, 1, 2, 3, 4)
	for _, id := range []int64{1, 2, 3, 4} {
		if err := st.Delete(ctx, tab.Snapshots().Path(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Write(ctx, "snapshot/EARLIEST", []byte("5")); err != nil {
		t.Fatal(err)
	}
	if err := tab.FastForward(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	tab = reopen(t, st)
	if first, err := tab.Snapshots().Earliest(ctx); err != nil || first.ID != 3 {
		t.Error(first, err)
	}
	tells(t, tab, table.StreamOptions{Snapshot: 2}, "2:+U 1 a2", "4:+I 7 n", "5:+I 8 n")
}

// Streams and scans keep the columns that their table was opened with. Values
// that fit a column only since are an error there, and not cut to other values.
func TestAStreamDoesNotCutValuesOfATypeThatWasWidened(t *testing.T) {
	st := store.NewMem()
	old := create(t, st, "columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: INT}]\nprimary-key: [k]\noptions: {bucket: 1}\n")
	load(t, old, `{"k":1,"v":1}`)
	s := started(t, old, table.StreamOptions{Snapshot: 1, UntilSnapshot: 2}, 1)
	if _, err := old.Alter(ctx, schema.UpdateColumnType{Path: []string{"v"}, Type: schema.Type{Kind: schema.BigInt, Nullable: true}}); err != nil {
		t.Fatal(err)
	}
	load(t, reopen(t, st), `{"k":2,"v":5000000000}`)
	got, err := collect(t, s)
	failsWith(t, err, table.ErrInvalid, "column v", "INT", "BIGINT", "open the table again")
	if len(got) > 0 {
		t.Error(got)
	}
	_, err = scanLines(ctx, old, table.ScanOptions{})
	failsWith(t, err, table.ErrInvalid, "column v")
	expect(t, old, table.ScanOptions{Snapshot: 2}, `{"k":1,"v":1}`, `{"k":2,"v":5000000000}`)
	tells(t, reopen(t, st), table.StreamOptions{Token: s.Token()}, "2:+I 2 5000000000")
}
