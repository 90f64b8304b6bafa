package table_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// daily is an append table by day, as a nightly job would fill it.
const daily = `
columns: [{name: dt, type: STRING NOT NULL}, {name: name, type: STRING NOT NULL}, {name: amount, type: BIGINT}]
partition-by: [dt]
`

// withBranch makes a table of a definition whose branch "live" has a key and
// two buckets, and which reads it by an option. It returns both as new
// processes see them.
func withBranch(t testing.TB, st store.Store, option string, main ...string) (tab, live *table.Table) {
	t.Helper()
	tab = create(t, st, daily)
	if err := tab.CreateBranch(ctx, "live", table.BranchOptions{}); err != nil {
		t.Fatal(err)
	}
	change(t, openBranch(t, st, "live"), "set primary-key=dt,name", "set bucket=2")
	change(t, tab, append(main, "set "+option+"=live")...)
	return reopen(t, st), openBranch(t, st, "live")
}

func change(t testing.TB, tab *table.Table, changes ...string) {
	t.Helper()
	if _, err := tab.Alter(ctx, parsedChanges(t, changes...)...); err != nil {
		t.Fatal(err)
	}
}

// The table and its branch that most tests here read: both have the 25th.
func loadDays(t testing.TB, tab, live *table.Table) {
	t.Helper()
	load(t, live, `{"dt":"25","name":"apple","amount":4}`, `{"dt":"25","name":"peach","amount":10}`, `{"dt":"26","name":"cherry","amount":3}`)
	load(t, live, `{"dt":"26","name":"cherry","amount":6}`, `{"dt":"27","name":"pear","amount":null}`)
	load(t, tab, `{"dt":"25","name":"apple","amount":5}`, `{"dt":"25","name":"banana","amount":7}`, `{"dt":"24","name":"fig","amount":1}`)
}

const (
	fig     = `{"dt":"24","name":"fig","amount":1}`
	apple5  = `{"dt":"25","name":"apple","amount":5}`
	banana  = `{"dt":"25","name":"banana","amount":7}`
	apple4  = `{"dt":"25","name":"apple","amount":4}`
	peach   = `{"dt":"25","name":"peach","amount":10}`
	cherry6 = `{"dt":"26","name":"cherry","amount":6}`
	pear    = `{"dt":"27","name":"pear","amount":null}`
)

func TestPartitionsThatATableLacksAreReadFromItsFallbackBranch(t *testing.T) {
	st := store.NewMem()
	tab, live := withBranch(t, st, "scan.fallback-branch")
	expect(t, tab, table.ScanOptions{})
	loadDays(t, tab, live)
	for _, anyOrder := range []bool{false, true} {
		o := func(where string) table.ScanOptions { return table.ScanOptions{Where: where, AnyOrder: anyOrder} }
		expect(t, tab, o(""), fig, apple5, banana, cherry6, pear)
		expect(t, tab, o("dt >= '26'"), cherry6, pear)
		expect(t, tab, o("amount IS NULL"), pear)
		// A partition that is here is read here, whatever of it the filter leaves.
		expect(t, tab, o("dt = '25' AND amount = 10"))
		expect(t, tab, o("name = 'peach'"))
		expect(t, tab, table.ScanOptions{Columns: []string{"amount"}, Where: "dt = '26'", AnyOrder: anyOrder}, `{"amount":6}`)
	}
	expect(t, live, table.ScanOptions{}, apple4, peach, cherry6, pear)
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(ctx); n != 5 || err != nil {
		t.Error(n, err)
	}
	if n := len(lines(t, tab, table.ScanOptions{Limit: 4})); n != 4 {
		t.Errorf("%d rows within a limit of 4", n)
	}
	if s.Snapshot().ID != 1 {
		t.Errorf("the snapshot of the scan is %d, not the table's own", s.Snapshot().ID)
	}
}

func TestAPrimaryBranchGoesBeforeTheTable(t *testing.T) {
	tab, live := withBranch(t, store.NewMem(), "scan.primary-branch")
	loadDays(t, tab, live)
	expect(t, tab, table.ScanOptions{}, fig, apple4, peach, cherry6, pear)
	expect(t, tab, table.ScanOptions{Where: "name = 'banana'"})
}

// Splits come in the order of partitions, and know which branch they are of.
func TestSplitsOfTwoBranchesAreReadElsewhere(t *testing.T) {
	st := store.NewMem()
	tab, live := withBranch(t, st, "scan.fallback-branch")
	loadDays(t, tab, live)
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	splits, err := s.Plan(ctx)
	if err != nil {
		t.Fatal(err)
	}
	data, err := table.MarshalSplits(splits)
	if err != nil {
		t.Fatal(err)
	}
	if splits, err = table.UnmarshalSplits(data); err != nil {
		t.Fatal(err)
	}
	var branches []string
	for _, split := range splits {
		branches = append(branches, split.Branch)
	}
	if strings.Join(branches, ",") != ",,live,live" {
		t.Errorf("branches of the splits: %q", branches)
	}
	elsewhere, err := reopen(t, st).Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(0)
	for rec, err := range elsewhere.ReadSplits(ctx, splits) {
		if err != nil {
			t.Fatal(err)
		}
		rows += rec.NumRows()
	}
	if rows != 5 {
		t.Errorf("%d rows", rows)
	}
	alone, err := live.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range alone.ReadSplits(ctx, splits[:1]) {
		failsWith(t, err, table.ErrInvalid, "does not read")
	}
}

// Writes, streams, differences and changes by filter are of the table's own branch.
func TestOnlyBatchReadsSeeTheFallbackBranch(t *testing.T) {
	st := store.NewMem()
	tab, live := withBranch(t, st, "scan.fallback-branch")
	loadDays(t, tab, live)
	stream, err := tab.Stream(ctx, table.StreamOptions{UntilSnapshot: 1})
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(0)
	for rec, err := range stream.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		rows += rec.NumRows()
	}
	diff, err := tab.Diff(ctx, table.ScanOptions{Between: &table.Between{}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := diff.Count(ctx); n != 3 || rows != 3 || err != nil {
		t.Errorf("the stream has %d rows, the difference %d: %v", rows, n, err)
	}
	if got, err := tab.Delete(ctx, table.ChangeOptions{Where: "dt >= '25'"}); got.Rows != 2 || err != nil {
		t.Error(got, err)
	}
	// Nothing is left of the 25th, so that the branch has it.
	expect(t, tab, table.ScanOptions{}, fig, apple4, peach, cherry6, pear)
	load(t, tab, `{"dt":"27","name":"plum","amount":1}`)
	expect(t, tab, table.ScanOptions{Where: "dt = '27'"}, `{"dt":"27","name":"plum","amount":1}`)
	expect(t, live, table.ScanOptions{Where: "dt = '27'"}, pear)
	sound(t, tab)
}

func TestSystemTablesOfATableWithAFallbackBranch(t *testing.T) {
	tab, live := withBranch(t, store.NewMem(), "scan.fallback-branch")
	loadDays(t, tab, live)
	for name, want := range map[string]int64{"audit_log": 5, "binlog": 5, "ro": 3, "partitions": 4, "files": 2} {
		s, err := tab.System(ctx, name, table.ScanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := s.Count(ctx); n != want || err != nil {
			t.Errorf("%s has %d rows, want %d: %v", name, n, want, err)
		}
	}
	if _, err := live.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	s, err := tab.System(ctx, "ro", table.ScanOptions{Where: "dt > '25'", Columns: []string{"name"}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(ctx); n != 2 || err != nil {
		t.Error(n, err)
	}
}

// Where rows come into sight when they are compacted, a partition is there by
// then and not before.
func TestAPartitionThatIsNotSeenYetIsReadFromTheFallbackBranch(t *testing.T) {
	st := store.NewMem()
	tab, live := withBranch(t, st, "scan.fallback-branch", "set primary-key=dt,name", "set bucket=1", "set merge-engine=first-row", "set write-only=true")
	loadDays(t, tab, live)
	expect(t, tab, table.ScanOptions{}, apple4, peach, cherry6, pear)
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, fig, apple5, banana, cherry6, pear)
}

func TestTimeTravelOfTwoBranches(t *testing.T) {
	st := store.NewMem()
	tab, live := withBranch(t, st, "scan.fallback-branch")
	at := func(b *table.Table, minute int, rows ...string) {
		t.Helper()
		load(t, atMinute(t, st, b.Branch(), minute), rows...)
	}
	at(tab, 1, fig)
	at(live, 2, apple4)
	at(live, 3, peach)
	at(tab, 4, banana)
	at(live, 5, pear)
	expect(t, tab, table.ScanOptions{Snapshot: 2}, fig, banana)
	expect(t, tab, table.ScanOptions{AsOf: minute(3)}, fig, apple4, peach)
	// The branch began later than the snapshot: Paimon reads its first one.
	expect(t, tab, table.ScanOptions{Snapshot: 1}, fig, apple4)
	_, err := tab.Scan(ctx, table.ScanOptions{AsOf: minute(1)})
	failsWith(t, err, table.ErrNotFound, "branch live", "no snapshot at or before")
	makeTag(t, st, "first", 1)
	expect(t, tab, table.ScanOptions{Tag: "first"}, fig)
	if err := st.DeleteDir(ctx, "branch/branch-live/snapshot"); err != nil {
		t.Fatal(err)
	}
	for _, o := range []table.ScanOptions{{}, {Snapshot: 2}, {AsOf: minute(60)}} {
		expect(t, tab, o, fig, banana) // a branch without a snapshot has nothing at any time
	}
}

// A branch that falls back to the main one.
func TestTheMainBranchCanBeTheFallback(t *testing.T) {
	st := store.NewMem()
	tab, live := withBranch(t, st, "scan.fallback-branch")
	change(t, live, "set scan.fallback-branch=main")
	loadDays(t, tab, live)
	expect(t, openBranch(t, st, "live"), table.ScanOptions{}, fig, apple4, peach, cherry6, pear)
	expect(t, tab, table.ScanOptions{}, fig, apple5, banana, cherry6, pear) // each looks once, not in circles
}

func TestABranchThatIsAFallbackIsKept(t *testing.T) {
	st := store.NewMem()
	tab, live := withBranch(t, st, "scan.fallback-branch")
	loadDays(t, tab, live)
	err := tab.DeleteBranch(ctx, "live")
	failsWith(t, err, table.ErrInvalid, "branch live is the scan.fallback-branch", "reset")
	err = tab.RenameBranch(ctx, "live", "other")
	failsWith(t, err, table.ErrInvalid, "branch live is the scan.fallback-branch", "reset")
	if _, err := tab.Alter(ctx, schema.RemoveOption{Key: "scan.fallback-branch"}); err != nil {
		t.Fatal(err)
	}
	expect(t, reopen(t, st), table.ScanOptions{}, fig, apple5, banana)
	if err := reopen(t, st).DeleteBranch(ctx, "live"); err != nil {
		t.Error(err)
	}
}

func TestABranchThatCannotBeReadAlongIsRefused(t *testing.T) {
	st := store.NewMem()
	err := table.Create(ctx, st, define(t, daily, "scan.primary-branch=b"))
	failsWith(t, err, table.ErrInvalid, "scan.primary-branch = b names a branch that is not there", "create the branch first")
	tab, live := withBranch(t, st, "scan.fallback-branch")
	_, err = tab.Alter(ctx, parsedChanges(t, "set scan.primary-branch=live")...)
	failsWith(t, err, table.ErrInvalid, "exclude each other")
	loadDays(t, tab, live)

	change(t, live, "add note STRING")
	_, err = tab.Scan(ctx, table.ScanOptions{})
	failsWith(t, err, table.ErrInvalid, "branches main and live have columns of other types", "alter one")
	expectOwn(t, tab, 3)
	change(t, tab, "add remark STRING")
	_, err = reopen(t, st).Scan(ctx, table.ScanOptions{})
	failsWith(t, err, table.ErrUnsupported, "branches main and live together", "rename columns alike")
	change(t, tab, "rename remark note")
	if got := lines(t, reopen(t, st), table.ScanOptions{}); len(got) != 5 {
		t.Error(got)
	}

	if err := st.DeleteDir(ctx, "branch/branch-live"); err != nil {
		t.Fatal(err)
	}
	_, err = reopen(t, st).Scan(ctx, table.ScanOptions{})
	failsWith(t, err, table.ErrNotFound, "scan.fallback-branch = live", "reset scan.fallback-branch")
	expectOwn(t, reopen(t, st), 3)
}

// expectOwn streams the table, which looks at no other branch.
func expectOwn(t testing.TB, tab *table.Table, want int64) {
	t.Helper()
	diff, err := tab.Diff(ctx, table.ScanOptions{Between: &table.Between{}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := diff.Count(ctx); n != want || err != nil {
		t.Errorf("%d rows were written, %d are told: %v", want, n, err)
	}
}

// A null of the branch has a place in the result where the table has no nulls.
func TestNullsOfTheFallbackBranch(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, `
columns: [{name: dt, type: STRING NOT NULL}, {name: n, type: INT}]
partition-by: [dt]
`)
	if err := tab.CreateBranch(ctx, "b", table.BranchOptions{}); err != nil {
		t.Fatal(err)
	}
	change(t, tab, "set scan.fallback-branch=b", "set alter-column-null-to-not-null.disabled=false")
	change(t, tab, "not-null n")
	load(t, openBranch(t, st, "b"), `{"dt":"1","n":null}`)
	s, err := reopen(t, st).Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal([]bool{s.Fields()[0].Type.Nullable, s.Fields()[1].Type.Nullable}, []bool{false, true}) {
		t.Error(s.Schema())
	}
	expect(t, reopen(t, st), table.ScanOptions{}, `{"dt":"1","n":null}`)
}
