package table_test

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/io/datafile"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// prepared are the messages of three rows, keys 1 to 3, and the table they are for.
func prepared(t *testing.T) (store.Store, *table.Table, []table.CommitMessage) {
	t.Helper()
	st := store.NewMem()
	tab := create(t, st, keyed)
	w := newWriter(t, tab, "")
	if err := write(t, w, tab, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`, `{"_kind":"-D","k":3}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	return st, tab, msgs
}

// finds proves that Check reports a fact about a file, and no error.
func finds(t *testing.T, tab *table.Table, file, fact string) {
	t.Helper()
	report, err := tab.Check(ctx, nil)
	if err != nil {
		t.Error(err)
	}
	for _, p := range report.Problems {
		if strings.Contains(p.File, file) && strings.Contains(p.Fact, fact) {
			return
		}
	}
	t.Errorf("not found: %q of %q; found: %v", fact, file, report.Problems)
}

func publish(t *testing.T, tab *table.Table, msgs []table.CommitMessage) {
	t.Helper()
	c, err := tab.NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(ctx, 1, msgs); err != nil {
		t.Fatal(err)
	}
}

// otherKey is the body of another key of the same table.
func otherKey(t *testing.T, k int) []byte {
	t.Helper()
	tab := create(t, store.NewMem(), keyed)
	load(t, tab, fmt.Sprintf(`{"k":%d}`, k))
	for f, err := range tab.Files(ctx, 0) {
		if err != nil {
			t.Fatal(err)
		}
		return f.MinKey
	}
	return nil
}

func TestCheckFindsMetadataThatContradictsAFile(t *testing.T) {
	for fact, spoil := range map[string]func(f *manifest.DataFile){
		"holds 3 rows, its manifest says 4":                              func(f *manifest.DataFile) { f.Rows++ },
		"holds 1 deletes, its manifest says 0":                           func(f *manifest.DataFile) { *f.DeleteRows = 0 },
		"holds sequence numbers 0 to 2, its manifest says 0 to 9":        func(f *manifest.DataFile) { f.MaxSequence = 9 },
		"holds sequence numbers 0 to 2, its manifest says 1 to 2":        func(f *manifest.DataFile) { f.MinSequence = 1 },
		"its first or last key is not the one its manifest says":         func(f *manifest.DataFile) { f.MinKey = otherKey(t, -5) },
		"its first or last key is not the one its manifest says (again)": func(f *manifest.DataFile) { f.MaxKey = otherKey(t, 99) },
		"bytes long, its manifest says":                                  func(f *manifest.DataFile) { f.Size++ },
		"not found":                                                      func(f *manifest.DataFile) { f.Name = "gone.parquet" },
	} {
		_, tab, msgs := prepared(t)
		spoil(&msgs[0].NewFiles[0])
		publish(t, tab, msgs)
		finds(t, tab, msgs[0].NewFiles[0].Name, strings.TrimSuffix(fact, " (again)"))
	}
	_, tab, msgs := prepared(t)
	publish(t, tab, msgs)
	sound(t, tab)
}

// rewrite replaces the prepared file by one with the given rows in their order.
func rewrite(t *testing.T, st store.Store, tab *table.Table, msgs []table.CommitMessage, rows ...string) {
	t.Helper()
	fields := tab.Schema().FileFields(false)
	rec, _ := batch(t, fields, memory.DefaultAllocator, rows...)
	defer rec.Release()
	var out bytes.Buffer
	w, err := datafile.NewWriter(&out, fields, datafile.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f := &msgs[0].NewFiles[0]
	f.Size = int64(out.Len())
	if err := st.Write(ctx, path.Join("bucket-0", f.Name), out.Bytes()); err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsKeysOutOfOrder(t *testing.T) {
	row := func(k, n int) string {
		return fmt.Sprintf(`{"_KEY_k":%d,"_SEQUENCE_NUMBER":%d,"_VALUE_KIND":%d,"k":%d,"v":"x"}`, k, n, map[bool]int{true: 3}[k == 3], k)
	}
	st, tab, msgs := prepared(t)
	rewrite(t, st, tab, msgs, row(2, 1), row(1, 0), row(3, 2))
	publish(t, tab, msgs)
	finds(t, tab, msgs[0].NewFiles[0].Name, "row 1: its key does not follow the one before")
	if _, err := scanLines(ctx, tab, table.ScanOptions{}); err != nil {
		t.Log("a scan notices too:", err)
	}

	st, tab, msgs = prepared(t)
	rewrite(t, st, tab, msgs, row(1, 0), row(1, 1), row(3, 2))
	publish(t, tab, msgs)
	finds(t, tab, msgs[0].NewFiles[0].Name, "row 1: its key does not follow the one before")

	st, tab, msgs = prepared(t)
	rewrite(t, st, tab, msgs, row(1, 0), strings.Replace(row(2, 1), `"k":2`, `"k":1`, 1), row(3, 2))
	publish(t, tab, msgs)
	finds(t, tab, msgs[0].NewFiles[0].Name, "row 1: its key columns differ")

	st, tab, msgs = prepared(t)
	rewrite(t, st, tab, msgs, row(1, 0), row(2, 1), row(3, 2))
	publish(t, tab, msgs)
	sound(t, tab)
}

func TestCheckFindsOverlappingLevels(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	for range 2 {
		w := newWriter(t, tab, "")
		if err := write(t, w, tab, `{"k":1,"v":"a"}`, `{"k":5,"v":"b"}`); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		msgs[0].NewFiles[0].Level = 3
		publish(t, tab, msgs)
	}
	finds(t, tab, "data-", "at level 3 of bucket 0")
}

func TestCheckFindsSnapshotsAndListsThatDoNotAddUp(t *testing.T) {
	edit := func(old, new string) *table.Table {
		st := store.NewMem()
		tab := create(t, st, keyed)
		load(t, tab, `{"k":1,"v":"a"}`)
		data, err := st.ReadAll(ctx, "snapshot/snapshot-1")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(data, []byte(old)) {
			t.Fatalf("no %s in %s", old, data)
		}
		if err := st.Write(ctx, "snapshot/snapshot-1", bytes.Replace(data, []byte(old), []byte(new), 1)); err != nil {
			t.Fatal(err)
		}
		return tab
	}
	finds(t, edit(`"totalRecordCount" : 1`, `"totalRecordCount" : 5`), "snapshot", "totalRecordCount is 5, live files hold 1 rows")
	finds(t, edit(`"deltaRecordCount" : 1`, `"deltaRecordCount" : 0`), "snapshot", "deltaRecordCount is 0")
	finds(t, edit(`"deltaManifestListSize" : `, `"deltaManifestListSize" : 9`), "manifest-list", "bytes long, the snapshot says")
	finds(t, edit(`"schemaId" : 0`, `"schemaId" : 7`), "schema-7", "not found")
	finds(t, edit(`"baseManifestList" : "`, `"baseManifestList" : "x`), "xmanifest-list", "not found")
	finds(t, edit(`{`, `[`), "snapshot", "")
}

func TestCheckFindsWrongManifestCounters(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed)
	load(t, tab, `{"k":1,"v":"a"}`)
	at, err := tab.Snapshots().Latest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m := manifest.NewIO(st, "manifest", manifest.IOOptions{Compression: "zstd", TargetSize: 1 << 20, NewID: func() string { return "planted" }, Partition: []schema.Field{}})
	metas, err := m.ReadList(ctx, at.DeltaManifestList)
	if err != nil {
		t.Fatal(err)
	}
	metas[0].Added = 4
	seven := 7
	metas[0].MinBucket, metas[0].MaxBucket = &seven, &seven
	name, size, err := m.WriteList(ctx, metas)
	if err != nil {
		t.Fatal(err)
	}
	changed := *at
	changed.DeltaManifestList, changed.DeltaManifestListSize = name, &size
	if err := st.Write(ctx, "snapshot/snapshot-1", changed.Marshal()); err != nil {
		t.Fatal(err)
	}
	finds(t, tab, metas[0].Name, "adds 1 and deletes 0 files, its list says 4 and 0")
	finds(t, tab, metas[0].Name, "holds bucket 0, its list says 7 to 7")
}

func TestCheckFindsDamagedFiles(t *testing.T) {
	st, _ := damaged(t)
	for _, hit := range dataFiles(t, st) {
		noticed := 0
		for at := 20; at < 120; at += 5 { // where the pages are; some bits of their headers mean nothing
			sick := clone(t, st, func(key string, data []byte) ([]byte, bool) {
				if key == hit {
					data[at] ^= 4
				}
				return data, true
			})
			report, err := reopen(t, sick).Check(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Problems) > 0 && report.Problems[0].File == hit {
				noticed++
			}
		}
		if noticed < 10 {
			t.Errorf("%s: %d of 20 flips noticed", hit, noticed)
		}
	}
	sick := clone(t, st, func(key string, data []byte) ([]byte, bool) {
		return data, key != "snapshot/snapshot-1" || len(data) == 0
	})
	sound(t, reopen(t, sick)) // the first snapshot has expired: nothing is wrong
}

func TestCheckReportsProgressAndHonoursItsContext(t *testing.T) {
	st, _ := damaged(t)
	calls := 0
	report, err := reopen(t, st).Check(ctx, func(r table.CheckReport) { calls++ })
	if err != nil || calls != report.Files || report.Files != 3 || report.Snapshots != 2 || report.Rows != 5 {
		t.Errorf("%+v, %d calls, %v", report, calls, err)
	}
}
