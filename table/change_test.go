package table_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// plain is an append table: small row groups and pages, so that filters skip.
const plain = `
columns: [{name: k, type: BIGINT}, {name: v, type: STRING}, {name: p, type: INT}]
options: {commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms, parquet.page.size: 64}
`

// kindsOfAppend are tables without a key in every way that matters to changes.
var kindsOfAppend = map[string][]string{
	"rewriting":          nil,
	"rewriting, buckets": {"bucket=2", "bucket-key=k"},
	"vectors":            {"deletion-vectors.enabled=true"},
	"vectors of 64 bits": {"deletion-vectors.enabled=true", "deletion-vectors.bitmap64=true"},
	"vectors, buckets":   {"deletion-vectors.enabled=true", "bucket=2", "bucket-key=k"},
	"small index files":  {"deletion-vectors.enabled=true", "deletion-vector.index-file.target-size=1 b"},
}

func eachAppend(t *testing.T, f func(t *testing.T, st store.Store, tab *table.Table)) {
	for name, options := range kindsOfAppend {
		t.Run(name, func(t *testing.T) {
			st := store.NewMem()
			f(t, st, create(t, st, plain, options...))
		})
	}
}

func row(k int, v string, p int) string { return fmt.Sprintf(`{"k":%d,"v":%q,"p":%d}`, k, v, p) }

// changed gives the report of a change that must succeed.
func changed(t testing.TB) func(table.ChangeReport, error) table.ChangeReport {
	return func(r table.ChangeReport, err error) table.ChangeReport {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func TestDeleteRemovesTheChosenRows(t *testing.T) {
	eachAppend(t, func(t *testing.T, st store.Store, tab *table.Table) {
		load(t, tab, row(1, "a", 1), row(2, "b", 1), row(3, "c", 2))
		load(t, tab, row(4, "d", 2), row(5, "e", 2))
		try := changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "k IN (2, 4, 9)", DryRun: true}))
		got := changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "k IN (2, 4, 9)"}))
		if got != try || got.Rows != 2 || got.Vectors+got.Rewrote == 0 {
			t.Errorf("%+v, dry run %+v", got, try)
		}
		expect(t, tab, table.ScanOptions{}, row(1, "a", 1), row(3, "c", 2), row(5, "e", 2))
		expect(t, tab, table.ScanOptions{Where: "k > 1", Columns: []string{"v"}}, `{"v":"c"}`, `{"v":"e"}`)
		last, err := tab.Snapshots().Latest(ctx)
		if err != nil || last.CommitKind != snapshot.Overwrite || last.ID != 3 {
			t.Errorf("%+v %v", last, err)
		}
		changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "v = 'e' OR k = 1"}))
		expect(t, tab, table.ScanOptions{}, row(3, "c", 2))
		counts(t, tab, table.ScanOptions{}, 1)
		counts(t, tab, table.ScanOptions{Where: "p = 2"}, 1)
		expect(t, tab, table.ScanOptions{Snapshot: 2}, row(1, "a", 1), row(2, "b", 1), row(3, "c", 2), row(4, "d", 2), row(5, "e", 2))
		if got := changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "k = 4"})); got != (table.ChangeReport{}) {
			t.Errorf("deleted again: %+v", got)
		}
		if id, _ := tab.Snapshots().LatestID(ctx); id != 4 {
			t.Errorf("snapshot %d", id)
		}
		sound(t, tab)
	})
}

func counts(t testing.TB, tab *table.Table, o table.ScanOptions, want int64) {
	t.Helper()
	s, err := tab.Scan(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Count(ctx); err != nil || n != want {
		t.Errorf("counts %d rows, %v; want %d", n, err, want)
	}
}

func TestUpdateGivesTheChosenRowsNewValues(t *testing.T) {
	eachAppend(t, func(t *testing.T, st store.Store, tab *table.Table) {
		load(t, tab, row(1, "a", 1), row(2, "b", 1), row(3, "c", 2))
		set := []table.Assignment{{Name: "v", Value: "new"}, {Name: "p", Compute: plusTen}}
		got := changed(t)(tab.Update(ctx, set, table.ChangeOptions{Where: "k >= 2"}))
		if got.Rows != 2 || got.Files == 0 {
			t.Errorf("%+v", got)
		}
		expect(t, tab, table.ScanOptions{}, row(1, "a", 1), row(2, "new", 11), row(3, "new", 12))
		changed(t)(tab.Update(ctx, []table.Assignment{{Name: "k", Expr: "p"}, {Name: "v", Expr: "NULL"}}, table.ChangeOptions{}))
		expect(t, tab, table.ScanOptions{}, `{"k":1,"v":null,"p":1}`, `{"k":11,"v":null,"p":11}`, `{"k":12,"v":null,"p":12}`)
		sound(t, tab)
	})
}

func plusTen(old arrow.RecordBatch) (arrow.Array, error) {
	p := old.Column(old.Schema().FieldIndices("p")[0]).(*array.Int32)
	b := array.NewInt32Builder(memory.DefaultAllocator)
	defer b.Release()
	for _, n := range p.Values() {
		b.Append(n + 10)
	}
	return b.NewArray(), nil
}

// TestRandomChangesMakeTheModelsRows compares with a plain list of rows.
func TestRandomChangesMakeTheModelsRows(t *testing.T) {
	eachAppend(t, func(t *testing.T, st store.Store, tab *table.Table) {
		r := rand.New(rand.NewPCG(7, uint64(len(tab.Schema().Options))))
		type cells struct {
			k, p int
			v    string
		}
		var model []cells
		for step := range 25 {
			lo := r.IntN(300)
			hi := lo + r.IntN(60)
			chosen := func(c cells) bool { return c.k >= lo && c.k < hi && c.p != 3 }
			where := fmt.Sprintf("k >= %d AND k < %d AND p <> 3", lo, hi)
			switch r.IntN(3) {
			case 0:
				var rows []string
				for range 1 + r.IntN(200) {
					c := cells{r.IntN(300), r.IntN(4), fmt.Sprint("s", step)}
					model = append(model, c)
					rows = append(rows, row(c.k, c.v, c.p))
				}
				load(t, tab, rows...)
			case 1:
				changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: where}))
				model = slices.DeleteFunc(model, chosen)
			default:
				changed(t)(tab.Update(ctx, []table.Assignment{{Name: "v", Value: fmt.Sprint("u", step)}}, table.ChangeOptions{Where: where}))
				for i := range model {
					if chosen(model[i]) {
						model[i].v = fmt.Sprint("u", step)
					}
				}
			}
			var want, some []string
			for _, c := range model {
				want = append(want, row(c.k, c.v, c.p))
				if chosen(c) {
					some = append(some, row(c.k, c.v, c.p))
				}
			}
			expect(t, tab, table.ScanOptions{}, want...)
			expect(t, tab, table.ScanOptions{Where: where, AnyOrder: true}, some...)
			counts(t, tab, table.ScanOptions{}, int64(len(want)))
			if t.Failed() {
				t.Fatalf("step %d: %s", step, where)
			}
		}
		sound(t, tab)
		if left := slices.DeleteFunc(orphans(t, st, tab), func(k string) bool { return strings.Contains(k, "index-") }); len(left) > 0 {
			t.Errorf("files that no snapshot names: %q", left)
		}
	})
}

// Another commit changes the same files while a change is being planned.
func TestAChangeIsPlannedAgainWhenOthersWereFaster(t *testing.T) {
	eachAppend(t, func(t *testing.T, st store.Store, tab *table.Table) {
		load(t, tab, row(1, "a", 1), row(2, "b", 1), row(3, "c", 1))
		tries := 0
		meanwhile := func(old arrow.RecordBatch) (arrow.Array, error) {
			if tries++; tries == 1 {
				if _, err := reopen(t, st).Delete(ctx, table.ChangeOptions{Where: "k = 1"}); err != nil {
					return nil, err
				}
			}
			return plusTen(old)
		}
		nothing := func(arrow.RecordBatch) (arrow.Array, error) { return nil, nil }
		_, err := tab.Update(ctx, []table.Assignment{{Name: "p", Compute: nothing}}, table.ChangeOptions{Where: "k <= 2"})
		failsWith(t, err, table.ErrInvalid, "no values were computed")
		got := changed(t)(tab.Update(ctx, []table.Assignment{{Name: "p", Compute: meanwhile}}, table.ChangeOptions{Where: "k <= 2"}))
		if got.Rows != 1 || tries < 2 {
			t.Errorf("%+v after %d tries", got, tries)
		}
		expect(t, tab, table.ScanOptions{}, row(2, "b", 11), row(3, "c", 1))
		sound(t, tab)
		indexFiles := storetest.Tree(t, st, "index")
		for _, f := range indexFiles {
			if !strings.HasSuffix(f, "/") && !namedByASnapshot(t, tab, f) {
				t.Errorf("%s is left behind", f)
			}
		}
		if left := orphans(t, st, tab); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

func namedByASnapshot(t *testing.T, tab *table.Table, file string) bool {
	for s, err := range tab.Snapshots().All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		index, err := tab.IndexFiles(ctx, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range index {
			if strings.HasSuffix(file, e.Name) {
				return true
			}
		}
	}
	return false
}

func TestChangesOfPrimaryKeyTablesAreNewVersions(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"k":3,"v":"c"}`)
	if got := changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "v = 'b'"})); got.Rows != 1 {
		t.Errorf("%+v", got)
	}
	changed(t)(tab.Update(ctx, []table.Assignment{{Name: "v", Value: "z"}}, table.ChangeOptions{Where: "k = 3"}))
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":3,"v":"z"}`)
	if s, err := tab.Snapshots().Latest(ctx); err != nil || s.CommitKind != snapshot.Append {
		t.Errorf("%+v %v", s, err)
	}
	sound(t, tab)
	_, err := tab.Update(ctx, []table.Assignment{{Name: "k", Value: 9}}, table.ChangeOptions{Where: "k = 3"})
	failsWith(t, err, table.ErrUnsupported, "primary-key column k", "write them under their new key")
	_, err = create(t, store.NewMem(), keyed, "ignore-delete=true").Delete(ctx, table.ChangeOptions{Where: "k = 3"})
	failsWith(t, err, table.ErrUnsupported, "ignore-delete")
}

func TestChangesSayWhatIsWrongWithThem(t *testing.T) {
	tab := create(t, store.NewMem(), plain)
	load(t, tab, row(1, "a", 1))
	_, err := tab.Delete(ctx, table.ChangeOptions{})
	failsWith(t, err, table.ErrInvalid, "no filter", "Truncate")
	for fact, set := range map[string][]table.Assignment{
		"sets no column":         nil,
		`no column "x"`:          {{Name: "x"}},
		`value: at character 1`:  {{Name: "k", Expr: "y"}},
		`column "v": value: at`:  {{Name: "v", Expr: "'a' || 'b'"}},
		"set twice":              {{Name: "k"}, {Name: "k"}},
		"more than one thing":    {{Name: "k", Value: 1, Expr: "p"}},
		`column "p": value 3000`: {{Name: "p", Value: int64(3_000_000_000)}},
	} {
		_, err := tab.Update(ctx, set, table.ChangeOptions{Where: "k = 1"})
		failsWith(t, err, nil, fact)
	}
}

// A change that fails for certain, on a full disk say, must not keep the disk full.
func TestAChangeThatFailsLeavesNoFiles(t *testing.T) {
	eachAppend(t, func(t *testing.T, below store.Store, tab *table.Table) {
		load(t, tab, row(1, "a", 1), row(2, "b", 1), row(3, "c", 2))
		for verb, change := range map[string]func(*table.Table) (table.ChangeReport, error){
			"delete": func(tab *table.Table) (table.ChangeReport, error) {
				return tab.Delete(ctx, table.ChangeOptions{Where: "k = 2"})
			},
			"update": func(tab *table.Table) (table.ChangeReport, error) {
				return tab.Update(ctx, []table.Assignment{{Name: "v", Value: "x"}}, table.ChangeOptions{Where: "k = 2"})
			},
		} {
			sick := storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
				if op.Verb == storetest.Write && strings.HasPrefix(op.Key, "manifest/") {
					return storetest.Outcome{Fail: storetest.ErrDiskFull}
				}
				return storetest.Outcome{}
			})
			_, err := change(reopen(t, sick))
			failsWith(t, err, storetest.ErrDiskFull)
			if left := append(orphans(t, below, tab), orphanIndexes(t, below, tab)...); len(left) > 0 {
				t.Errorf("%s left behind: %q", verb, left)
			}
			expect(t, tab, table.ScanOptions{}, row(1, "a", 1), row(2, "b", 1), row(3, "c", 2))
		}
	})
}

// The rows are in, and others win every race for the id of the compaction's
// snapshot: files of a conflict are deleted, and these must not be.
func TestRowsStayWhenTheirCompactionNeverGetsAnId(t *testing.T) {
	const yaml = `
columns: [{name: p, type: STRING NOT NULL}, {name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}]
primary-key: [p, k]
partition-by: [p]
options: {bucket: 1, deletion-vectors.enabled: true, commit.max-retries: 2, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`
	for verb, change := range map[string]func(*table.Table) error{
		"update": func(tab *table.Table) error {
			_, err := tab.Update(ctx, []table.Assignment{{Name: "v", Value: "new"}}, table.ChangeOptions{Where: "p = 'a'"})
			return err
		},
		"commit": func(tab *table.Table) error {
			w := newWriter(t, tab, "")
			if err := write(t, w, tab, `{"p":"a","k":1,"v":"new"}`); err != nil {
				return err
			}
			msgs, err := w.Prepare(ctx, 1)
			if err != nil {
				return err
			}
			if err = w.Commit(ctx, 1, msgs); errors.Is(err, table.ErrConflict) {
				return tab.Abort(ctx, msgs)
			}
			return err
		},
	} {
		t.Run(verb, func(t *testing.T) {
			below := store.NewMem()
			tab := create(t, below, yaml)
			load(t, tab, `{"p":"a","k":1,"v":"old"}`)
			snapshots := 0
			sick := storetest.Faulty(below, func(op storetest.Op) storetest.Outcome {
				if op.Verb == storetest.CreateIfAbsent && strings.Contains(op.Key, "/snapshot-") {
					if snapshots++; snapshots > 1 {
						load(t, tab, fmt.Sprintf(`{"p":"b","k":%d,"v":"rival"}`, snapshots))
					}
				}
				return storetest.Outcome{}
			})
			if err := change(reopen(t, sick)); err != nil {
				t.Error(err)
			}
			if snapshots < 3 {
				t.Errorf("%d attempts", snapshots)
			}
			sound(t, tab)
			load(t, tab, `{"p":"a","k":2,"v":"more"}`) // what is at level 0 comes into sight
			expect(t, tab, table.ScanOptions{Where: "p = 'a'"}, `{"p":"a","k":1,"v":"new"}`, `{"p":"a","k":2,"v":"more"}`)
			sound(t, tab)
			if left := append(orphans(t, below, tab), orphanIndexes(t, below, tab)...); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}
