package table_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// wholeTable are the system tables whose rows are not those of one snapshot.
var wholeTable = []string{"snapshots", "schemas", "options", "tags", "branches", "consumers", "aggregation_fields"}

// ofSnapshot are those whose rows are.
var ofSnapshot = []string{"files", "manifests", "partitions", "buckets", "statistics", "table_indexes"}

func TestSystemTablesOfTheWholeTableTakeNoSnapshot(t *testing.T) {
	tab := halfCompacted(t)
	for _, name := range wholeTable {
		_, err := tab.System(ctx, name, table.ScanOptions{Snapshot: 1})
		failsWith(t, err, table.ErrInvalid, "$"+name, "not of one snapshot", "leave out")
	}
	for _, name := range slices.Concat(ofSnapshot, wholeTable) {
		_, err := tab.System(ctx, name, table.ScanOptions{Between: &table.Between{}})
		failsWith(t, err, table.ErrInvalid)
	}
	for _, name := range ofSnapshot {
		_, err := tab.System(ctx, name, table.ScanOptions{Snapshot: 99})
		failsWith(t, err, table.ErrNotFound, "99")
		_, err = tab.System(ctx, name, table.ScanOptions{Tag: "gone"})
		failsWith(t, err, table.ErrNotFound, "gone")
	}
}

func TestSystemTablesOfAnEmptyTableHaveNoRowsOfSnapshots(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	for _, name := range append(ofSnapshot, "snapshots", "tags", "branches", "consumers") {
		if got := systemLines(t, tab, name, table.ScanOptions{}); got != nil {
			t.Errorf("$%s: %v", name, got)
		}
	}
}

func TestSystemTablesShowAnEarlierSnapshot(t *testing.T) {
	tab := halfCompacted(t)
	o := table.ScanOptions{Columns: []string{"level", "record_count", "min_key", "max_key", "file_source", "deleteRowCount"}}
	want := []string{
		`{"level":5,"record_count":4,"min_key":"[1]","max_key":"[4]","file_source":"APPEND","deleteRowCount":0}`,
		`{"level":0,"record_count":3,"min_key":"[2]","max_key":"[5]","file_source":"APPEND","deleteRowCount":1}`}
	if d := cmp.Diff(want, systemLines(t, tab, "files", o)); d != "" {
		t.Errorf("newest (-want +got):\n%s", d)
	}
	o.Snapshot = 1
	want = []string{`{"level":0,"record_count":4,"min_key":"[1]","max_key":"[4]","file_source":"APPEND","deleteRowCount":0}`}
	if d := cmp.Diff(want, systemLines(t, tab, "files", o)); d != "" {
		t.Errorf("snapshot 1 (-want +got):\n%s", d)
	}
	o = table.ScanOptions{Columns: []string{"partition", "bucket", "record_count", "file_count"}, Snapshot: 2}
	if d := cmp.Diff([]string{`{"partition":"{}","bucket":0,"record_count":4,"file_count":1}`}, systemLines(t, tab, "buckets", o)); d != "" {
		t.Errorf("snapshot 2 (-want +got):\n%s", d)
	}
}

// What is not asked for is not computed, and asking for it alone is enough.
func TestEachColumnOfASystemTableCanBeReadAlone(t *testing.T) {
	tab := halfCompacted(t)
	for _, name := range slices.Concat(wholeTable, ofSnapshot) {
		all := systemLines(t, tab, name, table.ScanOptions{})
		s, err := tab.System(ctx, name, table.ScanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Fields() {
			for i, line := range systemLines(t, tab, name, table.ScanOptions{Columns: []string{f.Name}, BatchRows: 1}) {
				if !strings.Contains(all[i], strings.Trim(line, "{}")) {
					t.Errorf("$%s column %s: %s is not in %s", name, f.Name, line, all[i])
				}
			}
		}
	}
}

func TestSystemTablesKnowWhatWasAlteredAfterTheTableWasOpened(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	w, _ := world(t)
	if _, err := table.Alter(ctx, st, "db.t", []schema.Change{schema.SetOption{Key: "fields.v.aggregate-function", Value: "max"}}, table.AlterOptions{}, w); err != nil {
		t.Fatal(err)
	}
	o := table.ScanOptions{Where: "function <> '[]'"}
	want := []string{`{"field_name":"v","field_type":"STRING","function":"[max]","function_options":"[fields.v.aggregate-function]","comment":null}`}
	if d := cmp.Diff(want, systemLines(t, tab, "aggregation_fields", o)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if n := len(systemLines(t, tab, "schemas", table.ScanOptions{})); n != 2 {
		t.Errorf("%d schemas", n)
	}
	if got := systemLines(t, tab, "options", table.ScanOptions{Where: "value = 'max'"}); len(got) != 1 {
		t.Errorf("options: %v", got)
	}
}

func TestTimesOfSystemTablesAreThoseOfTheSessionsZone(t *testing.T) {
	st := store.NewMem()
	load(t, create(t, st, keyed), `{"k":1,"v":"a"}`)
	w, _ := world(t)
	tokyo, err := table.Open(ctx, st, "db.t", table.Settings{TimeZone: time.FixedZone("Tokyo", 9*3600)}, w)
	if err != nil {
		t.Fatal(err)
	}
	o := table.ScanOptions{Columns: []string{"commit_time"}, Where: "commit_time > '2026-01-31 21:00:00' AND commit_time < '2026-01-31 21:01:00'"}
	if got := systemLines(t, tokyo, "snapshots", o); len(got) != 1 || !strings.HasPrefix(got[0], `{"commit_time":"2026-01-31T21:00:0`) {
		t.Error(got)
	}
}

func TestBranchesWithoutADirectoryAreAsOldAsTheirSchema(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	data, err := st.ReadAll(ctx, "schema/schema-0")
	if err == nil {
		err = st.Write(ctx, "branch/branch-dev/schema/schema-0", data)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := systemLines(t, tab, "branches", table.ScanOptions{Where: "create_time > '2020-01-01 00:00:00'"})
	if len(got) != 1 || !strings.HasPrefix(got[0], `{"branch_name":"dev",`) {
		t.Error(got)
	}
}

func TestBrokenStatisticsAreCorruptNotAbsent(t *testing.T) {
	for text, want := range map[string]string{
		`{"snapshotId":1,"schemaId":0}`:                                             `{"snapshot_id":1,"schema_id":0,"mergedRecordCount":null,"mergedRecordSize":null,"colstat":null}`,
		`{"snapshotId":1,"schemaId":0,"colStats":{}}`:                               `{"snapshot_id":1,"schema_id":0,"mergedRecordCount":null,"mergedRecordSize":null,"colstat":"{ }"}`,
		`{"snapshotId":1,"schemaId":0,"colStats":{"a\": b":{"colId":3,"min":"<"}}}`: `{"snapshot_id":1,"schema_id":0,"mergedRecordCount":null,"mergedRecordSize":null,"colstat":"{\n  \"a\\\": b\" : {\n    \"colId\" : 3,\n    \"min\" : \"<\"\n  }\n}"}`,
		`{"snapshotId":1,"schemaId":0,"colStats":[]}`:                               "",
		`{"snapshotId":1,"schemaId":0,"colStats":{"a":{"colId":"x"}}}`:              "",
		`{`: "",
	} {
		st := store.NewMem()
		load(t, create(t, st, keyed), `{"k":1,"v":"a"}`)
		data, err := st.ReadAll(ctx, "snapshot/snapshot-1")
		if err != nil {
			t.Fatal(err)
		}
		data = []byte(strings.Replace(string(data), `"version"`, `"statistics" : "s-0", "version"`, 1))
		if err := st.Write(ctx, "snapshot/snapshot-1", data); err != nil {
			t.Fatal(err)
		}
		if err := st.Write(ctx, "statistics/s-0", []byte(text)); err != nil {
			t.Fatal(err)
		}
		tab := reopen(t, st)
		if want != "" {
			if d := cmp.Diff([]string{want}, systemLines(t, tab, "statistics", table.ScanOptions{})); d != "" {
				t.Errorf("%s (-want +got):\n%s", text, d)
			}
			continue
		}
		s, err := tab.System(ctx, "statistics", table.ScanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Count(ctx)
		failsWith(t, err, table.ErrCorrupt, "statistics/s-0")
	}
}

// A listing of files goes by what is needed of it, batch by batch, and may be
// broken off.
func TestSystemTablesMayBeBrokenOff(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	for i := range 5 {
		load(t, tab, fmt.Sprintf(`{"k":%d}`, i))
	}
	for _, name := range []string{"snapshots", "manifests", "files"} {
		s, err := tab.System(ctx, name, table.ScanOptions{BatchRows: 2})
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := range s.Batches(ctx) {
			if err != nil || rec.NumRows() != 2 {
				t.Errorf("$%s: %v, %v", name, rec, err)
			}
			break
		}
		if got := systemLines(t, tab, name, table.ScanOptions{BatchRows: 2, Limit: 3}); len(got) != 3 {
			t.Errorf("$%s: %d rows of 3", name, len(got))
		}
	}
}
