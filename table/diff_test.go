package table_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// diffLines are changes as JSON lines with their kinds, in the order in which they come.
func diffLines(tab *table.Table, o table.ScanOptions) (lines []string, err error) {
	d, err := tab.Diff(ctx, o)
	if err != nil {
		return nil, err
	}
	enc, err := rowjson.NewEncoder(d.Fields())
	if err != nil {
		return nil, err
	}
	for rec, err := range d.Batches(ctx) {
		if err != nil {
			return nil, err
		}
		if !rec.Schema().Equal(d.Schema()) {
			return nil, fmt.Errorf("a batch of %v, said %v", rec.Schema(), d.Schema())
		}
		var fields []arrow.Field
		var cols []arrow.Array
		for i := 2; i < int(rec.NumCols()); i++ {
			fields, cols = append(fields, rec.Schema().Field(i)), append(cols, rec.Column(i))
		}
		own := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, rec.NumRows())
		if err := enc.Bind(own); err != nil {
			return nil, err
		}
		kinds := rec.Column(0).(*array.Int8)
		for r := range int(rec.NumRows()) {
			row := strings.TrimPrefix(string(enc.AppendRow(nil, r)), "{")
			lines = append(lines, fmt.Sprintf(`{"_kind":%q,%s`, schema.RowKind(kinds.Value(r)), row))
		}
		own.Release()
	}
	return lines, nil
}

func between(from, to int64, mode table.ChangeMode) table.ScanOptions {
	return table.ScanOptions{Between: &table.Between{From: table.Version{Snapshot: from}, To: table.Version{Snapshot: to}, Mode: mode}}
}

// TestGoldenIncrementalReads compares incremental reads of tables that real
// Paimon wrote with what it read itself.
func TestGoldenIncrementalReads(t *testing.T) {
	dir, c := goldenCatalog(t)
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*", "queries.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	read := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var queries map[string]struct{ Kind, Between string }
		if err := json.Unmarshal(data, &queries); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(file))
		for query, q := range queries {
			if q.Kind != "incremental" {
				continue // streams, scans with filters and tables of metadata have tests of their own
			}
			read++
			t.Run(name+"/"+query, func(t *testing.T) {
				tab, err := c.Table(ctx, catalog.Identifier{Database: "fx", Table: name})
				if err != nil {
					t.Fatal(err)
				}
				a, b, _ := strings.Cut(q.Between, ",")
				from, err1 := strconv.ParseInt(a, 10, 64)
				to, err2 := strconv.ParseInt(b, 10, 64)
				got, err := diffLines(tab, between(from, to, ""))
				if err1 != nil || err2 != nil || err != nil {
					t.Fatal(err1, err2, err)
				}
				slices.Sort(got)
				sameLines(t, filepath.Join(filepath.Dir(file), "expected-"+query+".jsonl"), got)
			})
		}
	}
	if read < 8 {
		t.Errorf("%d incremental reads", read)
	}
}

// kindLines writes rows "+U(1,a2)" as JSON lines.
func kindLines(rows string) (out []string) {
	for _, r := range strings.Fields(rows) {
		kind, rest, _ := strings.Cut(strings.TrimSuffix(r, ")"), "(")
		k, v, _ := strings.Cut(rest, ",")
		out = append(out, fmt.Sprintf(`{"_kind":%q,"k":%s,"v":%q}`, kind, k, v))
	}
	return out
}

func TestIncrementalReadsAreThoseThatWereObserved(t *testing.T) {
	_, tab := history(t)
	for mode, want := range map[table.ChangeMode]string{
		"":                     "+U(1,a2) -D(2,b) +I(3,c) +I(3,c2) +I(9,z)",
		table.ChangesAuto:      "+U(1,a2) -D(2,b) +I(3,c) +I(3,c2) +I(9,z)",
		table.ChangesDelta:     "+U(1,a2) -D(2,b) +I(3,c) +I(3,c2) +I(9,z)",
		table.ChangesChangelog: "",
		table.ChangesDiff:      "+U(1,a2) -D(2,b) +I(3,c2) +I(9,z)",
	} {
		got, err := diffLines(tab, between(1, 5, mode))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(kindLines(want), got); d != "" {
			t.Errorf("%s (-want +got):\n%s", mode, d)
		}
		d, err := tab.Diff(ctx, between(1, 5, mode))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := d.Count(ctx); err != nil || int(n) != len(got) {
			t.Errorf("%s: counted %d, %v", mode, n, err)
		}
	}
}

func TestAuditLogIsWhatWasObserved(t *testing.T) {
	_, tab := history(t)
	for _, c := range []struct {
		o    table.ScanOptions
		want string
	}{
		{table.ScanOptions{}, "+U(1,a2) -D(2,b) +I(3,c2) +I(9,z)"},
		{table.ScanOptions{Snapshot: 3}, "+U(1,a2) +I(2,b)"},
		{between(1, 5, table.ChangesDelta), "+U(1,a2) -D(2,b) +I(3,c) +I(3,c2) +I(9,z)"},
		{between(1, 5, table.ChangesDiff), "+U(1,a2) -D(2,b) +I(3,c2) +I(9,z)"},
		{table.ScanOptions{Where: "rowkind = '-D' OR v = 'z'"}, "-D(2,b) +I(9,z)"},
		{table.ScanOptions{Where: "rowkind <> '-D' AND k < 9", Limit: 1}, "+U(1,a2)"},
	} {
		var want []string
		for _, l := range kindLines(c.want) {
			want = append(want, strings.Replace(l, "_kind", "rowkind", 1))
		}
		if d := cmp.Diff(want, systemLines(t, tab, "audit_log", c.o)); d != "" {
			t.Errorf("%+v (-want +got):\n%s", c.o, d)
		}
	}
	got := systemLines(t, tab, "audit_log", table.ScanOptions{Columns: []string{"v", "rowkind"}, Where: "k = 2"})
	if want := []string{`{"v":"b","rowkind":"-D"}`}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestAuditLogShowsSequenceNumbersWhereTheTableSaysSo(t *testing.T) {
	_, tab := history(t, "table-read.sequence-number.enabled=true")
	want := []string{
		`{"rowkind":"+U","_SEQUENCE_NUMBER":2,"k":1,"v":"a2"}`,
		`{"rowkind":"-D","_SEQUENCE_NUMBER":3,"k":2,"v":"b"}`,
		`{"rowkind":"+I","_SEQUENCE_NUMBER":5,"k":3,"v":"c2"}`,
		`{"rowkind":"+I","_SEQUENCE_NUMBER":6,"k":9,"v":"z"}`,
	}
	if d := cmp.Diff(want, systemLines(t, tab, "audit_log", table.ScanOptions{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(want, systemLines(t, tab, "audit_log", between(1, 5, table.ChangesDiff))); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
	if d := cmp.Diff(`{"rowkind":"+I","_SEQUENCE_NUMBER":5,"k":[3],"v":["c2"]}`, systemLines(t, tab, "binlog", table.ScanOptions{})[2]); d != "" {
		t.Errorf("binlog (-want +got):\n%s", d)
	}
}

func TestBinlogPacksUpdatesOfAChangelog(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "changelog-producer=input")
	load(t, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	load(t, tab, `{"_kind":"-U","k":1,"v":"a"}`, `{"_kind":"+U","k":1,"v":"a2"}`, `{"_kind":"-D","k":2,"v":"b"}`, `{"_kind":"-U","k":4,"v":"x"}`)
	load(t, tab, `{"_kind":"+I","k":7,"v":null}`, `{"_kind":"-U","k":7,"v":null}`, `{"_kind":"+U","k":7,"v":"n"}`)
	want := []string{
		`{"rowkind":"+U","k":[1,1],"v":["a","a2"]}`,
		`{"rowkind":"-D","k":[2],"v":["b"]}`,
		`{"rowkind":"-U","k":[4],"v":["x"]}`,
		`{"rowkind":"+I","k":[7],"v":[null]}`,
		`{"rowkind":"+U","k":[7,7],"v":[null,"n"]}`,
	}
	for _, rows := range []int{0, 1, 2, 3} {
		o := between(1, 3, "")
		o.BatchRows = rows
		if d := cmp.Diff(want, systemLines(t, tab, "binlog", o)); d != "" {
			t.Errorf("batches of %d (-want +got):\n%s", rows, d)
		}
	}
	got := systemLines(t, tab, "binlog", table.ScanOptions{Columns: []string{"v"}, Where: "rowkind = '+U'", Snapshot: 2})
	if want := []string{`{"v":["a2"]}`}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDiffFiltersProjectsAndLimits(t *testing.T) {
	_, tab := history(t)
	o := between(1, 5, table.ChangesDiff)
	o.Columns, o.Where, o.Limit = []string{"v"}, "k > 1 AND v <> 'z'", 0
	want := []string{`{"_kind":"-D","v":"b"}`, `{"_kind":"+I","v":"c2"}`}
	for _, limit := range []int64{0, 2, 1} {
		if o.Limit = limit; limit > 0 {
			want = want[:limit]
		}
		got, err := diffLines(tab, o)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("limit %d: %v, %v", limit, got, err)
		}
	}
}

func TestDiffRefusesWhatIsNoStretchOfHistory(t *testing.T) {
	_, tab := history(t)
	for _, c := range []struct {
		o     table.ScanOptions
		class error
		text  string
	}{
		{table.ScanOptions{}, table.ErrInvalid, "two versions"},
		{between(4, 2, ""), table.ErrInvalid, "older to newer"},
		{between(1, 6, ""), table.ErrNotFound, "snapshots 1 to 5"},
		{between(9, 5, table.ChangesDiff), table.ErrNotFound, "snapshot 9"},
		{between(1, 5, "delte"), table.ErrInvalid, "auto, delta, changelog or diff"},
		{table.ScanOptions{Between: &table.Between{From: table.Version{Tag: "nope"}}}, table.ErrNotFound, "nope"},
		{table.ScanOptions{Between: &table.Between{}, Snapshot: 1}, table.ErrInvalid, "beside"},
		{table.ScanOptions{Between: &table.Between{From: table.Version{Snapshot: 1, Tag: "x"}}}, table.ErrInvalid, "one of them"},
	} {
		_, err := tab.Diff(ctx, c.o)
		failsWith(t, err, c.class, c.text)
	}
	_, err := tab.Scan(ctx, between(1, 2, ""))
	failsWith(t, err, table.ErrInvalid, "Table.Diff")
	_, err = tab.System(ctx, "ro", between(1, 2, ""))
	failsWith(t, err, table.ErrInvalid, "Table.Diff")
	if got, err := diffLines(tab, between(3, 3, "")); err != nil || got != nil {
		t.Errorf("between a version and itself: %v, %v", got, err)
	}
	empty := create(t, store.NewMem(), keyed)
	if got, err := diffLines(empty, between(0, 0, table.ChangesDiff)); err != nil || got != nil {
		t.Errorf("of an empty table: %v, %v", got, err)
	}
}

// A key that went to another bucket was told as new by the one and then as
// deleted by the other: whoever applied that lost it.
func TestAKeyThatMovedIsNotDeletedAfterItCame(t *testing.T) {
	for name, c := range map[string]struct {
		yaml      string
		overwrite bool
	}{
		"by an overwrite":   {"columns: [{name: k, type: INT NOT NULL}, {name: p, type: STRING}]\nprimary-key: [k]", true},
		"across partitions": {"columns: [{name: k, type: INT NOT NULL}, {name: p, type: STRING NOT NULL}]\npartition-by: [p]\nprimary-key: [k]", false},
	} {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), c.yaml, "bucket=-1", "dynamic-bucket.target-row-num=1")
			load(t, tab, `{"k":1,"p":"b"}`, `{"k":2,"p":"b"}`)
			if c.overwrite {
				rescale(t, tab, nil, `{"k":2,"p":"a"}`)
			} else {
				load(t, tab, `{"k":2,"p":"a"}`)
			}
			changes, err := diffLines(tab, between(1, 2, table.ChangesDiff))
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(changes, func(line string) bool { return strings.HasPrefix(line, `{"_kind":"-D","k":2`) })
			if n := slices.Index(changes, `{"_kind":"+I","k":2,"p":"a"}`); n < 0 || n < at {
				t.Error(changes)
			}
		})
	}
}

func diffIs(t *testing.T, tab *table.Table, b table.Between, mode table.ChangeMode, want string) {
	t.Helper()
	d, err := tab.Diff(ctx, table.ScanOptions{Between: &b})
	if err != nil {
		t.Fatal(err)
	}
	got, err := diffLines(tab, table.ScanOptions{Between: &b})
	if diff := cmp.Diff(kindLines(want), got); err != nil || diff != "" || d.Mode() != mode {
		t.Errorf("%s to %s, mode %s: %v (-want +got):\n%s", b.From, b.To, d.Mode(), err, diff)
	}
}

func TestDiffTakesTagsAndTimesAsVersions(t *testing.T) {
	_, tab := history(t)
	tag := func(name string) table.Version { return table.Version{Tag: name} }
	after := func(id int64, wait time.Duration) table.Version {
		s, err := tab.Snapshots().Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return table.Version{Time: time.UnixMilli(s.TimeMillis).Add(wait)}
	}
	diffIs(t, tab, table.Between{From: tag("t3"), To: tag("t4")}, table.ChangesDiff, "+I(3,c2) +I(9,z)")
	diffIs(t, tab, table.Between{From: tag("t3"), To: tag("t4"), Mode: table.ChangesDelta}, table.ChangesDelta, "+I(3,c2) +I(9,z)")
	diffIs(t, tab, table.Between{From: table.Version{Snapshot: 2}, To: tag("t3")}, table.ChangesDelta, "-D(2,b) +I(3,c)")
	diffIs(t, tab, table.Between{From: tag("t3")}, table.ChangesDelta, "+I(3,c2) +I(9,z)")
	diffIs(t, tab, table.Between{From: after(2, 0), To: after(5, -1)}, table.ChangesDelta, "-D(2,b) +I(3,c)")
	diffIs(t, tab, table.Between{From: after(2, 0), To: after(4, 0), Mode: table.ChangesDiff}, table.ChangesDiff, "-D(2,b) +I(3,c)")
	diffIs(t, tab, table.Between{From: after(1, -1), To: table.Version{Snapshot: 2}}, table.ChangesDelta, "+I(1,a) +I(2,b) +U(1,a2)")
	diffIs(t, tab, table.Between{To: after(1, -1)}, table.ChangesDelta, "")

	expired(t, tab, table.ExpireOptions{RetainMin: 1, RetainMax: 1})
	diffIs(t, tab, table.Between{From: tag("t3"), To: tag("t4")}, table.ChangesDiff, "+I(3,c2) +I(9,z)")
	diffIs(t, tab, table.Between{From: table.Version{Snapshot: 4}}, table.ChangesDelta, "+I(3,c2) +I(9,z)")
	for _, from := range []table.Version{{Snapshot: 2}, {}} {
		_, err := tab.Diff(ctx, table.ScanOptions{Between: &table.Between{From: from}})
		failsWith(t, err, table.ErrNotFound, fmt.Sprintf("snapshots %d to 4 have expired", from.Snapshot+1), "the changes since 4", "tags")
	}
	_, err := tab.System(ctx, "audit_log", table.ScanOptions{Between: &table.Between{From: table.Version{Snapshot: 3}, To: tag("t4")}})
	failsWith(t, err, table.ErrNotFound, "snapshot 4 has expired")
}

// The key is where it was. A delete in the partition that it came by would take
// it from who keeps rows by key.
func TestAKeyThatCameByAPartitionIsNoDifference(t *testing.T) {
	const moving = `{"columns": [{"name": "k", "type": "INT"}, {"name": "p", "type": "INT"}, {"name": "v", "type": "STRING"}],
		"primary-key": ["k"], "partition-by": ["p"], "options": {"bucket": "-1"}}`
	tab := create(t, store.NewMem(), moving)
	load(t, tab, `{"k":1,"p":1,"v":"a"}`, `{"k":2,"p":1,"v":"a"}`)
	load(t, tab, `{"k":1,"p":2,"v":"a"}`, `{"k":1,"p":1,"v":"a"}`, `{"k":2,"p":3,"v":"b"}`)
	newest, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := diffLines(tab, between(1, newest, table.ChangesDiff))
	want := []string{`{"_kind":"-D","k":2,"p":1,"v":"b"}`, `{"_kind":"+I","k":2,"p":3,"v":"b"}`}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// Paimon's incremental reads do not go through changelogs of expired snapshots either.
func TestIncrementalReadsSayThatLongLivedChangelogsAreForStreams(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "changelog-producer=input", "changelog.num-retained.max=10", "snapshot.num-retained.min=1", "snapshot.num-retained.max=1")
	for range 4 {
		load(t, tab, `{"k":1,"v":"a"}`)
	}
	expired(t, tab, table.ExpireOptions{})
	_, err := tab.Diff(ctx, between(1, 4, ""))
	failsWith(t, err, table.ErrNotFound, "snapshots 2 to 3 have expired", "kept for streams", "from snapshot 2 until 4")
	tells(t, tab, table.StreamOptions{Snapshot: 2, UntilSnapshot: 4}, "2:+I 1 a", "3:+I 1 a", "4:+I 1 a")
}

func TestVersionsOfOtherBucketsAreNotCompared(t *testing.T) {
	st, _ := history(t, "bucket=3")
	tab := alter(t, st, "set bucket=1")
	rescale(t, tab, nil, `{"k":1,"v":"n"}`, `{"k":2,"v":"n"}`, `{"k":3,"v":"n"}`, `{"k":4,"v":"n"}`)
	_, err := tab.Diff(ctx, between(5, 6, table.ChangesDiff))
	failsWith(t, err, table.ErrInvalid, "snapshots 5 and 6 have 3 and 1 buckets", "delta")

	// The option says 3 again, the rows are still in one.
	load(t, tab, `{"k":5,"v":"n"}`)
	tab = alter(t, st, "set bucket=3")
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	changes, err := diffLines(tab, between(5, 8, table.ChangesDiff))
	if err != nil {
		t.Fatal(err)
	}
	state := map[string]string{}
	for _, line := range changes {
		k := line[strings.Index(line, `"k":`):][:5]
		if state[k] = line; strings.Contains(line, `"-D"`) {
			delete(state, k)
		}
	}
	if len(state) != 5 {
		t.Error(changes)
	}
}
