//go:build interop

package interop

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tidelake/tidelake/table"
)

// resumed is all that a stream tells until a snapshot, read in pieces: behind
// batches drawn at random another stream goes on from the token.
func (w *world) resumed(o table.StreamOptions) (lines []string) {
	w.t.Helper()
	ctx := context.Background()
	for {
		o.BatchRows = 1 + w.rand.r.IntN(30)
		s, err := w.open().Stream(ctx, o)
		w.must(err)
		changes, err := newChangeLines(s.Fields())
		w.must(err)
		broken := false
		for rec, err := range s.Batches(ctx) {
			w.must(err)
			lines, err = changes.of(lines, rec)
			w.must(err)
			if broken = w.rand.r.IntN(6) == 0; broken {
				break
			}
		}
		if !broken {
			return lines
		}
		o.Mode, o.Snapshot, o.Tag, o.Time, o.Token = "", 0, "", time.Time{}, s.Token()
	}
}

// shared is the same by two streams that share the buckets, now and then.
func (w *world) shared(o table.StreamOptions) []string {
	w.t.Helper()
	if w.rand.moves() || w.half() { // a key that moves changes its bucket
		return w.resumed(o)
	}
	o.Shares = 2
	lines := w.resumed(o)
	o.Share = 1
	return append(lines, w.resumed(o)...)
}

// beginsAlike compares streams from wherever they can begin, up to a snapshot.
func (w *world) beginsAlike(last int64) {
	w.t.Helper()
	some := 1 + w.rand.r.Int64N(last)
	at, err := w.open().Snapshots().Get(context.Background(), some)
	w.must(err)
	millis := at.TimeMillis + int64(pick(w.rand.r, 0, -1, 1, -60_000, 60_000))
	moment, id := time.UnixMilli(millis), strconv.FormatInt(some, 10)
	w.tag(w.half(), "create", "some", some)
	for _, begin := range []struct {
		options table.StreamOptions
		java    string
	}{
		{table.StreamOptions{Snapshot: some}, id},
		{table.StreamOptions{Mode: table.FromSnapshotFull, Snapshot: some}, "full:" + id},
		{table.StreamOptions{Tag: "some"}, "full:" + id},
		{table.StreamOptions{}, "full"},
		{table.StreamOptions{Mode: table.CompactedFull}, "compacted-full"},
		{table.StreamOptions{Mode: table.FromTimestamp, Time: moment}, fmt.Sprintf("ts:%d", millis)},
		{table.StreamOptions{Mode: table.FromCreationTimestamp, Time: moment}, fmt.Sprintf("created:%d", millis)},
	} {
		begin.options.UntilSnapshot = last
		w.sameStream(begin.options, "--from", begin.java, "--until-snapshot", strconv.FormatInt(last, 10))
	}
}

func (w *world) sameStream(o table.StreamOptions, java ...string) {
	w.t.Helper()
	want, got := w.javaRuns("stream", append(java, "--unsorted")...), w.shared(o)
	if w.rand.options["bucket"] == "-2" { // rows of a key that wait come in any order
		slices.Sort(want)
		slices.Sort(got)
	} else {
		want, got = w.byKey(want), w.byKey(got)
	}
	w.same(fmt.Sprintf("a stream %v", java), "this side", got, "Java", want)
}
