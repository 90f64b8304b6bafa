package datafile

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	parquetgo "github.com/parquet-go/parquet-go"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// fieldsOf parses "name TYPE" lines.
func fieldsOf(t testing.TB, lines ...string) []schema.Field {
	t.Helper()
	var out []schema.Field
	for i, line := range lines {
		name, text, _ := strings.Cut(line, " ")
		typ, err := schema.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, schema.Field{ID: i, Name: name, Type: typ})
	}
	return out
}

// everyType has a column of every type.
func everyType(t testing.TB) []schema.Field {
	return fieldsOf(t, "id BIGINT NOT NULL", "bool BOOLEAN", "tiny TINYINT", "small SMALLINT", "int INT", "big BIGINT", "float FLOAT",
		"double DOUBLE", "char CHAR(5)", "text STRING", "bin BINARY(4)", "bytes BYTES", "dec9 DECIMAL(9, 2)", "dec18 DECIMAL(18, 4)",
		"dec38 DECIMAL(38, 10)", "date DATE", "time TIME(3)", "ts0 TIMESTAMP(0)", "ts3 TIMESTAMP(3)", "ts6 TIMESTAMP(6)", "ts9 TIMESTAMP(9)",
		"ltz3 TIMESTAMP(3) WITH LOCAL TIME ZONE", "ltz9 TIMESTAMP(9) WITH LOCAL TIME ZONE", "boolreq BOOLEAN NOT NULL", "textreq STRING NOT NULL",
		"arr ARRAY<INT>", "arrreq ARRAY<STRING NOT NULL> NOT NULL", "arrarr ARRAY<ARRAY<BIGINT>>", "map MAP<STRING, INT>",
		"mapmap MAP<INT, MAP<STRING, ARRAY<DOUBLE>>>", "multi MULTISET<STRING>", "row ROW<a INT, b STRING, c ROW<d BOOLEAN, e ARRAY<DECIMAL(38, 10)>>>",
		"rows ARRAY<ROW<k STRING NOT NULL, v ROW<x TIMESTAMP(9), y BYTES>>>", "rowreq ROW<a INT NOT NULL> NOT NULL")
}

// randomBatch fills columns with values of few and of many kinds, and nulls.
func randomBatch(t testing.TB, fields []schema.Field, rows int, seed uint64) arrow.RecordBatch {
	t.Helper()
	s, err := schema.ArrowSchema(fields)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for i, f := range fields {
		nulls := []float64{0, 0.02, 0.5, 0.98}[rng.IntN(4)]
		for row := range rows {
			if f.Name == "id" {
				b.Field(i).(*array.Int64Builder).Append(int64(row))
				continue
			}
			if row%1000 > 900 { // stretches of one kind
				randomValue(rng, f.Type, b.Field(i), 0)
				continue
			}
			randomValue(rng, f.Type, b.Field(i), nulls)
		}
	}
	return b.NewRecordBatch()
}

func randomValue(rng *rand.Rand, t schema.Type, b array.Builder, nulls float64) {
	if t.Nullable && rng.Float64() < nulls {
		b.AppendNull()
		return
	}
	few := int64(rng.IntN(5))
	if rng.IntN(3) > 0 {
		few = rng.Int64()>>uint(rng.IntN(63)) - 1<<uint(rng.IntN(30))
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(few&1 == 0)
	case *array.Int8Builder:
		b.Append(int8(few))
	case *array.Int16Builder:
		b.Append(int16(few))
	case *array.Int32Builder:
		b.Append(int32(few))
	case *array.Int64Builder:
		b.Append(few)
	case *array.Float32Builder:
		b.Append(float32(few) / 4)
	case *array.Float64Builder:
		b.Append(float64(few) / 4)
	case *array.StringBuilder:
		b.Append(strings.Repeat("é", int(few&3)) + fmt.Sprint(few))
	case *array.BinaryBuilder:
		if t.Kind == schema.Binary {
			b.Append([]byte{1, 2, 3, byte(few)})
			return
		}
		b.Append(bytes.Repeat([]byte{byte(few)}, int(few&63)))
	case *array.Decimal128Builder:
		if t.Precision <= 9 {
			few %= 1_000_000_000
		}
		if t.Precision <= 18 {
			b.Append(decimal128.FromI64(few % 1_000_000_000_000_000_000))
		} else {
			b.Append(decimal128.FromI64(few).Mul(decimal128.FromI64(1_000_000_007)))
		}
	case *array.Date32Builder:
		b.Append(arrow.Date32(few % 100_000))
	case *array.Time32Builder:
		b.Append(arrow.Time32(uint64(few) % 86_400_000))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(few % (arrowUnit(t.Precision) * 4_000_000_000)))
	case *array.ListBuilder:
		b.Append(true)
		for range rng.IntN(4) {
			randomValue(rng, *t.Elem, b.ValueBuilder(), nulls)
		}
	case *array.MapBuilder:
		kt, vt := *t.Elem, schema.Type{Kind: schema.Int}
		if t.Kind == schema.Map {
			kt, vt = *t.Key, *t.Elem
		}
		kt.Nullable = false
		b.Append(true)
		for range rng.IntN(4) {
			randomValue(rng, kt, b.KeyBuilder(), 0)
			randomValue(rng, vt, b.ItemBuilder(), nulls)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i, f := range t.Fields {
			randomValue(rng, f.Type, b.FieldBuilder(i), nulls)
		}
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// writeArrow writes with Arrow's own writer.
func writeArrow(t testing.TB, rec arrow.RecordBatch, group int64, arrowProps []pqarrow.WriterOption, props ...parquet.WriterProperty) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(rec.Schema(), &buf, parquet.NewWriterProperties(append(props, parquet.WithMaxRowGroupLength(group))...),
		pqarrow.NewArrowWriterProperties(arrowProps...))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// sameAs reads data and compares every batch with the rows of rec at its position.
func sameAs(t testing.TB, data []byte, rec arrow.RecordBatch, opts ReaderOptions) (rows int64) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	opts.Alloc, opts.Format = mem, "parquet"
	err := readAll(data, opts, func(got arrow.RecordBatch, pos int64) error {
		rows += got.NumRows()
		for i, c := range got.Columns() {
			at := rec.Schema().FieldIndices(got.ColumnName(i))[0]
			want := array.NewSlice(rec.Column(at), pos, pos+got.NumRows())
			defer want.Release()
			if err := validArray(c); err != nil {
				return fmt.Errorf("%s: %w", got.ColumnName(i), err)
			}
			if !array.Equal(c, want) {
				return fmt.Errorf("%s, rows %d to %d:\n got %s\nwant %s", got.ColumnName(i), pos, pos+got.NumRows(), c, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestFilesOfArrowReadBackEqual(t *testing.T) {
	fields := everyType(t)
	rec := randomBatch(t, fields, 1500, 1)
	defer rec.Release()
	type variant struct {
		name  string
		group int64
		arrow []pqarrow.WriterOption
		props []parquet.WriterProperty
	}
	var variants []variant
	for i, codec := range []compress.Compression{compress.Codecs.Zstd, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Lz4Raw, compress.Codecs.Uncompressed} {
		for _, v2 := range []bool{false, true} {
			v := variant{name: fmt.Sprintf("%v/v2=%t", codec, v2), group: 1 << 20, props: []parquet.WriterProperty{parquet.WithCompression(codec), parquet.WithDataPageSize(1000)}}
			if v2 {
				v.props = append(v.props, parquet.WithDataPageVersion(parquet.DataPageV2))
			}
			if i%2 == 1 {
				v.props = append(v.props, parquet.WithDictionaryDefault(false))
				v.arrow = append(v.arrow, pqarrow.WithDeprecatedInt96Timestamps(true))
				v.group = 377
			} else {
				v.props = append(v.props, parquet.WithPageIndexEnabled(true), parquet.WithStoreDecimalAsInteger(true))
			}
			variants = append(variants, v)
		}
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			data := writeArrow(t, rec, v.group, v.arrow, v.props...)
			for _, opts := range []ReaderOptions{{}, {BatchRows: 100, Parallel: 2}, {BatchRows: 637, Prefetch: true}} {
				opts.Fields = fields
				if rows := sameAs(t, data, rec, opts); rows != rec.NumRows() {
					t.Fatalf("%d rows", rows)
				}
			}
		})
	}
}

func TestDeltaAndSplitEncodingsReadBackEqual(t *testing.T) {
	fields := fieldsOf(t, "a INT", "b BIGINT", "c STRING", "d BYTES", "e FLOAT", "f DOUBLE", "g TINYINT", "h TIMESTAMP(0)", "i DECIMAL(9, 2)",
		"j ARRAY<STRING>", "k STRING NOT NULL", "l DECIMAL(38, 10)", "m BINARY(4)", "n BOOLEAN")
	rec := randomBatch(t, fields, 4000, 2)
	defer rec.Release()
	for _, v := range []parquet.DataPageVersion{parquet.DataPageV1, parquet.DataPageV2} {
		props := []parquet.WriterProperty{parquet.WithDictionaryDefault(false), parquet.WithDataPageSize(2000), parquet.WithDataPageVersion(v), parquet.WithCompression(compress.Codecs.Zstd), parquet.WithPageIndexEnabled(true)}
		for col, enc := range map[string]parquet.Encoding{"a": parquet.Encodings.DeltaBinaryPacked, "b": parquet.Encodings.DeltaBinaryPacked, "c": parquet.Encodings.DeltaByteArray,
			"d": parquet.Encodings.DeltaLengthByteArray, "e": parquet.Encodings.ByteStreamSplit, "f": parquet.Encodings.ByteStreamSplit, "g": parquet.Encodings.DeltaBinaryPacked,
			"h": parquet.Encodings.DeltaBinaryPacked, "i": parquet.Encodings.DeltaBinaryPacked, "j.list.element": parquet.Encodings.DeltaLengthByteArray, "k": parquet.Encodings.DeltaByteArray, "n": parquet.Encodings.RLE} {
			props = append(props, parquet.WithEncodingFor(col, enc))
		}
		data := writeArrow(t, rec, 1<<20, nil, append(props, parquet.WithStoreDecimalAsInteger(true))...)
		for _, opts := range []ReaderOptions{{}, {BatchRows: 77}} {
			opts.Fields = fields
			if rows := sameAs(t, data, rec, opts); rows != rec.NumRows() {
				t.Fatalf("%d rows", rows)
			}
			opts.Keep = everyThird()
			sameAs(t, data, rec, opts)
		}
	}
}

// everyThird keeps every third range it is asked about.
func everyThird() func(func(string) (ColumnStats, bool), int64) bool {
	n := -1
	return func(stats func(string) (ColumnStats, bool), _ int64) bool {
		for _, c := range []string{"a", "c", "id"} {
			stats(c)
		}
		n++
		return n%3 == 0
	}
}

// parquetgoRow has tags for encodings that Arrow's writer does not offer.
type parquetgoRow struct {
	ID    int64             `parquet:"id,delta"`
	Text  string            `parquet:"text,optional,delta"` // null when empty
	Dict  *string           `parquet:"dict,optional,dict"`
	Float float32           `parquet:"float,split"`
	Num   *int32            `parquet:"num,optional"`
	List  []string          `parquet:"list,list"`
	Bare  []int32           `parquet:"bare"`
	Map   map[string]int64  `parquet:"map"`
	Row   *parquetgoMembers `parquet:"row,optional"`
}

type parquetgoMembers struct {
	A int32    `parquet:"a,delta"`
	B []string `parquet:"b,list"`
}

func TestFilesOfParquetGoReadBackEqual(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	rows := make([]parquetgoRow, 3000)
	var want []string
	for i := range rows {
		r := &rows[i]
		r.ID = int64(i * i)
		s, n := fmt.Sprint("common prefix ", i/7), int32(i%13)
		if rng.IntN(3) > 0 {
			r.Text, r.Dict, r.Num = s, &[]string{"x", "yy"}[i%2:][0], &n
		}
		r.Float = float32(i) / 8
		for k := range rng.IntN(3) {
			r.List = append(r.List, fmt.Sprint("l", k, i))
			r.Bare = append(r.Bare, int32(k+i))
		}
		r.Map = map[string]int64{"k": int64(i)}
		if i%3 > 0 {
			r.Row = &parquetgoMembers{A: int32(-i), B: r.List}
		}
		want = append(want, r.line())
	}
	fields := fieldsOf(t, "id BIGINT NOT NULL", "text STRING", "dict STRING", "float FLOAT", "num INT", "list ARRAY<STRING>", "bare ARRAY<INT>", "map MAP<STRING, BIGINT>", "row ROW<a INT, b ARRAY<STRING>>")
	for _, opts := range [][]parquetgo.WriterOption{
		{parquetgo.PageBufferSize(500), parquetgo.DataPageVersion(2), parquetgo.Compression(&parquetgo.Zstd)},
		{parquetgo.PageBufferSize(500), parquetgo.DataPageVersion(1), parquetgo.Compression(&parquetgo.Lz4Raw)},
		{parquetgo.DataPageVersion(2), parquetgo.Compression(&parquetgo.Snappy)},
	} {
		var buf bytes.Buffer
		w := parquetgo.NewGenericWriter[parquetgoRow](&buf, opts...)
		for part := range slices.Chunk(rows, 1000) {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := readLines(t, buf.Bytes(), ReaderOptions{Format: "parquet", Fields: fields, BatchRows: 500})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("row %d\n got %s\nwant %s", i, got[i], want[i])
				}
			}
		}
	}
}

func (r *parquetgoRow) line() string {
	opt := func(s *string) string {
		if s == nil {
			return "null"
		}
		return fmt.Sprintf("%q", *s)
	}
	list := func(l []string) string {
		return "[" + strings.Join(mapped(l, func(s string) string { return fmt.Sprintf("%q", s) }), ",") + "]"
	}
	num, row, text := "null", "null", &r.Text
	if r.Text == "" {
		text = nil
	}
	if r.Num != nil {
		num = fmt.Sprint(*r.Num)
	}
	if r.Row != nil {
		row = fmt.Sprintf(`{"a":%d,"b":%s}`, r.Row.A, list(r.Row.B))
	}
	bare := strings.Join(mapped(r.Bare, func(n int32) string { return fmt.Sprint(n) }), ",")
	return fmt.Sprintf(`{"id":%d,"text":%s,"dict":%s,"float":%s,"num":%s,"list":%s,"bare":[%s],"map":[["k",%d]],"row":%s}`,
		r.ID, opt(text), opt(r.Dict), appendMarshal(nil, r.Float), num, list(r.List), bare, r.Map["k"], row)
}

func mapped[T any](in []T, f func(T) string) (out []string) {
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}

func TestInt96KeepsNegativeNanosOfDay(t *testing.T) {
	at := func(day int32, nanos int64) []byte {
		b := make([]byte, 12)
		for i := range 8 {
			b[i] = byte(nanos >> (8 * i))
		}
		for i := range 4 {
			b[8+i] = byte((day + julianEpoch) >> (8 * i))
		}
		return b
	}
	for _, c := range []struct {
		day   int32
		nanos int64
	}{{0, 0}, {0, -1}, {-1, 86399_999999999}, {19000, 1}, {-719162, 5_000_000_007}, {106751, 85636854775807}, {-106751, -766_000_000_000}, {-106752, 763145224192}, {0, -86400_000000001}} {
		total := nanosOf(int64(c.day)*86400, c.nanos)
		for _, unit := range []int64{1, milli, micro, nano} {
			per := nanosOf(0, nano/unit)
			want := nanosOf(0, 0).Div(total, per) // Euclidean: rounds down
			var got [1]int64
			err := int96(got[:], at(c.day, c.nanos), unit)
			if want.IsInt64() != (err == nil) || err == nil && got[0] != want.Int64() {
				t.Errorf("day %d, nanos %d, unit %d: %d, %v, want %s", c.day, c.nanos, unit, got[0], err, want)
			}
		}
	}
	var got [1]int64
	for _, c := range [][2]int64{{106751, 85636854775808}, {-106752, 763145224191}, {200000, 0}, {-200000, 0}, {1<<31 - 1 - julianEpoch, 0}} {
		if err := int96(got[:], at(int32(c[0]), c[1]), nano); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%v: %d, %v", c, got[0], err)
		}
	}
}

func TestTimestampsNeverWrap(t *testing.T) {
	for _, c := range []struct {
		v, from, to int64
		want        int64
		ok          bool
	}{
		{1, milli, nano, 1_000_000, true}, {-1, milli, 1, -1, true}, {-1001, milli, 1, -2, true}, {999, milli, 1, 0, true},
		{1 << 62, milli, nano, 0, false}, {-1 << 63, milli, micro, 0, false}, {9223372036854775, micro, nano, 9223372036854775000, true},
		{-9223372036854775, micro, nano, -9223372036854775000, true}, {9223372036854776, micro, nano, 0, false}, {-9223372036854776, micro, nano, 0, false},
	} {
		v := []int64{c.v}
		err := rescale(v, c.from, c.to)
		if (err == nil) != c.ok || c.ok && v[0] != c.want {
			t.Errorf("%d from %d to %d: %d, %v", c.v, c.from, c.to, v[0], err)
		}
	}
}

func TestDecimalsOfAnyWidth(t *testing.T) {
	for _, c := range []struct {
		in   []byte
		want string
	}{
		{[]byte{0}, "0"}, {[]byte{0xff}, "-1"}, {[]byte{0x7f, 0xff}, "32767"}, {[]byte{0x80, 0}, "-32768"},
		{append(bytes.Repeat([]byte{0xff}, 4), 0xfe), "-2"}, {append(make([]byte, 20), 9), "9"}, {append(bytes.Repeat([]byte{0xff}, 20), 0xf0), "-16"},
	} {
		got, err := bigDecimal(c.in)
		if err != nil || got.ToString(0) != c.want {
			t.Errorf("%x: %s, %v, want %s", c.in, got.ToString(0), err, c.want)
		}
	}
	for _, in := range [][]byte{nil, append([]byte{1}, make([]byte, 16)...), append([]byte{0, 0x80}, make([]byte, 15)...)} {
		if _, err := bigDecimal(in); err == nil {
			t.Errorf("%x was read", in)
		}
	}
}
