package table_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// compacting is keyed whose writers compact.
const compacting = `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}]
primary-key: [k]
options: {bucket: 1, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`

// eager makes every compaction a full one.
const eager = "compaction.total-size-threshold=1 gb"

// waiting is a writer that waits for its compactions.
func waiting(t testing.TB, tab *table.Table, user string) *table.Writer {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{User: user, WaitCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return w
}

// levels are the numbers of live files by level, "{0=2, 5=1}".
func levels(t testing.TB, tab *table.Table) string {
	t.Helper()
	files := map[int]int{}
	for f, err := range tab.Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		files[f.Level]++
	}
	var out []string
	for l := range 200 {
		if files[l] > 0 {
			out = append(out, fmt.Sprintf("%d=%d", l, files[l]))
		}
	}
	return "{" + strings.Join(out, ", ") + "}"
}

// traces are the lines of a file of what Java's levels hold after each commit.
func traces(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open("testdata/lsm_levels.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string][]string{}
	line := regexp.MustCompile(`^\[(.*)\] levels`)
	step := regexp.MustCompile(`\d+:(\{[^}]*\})`)
	for in := bufio.NewScanner(f); in.Scan(); {
		if m := line.FindStringSubmatch(in.Text()); m != nil {
			for _, s := range step.FindAllStringSubmatch(in.Text(), -1) {
				out[m[1]] = append(out[m[1]], s[1])
			}
		}
	}
	return out
}

// Twelve commits of twenty rows leave the files on the levels where Java has them.
func TestLevelsAreThoseOfJava(t *testing.T) {
	want := traces(t)
	for options, as := range map[string]string{
		"":                                    "",
		"num-sorted-run.compaction-trigger=3": "num-sorted-run.compaction-trigger=3",
		"full-compaction.delta-commits=3":     "changelog-producer=full-compaction;full-compaction.delta-commits=3",
		"force-lookup=true":                   "changelog-producer=lookup",
		"compaction.force-up-level-0=true":    "changelog-producer=lookup",
		"deletion-vectors.enabled=true":       "deletion-vectors.enabled=true",
		"merge-engine=first-row":              "merge-engine=first-row",
	} {
		t.Run(options, func(t *testing.T) {
			var set []string
			if options != "" {
				set = strings.Split(options, ";")
			}
			tab := create(t, store.NewMem(), compacting, set...)
			w := waiting(t, tab, "")
			rows := map[int]string{}
			var got []string
			for i := 1; i <= 12; i++ {
				var in []string
				for j := range 20 {
					k := i*7 + 3*j
					row := fmt.Sprintf(`{"k":%d,"v":"c%d"}`, k, i)
					if rows[k] == "" || options != "merge-engine=first-row" {
						rows[k] = row
					}
					in = append(in, row)
				}
				commit(t, w, tab, in...)
				got = append(got, levels(t, tab))
			}
			if !slices.Equal(got, want[as]) {
				t.Errorf("levels\n%q\nwant\n%q", got, want[as])
			}
			var all []string
			for _, r := range rows {
				all = append(all, r)
			}
			expect(t, tab, table.ScanOptions{}, all...)
			sound(t, tab)
		})
	}
}

// A table whose deletes reach the highest level is empty: nothing is left of them.
func TestDeletesLeaveWithTheLastOlderRow(t *testing.T) {
	tab := create(t, store.NewMem(), compacting, "num-sorted-run.compaction-trigger=2", eager)
	w := waiting(t, tab, "")
	commit(t, w, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	commit(t, w, tab, `{"_kind":"-D","k":1,"v":null}`)
	expect(t, tab, table.ScanOptions{}, `{"k":2,"v":"b"}`)
	for f, err := range tab.Files(ctx, 0) {
		if err != nil || f.Rows != 1 || *f.DeleteRows != 0 || f.Source == nil || *f.Source != 1 || f.Level != 2 || f.MinSequence != 1 || f.MaxSequence != 1 {
			t.Errorf("%+v %v", f, err)
		}
	}
	sound(t, tab)
}

// Two writers that both compact: rows of both stay, compactions of one come to
// nothing, nobody sees an error, and no file is left behind.
func TestWritersThatCompactBesideEachOther(t *testing.T) {
	st := store.NewMem()
	one := create(t, st, compacting, "num-sorted-run.compaction-trigger=2", eager)
	other := reopen(t, st)
	a, b := waiting(t, one, "a"), waiting(t, other, "b")
	want := map[string]string{}
	for i := range 12 {
		for n, w := range []*table.Writer{a, b} {
			row := fmt.Sprintf(`{"k":%d,"v":"%d of %d"}`, i%5, i, n)
			want[fmt.Sprint(i%5)] = row
			commit(t, w, one, row)
		}
	}
	var all []string
	for _, r := range want {
		all = append(all, r)
	}
	expect(t, one, table.ScanOptions{}, all...)
	sound(t, one)
	if left := orphans(t, st, one); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A compaction that was prepared and then overtaken is dropped; its rows are committed.
func TestAnOvertakenCompactionLosesNoRow(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, compacting, "num-sorted-run.compaction-trigger=2", eager)
	a, b := waiting(t, tab, "a"), waiting(t, tab, "b")
	commit(t, a, tab, `{"k":1,"v":"first"}`)
	if err := write(t, a, tab, `{"k":2,"v":"slow"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := a.Prepare(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(msgs) != 1 || len(msgs[0].CompactBefore) != 2 || len(msgs[0].CompactAfter) != 1 {
		t.Fatalf("%+v", msgs)
	}
	commit(t, b, tab, `{"k":3,"v":"fast"}`) // compacts the first row away
	if err := a.Commit(ctx, 2, msgs); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"first"}`, `{"k":2,"v":"slow"}`, `{"k":3,"v":"fast"}`)
	commit(t, a, tab, `{"k":4,"v":"next"}`)
	if got := levels(t, tab); got != "{2=1}" {
		t.Errorf("the writer did not find the files of the other: %s", got)
	}
	sound(t, tab)
	if left := orphans(t, st, tab); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	// Alone, without rows, such a compaction is a conflict.
	c, err := tab.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	msgs[0].NewFiles = nil
	failsWith(t, c.Commit(ctx, 1, msgs), table.ErrConflict, "another compaction")
}

// A writer that is closed while compactions run leaves nothing behind.
func TestClosedWritersLeaveNeitherFilesNorGoroutines(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	st := store.NewMem()
	tab := create(t, st, compacting, "num-sorted-run.compaction-trigger=1", "num-levels=3", "write-buffer-size=1 kb")
	for i := range 8 {
		w, err := tab.NewWriter(ctx, table.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for k := range 20 {
			if err := write(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"%d %s"}`, k, i, strings.Repeat("x", 100))); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			if err := w.CommitNext(ctx); err != nil {
				t.Fatal(err)
			}
			if err := write(t, w, tab, `{"k":1,"v":"never committed"}`); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left := orphans(t, st, tab); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	sound(t, tab)
}

// A writer of a write-only table never compacts, and one that goes on after
// such files were written compacts them with its own.
func TestWriteOnlyNeverCompacts(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	w := waiting(t, tab, "")
	for i := range 7 {
		commit(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"x"}`, i))
	}
	if got := levels(t, tab); got != "{0=7}" {
		t.Error(got)
	}
}

// Old records leave when files are compacted, and their files are sought out.
func TestRecordsExpireInCompactions(t *testing.T) {
	const yaml = `
columns: [{name: k, type: BIGINT NOT NULL}, {name: at, type: %s}]
primary-key: [k]
options: {bucket: 1, num-sorted-run.compaction-trigger: 2, compaction.total-size-threshold: 1 gb, record-level.expire-time: 1 d, record-level.time-field: at}
`
	// The clock stands at 2026-01-31 12:00 UTC: 1769860800.
	for typ, times := range map[string][3]string{
		"INT": {"1769700000", "1769860000", "null"}, "BIGINT": {"1769700000", "1769860000000", "null"},
		"TIMESTAMP(3)": {`"2026-01-30T11:59:59.000"`, `"2026-01-30T12:30:00.000"`, "null"}, "TIMESTAMP_LTZ(9)": {`"2026-01-30T11:59:59.000000000Z"`, `"2026-01-30T12:30:00.000000000Z"`, "null"},
	} {
		t.Run(typ, func(t *testing.T) {
			tab := create(t, store.NewMem(), fmt.Sprintf(yaml, typ))
			w := waiting(t, tab, "")
			commit(t, w, tab, `{"k":1,"at":`+times[0]+`}`, `{"k":2,"at":`+times[1]+`}`)
			if got := lines(t, tab, table.ScanOptions{}); len(got) != 2 {
				t.Errorf("reads do not filter: %q", got)
			}
			commit(t, w, tab, `{"k":3,"at":`+times[2]+`}`)
			expect(t, tab, table.ScanOptions{}, `{"k":2,"at":`+times[1]+`}`, `{"k":3,"at":null}`)
			sound(t, tab)
		})
	}
	// Java makes such a table, and fails when it writes it.
	o, err := schema.ParseOptions(map[string]string{"bucket": "1", "record-level.expire-time": "1 d"})
	if err != nil {
		t.Fatal(err)
	}
	failsWith(t, o.CheckWrite(define(t, compacting)), table.ErrInvalid, "without record-level.time-field")
}

// An older row that is looked up counts for nothing once it has expired, just as
// if the compaction had read its file.
func TestExpiredRowsAreNotMergedWhereTheyAreLookedUp(t *testing.T) {
	st := store.NewMem()
	parts, _ := world(t)
	clock := stopped(&parts, noon)
	if err := table.Create(ctx, st, define(t, `
columns: [{name: k, type: BIGINT NOT NULL}, {name: at, type: BIGINT}, {name: v, type: INT}, {name: pad, type: STRING}]
primary-key: [k]
options: {bucket: 1, write-only: true, merge-engine: aggregation, fields.v.aggregate-function: sum, deletion-vectors.enabled: true, record-level.expire-time: 1 d, record-level.time-field: at}
`)); err != nil {
		t.Fatal(err)
	}
	tab := reopenIn(t, st, parts)
	compact := func() {
		if _, err := tab.Compact(ctx, table.CompactOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	rows := []string{fmt.Sprintf(`{"k":1,"at":%d,"v":10}`, noon.Unix())}
	for k := range 500 {
		rows = append(rows, fmt.Sprintf(`{"k":%d,"at":%d,"v":1,"pad":"%x"}`, k+2, noon.Unix(), sha256.Sum256([]byte{byte(k), byte(k >> 8)})))
	}
	load(t, tab, rows...)
	compact()
	clock.pass(48 * time.Hour)
	load(t, tab, fmt.Sprintf(`{"k":1,"at":%d,"v":1}`, clock.now().Unix()))
	compact()
	if got := levels(t, tab); got != "{4=1, 5=1}" {
		t.Fatal("the older file was compacted too:", got)
	}
	expect(t, tab, table.ScanOptions{Where: "k = 1"}, fmt.Sprintf(`{"k":1,"at":%d,"v":1,"pad":null}`, clock.now().Unix()))
}

// Readers of a first-row table merge nothing: no key may be in two files.
func TestFirstRowsStayFirstThroughCompactions(t *testing.T) {
	tab := create(t, store.NewMem(), compacting, "merge-engine=first-row")
	w := waiting(t, tab, "")
	want := map[int]string{}
	for i := range 12 {
		var in []string
		for j := range 20 {
			k := i*7 + 3*j
			row := fmt.Sprintf(`{"k":%d,"v":"c%d"}`, k, i)
			if want[k] == "" {
				want[k] = row
			}
			in = append(in, row)
		}
		commit(t, w, tab, in...)
		var all []string
		for _, r := range want {
			all = append(all, r)
		}
		expect(t, tab, table.ScanOptions{}, all...)
	}
	rows := int64(0)
	for f, err := range tab.Files(ctx, 0) {
		if rows += f.Rows; err != nil || f.Level == 0 {
			t.Errorf("%+v %v", f, err)
		}
	}
	if rows != int64(len(want)) {
		t.Errorf("%d rows for %d keys", rows, len(want))
	}
	sound(t, tab)
}
