package table_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// TestStoredChangesAreThoseThatJavaStreams compares the changes of every
// snapshot of every golden table with a stream of real Paimon, which sorts the
// rows of a snapshot but for those of one key.
func TestStoredChangesAreThoseThatJavaStreams(t *testing.T) {
	ctx := context.Background()
	dir := golden(t)
	c, err := catalog.Open(ctx, filepath.Join(dir, "warehouse"), table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	names, err := c.Tables(ctx, "fx")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range names {
		want, err := os.ReadFile(filepath.Join(dir, "cases", name, "expected-stream.jsonl"))
		if errors.Is(err, fs.ErrNotExist) || refused[name] != "" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		compared++
		t.Run(name, func(t *testing.T) {
			tab, err := c.Table(ctx, catalog.Identifier{Database: "fx", Table: name})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for s, err := range tab.Snapshots().All(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, storedChanges(t, tab, s.ID)...)
			}
			wanted := strings.Split(strings.TrimSuffix(string(want), "\n"), "\n")
			if len(want) == 0 {
				wanted = nil
			}
			slices.Sort(wanted)
			slices.Sort(got)
			if d := cmp.Diff(wanted, got); d != "" {
				t.Error(d)
			}
		})
	}
	if compared < 100 {
		t.Errorf("only %d tables have an expected stream", compared)
	}
}

// storedChanges are the changes of a snapshot as lines of JSON.
func storedChanges(t *testing.T, tab *table.Table, id int64) (lines []string) {
	t.Helper()
	rowSchema, err := schema.ArrowSchema(tab.Schema().Fields)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := rowjson.NewEncoder(tab.Schema().Fields)
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range table.StoredChanges(context.Background(), tab, id) {
		if err != nil {
			t.Fatal(err)
		}
		rows := array.NewRecordBatch(rowSchema, rec.Columns()[4:], rec.NumRows())
		if err := enc.Bind(rows); err != nil {
			t.Fatal(err)
		}
		for r := range int(rec.NumRows()) {
			line := string(enc.AppendRow(nil, r))
			kind := schema.RowKind(rec.Column(0).(*array.Int8).Value(r))
			snapshot := strconv.FormatInt(rec.Column(1).(*array.Int64).Value(r), 10)
			lines = append(lines, `{"_snapshot":`+snapshot+`,"_kind":"`+kind.String()+`",`+line[1:])
		}
		rows.Release()
	}
	return lines
}
