package table_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// streamText prints the batches of a stream as lines of JSON.
type streamText struct {
	columns int // that stand before the table's
	rows    *arrow.Schema
	enc     *rowjson.Encoder
}

func newStreamText(t *testing.T, s *table.Stream) *streamText {
	t.Helper()
	x := &streamText{columns: s.Schema().NumFields() - len(s.Fields())}
	var err error
	if x.rows, err = schema.ArrowSchema(s.Fields()); err != nil {
		t.Fatal(err)
	}
	if x.enc, err = rowjson.NewEncoder(s.Fields()); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *streamText) lines(t *testing.T, rec arrow.RecordBatch) (lines []string) {
	t.Helper()
	rows := array.NewRecordBatch(x.rows, rec.Columns()[x.columns:], rec.NumRows())
	defer rows.Release()
	if err := x.enc.Bind(rows); err != nil {
		t.Fatal(err)
	}
	for r := range int(rec.NumRows()) {
		kind := schema.RowKind(rec.Column(0).(*array.Int8).Value(r))
		snapshot := strconv.FormatInt(rec.Column(1).(*array.Int64).Value(r), 10)
		lines = append(lines, `{"_snapshot":`+snapshot+`,"_kind":"`+kind.String()+`",`+string(x.enc.AppendRow(nil, r)[1:]))
	}
	return lines
}

// streamLines runs a stream to its end.
func streamLines(t *testing.T, tab *table.Table, o table.StreamOptions) (lines []string) {
	t.Helper()
	s, err := tab.Stream(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	text := newStreamText(t, s)
	for rec, err := range s.Batches(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, text.lines(t, rec)...)
	}
	return lines
}

// storedChanges are the changes of a snapshot as lines of JSON.
func storedChanges(t *testing.T, tab *table.Table, id int64) []string {
	t.Helper()
	return streamLines(t, tab, table.StreamOptions{Snapshot: id, UntilSnapshot: id, Overwrites: table.SkipOverwrites})
}

// inKeyOrder orders lines by snapshot and key, and keeps the order of one key's
// lines. Lines of tables without a key have no order.
func inKeyOrder(t *testing.T, tab *table.Table, lines []string) []string {
	t.Helper()
	type keyed struct{ key, line string }
	all := make([]keyed, len(lines))
	for i, line := range lines {
		var row map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		all[i] = keyed{string(row["_snapshot"]), line}
		for _, name := range tab.Schema().PrimaryKeys {
			all[i].key += "|" + string(row[name])
		}
		if len(tab.Schema().PrimaryKeys) == 0 {
			all[i].key += line
		}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i].line
	}
	return out
}

func linesOfFile(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) == 0 {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

// TestStreamsTellWhatJavaStreams streams every golden table, and compares with
// streams of real Paimon, which sorts the rows of a snapshot but for those of one key.
func TestStreamsTellWhatJavaStreams(t *testing.T) {
	ctx := context.Background()
	dir, c := goldenCatalog(t)
	names, err := c.Tables(ctx, "fx")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range names {
		cases := filepath.Join(dir, "cases", name)
		if _, err := os.Stat(filepath.Join(cases, "expected-stream.jsonl")); errors.Is(err, fs.ErrNotExist) || refused[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			tab, err := c.Table(ctx, catalog.Identifier{Database: "fx", Table: name})
			if err != nil {
				t.Fatal(err)
			}
			latest, err := tab.Snapshots().LatestID(ctx)
			if err != nil {
				t.Fatal(err)
			}
			first := int64(1)
			if s, err := tab.Snapshots().Earliest(ctx); err != nil {
				t.Fatal(err)
			} else if s != nil {
				first = s.ID
			}
			compare := func(query string, o table.StreamOptions) {
				t.Helper()
				if latest == 0 {
					return
				}
				compared++
				o.UntilSnapshot = latest
				want := inKeyOrder(t, tab, linesOfFile(t, filepath.Join(cases, "expected-"+query+".jsonl")))
				got := inKeyOrder(t, tab, streamLines(t, tab, o))
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s (-want +got):\n%s", query, d)
				}
			}
			compare("stream", table.StreamOptions{Mode: table.FromSnapshot, Snapshot: first})
			for query, from := range streamQueries(t, cases) {
				o := table.StreamOptions{}
				if from != "full" {
					o.Snapshot, _ = strconv.ParseInt(from, 10, 64)
				}
				compare(query, o)
			}
		})
	}
	if compared < 115 {
		t.Errorf("only %d streams are compared", compared)
	}
}

// streamQueries are the other streams of a case and where they begin.
func streamQueries(t *testing.T, dir string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "queries.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ Kind, From string }
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	from := make(map[string]string)
	for name, q := range all {
		if q.Kind == "stream" {
			from[name] = q.From
		}
	}
	return from
}
