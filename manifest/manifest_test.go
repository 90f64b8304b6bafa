package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	twmb "github.com/twmb/avro"
	"github.com/twmb/avro/ocf"
	"go.uber.org/goleak"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// testIO works in memory, without partitions, and names files predictably.
func testIO(st *memory, opts IOOptions) *IO {
	opts.NewID = func() string { return "id" }
	return NewIO(st, "manifest", opts)
}

func entry(kind Kind, name string, bucket, level int) Entry {
	return Entry{Kind: kind, Partition: make([]byte, 8), Bucket: bucket, TotalBuckets: 4,
		File: DataFile{Name: name, Size: 1000, Rows: 10, Level: level, MinKey: make([]byte, 8), MaxKey: make([]byte, 8),
			CreationTime: 1_700_000_000_000}}
}

// intRow is the body of a row of one INT.
func intRow(v byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, 0, v, 0, 0, 0, 0, 0, 0, 0} }

func fileNames(entries []Entry) (out []string) {
	for i := range entries {
		out = append(out, fmt.Sprintf("%s %s", entries[i].Kind, entries[i].File.Name))
	}
	return out
}

func TestEveryFieldComesBack(t *testing.T) {
	one, src, path := int64(1), SourceCompact, "s3://x/y"
	e := entry(Delete, "f", 3, 5)
	e.Partition = intRow(9)
	e.File.KeyArity, e.File.MinKey, e.File.MaxKey = 1, intRow(1), intRow(7)
	e.File.KeyStats = Stats{Arity: 1, Min: intRow(1), Max: intRow(7), NullCounts: []int64{0}}
	e.File.ValueStats = Stats{Arity: 1, Min: intRow(1), Max: intRow(7), NullCounts: []int64{-1}}
	e.File.MinSequence, e.File.MaxSequence, e.File.SchemaID = -1, 1<<40, 7
	e.File.ExtraFiles = []string{"f.index", "g"}
	e.File.DeleteRows, e.File.Source, e.File.ExternalPath, e.File.FirstRowID = &one, &src, &path, &one
	e.File.EmbeddedIndex = []byte{}
	e.File.HasValueStatsCols, e.File.ValueStatsCols = true, []string{"a"}
	e.File.WriteCols = []string{}
	bare := entry(Add, "g", 0, 0)
	bare.Partition, bare.File.CreationTime = intRow(8), NoCreationTime
	bare.File.KeyStats.NoNullCounts = true
	for _, compression := range []string{"", "zstd", "snappy", "deflate", "none", "NULL", "zstandard"} {
		m := testIO(newMemory(), IOOptions{Compression: compression, Partition: []schema.Field{field("p", schema.Int)}})
		metas, err := m.WriteEntries(ctx, []Entry{e, bare})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.ReadEntries(ctx, metas[0])
		if err != nil {
			t.Fatal(err)
		}
		// Empty statistics have a body and a length on disk.
		want := []Entry{e, bare}
		for _, s := range []*Stats{&want[1].File.KeyStats, &want[1].File.ValueStats} {
			s.Min, s.Max = emptyRow, emptyRow
		}
		want[1].File.ValueStats.NullCounts = []int64{}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q: %s", compression, d)
		}
	}
	if _, err := testIO(newMemory(), IOOptions{Compression: "lzo"}).WriteEntries(ctx, []Entry{entry(Add, "f", 0, 0)}); !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
}

func TestRowsThatDoNotFitTheirColumnsAreRefused(t *testing.T) {
	m := testIO(newMemory(), IOOptions{Partition: []schema.Field{field("p", schema.Int)}})
	short := entry(Add, "f", 0, 0) // no partition
	if _, err := m.WriteEntries(ctx, []Entry{short}); !errors.Is(err, fault.ErrInvalid) {
		t.Error("partition:", err)
	}
	keyed := entry(Add, "f", 0, 0)
	keyed.Partition, keyed.File.MinKey, keyed.File.MaxKey = intRow(1), intRow(1), intRow(2)
	if _, err := m.WriteEntries(ctx, []Entry{keyed}); !errors.Is(err, fault.ErrInvalid) {
		t.Error("key without arity:", err)
	}
	keyed.File.KeyStats = Stats{Min: intRow(1), Max: intRow(2), NullCounts: []int64{0}} // tells the arity
	if _, err := m.WriteEntries(ctx, []Entry{keyed}); err != nil {
		t.Error(err)
	}
}

func TestManifestOfAnotherTableIsCorrupt(t *testing.T) {
	st := newMemory()
	metas, err := testIO(st, IOOptions{}).WriteEntries(ctx, []Entry{entry(Add, "f", 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	m := testIO(st, IOOptions{Partition: []schema.Field{field("p", schema.Int)}})
	if _, err := m.ReadEntries(ctx, metas[0]); !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "manifest/"+metas[0].Name) {
		t.Error(err)
	}
}

// newer gives a file a schema with fields of a release to come, by printing
// the records through the other library.
func newer(t *testing.T, data []byte, edit func(rec *avro.Schema), fill func(v map[string]any)) []byte {
	t.Helper()
	r, err := avro.NewReader(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := avro.ParseSchema(r.Schema())
	if err != nil {
		t.Fatal(err)
	}
	edit(s)
	var out bytes.Buffer
	w, err := ocf.NewWriter(&out, mustParse(t, s.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range readTwmb(t, data) {
		fill(v)
		if err := w.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func parseType(t *testing.T, text string) *avro.Schema {
	t.Helper()
	s, err := avro.ParseSchema([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestUnknownFieldsSurviveAMerge merges manifests of this release, of one
// with more fields and of one with other fields, and looks for all values.
func TestUnknownFieldsSurviveAMerge(t *testing.T) {
	st := newMemory()
	m := testIO(st, IOOptions{})
	var metas []Meta
	for _, n := range []string{"plain", "wide", "other", "last"} {
		x, err := m.WriteEntries(ctx, []Entry{entry(Add, n, 0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		metas = append(metas, x...)
	}
	key := m.Path(metas[1].Name)
	st.data[key] = newer(t, st.data[key], func(rec *avro.Schema) {
		file, _ := rec.Field("_FILE")
		seqs := avro.Field{Name: "_WRITE_COLS_SEQUENCES", Type: parseType(t, `["null",{"type":"array","items":"long"}]`)}
		file.Type.Fields = slices.Insert(file.Type.Fields, 3, seqs)
		rec.Fields = append(rec.Fields, avro.Field{Name: "_PLAIN", Type: parseType(t, `"long"`)},
			avro.Field{Name: "_CHOICE", Type: parseType(t, `["int","string"]`)},
			avro.Field{Name: "_STATS2", Type: parseType(t, `{"type":"record","name":"record__FILE","namespace":"x","fields":[{"name":"a","type":"float"}]}`)})
	}, func(v map[string]any) {
		v["_FILE"].(map[string]any)["_WRITE_COLS_SEQUENCES"] = []int64{4, 5, 6}
		v["_PLAIN"], v["_CHOICE"], v["_STATS2"] = int64(42), "text", map[string]any{"a": float32(1.5)}
	})
	key = m.Path(metas[2].Name)
	st.data[key] = newer(t, st.data[key], func(rec *avro.Schema) {
		rec.Fields = append(rec.Fields, avro.Field{Name: "_PLAIN", Type: parseType(t, `["null","long"]`)},
			avro.Field{Name: "_LATER", Type: parseType(t, `["string","null"]`)})
	}, func(v map[string]any) { v["_PLAIN"], v["_LATER"] = int64(43), "later" })

	for name, p := range map[string]MergeParams{"minor": {FullSize: 1 << 40, MinCount: 1}, "full": {FullSize: 1, MinCount: 1}} {
		out, created, err := m.Merge(ctx, metas, p)
		if err != nil {
			t.Fatal(err)
		}
		if name == "minor" && (len(out) != 1 || len(created) != 1) {
			t.Errorf("%s: merged into %d manifests", name, len(out))
		}
		got := map[string]map[string]any{}
		for _, x := range out {
			for _, v := range readTwmb(t, st.data[m.Path(x.Name)]) {
				got[v["_FILE"].(map[string]any)["_FILE_NAME"].(string)] = v
			}
		}
		wide, other := got["wide"], got["other"]
		if len(got) != 4 || wide["_PLAIN"] != int64(42) || wide["_CHOICE"] != "text" || other["_PLAIN"] != int64(43) || other["_LATER"] != "later" {
			t.Errorf("%s: %v", name, got)
		}
		if s := fmt.Sprint(wide["_FILE"].(map[string]any)["_WRITE_COLS_SEQUENCES"], wide["_STATS2"]); s != "[4 5 6] map[a:1.5]" {
			t.Errorf("%s: %s", name, s)
		}
		if v := got["last"]["_PLAIN"]; v != nil {
			t.Errorf("%s: entry of this release has _PLAIN %v", name, v)
		}
		// And once more, so that what was written is read with the values.
		again, err := m.ReadEntries(ctx, out[len(out)-1])
		if err != nil || len(again) == 0 {
			t.Fatal(len(again), err)
		}
	}
}

func TestUnknownFieldsOfListsAndIndexesAreKept(t *testing.T) {
	st := newMemory()
	m := testIO(st, IOOptions{})
	name, _, err := m.WriteList(ctx, []Meta{{Name: "a"}, {Name: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	st.data[m.Path(name)] = newer(t, st.data[m.Path(name)], func(rec *avro.Schema) {
		rec.Fields = append(rec.Fields, avro.Field{Name: "_NEW", Type: parseType(t, `"string"`)})
	}, func(v map[string]any) { v["_NEW"] = "n" + v["_FILE_NAME"].(string) })
	metas, err := m.ReadList(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	metas = append(metas, Meta{Name: "c"})
	if name, _, err = m.WriteList(ctx, metas); err != nil {
		t.Fatal(err)
	}
	for _, v := range readTwmb(t, st.data[m.Path(name)]) {
		if want := "n" + v["_FILE_NAME"].(string); v["_NEW"] != want && v["_FILE_NAME"] != "c" {
			t.Error(v["_NEW"], want)
		}
	}

	name, err = m.WriteIndex(ctx, []IndexEntry{{Name: "i", Type: DeletionVectorsIndex, Ranges: []DeletionRange{{File: "d"}},
		Global: &GlobalIndex{RowEnd: 9, ExtraFieldIDs: []int32{3}}}})
	if err != nil {
		t.Fatal(err)
	}
	st.data[m.Path(name)] = newer(t, st.data[m.Path(name)], func(rec *avro.Schema) {
		g, r := recordIn(rec, "_GLOBAL_INDEX"), recordIn(rec, "_DELETIONS_VECTORS_RANGES")
		g.Fields = append(g.Fields, avro.Field{Name: "_SOURCE_META", Type: parseType(t, `["null","bytes"]`)})
		r.Fields = append(r.Fields, avro.Field{Name: "_R", Type: parseType(t, `["null","int"]`)})
	}, func(v map[string]any) {
		v["_GLOBAL_INDEX"].(map[string]any)["_SOURCE_META"] = []byte("meta")
		v["_DELETIONS_VECTORS_RANGES"].([]any)[0].(map[string]any)["_R"] = 77
	})
	index, err := m.ReadIndex(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if name, err = m.WriteIndex(ctx, index); err != nil {
		t.Fatal(err)
	}
	v := readTwmb(t, st.data[m.Path(name)])[0]
	if s := fmt.Sprint(v["_GLOBAL_INDEX"].(map[string]any)["_SOURCE_META"], v["_DELETIONS_VECTORS_RANGES"].([]any)[0].(map[string]any)["_R"]); s != "[109 101 116 97] 77" {
		t.Error(s)
	}
}

func TestOldSchemasAreReadByName(t *testing.T) {
	st := newMemory()
	m := testIO(st, IOOptions{})
	metas, err := m.WriteEntries(ctx, []Entry{entry(Add, "f", 1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	key := m.Path(metas[0].Name)
	full := st.data[key]
	edit := func(f func(file *avro.Schema)) {
		st.data[key] = newer(t, full, func(rec *avro.Schema) {
			rec.Name, rec.Namespace = "Other", "elsewhere"
			file, _ := rec.Field("_FILE")
			f(file.Type)
		}, func(v map[string]any) { v["_FILE"].(map[string]any)["_CREATION_TIME"] = int64(1_700_000_000_000) })
	}
	edit(func(file *avro.Schema) { file.Fields = file.Fields[:12] }) // nothing optional
	got, err := m.ReadEntries(ctx, metas[0])
	if err != nil || got[0].File.CreationTime != NoCreationTime || got[0].File.HasValueStatsCols || got[0].File.Level != 2 {
		t.Error(got, err)
	}
	edit(func(file *avro.Schema) {
		file.Fields[12] = avro.Field{Name: "_CREATION_TIME", Type: parseType(t, `"long"`)}
	}) // creation time not nullable
	if got, err = m.ReadEntries(ctx, metas[0]); err != nil || got[0].File.CreationTime != 1_700_000_000_000 {
		t.Error(got, err)
	}
	edit(func(file *avro.Schema) { file.Fields = slices.Delete(file.Fields, 2, 3) })
	if _, err = m.ReadEntries(ctx, metas[0]); !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "_ROW_COUNT") {
		t.Error(err)
	}
}

func TestParquetManifestsAreRefusedByName(t *testing.T) {
	st := newMemory()
	st.data["manifest/x"] = []byte("PAR1....PAR1")
	m := testIO(st, IOOptions{})
	for _, read := range []func() error{
		func() error { _, err := m.ReadList(ctx, "x"); return err },
		func() error { _, err := m.ReadEntries(ctx, Meta{Name: "x"}); return err },
		func() error { _, err := m.ReadIndex(ctx, "x"); return err },
	} {
		if err := read(); !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "manifest/x") || !strings.Contains(err.Error(), "manifest.format parquet") {
			t.Error(err)
		}
	}
}

func TestRecordsOfAnotherVersionAreRefused(t *testing.T) {
	m := testIO(newMemory(), IOOptions{Compression: "none"})
	name, _, err := m.WriteList(ctx, []Meta{{Name: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	st := m.st.(*memory)
	data := st.data[m.Path(name)]
	data[bytes.LastIndex(data, []byte("\x04\x02a"))] = 2 // version 1
	if _, err := m.ReadList(ctx, name); !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), "record version 1") {
		t.Error(err)
	}
}

func TestTrimmedAndFlippedFilesNameThemselves(t *testing.T) {
	st := newMemory()
	m := testIO(st, IOOptions{Compression: "none"})
	f := javaFiles(t, "manifest")[0]
	raw, err := entryCodec.read(f.name, f.data, -1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i].Partition = nil
	}
	metas, err := m.WriteEntries(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	key := m.Path(metas[0].Name)
	good := st.data[key]
	header := bytes.Index(good, []byte("avro.codec")) + len("avro.codec") + 6 + 16
	for cut := range good {
		st.data[key] = good[:cut:cut]
		if _, err := m.ReadEntries(ctx, metas[0]); cut != header && (!errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), key)) {
			t.Fatalf("cut at %d of %d: %v", cut, len(good), err)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= byte(1 + r.IntN(255))
		st.data[key] = bad
		if _, err := m.ReadEntries(ctx, metas[0]); err != nil && !strings.Contains(err.Error(), key) {
			t.Fatalf("flip at %d: %v", i, err)
		}
	}
	st.data[key] = nil
	if _, err := m.ReadEntries(ctx, metas[0]); !errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), key) {
		t.Fatal(err)
	}
}

func TestFilesRollAtTheTargetCheckedEveryThousandRecords(t *testing.T) {
	var entries []Entry
	for i := range 4500 {
		entries = append(entries, entry(Add, fmt.Sprintf("data-%d-%d", i, i*7919), i%4, 0))
	}
	st := newMemory()
	m := testIO(st, IOOptions{TargetSize: 1, Compression: "none"})
	metas, err := m.WriteEntries(ctx, entries)
	if err != nil {
		t.Fatal(err)
	}
	var counts []int64
	for i, x := range metas {
		counts = append(counts, x.Added)
		if x.Name != fmt.Sprintf("manifest-id-%d", i) || x.Size != int64(len(st.data[m.Path(x.Name)])) {
			t.Error(x.Name, x.Size)
		}
	}
	if !slices.Equal(counts, []int64{1000, 1000, 1000, 1000, 500}) {
		t.Error(counts)
	}
	var got []string
	for e, err := range m.Scan(ctx, metas, nil) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.File.Name)
	}
	if len(got) != 4500 || got[4499] != entries[4499].File.Name {
		t.Error(len(got))
	}
	if metas, err := m.WriteEntries(ctx, nil); err != nil || metas != nil {
		t.Error(metas, err)
	}
}

func TestAFailedWriteLeavesNothingBehind(t *testing.T) {
	boom := errors.New("disk full")
	for n := range 4 {
		st := newMemory()
		writes := 0
		st.before = func(op, key string) error {
			if op == "write" {
				if writes++; writes > n {
					return boom
				}
			}
			return nil
		}
		var entries []Entry
		for i := range 4500 {
			entries = append(entries, entry(Add, fmt.Sprint(i), 0, 0))
		}
		if _, err := testIO(st, IOOptions{TargetSize: 1}).WriteEntries(ctx, entries); !errors.Is(err, boom) {
			t.Error(err)
		}
		if len(st.data) != 0 {
			t.Errorf("%d files left", len(st.data))
		}
	}
}

func TestFoldKeepsUnmatchedDeletesAndRefusesSecondAdds(t *testing.T) {
	seq := func(entries ...Entry) func(func(*Entry, error) bool) {
		return func(yield func(*Entry, error) bool) {
			for i := range entries {
				if !yield(&entries[i], nil) {
					return
				}
			}
		}
	}
	live, deletes, err := Fold(seq(entry(Add, "a", 0, 0), entry(Add, "b", 0, 0), entry(Delete, "z", 0, 0),
		entry(Delete, "a", 0, 0), entry(Add, "a", 0, 5), entry(Delete, "b", 1, 0)))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(fileNames(live), fileNames(deletes)); got != "[ADD b ADD a] [DELETE z DELETE b]" {
		t.Error(got)
	}
	if _, _, err := Fold(seq(entry(Add, "a", 0, 0), entry(Add, "a", 0, 0))); !errors.Is(err, fault.ErrCorrupt) {
		t.Error(err)
	}
}

func TestIdentityTellsExtraFilesIndexesAndPathsApart(t *testing.T) {
	s := func(v string) *string { return &v }
	seen := map[Identity]int{}
	for i, f := range []DataFile{{}, {ExtraFiles: []string{"a", "b"}}, {ExtraFiles: []string{"ab"}}, {ExternalPath: s("")},
		{ExternalPath: s("a")}, {EmbeddedIndex: []byte{}}, {EmbeddedIndex: []byte("a")}, {ExtraFiles: []string{"a"}},
		{ExtraFiles: []string{""}}, {EmbeddedIndex: []byte{}, ExternalPath: s("")}} {
		e := Entry{File: f}
		if j, ok := seen[e.Identity()]; ok {
			t.Errorf("%d and %d are the same", i, j)
		}
		seen[e.Identity()] = i
	}
	a, b := Entry{}, Entry{Partition: make([]byte, 8)}
	if a.Identity() != b.Identity() {
		t.Error("no partition and the empty row differ")
	}
}

// TestLiveIsTheFoldOfAllManifests compares the parallel way with the plain one.
func TestLiveIsTheFoldOfAllManifests(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	st := newMemory()
	m := testIO(st, IOOptions{Parallel: 3})
	var metas []Meta
	var there []Entry
	for i := range 30 {
		var batch []Entry
		for j := range 20 {
			if len(there) > 0 && r.IntN(3) == 0 {
				k := r.IntN(len(there))
				e := there[k]
				e.Kind = Delete
				batch = append(batch, e)
				there = slices.Delete(there, k, k+1)
				continue
			}
			e := entry(Add, fmt.Sprintf("f-%d-%d", i, j), r.IntN(4), r.IntN(6))
			batch = append(batch, e)
			there = append(there, e)
		}
		x, err := m.WriteEntries(ctx, batch)
		if err != nil {
			t.Fatal(err)
		}
		metas = append(metas, x...)
	}
	want, deletes, err := Fold(m.Scan(ctx, metas, nil))
	if err != nil || len(deletes) > 0 {
		t.Fatal(len(deletes), err)
	}
	live, err := m.Live(ctx, metas, nil)
	if err != nil || len(live) != len(there) {
		t.Fatal(len(live), len(there), err)
	}
	if d := cmp.Diff(fileNames(want), fileNames(live)); d != "" {
		t.Error(d)
	}
	two, five := 2, 5
	f := &Filter{MinBucket: &two, MaxLevel: &five, Bucket: func(b, total int) bool { return b != 3 && total == 4 },
		File: func(e *Entry) bool { return e.File.Level > 0 }}
	got, err := m.Live(ctx, metas, f)
	if err != nil {
		t.Fatal(err)
	}
	var wanted []string
	for i := range want {
		if want[i].Bucket == 2 && want[i].File.Level > 0 {
			wanted = append(wanted, "ADD "+want[i].File.Name)
		}
	}
	if d := cmp.Diff(wanted, fileNames(got)); d != "" {
		t.Error(d)
	}
}

func TestAnErrorEndsAScanAndItsReaders(t *testing.T) {
	st := newMemory()
	m := testIO(st, IOOptions{})
	var metas []Meta
	for i := range 20 {
		x, err := m.WriteEntries(ctx, []Entry{entry(Add, fmt.Sprint(i), 0, 0)})
		if err != nil {
			t.Fatal(err)
		}
		metas = append(metas, x...)
	}
	delete(st.data, m.Path(metas[7].Name))
	n := 0
	var last error
	for _, err := range m.Scan(ctx, metas, nil) {
		if last = err; err == nil {
			n++
		}
	}
	if n != 7 || !errors.Is(last, fault.ErrNotFound) {
		t.Error(n, last)
	}
	for range m.Scan(ctx, metas, nil) {
		break // leaving early stops the readers: goleak watches
	}
	if _, err := m.Live(ctx, metas, nil); !errors.Is(err, fault.ErrNotFound) {
		t.Error(err)
	}
}

func TestManifestsArePrunedByTheirRanges(t *testing.T) {
	p := []schema.Field{field("p", schema.Int)}
	n := func(v int) *int { return &v }
	l := func(v int64) *int64 { return &v }
	meta := Meta{MinBucket: n(2), MaxBucket: n(4), MinLevel: n(0), MaxLevel: n(0), MinRowID: l(100), MaxRowID: l(199), Added: 3,
		PartitionStats: Stats{Min: intRow(5), Max: intRow(9), NullCounts: []int64{0}}}
	from := func(want int32) func(ColumnFunc, int64) bool {
		return func(c ColumnFunc, rows int64) bool {
			_, most, _, ok := c("p")
			return !ok || most.(int32) >= want || rows != 3
		}
	}
	for name, c := range map[string]struct {
		f    *Filter
		want bool
	}{
		"none": {nil, true}, "empty": {&Filter{}, true},
		"buckets below": {&Filter{MaxBucket: n(1)}, false}, "buckets touch": {&Filter{MaxBucket: n(2)}, true},
		"buckets above": {&Filter{MinBucket: n(5)}, false}, "levels": {&Filter{MinLevel: n(1)}, false},
		"rows": {&Filter{MinRowID: l(200)}, false}, "rows touch": {&Filter{MinRowID: l(199), MaxRowID: l(300)}, true},
		"partition out": {&Filter{PartitionStats: from(10)}, false}, "partition in": {&Filter{PartitionStats: from(9)}, true},
	} {
		if got := c.f.KeepMeta(&meta, p); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if !(&Filter{MinBucket: n(9), MinRowID: l(9)}).KeepMeta(&Meta{}, p) {
		t.Error("unknown ranges have to keep a manifest")
	}
}

func TestAFilterOfStatisticsNeverDropsDeletes(t *testing.T) {
	f := &Filter{File: func(*Entry) bool { return false }}
	a, d := entry(Add, "a", 0, 0), entry(Delete, "a", 0, 0)
	if f.KeepEntry(&a) || !f.KeepEntry(&d) {
		t.Error("ADD kept or DELETE dropped")
	}
}

func mustParse(t *testing.T, text string) *twmb.Schema {
	t.Helper()
	s, err := twmb.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}
