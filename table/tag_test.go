package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

func tagged(t testing.TB, tab *table.Table, name string, o table.TagOptions) *snapshot.Tag {
	t.Helper()
	tag, err := tab.CreateTag(ctx, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

// three is a table of three snapshots.
func three(t testing.TB, st store.Store, options ...string) *table.Table {
	t.Helper()
	tab := create(t, st, keyed, options...)
	for k := range 3 {
		load(t, tab, fmt.Sprintf(`{"k":%d,"v":"a"}`, k+1))
	}
	return tab
}

func TestATagWithoutATimeIsTheSnapshotByteForByte(t *testing.T) {
	st := store.NewMem()
	tab := three(t, st)
	tagged(t, tab, "two", table.TagOptions{Snapshot: 2})
	want, err := st.ReadAll(ctx, "snapshot/snapshot-2")
	if err != nil {
		t.Fatal(err)
	}
	got, err := st.ReadAll(ctx, "tag/tag-two")
	if err != nil || string(got) != string(want) {
		t.Errorf("%s\nwant\n%s\n%v", got, want, err)
	}
	expect(t, tab, table.ScanOptions{Tag: "two"}, `{"k":1,"v":"a"}`, `{"k":2,"v":"a"}`)
}

func TestTagsLiveAsLongAsTheyAreSaidTo(t *testing.T) {
	st := store.NewMem()
	three(t, st, "tag.default-time-retained=1 h")
	w, _ := world(t)
	clock := stopped(&w, noon)
	tab := reopenIn(t, st, w)
	tagged(t, tab, "hour", table.TagOptions{})
	tagged(t, tab, "day", table.TagOptions{Retained: 24 * time.Hour})
	tagged(t, tab, "ever", table.TagOptions{Retained: -1})
	for _, step := range []struct {
		after time.Duration
		want  []string
	}{{time.Hour, nil}, {time.Hour + 1, []string{"hour"}}, {24 * time.Hour, nil}, {25 * time.Hour, []string{"day"}}} {
		clock.set(noon.Add(step.after))
		gone, err := tab.ExpireTags(ctx, time.Time{})
		if err != nil || !slices.Equal(gone, step.want) {
			t.Errorf("after %v: %v, want %v: %v", step.after, gone, step.want, err)
		}
	}
	gone, err := tab.ExpireTags(ctx, time.Now().Add(time.Hour)) // by the time of the file
	if err != nil || !slices.Equal(gone, []string{"ever"}) {
		t.Error(gone, err)
	}
}

func TestTagsThatCannotBe(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	_, err := tab.CreateTag(ctx, "x", table.TagOptions{})
	failsWith(t, err, table.ErrInvalid, "no snapshot to tag")
	load(t, tab, `{"k":1,"v":"a"}`)
	for _, name := range []string{"", "  ", "a/b", `a\b`} {
		_, err := tab.CreateTag(ctx, name, table.TagOptions{})
		failsWith(t, err, table.ErrInvalid, "name")
	}
	_, err = tab.CreateTag(ctx, "x", table.TagOptions{Snapshot: 9})
	failsWith(t, err, table.ErrNotFound, "snapshot 9")
	tagged(t, tab, "month", table.TagOptions{})
	_, err = tab.CreateTag(ctx, "month", table.TagOptions{})
	failsWith(t, err, table.ErrExists, `"month"`)
	_, err = tab.ReplaceTag(ctx, "mont", table.TagOptions{})
	failsWith(t, err, table.ErrNotFound, "did you mean month")
	failsWith(t, tab.DeleteTag(ctx, "mont"), table.ErrNotFound, "did you mean month")
	failsWith(t, tab.RenameTag(ctx, "month", " "), table.ErrInvalid, "blank")
	if err := tab.RenameTag(ctx, "month", "123"); err != nil { // digits are a name like any other
		t.Error(err)
	}
	expect(t, tab, table.ScanOptions{Tag: "123"}, `{"k":1,"v":"a"}`)
}

func TestRollbackTakesAwayWhatIsNewer(t *testing.T) {
	for name, o := range map[string]table.RollbackOptions{"snapshot": {Snapshot: 2}, "tag": {Tag: "two"}} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := three(t, st)
			tagged(t, tab, "one", table.TagOptions{Snapshot: 1})
			tagged(t, tab, "two", table.TagOptions{Snapshot: 2})
			tagged(t, tab, "three", table.TagOptions{Snapshot: 3})
			changelogs(t, st, 1, 2, 3)
			at, err := tab.Rollback(ctx, o)
			if err != nil || at.ID != 2 {
				t.Fatal(at, err)
			}
			tab = reopen(t, st)
			expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"a"}`)
			names, err := tab.Snapshots().TagNames(ctx)
			if err != nil || !slices.Equal(names, []string{"one", "two"}) {
				t.Error(names, err)
			}
			holds(t, st, "snapshot/LATEST", "2")
			holds(t, st, "changelog/LATEST", "2")
			if tree := storetest.Tree(t, st, "changelog"); len(tree) != 3 {
				t.Error(tree)
			}
			load(t, tab, `{"k":7,"v":"b"}`)
			if id := latestID(t, tab); id != 3 {
				t.Errorf("snapshot %d", id)
			}
			sound(t, tab)
		})
	}
}

// changelogs leaves changelogs of snapshots behind, as expiry does.
func changelogs(t testing.TB, st store.Store, ids ...int64) {
	t.Helper()
	for _, id := range ids {
		data, err := st.ReadAll(ctx, fmt.Sprint("snapshot/snapshot-", id))
		if err == nil {
			err = st.Write(ctx, fmt.Sprint("changelog/changelog-", id), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func holds(t testing.TB, st store.Store, key, want string) {
	t.Helper()
	if got, err := st.ReadAll(ctx, key); err != nil || string(got) != want {
		t.Errorf("%s holds %q, want %q: %v", key, got, want, err)
	}
}

func TestRollbackToATagBringsAnExpiredSnapshotBack(t *testing.T) {
	for name, o := range map[string]table.RollbackOptions{"tag": {Tag: "one"}, "snapshot": {Snapshot: 1}} {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			tab := three(t, st)
			tagged(t, tab, "one", table.TagOptions{Snapshot: 1, Retained: time.Hour})
			want, err := st.ReadAll(ctx, "snapshot/snapshot-1")
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"1", "2"} {
				if err := st.Delete(ctx, "snapshot/snapshot-"+id); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := tab.Rollback(ctx, o); err != nil {
				t.Fatal(err)
			}
			holds(t, st, "snapshot/snapshot-1", string(want))
			holds(t, st, "snapshot/LATEST", "1")
			holds(t, st, "snapshot/EARLIEST", "1")
			tab = reopen(t, st)
			expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`)
			sound(t, tab)
		})
	}
}

// A snapshot that is back without its changelog, which expired with it, is whole
// but for that: Check says nothing, and who asks for its changes learns why not.
func TestASnapshotThatATagBringsBackHasNoChangelog(t *testing.T) {
	for how, back := range map[string]func(*testing.T, store.Store, *table.Table) *table.Table{
		"rollback": func(t *testing.T, st store.Store, tab *table.Table) *table.Table {
			if _, err := tab.Rollback(ctx, table.RollbackOptions{Tag: "t"}); err != nil {
				t.Fatal(err)
			}
			return reopen(t, st)
		},
		"branch": func(t *testing.T, st store.Store, tab *table.Table) *table.Table {
			if err := tab.CreateBranch(ctx, "b", table.BranchOptions{Tag: "t"}); err != nil {
				t.Fatal(err)
			}
			return openBranch(t, st, "b")
		},
	} {
		t.Run(how, func(t *testing.T) {
			st := store.NewMem()
			tab := create(t, st, keyed, "changelog-producer=input")
			grow(t, tab, 2)
			tagged(t, tab, "t", table.TagOptions{})
			grow(t, tab, 5)
			expired(t, tab, last(1))
			tab = back(t, st, tab)
			grow(t, tab, 3)
			sound(t, tab)
			s, err := tab.Stream(ctx, table.StreamOptions{Snapshot: 2, UntilSnapshot: 3})
			if err == nil {
				_, err = collect(t, s)
			}
			failsWith(t, err, table.ErrNotFound, "changelog", "expired", "snapshot 2", "all rows")
			_, err = countChanges(tab, table.Between{From: table.Version{Snapshot: 1}})
			failsWith(t, err, table.ErrNotFound, "changelog", "expired", "snapshot 2")
			tells(t, tab, table.StreamOptions{Snapshot: 3}, "3:+I 3 v")
			tells(t, tab, table.StreamOptions{Mode: table.FromSnapshotFull, Snapshot: 2}, "2:+I 1 v", "2:+I 2 v", "3:+I 3 v")
		})
	}
}

func countChanges(tab *table.Table, b table.Between) (int64, error) {
	d, err := tab.Diff(ctx, table.ScanOptions{Between: &b})
	if err != nil {
		return 0, err
	}
	return d.Count(ctx)
}

func TestRollbackToWhatIsNotThere(t *testing.T) {
	st := store.NewMem()
	tab := three(t, st)
	before := storetest.Tree(t, st, "snapshot")
	for _, c := range []struct {
		o     table.RollbackOptions
		class error
		word  string
	}{
		{table.RollbackOptions{}, table.ErrInvalid, "say what"},
		{table.RollbackOptions{Snapshot: 4}, table.ErrNotFound, "snapshots 1 to 3"},
		{table.RollbackOptions{Tag: "gone"}, table.ErrNotFound, "gone"},
		{table.RollbackOptions{AsOf: time.Unix(1, 0)}, table.ErrNotFound, "no snapshot at or before"},
		{table.RollbackOptions{Snapshot: 1, Tag: "gone"}, table.ErrInvalid, "one of"},
	} {
		_, err := tab.Rollback(ctx, c.o)
		failsWith(t, err, c.class, c.word)
	}
	if after := storetest.Tree(t, st, "snapshot"); !slices.Equal(before, after) {
		t.Error(strings.Join(after, " "))
	}
}
