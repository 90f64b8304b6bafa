//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// told is what a stream told of one snapshot.
type told struct {
	id    int64
	lines []string
}

// follow sends what a stream tells until ctx ends.
func (w *world) follow(ctx context.Context, s *table.Stream, out chan<- told) error {
	defer close(out)
	rows, err := schema.ArrowSchema(s.Fields())
	if err != nil {
		return err
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		return err
	}
	for c, err := range s.Snapshots(ctx) {
		if err != nil {
			return err
		}
		one := told{id: c.Snapshot.ID}
		for rec, err := range c.Batches() {
			if err == nil {
				one.lines, err = appendTold(one.lines, enc, rows, rec)
			}
			if err != nil {
				return err
			}
		}
		out <- one
	}
	return nil
}

func appendTold(lines []string, enc *rowjson.Encoder, rows *arrow.Schema, rec arrow.RecordBatch) ([]string, error) {
	plain := array.NewRecordBatch(rows, rec.Columns()[2:], rec.NumRows())
	defer plain.Release()
	if err := enc.Bind(plain); err != nil {
		return lines, err
	}
	for r := range int(rec.NumRows()) {
		kind := schema.RowKind(rec.Column(0).(*array.Int8).Value(r))
		id := strconv.FormatInt(rec.Column(1).(*array.Int64).Value(r), 10)
		lines = append(lines, `{"_snapshot":`+id+`,"_kind":"`+kind.String()+`",`+string(enc.AppendRow(nil, r)[1:]))
	}
	return lines, nil
}

// streamed is all that a stream tells until a snapshot.
func (w *world) streamed(o table.StreamOptions) []string {
	w.t.Helper()
	s, err := w.open().Stream(context.Background(), o)
	w.must(err)
	out := make(chan told, 1)
	failed := make(chan error, 1)
	go func() { failed <- w.follow(context.Background(), s, out) }()
	var lines []string
	for one := range out {
		lines = append(lines, one.lines...)
	}
	w.must(<-failed)
	return lines
}

// byKey orders lines by snapshot and key, and keeps the order of one key's lines.
func (w *world) byKey(lines []string) []string {
	w.t.Helper()
	keys := make(map[string]string, len(lines))
	names := w.open().Schema().PrimaryKeys
	for _, line := range lines {
		var row map[string]json.RawMessage
		w.must(json.Unmarshal([]byte(line), &row))
		key := fmt.Sprintf("%9s", row["_snapshot"])
		for _, name := range names {
			key += "|" + string(row[name])
		}
		if len(names) == 0 {
			key += line
		}
		keys[line] = key
	}
	out := slices.Clone(lines)
	slices.SortStableFunc(out, func(a, b string) int { return strings.Compare(keys[a], keys[b]) })
	return out
}

// Both sides write and compact while a stream of this side follows. What it
// told, and what streams tell afterwards from wherever they begin, is what
// Java's own stream tells.
func TestStreamsTellWhatJavasStreamsTell(t *testing.T) {
	each(t, run.java, 20, func(w *world) {
		if len(w.rand.keys) > 0 && w.rand.options["merge-engine"] != "first-row" && w.rand.options["bucket"] != "-2" {
			w.rand.maybe(2, "changelog-producer", "input", "lookup", "full-compaction")
			if w.rand.options["deletion-vectors.enabled"] == "true" && w.rand.options["changelog-producer"] == "full-compaction" {
				delete(w.rand.options, "changelog-producer")
			}
		}
		w.create(w.half())
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		s, err := w.open().Stream(ctx, table.StreamOptions{Mode: table.Latest})
		w.must(err)
		live, failed := make(chan told, 1000), make(chan error, 1)
		go func() { failed <- w.follow(ctx, s, live) }()
		for range 3 + w.rand.r.IntN(4) {
			w.write(w.half(), w.rand.batch(nil))
			if w.rand.r.IntN(3) == 0 {
				w.compact(w.half(), w.half())
			}
		}
		last, err := w.open().Snapshots().LatestID(ctx)
		w.must(err)
		if last == 0 {
			return
		}
		var followed []string
		for one := range live {
			if followed = append(followed, one.lines...); one.id == last {
				break
			}
		}
		cancel()
		for range live { // until the follower has ended
		}
		if err := <-failed; err != nil && ctx.Err() == nil {
			w.t.Fatal(err)
		}
		until := strconv.FormatInt(last, 10)
		java := w.byKey(w.javaRuns("stream", "--from", "1", "--until-snapshot", until))
		w.same("a stream that followed", "this side", w.byKey(followed), "Java", java)
		w.same("a stream from the first snapshot", "this side", w.byKey(w.streamed(table.StreamOptions{Snapshot: 1, UntilSnapshot: last})), "Java", java)
		if w.rand.options["bucket"] == "-2" {
			return // a full start has the rows of a key that wait in any order
		}
		some := 1 + w.rand.r.Int64N(last)
		w.same(fmt.Sprintf("a stream in full from snapshot %d", some),
			"this side", w.byKey(w.streamed(table.StreamOptions{Mode: table.FromSnapshotFull, Snapshot: some, UntilSnapshot: last})),
			"Java", w.byKey(w.javaRuns("stream", "--from", "full:"+strconv.FormatInt(some, 10), "--until-snapshot", until)))
	})
}
