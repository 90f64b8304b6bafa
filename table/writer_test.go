package table_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

func isClass(err, class error) bool { return errors.Is(err, class) }

func TestNotNullIsNamedByRowAndColumn(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: BIGINT NOT NULL}, {name: s, type: STRING NOT NULL},
  {name: l, type: ARRAY<INT NOT NULL>}, {name: r, type: "ROW<a INT NOT NULL, b ARRAY<ROW<c INT NOT NULL>>>"}, {name: m, type: "MAP<STRING, INT NOT NULL>"}]
options: {bucket: -1}`)
	for _, c := range []struct{ row, column, place string }{
		{`{"k":1}`, `"s"`, "null"},
		{`{"s":"x"}`, `"k"`, "null"},
		{`{"k":1,"s":"x","l":[1,null]}`, `"l"`, "an element"},
		{`{"k":1,"s":"x","r":{"b":[]}}`, `"r"`, `member "a"`},
		{`{"k":1,"s":"x","r":{"a":1,"b":[null,{"c":null}]}}`, `"r"`, `member "b": an element: member "c"`},
		{`{"k":1,"s":"x","m":[["a",1],["b",null]]}`, `"m"`, "a map value"},
	} {
		w := newWriter(t, tab, "")
		commit(t, w, tab, `{"k":1,"s":"x","r":null,"l":null}`, `{"k":2,"s":"y","l":[],"r":{"a":1,"b":null},"m":[]}`)
		failsWith(t, write(t, w, tab, `{"k":1,"s":"x","r":null}`, c.row), table.ErrInvalid, "row 3", c.column, c.place)
		failsWith(t, write(t, w, tab, `{"k":1,"s":"x"}`), table.ErrInvalid, "an earlier call failed")
		_, err := w.Prepare(ctx, 9)
		failsWith(t, err, table.ErrInvalid, "an earlier call failed")
	}
	sound(t, tab)
}

func TestDefaultsFillNullsAlsoOfNotNullColumns(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: BIGINT NOT NULL}, {name: n, type: INT NOT NULL, default: "7"}, {name: s, type: STRING, default: hi}, {name: d, type: "DECIMAL(5,2)", default: "1.5"}]
primary-key: [k]
options: {bucket: 2}`)
	w := newWriter(t, tab, "")
	commit(t, w, tab, `{"k":1}`, `{"k":2,"n":1,"s":"x","d":"2.25"}`, `{"k":3,"s":null}`)
	if err := w.Put(ctx, table.Row{"k": 4, "n": 2}); err != nil {
		t.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":1,"n":7,"s":"hi","d":"1.50"}`, `{"k":2,"n":1,"s":"x","d":"2.25"}`,
		`{"k":3,"n":7,"s":"hi","d":"1.50"}`, `{"k":4,"n":2,"s":"hi","d":"1.50"}`)
	sound(t, tab)
}

func TestNaNInKeyOrSequenceIsRefused(t *testing.T) {
	const yaml = `
columns: [{name: k, type: DOUBLE NOT NULL}, {name: ts, type: FLOAT}, {name: v, type: DOUBLE}]
primary-key: [k]
options: {bucket: 4, sequence.field: ts}`
	tab := create(t, store.NewMem(), yaml)
	w := newWriter(t, tab, "")
	failsWith(t, write(t, w, tab, `{"k":1,"ts":1}`, `{"k":"NaN","ts":1}`), table.ErrInvalid, "row 1", `"k"`, "NaN")
	w = newWriter(t, tab, "")
	failsWith(t, write(t, w, tab, `{"k":1,"ts":"NaN"}`), table.ErrInvalid, "row 0", `"ts"`, "NaN")
	w = newWriter(t, tab, "")
	commit(t, w, tab, `{"k":1,"ts":1,"v":"NaN"}`)
	expect(t, tab, table.ScanOptions{}, `{"k":1,"ts":1,"v":"NaN"}`)
}

// Minus zero equals zero: it must land in the same bucket and be the same key.
func TestMinusZeroIsTheKeyZero(t *testing.T) {
	for _, typ := range []string{"DOUBLE", "FLOAT"} {
		tab := create(t, store.NewMem(), fmt.Sprintf(`
columns: [{name: k, type: %s NOT NULL}, {name: v, type: INT}]
primary-key: [k]
options: {bucket: 16}`, typ))
		load(t, tab, `{"k":-0.0,"v":1}`, `{"k":1,"v":1}`, `{"k":0.0,"v":2}`)
		load(t, tab, `{"k":0.0,"v":3}`)
		load(t, tab, `{"k":-0.0,"v":4}`)
		expect(t, tab, table.ScanOptions{}, `{"k":0,"v":4}`, `{"k":1,"v":1}`)
		expect(t, tab, table.ScanOptions{Where: "k = 0"}, `{"k":0,"v":4}`)
		sound(t, tab)
	}
}

func TestKindsComeFromColumnArgumentOrField(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	sc := arrow.NewSchema([]arrow.Field{{Name: "_VALUE_KIND", Type: arrow.PrimitiveTypes.Int8}, {Name: "k", Type: arrow.PrimitiveTypes.Int64}}, nil)
	send := func(kinds []int8, keys []int64, given []int8) error {
		b := array.NewRecordBuilder(memory.DefaultAllocator, sc)
		defer b.Release()
		b.Field(0).(*array.Int8Builder).AppendValues(kinds, nil)
		b.Field(1).(*array.Int64Builder).AppendValues(keys, nil)
		rec := b.NewRecordBatch()
		defer rec.Release()
		w, err := tab.NewWriter(ctx, table.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		if err := w.WriteKinds(ctx, rec, given); err != nil {
			return err
		}
		return w.CommitNext(ctx)
	}
	if err := send([]int8{0, 0, 2, 0, 3}, []int64{1, 2, 3, 4, 2}, nil); err != nil {
		t.Fatal(err)
	}
	if err := send([]int8{1, 3, 2}, []int64{1, 3, 5}, []int8{1, 3, 2}); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{Columns: []string{"k"}}, `{"k":4}`, `{"k":5}`)
	failsWith(t, send([]int8{0, 4}, []int64{1, 2}, nil), table.ErrInvalid, "row 1", "_VALUE_KIND")
	failsWith(t, send([]int8{0, 0}, []int64{1, 2}, []int8{0, 3}), table.ErrInvalid, "row 1", "-D", "+I")
	failsWith(t, send([]int8{0, 0}, []int64{1, 2}, []int8{0}), table.ErrInvalid, "1 row kinds for 2 rows")
	failsWith(t, send([]int8{0, 0}, []int64{1, 2}, []int8{0, 9}), table.ErrInvalid, "row 1")
	sound(t, tab)
}

func TestRowKindFieldDecides(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: INT NOT NULL}, {name: op, type: STRING}]
primary-key: [k]
options: {bucket: 1, rowkind.field: op}`)
	w := newWriter(t, tab, "")
	commit(t, w, tab, `{"k":1,"op":"+I"}`, `{"k":2,"op":"+I"}`, `{"k":3,"op":"+U"}`, `{"k":2,"op":"-D"}`)
	if err := w.Put(ctx, table.Row{"k": 1, "op": "-D"}); err != nil {
		t.Fatal(err)
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":3,"op":"+U"}`)
	failsWith(t, write(t, newWriter(t, tab, ""), tab, `{"k":1,"op":"+I"}`, `{"k":1}`), table.ErrInvalid, "row 1", `"op"`, "null")
	failsWith(t, write(t, newWriter(t, tab, ""), tab, `{"k":1,"op":"?"}`), table.ErrInvalid, "row 0", `"op"`)
	w = newWriter(t, tab, "")
	if err := w.Delete(ctx, table.Row{"k": 3, "op": "+I"}); err != nil {
		t.Fatal(err)
	}
	failsWith(t, w.CommitNext(ctx), table.ErrInvalid, "row 0", "given as -D", "+I")
}

func TestIgnoredKindsNeverReachAFile(t *testing.T) {
	rows := []string{`{"_kind":"+I","k":1,"v":"a"}`, `{"_kind":"-U","k":1,"v":"a"}`, `{"_kind":"+U","k":1,"v":"b"}`, `{"_kind":"+I","k":2,"v":"c"}`, `{"_kind":"-D","k":2,"v":"c"}`, `{"_kind":"+I","k":3,"v":"x"}`, `{"_kind":"-U","k":3,"v":"x"}`}
	for option, want := range map[string][]string{
		"ignore-delete=true":        {`{"k":1,"v":"b"}`, `{"k":2,"v":"c"}`, `{"k":3,"v":"x"}`},
		"ignore-update-before=true": {`{"k":1,"v":"b"}`, `{"k":3,"v":"x"}`},
		"comment.x=none":            {`{"k":1,"v":"b"}`},
	} {
		tab := create(t, store.NewMem(), keyed, option)
		load(t, tab, rows...)
		expect(t, tab, table.ScanOptions{}, want...)
		sound(t, tab)
	}
	tab := create(t, store.NewMem(), keyed, "ignore-delete=true")
	load(t, tab, rows[4])
	if s, err := tab.Snapshots().Latest(ctx); err != nil || s != nil {
		t.Errorf("a commit of ignored rows alone made snapshot %v, %v", s, err)
	}
}

func TestAppendTablesTakeOnlyInserts(t *testing.T) {
	for _, bucket := range []string{"bucket=-1", "bucket=2"} {
		tab := create(t, store.NewMem(), `
columns: [{name: k, type: INT}, {name: v, type: INT}]
options: {bucket-key: k, bucket: 2}`, map[string]string{"bucket=-1": "bucket-key=", "bucket=2": "bucket-key=k"}[bucket], bucket)
		load(t, tab, `{"k":1,"v":1}`, `{"k":1,"v":1}`)
		w := newWriter(t, tab, "")
		failsWith(t, write(t, w, tab, `{"k":1}`, `{"_kind":"+U","k":2}`), table.ErrInvalid, "row 1", "+U", "only +I")
		expect(t, tab, table.ScanOptions{}, `{"k":1,"v":1}`, `{"k":1,"v":1}`)
		sound(t, tab)
	}
}

// column builds one array.
func column[B array.Builder](t arrow.DataType, fill func(b B)) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	fill(b.(B))
	return b.NewArray()
}

// writeColumns writes one batch of the given columns, releasing them.
func writeColumns(t *testing.T, tab *table.Table, names []string, cols ...arrow.Array) error {
	t.Helper()
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: names[i], Type: c.DataType(), Nullable: true}
		defer c.Release()
	}
	rec := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(cols[0].Len()))
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = w.Write(ctx, rec)
	rec.Release()
	if err != nil {
		return err
	}
	return w.CommitNext(ctx)
}

func TestOtherArrowLayoutsAreAccepted(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: a, type: STRING}, {name: b, type: STRING}, {name: c, type: STRING}, {name: d, type: BIGINT}, {name: e, type: "ARRAY<INT>"}, {name: f, type: VARBINARY(9)}]
options: {bucket: -1}`)
	item := arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Int8, Nullable: true})
	dict := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	err := writeColumns(t, tab, []string{"a", "b", "c", "d", "e", "f"},
		column(arrow.BinaryTypes.LargeString, func(b *array.LargeStringBuilder) { b.Append("large"); b.AppendNull() }),
		column(arrow.BinaryTypes.StringView, func(b *array.StringViewBuilder) { b.Append("a view of more than twelve bytes"); b.Append("") }),
		column(dict, func(b *array.BinaryDictionaryBuilder) { _ = b.AppendString("code"); b.AppendNull() }),
		column(arrow.PrimitiveTypes.Int16, func(b *array.Int16Builder) { b.Append(-3); b.Append(4) }),
		column(item, func(b *array.ListBuilder) {
			b.Append(true)
			b.ValueBuilder().(*array.Int8Builder).Append(5)
			b.ValueBuilder().AppendNull()
			b.AppendNull()
		}),
		column(arrow.BinaryTypes.BinaryView, func(b *array.BinaryViewBuilder) { b.Append([]byte{1}); b.AppendNull() }),
	)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"a":"large","b":"a view of more than twelve bytes","c":"code","d":-3,"e":[5,null],"f":"01"}`,
		`{"a":null,"b":"","c":null,"d":4,"e":null,"f":null}`)
}

func TestWrongColumnsAreRefusedByName(t *testing.T) {
	tab := create(t, store.NewMem(), `
columns: [{name: k, type: INT}, {name: d, type: "DECIMAL(3,1)"}, {name: s, type: STRING}]
options: {bucket: -1}`)
	ints := func(v ...int64) arrow.Array {
		return column(arrow.PrimitiveTypes.Int64, func(b *array.Int64Builder) { b.AppendValues(v, nil) })
	}
	text := column(arrow.BinaryTypes.String, func(b *array.StringBuilder) { b.Append("x") })
	failsWith(t, writeColumns(t, tab, []string{"k"}, text), table.ErrInvalid, `"k"`, "utf8")
	failsWith(t, writeColumns(t, tab, []string{"nope"}, ints(1)), table.ErrInvalid, `"nope"`)
	failsWith(t, writeColumns(t, tab, []string{"k", "k"}, ints(1), ints(1)), table.ErrInvalid, `"k" twice`)
	failsWith(t, writeColumns(t, tab, []string{"k"}, ints(1, 1<<40)), table.ErrInvalid, `"k"`, "row 1")
	failsWith(t, writeColumns(t, tab, []string{"s"}, ints(1)), table.ErrInvalid, `"s"`)
	wide := column(&arrow.Decimal128Type{Precision: 10, Scale: 1}, func(b *array.Decimal128Builder) {
		b.Append(decimal128.FromI64(999))
		b.Append(decimal128.FromI64(1000))
	})
	failsWith(t, writeColumns(t, tab, []string{"d"}, wide), table.ErrInvalid, `"d"`, "row 1")
	lying := column(&arrow.Decimal128Type{Precision: 3, Scale: 1}, func(b *array.Decimal128Builder) { b.Append(decimal128.FromI64(1000)) })
	failsWith(t, writeColumns(t, tab, []string{"d"}, lying), table.ErrInvalid, `"d"`, "row 0", "100.0")
}

// The caller may release a batch at once; its rows are still the writer's.
func TestReleasedBatchesStayWithTheWriter(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w := newWriter(t, tab, "")
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	rec, _ := batch(t, tab.Schema().Fields, mem, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	if err := w.Write(ctx, rec); err != nil {
		t.Fatal(err)
	}
	rec.Release()
	if mem.CurrentAlloc() == 0 {
		t.Error("the writer did not retain the batch")
	}
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	mem.AssertSize(t, 0)
	expect(t, tab, table.ScanOptions{}, `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
}

// A small slice must not keep a large batch in memory until the next flush.
func TestSlicesOfHugeBatchesDoNotHoldThem(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w := newWriter(t, tab, "")
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.PrimitiveTypes.Int64}, {Name: "v", Type: arrow.BinaryTypes.String}}, nil))
	for i := range 100_000 {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append("some text of a row")
	}
	rec := b.NewRecordBatch()
	b.Release()
	slice := rec.NewSlice(500, 510)
	rec.Release()
	if err := w.Write(ctx, slice); err != nil {
		t.Fatal(err)
	}
	slice.Release()
	mem.AssertSize(t, 0)
	if err := w.CommitNext(ctx); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, tab, table.ScanOptions{}); len(got) != 10 || got[0] != `{"k":500,"v":"some text of a row"}` {
		t.Error(got)
	}
}

func TestManyGoroutinesMayPut(t *testing.T) {
	tab := create(t, store.NewMem(), keyed, "bucket=3", "write-buffer-size=64 kb")
	w := newWriter(t, tab, "")
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 300 {
				if err := w.Put(ctx, table.Row{"k": g*1000 + i, "v": fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
				if i%100 == 99 {
					if err := w.CommitNext(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	group.Wait()
	if got := lines(t, tab, table.ScanOptions{}); len(got) != 8*300 {
		t.Errorf("%d rows of %d", len(got), 8*300)
	}
	sound(t, tab)
}

func TestClosedWritersRefuseAndCloseTwice(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, keyed, "write-buffer-size=1 kb", "write-buffer-spillable=false")
	w := newWriter(t, tab, "")
	for i := range 100 {
		if err := write(t, w, tab, fmt.Sprintf(`{"k":%d,"v":"x"}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(dataFiles(t, st)) == 0 {
		t.Fatal("nothing was flushed: the test proves nothing")
	}
	if err := w.Put(ctx, table.Row{"k": 1}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if left := dataFiles(t, st); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	failsWith(t, w.Put(ctx, table.Row{"k": 1}), table.ErrClosed)
	failsWith(t, w.CommitNext(ctx), table.ErrClosed)
	_, err := w.Prepare(ctx, 1)
	failsWith(t, err, table.ErrClosed)
}

func TestWriteRefusesRowsOfTheWrongLength(t *testing.T) {
	tab := create(t, store.NewMem(), keyed)
	w := newWriter(t, tab, "")
	failsWith(t, w.WriteValues(ctx, schema.Insert, []any{int64(1)}), table.ErrInvalid, "1 values")
	failsWith(t, w.WriteValues(ctx, schema.RowKind(9), []any{int64(1), "x"}), table.ErrInvalid, "9")
}
