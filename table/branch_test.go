package table_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// TestGoldenBranchesReadAsJavaReadsThem reads every branch that real Paimon made.
func TestGoldenBranchesReadAsJavaReadsThem(t *testing.T) {
	dir, c := goldenCatalog(t)
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*", "expected-branch-*.jsonl"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		branch := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "expected-branch-"), ".jsonl")
		id := catalog.Identifier{Database: "fx", Table: filepath.Base(filepath.Dir(file)), Branch: branch}
		tab, err := c.Table(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := scanLines(t.Context(), tab, table.ScanOptions{})
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		sameLines(t, file, got)
		id.Branch += "x"
		_, err = c.Table(t.Context(), id)
		failsWith(t, err, table.ErrNotFound, "did you mean "+branch)
	}
}

// openBranch opens a branch as a new process would.
func openBranch(t testing.TB, st store.Store, name string) *table.Table {
	t.Helper()
	w, _ := world(t)
	tab, err := table.OpenBranch(ctx, st, name, "db.t$branch_"+name, table.Settings{}, w)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func makeTag(t testing.TB, st store.Store, name string, id int64) {
	t.Helper()
	c := snapshot.NewChain(st, "")
	s, err := c.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Write(ctx, c.TagPath(name), s.Marshal()); err != nil {
		t.Fatal(err)
	}
}

func TestABranchGoesItsOwnWay(t *testing.T) {
	st := store.NewMem()
	main := create(t, st, keyed)
	load(t, main, `{"k":1,"v":"a"}`)
	makeTag(t, st, "one", 1)
	load(t, main, `{"k":2,"v":"b"}`)
	for name, o := range map[string]table.BranchOptions{"tagged": {Tag: "one"}, "snapped": {Snapshot: 2}, "blank": {}} {
		if err := main.CreateBranch(ctx, name, o); err != nil {
			t.Fatal(err)
		}
	}
	names, err := main.Branches(ctx)
	if err != nil || !slices.Equal(names, []string{"blank", "snapped", "tagged"}) {
		t.Error(names, err)
	}
	for name, want := range map[string][]string{"tagged": {`{"k":1,"v":"a"}`}, "snapped": {`{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`}, "blank": nil} {
		b := openBranch(t, st, name)
		expect(t, b, table.ScanOptions{}, want...)
		load(t, b, `{"k":9,"v":"`+name+`"}`)
		expect(t, b, table.ScanOptions{}, append([]string{`{"k":9,"v":"` + name + `"}`}, want...)...)
		sound(t, b)
	}
	expect(t, openBranch(t, st, "tagged"), table.ScanOptions{Tag: "one"}, `{"k":1,"v":"a"}`)
	expect(t, main, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	if id := latestID(t, main); id != 2 {
		t.Errorf("the main branch is at snapshot %d", id)
	}
}

func latestID(t testing.TB, tab *table.Table) int64 {
	t.Helper()
	id, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestAnAlteredBranchLeavesTheTableAsItIs(t *testing.T) {
	st := store.NewMem()
	main := create(t, st, keyed)
	load(t, main, `{"k":1,"v":"a"}`)
	if err := main.CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 1}); err != nil {
		t.Fatal(err)
	}
	b := openBranch(t, st, "b")
	if _, err := b.Alter(ctx, schema.AddColumn{Path: []string{"n"}, Type: schema.Type{Kind: schema.Int, Nullable: true}}); err != nil {
		t.Fatal(err)
	}
	b = openBranch(t, st, "b")
	load(t, b, `{"k":2,"v":"b","n":3}`)
	want := []string{`{"k":1,"v":"a","n":null}`, `{"k":2,"v":"b","n":3}`}
	expect(t, b, table.ScanOptions{}, want...)
	expect(t, reopen(t, st), table.ScanOptions{}, `{"k":1,"v":"a"}`)
	if err := main.FastForward(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	expect(t, reopen(t, st), table.ScanOptions{}, want...)
}

func TestFastForwardTakesTheBranchForTheTable(t *testing.T) {
	st := store.NewMem()
	main := create(t, st, keyed)
	load(t, main, `{"k":1,"v":"a"}`)
	makeTag(t, st, "one", 1)
	load(t, main, `{"k":2,"v":"b"}`)
	if err := main.CreateBranch(ctx, "b", table.BranchOptions{Snapshot: 2}); err != nil {
		t.Fatal(err)
	}
	b := openBranch(t, st, "b")
	load(t, b, `{"k":3,"v":"branch"}`)
	for _, v := range []string{"x", "y"} {
		load(t, main, `{"k":4,"v":"`+v+`"}`)
	}
	makeTag(t, st, "lost", 4)
	if err := main.FastForward(ctx, "b"); err != nil {
		t.Fatal(err)
	}
	main = reopen(t, st)
	expect(t, main, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"k":3,"v":"branch"}`)
	expect(t, main, table.ScanOptions{Tag: "one"}, `{"k":1,"v":"a"}`)
	tags, err := main.Snapshots().TagNames(ctx)
	if err != nil || !slices.Equal(tags, []string{"one"}) {
		t.Error(tags, err)
	}
	sound(t, main)
	load(t, main, `{"k":5,"v":"on"}`)
	if id := latestID(t, main); id != 4 {
		t.Errorf("snapshot %d", id)
	}
	if id := latestID(t, b); id != 3 {
		t.Errorf("the branch is at %d", id)
	}
}

func TestBranchesThatCannotBe(t *testing.T) {
	st := store.NewMem()
	main := create(t, st, keyed)
	load(t, main, `{"k":1,"v":"a"}`)
	for _, name := range []string{"", " ", "main", "123", "a/b", `a\b`} {
		failsWith(t, main.CreateBranch(ctx, name, table.BranchOptions{}), table.ErrInvalid, "branch")
	}
	if err := main.CreateBranch(ctx, "dev", table.BranchOptions{}); err != nil {
		t.Fatal(err)
	}
	failsWith(t, main.CreateBranch(ctx, "dev", table.BranchOptions{}), table.ErrExists, "branch dev")
	failsWith(t, main.CreateBranch(ctx, "x", table.BranchOptions{Tag: "gone"}), table.ErrNotFound, "gone")
	failsWith(t, main.CreateBranch(ctx, "x", table.BranchOptions{Snapshot: 7}), table.ErrNotFound, "snapshot 7")
	failsWith(t, main.CreateBranch(ctx, "x", table.BranchOptions{Snapshot: 1, Tag: "t"}), table.ErrInvalid, "not both")
	failsWith(t, main.FastForward(ctx, "dev"), table.ErrInvalid, "no snapshot")
	failsWith(t, main.FastForward(ctx, "dve"), table.ErrNotFound, "did you mean dev")
	failsWith(t, main.DeleteBranch(ctx, "dve"), table.ErrNotFound, "did you mean dev")
	failsWith(t, main.DeleteBranch(ctx, "main"), table.ErrInvalid, "main")
	failsWith(t, main.RenameBranch(ctx, "dev", "1"), table.ErrInvalid, "digits")
	if err := main.RenameBranch(ctx, "dev", "prod"); err != nil {
		t.Fatal(err)
	}
	b, err := main.OpenBranch(ctx, "prod")
	if err != nil || b.Name() != "db.t$branch_prod" || b.Branch() != "prod" {
		t.Fatal(b, err)
	}
	failsWith(t, b.DeleteBranch(ctx, "prod"), table.ErrInvalid, "itself")
	if err := main.DeleteBranch(ctx, "prod"); err != nil {
		t.Fatal(err)
	}
	if left := storetest.Tree(t, st, "branch"); len(left) != 0 {
		t.Error(left)
	}
}
