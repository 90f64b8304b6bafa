package table_test

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// A work is what one process does with a table.
type work func(tab *table.Table) error

// interleave lets the first work stop before its i-th call of the store, until
// the second has come before its j-th, or to its end; then the first goes on to
// its end, and the second after it. It tells which of them came so far.
func interleave(t *testing.T, st store.Store, i, j int64, first, second work) (met, reached bool, firstErr, secondErr error) {
	t.Helper()
	stopped, goOn, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	begin := func() {
		defer close(done)
		secondErr = second(openOn(t, storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
			if op.N == j {
				reached = true
				close(stopped)
				<-goOn
			}
			return storetest.Outcome{}
		})))
		if !reached {
			close(stopped)
		}
	}
	firstErr = first(openOn(t, storetest.Faulty(st, func(op storetest.Op) storetest.Outcome {
		if op.N == i {
			met = true
			go begin()
			<-stopped
		}
		return storetest.Outcome{}
	})))
	if met {
		close(goOn)
		<-done
	}
	return met, reached, firstErr, secondErr
}

// openOn opens a table whose calls of the store come one after the other.
func openOn(t *testing.T, st store.Store) *table.Table {
	t.Helper()
	w, _ := world(t)
	w.Clock = func() time.Time { return time.Now().Add(48 * time.Hour) } // files are old enough to be cleaned
	tab, err := table.Open(ctx, st, "db.t", table.Settings{Parallel: 1}, w)
	if err != nil {
		t.Error(err)
	}
	return tab
}

// races are two works at once, and what the first, or the second, may say where the other was quicker.
var races = map[string]struct {
	first, second       work
	firstMay, secondMay error
	leaves              bool // data files that are nobody's and still mentioned, which cleaning finds once they are not
}{
	"expiry while a tag is created":          {first: expires, second: tags(5), secondMay: table.ErrNotFound},
	"a tag is created while expiry runs":     {first: tags(5), second: expires, firstMay: table.ErrNotFound},
	"expiry while a branch is created":       {first: expires, second: branches(table.BranchOptions{Snapshot: 5}), secondMay: table.ErrNotFound},
	"a branch is created while expiry runs":  {first: branches(table.BranchOptions{Snapshot: 5}), second: expires, firstMay: table.ErrNotFound},
	"expiry while a tag is replaced":         {first: expires, second: replaces, secondMay: table.ErrNotFound},
	"a tag is replaced while expiry runs":    {first: replaces, second: expires, firstMay: table.ErrNotFound},
	"expiry while a tag is renamed":          {first: expires, second: renames},
	"expiry while a tag is deleted":          {first: expires, second: untags("old")},
	"a tag is deleted while expiry runs":     {first: untags("old"), second: expires},
	"a tag is deleted while it is renamed":   {first: untags("old"), second: renames, firstMay: table.ErrNotFound, secondMay: table.ErrNotFound},
	"a tag is renamed while it is deleted":   {first: renames, second: untags("old"), firstMay: table.ErrNotFound, secondMay: table.ErrNotFound},
	"two tags of one snapshot are deleted":   {first: untags("old"), second: untags("older")},
	"a branch is made of a tag that goes":    {first: branches(table.BranchOptions{Tag: "old"}), second: untags("old", "older"), firstMay: table.ErrNotFound, leaves: true},
	"a tag goes that a branch is made of":    {first: untags("older", "old"), second: branches(table.BranchOptions{Tag: "old"}), secondMay: table.ErrNotFound, leaves: true},
	"a branch takes a tag's place in expiry": {first: expires, second: supplants},
	"a branch takes a tag's place, cleaning": {first: cleans, second: supplants},
	"cleaning racing expiry":                 {first: cleans, second: expires, firstMay: table.ErrNotFound},
	"expiry racing cleaning":                 {first: expires, second: cleans, secondMay: table.ErrNotFound},
	"cleaning while a tag is deleted":        {first: cleans, second: untags("old", "older"), leaves: true},
	"cleaning while a tag is renamed":        {first: cleans, second: renames},
}

func expires(tab *table.Table) error {
	_, err := tab.Expire(ctx, last(2))
	return err
}

func cleans(tab *table.Table) error {
	_, err := tab.Clean(ctx, table.CleanOptions{Delete: true})
	return err
}

func tags(id int64) work {
	return func(tab *table.Table) error {
		_, err := tab.CreateTag(ctx, "new", table.TagOptions{Snapshot: id})
		return err
	}
}

func branches(o table.BranchOptions) work {
	return func(tab *table.Table) error { return tab.CreateBranch(ctx, "b", o) }
}

func replaces(tab *table.Table) error {
	_, err := tab.ReplaceTag(ctx, "old", table.TagOptions{Snapshot: 5})
	return err
}

func renames(tab *table.Table) error { return tab.RenameTag(ctx, "old", "new") }

func untags(names ...string) work {
	return func(tab *table.Table) error {
		for _, name := range names {
			if err := tab.DeleteTag(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}
}

func supplants(tab *table.Table) error {
	if err := tab.CreateBranch(ctx, "b", table.BranchOptions{Tag: "old"}); err != nil {
		return err
	}
	return untags("old", "older")(tab)
}

// Two processes that name old snapshots and take them away meet anywhere: what is
// named in the end is whole, and nothing else is left that cleaning does not find.
//
// The second starts before some calls of the first only; with TIDELAKE_FAULTS=all
// before every one, and stops before every one of its own, which takes minutes.
func TestWhoNamesAnOldSnapshotMeetsWhoTakesItAway(t *testing.T) {
	begin, rows := choreBase(t, "changelog-producer=input")
	first, second := int64(17*slow), int64(37)
	if os.Getenv("TIDELAKE_FAULTS") == "all" {
		first, second = 1, 1
	}
	for name, r := range races {
		t.Run(name, func(t *testing.T) {
			for j := int64(1); ; j += second {
				more := false
				for i := 1 + j%first; ; i += first {
					st := copyOf(t, begin)
					met, reached, firstErr, secondErr := interleave(t, st, i, j, r.first, r.second)
					may(t, firstErr, r.firstMay)
					may(t, secondErr, r.secondMay)
					nothingIsLost(t, st, rows, r.leaves)
					if t.Failed() {
						t.Fatalf("the second stops before its call %d, before call %d of the first: %v, %v", j, i, firstErr, secondErr)
					}
					if more = more || reached; !met {
						break
					}
				}
				if !more {
					break
				}
			}
		})
	}
}

func may(t *testing.T, err, class error) {
	t.Helper()
	if err != nil && (class == nil || !errors.Is(err, class)) {
		t.Error(err)
	}
}

// nothingIsLost proves that every tag and branch reads as its snapshot did, and
// that after expiry and cleaning nothing is left but what is named.
func nothingIsLost(t *testing.T, st store.Store, rows map[int64][]string, leaves bool) {
	t.Helper()
	tab := openOn(t, st)
	allThere(t, st, tab)
	all, err := tab.Snapshots().Tags(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range all {
		expect(t, tab, table.ScanOptions{Tag: tag.Name}, slices.Clone(rows[tag.ID])...)
	}
	names, err := tab.Branches(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b := openBranch(t, st, name)
		at, err := b.Snapshots().Latest(ctx)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, b, table.ScanOptions{}, slices.Clone(rows[at.ID])...)
	}
	if err := errors.Join(expires(tab), cleans(tab)); err != nil {
		t.Error(err)
	}
	if allThere(t, st, tab); !leaves {
		tidy(t, st, tab)
	}
}
