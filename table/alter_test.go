package table_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// alter makes changes given as "verb text", and opens the table anew.
func alter(t testing.TB, st store.Store, changes ...string) *table.Table {
	t.Helper()
	tab := reopen(t, st)
	if _, err := tab.Alter(ctx, parsedChanges(t, changes...)...); err != nil {
		t.Fatal(err)
	}
	next, err := tab.Refresh(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func parsedChanges(t testing.TB, changes ...string) []schema.Change {
	t.Helper()
	var out []schema.Change
	for _, c := range changes {
		verb, text, _ := strings.Cut(c, " ")
		if key, value, ok := strings.Cut(text, "="); ok && verb == "set" {
			out = append(out, schema.SetOption{Key: key, Value: value})
			continue
		}
		more, err := schema.ParseChange(verb, text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, more...)
	}
	return out
}

func TestAnOpenTableKeepsItsSchemaUntilItLooksAgain(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	if same, err := tab.Refresh(ctx); err != nil || same != tab {
		t.Errorf("%p %v, want %p", same, err, tab)
	}
	sc, err := tab.Alter(ctx, parsedChanges(t, "add n INT")...)
	if err != nil || sc.ID != 1 || sc.Index("n") < 0 {
		t.Fatal(sc, err)
	}
	if tab.Schema().ID != 0 || tab.Schema().Index("n") >= 0 {
		t.Error("the open table changed under its user")
	}
	next, err := tab.Refresh(ctx)
	if err != nil || next.Schema().ID != 1 || next.Name() != tab.Name() {
		t.Fatal(next, err)
	}
	sound(t, next)
}

func TestADryRunPublishesNothing(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	sc, err := table.Alter(ctx, st, "d.t", parsedChanges(t, "drop v", "add n INT"), table.AlterOptions{DryRun: true}, table.Components{})
	if err != nil || sc.ID != 1 || sc.Index("v") >= 0 {
		t.Fatal(sc, err)
	}
	if same, err := tab.Refresh(ctx); err != nil || same != tab {
		t.Error(same, err)
	}
}

func TestAlterationsThatRaceAllHappen(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := tab.Alter(ctx, parsedChanges(t, fmt.Sprintf("add n%d INT", i))...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := reopen(t, st).Schema()
	if got.ID != 8 || got.HighestFieldID != tab.Schema().HighestFieldID+8 {
		t.Errorf("schema %d, highest field id %d", got.ID, got.HighestFieldID)
	}
	for i := range 8 {
		if got.Index(fmt.Sprint("n", i)) < 0 {
			t.Errorf("n%d is missing", i)
		}
	}
}

func TestALostAnswerToAnAlterationIsSettled(t *testing.T) {
	mem := store.NewMem()
	create(t, mem, keyed)
	gone := errors.New("gone")
	tab := reopen(t, storetest.Faulty(mem, storetest.Once(storetest.CreateIfAbsent, "schema-1", storetest.Outcome{Lose: gone})))
	if sc, err := tab.Alter(ctx, parsedChanges(t, "add n INT")...); err != nil || sc.ID != 1 {
		t.Error(sc, err)
	}
	if id := reopen(t, mem).Schema().ID; id != 1 {
		t.Errorf("schema %d", id)
	}
}

func TestAnAlterationNamesTableAndFault(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	load(t, tab, `{"k":1,"v":"a"}`)
	_, err := tab.Alter(ctx, parsedChanges(t, "drop k")...)
	failsWith(t, err, table.ErrInvalid, "alter: table db.t", "column k")
	_, err = tab.Alter(ctx, parsedChanges(t, "set merge-engine=first-row")...)
	failsWith(t, err, table.ErrInvalid, "merge-engine")
	_, err = tab.Alter(ctx, parsedChanges(t, "set scan.fallback-branch=b")...)
	failsWith(t, err, table.ErrInvalid, "scan.fallback-branch = b names a branch that is not there")
	_, err = table.Alter(ctx, store.NewMem(), "d.u", parsedChanges(t, "drop v"), table.AlterOptions{}, table.Components{})
	failsWith(t, err, table.ErrNotFound, "d.u")
}

// A store that takes no schema file is no sign that the table is missing.
func TestAnAlterationThatTheStoreRefusesSaysWhy(t *testing.T) {
	mem := store.NewMem()
	create(t, mem, keyed)
	full := errors.New("the disk is full")
	tab := reopen(t, storetest.Faulty(mem, storetest.Once(storetest.CreateIfAbsent, "schema-1", storetest.Outcome{Fail: full})))
	_, err := tab.Alter(ctx, parsedChanges(t, "add n INT")...)
	if !errors.Is(err, full) || errors.Is(err, table.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
