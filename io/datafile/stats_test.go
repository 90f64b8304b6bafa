package datafile

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/tidelake/tidelake/schema"
)

func num(n int64) decimal128.Num { return decimal128.FromI64(n) }

func rawLZ4() (compress.Codec, error) { return compress.GetCodec(compress.Codecs.Lz4Raw) }

// statsOf writes one nullable column in batches of JSON and returns its statistics.
func statsOf(t *testing.T, typ schema.Type, dict bool, batches ...string) (ColumnStats, []byte) {
	t.Helper()
	fields := []schema.Field{field(1, "a", opt(typ))}
	var recs []arrow.RecordBatch
	for _, b := range batches {
		arr, _, err := array.FromJSON(memory.DefaultAllocator, arrowOf(typ), strings.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		recs = append(recs, array.NewRecordBatch(arrowSchema(fields), []arrow.Array{arr}, -1))
	}
	data, res := writeAll(t, fields, WriterOptions{Stats: true, Dictionary: func(string) *bool { return &dict }, RowGroupBytes: 1}, recs...)
	return res.Columns[0], data
}

func TestStatisticsAreWhatTheManifestRecords(t *testing.T) {
	const first = "prefix-that-is-much-longer-than-sixteen"
	for _, c := range []struct {
		name   string
		typ    schema.Type
		json   []string
		lo, hi any
		nulls  int64
	}{
		{"bool", scalar(schema.Boolean), []string{`[true, null]`, `[true]`}, true, true, 1},
		{"bool both", scalar(schema.Boolean), []string{`[true]`, `[false]`}, false, true, 0},
		{"tinyint", scalar(schema.TinyInt), []string{`[-128, 5]`, `[127]`}, int8(-128), int8(127), 0},
		{"smallint", scalar(schema.SmallInt), []string{`[3, null, -9]`}, int16(-9), int16(3), 1},
		{"int", scalar(schema.Int), []string{`[3]`, `[null]`, `[-2147483648]`}, int32(math.MinInt32), int32(3), 1},
		{"bigint", scalar(schema.BigInt), []string{`[null, 9, 8]`}, int64(8), int64(9), 1},
		{"float", scalar(schema.Float), []string{`[1.5, -2.5]`}, float32(-2.5), float32(1.5), 0},
		{"double", scalar(schema.Double), []string{`[1.5]`, `[-2.5]`}, -2.5, 1.5, 0},
		{"date", scalar(schema.Date), []string{`["1969-12-31", "1970-01-02"]`}, int32(-1), int32(1), 0},
		{"time", schema.Type{Kind: schema.Time, Precision: 3}, []string{`["00:00:01", "00:00:02.5"]`}, int32(1000), int32(2500), 0},
		{"char", schema.Type{Kind: schema.Char, Length: 3}, []string{`["abc", "ab ", "é  "]`}, "ab ", "é  ", 0},
		{"text", text(), []string{`["` + first + `", "b", null]`, `["", "c"]`}, "", first, 1},
		{"text exact", text(), []string{`["` + first + `"]`}, first, first, 0},
		{"binary", schema.Type{Kind: schema.VarBinary, Length: 9}, []string{`["YQ==", null]`}, nil, nil, 1},
		{"dec9", decimal(9, 2), []string{`["-1.25", "7.00"]`}, num(-125), num(700), 0},
		{"dec18", decimal(18, 0), []string{`["-1", "999999999999999999"]`}, num(-1), num(999999999999999999), 0},
		{"dec38", decimal(38, 0), []string{`["-1", "5"]`, `["-99999999999999999999"]`}, num(-1e18).Mul(num(100)).Add(num(1)), num(5), 0},
		{"ts0", stamp(schema.Timestamp, 0), []string{`["1970-01-01 00:00:01"]`}, schema.TimestampValue{Millis: 1000}, schema.TimestampValue{Millis: 1000}, 0},
		{"ts3", stamp(schema.Timestamp, 3), []string{`["1969-12-31 23:59:59.999"]`}, schema.TimestampValue{Millis: -1}, schema.TimestampValue{Millis: -1}, 0},
		{"ts6", stamp(schema.TimestampLTZ, 6), []string{`["1969-12-31 23:59:59.999999Z", "1970-01-01 00:00:00.001002Z"]`},
			schema.TimestampValue{Millis: -1, Nanos: 999000}, schema.TimestampValue{Millis: 1, Nanos: 2000}, 0},
		{"ts9", stamp(schema.Timestamp, 9), []string{`["1970-01-01 00:00:00.000000001", null]`}, nil, nil, 1},
		{"all null", scalar(schema.Int), []string{`[null, null]`, `[null]`}, nil, nil, 3},
		{"nested", list(opt(scalar(schema.Int))), []string{`[[1], null]`}, nil, nil, -1},
	} {
		if c.name == "dec38" {
			c.lo = num(-1e18).Mul(num(100)).Add(num(1))
		}
		for _, dict := range []bool{false, true} {
			got, _ := statsOf(t, c.typ, dict, c.json...)
			if got != (ColumnStats{Min: c.lo, Max: c.hi, Nulls: c.nulls}) {
				t.Errorf("%s, dictionary %v: %v, want %v %v %d", c.name, dict, got, c.lo, c.hi, c.nulls)
			}
		}
	}
}

func TestNaNIsTheGreatestValueAndHidesParquetBounds(t *testing.T) {
	fields := []schema.Field{field(1, "f", scalar(schema.Float)), field(2, "d", scalar(schema.Double)), field(3, "all", scalar(schema.Double))}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrowSchema(fields))
	for _, v := range []float64{math.NaN(), 2, -3, math.NaN()} {
		b.Field(0).(*array.Float32Builder).Append(float32(v))
		b.Field(1).(*array.Float64Builder).Append(v)
		b.Field(2).(*array.Float64Builder).Append(math.NaN())
	}
	data, res := writeAll(t, fields, WriterOptions{Stats: true}, b.NewRecordBatch())
	if res.Columns[0].Min != float32(-3) || math.Float32bits(res.Columns[0].Max.(float32)) != 0x7fc00000 {
		t.Errorf("float: %v", res.Columns[0])
	}
	if res.Columns[1].Min != -3.0 || math.Float64bits(res.Columns[1].Max.(float64)) != 0x7ff8000000000000 {
		t.Errorf("double: %v", res.Columns[1])
	}
	if lo := res.Columns[2].Min.(float64); lo == lo {
		t.Errorf("all NaN: %v", res.Columns[2])
	}
	for i := range fields {
		c, _ := openArrow(t, data).MetaData().RowGroup(0).ColumnChunk(i)
		if s, err := c.Statistics(); err != nil || s != nil && s.HasMinMax() {
			t.Errorf("column %d has bounds in the footer", i)
		}
		if c.GetColumnIndexLocation() != nil {
			t.Errorf("column %d has a column index", i)
		}
	}
}

func TestZerosKeepTheirSignInTheManifestOnly(t *testing.T) {
	negative := math.Copysign(0, -1)
	for _, c := range []struct{ in, lo, hi []float64 }{
		{in: []float64{0, 0}, lo: []float64{0}, hi: []float64{0}},
		{in: []float64{0, negative}, lo: []float64{negative}, hi: []float64{0}},
		{in: []float64{negative, negative}, lo: []float64{negative}, hi: []float64{negative}},
		{in: []float64{5, negative, 0}, lo: []float64{negative}, hi: []float64{5}},
	} {
		var s span[float64]
		s.add(c.in)
		lo, hi := s.values(scalar(schema.Double))
		if math.Signbit(lo.(float64)) != math.Signbit(c.lo[0]) || math.Signbit(hi.(float64)) != math.Signbit(c.hi[0]) || lo != c.lo[0] || hi != c.hi[0] {
			t.Errorf("%v: %v %v", c.in, lo, hi)
		}
		e := s.encode()
		if c.lo[0] == 0 && !bytes.Equal(e.Min, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}) {
			t.Errorf("%v: footer min %x", c.in, e.Min)
		}
		if c.hi[0] == 0 && !bytes.Equal(e.Max, make([]byte, 8)) {
			t.Errorf("%v: footer max %x", c.in, e.Max)
		}
	}
}

func TestLongBoundsAreCutInTheIndexAndExactInTheManifest(t *testing.T) {
	long := strings.Repeat("z", 5000)
	wide := strings.Repeat("\U0010ffff", 50)
	got, data := statsOf(t, text(), false, `["`+long+`", "a"]`)
	if got.Max != long || got.Min != "a" {
		t.Fatal("not exact")
	}
	c, _ := openArrow(t, data).MetaData().RowGroup(0).ColumnChunk(0)
	if s, _ := c.Statistics(); s != nil && s.HasMinMax() {
		t.Error("long bounds in the footer")
	}
	hi, ok := cutUp([]byte(long), maxIndexBound)
	if !ok || len(hi) != maxIndexBound || string(hi) <= long {
		t.Errorf("cut to %q", hi)
	}
	if _, ok := cutUp([]byte(wide), maxIndexBound); ok {
		t.Error("nothing of that could grow")
	}
	if hi, _ := cutUp([]byte("abc\xff"+wide), 4); string(hi) != "abd" {
		t.Errorf("cut to %q", hi)
	}
}
