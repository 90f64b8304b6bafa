package datafile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	pqschema "github.com/apache/arrow-go/v18/parquet/schema"
	"github.com/klauspost/compress/zstd"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// between keeps ranges in which id may lie from lo to hi.
func between(lo, hi int64) func(func(string) (ColumnStats, bool), int64) bool {
	return func(stats func(string) (ColumnStats, bool), _ int64) bool {
		s, ok := stats("id")
		if !ok || s.Min == nil || s.Max == nil {
			return true
		}
		return s.Min.(int64) <= hi && s.Max.(int64) >= lo
	}
}

func TestKeepSkipsRowGroupsAndPagesAndNothingElse(t *testing.T) {
	fields := everyType(t)
	const rows = 2000
	rec := randomBatch(t, fields, rows, 7)
	defer rec.Release()
	for _, c := range []struct {
		version parquet.DataPageVersion
		group   int64
		index   bool
	}{{parquet.DataPageV1, rows, true}, {parquet.DataPageV2, 900, true}, {parquet.DataPageV1, 900, false}} {
		data := writeArrow(t, rec, c.group, nil, parquet.WithDataPageSize(700), parquet.WithDataPageVersion(c.version), parquet.WithBatchSize(50),
			parquet.WithPageIndexEnabled(c.index), parquet.WithCompression(compress.Codecs.Zstd))
		for i, r := range [][2]int64{{0, 0}, {1999, 1999}, {1200, 1300}, {10, 1700}, {7000, 8000}} {
			// Pages larger than what is read ahead are stepped over, too.
			opts := ReaderOptions{Fields: fields, BatchRows: 200, Keep: between(r[0], r[1]), Format: "parquet", ReadAhead: int64(i % 2)}
			seen := map[int64]bool{}
			only := opts
			only.Fields = fields[:1]
			err := readAll(data, only, func(got arrow.RecordBatch, pos int64) error {
				for i := range got.NumRows() {
					seen[pos+i] = true
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for id := r[0]; id <= min(r[1], rows-1); id++ {
				if !seen[id] {
					t.Fatalf("row %d of %v was skipped", id, r)
				}
			}
			n := sameAs(t, data, rec, opts)
			if most := r[1] - r[0] + 700; c.index && n > most || r[0] >= rows && n > 0 || n != int64(len(seen)) {
				t.Errorf("%d rows read for %v", n, r)
			}
		}
	}
}

func TestSkippedPagesAreNotRead(t *testing.T) {
	fields := fieldsOf(t, "id BIGINT NOT NULL", "text STRING")
	rec := randomBatch(t, fields, 200_000, 8)
	defer rec.Release()
	data := writeArrow(t, rec, 1<<20, nil, parquet.WithDataPageSize(4000), parquet.WithPageIndexEnabled(true), parquet.WithDictionaryDefault(false))
	if len(data) < 2*smallFile {
		t.Fatal(len(data))
	}
	obj := &object{data: data}
	r, err := Open(t.Context(), obj, "f", ReaderOptions{Format: "parquet", Fields: fields, Keep: between(100_000, 100_001)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	if r.Position() > 100_000 || b.NumRows() > 3000 || obj.bytes > 400_000 {
		t.Errorf("%d rows from %d, %d bytes read of %d in %d reads", b.NumRows(), r.Position(), obj.bytes, len(data), obj.reads)
	}
}

// A column of which the file does not say where its pages lie is stepped through
// page by page, also where these are larger than what is read ahead.
func TestPagesLargerThanWhatIsReadAheadAreSteppedOver(t *testing.T) {
	fields := fieldsOf(t, "id BIGINT NOT NULL", "text STRING")
	rec := randomBatch(t, fields, 20_000, 8)
	defer rec.Release()
	data := writeArrow(t, rec, 1<<20, nil, parquet.WithDataPageSize(4000), parquet.WithPageIndexEnabled(true), parquet.WithPageIndexEnabledFor("text", false),
		parquet.WithDictionaryDefault(false), parquet.WithBatchSize(50))
	for _, ahead := range []int64{1, 500, 5000, 0} {
		opts := ReaderOptions{Format: "parquet", Fields: fields, Keep: between(15_000, 15_100), ReadAhead: ahead}
		if n := sameAs(t, data, rec, opts); n < 101 || n > 3000 {
			t.Errorf("%d rows read", n)
		}
	}
}

func TestStatisticsOfEveryType(t *testing.T) {
	fields := everyType(t)
	rec := randomBatch(t, fields, 3000, 9)
	defer rec.Release()
	data := writeArrow(t, rec, 1<<20, nil, parquet.WithPageIndexEnabled(true), parquet.WithDataPageSize(800))
	opts := ReaderOptions{Format: "parquet", Fields: append(fields, schema.Field{Name: "absent", Type: fields[1].Type})}
	opts.Keep = func(stats func(string) (ColumnStats, bool), rows int64) bool {
		for _, f := range fields {
			s, ok := stats(f.Name)
			if nested := f.Type.Elem != nil || f.Type.Fields != nil; ok == nested {
				t.Errorf("%s: statistics %t", f.Name, ok)
			}
			if s.Nulls > rows {
				t.Errorf("%s: %d nulls of %d rows", f.Name, s.Nulls, rows)
			}
			if s.Min != nil && s.Max != nil && schema.Compare(f.Type, s.Min, s.Max) > 0 {
				t.Errorf("%s: %v above %v", f.Name, s.Min, s.Max)
			}
		}
		if s, ok := stats("absent"); !ok || s.Nulls != rows || s.Min != nil {
			t.Errorf("missing column: %v, %t", s, ok)
		}
		if _, ok := stats("nobody"); ok {
			t.Error("statistics of a column that is not wanted")
		}
		return true
	}
	if err := readAll(data, opts, func(arrow.RecordBatch, int64) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestOurOwnFilesReadBackEqual(t *testing.T) {
	fields := everyType(t)
	rec := randomBatch(t, fields, 3000, 10)
	defer rec.Release()
	for _, codec := range []string{"zstd", "snappy", "gzip", "lz4", "none"} {
		var buf bytes.Buffer
		w, err := NewWriter(&buf, fields, WriterOptions{Compression: codec, PageBytes: 1500, RowGroupBytes: 60_000})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if n := sameAs(t, buf.Bytes(), rec, ReaderOptions{Fields: fields, Parallel: 2}); n != rec.NumRows() {
			t.Fatal(codec, n)
		}
		sameAs(t, buf.Bytes(), rec, ReaderOptions{Fields: fields, Keep: everyThird()})
	}
}

// lowLevel writes one INT32 leaf with given levels under a schema of its own.
func lowLevel(t *testing.T, root *pqschema.GroupNode, values []int32, defs, reps []int16) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := file.NewParquetWriter(&buf, root)
	g, err := w.AppendRowGroupChecked()
	if err != nil {
		t.Fatal(err)
	}
	c, err := g.NextColumn()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.(*file.Int32ColumnChunkWriter).WriteBatch(values, defs, reps); err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{c.Close, g.Close, w.Close} {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func TestListsOfOtherShapes(t *testing.T) {
	i32 := func(name string, rep parquet.Repetition) pqschema.Node { return pqschema.NewInt32Node(name, rep, -1) }
	group := func(name string, rep parquet.Repetition, kids ...pqschema.Node) *pqschema.GroupNode {
		g, err := pqschema.NewGroupNode(name, rep, kids, -1)
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	req, opt, rpt := parquet.Repetitions.Required, parquet.Repetitions.Optional, parquet.Repetitions.Repeated
	for _, c := range []struct {
		name, typ  string
		node       pqschema.Node
		defs, reps []int16
		want       []string
	}{
		{"child named item", "ARRAY<INT>", group("f", opt, group("list", rpt, i32("item", opt))),
			[]int16{3, 2, 1, 0, 3}, []int16{0, 1, 0, 0, 0}, []string{`[1,null]`, `[]`, `null`, `[2]`}},
		{"two levels", "ARRAY<INT>", group("f", opt, i32("array", rpt)),
			[]int16{2, 2, 1, 0, 2}, []int16{0, 1, 0, 0, 0}, []string{`[1,2]`, `[]`, `null`, `[3]`}},
		{"one level", "ARRAY<INT>", i32("f", rpt),
			[]int16{1, 1, 0, 1}, []int16{0, 1, 0, 0}, []string{`[1,2]`, `[]`, `[3]`}},
		{"two levels of records", "ARRAY<ROW<x INT>>", group("f", opt, group("f_tuple", rpt, i32("x", opt))),
			[]int16{3, 2, 1, 0}, []int16{0, 1, 0, 0}, []string{`[{"x":1},{"x":null}]`, `[]`, `null`}},
		{"row in row", "ROW<a ROW<x INT>>", group("f", opt, group("a", opt, i32("x", opt))),
			[]int16{3, 2, 1, 0}, []int16{0, 0, 0, 0}, []string{`{"a":{"x":1}}`, `{"a":{"x":null}}`, `{"a":null}`, `null`}},
	} {
		values := []int32{}
		for _, d := range c.defs {
			if d == func() (m int16) {
				for _, d := range c.defs {
					m = max(m, d)
				}
				return m
			}() {
				values = append(values, int32(len(values)+1))
			}
		}
		data := lowLevel(t, group("schema", req, c.node), values, c.defs, c.reps)
		for _, rows := range []int{0, 1} {
			lines, err := readLines(t, data, ReaderOptions{Format: "parquet", Fields: fieldsOf(t, "f "+c.typ), BatchRows: rows})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			want := mapped(c.want, func(s string) string { return `{"f":` + s + `}` })
			if strings.Join(lines, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s: %v, want %v", c.name, lines, want)
			}
		}
	}
}

// damaged reads data that may be wrong in any way. It must end in rows or in
// a classed error, and never in a panic of ours.
func damaged(t testing.TB, data []byte, opts ReaderOptions) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	opts.Alloc = mem
	rows := int64(0)
	err := readAll(data, opts, func(rec arrow.RecordBatch, _ int64) error {
		if rows += rec.NumRows(); rows > 1<<20 {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) && !errors.Is(err, fault.ErrCorrupt) && !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("unclassed: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "decoder failed") {
		t.Errorf("panic: %v", err)
	}
	mem.AssertSize(t, 0)
}

var errEnough = errors.New("enough rows")

// damageSamples are small files with the fields to read them with.
func damageSamples(t testing.TB) (files [][]byte, opts []ReaderOptions) {
	for _, table := range []string{"types_pk_parquet", "nested_pk_parquet", "format_parquet_lz4", "types_pk_avro", "format_avro_snappy", "format_parquet_none", "format_parquet_gzip"} {
		path := sample(t, table, 0)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		j := readJavaTable(t, filepath.Dir(path), "types_pk_parquet")
		files = append(files, data)
		opts = append(opts, ReaderOptions{Format: strings.TrimPrefix(filepath.Ext(path), "."), Fields: j.fields, Keep: everyThird()})
	}
	fields := everyType(t)
	rec := randomBatch(t, fields[:30], 40, 11)
	defer rec.Release()
	files = append(files, writeArrow(t, rec, 20, nil, parquet.WithDataPageVersion(parquet.DataPageV2), parquet.WithDataPageSize(200), parquet.WithPageIndexEnabled(true), parquet.WithDictionaryDefault(false),
		parquet.WithEncodingFor("big", parquet.Encodings.DeltaBinaryPacked), parquet.WithEncodingFor("text", parquet.Encodings.DeltaByteArray), parquet.WithEncodingFor("bytes", parquet.Encodings.DeltaLengthByteArray)))
	opts = append(opts, ReaderOptions{Format: "parquet", Fields: fields[:30]})
	return files, opts
}

func TestDamagedFilesAreErrorsNotPanics(t *testing.T) {
	files, opts := damageSamples(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	runs := 0
	for k, data := range files {
		step := max(len(data)/70, 1)
		for at := 0; at < len(data); at += step {
			for _, flip := range []byte{0x01, 0x80, 0xff} {
				bad := bytes.Clone(data)
				bad[at] ^= flip
				damaged(t, bad, opts[k])
				runs++
			}
			damaged(t, data[:at], opts[k])
			runs++
			if t.Failed() {
				t.Fatalf("file %d, byte %d", k, at)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / uint64(runs); per > 8<<20 {
		t.Errorf("%d bytes allocated per file", per)
	}
}

func TestCutFilesNameFileAndReason(t *testing.T) {
	data, err := os.ReadFile(sample(t, "types_pk_parquet", 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data []byte
		say  string
	}{{nil, "too short"}, {data[:len(data)-1], "PAR1"}, {[]byte("PAR1xxxx\xff\xff\xff\x00PAR1"), "does not fit"}} {
		_, err := readLines(t, c.data, ReaderOptions{Format: "parquet", Fields: idOnly})
		if !errors.Is(err, fault.ErrCorrupt) || !strings.Contains(err.Error(), "file f") || !strings.Contains(err.Error(), c.say) {
			t.Error(err)
		}
	}
}

func TestMemoryFollowsBytesNotClaims(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := enc.EncodeAll(make([]byte, 64<<20), nil)
	for name, f := range map[string]func() error{
		"zstd claims more than it holds": func() error { _, err := decompress(codecZstd, nil, enc.EncodeAll([]byte("x"), nil), 1<<30); return err },
		"snappy claim": func() error {
			_, err := decompress(codecSnappy, nil, []byte{0xff, 0xff, 0xff, 0x7f, 0}, 1<<29)
			return err
		},
		"lz4 claim": func() error { _, err := decompress(codecLz4, nil, []byte{0x10, 0x41, 0}, 1<<29); return err },
		"hadoop claim": func() error {
			_, err := decompress(codecLz4Old, nil, []byte{0x7f, 0, 0, 0, 0, 0, 0, 1, 0}, 1<<29)
			return err
		},
		"small claim": func() error { _, err := decompress(codecZstd, nil, bomb, 100); return err },
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := f()
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 16<<20 {
			t.Errorf("%s: %v, %d bytes", name, err, used)
		}
	}
	if out, err := decompress(codecZstd, nil, bomb, 64<<20); err != nil || len(out) != 64<<20 {
		t.Errorf("an honest page of zeros: %v", err)
	}
}

// Java writes a page whose rows all hold one number as a zstd frame that does
// not say how much it holds, at more than 700 times the packed size.
func TestAFrameOfOneValueRepeatedIsRead(t *testing.T) {
	page, err := hex.DecodeString("28b52ffd00484c000010ffff0100e39f0758010000")
	if err != nil {
		t.Fatal(err)
	}
	const size = 16360
	for _, room := range []int{0, 100, 10000, 20000} {
		out, err := decompress(codecZstd, make([]byte, 0, room), page, size)
		if err != nil || len(out) != size || bytes.Count(out, []byte{0xff}) != size {
			t.Errorf("into %d bytes: %d, %v", room, len(out), err)
		}
	}
}

func TestLargeValuesEndBatchesEarly(t *testing.T) {
	fields := fieldsOf(t, "id BIGINT NOT NULL", "text STRING", "list ARRAY<STRING>")
	var buf bytes.Buffer
	w, err := NewWriter(&buf, fields, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	as, err := schema.ArrowSchema(fields)
	if err != nil {
		t.Fatal(err)
	}
	build := array.NewRecordBuilder(memory.DefaultAllocator, as)
	defer build.Release()
	big := bytes.Repeat([]byte("x"), 1<<20)
	for i := range 70 {
		build.Field(0).(*array.Int64Builder).Append(int64(i))
		build.Field(1).(*array.StringBuilder).BinaryBuilder.Append(big)
		list := build.Field(2).(*array.ListBuilder)
		list.Append(true)
		list.ValueBuilder().(*array.StringBuilder).BinaryBuilder.Append(big[i:])
	}
	large := build.NewRecordBatch()
	defer large.Release()
	if err := w.Write(large); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	batches := 0
	err = readAll(buf.Bytes(), ReaderOptions{Format: "parquet", Fields: fields}, func(got arrow.RecordBatch, pos int64) error {
		batches++
		if got.NumRows() > 80 {
			return fmt.Errorf("batch of %d rows", got.NumRows())
		}
		want := large.NewSlice(pos, pos+got.NumRows())
		defer want.Release()
		if !array.RecordEqual(got, want) {
			return fmt.Errorf("rows at %d differ", pos)
		}
		return nil
	})
	if err != nil || batches < 2 {
		t.Fatal(batches, err)
	}
}

func FuzzParquet(f *testing.F) {
	files, opts := damageSamples(f)
	for i, data := range files {
		if opts[i].Format == "parquet" {
			f.Add(data, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, i uint8) {
		o := opts[int(i)%len(opts)]
		o.Format = "parquet"
		damaged(t, data, o)
	})
}

func FuzzAvro(f *testing.F) {
	files, opts := damageSamples(f)
	for i, data := range files {
		if opts[i].Format == "avro" {
			f.Add(data, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, i uint8) {
		o := opts[int(i)%len(opts)]
		o.Format = "avro"
		damaged(t, data, o)
	})
}

// FuzzPageValues feeds bytes to every vector in every encoding.
func FuzzPageValues(f *testing.F) {
	f.Add([]byte{3, 8, 136, 1, 2, 3}, uint8(5), uint8(2), uint8(0))
	f.Add([]byte{128, 1, 4, 3, 2, 0, 0, 0, 0, 0}, uint8(5), uint8(1), uint8(6))
	f.Add([]byte{128, 1, 4, 3, 2, 0, 0, 0, 0, 0, 97, 98, 99}, uint8(7), uint8(6), uint8(0))
	kinds := []schema.Type{{Kind: schema.Boolean}, {Kind: schema.TinyInt}, {Kind: schema.Int}, {Kind: schema.BigInt}, {Kind: schema.VarChar}, {Kind: schema.Decimal, Precision: 30},
		{Kind: schema.Timestamp, Precision: 3}, {Kind: schema.Timestamp, Precision: 9}, {Kind: schema.Double}}
	f.Fuzz(func(t *testing.T, data []byte, enc, physical, kind uint8) {
		n := &node{schemaElement: schemaElement{physical: int32(physical % 8), length: 5}}
		v, err := newVector(n, kinds[int(kind)%len(kinds)], memory.DefaultAllocator)
		if err != nil {
			return
		}
		defer v.release()
		for _, with := range []bool{true, false} {
			v.begin(100)
			if with && v.dictionary(data, len(data)/8) != nil || v.page(int32(enc%10), data) != nil {
				continue
			}
			for range 20 {
				if v.skip(3) != nil || v.read(min(50, max(v.room(), 1))) != nil {
					break
				}
			}
		}
	})
}
