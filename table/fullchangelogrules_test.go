package table_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

func TestAFullChangelogTellsRowsBeforeAndAfter(t *testing.T) {
	st, tab := history(t)
	want := []string{
		"1:+I 1 a", "1:+I 2 b", "2:-U 1 a", "2:+U 1 a2", "4:-D 2 b", "4:+I 3 c", "5:-U 3 c", "5:+U 3 c2", "5:+I 9 z"}
	o := table.StreamOptions{FullChangelog: true, Snapshot: 1}
	tells(t, tab, o, want...)
	tells(t, tab, table.StreamOptions{FullChangelog: true}, "5:+I 1 a2", "5:+I 3 c2", "5:+I 9 z")
	load(t, tab, `{"k":9,"v":"z"}`, `{"_kind":"-D","k":7,"v":"never there"}`, `{"_kind":"-D","k":1}`, `{"k":4}`, `{"_kind":"-D","k":4}`)
	o.Snapshot = 6
	tells(t, tab, o, "6:-D 1 a2")
	if err := overwriting(t, tab, nil, `{"_kind":"+U","k":3,"v":"ow"}`); err != nil {
		t.Fatal(err)
	}
	load(t, tab, `{"k":3,"v":"d"}`)
	o.Snapshot = 7
	tells(t, tab, o, "8:-U 3 ow", "8:+U 3 d")
	o.Overwrites = table.DeliverOverwrites
	tells(t, tab, o, "7:-D 3 c2", "7:-D 9 z", "7:+I 3 ow", "8:-U 3 ow", "8:+U 3 d")
	tells(t, reopen(t, st), table.StreamOptions{FullChangelog: true, Mode: table.FromSnapshotFull, Snapshot: 2}, slices.Concat(
		[]string{"2:+I 1 a2", "2:+I 2 b"}, want[4:], []string{"6:-D 1 a2", "8:-U 3 ow", "8:+U 3 d"})...)
}

// The rows of a filter are a table of their own: they come and go.
func TestAFullChangelogOfAFilterFitsItsRows(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}, {name: n, type: INT}]
primary-key: [k]
options: {bucket: 1, write-only: true}
`)
	load(t, tab, `{"k":1,"v":"in","n":1}`, `{"k":2,"v":"out","n":1}`, `{"k":3,"v":"in","n":1}`, `{"k":4,"v":"in","n":1}`)
	load(t, tab, `{"k":1,"v":"out","n":2}`, `{"k":2,"v":"in","n":2}`, `{"k":3,"v":"in","n":2}`, `{"_kind":"-D","k":4}`, `{"k":5,"v":"out","n":2}`)
	o := table.StreamOptions{FullChangelog: true, Snapshot: 2, Where: "v = 'in'"}
	tells(t, tab, o, "2:-D 1 in,n:1", "2:+I 2 in,n:2", "2:-U 3 in,n:1", "2:+U 3 in,n:2", "2:-D 4 in,n:1")
	o.Columns = []string{"k", "v"} // in which 3 has not changed
	tells(t, tab, o, "2:-D 1 in", "2:+I 2 in", "2:-D 4 in")
	o.Where += " AND k > 1"
	o.Columns = []string{"k"}
	tells(t, tab, o, "2:+I 2", "2:-D 4")
	o.Where = "n = 2"
	tells(t, tab, o, "2:+I 1", "2:+I 2", "2:+I 3", "2:+I 5")
}

// A row that an earlier commit has a newer version of is no change.
func TestARowThatLosesAgainstAnEarlierCommitIsNotTold(t *testing.T) {
	for _, options := range [][]string{nil, {"ignore-delete=true"}} {
		tab := create(t, store.NewMem(), keyed, options...)
		var msgs [2][]table.CommitMessage
		var writers [2]*table.Writer
		for i, rows := range [][]string{{`{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`, `{"k":1,"v":"c"}`}, {`{"k":1,"v":"late"}`, `{"k":2,"v":"x"}`}} {
			var err error
			if writers[i], err = tab.NewWriter(ctx, table.WriterOptions{}); err == nil {
				err = write(t, writers[i], tab, rows...)
			}
			if err == nil {
				msgs[i], err = writers[i].Prepare(ctx, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer writers[i].Close()
		}
		for i, w := range writers {
			if err := w.Commit(ctx, 1, msgs[i]); err != nil {
				t.Fatal(err)
			}
		}
		tells(t, tab, table.StreamOptions{FullChangelog: true, Snapshot: 1}, "1:+I 1 c", "2:+I 2 x")
	}
}

// The snapshot tells the table before it by itself. Once it has expired nothing
// else does, not even a changelog that is kept.
func TestAFullChangelogNeedsNoSnapshotButItsOwn(t *testing.T) {
	st, tab := history(t)
	withoutSnapshots(t, st)
	o := table.StreamOptions{FullChangelog: true, Mode: table.FromSnapshot, Snapshot: 5}
	tells(t, tab, o, "5:-U 3 c", "5:+U 3 c2", "5:+I 9 z")

	st, tab = history(t, "changelog-producer=input")
	s, err := tab.Stream(ctx, table.StreamOptions{FullChangelog: true, Snapshot: 4, Consumer: "reader"})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := st.ReadAll(ctx, tab.Snapshots().Path(4)); err != nil || st.Write(ctx, tab.Snapshots().LongLivedPath(4), data) != nil {
		t.Fatal("no long-lived changelog")
	}
	withoutSnapshots(t, st)
	_, err = collect(t, s)
	failsWith(t, err, table.ErrNotFound, "snapshot 4", "expired")
	_, err = tab.Stream(ctx, table.StreamOptions{FullChangelog: true, Consumer: "reader"})
	failsWith(t, err, table.ErrNotFound, "consumer reader", "reset")
	tells(t, tab, table.StreamOptions{FullChangelog: true, Snapshot: 4}, "5:-U 3 c", "5:+U 3 c2", "5:+I 9 z") // and the logger is told
}

// After a compaction the files before are other ones.
func TestAFullChangelogGoesOnBehindCompactions(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed, "bucket=2")
	var rows, want []string
	for k := range 40 {
		rows = append(rows, fmt.Sprintf(`{"k":%d,"v":"0"}`, k))
	}
	load(t, tab, rows...)
	s, err := tab.Stream(ctx, table.StreamOptions{FullChangelog: true, Snapshot: 2, UntilSnapshot: 20, SequenceNumbers: true, CommitTimes: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 11; i++ {
		load(t, tab, fmt.Sprintf(`{"k":%d,"v":"%d"}`, i%4, i))
		want = append(want, fmt.Sprintf("-U %d %d", i%4, max(0, i-4)), fmt.Sprintf("+U %d %d", i%4, i))
		if i%2 == 0 {
			compactAll(t, st)
		}
	}
	if id, err := tab.Snapshots().LatestID(ctx); err != nil || id != 16 {
		t.Fatal(id, err)
	}
	var got []string
	text := newStreamText(t, s)
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shorten(text.lines(t, rec)) {
			got = append(got, regexp.MustCompile(`^\d+:`).ReplaceAllString(line, ""))
		}
		if len(got) == len(want) {
			break
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSharesOfAFullChangelogAreTheWhole(t *testing.T) {
	st, tab := history(t, "bucket=3")
	o := table.StreamOptions{FullChangelog: true, Snapshot: 1}
	whole := short(t, tab, o)
	var joined []string
	for share := range 2 {
		o.Share, o.Shares = share, 2
		joined = append(joined, short(t, reopen(t, st), o)...)
	}
	slices.Sort(whole)
	slices.Sort(joined)
	if d := cmp.Diff(whole, joined); d != "" {
		t.Error(d)
	}
}

// A token within a snapshot counts changes, of which rows as written, or other
// columns, have not as many.
func TestATokenWithinAFullChangelogSuitsNoOtherStream(t *testing.T) {
	_, tab := history(t)
	s, err := tab.Stream(ctx, table.StreamOptions{FullChangelog: true, Snapshot: 2, Limit: 1})
	if err == nil {
		_, err = collect(t, s)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []table.StreamOptions{{}, {FullChangelog: true, Columns: []string{"k"}}} {
		o.Token = s.Token()
		other, err := tab.Stream(ctx, o)
		if err == nil {
			_, err = collect(t, other)
		}
		failsWith(t, err, table.ErrInvalid, "middle of the snapshot")
	}
	tells(t, tab, table.StreamOptions{FullChangelog: true, Token: s.Token(), UntilSnapshot: 2}, "2:+U 1 a2")
}

func TestNoFullChangelogIsMadeWhereThereIsNoneOrOneAlready(t *testing.T) {
	full := table.StreamOptions{FullChangelog: true}
	for _, c := range []struct {
		options []string
		says    string
	}{
		{[]string{"changelog-producer=lookup", "write-only=false"}, "changelog-producer lookup is full"},
		{[]string{"changelog-producer=full-compaction", "write-only=false"}, "changelog-producer full-compaction is full"},
	} {
		_, err := create(t, store.NewMem(), keyed, c.options...).Stream(ctx, full)
		failsWith(t, err, table.ErrInvalid, c.says, "leave FullChangelog out")
	}
	_, err := create(t, store.NewMem(), "columns: [{name: k, type: INT}]\noptions: {bucket: -1}\n").Stream(ctx, full)
	failsWith(t, err, table.ErrInvalid, "without a primary key")
	_, err = create(t, store.NewMem(), keyed, "bucket=-2").Stream(ctx, full)
	failsWith(t, err, table.ErrUnsupported, "bucket -2", "lookup")
	_, tab := history(t)
	at, err := tab.Snapshots().Get(ctx, 4)
	if err != nil {
		t.Fatal(err)
	}
	full.Mode, full.Time = table.FromCreationTimestamp, time.UnixMilli(at.TimeMillis)
	_, err = tab.Stream(ctx, full)
	failsWith(t, err, table.ErrInvalid, "from-creation-timestamp")
}

// A compaction that looks rows up tells what a reader makes itself of the same
// rows without it. Deletes are keys alone: what values of a delete leave behind
// depends on when it is merged.
func TestAFullChangelogIsThatOfTheProducerLookup(t *testing.T) {
	const columns = `
columns: [{name: k, type: INT NOT NULL}, {name: v, type: STRING}, {name: n, type: INT}]
primary-key: [k]
options: {bucket: 2, commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`
	for name, options := range map[string][]string{
		"deduplicate":    nil,
		"sequence field": {"sequence.field=n"},
		"partial-update": {"merge-engine=partial-update", "partial-update.remove-record-on-delete=true"},
		"aggregation":    {"merge-engine=aggregation", "fields.n.aggregate-function=sum", "aggregation.remove-record-on-delete=true"},
		"first-row":      {"merge-engine=first-row", "ignore-delete=true"},
		"vectors":        {"deletion-vectors.enabled=true"},
	} {
		looked := create(t, store.NewMem(), columns, append(options, "changelog-producer=lookup", "changelog-producer.row-deduplicate=true")...)
		plain := create(t, store.NewMem(), columns, append(options, "write-only=true")...)
		r := rand.New(rand.NewPCG(7, 7))
		for range 8 {
			rows := map[int]string{} // one a key, or looking up tells what a commit did to a key at once
			for range 1 + r.IntN(12) {
				k := r.IntN(9)
				rows[k] = fmt.Sprintf(`{"k":%d,"v":"%d","n":%d}`, k, r.IntN(2), r.IntN(3))
				if r.IntN(4) == 0 {
					rows[k] = fmt.Sprintf(`{"_kind":"-D","k":%d}`, k)
				}
			}
			var all []string
			for k := range 9 {
				if rows[k] != "" {
					all = append(all, rows[k])
				}
			}
			load(t, looked, all...)
			load(t, plain, all...)
		}
		want := changesOfCommits(t, looked, table.StreamOptions{Snapshot: 1})
		got := changesOfCommits(t, plain, table.StreamOptions{Snapshot: 1, FullChangelog: true})
		if d := cmp.Diff(want, got); d != "" || len(got) != 8 {
			t.Errorf("%s (-looked up +made):\n%s", name, d)
		}
	}
}

// changesOfCommits are the changes of each commit, in the order of keys.
func changesOfCommits(t *testing.T, tab *table.Table, o table.StreamOptions) (commits [][]string) {
	t.Helper()
	var err error
	if o.UntilSnapshot, err = tab.Snapshots().LatestID(ctx); err != nil {
		t.Fatal(err)
	}
	s, err := tab.Stream(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	text := newStreamText(t, s)
	for c, err := range s.Snapshots(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if c.Snapshot.CommitKind == snapshot.Append {
			commits = append(commits, nil)
		}
		var lines []string
		for rec, err := range c.Batches() {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, text.lines(t, rec)...)
		}
		for _, line := range inKeyOrder(t, tab, lines) {
			last := &commits[len(commits)-1]
			*last = append(*last, regexp.MustCompile(`"_snapshot":\d+,`).ReplaceAllString(line, ""))
		}
	}
	return commits
}
