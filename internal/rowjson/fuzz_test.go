package rowjson_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

var fuzzColumns = []string{
	"i INT", "b BOOLEAN", "d DOUBLE", "f FLOAT", "s STRING", "x VARBINARY(4)", "n DECIMAL(20, 3)", "day DATE", "t TIME(3)",
	"ts TIMESTAMP(9)", "ltz TIMESTAMP(3) WITH LOCAL TIME ZONE", "a ARRAY<INT NOT NULL>", "m MAP<STRING, ARRAY<INT>>", "r ROW<a INT, b ROW<c STRING>>",
}

// FuzzDecoder: a row is refused whole, or it is JSON and prints as a row that reads as itself.
func FuzzDecoder(f *testing.F) {
	for _, name := range []string{"testdata/types.jsonl", "testdata/nested.jsonl"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.SplitN(text, []byte("\n"), 2)[0])
	}
	f.Add([]byte(`{"i":1,"b":true,"d":"NaN","f":1e-7,"s":"\ud83d\ude00","x":"00ff","n":"-1.5","day":"2024-02-29","t":"1:02","ts":"2024-01-01 00:00"}`))
	f.Add([]byte(`{"ltz":"2024-01-01T00:00:00+08:00","a":[1,2],"m":{"k":[null]},"r":{"b":{"c":null}},"_kind":"-U"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		fs := fields(t, fuzzColumns...)
		d, err := rowjson.NewDecoder(fs, rowjson.Options{Alloc: checked(t)})
		if err != nil {
			t.Fatal(err)
		}
		if d.Row(line) != nil {
			if d.Rows() != 0 {
				t.Fatal("a refused row was added")
			}
			return
		}
		if !json.Valid(line) {
			t.Fatalf("%q is not JSON and was accepted", line)
		}
		once := flushed(t, d, fs)
		if err := d.Row(once); err != nil {
			t.Fatalf("%s of %s: %v", once, line, err)
		}
		if twice := flushed(t, d, fs); !bytes.Equal(once, twice) {
			t.Fatalf("%s became %s", once, twice)
		}
	})
}

func flushed(t *testing.T, d *rowjson.Decoder, fs []schema.Field) []byte {
	rec, kinds := d.Flush()
	defer rec.Release()
	return bytes.TrimSpace(appendBatch(t, nil, fs, rowjson.Batch{Record: rec, Kinds: kinds}))
}

// FuzzCSV: what is accepted prints as CSV that reads as the same rows.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("1,\"a\"\"b\",2024-01-01,[1]\n,,,\n"), false)
	f.Add([]byte("s,_kind,i\n\"x\ny\",-D,1\r\n"), true)
	f.Fuzz(func(t *testing.T, text []byte, header bool) {
		fs := fields(t, "i INT", "s STRING", "day DATE", "a ARRAY<INT>")
		enc, err := rowjson.NewEncoder(fs)
		if err != nil {
			t.Fatal(err)
		}
		var rows, csv []byte
		for b, err := range rowjson.ReadCSV(bytes.NewReader(text), fs, rowjson.CSVOptions{Header: header, Options: rowjson.Options{Alloc: checked(t)}}) {
			if err != nil {
				break
			}
			b.Kinds = nil // which CSV output does not carry
			rows = appendBatch(t, rows, fs, b)
			if err := enc.Bind(b.Record); err != nil {
				t.Fatal(err)
			}
			for row := range int(b.Record.NumRows()) {
				csv = enc.AppendCSV(csv, ',', row)
			}
		}
		var back []byte
		for b, err := range rowjson.ReadCSV(bytes.NewReader(csv), fs, rowjson.CSVOptions{}) {
			if err != nil {
				t.Fatalf("%q: %v", csv, err)
			}
			back = appendBatch(t, back, fs, b)
		}
		if !bytes.Equal(rows, back) {
			t.Fatalf("%q became %q by %q", rows, back, csv)
		}
	})
}
