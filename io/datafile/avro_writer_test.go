package datafile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
)

// avroFields are the columns of the Parquet samples that Avro can hold, some required.
func avroFields() []schema.Field {
	var out []schema.Field
	for i, f := range append(javaTypes(), javaNested()...) {
		f.ID, f.Name = i, fmt.Sprintf("%s_%d", f.Name, i)
		f.Type.Nullable = i%4 > 0
		if AvroHolds([]schema.Field{f}) == nil {
			out = append(out, f)
		}
	}
	return out
}

func TestAvroIsReadBackAsWritten(t *testing.T) {
	fields := avroFields()
	for _, codec := range []string{"", "zstd", "snappy", "deflate", "none"} {
		mem := checked(t)
		g := newGen(5, 0.2, 0)
		whole := g.batch(mem, fields, 3000)
		part := whole.NewSlice(100, 2100)
		tail := whole.NewSlice(2100, 2100)
		data, res := writeAll(t, fields, WriterOptions{Format: "avro", Compression: codec, Stats: true, Alloc: mem}, part, tail, part)
		got := avroRows(t, data, fields)
		for i, f := range fields {
			two, err := array.Concatenate([]arrow.Array{part.Column(i), part.Column(i)}, mem)
			if err != nil {
				t.Fatal(err)
			}
			if want := asJSON(t, two); want != got[i] {
				t.Errorf("%s %s: %.200s\nwant %.200s", codec, f.Name, got[i], want)
			}
			two.Release()
			if want := int64(2 * part.Column(i).NullN()); res.Columns[i].Nulls != want {
				t.Errorf("%s: %d nulls, want %d", f.Name, res.Columns[i].Nulls, want)
			}
		}
		part.Release()
		tail.Release()
		whole.Release()
	}
}

// avroRows reads a file and gives each column as JSON.
func avroRows(t *testing.T, data []byte, fields []schema.Field) []string {
	t.Helper()
	parts := make([][]arrow.Array, len(fields))
	err := readAll(data, ReaderOptions{Format: "avro", Fields: fields}, func(rec arrow.RecordBatch, _ int64) error {
		for i, c := range rec.Columns() {
			c.Retain()
			parts[i] = append(parts[i], c)
		}
		return nil
	})
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	out := make([]string, len(fields))
	for i, p := range parts {
		one, err := array.Concatenate(p, checked(t))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = asJSON(t, one)
		one.Release()
	}
	return out
}

// TestAvroBoundsAreThoseOfParquet compares the statistics of the two writers.
func TestAvroBoundsAreThoseOfParquet(t *testing.T) {
	fields := avroFields()
	mem := checked(t)
	for seed := range uint64(5) {
		g := newGen(seed, 0.3, int(seed)*3)
		a, b := g.batch(mem, fields, 200), g.batch(mem, fields, 7)
		_, parquet := writeAll(t, fields, WriterOptions{Stats: true, Alloc: mem}, a, b)
		_, avro := writeAll(t, fields, WriterOptions{Format: "avro", Stats: true, Alloc: mem}, a, b)
		for i, f := range fields {
			if parquet.Columns[i].Nulls < 0 { // nested
				continue
			}
			if d := cmp.Diff(parquet.Columns[i], avro.Columns[i], cmp.AllowUnexported(decimal128.Num{})); d != "" {
				t.Errorf("%s (-parquet +avro):\n%s", f.Name, d)
			}
		}
		a.Release()
		b.Release()
	}
}

// TestAvroSchemaIsPaimons holds part of the schema in a file that Paimon 1.4.2 wrote.
func TestAvroSchemaIsPaimons(t *testing.T) {
	fields := []schema.Field{
		field(0, "f_int", scalar(schema.Int)), field(1, "f_string", opt(text())), field(2, "f_bytes", opt(scalar(schema.VarBinary))),
		field(3, "f_dec20", opt(decimal(20, 4))), field(4, "f_date", opt(scalar(schema.Date))), field(5, "f_time", opt(scalar(schema.Time))),
		field(6, "f_ts0", opt(stamp(schema.Timestamp, 0))), field(7, "f_ts6", opt(stamp(schema.Timestamp, 6))),
		field(8, "f_ltz3", opt(stamp(schema.TimestampLTZ, 3))), field(9, "f_ltz6", opt(stamp(schema.TimestampLTZ, 6))),
		field(10, "f_arr2", opt(list(opt(list(opt(text())))))), field(11, "f_map", opt(mapOf(text(), opt(scalar(schema.BigInt))))),
		field(12, "f_map2", opt(mapOf(opt(scalar(schema.Int)), opt(list(opt(scalar(schema.Double))))))),
		field(13, "f_row", opt(row(field(14, "x", opt(scalar(schema.Int))), field(15, "y", opt(text()))))), field(16, "f_multiset", opt(multiset(opt(text())))),
	}
	want := `{"type": "record", "name": "record", "namespace": "org.apache.paimon.avro.generated", "fields": [
		{"name": "f_int", "type": "int"}, {"name": "f_string", "type": ["null", "string"], "default": null}, {"name": "f_bytes", "type": ["null", "bytes"], "default": null},
		{"name": "f_dec20", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 4}], "default": null},
		{"name": "f_date", "type": ["null", {"type": "int", "logicalType": "date"}], "default": null}, {"name": "f_time", "type": ["null", {"type": "int", "logicalType": "time-millis"}], "default": null},
		{"name": "f_ts0", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": null}, {"name": "f_ts6", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": null},
		{"name": "f_ltz3", "type": ["null", {"type": "long", "logicalType": "local-timestamp-millis"}], "default": null}, {"name": "f_ltz6", "type": ["null", {"type": "long", "logicalType": "local-timestamp-micros"}], "default": null},
		{"name": "f_arr2", "type": ["null", {"type": "array", "items": ["null", {"type": "array", "items": ["null", "string"]}]}], "default": null},
		{"name": "f_map", "type": ["null", {"type": "map", "values": ["null", "long"]}], "default": null},
		{"name": "f_map2", "type": ["null", {"type": "array", "items": {"type": "record", "name": "record_f_map2", "fields": [{"name": "key", "type": ["null", "int"]}, {"name": "value", "type": ["null", {"type": "array", "items": ["null", "double"]}], "default": null}]}, "logicalType": "map"}], "default": null},
		{"name": "f_row", "type": ["null", {"type": "record", "name": "record_f_row", "fields": [{"name": "x", "type": ["null", "int"], "default": null}, {"name": "y", "type": ["null", "string"], "default": null}]}], "default": null},
		{"name": "f_multiset", "type": ["null", {"type": "map", "values": ["null", "int"]}], "default": null}]}`
	text, err := avroSchemaOf(fields)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := errors.Join(json.Unmarshal([]byte(want), &a), json.Unmarshal([]byte(text), &b)); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
}

func TestWhatAvroCannotHoldIsRefused(t *testing.T) {
	twice := []schema.Field{field(0, "a_b", row(field(1, "x", scalar(schema.Int)))), field(2, "a", row(field(3, "b", row(field(4, "x", scalar(schema.Int))))))}
	for what, fields := range map[string][]schema.Field{
		"TIME(6)":      {field(0, "c", schema.Type{Kind: schema.Time, Precision: 6})},
		"TIMESTAMP(9)": {field(0, "c", stamp(schema.Timestamp, 9))},
		"letters":      {field(0, "a b", scalar(schema.Int))},
		"another one":  twice,
	} {
		_, err := NewWriter(io.Discard, fields, WriterOptions{Format: "avro"})
		if !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := AvroHolds([]schema.Field{field(0, "größe_1", scalar(schema.Int))}); err != nil {
		t.Error(err)
	}
	_, err := NewWriter(io.Discard, avroFields(), WriterOptions{Format: "avro", Compression: "lz4"})
	if !errors.Is(err, fault.ErrUnsupported) {
		t.Error(err)
	}
}
