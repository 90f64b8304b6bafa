package datafile

import (
	"bytes"
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

const filterRows = 3000

// strangers are the values of a that are not in b.
func strangers(a, b arrow.Array) (rows []int) {
	have := map[string]bool{}
	for i := range b.Len() {
		have[b.ValueStr(i)] = true
	}
	for i := range a.Len() {
		if !have[a.ValueStr(i)] {
			rows = append(rows, i)
		}
	}
	return rows
}

// filtered is a file in three row groups with Bloom filters of all columns.
func filtered(t testing.TB) (fields []schema.Field, rec arrow.RecordBatch, data []byte) {
	fields = fieldsOf(t, "l BIGINT NOT NULL", "i INT NOT NULL", "s STRING NOT NULL", "b BYTES NOT NULL", "d DOUBLE NOT NULL", "day DATE NOT NULL", "ms TIMESTAMP(3) NOT NULL", "us TIMESTAMP(6) NOT NULL")
	rec = randomBatch(t, fields, filterRows, 21)
	return fields, rec, writeArrow(t, rec, 1000, nil, parquet.WithBloomFilterEnabled(true), parquet.WithBloomFilterNDV(1000), parquet.WithBloomFilterFPP(0.001), parquet.WithDictionaryDefault(false))
}

// asked counts the values that a filter lets pass in some rows.
func asked(t testing.TB, f *Filter, values arrow.Array, rows RowRange) (passed int) {
	t.Helper()
	for i := range values.Len() {
		may, err := f.MayHold(t.Context(), rows, values, i)
		if err != nil {
			t.Fatal(err)
		}
		if may {
			passed++
		}
	}
	return passed
}

func TestBloomFiltersKnowTheValuesOfTheirRowGroups(t *testing.T) {
	fields, rec, data := filtered(t)
	defer rec.Release()
	other := randomBatch(t, fields, 1000, 77)
	defer other.Release()
	f, obj := openFile(t, data, nil)
	opened, known := obj.reads, 0
	for c, field := range fields {
		filter := f.Filter(field.Name)
		if filter == nil {
			t.Errorf("column %s has no filter", field.Name)
			continue
		}
		for at := int64(0); at < filterRows; at += 500 {
			part := array.NewSlice(rec.Column(c), at, at+500)
			if n := asked(t, filter, part, RowRange{at, at + 500}); n != 500 {
				t.Errorf("column %s, rows from %d: %d values are there", field.Name, at, n)
			}
			part.Release()
		}
		absent, passed := strangers(other.Column(c), rec.Column(c)), 0
		for _, i := range absent {
			value := array.NewSlice(other.Column(c), int64(i), int64(i)+1)
			passed += asked(t, filter, value, RowRange{0, filterRows})
			value.Release()
		}
		if passed > len(absent)/20 {
			t.Errorf("column %s: %d of %d other values pass", field.Name, passed, len(absent))
		}
		known += len(absent)
	}
	if known < 2000 {
		t.Errorf("only %d values are not in the file", known)
	}
	first, last := array.NewSlice(rec.Column(0), 0, 1000), array.NewSlice(rec.Column(0), 2000, 3000)
	defer first.Release()
	defer last.Release()
	rows := strangers(last, first)
	for _, i := range rows {
		may, err := f.Filter("l").MayHold(t.Context(), RowRange{500, 700}, last, i)
		if err != nil {
			t.Fatal(err)
		}
		if may {
			known--
		}
	}
	if len(rows) < 100 || known < 2000-len(rows)/20 {
		t.Errorf("of %d values of another row group too many pass", len(rows))
	}
	if obj.reads != opened {
		t.Errorf("%d reads", obj.reads-opened)
	}
	if f.Filter("none") != nil {
		t.Error("a filter of no column")
	}
}

// TestFiltersThatLieFarAreReadOnce cuts what was read at open.
func TestFiltersThatLieFarAreReadOnce(t *testing.T) {
	for _, told := range []bool{true, false} {
		_, rec, data := filtered(t)
		f, obj := openFile(t, data, nil)
		f.tail.off, f.tail.data = f.tail.size-8, f.tail.data[len(f.tail.data)-8:]
		reads := 3 // of each row group
		if !told {
			reads *= 2
			for g := range f.meta.groups {
				f.meta.groups[g].chunks[0].bloom.len = 0
			}
		}
		filter := f.Filter("l")
		if told && filter.Held() < 3*1000 {
			t.Errorf("the filters take %d bytes", filter.Held())
		}
		obj.reads = 0
		for range 2 {
			if n := asked(t, filter, rec.Column(0), RowRange{0, filterRows}); n != filterRows || obj.reads != reads {
				t.Errorf("length told: %v, %d values are there, %d reads, want %d", told, n, obj.reads, reads)
			}
		}
		rec.Release()
	}
}

func TestDamagedFiltersAreTold(t *testing.T) {
	_, rec, data := filtered(t)
	defer rec.Release()
	for name, spoil := range map[string]func(f *File, x *extent){
		"outside":  func(f *File, x *extent) { x.off = f.meta.end },
		"negative": func(_ *File, x *extent) { x.len = -1 },
		"short":    func(_ *File, x *extent) { x.len = 20 },
		"no head":  func(f *File, x *extent) { f.tail.data = bytes.Clone(f.tail.data); f.tail.data[x.off-f.tail.off] = 0xff },
	} {
		f, _ := openFile(t, data, nil)
		spoil(f, &f.meta.groups[0].chunks[0].bloom)
		if _, err := f.Filter("l").MayHold(t.Context(), RowRange{0, 1}, rec.Column(0), 0); !errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzBloomHeader(f *testing.F) {
	f.Add([]byte{0x15, 0x80, 0x01, 0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0})
	f.Add([]byte{0x15, 0x40, 0x1c, 0x2c, 0, 0, 0x1c, 0x1c, 0, 0, 0x1c, 0x1c, 0, 0, 0})
	b := array.NewInt64Builder(memory.DefaultAllocator)
	b.Append(1)
	key := b.NewArray()
	f.Fuzz(func(t *testing.T, data []byte) {
		file := &File{meta: &fileMeta{end: int64(len(data)), groups: []rowGroup{{rows: 1, chunks: []chunkMeta{{}}}}}, starts: []int64{0, 1}}
		file.tail = tail{name: "f", size: int64(len(data)), data: data}
		leaf := &node{schemaElement: schemaElement{physical: pInt64}}
		for _, x := range []extent{{0, int64(len(data))}, {1, 0}} {
			file.meta.groups[0].chunks[0].bloom = x
			filter := &Filter{file: file, leaf: leaf, read: make(map[int]bloom)}
			if _, err := filter.MayHold(t.Context(), RowRange{0, 1}, key, 0); err != nil && !errors.Is(err, fault.ErrCorrupt) {
				t.Error(err)
			}
			if n := len(filter.read[0]); n > len(data) {
				t.Errorf("a filter of %d bytes in %d", n, len(data))
			}
		}
	})
}
