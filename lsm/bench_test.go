package lsm

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// Rows of the benchmarks: a key and nine columns, like an order line.
var benchSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "c01", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "c02", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "c03", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "c04", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "c05", Type: &arrow.TimestampType{Unit: arrow.Millisecond}, Nullable: true},
	{Name: "c06", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}, Nullable: true},
	{Name: "c07", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "c08", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "c09", Type: arrow.PrimitiveTypes.Date32, Nullable: true},
}, nil)

// stringKeys is the same with a key of 32 characters.
var stringKeys = func() *arrow.Schema {
	fields := slices.Clone(benchSchema.Fields())
	fields[0].Type = arrow.BinaryTypes.String
	return arrow.NewSchema(fields, nil)
}()

func benchBatch(s *arrow.Schema, rng *rand.Rand, ids []int64) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for _, id := range ids {
		v := rng.Uint64()
		switch k := b.Field(0).(type) {
		case *array.Int64Builder:
			k.Append(id)
		case *array.StringBuilder:
			k.Append(fmt.Sprintf("customer:%023d", id))
		}
		b.Field(1).(*array.Int64Builder).Append(int64(v))
		b.Field(2).(*array.Int32Builder).Append(int32(v >> 32))
		b.Field(3).(*array.Float64Builder).Append(float64(v >> 11))
		b.Field(4).(*array.StringBuilder).Append(fmt.Sprintf("%016x", v))
		b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(1600000000000 + v%100000000000))
		b.Field(6).(*array.Decimal128Builder).Append(decimal128.FromI64(int64(v%10000000000) - 5000000000))
		b.Field(7).(*array.BooleanBuilder).Append(v&1 == 1)
		b.Field(8).(*array.StringBuilder).Append(fmt.Sprintf("cat-%02d", v%100))
		b.Field(9).(*array.Date32Builder).Append(arrow.Date32(18000 + v%3650))
	}
	return b.NewRecordBatch()
}

const (
	flushRows  = 500_000
	inputBatch = 4096
)

func BenchmarkFlush(b *testing.B) {
	for name, s := range map[string]*arrow.Schema{"int64": benchSchema, "string32": stringKeys} {
		rng := rand.New(rand.NewPCG(1, 1))
		var recs []arrow.RecordBatch
		for at := 0; at < flushRows; at += inputBatch {
			ids := make([]int64, min(inputBatch, flushRows-at))
			for i := range ids {
				ids[i] = rng.Int64N(1_000_000)
			}
			recs = append(recs, benchBatch(s, rng, ids))
		}
		run := func(b *testing.B, work func(*Buffer) error) {
			buf, err := NewBuffer(BufferSpec{Schema: s, Key: []string{"id"}})
			if err != nil {
				b.Fatal(err)
			}
			start := cpuTime()
			for b.Loop() {
				for _, r := range recs {
					if err := buf.Add(r, nil, nil); err != nil {
						b.Fatal(err)
					}
				}
				if err := work(buf); err != nil {
					b.Fatal(err)
				}
				buf.Close()
			}
			report(b, flushRows, start)
		}
		b.Run("sort/"+name, func(b *testing.B) {
			run(b, func(buf *Buffer) error { _, _, err := buf.order(); return err })
		})
		b.Run("all/"+name, func(b *testing.B) {
			run(b, func(buf *Buffer) error {
				_, err := buf.Flush(0, func(arrow.RecordBatch) error { return nil })
				return err
			})
		})
	}
}

// benchRuns spreads rows over runs. shape says which run has a key.
func benchRuns(s *arrow.Schema, runs, rows int, keys func(run, i int, rng *rand.Rand) int64) [][]arrow.RecordBatch {
	rng := rand.New(rand.NewPCG(2, 2))
	out := make([][]arrow.RecordBatch, runs)
	stored := arrow.NewSchema(append(slices.Clone(s.Fields()), sequenceField, kindField), nil)
	for r := range out {
		ids := make([]int64, 0, rows)
		for i := range rows {
			if k := keys(r, i, rng); k >= 0 {
				ids = append(ids, k)
			}
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		for at := 0; at < len(ids); at += 8192 {
			n := min(8192, len(ids)-at)
			rec := benchBatch(s, rng, ids[at:at+n])
			seqs, kinds := array.NewInt64Builder(memory.DefaultAllocator), array.NewInt8Builder(memory.DefaultAllocator)
			for range n {
				seqs.Append(int64(r))
				kinds.Append(0)
			}
			cols := append(slices.Clone(rec.Columns()), seqs.NewArray(), kinds.NewArray())
			out[r] = append(out[r], array.NewRecordBatch(stored, cols, int64(n)))
		}
	}
	return out
}

func benchMerge(b *testing.B, s *arrow.Schema, runs [][]arrow.RecordBatch, engine mergeengine.Engine, output []string) {
	rows := 0
	for _, r := range runs {
		for _, rec := range r {
			rows += int(rec.NumRows())
		}
	}
	b.ReportAllocs()
	start := cpuTime()
	for b.Loop() {
		var in []Run
		for i, recs := range runs {
			in = append(in, &sliceRun{recs: recs, rank: i})
		}
		m, err := NewMerge(in, MergeSpec{Schema: s, Key: []string{"id"}, Output: output, Engine: engine, DropDeletes: true})
		if err != nil {
			b.Fatal(err)
		}
		for {
			rec, err := m.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			rec.Release()
		}
		m.Close()
	}
	report(b, rows, start)
}

// report gives the speed by the wall clock and by processor time.
func report(b *testing.B, rows int, start time.Duration) {
	done := float64(b.N) * float64(rows) / 1e6
	b.ReportMetric(done/b.Elapsed().Seconds(), "Mrow/s")
	if cpu := cpuTime() - start; cpu > 0 {
		b.ReportMetric(done/cpu.Seconds(), "Mrow/cpu-s")
	}
}

func BenchmarkMerge(b *testing.B) {
	all := make([]string, 0, 10)
	for _, f := range benchSchema.Fields() {
		all = append(all, f.Name)
	}
	random := func(_, _ int, rng *rand.Rand) int64 { return rng.Int64N(5_000_000) }
	for _, c := range []struct {
		name       string
		runs, rows int
		schema     *arrow.Schema
		keys       func(run, i int, rng *rand.Rand) int64
	}{
		{"random8", 8, 250_000, benchSchema, random},
		{"random10", 10, 500_000, benchSchema, random},
		{"random32", 32, 60_000, benchSchema, random},
		{"random1000", 1000, 2_000, benchSchema, random},
		{"leveled8", 8, 1_000_000, benchSchema, func(run, i int, rng *rand.Rand) int64 {
			if run > 0 && i >= 15_000 {
				return -1
			}
			return rng.Int64N(5_000_000)
		}},
		{"clustered8", 8, 250_000, benchSchema, func(run, i int, _ *rand.Rand) int64 {
			return int64(i/512*8+run)*512 + int64(i%512)
		}},
		{"string8", 8, 250_000, stringKeys, random},
	} {
		b.Run(c.name, func(b *testing.B) {
			runs := benchRuns(c.schema, c.runs, c.rows, c.keys)
			b.Run("10cols", func(b *testing.B) { benchMerge(b, c.schema, runs, nil, all) })
			b.Run("2cols", func(b *testing.B) { benchMerge(b, c.schema, runs, nil, all[:2]) })
		})
	}
}

// BenchmarkEngines merges columns of int64, float64 and string by every
// engine. Keys have up to four versions, and every tenth cell is null.
func BenchmarkEngines(b *testing.B) {
	sc := &schema.Table{PrimaryKeys: []string{"id"}}
	var fields []arrow.Field
	for i, name := range []string{"id", "c01", "c03", "c04"} {
		f := benchSchema.Field(benchSchema.FieldIndices(name)[0])
		typ, err := schema.FromArrow(f.Type, f.Nullable)
		if err != nil {
			b.Fatal(err)
		}
		fields = append(fields, f)
		sc.Fields = append(sc.Fields, schema.Field{ID: i, Name: name, Type: typ})
	}
	s := arrow.NewSchema(fields, nil)
	runs := benchRuns(benchSchema, 4, 250_000, func(_, _ int, rng *rand.Rand) int64 { return rng.Int64N(500_000) })
	for _, run := range runs {
		for i, rec := range run {
			run[i] = withNulls(rec)
		}
	}
	for _, c := range []struct{ name, options string }{
		{"deduplicate", "merge-engine=deduplicate"},
		{"partial-update", "merge-engine=partial-update"},
		{"sequence-group", "merge-engine=partial-update;fields.c01.sequence-group=c03,c04"},
		{"sum-max", "merge-engine=aggregation;fields.c01.aggregate-function=sum;fields.c03.aggregate-function=sum;fields.c04.aggregate-function=max"},
		{"last-non-null", "merge-engine=aggregation"},
	} {
		options := map[string]string{}
		for _, o := range strings.Split(c.options, ";") {
			key, value, _ := strings.Cut(o, "=")
			options[key] = value
		}
		o, err := schema.ParseOptions(options)
		if err != nil {
			b.Fatal(err)
		}
		engine, err := mergeengine.New(sc, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) { benchMerge(b, s, runs, engine, []string{"id", "c01", "c03", "c04"}) })
	}
}

// withNulls is rec with every tenth value of its columns but the key null.
func withNulls(rec arrow.RecordBatch) arrow.RecordBatch {
	cols := slices.Clone(rec.Columns())
	for i := 1; i < 10; i++ {
		bits := make([]byte, rec.NumRows()/8+1)
		nulls := 0
		for row := range int(rec.NumRows()) {
			if (row+i)%10 == 0 {
				nulls++
				continue
			}
			bits[row>>3] |= 1 << (row & 7)
		}
		d := cols[i].Data()
		buffers := slices.Clone(d.Buffers())
		buffers[0] = memory.NewBufferBytes(bits)
		cols[i] = array.MakeFromData(array.NewData(d.DataType(), d.Len(), buffers, nil, nulls, 0))
	}
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows())
}
