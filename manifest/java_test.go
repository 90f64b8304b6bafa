package manifest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro/ocf"

	"github.com/tidelake/tidelake/internal/avro"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// memory is a store of whole objects.
type memory struct {
	mu     sync.Mutex
	data   map[string][]byte
	before func(op, key string) error // may fail an operation
}

func newMemory() *memory { return &memory{data: map[string][]byte{}} }

func (m *memory) do(op, key string, f func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before != nil {
		if err := m.before(op, key); err != nil {
			return err
		}
	}
	f()
	return nil
}

func (m *memory) ReadAll(_ context.Context, key string) (data []byte, err error) {
	err = m.do("read", key, func() { data = m.data[key] })
	if err == nil && data == nil {
		err = &fault.Error{Class: fault.ErrNotFound, File: key}
	}
	return data, err
}

func (m *memory) Write(_ context.Context, key string, data []byte) error {
	return m.do("write", key, func() { m.data[key] = bytes.Clone(data) })
}

func (m *memory) Delete(_ context.Context, key string) error {
	return m.do("delete", key, func() { delete(m.data, key) })
}

func field(name string, k schema.Kind) schema.Field {
	t := schema.Type{Kind: k, Nullable: true}
	if k == schema.VarChar {
		t.Length = schema.MaxLength
	}
	return schema.Field{Name: name, Type: t}
}

// partitionsOf are the partition columns of the tables in testdata that have any.
func partitionsOf(table string) []schema.Field {
	switch {
	case table == "append_part":
		return []schema.Field{field("dt", schema.VarChar)}
	case strings.HasPrefix(table, "pk_thin"):
		return []schema.Field{field("pt", schema.Int)}
	case table == "partition_types":
		ts, dec := field("e", schema.Timestamp), field("g", schema.Decimal)
		ts.Type.Precision, dec.Type.Precision, dec.Type.Scale = 3, 9, 2
		return []schema.Field{field("a", schema.Boolean), field("b", schema.TinyInt), field("c", schema.BigInt),
			field("d", schema.Date), ts, dec, field("k", schema.Double)}
	}
	return nil
}

type javaFile struct {
	release, table, name string
	data                 []byte
}

// javaFiles are files written by Java's Paimon 1.0.1, 1.3.1 and 1.4.2
// (fixtures: 1.4.2 too).
func javaFiles(t testing.TB, prefix string) (out []javaFile) {
	t.Helper()
	dirs, err := filepath.Glob("testdata/java/*/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no files in testdata", err)
	}
	for _, dir := range dirs {
		names, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range names {
			kind := "manifest"
			for _, k := range []string{"manifest-list", "index-manifest"} {
				if strings.HasPrefix(n.Name(), k) {
					kind = k
				}
			}
			if kind != prefix {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, n.Name()))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, javaFile{filepath.Base(filepath.Dir(dir)), filepath.Base(dir), n.Name(), data})
		}
	}
	return out
}

// records are the bytes of all records of a container file.
func records(t testing.TB, data []byte) (out []byte) {
	t.Helper()
	r, err := avro.NewReader(data)
	if err != nil {
		t.Fatal(err)
	}
	for {
		block, _, err := r.Next(nil)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, block...)
	}
}

// TestJavaFilesAreWrittenBackByteForByte rewrites every file. Of release 1.4
// the records must be the same bytes; older ones lack fields and must decode
// the same.
func TestJavaFilesAreWrittenBackByteForByte(t *testing.T) {
	ctx := context.Background()
	for _, kind := range []string{"manifest", "manifest-list", "index-manifest"} {
		for _, f := range javaFiles(t, kind) {
			st := newMemory()
			st.data["m/"+f.name] = f.data
			m := NewIO(st, "m", IOOptions{Partition: partitionsOf(f.table)})
			var got, again any
			var written string
			var err error
			switch kind {
			case "manifest":
				var e, b []Entry
				var metas []Meta
				if e, err = m.ReadEntries(ctx, Meta{Name: f.name}); err == nil {
					if metas, err = m.WriteEntries(ctx, e); err == nil {
						written = metas[0].Name
						b, err = m.ReadEntries(ctx, metas[0])
					}
				}
				got, again = e, b
			case "manifest-list":
				var e, b []Meta
				if e, err = m.ReadList(ctx, f.name); err == nil {
					if written, _, err = m.WriteList(ctx, e); err == nil {
						b, err = m.ReadList(ctx, written)
					}
				}
				got, again = e, b
			default:
				var e, b []IndexEntry
				if e, err = m.ReadIndex(ctx, f.name); err == nil {
					if written, err = m.WriteIndex(ctx, e); err == nil {
						b, err = m.ReadIndex(ctx, written)
					}
				}
				got, again = e, b
			}
			if err != nil {
				t.Fatalf("%s/%s/%s: %v", f.release, f.table, f.name, err)
			}
			if d := cmp.Diff(got, again); d != "" {
				t.Fatalf("%s/%s/%s: %s", f.release, f.table, f.name, d)
			}
			ours := st.data["m/"+written]
			if f.release != "1.0.1" && f.release != "1.3.1" {
				r, err := avro.NewReader(f.data)
				if err != nil {
					t.Fatal(err)
				}
				o, err := avro.NewReader(ours)
				if err != nil {
					t.Fatal(err)
				}
				if string(r.Schema()) != string(o.Schema()) {
					t.Fatalf("%s: schema\n%s\nwant\n%s", f.name, o.Schema(), r.Schema())
				}
				if !bytes.Equal(records(t, f.data), records(t, ours)) {
					t.Fatalf("%s/%s/%s: records differ", f.release, f.table, f.name)
				}
			}
			sameToTwmb(t, f.data, ours)
		}
	}
}

// sameToTwmb reads both files with an independent library. Fields that an
// older file lacks have to be null in ours.
func sameToTwmb(t *testing.T, theirs, ours []byte) {
	t.Helper()
	a, b := readTwmb(t, theirs), readTwmb(t, ours)
	if len(a) != len(b) {
		t.Fatalf("%d records, want %d", len(b), len(a))
	}
	var within func(a, b map[string]any)
	within = func(a, b map[string]any) {
		for k, v := range b {
			if _, ok := a[k]; !ok {
				if v != nil {
					t.Fatalf("field %s is %v, want null", k, v)
				}
				continue
			}
			if x, ok := a[k].(map[string]any); ok {
				if y, ok := v.(map[string]any); ok {
					within(x, y)
					continue
				}
			}
			if !reflect.DeepEqual(a[k], v) {
				t.Fatalf("field %s is %v, want %v", k, v, a[k])
			}
		}
	}
	for i := range a {
		within(a[i], b[i])
	}
}

func readTwmb(t *testing.T, data []byte) (out []map[string]any) {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var v map[string]any
		err := r.Decode(&v)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
}

// TestJavaMetasAreComputedTheSame writes the entries of each listed manifest
// and compares our summary of them with the one in Java's list.
func TestJavaMetasAreComputedTheSame(t *testing.T) {
	ctx := context.Background()
	files := map[string]javaFile{}
	for _, f := range javaFiles(t, "manifest") {
		files[f.release+"/"+f.table+"/"+f.name] = f
	}
	compared := 0
	for _, l := range javaFiles(t, "manifest-list") {
		st := newMemory()
		m := NewIO(st, "", IOOptions{Partition: partitionsOf(l.table)})
		st.data[l.name] = l.data
		metas, err := m.ReadList(ctx, l.name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range metas {
			f, ok := files[l.release+"/"+l.table+"/"+want.Name]
			if !ok {
				continue
			}
			if want.Size != int64(len(f.data)) {
				t.Errorf("%s: size %d, file has %d", f.name, want.Size, len(f.data))
			}
			st.data[f.name] = f.data
			entries, err := m.ReadEntries(ctx, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.WriteEntries(ctx, entries)
			if err != nil || len(got) != 1 {
				t.Fatal(len(got), err)
			}
			got[0].Name, got[0].Size = want.Name, want.Size
			if want.MinRowID == nil { // releases before 1.4 do not write it
				got[0].MinRowID, got[0].MaxRowID = nil, nil
			}
			if want.MinBucket == nil && l.release == "1.0.1" {
				got[0].MinBucket, got[0].MaxBucket, got[0].MinLevel, got[0].MaxLevel = nil, nil, nil, nil
			}
			if d := cmp.Diff(want, got[0]); d != "" {
				t.Errorf("%s/%s: %s", l.table, f.name, d)
			}
			compared++
		}
	}
	if compared < 20 {
		t.Errorf("only %d manifests compared", compared)
	}
}

// TestDecodedFieldsMatchJavasOwnDump compares each field with a dump made by Java 1.4.2.
func TestDecodedFieldsMatchJavasOwnDump(t *testing.T) {
	text, err := os.ReadFile("testdata/manifest_entries.json")
	if err != nil {
		t.Fatal(err)
	}
	var dump struct {
		Tables map[string][]map[string]any
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&dump); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range javaFiles(t, "manifest") {
		want := dump.Tables[f.table]
		if f.release != "1.4.2" || want == nil {
			continue
		}
		entries, err := entryCodec.read(f.name, f.data, len(partitionsOf(f.table)), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range entries {
			got := asDump(t, &entries[i], len(partitionsOf(f.table)))
			found := false
			for _, w := range want {
				found = found || cmp.Equal(w, got)
			}
			if !found {
				out, _ := json.MarshalIndent(got, "", " ")
				t.Errorf("%s: no such entry in the dump: %s", f.table, out)
			}
			seen++
		}
	}
	if seen < 25 {
		t.Errorf("only %d entries compared", seen)
	}
}

// asDump brings an entry into the form of the dump.
func asDump(t *testing.T, e *Entry, arity int) map[string]any {
	num := func(v int64) any { n, _ := json.Marshal(v); return json.Number(n) }
	row := func(arity int, body []byte) any {
		return hex.EncodeToString(append(binary.BigEndian.AppendUint32(nil, uint32(arity)), body...))
	}
	texts := func(list []string) any {
		out := []any{}
		for _, s := range list {
			out = append(out, s)
		}
		return out
	}
	opt := func(p *int64) any {
		if p == nil {
			return nil
		}
		return num(*p)
	}
	stats := func(s *Stats) any {
		nulls := []any{}
		for _, n := range s.NullCounts {
			if n < 0 {
				nulls = append(nulls, nil)
			} else {
				nulls = append(nulls, num(n))
			}
		}
		return map[string]any{"_MIN_VALUES": row(s.Arity, s.Min), "_MAX_VALUES": row(s.Arity, s.Max), "_NULL_COUNTS": nulls}
	}
	f := &e.File
	file := map[string]any{
		"_FILE_NAME": f.Name, "_FILE_SIZE": num(f.Size), "_ROW_COUNT": num(f.Rows),
		"_MIN_KEY": row(f.KeyArity, f.MinKey), "_MAX_KEY": row(f.KeyArity, f.MaxKey),
		"_KEY_STATS": stats(&f.KeyStats), "_VALUE_STATS": stats(&f.ValueStats),
		"_MIN_SEQUENCE_NUMBER": num(f.MinSequence), "_MAX_SEQUENCE_NUMBER": num(f.MaxSequence),
		"_SCHEMA_ID": num(f.SchemaID), "_LEVEL": num(int64(f.Level)), "_EXTRA_FILES": texts(f.ExtraFiles),
		"_CREATION_TIME":    time.UnixMilli(f.CreationTime).UTC().Format("2006-01-02T15:04:05.000000+00:00"),
		"_DELETE_ROW_COUNT": opt(f.DeleteRows), "_EMBEDDED_FILE_INDEX": nil, "_FILE_SOURCE": nil,
		"_VALUE_STATS_COLS": nil, "_EXTERNAL_PATH": nil, "_FIRST_ROW_ID": opt(f.FirstRowID), "_WRITE_COLS": nil,
	}
	if f.CreationTime%1000 == 0 {
		file["_CREATION_TIME"] = time.UnixMilli(f.CreationTime).UTC().Format("2006-01-02T15:04:05+00:00")
	}
	if f.EmbeddedIndex != nil {
		file["_EMBEDDED_FILE_INDEX"] = hex.EncodeToString(f.EmbeddedIndex)
	}
	if f.Source != nil {
		file["_FILE_SOURCE"] = num(int64(*f.Source))
	}
	if f.HasValueStatsCols {
		file["_VALUE_STATS_COLS"] = texts(f.ValueStatsCols)
	}
	if f.ExternalPath != nil {
		file["_EXTERNAL_PATH"] = *f.ExternalPath
	}
	if f.WriteCols != nil {
		file["_WRITE_COLS"] = texts(f.WriteCols)
	}
	return map[string]any{"_VERSION": json.Number("2"), "_KIND": num(int64(e.Kind)), "_PARTITION": row(arity, e.Partition),
		"_BUCKET": num(int64(e.Bucket)), "_TOTAL_BUCKETS": num(int64(e.TotalBuckets)), "_FILE": file}
}

// TestAllManifestsOfAWarehouseAreRead reads all files that match the
// pattern in TIDELAKE_JAVA_MANIFESTS, such as "warehouse/*.db/*/manifest/*".
func TestAllManifestsOfAWarehouseAreRead(t *testing.T) {
	glob := os.Getenv("TIDELAKE_JAVA_MANIFESTS")
	if glob == "" {
		t.Skip("TIDELAKE_JAVA_MANIFESTS is not set")
	}
	paths, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		switch {
		case strings.HasPrefix(name, "manifest-list"):
			_, err = metaCodec.read(name, data, -1, nil)
		case strings.HasPrefix(name, "index-manifest"):
			_, err = indexCodec.read(name, data, -1, nil)
		default:
			_, err = entryCodec.read(name, data, -1, nil)
		}
		if bytes.HasPrefix(data, []byte("PAR1")) {
			if err == nil || !strings.Contains(err.Error(), "manifest.format parquet") {
				t.Errorf("%s: %v", path, err)
			}
			counts["parquet"]++
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		counts[name[:strings.LastIndexByte(name, '-')-36]]++
	}
	t.Log(len(paths), counts)
}
