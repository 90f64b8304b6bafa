package table_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// minute is a time of the histories that are made minute by minute.
func minute(n int) time.Time { return time.Date(2026, 1, 31, 12, n, 0, 0, time.UTC) }

// atMinute opens a branch where it is that time.
func atMinute(t testing.TB, st store.Store, branch string, n int) *table.Table {
	t.Helper()
	w, _ := world(t)
	w.Clock = func() time.Time { return minute(n) }
	tab, err := table.OpenBranch(ctx, st, branch, "db.t", table.Settings{}, w)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// byMinutes is a table of five snapshots, a minute apart: the third is a
// compaction, the second is tagged, the last two have the watermarks 400 and 500.
func byMinutes(t testing.TB) store.Store {
	t.Helper()
	st := store.NewMem()
	create(t, st, keyed)
	load(t, atMinute(t, st, "", 1), `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	load(t, atMinute(t, st, "", 2), `{"_kind":"+U","k":1,"v":"a2"}`)
	if _, err := atMinute(t, st, "", 3).Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	load(t, atMinute(t, st, "", 4), `{"_kind":"-D","k":2,"v":"b"}`, `{"k":3,"v":"c"}`)
	load(t, atMinute(t, st, "", 5), `{"k":3,"v":"c2"}`, `{"k":9,"v":"z"}`)
	makeTag(t, st, "two", 2)
	c := snapshot.NewChain(st, "")
	for id := int64(4); id <= 5; id++ {
		s, err := c.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		watermark := id * 100
		s.Watermark = &watermark
		if err := st.Write(ctx, c.Path(id), s.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	return st
}

// storeOptions publishes a schema with options that Alter may refuse, as an
// older version of an engine may have left them.
func storeOptions(t testing.TB, st store.Store, options ...string) *table.Table {
	t.Helper()
	sc := *reopen(t, st).Schema()
	sc.ID++
	sc.Options = map[string]string{"bucket": "1", "write-only": "true"}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		sc.Options[key] = value
	}
	data, err := sc.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Write(ctx, "schema/schema-"+strconv.FormatInt(sc.ID, 10), data); err != nil {
		t.Fatal(err)
	}
	return reopen(t, st)
}

func millis(n int) string { return strconv.FormatInt(minute(n).UnixMilli(), 10) }

// What batch reads read and where streams begin by the options that a table
// keeps, each as Paimon does it.
func TestOptionsOfTheTableSayWhereReadsBegin(t *testing.T) {
	st := byMinutes(t)
	one := []string{`{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`}
	two := []string{`{"k":1,"v":"a2"}`, `{"k":2,"v":"b"}`}
	four := []string{`{"k":1,"v":"a2"}`, `{"k":3,"v":"c"}`}
	five := []string{`{"k":1,"v":"a2"}`, `{"k":3,"v":"c2"}`, `{"k":9,"v":"z"}`}
	all := []string{"5:+U 1 a2", "5:+I 3 c2", "5:+I 9 z"} // a full start there
	from4 := []string{"4:-D 2 b", "4:+I 3 c", "5:+I 3 c2", "5:+I 9 z"}
	from2 := append([]string{"2:+U 1 a2"}, from4...)
	from1 := append([]string{"1:+I 1 a", "1:+I 2 b"}, from2...)
	for _, c := range []struct {
		options      string
		rows, stream []string // nil stream: it does not begin there
	}{
		{"", five, all},
		{"scan.mode=default", five, all},
		{"scan.mode=latest-full", five, all},
		{"scan.mode=full", five, all},
		{"scan.mode=latest", five, []string{}},
		{"scan.mode=compacted-full", two, append([]string{"3:+I 1 a2", "3:+I 2 b"}, from4...)},
		{"scan.snapshot-id=1", one, from1},
		{"scan.mode=from-snapshot scan.snapshot-id=2", two, from2},
		{"scan.mode=from-snapshot-full scan.snapshot-id=3", two, append([]string{"3:+I 1 a2", "3:+I 2 b"}, from4...)},
		{"scan.tag-name=two", two, nil},
		{"scan.watermark=399", four, nil},
		{"scan.version=two", two, nil},
		{"scan.version=watermark-400", four, nil},
		{"scan.version=4", four, from4},
		{"scan.timestamp=2026-01-31_12:02:30", two, from4},
		{"scan.mode=from-timestamp scan.timestamp-millis=" + millis(4), four, from4},
		{"scan.file-creation-time-millis=" + millis(5), []string{`{"k":3,"v":"c2"}`, `{"k":9,"v":"z"}`}, []string{"5:+I 3 c2", "5:+I 9 z"}},
		{"scan.creation-time-millis=" + millis(4), four, from4},
		{"scan.creation-time-millis=" + millis(1), five, all}, // it may be older than all that is left
	} {
		var options []string
		if c.options != "" {
			options = strings.Split(strings.ReplaceAll(c.options, " ", "\n"), "\n")
		}
		for i := range options {
			options[i] = strings.ReplaceAll(options[i], "_", " ")
		}
		tab := storeOptions(t, st, options...)
		t.Run(c.options, func(t *testing.T) {
			expect(t, tab, table.ScanOptions{}, c.rows...)
			expect(t, tab, table.ScanOptions{Snapshot: 4}, four...) // who says it has his way
			tells(t, tab, table.StreamOptions{Mode: table.FromSnapshot, Snapshot: 4}, from4...)
			s, err := tab.System(ctx, "audit_log", table.ScanOptions{Where: "rowkind <> '-D'"})
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.Count(ctx); n != int64(len(c.rows)) || err != nil {
				t.Errorf("audit_log has %d rows, the scan %d: %v", n, len(c.rows), err)
			}
			if c.stream == nil {
				_, err := tab.Stream(ctx, table.StreamOptions{})
				failsWith(t, err, table.ErrInvalid, "at a tag or a watermark", "StreamOptions.Tag")
				return
			}
			tells(t, tab, table.StreamOptions{}, c.stream...)
		})
	}
}

// A consumer that is known goes on, whatever the options say of beginnings.
func TestAKnownConsumerNeedsNoBeginning(t *testing.T) {
	st := byMinutes(t)
	tab := storeOptions(t, st, "scan.tag-name=two")
	_, err := tab.Stream(ctx, table.StreamOptions{Consumer: "c"})
	failsWith(t, err, table.ErrInvalid, "at a tag or a watermark")
	if err := tab.ResetConsumer(ctx, "c", 5); err != nil {
		t.Fatal(err)
	}
	tells(t, tab, table.StreamOptions{Consumer: "c"}, "5:+I 3 c2", "5:+I 9 z")
}

// Writes, changes by filter, lookups and differences are about the newest rows.
func TestOnlyReadsBeginWhereTheOptionsSay(t *testing.T) {
	tab := storeOptions(t, byMinutes(t), "scan.snapshot-id=1")
	l := openLookup(t, tab, table.LookupOptions{})
	if row, err := l.Get(ctx, map[string]any{"k": int64(9)}); row == nil || err != nil {
		t.Error(row, err)
	}
	d, err := tab.Diff(ctx, table.ScanOptions{Between: &table.Between{From: table.Version{Snapshot: 4}}})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := d.Count(ctx); n != 2 || err != nil {
		t.Error(n, err)
	}
	if got, err := tab.Delete(ctx, table.ChangeOptions{Where: "v = 'c2'"}); got.Rows != 1 || err != nil {
		t.Error(got, err)
	}
	expect(t, tab, table.ScanOptions{AsOf: minute(60)}, `{"k":1,"v":"a2"}`, `{"k":9,"v":"z"}`)
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
}

// The schema of the time is the one to read with, where a state is chosen; the
// newest where the newest of some kind is.
func TestOptionsOfTheTableChooseTheSchemaToo(t *testing.T) {
	st := byMinutes(t)
	for options, want := range map[string]string{
		"scan.snapshot-id=2":       `{"k":1,"v":"a2"}`,
		"scan.mode=compacted-full": `{"k":1,"v":"a2","n":null}`,
	} {
		sc := *reopen(t, st).Schema()
		sc.Fields = append(sc.Fields[:2:2], schema.Field{ID: 2, Name: "n", Type: schema.Type{Kind: schema.Int, Nullable: true}})
		sc.HighestFieldID, sc.ID = 2, sc.ID+1
		data, err := sc.Marshal()
		if err == nil {
			err = st.Write(ctx, "schema/schema-"+strconv.FormatInt(sc.ID, 10), data)
		}
		if err != nil {
			t.Fatal(err)
		}
		expect(t, storeOptions(t, st, options), table.ScanOptions{Where: "k = 1"}, want)
	}
}

func TestOptionsThatSayNoStartOrSeveral(t *testing.T) {
	st := byMinutes(t)
	for options, want := range map[string]string{
		"scan.mode=from-snapshot":                      "exactly one of scan.snapshot-id",
		"scan.snapshot-id=1 scan.tag-name=two":         "exactly one of scan.snapshot-id",
		"scan.mode=from-timestamp":                     "scan.mode from-timestamp needs a time",
		"scan.mode=from-creation-timestamp":            "scan.mode from-creation-timestamp needs a time",
		"scan.timestamp=noon":                          "scan.timestamp",
		"scan.version=watermark-x":                     "scan.version",
		"scan.mode=from-file-creation-time scan.tag=a": "needs a time",
	} {
		tab := storeOptions(t, st, strings.Fields(options)...)
		_, err := tab.Scan(ctx, table.ScanOptions{})
		failsWith(t, err, table.ErrInvalid, want)
		_, err = tab.Stream(ctx, table.StreamOptions{})
		failsWith(t, err, table.ErrInvalid, want)
	}
	for _, options := range []string{"scan.tag-name=tow", "scan.version=tow"} {
		_, err := storeOptions(t, st, options).Scan(ctx, table.ScanOptions{})
		failsWith(t, err, table.ErrNotFound, "did you mean two")
	}
	_, err := storeOptions(t, st, "scan.snapshot-id=9").Scan(ctx, table.ScanOptions{})
	failsWith(t, err, table.ErrNotFound, "snapshots 1 to 5 can be read")
}

// Options that make a scan one of changes are refused: there is a read for that.
func TestIncrementalOptionsOfTheTableAreRefused(t *testing.T) {
	for _, option := range []string{"incremental-between=1,3", "incremental-between-timestamp=1,3", "incremental-to-auto-tag=x"} {
		st := store.NewMem()
		w, _ := world(t)
		if err := table.Create(ctx, st, define(t, keyed, option, "scan.mode=incremental")); err != nil {
			t.Fatal(err)
		}
		_, err := table.Open(ctx, st, "db.t", table.Settings{}, w)
		key, _, _ := strings.Cut(option, "=")
		failsWith(t, err, table.ErrUnsupported, key, "Table.Diff")
	}
}
