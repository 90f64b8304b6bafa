package table_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/table"
)

// versions is a table whose rows are merged in the way that options say.
const versions = `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}, {name: n, type: INT}, {name: s, type: INT}]
primary-key: [k]
options: {bucket: 2, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`

// lookedUp are the ways in which compactions look up older rows.
var lookedUp = map[string][]string{
	"deduplicate":            nil,
	"deduplicate by field":   {"sequence.field=s"},
	"partial-update":         {"merge-engine=partial-update"},
	"partial-update, groups": {"merge-engine=partial-update", "fields.s.sequence-group=n"},
	"aggregation":            {"merge-engine=aggregation", "fields.n.aggregate-function=sum", "fields.s.aggregate-function=max"},
	"ignore-delete":          {"ignore-delete=true"},
	"thin":                   {"data-file.thin-mode=true"},
}

// TestVectorsChangeNoRow does the same to a table whose compactions mark
// outdated rows, and to one that merges on reading.
func TestVectorsChangeNoRow(t *testing.T) {
	for name, options := range lookedUp {
		for _, more := range [][]string{nil, {"deletion-vectors.bitmap64=true", "target-file-size=1 kb"}, {"lookup-compact=gentle", "lookup-wait=false"}} {
			t.Run(name+strings.Join(more, ","), func(t *testing.T) {
				sparse := slices.Contains(more, "lookup-wait=false")
				with := create(t, store.NewMem(), versions, slices.Concat(options, more, []string{"deletion-vectors.enabled=true"})...)
				without := create(t, store.NewMem(), versions, slices.Concat(options, []string{"write-only=true"})...)
				r := rand.New(rand.NewPCG(11, uint64(len(name))))
				var w *table.Writer
				for step := range 24 {
					if w == nil || r.IntN(4) == 0 { // another process goes on
						w = newWriter(t, with, fmt.Sprint("u", step))
					}
					rows := randomVersions(r, name != "deduplicate" && name != "thin" && name != "ignore-delete") // late rows show after a dropped delete
					commit(t, w, with, rows...)
					load(t, without, rows...)
					if !sparse {
						expect(t, with, table.ScanOptions{}, lines(t, without, table.ScanOptions{})...)
						expect(t, with, table.ScanOptions{Where: "n > 3"}, lines(t, without, table.ScanOptions{Where: "n > 3"})...)
						counts(t, with, table.ScanOptions{}, int64(len(lines(t, without, table.ScanOptions{}))))
					}
					if t.Failed() {
						t.Fatalf("step %d", step)
					}
				}
				if sparse {
					for range 20 { // until level 0 has been lifted
						commit(t, w, with, `{"k":1000,"v":"z","n":0,"s":1}`)
						load(t, without, `{"k":1000,"v":"z","n":0,"s":1}`)
						if !strings.Contains(levels(t, with), "{0=") {
							break
						}
					}
					if !strings.Contains(levels(t, with), "{0=") {
						expect(t, with, table.ScanOptions{}, lines(t, without, table.ScanOptions{})...)
					}
				}
				if err := w.Close(); err != nil {
					t.Error(err)
				}
				sound(t, with)
			})
		}
	}
}

func randomVersions(r *rand.Rand, inserts bool) []string {
	var rows []string
	span := []int{20, 200}[r.IntN(2)]
	for range 1 + r.IntN(60) {
		kind := `"_kind":"+I",`
		if !inserts && r.IntN(6) == 0 {
			kind = `"_kind":"-D",`
		}
		v := fmt.Sprintf(`"v%d"`, r.IntN(100))
		if inserts && r.IntN(3) == 0 {
			v = "null"
		}
		rows = append(rows, fmt.Sprintf(`{%s"k":%d,"v":%s,"n":%d,"s":%d}`, kind, r.IntN(span), v, r.IntN(9), r.IntN(50)))
	}
	return rows
}

// TestFirstRowsStay compares with a map that forgets nothing.
func TestFirstRowsStay(t *testing.T) {
	for _, more := range [][]string{nil, {"target-file-size=1 kb"}, {"num-sorted-run.compaction-trigger=3"}} {
		t.Run(strings.Join(more, ","), func(t *testing.T) {
			tab := create(t, store.NewMem(), versions, append(more, "merge-engine=first-row", "bucket=1")...)
			r := rand.New(rand.NewPCG(3, 4))
			model := map[int]string{}
			var w *table.Writer
			for step := range 30 {
				if w == nil || r.IntN(4) == 0 {
					w = newWriter(t, tab, fmt.Sprint("u", step))
				}
				var rows, want []string
				for range 1 + r.IntN(50) {
					k := r.IntN(150)
					row := fmt.Sprintf(`{"k":%d,"v":"s%d","n":%d,"s":null}`, k, step, r.IntN(9))
					if model[k] == "" {
						model[k] = row
					}
					rows = append(rows, row)
				}
				commit(t, w, tab, rows...)
				for _, row := range model {
					want = append(want, row)
				}
				expect(t, tab, table.ScanOptions{}, want...)
				if t.Failed() {
					t.Fatalf("step %d", step)
				}
			}
			sound(t, tab)
		})
	}
}

// Vectors of one bucket are in one file, whose name the commit before it made.
func TestCompactionsLeaveOneIndexFileABucket(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, versions, "deletion-vectors.enabled=true", "bucket=1")
	w := newWriter(t, tab, "u")
	for i := range 9 {
		commit(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"a","n":1,"s":1}`, i), fmt.Sprintf(`{"k":%d,"v":"b","n":1,"s":1}`, i/2))
	}
	index, err := tab.IndexFiles(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	live := map[string]bool{}
	for f, err := range tab.Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		live[f.Name] = true
	}
	for _, e := range index {
		if e.Type != manifest.DeletionVectorsIndex {
			continue
		}
		for _, r := range e.Ranges {
			if !live[r.File] {
				t.Errorf("a vector of %s, which is gone", r.File)
			}
		}
	}
	if len(index) > 1 {
		t.Errorf("%d index files", len(index))
	}
	sound(t, tab)
}

// A writer whose compaction fails, since an overwrite took its files, still
// hands out what it has compacted otherwise.
func TestAWriterGoesOnAfterAnOverwriteTookTheFilesOfItsCompactions(t *testing.T) {
	tab := create(t, store.NewMem(), versions, "bucket=1", "full-compaction.delta-commits=1", "compaction.force-up-level-0=true", "write-buffer-size=1 kb")
	rows := func(from, n int) (rows []string) {
		for k := range n {
			rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"a","n":1,"s":1}`, from+k))
		}
		return rows
	}
	w := newWriter(t, tab, "u")
	commit(t, w, tab, rows(0, 3)...)
	if err := write(t, w, tab, rows(3, 2)...); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tab.NewCommitter(ctx, "v")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Overwrite(ctx, 1, nil, msgs); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		commit(t, w, tab, rows(100*i+5, 100)...)
	}
	expect(t, tab, table.ScanOptions{}, append(rows(3, 2), rows(5, 300)...)...)
	sound(t, tab)
}

// One writer's compaction takes a row to the highest level, another one's looks
// a row of the same key up there before that is committed. Its result hid the
// first row for good, since it stands for all that lies above it.
func TestNoRowIsHiddenByACompactionThatLookedItUpTooEarly(t *testing.T) {
	for _, option := range []string{"force-lookup=true", "changelog-producer=lookup", "deletion-vectors.enabled=true"} {
		st := store.NewMem()
		create(t, st, versions, "bucket=1", "merge-engine=aggregation", "fields.n.aggregate-function=sum", "compaction.optimization-interval=1 h", option)
		second := waiting(t, reopen(t, st), "second")
		var rows []string
		for k := range 2000 { // so that a new row is not worth another full compaction
			rows = append(rows, fmt.Sprintf(`{"k":%d,"n":1}`, k))
		}
		commit(t, second, reopen(t, st), rows...)
		tab := reopen(t, st)
		first := waiting(t, tab, "first")
		if err := write(t, first, tab, `{"k":1,"n":10}`); err != nil {
			t.Fatal(err)
		}
		msgs, err := first.Prepare(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, second, reopen(t, st), `{"k":1,"n":100}`)
		if got := levels(t, reopen(t, st)); got != "{4=1, 5=1}" || len(msgs[0].CompactBefore) != 2 {
			t.Errorf("levels %s, %d files compacted: not what was to be shown", got, len(msgs[0].CompactBefore))
		}
		if err := first.Commit(ctx, 1, msgs); err != nil {
			t.Fatal(err)
		}
		compactAll(t, st)
		expect(t, reopen(t, st), table.ScanOptions{Where: "k = 1", Columns: []string{"n"}}, `{"n":111}`)
		sound(t, reopen(t, st))
	}
}
