package table_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// maintained is a table that is written, tagged, branched, rolled back, expired and
// cleaned in any order. It remembers what each snapshot held and told when it was new.
type maintained struct {
	t    *testing.T
	st   store.Store
	r    *rand.Rand
	time *clock
	log  []string
	rows map[string][]string // by the name of the snapshot's delta
	told map[string][]string // "" where its changelog has gone and a tag brought it back
}

// The seeds are those from TIDELAKE_MAINTAINED on, 300 of them, where that is set.
func TestWhateverIsDoneToATableItHoldsWhatItNames(t *testing.T) {
	from, n := 0, 4
	if text := os.Getenv("TIDELAKE_MAINTAINED"); text != "" {
		var err error
		if from, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		n = 300
	}
	for seed := from; seed < from+n; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			m := &maintained{t: t, st: store.NewMem(), r: rand.New(rand.NewPCG(uint64(seed), 5)), time: &clock{}, rows: map[string][]string{}, told: map[string][]string{}}
			m.time.set(time.Now())
			options := []string{"write-only=false", "num-sorted-run.compaction-trigger=3", "changelog-producer=" + oneOf(m.r, "none", "input", "lookup"),
				"snapshot.num-retained.min=1", "snapshot.num-retained.max=1000", "snapshot.time-retained=10000 d"}
			if m.r.IntN(2) == 0 {
				options = append(options, "changelog.num-retained.min=1", "changelog.num-retained.max=2000", "changelog.time-retained="+oneOf(m.r, "2 h", "10000 d"))
			}
			create(t, m.st, keyed, options...)
			m.log = []string{fmt.Sprint(options)}
			for range 30 {
				m.step()
			}
		})
	}
}

func (m *maintained) failed(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\n%s", strings.Join(m.log, "\n"), fmt.Sprintf(format, args...))
}

func (m *maintained) open(branch string) *table.Table {
	w, _ := world(m.t)
	w.Clock = func() time.Time { m.time.pass(time.Millisecond); return m.time.now() }
	tab, err := table.OpenBranch(ctx, m.st, branch, "db.t", table.Settings{}, w)
	if err != nil {
		m.failed("open %s: %v", branch, err)
	}
	return tab
}

func (m *maintained) branches() []string {
	names, err := snapshot.Branches(ctx, m.st)
	if err != nil {
		m.failed("%v", err)
	}
	return append(names, snapshot.MainBranch)
}

// step does something to a branch. What is refused changes nothing.
func (m *maintained) step() {
	branch := oneOf(m.r, m.branches()...)
	tab := m.open(branch)
	m.time.pass(time.Duration(m.r.IntN(100)) * time.Minute)
	do := m.works()
	name := oneOf(m.r, slices.Sorted(maps.Keys(do))...)
	m.log = append(m.log, branch+": "+name)
	if err := do[name](tab); errors.Is(err, table.ErrCorrupt) || strings.Contains(name, "!") && err != nil {
		m.failed("%v", err)
	} else if err != nil {
		m.log = append(m.log, "    "+err.Error())
	}
	m.learn(m.open(branch))
	for _, b := range m.branches() {
		m.check(m.open(b))
	}
}

// works are the things to do; those with an exclamation mark are never refused.
func (m *maintained) works() map[string]func(*table.Table) error {
	r := m.r
	tag, branch := "t"+strconv.Itoa(r.IntN(3)), "b"+strconv.Itoa(r.IntN(2))
	row := func() string {
		return fmt.Sprintf(`{"_kind":%q,"k":%d,"v":"%d"}`, oneOf(r, "+I", "+I", "-D"), r.IntN(6), r.IntN(100))
	}
	load1 := func(tab *table.Table) error { load(m.t, tab, row(), row(), row()); return nil }
	set := func(key, value string) func(*table.Table) error {
		return func(tab *table.Table) error {
			_, err := tab.Alter(ctx, schema.SetOption{Key: key, Value: value})
			return err
		}
	}
	return map[string]func(*table.Table) error{
		"write! 1": load1, "write! 2": load1, "write! 3": load1, "write! 4": load1,
		"compact": compactsFully,
		"tag " + tag: func(tab *table.Table) error {
			return second(tab.CreateTag(ctx, tag, table.TagOptions{Snapshot: m.any(tab)}))
		},
		"replace tag " + tag: func(tab *table.Table) error {
			return second(tab.ReplaceTag(ctx, tag, table.TagOptions{Snapshot: m.any(tab)}))
		},
		"delete tag " + tag: func(tab *table.Table) error { return tab.DeleteTag(ctx, tag) },
		"branch " + branch: func(tab *table.Table) error {
			return tab.CreateBranch(ctx, branch, table.BranchOptions{Snapshot: m.any(tab)})
		},
		"branch " + branch + " of " + tag: func(tab *table.Table) error {
			return m.brought(tab.Snapshots(), tag, tab.CreateBranch(ctx, branch, table.BranchOptions{Tag: tag}))
		},
		"delete branch " + branch: func(tab *table.Table) error { return tab.DeleteBranch(ctx, branch) },
		"fast-forward " + branch:  func(tab *table.Table) error { return tab.FastForward(ctx, branch) },
		"roll back": func(tab *table.Table) error {
			return second(tab.Rollback(ctx, table.RollbackOptions{Snapshot: m.any(tab)}))
		},
		"roll back to " + tag: func(tab *table.Table) error {
			return m.brought(tab.Snapshots(), tag, second(tab.Rollback(ctx, table.RollbackOptions{Tag: tag})))
		},
		"expire! 1": m.expires, "expire! 2": m.expires, "expire! 3": m.expires,
		"clean!":            m.cleans,
		"another producer!": set("changelog-producer", oneOf(r, "none", "input", "lookup")),
		"keep changelogs":   set("changelog.num-retained.max", "2000"),
	}
}

func second[T any](_ T, err error) error { return err }

func compactsFully(tab *table.Table) error { return compacted(ctx, tab) }

// any is the id of some snapshot.
func (m *maintained) any(tab *table.Table) int64 {
	ids, err := tab.Snapshots().IDs(ctx)
	if err != nil {
		m.failed("%v", err)
	}
	return oneOf(m.r, append(ids, 1)...)
}

// brought notes that a tag brought back a snapshot whose changelog may have gone.
func (m *maintained) brought(c *snapshot.Chain, name string, err error) error {
	if err != nil {
		return err
	}
	tag, err := c.Tag(ctx, name)
	if err == nil {
		m.told[tag.DeltaManifestList] = nil
	}
	return err
}

func (m *maintained) expires(tab *table.Table) error {
	o := table.ExpireOptions{RetainMin: 1 + m.r.IntN(3), RetainMax: 3 + m.r.IntN(3)}
	if m.r.IntN(2) == 0 {
		o.OlderThan = m.time.now().Add(-time.Duration(m.r.IntN(60)) * time.Minute)
	}
	report, err := tab.Expire(ctx, o)
	if err == nil && len(report.Left) > 0 {
		err = fmt.Errorf("left: %q", report.Left)
	}
	m.log = append(m.log, fmt.Sprintf("    %+v", report))
	return err
}

func (m *maintained) cleans(tab *table.Table) error {
	m.time.set(time.Now().Add(1000 * time.Hour))
	return second(tab.Clean(ctx, table.CleanOptions{OlderThan: time.Millisecond, Delete: true}))
}

// held are the rows of a snapshot, or of a tag.
func (m *maintained) held(tab *table.Table, o table.ScanOptions) []string {
	rows, err := scanLines(ctx, tab, o)
	if err != nil {
		m.failed("%s: rows of %+v: %v", tab.Name(), o, err)
	}
	return rows
}

// tells are the changes of a snapshot.
func (m *maintained) tells(tab *table.Table, id int64) []string {
	s, err := tab.Stream(ctx, table.StreamOptions{Mode: table.FromSnapshot, Snapshot: id, UntilSnapshot: id, Overwrites: table.SkipOverwrites})
	var got []string
	if err == nil {
		got, err = collect(m.t, s)
	}
	if err != nil {
		m.failed("%s: changes of %d: %v", tab.Name(), id, err)
	}
	return append([]string{""}, got...) // never nil
}

// learn remembers what is new in a branch.
func (m *maintained) learn(tab *table.Table) {
	for s, err := range tab.Snapshots().All(ctx) {
		if err != nil {
			m.failed("%v", err)
		}
		if _, known := m.rows[s.DeltaManifestList]; !known {
			m.rows[s.DeltaManifestList] = m.held(tab, table.ScanOptions{Snapshot: s.ID})
			m.told[s.DeltaManifestList] = m.tells(tab, s.ID)
		}
	}
}

// check proves that all snapshots and tags of a branch hold what they did, that all
// changes that are kept without a gap are told as they were, and that Check finds nothing.
func (m *maintained) check(tab *table.Table) {
	same := func(what string, want, got []string) {
		if d := cmp.Diff(want, got); d != "" {
			m.failed("%s: %s (-want +got):\n%s", tab.Name(), what, d)
		}
	}
	all, err := tab.Tags(ctx)
	if err != nil {
		m.failed("%v", err)
	}
	for _, tag := range all {
		same("tag "+tag.Name, m.rows[tag.DeltaManifestList], m.held(tab, table.ScanOptions{Tag: tag.Name}))
	}
	c := tab.Snapshots()
	id, err := c.LatestID(ctx)
	for ; err == nil && id > 0; id-- {
		s, gone := c.Get(ctx, id)
		if gone == nil {
			same(fmt.Sprint("snapshot ", id), m.rows[s.DeltaManifestList], m.held(tab, table.ScanOptions{Snapshot: id}))
		} else if s, gone = c.LongLived(ctx, id); gone != nil {
			break
		}
		if want := m.told[s.DeltaManifestList]; want != nil {
			same(fmt.Sprint("changes of ", id), want, m.tells(tab, id))
		}
	}
	report, bad := tab.Check(ctx, nil)
	if err = errors.Join(err, bad); err != nil || len(report.Problems) > 0 {
		m.failed("%s: %v %v", tab.Name(), report.Problems, err)
	}
}
