package datafile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

func writeAll(t testing.TB, fields []schema.Field, opts WriterOptions, recs ...arrow.RecordBatch) ([]byte, Result) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, fields, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range recs {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	res, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if res.Bytes != int64(out.Len()) {
		t.Fatalf("result says %d bytes, the file has %d", res.Bytes, out.Len())
	}
	return out.Bytes(), res
}

func openArrow(t testing.TB, data []byte) *file.Reader {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// columnsJSON reads a file with Arrow's own reader: one text a column.
func columnsJSON(t testing.TB, data []byte) []string {
	t.Helper()
	r, err := pqarrow.NewFileReader(openArrow(t, data), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := r.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer tbl.Release()
	all := make([]string, tbl.NumCols())
	for i := range all {
		arr, err := array.Concatenate(tbl.Column(i).Data().Chunks(), memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = asJSON(t, arr)
		arr.Release()
	}
	return all
}

func asJSON(t testing.TB, arr arrow.Array) string {
	t.Helper()
	if ts, ok := arr.(*array.Timestamp); ok { // seconds come back as milliseconds
		unit := int64(1)
		if ts.DataType().(*arrow.TimestampType).Unit == arrow.Second {
			unit = 1000
		}
		var b strings.Builder
		for i := range ts.Len() {
			if ts.IsNull(i) {
				b.WriteString("null ")
			} else {
				fmt.Fprint(&b, int64(ts.Value(i))*unit, " ")
			}
		}
		return b.String()
	}
	text, err := arr.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), `Z"`, `"`) // INT96 comes back in UTC
}

func wantJSON(t testing.TB, mem memory.Allocator, recs []arrow.RecordBatch) []string {
	t.Helper()
	all := make([]string, recs[0].NumCols())
	for i := range all {
		var parts []arrow.Array
		for _, r := range recs {
			parts = append(parts, r.Column(i))
		}
		arr, err := array.Concatenate(parts, mem)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = asJSON(t, arr)
		arr.Release()
	}
	return all
}

func TestEveryTypeIsReadBackByArrow(t *testing.T) {
	for _, set := range []struct {
		name   string
		fields []schema.Field
	}{{"scalars", javaTypes()}, {"nested", javaNested()}} {
		for _, nulls := range []float64{0, 0.3, 1} {
			for _, distinct := range []int{0, 30} {
				t.Run(fmt.Sprintf("%s/nulls=%v/distinct=%d", set.name, nulls, distinct), func(t *testing.T) {
					mem := checked(t)
					g := newGen(1, nulls, distinct)
					var recs []arrow.RecordBatch
					for _, n := range []int{1, 200, 0, 700} {
						rec := g.batch(mem, set.fields, n)
						defer rec.Release()
						recs = append(recs, rec)
					}
					// A slice: offsets of bitmaps, strings and lists are not 0.
					cut := recs[3].NewSlice(13, 600)
					defer cut.Release()
					recs = append(recs, cut)
					data, res := writeAll(t, set.fields, WriterOptions{Alloc: mem, PageBytes: 2 << 10, RowGroupBytes: 30 << 10, Stats: true}, recs...)
					if res.Rows != 1+200+700+587 {
						t.Fatalf("%d rows", res.Rows)
					}
					got, want := columnsJSON(t, data), wantJSON(t, mem, recs)
					for i := range want {
						if got[i] != want[i] {
							t.Errorf("column %s differs:\n%.300s\nwant\n%.300s", set.fields[i].Name, got[i], want[i])
						}
					}
					compareReaders(t, data)
				})
			}
		}
	}
}

// compareReaders reads every leaf with two independent libraries, levels
// included, and compares.
func compareReaders(t *testing.T, data []byte) {
	t.Helper()
	pf, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	af := openArrow(t, data)
	if len(pf.RowGroups()) != af.NumRowGroups() {
		t.Fatal("row groups differ")
	}
	for g, group := range pf.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			got := parquetgoLeaf(t, chunk)
			want := arrowLeaf(t, af, g, i)
			if got != want {
				t.Errorf("row group %d, %s:\nparquet-go %.300s\narrow-go   %.300s", g, af.MetaData().Schema.Column(i).Path(), got, want)
			}
		}
	}
}

func parquetgoLeaf(t *testing.T, chunk parquetgo.ColumnChunk) string {
	t.Helper()
	var b strings.Builder
	pages := chunk.Pages()
	defer pages.Close()
	for {
		p, err := pages.ReadPage()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		vals := make([]parquetgo.Value, p.NumValues())
		n, err := p.Values().ReadValues(vals)
		if n != len(vals) || err != nil && err != io.EOF {
			t.Fatalf("%d of %d values: %v", n, len(vals), err)
		}
		for _, v := range vals {
			fmt.Fprintf(&b, "%d/%d", v.RepetitionLevel(), v.DefinitionLevel())
			switch {
			case v.IsNull():
			case v.Kind() == parquetgo.Int96:
				fmt.Fprintf(&b, "=%x", [3]uint32(v.Int96()))
			case v.Kind() == parquetgo.ByteArray || v.Kind() == parquetgo.FixedLenByteArray:
				fmt.Fprintf(&b, "=%x", v.ByteArray())
			default:
				fmt.Fprintf(&b, "=%v", v)
			}
			b.WriteByte(' ')
		}
		parquetgo.Release(p)
	}
}

func arrowLeaf(t *testing.T, f *file.Reader, group, col int) string {
	t.Helper()
	cr, err := f.RowGroup(group).Column(col)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(4 << 20)
	maxDef := cr.Descriptor().MaxDefinitionLevel()
	var def, rep []int16
	var vals []string
	read := func(n int64, get func(def, rep []int16) (int64, int, error), format func(i int)) {
		def, rep = make([]int16, n), make([]int16, n)
		total, read, err := get(def, rep)
		if err != nil {
			t.Fatal(err)
		}
		def, rep = def[:total], rep[:total]
		for i := range read {
			format(i)
		}
	}
	rg, _ := f.MetaData().RowGroup(group).ColumnChunk(col)
	n = rg.NumValues()
	switch r := cr.(type) {
	case *file.BooleanColumnChunkReader:
		v := make([]bool, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) { vals = append(vals, fmt.Sprint(v[i])) })
	case *file.Int32ColumnChunkReader:
		v := make([]int32, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) { vals = append(vals, fmt.Sprint(v[i])) })
	case *file.Int64ColumnChunkReader:
		v := make([]int64, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) { vals = append(vals, fmt.Sprint(v[i])) })
	case *file.Float32ColumnChunkReader:
		v := make([]float32, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) { vals = append(vals, fmt.Sprint(v[i])) })
	case *file.Float64ColumnChunkReader:
		v := make([]float64, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) { vals = append(vals, fmt.Sprint(v[i])) })
	case *file.Int96ColumnChunkReader:
		v := make([]parquet.Int96, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) {
			vals = append(vals, fmt.Sprintf("%x", [3]uint32{le32(v[i][:]), le32(v[i][4:]), le32(v[i][8:])}))
		})
	case *file.ByteArrayColumnChunkReader:
		v := make([]parquet.ByteArray, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) { vals = append(vals, fmt.Sprintf("%x", []byte(v[i]))) })
	case *file.FixedLenByteArrayColumnChunkReader:
		v := make([]parquet.FixedLenByteArray, n)
		read(n, func(d, p []int16) (int64, int, error) { return r.ReadBatch(n, v, d, p) }, func(i int) { vals = append(vals, fmt.Sprintf("%x", []byte(v[i]))) })
	}
	var b strings.Builder
	for i := range def {
		fmt.Fprintf(&b, "%d/%d", rep[i], def[i])
		if def[i] == maxDef {
			b.WriteString("=" + vals[0])
			vals = vals[1:]
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func le32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func TestSchemaIsWhatJavaWrites(t *testing.T) {
	for name, fields := range map[string][]schema.Field{
		"testdata/java_types.parquet": javaTypes(), "testdata/java_nested.parquet": javaNested(),
	} {
		java, err := file.OpenParquetFile(name, false)
		if err != nil {
			t.Fatal(err)
		}
		defer java.Close()
		data, _ := writeAll(t, fields, WriterOptions{})
		want, got := java.MetaData().FileMetaData.Schema, openArrow(t, data).MetaData().FileMetaData.Schema
		if len(want) != len(got) {
			t.Fatalf("%s: %d nodes, Java has %d", name, len(got), len(want))
		}
		for i := range want {
			if want[i].Name == rootName { // the root's repetition is free
				want[i].RepetitionType = got[i].RepetitionType
			}
			if !reflect.DeepEqual(want[i], got[i]) {
				t.Errorf("%s: node %s\n got %+v\nwant %+v", name, want[i].Name, got[i], want[i])
			}
		}
	}
}

func TestDecimalWidths(t *testing.T) {
	for p, want := range map[int]int{19: 9, 20: 9, 21: 9, 22: 10, 28: 12, 31: 13, 38: 16} {
		if got := decimalBytes(p); got != want {
			t.Errorf("DECIMAL(%d) takes %d bytes, want %d", p, got, want)
		}
	}
}

func TestCodecsAreReadBack(t *testing.T) {
	mem := checked(t)
	fields := javaTypes()[:14]
	rec := newGen(2, 0.1, 0).batch(mem, fields, 12000)
	defer rec.Release()
	want := wantJSON(t, mem, []arrow.RecordBatch{rec})
	for _, c := range []string{"", "zstd", "snappy", "gzip", "none"} {
		for _, level := range []int{0, 3, 9} {
			data, _ := writeAll(t, fields, WriterOptions{Alloc: mem, Compression: c, ZstdLevel: level}, rec)
			if got := columnsJSON(t, data); !reflect.DeepEqual(got, want) {
				t.Errorf("%s level %d differs", c, level)
			}
			if c != "zstd" {
				break
			}
		}
	}
}

func TestLZ4IsFramedAsHadoopDoes(t *testing.T) {
	src := bytes.Repeat([]byte("paimon and parquet "), 20000)
	packed, err := packLZ4([]byte("kept"), src)
	if err != nil {
		t.Fatal(err)
	}
	rest, out := packed[4:], []byte(nil)
	for len(rest) > 0 {
		raw := int(rest[0])<<24 | int(rest[1])<<16 | int(rest[2])<<8 | int(rest[3])
		n := int(rest[4])<<24 | int(rest[5])<<16 | int(rest[6])<<8 | int(rest[7])
		if raw > lz4BlockBytes {
			t.Fatalf("a block of %d bytes", raw)
		}
		dst := make([]byte, raw)
		lz4, _ := rawLZ4()
		out = append(out, lz4.Decode(dst, rest[8:8+n])...)
		rest = rest[8+n:]
	}
	if !bytes.Equal(out, src) || string(packed[:4]) != "kept" {
		t.Fatal("not what was packed")
	}
}

func TestDictionaryIsChosenWhereItPays(t *testing.T) {
	mem := checked(t)
	fields := []schema.Field{
		field(schema.SequenceFieldID, schema.SequenceName, scalar(schema.BigInt)),
		field(1, "few", opt(text())), field(2, "many", opt(text())),
		field(3, "fewints", scalar(schema.Int)), field(4, "manyints", scalar(schema.BigInt)),
		field(5, "forced", scalar(schema.BigInt)), field(6, "forbidden", scalar(schema.Int)),
	}
	b := array.NewRecordBuilder(mem, arrowSchema(fields))
	defer b.Release()
	for i := range 50000 {
		b.Field(0).(*array.Int64Builder).Append(7)
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("category-", i%100))
		b.Field(2).(*array.StringBuilder).Append(fmt.Sprint("value-", i))
		b.Field(3).(*array.Int32Builder).Append(int32(splitmix(1, uint64(i)) % 3650))
		b.Field(4).(*array.Int64Builder).Append(int64(i) * 7)
		b.Field(5).(*array.Int64Builder).Append(int64(i / 3))
		b.Field(6).(*array.Int32Builder).Append(1)
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	yes, no := true, false
	data, _ := writeAll(t, fields, WriterOptions{Alloc: mem, Dictionary: func(c string) *bool {
		switch c {
		case "forced":
			return &yes
		case "forbidden":
			return &no
		}
		return nil
	}}, rec)
	r := openArrow(t, data)
	want := []bool{false, true, false, true, false, true, false}
	for i, f := range fields {
		c, err := r.MetaData().RowGroup(0).ColumnChunk(i)
		if err != nil {
			t.Fatal(err)
		}
		if c.HasDictionaryPage() != want[i] {
			t.Errorf("column %s: dictionary %v", f.Name, !want[i])
		}
	}
	if got := columnsJSON(t, data); !reflect.DeepEqual(got, wantJSON(t, mem, []arrow.RecordBatch{rec})) {
		t.Error("values differ")
	}
	compareReaders(t, data)
}

func TestDictionaryThatOutgrowsItsPageIsLeft(t *testing.T) {
	mem := checked(t)
	fields := []schema.Field{field(1, "s", text()), field(2, "n", scalar(schema.BigInt))}
	yes := true
	var recs []arrow.RecordBatch
	for part := range 8 {
		b := array.NewRecordBuilder(mem, arrowSchema(fields))
		for i := range 30000 {
			v := part*15000 + i/2
			b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("a rather long value %020d", v))
			b.Field(1).(*array.Int64Builder).Append(int64(part*30000+i) / 2 * 3)
		}
		recs = append(recs, b.NewRecordBatch())
		b.Release()
		defer recs[part].Release()
	}
	data, _ := writeAll(t, fields, WriterOptions{Alloc: mem, Dictionary: func(string) *bool { return &yes }, RowGroupBytes: 5 << 20, Compression: "none"}, recs...)
	c, _ := openArrow(t, data).MetaData().RowGroup(0).ColumnChunk(0)
	if !c.HasDictionaryPage() {
		t.Fatal("no dictionary at all")
	}
	if got := columnsJSON(t, data); !reflect.DeepEqual(got, wantJSON(t, mem, recs)) {
		t.Error("values differ")
	}
	compareReaders(t, data)
}

func TestPageIndexLocatesRows(t *testing.T) {
	mem := checked(t)
	fields := []schema.Field{field(1, "k", scalar(schema.BigInt)), field(2, "l", opt(list(opt(text()))))}
	b := array.NewRecordBuilder(mem, arrowSchema(fields))
	defer b.Release()
	g := newGen(3, 0.2, 0)
	for i := range 90000 {
		b.Field(0).(*array.Int64Builder).Append(int64(i) * 3)
		g.append(b.Field(1), fields[1].Type)
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	data, _ := writeAll(t, fields, WriterOptions{Alloc: mem}, rec)
	pf, err := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, chunk := range pf.RowGroups()[0].ColumnChunks() {
		oi, err := chunk.OffsetIndex()
		if err != nil || oi.NumPages() < 5 {
			t.Fatalf("offset index: %d pages, %v", oi.NumPages(), err)
		}
		pages := chunk.Pages()
		for _, row := range []int64{0, 1, 19999, 20000, 45678, 89999} {
			if err := pages.SeekToRow(row); err != nil {
				t.Fatal(err)
			}
			p, err := pages.ReadPage()
			if err != nil {
				t.Fatal(err)
			}
			vals := make([]parquetgo.Value, 1)
			if _, err := p.Values().ReadValues(vals); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if chunk.Column() == 0 && vals[0].Int64() != row*3 {
				t.Fatalf("row %d is %v", row, vals[0])
			}
			if vals[0].RepetitionLevel() != 0 {
				t.Fatal("a page begins within a row")
			}
			parquetgo.Release(p)
		}
		pages.Close()
	}
	ci, err := pf.RowGroups()[0].ColumnChunks()[0].ColumnIndex()
	if err != nil || !ci.IsAscending() || ci.MinValue(1).Int64() != 60000 || ci.MaxValue(0).Int64() != 59997 {
		t.Fatalf("column index: %v %v", ci, err)
	}
}

func TestHugeValuesGetPagesOfTheirOwn(t *testing.T) {
	mem := checked(t)
	fields := []schema.Field{field(1, "s", text()), field(2, "l", list(text()))}
	b := array.NewRecordBuilder(mem, arrowSchema(fields))
	defer b.Release()
	for i := range 40 {
		v := strings.Repeat(string(rune('a'+i%26)), 300<<10)
		b.Field(0).(*array.StringBuilder).Append(v)
		l := b.Field(1).(*array.ListBuilder)
		l.Append(true)
		l.ValueBuilder().(*array.StringBuilder).Append(v)
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	data, _ := writeAll(t, fields, WriterOptions{Alloc: mem, PageBytes: 64 << 10, Stats: true}, rec)
	if got := columnsJSON(t, data); !reflect.DeepEqual(got, wantJSON(t, mem, []arrow.RecordBatch{rec})) {
		t.Error("values differ")
	}
	pf, _ := parquetgo.OpenFile(bytes.NewReader(data), int64(len(data)))
	for _, c := range pf.RowGroups()[0].ColumnChunks() {
		if oi, _ := c.OffsetIndex(); oi.NumPages() != 40 {
			t.Errorf("%d pages", oi.NumPages())
		}
	}
}

func TestMemoryStaysBoundedByTheRowGroup(t *testing.T) {
	mem := checked(t)
	fields := []schema.Field{field(1, "n", scalar(schema.BigInt)), field(2, "s", opt(text()))}
	rec := newGen(4, 0.1, 0).batch(memory.DefaultAllocator, fields, 50000)
	defer rec.Release()
	const group = 1 << 20
	w, err := NewWriter(io.Discard, fields, WriterOptions{Alloc: mem, RowGroupBytes: group})
	if err != nil {
		t.Fatal(err)
	}
	peak := 0
	var last int64
	for range 40 {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, mem.CurrentAlloc())
		if w.Size() < last {
			t.Fatalf("size went from %d to %d", last, w.Size())
		}
		last = w.Size()
	}
	res, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if peak > 6*group {
		t.Errorf("held %d bytes for row groups of %d", peak, group)
	}
	if off := float64(last) / float64(res.Bytes); off < 0.95 || off > 1.05 {
		t.Errorf("estimated %d bytes, became %d", last, res.Bytes)
	}
	if res.Bytes < 8*group {
		t.Errorf("only %d bytes", res.Bytes)
	}
}

func TestASmallWriterIsSmall(t *testing.T) {
	mem := checked(t)
	fields := javaTypes()
	rec := newGen(5, 0, 0).batch(memory.DefaultAllocator, fields, 10)
	defer rec.Release()
	w, err := NewWriter(io.Discard, fields, WriterOptions{Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if n := mem.CurrentAlloc(); n > 0 {
		t.Errorf("%d bytes before a page is full", n)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestParallelAndSerialFilesAreEqual(t *testing.T) {
	mem := checked(t)
	fields := append(javaTypes(), javaNested()[4:]...)
	rec := newGen(6, 0.2, 0).batch(mem, fields, 3000)
	defer rec.Release()
	opts := WriterOptions{Alloc: mem, PageBytes: 8 << 10, RowGroupBytes: 200 << 10, Stats: true, Parallel: 1}
	serial, s := writeAll(t, fields, opts, rec, rec, rec)
	opts.Parallel = 8
	parallel, p := writeAll(t, fields, opts, rec, rec, rec)
	if len(serial) != len(parallel) || !reflect.DeepEqual(s.Columns, p.Columns) {
		t.Fatal("files differ")
	}
	if !reflect.DeepEqual(columnsJSON(t, serial), columnsJSON(t, parallel)) {
		t.Fatal("values differ")
	}
}

// Two columns of a batch may be one array, as the key's copy among the values
// is, and two writers may share a batch.
func TestArraysMayBeShared(t *testing.T) {
	fields := []schema.Field{field(1, "a", opt(list(opt(text())))), field(2, "b", opt(list(opt(text()))))}
	one := newGen(8, 0.3, 0).batch(memory.DefaultAllocator, fields[:1], 9000)
	defer one.Release()
	// A slice has not counted its nulls yet.
	cut := array.NewSlice(one.Column(0), 5, 8997)
	defer cut.Release()
	rec := array.NewRecordBatch(arrowSchema(fields), []arrow.Array{cut, cut}, -1)
	defer rec.Release()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { writeAll(t, fields, WriterOptions{Parallel: 2}, rec) })
	}
	wg.Wait()
}

func TestWrongBatchesAreRefused(t *testing.T) {
	mem := memory.DefaultAllocator
	fields := []schema.Field{field(1, "a", scalar(schema.Int)), field(2, "b", opt(list(opt(text()))))}
	for name, c := range map[string]struct {
		fields []schema.Field
		want   string
	}{
		"number":  {fields[:1], "1 columns"},
		"name":    {[]schema.Field{field(1, "x", scalar(schema.Int)), fields[1]}, `"x"`},
		"type":    {[]schema.Field{field(1, "a", scalar(schema.BigInt)), fields[1]}, "int64"},
		"element": {[]schema.Field{fields[0], field(2, "b", opt(list(opt(scalar(schema.Int)))))}, "b.element"},
	} {
		rec := newGen(1, 0, 0).batch(mem, c.fields, 3)
		w, _ := NewWriter(io.Discard, fields, WriterOptions{})
		err := w.Write(rec)
		if !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err2 := w.Close(); err2 == nil {
			t.Errorf("%s: a broken writer closes", name)
		}
		rec.Release()
	}
}

func TestNullInNotNullColumnIsRefused(t *testing.T) {
	inner := row(field(3, "x", scalar(schema.Int)))
	for _, typ := range []schema.Type{scalar(schema.Int), opt(list(scalar(schema.Int))), opt(inner), opt(mapOf(text(), scalar(schema.Int)))} {
		loose := typ
		switch typ.Kind {
		case schema.Int:
			loose = opt(typ)
		case schema.Array:
			loose = opt(list(opt(*typ.Elem)))
		case schema.Row:
			loose = opt(row(field(3, "x", opt(scalar(schema.Int)))))
		case schema.Map:
			loose = opt(mapOf(text(), opt(*typ.Elem)))
		}
		rec := newGen(1, 0.5, 0).batch(memory.DefaultAllocator, []schema.Field{field(1, "a", loose)}, 50)
		w, _ := NewWriter(io.Discard, []schema.Field{field(1, "a", typ)}, WriterOptions{})
		if err := w.Write(rec); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "NOT NULL") {
			t.Errorf("kind %d: %v", typ.Kind, err)
		}
		w.Abort()
		rec.Release()
	}
}

func TestValuesBeyondTheTypeAreRefused(t *testing.T) {
	for _, c := range []struct {
		typ  schema.Type
		fill func(array.Builder)
	}{
		{stamp(schema.Timestamp, 0), func(b array.Builder) { b.(*array.TimestampBuilder).Append(math.MaxInt64 / 999) }},
		{decimal(9, 0), func(b array.Builder) { b.(*array.Decimal128Builder).Append(num(1_000_000_000)) }},
		{decimal(18, 0), func(b array.Builder) { b.(*array.Decimal128Builder).Append(num(-1_000_000_000_000_000_000)) }},
		{decimal(19, 0), func(b array.Builder) {
			b.(*array.Decimal128Builder).Append(num(1_000_000_000_000_000_000).Mul(num(10)))
		}},
	} {
		fields := []schema.Field{field(1, "a", c.typ)}
		b := array.NewRecordBuilder(memory.DefaultAllocator, arrowSchema(fields))
		c.fill(b.Field(0))
		rec := b.NewRecordBatch()
		w, _ := NewWriter(io.Discard, fields, WriterOptions{})
		if err := w.Write(rec); !errors.Is(err, fault.ErrInvalid) || !strings.Contains(err.Error(), "does not fit") {
			t.Errorf("%d(%d): %v", c.typ.Kind, c.typ.Precision, err)
		}
		w.Abort()
	}
}

func TestWhatCannotBeWrittenIsRefusedByName(t *testing.T) {
	one := []schema.Field{field(1, "a", scalar(schema.Int))}
	for _, c := range []struct {
		fields []schema.Field
		opts   WriterOptions
		want   error
	}{
		{one, WriterOptions{Format: "orc"}, fault.ErrUnsupported},
		{one, WriterOptions{Format: "tape"}, fault.ErrInvalid},
		{one, WriterOptions{Compression: "brotli"}, fault.ErrUnsupported},
		{one, WriterOptions{Compression: "zip"}, fault.ErrInvalid},
		{one, WriterOptions{PageBytes: -1}, fault.ErrInvalid},
		{nil, WriterOptions{}, fault.ErrInvalid},
		{[]schema.Field{field(1, "v", scalar(schema.Variant))}, WriterOptions{}, fault.ErrUnsupported},
		{[]schema.Field{field(1, "v", list(scalar(schema.Blob)))}, WriterOptions{}, fault.ErrUnsupported},
		{[]schema.Field{field(1, "v", decimal(39, 0))}, WriterOptions{}, fault.ErrInvalid},
	} {
		if _, err := NewWriter(io.Discard, c.fields, c.opts); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c.opts, err)
		}
	}
}

type brokenPipe struct{ left int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestAFailingStoreFailsTheFile(t *testing.T) {
	mem := checked(t)
	fields := javaTypes()
	rec := newGen(7, 0, 0).batch(mem, fields, 500)
	defer rec.Release()
	whole, _ := writeAll(t, fields, WriterOptions{Alloc: mem}, rec)
	for _, left := range []int{0, 100, len(whole) / 2, len(whole) - 1} {
		w, err := NewWriter(&brokenPipe{left}, fields, WriterOptions{Alloc: mem})
		if err == nil {
			if err = w.Write(rec); err == nil {
				_, err = w.Close()
			}
		}
		if !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
}

func TestClosedWriterSaysSo(t *testing.T) {
	fields := []schema.Field{field(1, "a", scalar(schema.Int))}
	rec := newGen(7, 0, 0).batch(memory.DefaultAllocator, fields, 5)
	defer rec.Release()
	w, _ := NewWriter(io.Discard, fields, WriterOptions{})
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); !errors.Is(err, fault.ErrClosed) {
		t.Error(err)
	}
	if err := w.Write(rec); !errors.Is(err, fault.ErrClosed) {
		t.Error(err)
	}
	w.Abort()
}

func TestFileWithoutRowsIsReadable(t *testing.T) {
	data, res := writeAll(t, javaNested(), WriterOptions{Stats: true})
	if res.Rows != 0 || openArrow(t, data).NumRows() != 0 {
		t.Fatal("rows in an empty file")
	}
	if len(res.Columns) != len(javaNested()) || res.Columns[0] != (ColumnStats{}) {
		t.Fatalf("%v", res.Columns)
	}
}

func TestFooterSaysWhoWroteItAndNothingElse(t *testing.T) {
	data, _ := writeAll(t, javaTypes(), WriterOptions{})
	m := openArrow(t, data).MetaData()
	if m.GetCreatedBy() != createdBy || m.Version() != parquet.V1_0 || m.KeyValueMetadata().Len() != 0 || m.Schema.Root().Name() != rootName {
		t.Fatalf("%s %s %v", m.GetCreatedBy(), m.Version(), m.KeyValueMetadata())
	}
	if v := metadata.NewAppVersion(createdBy); v.App != "tidelake" || v.Version.Major != 1 {
		t.Fatalf("%+v", v)
	}
}
