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

// follow sends what a stream tells until ctx ends; one with a consumer acknowledges it.
func (w *world) follow(ctx context.Context, s *table.Stream, consumer string, out chan<- told) error {
	defer close(out)
	changes, err := newChangeLines(s.Fields())
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
				one.lines, err = changes.of(one.lines, rec)
			}
			if err != nil {
				return err
			}
		}
		out <- one
		if consumer == "" {
			continue
		}
		if err := s.Acknowledge(ctx); err != nil {
			return err
		}
	}
	return nil
}

// changeLines makes lines of batches of changes: a row with its snapshot and kind.
type changeLines struct {
	rows *arrow.Schema
	enc  *rowjson.Encoder
}

func newChangeLines(fields []schema.Field) (c changeLines, err error) {
	if c.rows, err = schema.ArrowSchema(fields); err == nil {
		c.enc, err = rowjson.NewEncoder(fields)
	}
	return c, err
}

// of appends the lines of a batch.
func (c changeLines) of(lines []string, rec arrow.RecordBatch) ([]string, error) {
	plain := array.NewRecordBatch(c.rows, rec.Columns()[2:], rec.NumRows())
	defer plain.Release()
	if err := c.enc.Bind(plain); err != nil {
		return lines, err
	}
	for r := range int(rec.NumRows()) {
		kind := schema.RowKind(rec.Column(0).(*array.Int8).Value(r))
		id := strconv.FormatInt(rec.Column(1).(*array.Int64).Value(r), 10)
		lines = append(lines, `{"_snapshot":`+id+`,"_kind":"`+kind.String()+`",`+string(c.enc.AppendRow(nil, r)[1:]))
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
	go func() { failed <- w.follow(context.Background(), s, o.Consumer, out) }()
	var lines []string
	for one := range out {
		lines = append(lines, one.lines...)
	}
	w.must(<-failed)
	return lines
}

// byKey orders lines by snapshot and key, and keeps the order of one key's lines;
// of a key that moves, of those in one partition.
func (w *world) byKey(lines []string) []string {
	w.t.Helper()
	keys := make(map[string]string, len(lines))
	sc := w.open().Schema()
	names := sc.PrimaryKeys
	if len(names) > 0 {
		names = slices.Concat(names, sc.PartitionKeys)
	}
	for _, line := range lines {
		var row map[string]json.RawMessage
		w.must(json.Unmarshal([]byte(line), &row))
		key := fmt.Sprintf("%9s", row["_snapshot"])
		for _, name := range names {
			key += "|" + string(row[name])
		}
		if len(names) == 0 || w.rand.scattered() {
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
	each(t, run.java, 8, func(w *world) {
		if len(w.rand.keys) > 0 && w.rand.options["merge-engine"] != "first-row" && w.rand.options["bucket"] != "-2" {
			w.rand.maybe(2, "changelog-producer", "input", "lookup", "full-compaction")
			if w.rand.options["deletion-vectors.enabled"] == "true" && w.rand.options["changelog-producer"] == "full-compaction" {
				delete(w.rand.options, "changelog-producer")
			}
		}
		if producer := w.rand.options["changelog-producer"]; producer == "" || producer == "input" { // the others tell overwrites by compacting
			// An overwrite may put a key into another dynamic bucket, and buckets have no order.
			option := "streaming-read-overwrite"
			if len(w.rand.keys) == 0 {
				option = "streaming-read-append-overwrite"
			}
			if len(w.rand.keys) == 0 || w.rand.options["bucket"] != "-1" {
				w.rand.maybe(3, option, "true")
			}
		}
		w.create(w.half())
		live := w.goFollows(table.StreamOptions{Mode: table.Latest})
		for range 3 + w.rand.r.IntN(4) {
			w.perform(w.half(), w.step())
			if w.rand.r.IntN(3) == 0 {
				w.compact(w.half(), w.half())
			}
		}
		last := w.latest()
		if last == 0 {
			return
		}
		until := strconv.FormatInt(last, 10)
		java := w.byKey(w.javaRuns("stream", "--from", "1", "--until-snapshot", until))
		w.same("a stream that followed", "this side", w.byKey(live.stop(last)), "Java", java)
		w.beginsAlike(last)
	})
}
