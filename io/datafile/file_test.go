package datafile

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"

	"github.com/tidelake/tidelake/schema"
)

// chosen are random ranges of rows, single rows among them.
func chosen(r *rand.Rand, rows int64) (out []RowRange) {
	for at := r.Int64N(rows); at < rows; {
		end := min(rows, at+1)
		if r.IntN(3) == 0 {
			end = min(rows, at+1+r.Int64N(500))
		}
		out = append(out, RowRange{at, end})
		at = end + r.Int64N(400)
	}
	return out
}

func openFile(t testing.TB, data []byte, mem memory.Allocator) (*File, *object) {
	t.Helper()
	obj := &object{data: data}
	f, err := OpenFile(context.Background(), obj, "f", mem)
	if err != nil {
		t.Fatal(err)
	}
	return f, obj
}

// sameRows proves that ReadRows gives the rows of rec.
func sameRows(t *testing.T, f *File, fields []schema.Field, rec arrow.RecordBatch, rows []RowRange) {
	t.Helper()
	got, err := f.ReadRows(context.Background(), fields, rows)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	for _, c := range got.Columns() {
		if err := validArray(c); err != nil {
			t.Fatal(err)
		}
	}
	at := int64(0)
	for _, r := range rows {
		want := rec.NewSlice(r.From, r.To)
		part := got.NewSlice(at, at+r.To-r.From)
		for i, f := range fields {
			if !array.Equal(want.Column(i), part.Column(i)) {
				t.Fatalf("column %s, rows %v: %s instead of %s", f.Name, r, part.Column(i), want.Column(i))
			}
		}
		want.Release()
		part.Release()
		at += r.To - r.From
	}
	if got.NumRows() != at {
		t.Fatalf("%d rows, want %d", got.NumRows(), at)
	}
}

func TestChosenRowsAreThoseOfTheFile(t *testing.T) {
	fields := everyType(t)
	const rows = 5000
	rec := randomBatch(t, fields, rows, 11)
	defer rec.Release()
	r := rand.New(rand.NewPCG(5, 6))
	for _, c := range []struct {
		version parquet.DataPageVersion
		group   int64
		index   bool
		codec   compress.Compression
	}{{parquet.DataPageV1, rows, true, compress.Codecs.Zstd}, {parquet.DataPageV2, 2100, true, compress.Codecs.Snappy},
		{parquet.DataPageV1, 900, false, compress.Codecs.Zstd}, {parquet.DataPageV1, rows, true, compress.Codecs.Uncompressed}} {
		data := writeArrow(t, rec, c.group, nil, parquet.WithDataPageSize(900), parquet.WithDataPageVersion(c.version), parquet.WithBatchSize(50),
			parquet.WithPageIndexEnabled(c.index), parquet.WithCompression(c.codec))
		mem := checked(t)
		f, _ := openFile(t, data, mem)
		for range 8 {
			sameRows(t, f, fields, rec, chosen(r, rows))
		}
		if len(data) < smallFile+smallFile/2 {
			t.Error("the file is read whole:", len(data))
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAColdRowIsOneRequestARowGroup(t *testing.T) {
	fields := fieldsOf(t, "id BIGINT NOT NULL", "text STRING", "more STRING")
	rec := randomBatch(t, fields, 200_000, 8)
	defer rec.Release()
	data := writeArrow(t, rec, 1<<20, nil, parquet.WithDataPageSize(4000), parquet.WithPageIndexEnabled(true), parquet.WithDictionaryDefault(false))
	f, obj := openFile(t, data, nil)
	if obj.reads > 2 {
		t.Errorf("opened by %d reads", obj.reads)
	}
	obj.reads, obj.bytes = 0, 0
	sameRows(t, f, fields[:1], rec, []RowRange{{100, 101}})
	if obj.reads != 1 || obj.bytes > 10_000 {
		t.Errorf("one column of one row: %d reads of %d bytes", obj.reads, obj.bytes)
	}
	obj.reads, obj.bytes = 0, 0
	sameRows(t, f, fields[:1], rec, []RowRange{{100, 101}, {9000, 9010}, {20_000, 20_001}})
	if obj.reads != 1 {
		t.Errorf("near rows of one column: %d reads", obj.reads)
	}
	obj.reads = 0
	if _, err := f.Zones(t.Context(), fields[:1]); err != nil || obj.reads != 0 {
		t.Errorf("zones: %d reads, %v", obj.reads, err)
	}
}

func TestZonesHoldTheirRows(t *testing.T) {
	fields := everyType(t)
	rec := randomBatch(t, fields, 3000, 9)
	defer rec.Release()
	data := writeArrow(t, rec, 1000, nil, parquet.WithPageIndexEnabled(true), parquet.WithDataPageSize(800), parquet.WithBatchSize(50))
	f, _ := openFile(t, data, nil)
	zones, err := f.Zones(t.Context(), fields[:1])
	if err != nil {
		t.Fatal(err)
	}
	ids, at := rec.Column(0).(*array.Int64), int64(0)
	for _, z := range zones {
		if z.From != at || z.To <= z.From {
			t.Fatalf("zone %d to %d, want from %d", z.From, z.To, at)
		}
		at = z.To
		for row := z.From; row < z.To; row++ {
			if v := ids.Value(int(row)); v < z.Columns[0].Min.(int64) || v > z.Columns[0].Max.(int64) {
				t.Fatalf("row %d, %d, lies outside %v", row, v, z.Columns[0])
			}
		}
	}
	if at != 3000 || len(zones) < 6 {
		t.Errorf("%d zones with %d rows", len(zones), at)
	}
}

func TestRowsOutsideTheFileAreRefused(t *testing.T) {
	fields := fieldsOf(t, "id BIGINT NOT NULL")
	rec := randomBatch(t, fields, 10, 8)
	defer rec.Release()
	f, _ := openFile(t, writeArrow(t, rec, 1<<20, nil), nil)
	for _, rows := range [][]RowRange{{{9, 11}}, {{5, 5}}, {{3, 4}, {2, 3}}, {{-1, 1}}} {
		if _, err := f.ReadRows(t.Context(), fields, rows); err == nil {
			t.Errorf("rows %v were read", rows)
		}
	}
}

func TestDamagedFilesNeverPanicForChosenRows(t *testing.T) {
	fields := everyType(t)
	rec := randomBatch(t, fields, 400, 12)
	defer rec.Release()
	data := writeArrow(t, rec, 150, nil, parquet.WithPageIndexEnabled(true), parquet.WithDataPageSize(400))
	r := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		bad := append([]byte(nil), data...)
		for range 1 + r.IntN(3) {
			bad[r.IntN(len(bad))] = byte(r.Uint32())
		}
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		f, err := OpenFile(t.Context(), &object{data: bad}, "f", mem)
		if err != nil {
			continue
		}
		_, _ = f.Zones(t.Context(), fields)
		if got, err := f.ReadRows(t.Context(), fields, chosen(r, max(f.Rows(), 1))); err == nil {
			got.Release()
		}
		mem.AssertSize(t, 0)
	}
}

func TestTextBeyondOneBatchIsJoined(t *testing.T) {
	fields := fieldsOf(t, "id BIGINT NOT NULL", "text STRING")
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrowSchema(fields))
	big := make([]byte, batchBytes/4)
	for i := range 9 {
		b.Field(0).(*array.Int64Builder).Append(int64(i))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprint(i) + string(big))
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	f, _ := openFile(t, writeArrow(t, rec, 1<<20, nil, parquet.WithCompression(compress.Codecs.Zstd), parquet.WithDictionaryDefault(false)), checked(t))
	sameRows(t, f, fields, rec, []RowRange{{0, 3}, {4, 9}})
}
