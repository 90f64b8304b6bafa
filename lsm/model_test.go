package lsm

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// The model: one row at a time, values boxed, everything sorted and searched
// in the plainest way.

type modelRow struct {
	key, seq []any
	number   int64 // sequence number
	kind     int8
	rank     int
	cells    []string // every value column as text
}

func compareAny(a, b any) int {
	switch x := a.(type) {
	case nil:
		if b == nil {
			return 0
		}
		return -1
	case bool:
		y := b.(bool)
		return cmp.Compare(b2i(x), b2i(y))
	case int64:
		return cmp.Compare(x, b.(int64))
	case float64:
		y := b.(float64)
		switch {
		case math.IsNaN(x) && math.IsNaN(y):
			return 0
		case math.IsNaN(x):
			return 1
		case math.IsNaN(y):
			return -1
		}
		return cmp.Compare(x, y)
	case decimal128.Num:
		return x.Cmp(b.(decimal128.Num))
	case string:
		return cmp.Compare(x, b.(string))
	case []byte:
		return bytes.Compare(x, b.([]byte))
	}
	panic(fmt.Sprintf("%T", a))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compareKeys(a, b []any) int {
	for i := range a {
		if c := compareAny(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareSeq(a, b []any, desc bool) int {
	for i := range a {
		var c int
		switch {
		case a[i] == nil && b[i] == nil:
		case a[i] == nil:
			c = -1
		case b[i] == nil:
			c = 1
		default:
			c = compareAny(a[i], b[i])
			if desc {
				c = -c
			}
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// modelMerge keeps for each key the row that sorts last.
func modelMerge(rows []modelRow, desc bool) []modelRow {
	var out []modelRow
	for _, r := range rows {
		i, found := slices.BinarySearchFunc(out, r, func(x, y modelRow) int { return compareKeys(x.key, y.key) })
		if !found {
			out = slices.Insert(out, i, r)
			continue
		}
		c := compareSeq(out[i].seq, r.seq, desc)
		if c == 0 {
			c = cmp.Compare(out[i].number, r.number)
		}
		if c == 0 {
			c = cmp.Compare(r.rank, out[i].rank)
		}
		if c < 0 {
			out[i] = r
		}
	}
	return out
}

// world is a random table with a generator of its rows.
type world struct {
	rng      *rand.Rand
	mem      memory.Allocator
	schema   *arrow.Schema
	key, seq []string
	desc     bool
	domain   int // how many different values of a cell there are, about
}

var keyTypes = []arrow.DataType{
	arrow.FixedWidthTypes.Boolean, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16,
	arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	&arrow.Decimal128Type{Precision: 12, Scale: 2}, &arrow.Decimal128Type{Precision: 30, Scale: 3},
	arrow.PrimitiveTypes.Date32, arrow.FixedWidthTypes.Time32ms, arrow.FixedWidthTypes.Timestamp_us,
	arrow.BinaryTypes.String, arrow.BinaryTypes.String, arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
}

var nestedTypes = []arrow.DataType{
	arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Int32, Nullable: true}),
	arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.BinaryTypes.String, Nullable: true}),
	arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		arrow.Field{Name: "b", Type: arrow.BinaryTypes.String, Nullable: true}),
	arrow.MapOf(arrow.BinaryTypes.String, arrow.FixedWidthTypes.Boolean),
	arrow.ListOfField(arrow.Field{Name: "element", Nullable: true, Type: arrow.StructOf(
		arrow.Field{Name: "x", Nullable: true, Type: arrow.ListOfField(
			arrow.Field{Name: "element", Type: arrow.PrimitiveTypes.Int8, Nullable: true})})}),
}

func newWorld(seed uint64, mem memory.Allocator) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 7)), mem: mem}
	w.desc = w.rng.IntN(2) == 0
	w.domain = []int{3, 30, 1000, 1 << 40}[w.rng.IntN(4)]
	var fields []arrow.Field
	add := func(t arrow.DataType, nullable bool) string {
		name := fmt.Sprintf("c%d", len(fields))
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: nullable})
		return name
	}
	anyOf := func(ts []arrow.DataType) arrow.DataType { return ts[w.rng.IntN(len(ts))] }
	for range 1 + w.rng.IntN(3) {
		w.key = append(w.key, add(anyOf(keyTypes), false))
	}
	for range w.rng.IntN(3) {
		w.seq = append(w.seq, add(anyOf(keyTypes), true))
	}
	for range w.rng.IntN(4) {
		add(anyOf(keyTypes), true)
	}
	for range w.rng.IntN(3) {
		add(anyOf(nestedTypes), true)
	}
	w.schema = arrow.NewSchema(fields, nil)
	return w
}

// batch makes n random rows as a slice of a larger batch, and their boxed values.
func (w *world) batch(n int) (arrow.RecordBatch, [][]any) {
	lead := w.rng.IntN(3) * 5
	b := array.NewRecordBuilder(w.mem, w.schema)
	defer b.Release()
	nulls := []int{0, 0, 2, 10}[w.rng.IntN(4)]
	var rows [][]any
	for range lead + n {
		var row []any
		for i, f := range w.schema.Fields() {
			row = append(row, w.cell(b.Field(i), f.Nullable, nulls))
		}
		rows = append(rows, row)
	}
	whole := b.NewRecordBatch()
	defer whole.Release()
	return whole.NewSlice(int64(lead), int64(lead+n)), rows[lead:]
}

func (w *world) number() int64 {
	n := int64(w.rng.Uint64() % uint64(w.domain))
	if w.rng.IntN(3) == 0 {
		n = -n
	}
	return n
}

func (w *world) text() []byte {
	prefixes := []string{"", "", "user:0000000", "a", "a\x00", "\x00", "\xff\xff", "0123456789abcdef"}
	s := prefixes[w.rng.IntN(len(prefixes))]
	if w.domain > 30 {
		s = prefixes[2]
	}
	switch w.rng.IntN(3) {
	case 0:
		s += fmt.Sprint(w.number())
	case 1:
		s += string(make([]byte, w.rng.IntN(9)))
	}
	return []byte(s)
}

// cell appends a random value and returns it boxed; nested ones as nil.
func (w *world) cell(b array.Builder, nullable bool, nulls int) any {
	if nullable && nulls > 0 && w.rng.IntN(nulls) == 0 {
		b.AppendNull()
		return nil
	}
	n := w.number()
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(n&1 == 0)
		return n&1 == 0
	case *array.Int8Builder:
		b.Append(int8(n))
		return int64(int8(n))
	case *array.Int16Builder:
		b.Append(int16(n))
		return int64(int16(n))
	case *array.Int32Builder:
		b.Append(int32(n))
		return int64(int32(n))
	case *array.Date32Builder:
		b.Append(arrow.Date32(n))
		return int64(int32(n))
	case *array.Time32Builder:
		b.Append(arrow.Time32(n))
		return int64(int32(n))
	case *array.Int64Builder:
		b.Append(n)
		return n
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(n))
		return n
	case *array.Float32Builder:
		f := float32(w.float(n))
		b.Append(f)
		return float64(f)
	case *array.Float64Builder:
		f := w.float(n)
		b.Append(f)
		return f
	case *array.Decimal128Builder:
		v := decimal128.FromI64(n)
		if b.Type().(*arrow.Decimal128Type).Precision > 18 && w.rng.IntN(2) == 0 {
			v = v.Mul(decimal128.FromI64(1 << 50))
		}
		b.Append(v)
		return v
	case *array.StringBuilder:
		s := w.text()
		b.BinaryBuilder.Append(s)
		return s
	case *array.BinaryBuilder:
		s := w.text()
		b.Append(s)
		return s
	}
	w.nested(b)
	return nil
}

func (w *world) float(n int64) float64 {
	switch w.rng.IntN(8) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(int(n&1)*2 - 1)
	case 2:
		return math.Copysign(0, -1)
	}
	return float64(n) / 2
}

func (w *world) nested(b array.Builder) {
	switch b := b.(type) {
	case *array.ListBuilder:
		b.Append(true)
		for range w.rng.IntN(4) {
			w.cell(b.ValueBuilder(), true, 5)
		}
	case *array.MapBuilder:
		b.Append(true)
		for range w.rng.IntN(4) {
			w.cell(b.KeyBuilder(), false, 0)
			w.cell(b.ItemBuilder(), true, 5)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			w.cell(b.FieldBuilder(i), true, 5)
		}
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// row is the model's view of row i of a batch.
func (w *world) row(rec arrow.RecordBatch, values [][]any, i int, kind int8, number int64) modelRow {
	r := modelRow{kind: kind, number: number, cells: cellTexts(rec, 0, i)}
	for _, k := range w.key {
		r.key = append(r.key, values[i][w.schema.FieldIndices(k)[0]])
	}
	for _, k := range w.seq {
		r.seq = append(r.seq, values[i][w.schema.FieldIndices(k)[0]])
	}
	return r
}

func cellTexts(rec arrow.RecordBatch, from, row int) []string {
	var out []string
	for _, c := range rec.Columns()[from:] {
		out = append(out, c.ValueStr(row))
	}
	return out
}

func (w *world) bufferSpec() BufferSpec {
	return BufferSpec{Schema: w.schema, Key: w.key, Sequence: w.seq, SequenceDescending: w.desc,
		BatchRows: []int{0, 7, 100}[w.rng.IntN(3)], OmitKeys: w.rng.IntN(2) == 0, Parallel: w.rng.IntN(4), Alloc: w.mem}
}

// fill adds random rows to b and returns them as the model sees them.
func (w *world) fill(t testing.TB, b *Buffer, firstSeq int64) (rows []modelRow) {
	t.Helper()
	for range w.rng.IntN(6) {
		n := []int{0, 1, 10, 100, 500}[w.rng.IntN(5)]
		rec, values := w.batch(n)
		var kinds []int8
		if w.rng.IntN(3) > 0 {
			kinds = make([]int8, n)
			for i := range kinds {
				kinds[i] = int8(w.rng.IntN(4))
			}
		}
		var picked []int32
		if w.rng.IntN(2) == 0 {
			picked = []int32{}
			for i := range n {
				if w.rng.IntN(3) == 0 {
					picked = append(picked, int32(i))
				}
			}
		}
		if err := b.Add(rec, kinds, picked); err != nil {
			t.Fatal(err)
		}
		each := picked
		if picked == nil {
			for i := range n {
				each = append(each, int32(i))
			}
		}
		for _, i := range each {
			kind := int8(0)
			if kinds != nil {
				kind = kinds[i]
			}
			rows = append(rows, w.row(rec, values, int(i), kind, firstSeq+int64(len(rows))))
		}
		rec.Release()
	}
	return rows
}

// checkStored compares stored rows with the model's.
func (w *world) checkStored(t testing.TB, recs []arrow.RecordBatch, want []modelRow) {
	t.Helper()
	at := 0
	for _, rec := range recs {
		seqAt := rec.Schema().FieldIndices(sequenceField.Name)[0]
		seqs := rec.Column(seqAt).(*array.Int64)
		kinds := rec.Column(seqAt + 1).(*array.Int8)
		for i := range int(rec.NumRows()) {
			if at >= len(want) {
				t.Fatalf("more than the %d rows of the model", len(want))
			}
			m := want[at]
			at++
			if got := cellTexts(rec, seqAt+2, i); !slices.Equal(got, m.cells) || seqs.Value(i) != m.number || kinds.Value(i) != m.kind {
				t.Fatalf("row %d: got %v #%d kind %d, model has %v #%d kind %d", at-1, got, seqs.Value(i), kinds.Value(i), m.cells, m.number, m.kind)
			}
			for k := range seqAt {
				name := rec.ColumnName(k)[len("_KEY_"):]
				if rec.Column(k) != rec.Column(seqAt+2+w.schema.FieldIndices(name)[0]) {
					t.Fatalf("column %s was gathered twice", name)
				}
			}
		}
	}
	if at != len(want) {
		t.Fatalf("%d rows, model has %d", at, len(want))
	}
}

// sliceRun hands out batches that are already there.
type sliceRun struct {
	name   string
	recs   []arrow.RecordBatch
	ranks  []int
	at     int
	rank   int
	fail   error // instead of io.EOF
	closed int
}

func (r *sliceRun) Name() string { return r.name }
func (r *sliceRun) Rank() int    { return r.rank }

func (r *sliceRun) Next() (arrow.RecordBatch, error) {
	if r.at == len(r.recs) {
		if r.fail != nil {
			return nil, r.fail
		}
		return nil, io.EOF
	}
	if r.ranks != nil {
		r.rank = r.ranks[r.at]
	}
	rec := r.recs[r.at]
	rec.Retain()
	r.at++
	return rec, nil
}

func (r *sliceRun) Close() error {
	r.closed++
	return nil
}

func (r *sliceRun) release() {
	for _, rec := range r.recs {
		rec.Release()
	}
}

func collect(t testing.TB, m *Merge) (out []arrow.RecordBatch) {
	t.Helper()
	for {
		rec, err := m.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec)
	}
}

func releaseAll(recs []arrow.RecordBatch) {
	for _, r := range recs {
		r.Release()
	}
}

// batches are what is left of a merge.
func batches(m *Merge) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for {
			rec, err := m.Next()
			if err == io.EOF || !yield(rec, err) || err != nil {
				return
			}
		}
	}
}
