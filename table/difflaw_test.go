package table_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/table"
)

// keyOf is the primary key of a row as a JSON line.
func keyOf(t *testing.T, tab *table.Table, line string) string {
	t.Helper()
	var row map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &row); err != nil {
		t.Fatal(err)
	}
	var key []string
	for _, name := range tab.Schema().PrimaryKeys {
		key = append(key, string(row[name]))
	}
	return strings.Join(key, "|")
}

// rowsAt are the rows of a snapshot by key, those of snapshot 0 none.
func rowsAt(t *testing.T, tab *table.Table, id int64) map[string]string {
	t.Helper()
	rows := map[string]string{}
	if id > 0 {
		for _, line := range lines(t, tab, table.ScanOptions{Snapshot: id}) {
			rows[keyOf(t, tab, line)] = line
		}
	}
	return rows
}

// lawful proves that what differs between two snapshots makes the one out of the other.
func lawful(t *testing.T, tab *table.Table, from, to int64) {
	t.Helper()
	rows, want := rowsAt(t, tab, from), rowsAt(t, tab, to)
	changes, err := diffLines(tab, between(from, to, table.ChangesDiff))
	if err != nil {
		t.Error(err)
		return
	}
	told := map[string]bool{}
	for _, line := range changes {
		kind, rest := line[len(`{"_kind":"`):][:2], "{"+line[len(`{"_kind":"+I",`):]
		key := keyOf(t, tab, rest)
		if told[key] {
			t.Errorf("%d to %d: key %s is told twice", from, to, key)
		}
		told[key] = true
		if kind == "-D" || kind == "-U" {
			delete(rows, key)
		} else {
			rows[key] = rest
		}
	}
	if d := cmp.Diff(want, rows); d != "" {
		t.Errorf("snapshot %d and the diff to %d (-want +got):\n%s", from, to, d)
	}
}

// TestADiffMakesTheNewerVersionOfTheOlderOne goes through all tables of real
// Paimon, with all engines, deletion vectors and kinds of buckets.
func TestADiffMakesTheNewerVersionOfTheOlderOne(t *testing.T) {
	_, c := goldenCatalog(t)
	names, err := c.Tables(ctx, "fx")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, name := range names {
		tab, err := c.Table(ctx, catalog.Identifier{Database: "fx", Table: name})
		if _, cannot := refused[name]; cannot || err != nil || len(tab.Schema().PrimaryKeys) == 0 || openOrder[name] {
			continue
		}
		first, err1 := tab.Snapshots().Earliest(ctx)
		last, err2 := tab.Snapshots().Latest(ctx)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if first == nil || first.SchemaID != tab.Schema().ID {
			continue // a scan reads a snapshot in its own schema, a diff in the newest
		}
		t.Run(name, func(t *testing.T) {
			starts := map[int64]bool{first.ID: true, (first.ID + last.ID) / 2: true, last.ID - 1: true}
			if first.ID == 1 {
				starts[0] = true
			}
			for from := range starts {
				if from < last.ID && (from == 0 || from >= first.ID) {
					lawful(t, tab, from, last.ID)
					compared++
				}
			}
		})
	}
	if compared < 200 {
		t.Errorf("%d versions were compared", compared)
	}
}
