package table_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// short prints what a stream tells until a snapshot: "2:+U 1 a2".
func short(t *testing.T, tab *table.Table, o table.StreamOptions) []string {
	t.Helper()
	if o.UntilSnapshot == 0 {
		newest, err := tab.Snapshots().LatestID(ctx)
		if err != nil {
			t.Fatal(err)
		}
		o.UntilSnapshot = newest
	}
	return shorten(streamLines(t, tab, o))
}

func shorten(lines []string) []string {
	out := make([]string, len(lines))
	clean := strings.NewReplacer(`{"_snapshot":`, "", `,"_kind":"`, ":", `","k":`, " ", `,"v":`, " ", `"`, "", "}", "")
	for i, line := range lines {
		out[i] = clean.Replace(line)
	}
	return out
}

func tells(t *testing.T, tab *table.Table, o table.StreamOptions, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, short(t, tab, o), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%+v (-want +got):\n%s", o, d)
	}
}

// history is the table of the observed scans of real Paimon (testdata/scans.txt):
// five snapshots, the third of which is a compaction.
func history(t *testing.T, options ...string) (store.Store, *table.Table) {
	t.Helper()
	st := store.NewMem()
	tab := create(t, st, keyed, options...)
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	load(t, tab, `{"_kind":"+U","k":1,"v":"a2"}`)
	if tab.Schema().Options["write-only"] == "true" { // else the writer has done it
		compactAll(t, st)
	}
	load(t, tab, `{"_kind":"-D","k":2,"v":"b"}`, `{"k":3,"v":"c"}`)
	tagged(t, tab, "t3", table.TagOptions{})
	load(t, tab, `{"k":3,"v":"c2"}`, `{"k":9,"v":"z"}`)
	tagged(t, tab, "t4", table.TagOptions{})
	return st, tab
}

func TestAStreamBeginsWhereItsModeSays(t *testing.T) {
	st, tab := history(t)
	full := []string{"5:+U 1 a2", "5:+I 3 c2", "5:+I 9 z"}
	four := []string{"4:-D 2 b", "4:+I 3 c"}
	five := []string{"5:+I 3 c2", "5:+I 9 z"}
	tells(t, tab, table.StreamOptions{}, full...)
	tells(t, tab, table.StreamOptions{Mode: table.LatestFull}, full...)
	tells(t, tab, table.StreamOptions{Mode: table.FromSnapshot, Snapshot: 2}, slices.Concat([]string{"2:+U 1 a2"}, four, five)...)
	tells(t, tab, table.StreamOptions{Mode: table.FromSnapshotFull, Snapshot: 2}, slices.Concat([]string{"2:+U 1 a2", "2:+I 2 b"}, four, five)...)
	tells(t, tab, table.StreamOptions{Mode: table.CompactedFull}, slices.Concat([]string{"3:+I 1 a2", "3:+I 2 b"}, four, five)...)
	at := func(id int64) time.Time {
		s, err := tab.Snapshots().Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return time.UnixMilli(s.TimeMillis)
	}
	tells(t, tab, table.StreamOptions{Mode: table.FromTimestamp, Time: at(4)}, slices.Concat(four, five)...)
	tells(t, tab, table.StreamOptions{Mode: table.FromTimestamp, Time: at(4).Add(time.Millisecond)}, five...)
	tells(t, tab, table.StreamOptions{Mode: table.FromCreationTimestamp, Time: at(4)}, slices.Concat(four, five)...)
	if got := short(t, tab, table.StreamOptions{Mode: table.FromTimestamp, Time: at(1).Add(-time.Hour)}); len(got) != 7 {
		t.Errorf("from before the table: %v", got)
	}
	tells(t, tab, table.StreamOptions{Mode: table.FromCreationTimestamp, Time: at(1).Add(-time.Hour)}, full...)
	// Snapshot 5 tells all of itself, though it is the newest.
	data, err := st.ReadAll(ctx, tab.Snapshots().Path(4))
	if err == nil {
		err = st.Write(ctx, tab.Snapshots().TagPath("t4"), data)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat([]string{"4:+U 1 a2", "4:+I 3 c"}, five)
	tells(t, tab, table.StreamOptions{Tag: "t4"}, want...)
	tells(t, tab, table.StreamOptions{Mode: table.FromSnapshot, Tag: "t4"}, slices.Concat(four, five)...)
	if err := st.Delete(ctx, "snapshot/snapshot-4"); err != nil {
		t.Fatal(err)
	}
	for id := range int64(3) {
		if err := st.Delete(ctx, tab.Snapshots().Path(id+1)); err != nil {
			t.Fatal(err)
		}
	}
	tells(t, tab, table.StreamOptions{Tag: "t4"}, want...)
}

func TestAStreamOfTheLatestBeginsBehindIt(t *testing.T) {
	_, tab := history(t)
	s, err := tab.Stream(ctx, table.StreamOptions{Mode: table.Latest, UntilSnapshot: 6})
	if err != nil {
		t.Fatal(err)
	}
	load(t, tab, `{"k":10,"v":"new"}`)
	var got []string
	text := newStreamText(t, s)
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text.lines(t, rec)...)
	}
	if d := cmp.Diff([]string{"6:+I 10 new"}, shorten(got)); d != "" {
		t.Error(d)
	}
}

// A full start of a table without a snapshot is the first snapshot's.
func TestAStreamWaitsForTheFirstSnapshot(t *testing.T) {
	for _, mode := range []table.StartMode{table.LatestFull, table.Latest, table.CompactedFull, table.FromTimestamp, table.FromCreationTimestamp} {
		tab := create(t, store.NewMem(), keyed)
		o := table.StreamOptions{Mode: mode, UntilSnapshot: 2}
		if strings.Contains(string(mode), "timestamp") {
			o.Time = time.UnixMilli(1)
		}
		s, err := tab.Stream(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		load(t, tab, `{"k":1,"v":"a"}`)
		load(t, tab, `{"k":2,"v":"b"}`)
		var got []string
		text := newStreamText(t, s)
		for rec, err := range s.Batches(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, text.lines(t, rec)...)
		}
		if d := cmp.Diff([]string{"1:+I 1 a", "2:+I 2 b"}, shorten(got)); d != "" {
			t.Errorf("%s: %s", mode, d)
		}
	}
}

// Tokens taken after every batch, and between snapshots, are given to another
// process: nothing comes twice, nothing is missing.
func TestATokenGoesOnWhereItWasTaken(t *testing.T) {
	for _, o := range []table.StreamOptions{
		{UntilSnapshot: 5},
		{Snapshot: 1, UntilSnapshot: 5},
		{Snapshot: 1, UntilSnapshot: 5, Where: "k <> 2", CommitTimes: true},
		{Mode: table.FromSnapshotFull, Snapshot: 2, UntilSnapshot: 5, Shares: 2, Share: 1},
		{Mode: table.FromCreationTimestamp, Time: time.UnixMilli(1), UntilSnapshot: 5},
		{Snapshot: 1, UntilSnapshot: 5, FullChangelog: true},
		{UntilSnapshot: 5, FullChangelog: true, Where: "v <> 'c'"},
	} {
		o.BatchRows = 1
		st, tab := history(t, "bucket=3")
		whole := streamLines(t, tab, o)
		s, err := tab.Stream(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		text := newStreamText(t, s)
		goOn := func(at int) {
			t.Helper()
			next := o
			next.Mode, next.Snapshot, next.Time, next.Token = "", 0, time.Time{}, s.Token()
			if !table.IsStreamToken(next.Token) || len(next.Token) > 80 || strings.ContainsAny(next.Token, " /:=+") {
				t.Errorf("token is %q", next.Token)
			}
			if d := cmp.Diff(whole[at:], streamLines(t, reopen(t, st), next), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%+v after %d rows (-want +got):\n%s", o, at, d)
			}
		}
		rows := 0
		goOn(rows)
		for c, err := range s.Snapshots(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			for rec, err := range c.Batches() {
				if err != nil {
					t.Fatal(err)
				}
				rows += len(text.lines(t, rec))
				goOn(rows)
			}
			goOn(rows)
		}
		if rows != len(whole) {
			t.Errorf("%d rows of %d", rows, len(whole))
		}
	}
}

// A stream goes on after its loop was broken off, and after an error.
func TestAStreamGoesOnAfterABreak(t *testing.T) {
	_, tab := history(t, "bucket=2")
	o := table.StreamOptions{Snapshot: 1, UntilSnapshot: 5, BatchRows: 1}
	whole := streamLines(t, tab, o)
	s, err := tab.Stream(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	text := newStreamText(t, s)
	var got []string
	for range whole {
		for rec, err := range s.Batches(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, text.lines(t, rec)...)
			break
		}
	}
	if d := cmp.Diff(whole, got); d != "" {
		t.Error(d)
	}
}

// A limit ends within a batch, and the token says so.
func TestALimitEndsAStreamBetweenTwoRows(t *testing.T) {
	_, tab := history(t, "bucket=2")
	o := table.StreamOptions{Mode: table.FromSnapshotFull, Snapshot: 2, UntilSnapshot: 5}
	whole := streamLines(t, tab, o)
	o.Limit = 1
	var got []string
	for range whole {
		s, err := tab.Stream(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := collect(t, s)
		if err != nil || len(lines) != 1 {
			t.Fatal(lines, err)
		}
		got = append(got, lines...)
		o.Mode, o.Snapshot, o.Token = "", 0, s.Token()
	}
	if d := cmp.Diff(whole, got); d != "" {
		t.Error(d)
	}
}

func TestSharesOfAStreamAreTheWhole(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: STRING}, {name: p, type: INT NOT NULL}]
primary-key: [k, p]
partition-by: [p]
options: {bucket: 2, write-only: true}
`)
	for i := range 3 {
		var rows []string
		for k := range 40 {
			rows = append(rows, `{"k":`+strconv.Itoa(k)+`,"v":"`+strconv.Itoa(i)+`","p":`+strconv.Itoa(k%5)+`}`)
		}
		load(t, tab, rows...)
	}
	for _, o := range []table.StreamOptions{{Mode: table.FromSnapshotFull, Snapshot: 2}, {Snapshot: 1}} {
		whole := short(t, tab, o)
		var joined []string
		for share := range 3 {
			o.Share, o.Shares = share, 3
			part := short(t, tab, o)
			if len(part) == 0 || len(part) == len(whole) {
				t.Errorf("share %d has %d rows of %d", share, len(part), len(whole))
			}
			joined = append(joined, part...)
		}
		slices.Sort(whole)
		slices.Sort(joined)
		if d := cmp.Diff(whole, joined); d != "" {
			t.Error(d)
		}
	}
}

func TestOverwritesAreToldOrNot(t *testing.T) {
	st, tab := history(t)
	if err := overwriting(t, tab, nil, `{"k":5,"v":"ow"}`); err != nil {
		t.Fatal(err)
	}
	o := table.StreamOptions{Mode: table.FromSnapshot, Snapshot: 6}
	tells(t, tab, o)
	o.Overwrites = table.DeliverOverwrites
	tells(t, tab, o, "6:-D 1 a2", "6:-D 3 c2", "6:-D 9 z", "6:+I 5 ow")
	o.Where = "k > 3"
	tells(t, tab, o, "6:-D 9 z", "6:+I 5 ow")
	withoutSnapshots(t, st)
	s, err := tab.Stream(ctx, o)
	if err == nil {
		_, err = collect(t, s)
	}
	failsWith(t, err, table.ErrNotFound, "snapshot 6", "cannot be told", "start again in full")

	_, tab = history(t, "streaming-read-overwrite=true")
	if err := overwriting(t, tab, nil, `{"k":5,"v":"ow"}`); err != nil {
		t.Fatal(err)
	}
	o = table.StreamOptions{Mode: table.FromSnapshot, Snapshot: 6}
	tells(t, tab, o, "6:-D 1 a2", "6:-D 3 c2", "6:-D 9 z", "6:+I 5 ow")
	o.Overwrites = table.SkipOverwrites
	tells(t, tab, o)
}

// Deletes were left out of what an overwrite wrote to wait for its buckets, so
// rows that they delete stayed.
func TestOverwritesTellTheDeletesAmongRowsThatWait(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "bucket=-2")
	load(t, tab, `{"k":7,"v":"old"}`)
	if err := overwriting(t, tab, nil, `{"k":5,"v":"a"}`, `{"_kind":"-D","k":5,"v":"a"}`, `{"k":6,"v":"b"}`); err != nil {
		t.Fatal(err)
	}
	tells(t, tab, table.StreamOptions{Snapshot: 2, Overwrites: table.DeliverOverwrites}, "2:-D 7 old", "2:+I 5 a", "2:-D 5 a", "2:+I 6 b")
}

// Rows that an overwrite let wait were told by it, and again by the changelog
// of the compaction that gave them their buckets.
func TestOverwritesLeaveRowsThatWaitToTheChangelog(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "bucket=-2", "changelog-producer=input")
	if err := overwriting(t, tab, nil, `{"k":5,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.CompactPostponed(ctx); err != nil {
		t.Fatal(err)
	}
	tells(t, tab, table.StreamOptions{Snapshot: 1, Overwrites: table.DeliverOverwrites}, "2:+I 5 a")
}

// The kinds of rows that wait in a file alone were told in full, where Java
// tells +I of them, as of all rows that there is nothing to merge with.
func TestAFullStartTellsInsertsOfAFileThatWaitsAlone(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "bucket=-2")
	load(t, tab, `{"_kind":"+U","k":5,"v":"a"}`)
	tells(t, tab, table.StreamOptions{UntilSnapshot: 1}, "1:+I 5 a")
	tells(t, tab, table.StreamOptions{Snapshot: 1}, "1:+U 5 a")
	load(t, tab, `{"_kind":"+U","k":6,"v":"b"}`)
	tells(t, tab, table.StreamOptions{UntilSnapshot: 2}, "2:+U 5 a", "2:+U 6 b")
}

func TestASlowReaderLearnsWhichSnapshotsExpired(t *testing.T) {
	st, tab := history(t)
	s, err := tab.Stream(ctx, table.StreamOptions{Snapshot: 1, BatchRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	token := s.Token()
	withoutSnapshots(t, st)
	_, err = collect(t, s)
	var gap *snapshot.OutOfRange
	if !errors.As(err, &gap) || !errors.Is(err, table.ErrNotFound) || gap.Next != 1 || gap.Earliest != 5 {
		t.Fatalf("error is %v", err)
	}
	failsWith(t, err, table.ErrNotFound, "snapshots 1 to 4 have expired", "db.t", "leaves the gap out", "present state")
	again, err := tab.Stream(ctx, table.StreamOptions{Token: token})
	if err == nil {
		_, err = collect(t, again)
	}
	failsWith(t, err, table.ErrNotFound, "snapshots 1 to 4 have expired")
	tells(t, tab, table.StreamOptions{Snapshot: gap.Earliest}, "5:+I 3 c2", "5:+I 9 z")
	tells(t, tab, table.StreamOptions{Snapshot: 2}, "5:+I 3 c2", "5:+I 9 z") // said to the logger
}

// collect runs a stream until it ends or fails.
func collect(t *testing.T, s *table.Stream) (lines []string, err error) {
	t.Helper()
	text := newStreamText(t, s)
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			return lines, err
		}
		lines = append(lines, text.lines(t, rec)...)
	}
	return lines, nil
}

func TestAStreamEndsAtItsBounds(t *testing.T) {
	_, tab := history(t)
	s, err := tab.Snapshots().Get(ctx, 4)
	if err != nil {
		t.Fatal(err)
	}
	until := table.StreamOptions{Snapshot: 4, Until: time.UnixMilli(s.TimeMillis), UntilSnapshot: 100}
	tells(t, tab, until, "4:-D 2 b", "4:+I 3 c")
	until.Until = until.Until.Add(100 * time.Millisecond) // the test's clock goes on with each look
	tells(t, tab, until, "4:-D 2 b", "4:+I 3 c", "5:+I 3 c2", "5:+I 9 z")
	tells(t, tab, table.StreamOptions{Snapshot: 5, UntilSnapshot: 4})
}

func TestADelayedStreamLetsSnapshotsAge(t *testing.T) {
	w, _ := world(t)
	clock := stopped(&w, noon)
	w.Sleep = func(ctx context.Context, d time.Duration) error { clock.pass(d); return ctx.Err() }
	st := store.NewMem()
	create(t, st, keyed, "streaming.read.snapshot.delay=10 min")
	tab := reopenIn(t, st, w)
	load(t, tab, `{"k":1,"v":"a"}`)
	tells(t, tab, table.StreamOptions{Snapshot: 1}, "1:+I 1 a")
	if slept := clock.now().Sub(noon); slept < 10*time.Minute || slept > 11*time.Minute {
		t.Errorf("slept %v", slept)
	}
	tells(t, tab, table.StreamOptions{Snapshot: 1, Delay: time.Minute}, "1:+I 1 a")
}

// A snapshot that was committed in time is told, though it is old enough only later.
func TestADelayedStreamTellsTheSnapshotsWithinItsBounds(t *testing.T) {
	w, _ := world(t)
	clock := stopped(&w, noon)
	w.Sleep = func(ctx context.Context, d time.Duration) error { clock.pass(d); return ctx.Err() }
	st := store.NewMem()
	create(t, st, keyed)
	tab := reopenIn(t, st, w)
	load(t, tab, `{"k":1,"v":"a"}`)
	o := table.StreamOptions{Snapshot: 1, Delay: 10 * time.Minute, Until: noon.Add(5 * time.Minute), UntilSnapshot: 2}
	tells(t, tab, o, "1:+I 1 a")
}

func TestASuspendedStreamIsToldFromARolledBackTable(t *testing.T) {
	st, tab := history(t)
	s, err := tab.Stream(ctx, table.StreamOptions{UntilSnapshot: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := collect(t, s); err != nil {
		t.Fatal(err)
	}
	token := s.Token()
	for _, id := range []int64{4, 5} {
		if err := st.Delete(ctx, tab.Snapshots().Path(id)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = reopen(t, st).Stream(ctx, table.StreamOptions{Token: token})
	if err == nil {
		s, _ := tab.Stream(ctx, table.StreamOptions{Token: token})
		_, err = collect(t, s)
	}
	failsWith(t, err, table.ErrNotFound, "rolled back")
	load(t, tab, `{"k":1,"v":"x"}`)
	load(t, tab, `{"k":1,"v":"y"}`)
	load(t, tab, `{"k":1,"v":"z"}`)
	_, err = tab.Stream(ctx, table.StreamOptions{Token: token})
	failsWith(t, err, table.ErrNotFound, "rolled back")
}

func TestAStreamRefusesWhatCannotBe(t *testing.T) {
	_, tab := history(t)
	s, err := tab.Stream(ctx, table.StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o     table.StreamOptions
		class error
		part  string
	}{
		{table.StreamOptions{Token: "tl1-x"}, table.ErrInvalid, "no token"},
		{table.StreamOptions{Token: s.Token()[:20]}, table.ErrInvalid, "no token"},
		{table.StreamOptions{Token: s.Token(), Snapshot: 1}, table.ErrInvalid, "not both"},
		{table.StreamOptions{Snapshot: 1, Tag: "x"}, table.ErrInvalid, "not both"},
		{table.StreamOptions{Snapshot: 7}, table.ErrNotFound, "the newest is 5"},
		{table.StreamOptions{Snapshot: -1}, table.ErrInvalid, "begin at 1"},
		{table.StreamOptions{Tag: "x"}, table.ErrNotFound, "x"},
		{table.StreamOptions{UntilSnapshot: 3}, table.ErrInvalid, "ends with snapshot 3"},
		{table.StreamOptions{Mode: "sideways"}, table.ErrInvalid, "latest-full"},
		{table.StreamOptions{Mode: table.Latest, Snapshot: 1}, table.ErrInvalid, "takes no snapshot"},
		{table.StreamOptions{Mode: table.FromTimestamp}, table.ErrInvalid, "takes a time"},
		{table.StreamOptions{Mode: table.FromSnapshot}, table.ErrInvalid, "takes a snapshot"},
		{table.StreamOptions{Time: time.UnixMilli(1)}, table.ErrInvalid, "from-timestamp"},
		{table.StreamOptions{Share: 2, Shares: 2}, table.ErrInvalid, "share 2 of 2"},
		{table.StreamOptions{Where: "nope = 1"}, table.ErrInvalid, "nope"},
		{table.StreamOptions{Columns: []string{"nope"}}, table.ErrInvalid, "nope"},
	} {
		_, err := tab.Stream(ctx, c.o)
		failsWith(t, err, c.class, c.part, "stream", "db.t")
	}
	other := create(t, store.NewMem(), strings.Replace(keyed, "name: v", "name: w", 1))
	_, err = other.Stream(ctx, table.StreamOptions{Token: s.Token()})
	failsWith(t, err, table.ErrInvalid, "another table")
	if err := tab.CreateBranch(ctx, "b", table.BranchOptions{}); err != nil {
		t.Fatal(err)
	}
	branch, err := tab.OpenBranch(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}
	_, err = branch.Stream(ctx, table.StreamOptions{Token: s.Token()})
	failsWith(t, err, table.ErrInvalid, "another table")
	_, tab = history(t, "changelog-producer=full-compaction", "write-only=false")
	_, err = tab.Stream(ctx, table.StreamOptions{Overwrites: table.DeliverOverwrites})
	failsWith(t, err, table.ErrInvalid, "full-compaction")
}

// A token within a snapshot counts rows of a filter.
func TestATokenWithinASnapshotSuitsNoOtherFilter(t *testing.T) {
	_, tab := history(t)
	s, err := tab.Stream(ctx, table.StreamOptions{BatchRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	other, err := tab.Stream(ctx, table.StreamOptions{Token: s.Token(), Where: "k > 1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = collect(t, other)
	failsWith(t, err, table.ErrInvalid, "middle of the snapshot")
}

func TestAStreamEndsWithItsContext(t *testing.T) {
	_, tab := history(t)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := tab.Stream(ctx, table.StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var last error
	for c, err := range s.Snapshots(ctx) {
		if last = err; err != nil {
			break
		}
		for _, err := range c.Batches() {
			if err != nil {
				t.Fatal(err)
			}
		}
		cancel()
	}
	if !errors.Is(last, context.Canceled) || s.NextSnapshot() != 6 {
		t.Errorf("error is %v, next is %d", last, s.NextSnapshot())
	}
}
