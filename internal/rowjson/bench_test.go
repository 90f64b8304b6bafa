package rowjson_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidelake/tidelake/internal/rowjson"
)

func benchLines(n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"id":%d,"c01":%d,"c02":%d,"c03":%v,"c04":"%016x","c05":"2024-02-29T01:02:03.%03d","c06":"%d.%02d","c07":%v,"c08":"cat-%02d","c09":"2026-01-31"}`+"\n",
			i, int64(r.Uint64()), int32(r.Uint32()), r.Float64()*1000, r.Uint64(), r.IntN(1000), r.IntN(1e9)-5e8, r.IntN(100), r.IntN(2) == 0, r.IntN(100))
	}
	return b.Bytes()
}

var benchColumns = []string{"id BIGINT NOT NULL", "c01 BIGINT", "c02 INT", "c03 DOUBLE", "c04 STRING", "c05 TIMESTAMP(3)", "c06 DECIMAL(12, 2)", "c07 BOOLEAN", "c08 STRING", "c09 DATE"}

func BenchmarkReadJSON(b *testing.B) {
	text, fs := benchLines(50000), fields(b, benchColumns...)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range rowjson.ReadJSON(bytes.NewReader(text), fs, rowjson.Options{}) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkAppendRow(b *testing.B) {
	text, fs := benchLines(50000), fields(b, benchColumns...)
	enc, err := rowjson.NewEncoder(fs)
	if err != nil {
		b.Fatal(err)
	}
	for batch, err := range rowjson.ReadJSON(bytes.NewReader(text), fs, rowjson.Options{}) {
		if err == nil {
			err = enc.Bind(batch.Record)
		}
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		var out []byte
		for b.Loop() {
			for row := range int(batch.Record.NumRows()) {
				out = enc.AppendRow(out[:0], row)
			}
		}
	}
}
