package datafile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
)

// Every page carries its checksum, so a flipped bit in any page is an error,
// never another value.
func TestAFlippedBitInAPageIsNoticed(t *testing.T) {
	fields := []schema.Field{{ID: 0, Name: "n", Type: schema.Type{Kind: schema.BigInt}}}
	for _, codec := range []string{"zstd", "snappy", "none"} {
		sc, err := schema.ArrowSchema(fields)
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, sc)
		for i := range 200 {
			b.Field(0).(*array.Int64Builder).Append(int64(i) * 1_000_000_007 % 9999)
		}
		rec := b.NewRecordBatch()
		var out bytes.Buffer
		w, err := NewWriter(&out, fields, WriterOptions{Compression: codec})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		want := rec.Column(0).(*array.Int64).Values()
		noticed := 0
		for at := 4; at < out.Len()/4; at++ { // pages come first
			data := bytes.Clone(out.Bytes())
			data[at] ^= 1 << (at % 8)
			got, err := numbersOf(data, fields)
			if err != nil {
				noticed++
			} else if !equal(got, want) {
				t.Errorf("%s: byte %d: other values without an error", codec, at)
			}
		}
		if noticed < 30 {
			t.Errorf("%s: %d flips noticed", codec, noticed)
		}
	}
}

// A column that must be there and is not is an error, where asked for.
func TestACompleteFileHasEveryColumn(t *testing.T) {
	have := []schema.Field{{ID: 0, Name: "n", Type: schema.Type{Kind: schema.BigInt}}}
	sc, err := schema.ArrowSchema(have)
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, sc)
	b.Field(0).(*array.Int64Builder).Append(1)
	var out bytes.Buffer
	w, err := NewWriter(&out, have, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(b.NewRecordBatch()), second(w.Close())); err != nil {
		t.Fatal(err)
	}
	st := store.NewMem()
	if err := st.Write(context.Background(), "f", out.Bytes()); err != nil {
		t.Fatal(err)
	}
	for _, complete := range []bool{false, true} {
		o, err := st.Open(context.Background(), "f", int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(context.Background(), o, "f", ReaderOptions{Format: "parquet", Complete: complete,
			Fields: append(have, schema.Field{Name: "gone", Type: schema.Type{Kind: schema.Int, Nullable: true}})})
		if err == nil {
			r.Close()
		}
		if complete != errors.Is(err, fault.ErrCorrupt) {
			t.Errorf("complete %v: %v", complete, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func equal(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func numbersOf(data []byte, fields []schema.Field) ([]int64, error) {
	ctx := context.Background()
	st := store.NewMem()
	if err := st.Write(ctx, "f", data); err != nil {
		return nil, err
	}
	o, err := st.Open(ctx, "f", int64(len(data)))
	if err != nil {
		return nil, err
	}
	r, err := Open(ctx, o, "f", ReaderOptions{Format: "parquet", Fields: fields})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []int64
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, rec.Column(0).(*array.Int64).Values()...)
		rec.Release()
	}
}
