package datafile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/schema"
)

func opt(t schema.Type) schema.Type { t.Nullable = true; return t }

func scalar(k schema.Kind) schema.Type { return schema.Type{Kind: k} }

func text() schema.Type { return schema.Type{Kind: schema.VarChar, Length: schema.MaxLength} }

func decimal(p, s int) schema.Type { return schema.Type{Kind: schema.Decimal, Precision: p, Scale: s} }

func stamp(k schema.Kind, p int) schema.Type { return schema.Type{Kind: k, Precision: p} }

func list(e schema.Type) schema.Type { return schema.Type{Kind: schema.Array, Elem: &e} }

func mapOf(k, v schema.Type) schema.Type { return schema.Type{Kind: schema.Map, Key: &k, Elem: &v} }

func multiset(e schema.Type) schema.Type { return schema.Type{Kind: schema.Multiset, Elem: &e} }

func row(fields ...schema.Field) schema.Type { return schema.Type{Kind: schema.Row, Fields: fields} }

func field(id int, name string, t schema.Type) schema.Field {
	return schema.Field{ID: id, Name: name, Type: t}
}

// javaTypes are the columns of testdata/java_types.parquet.
func javaTypes() []schema.Field {
	types := []struct {
		name string
		t    schema.Type
	}{
		{"id", scalar(schema.Int)}, {"f_bool", scalar(schema.Boolean)}, {"f_tiny", scalar(schema.TinyInt)},
		{"f_small", scalar(schema.SmallInt)}, {"f_int", scalar(schema.Int)}, {"f_big", scalar(schema.BigInt)},
		{"f_float", scalar(schema.Float)}, {"f_double", scalar(schema.Double)}, {"f_dec9", decimal(9, 2)},
		{"f_dec18", decimal(18, 4)}, {"f_dec38", decimal(38, 10)}, {"f_char", schema.Type{Kind: schema.Char, Length: 5}},
		{"f_varchar", schema.Type{Kind: schema.VarChar, Length: 20}}, {"f_string", text()},
		{"f_bin", schema.Type{Kind: schema.Binary, Length: 4}}, {"f_varbin", schema.Type{Kind: schema.VarBinary, Length: 10}},
		{"f_bytes", schema.Type{Kind: schema.VarBinary, Length: schema.MaxLength}}, {"f_date", scalar(schema.Date)},
		{"f_time", schema.Type{Kind: schema.Time, Precision: 3}},
	}
	for p := range 10 {
		types = append(types, struct {
			name string
			t    schema.Type
		}{fmt.Sprintf("f_ts%d", p), stamp(schema.Timestamp, p)})
	}
	for _, p := range []int{0, 3, 6, 9} {
		types = append(types, struct {
			name string
			t    schema.Type
		}{fmt.Sprintf("f_ltz%d", p), stamp(schema.TimestampLTZ, p)})
	}
	fields := make([]schema.Field, len(types))
	for i, t := range types {
		fields[i] = field(i, t.name, opt(t.t))
	}
	return fields
}

// javaNested are the columns of testdata/java_nested.parquet.
func javaNested() []schema.Field {
	deep := row(field(10, "k", opt(text())), field(11, "m", opt(mapOf(text(), opt(list(opt(scalar(schema.Double))))))))
	rr := row(field(16, "x", opt(row(field(15, "y", opt(row(
		field(13, "z", opt(scalar(schema.BigInt))), field(14, "w", opt(scalar(schema.Date))))))))))
	fields := []schema.Field{
		field(schema.KeyFieldIDBase, "_KEY_id", scalar(schema.Int)),
		field(schema.SequenceFieldID, schema.SequenceName, scalar(schema.BigInt)),
		field(schema.ValueKindFieldID, schema.ValueKindName, scalar(schema.TinyInt)),
		field(0, "id", scalar(schema.Int)),
	}
	for _, f := range []schema.Field{
		field(1, "f_arr", list(opt(scalar(schema.Int)))),
		field(2, "f_arrs", list(opt(text()))),
		field(3, "f_map", mapOf(text(), opt(scalar(schema.BigInt)))),
		field(4, "f_mapi", mapOf(scalar(schema.Int), opt(decimal(9, 2)))),
		field(5, "f_row", row(field(6, "a", opt(scalar(schema.Int))), field(7, "b", opt(text())),
			field(8, "c", opt(stamp(schema.Timestamp, 3))))),
		field(9, "f_deep", list(opt(deep))),
		field(12, "f_rr", rr),
		field(17, "f_arrarr", list(opt(list(opt(scalar(schema.Int)))))),
		field(18, "f_multi", multiset(opt(text()))),
		field(19, "f_arrdec", list(opt(decimal(38, 10)))),
		field(20, "f_arrts", list(opt(stamp(schema.Timestamp, 9)))),
		field(21, "f_arrbin", list(opt(schema.Type{Kind: schema.VarBinary, Length: schema.MaxLength}))),
		field(22, "f_nn", list(scalar(schema.Int))),
	} {
		f.Type = opt(f.Type)
		fields = append(fields, f)
	}
	return fields
}

// arrowOf is the canonical Arrow type, spelled out once more for the tests.
func arrowOf(t schema.Type) arrow.DataType {
	switch t.Kind {
	case schema.Array:
		return arrow.ListOfField(arrow.Field{Name: "element", Type: arrowOf(*t.Elem), Nullable: t.Elem.Nullable})
	case schema.Map, schema.Multiset:
		kv := childTypes(t)
		m := arrow.MapOf(arrowOf(kv[0]), arrowOf(kv[1]))
		m.SetItemNullable(kv[1].Nullable)
		return m
	case schema.Row:
		fields := make([]arrow.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = arrow.Field{Name: f.Name, Type: arrowOf(f.Type), Nullable: f.Type.Nullable}
		}
		return arrow.StructOf(fields...)
	}
	return scalarArrow(t)
}

func arrowSchema(fields []schema.Field) *arrow.Schema {
	all := make([]arrow.Field, len(fields))
	for i, f := range fields {
		all[i] = arrow.Field{Name: f.Name, Type: arrowOf(f.Type), Nullable: f.Type.Nullable}
	}
	return arrow.NewSchema(all, nil)
}

// gen makes random values; distinct bounds how many different ones there are
// of a type, 0 for no bound.
type gen struct {
	*rand.Rand
	nulls    float64
	distinct int
}

func newGen(seed uint64, nulls float64, distinct int) *gen {
	return &gen{rand.New(rand.NewPCG(seed, 7)), nulls, distinct}
}

func (g *gen) num() int64 {
	if g.distinct > 0 {
		return int64(g.IntN(g.distinct)) * 0x1234567
	}
	return int64(g.Uint64())
}

func (g *gen) batch(mem memory.Allocator, fields []schema.Field, rows int) arrow.RecordBatch {
	b := array.NewRecordBuilder(mem, arrowSchema(fields))
	defer b.Release()
	for i, f := range fields {
		for range rows {
			g.append(b.Field(i), f.Type)
		}
	}
	return b.NewRecordBatch()
}

func (g *gen) append(b array.Builder, t schema.Type) {
	if t.Nullable && g.Float64() < g.nulls {
		b.AppendNull()
		return
	}
	n := g.num()
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(n&0x10 == 0)
	case *array.Int8Builder:
		b.Append(int8(n))
	case *array.Int16Builder:
		b.Append(int16(n))
	case *array.Int32Builder:
		b.Append(int32(n))
	case *array.Int64Builder:
		b.Append(n)
	case *array.Float32Builder:
		b.Append(float32(n) / 3)
	case *array.Float64Builder:
		b.Append(float64(n) / 3)
	case *array.Date32Builder:
		b.Append(arrow.Date32(int32(n) / 4096))
	case *array.Time32Builder:
		b.Append(arrow.Time32(uint64(n) % 86400000))
	case *array.TimestampBuilder:
		if t.Precision == 0 {
			n /= 1 << 24
		}
		b.Append(arrow.Timestamp(n / 4))
	case *array.Decimal128Builder:
		v := decimal128.FromI64(n)
		if t.Precision <= 18 {
			limit := int64(math.Pow10(t.Precision))
			v = decimal128.FromI64(n % limit)
		} else if t.Precision > 30 {
			v = v.Mul(decimal128.FromI64(g.num() % 1e9))
		} else {
			v = decimal128.FromI64(n % 1e18)
		}
		b.Append(v)
	case *array.StringBuilder:
		b.Append(fmt.Sprintf("%x", n)[:1+g.IntN(1+len(fmt.Sprintf("%x", n))-1)] + []string{"", "é", "中😀"}[uint64(n)%3])
	case *array.BinaryBuilder:
		b.Append([]byte(fmt.Sprint(n))[:g.IntN(len(fmt.Sprint(n)))])
	case *array.ListBuilder:
		b.Append(true)
		for range g.IntN(5) {
			g.append(b.ValueBuilder(), *t.Elem)
		}
	case *array.MapBuilder:
		b.Append(true)
		kv := childTypes(t)
		for range g.IntN(4) {
			g.append(b.KeyBuilder(), kv[0])
			g.append(b.ItemBuilder(), kv[1])
		}
	case *array.StructBuilder:
		b.Append(true)
		for i, f := range t.Fields {
			g.append(b.FieldBuilder(i), f.Type)
		}
	default:
		panic(fmt.Sprintf("no values for %T", b))
	}
}

// splitmix is number i of a stream of random numbers.
func splitmix(seed, i uint64) uint64 {
	z := seed + (i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func checked(t testing.TB) *memory.CheckedAllocator {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}
