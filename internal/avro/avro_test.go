package avro

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
	twmb "github.com/twmb/avro"
	"github.com/twmb/avro/ocf"
)

const pairSchema = `{"type":"record","name":"r","fields":[{"name":"s","type":"string"},{"name":"n","type":"long"}]}`

type pair struct {
	S string `avro:"s"`
	N int64  `avro:"n"`
}

func writePairs(t testing.TB, codec string, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, WriterOptions{Schema: pairSchema, Codec: codec, Sync: [16]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		w.Block = AppendLong(AppendText(w.Block, fmt.Sprintf("row %d", i)), int64(i)*1000)
		if err := w.End(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if w.Bytes() != int64(out.Len()) {
		t.Fatalf("Bytes is %d, wrote %d", w.Bytes(), out.Len())
	}
	return out.Bytes()
}

func readPairs(data []byte) (out []pair, err error) {
	r, err := NewReader(data)
	if err != nil {
		return nil, err
	}
	for {
		block, n, err := r.Next(nil)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		d := NewDecoder(block)
		for range n {
			p := pair{d.Text(), d.Long()}
			if d.Err() != nil {
				return nil, d.Err()
			}
			out = append(out, p)
		}
		if d.Left() != 0 {
			return nil, fmt.Errorf("%d bytes left", d.Left())
		}
	}
}

func TestEveryCodecComesBack(t *testing.T) {
	for _, codec := range []string{CodecNull, CodecDeflate, CodecSnappy, CodecZstd} {
		for _, n := range []int{0, 1, 9000} {
			got, err := readPairs(writePairs(t, codec, n))
			if err != nil || len(got) != n {
				t.Fatalf("%s: %d records, %v", codec, len(got), err)
			}
			for i, p := range got {
				if p.N != int64(i)*1000 || p.S != fmt.Sprintf("row %d", i) {
					t.Fatalf("%s: record %d is %v", codec, i, p)
				}
			}
		}
	}
}

func TestAnotherLibraryReadsWhatIsWritten(t *testing.T) {
	for _, codec := range []string{CodecNull, CodecDeflate, CodecSnappy, CodecZstd} {
		r, err := ocf.NewReader(bytes.NewReader(writePairs(t, codec, 7000)))
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		for i := range 7000 {
			var p pair
			if err := r.Decode(&p); err != nil || p.N != int64(i)*1000 || p.S != fmt.Sprintf("row %d", i) {
				t.Fatalf("%s: record %d is %v, %v", codec, i, p, err)
			}
		}
		if err := r.Decode(new(pair)); err != io.EOF {
			t.Fatalf("%s: after the last record: %v", codec, err)
		}
	}
}

func TestWhatAnotherLibraryWritesIsRead(t *testing.T) {
	s := twmb.MustParse(pairSchema)
	for name, codec := range map[string]ocf.Codec{"deflate": ocf.DeflateCodec(6), "snappy": ocf.SnappyCodec()} {
		var out bytes.Buffer
		w, err := ocf.NewWriter(&out, s, ocf.WithCodec(codec))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 500 {
			if err := w.Encode(pair{fmt.Sprint(i), int64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := readPairs(out.Bytes()); err != nil || len(got) != 500 || got[499].N != 499 {
			t.Fatalf("%s: %d records, %v", name, len(got), err)
		}
	}
}

func TestBzip2IsReadAndNotWritten(t *testing.T) {
	data, err := os.ReadFile("testdata/bzip2.avro")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readPairs(data); err != nil || len(got) != 100 || got[99].N != 99000 {
		t.Fatalf("%d records, %v", len(got), err)
	}
	if _, err := NewWriter(io.Discard, WriterOptions{Schema: pairSchema, Codec: CodecBzip2}); !errors.Is(err, fault.ErrUnsupported) {
		t.Fatalf("writing bzip2: %v", err)
	}
}

func TestUnknownCodecIsRefusedByName(t *testing.T) {
	data := bytes.Replace(writePairs(t, CodecNull, 1), []byte("\x08null\x00"), []byte("\x04xz\x00"), 1)
	if _, err := NewReader(data); !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(err.Error(), `"xz"`) {
		t.Fatal(err)
	}
}

func TestTrimmedOrFlippedFilesAreErrorsNotPanics(t *testing.T) {
	for _, codec := range []string{CodecNull, CodecDeflate, CodecSnappy, CodecZstd} {
		data := writePairs(t, codec, 60)
		want, _ := readPairs(data)
		header := bytes.Index(data, []byte{1, 2, 3, 0}) + 16
		for cut := range data {
			if got, err := readPairs(data[:cut]); err == nil && cut != header {
				t.Fatalf("%s: cut at %d of %d gave %d records", codec, cut, len(data), len(got))
			}
		}
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 0x41
			_, _ = readPairs(bad) // some flips change only text; none may panic
		}
		if len(want) != 60 {
			t.Fatal(len(want))
		}
	}
}

func TestSmallBlockCannotExpandWithoutBound(t *testing.T) {
	zeros := make([]byte, 20<<20)
	for _, codec := range []string{CodecDeflate, CodecZstd} {
		packed, err := compress(codec, 1, nil, zeros)
		if err != nil {
			t.Fatal(err)
		}
		if blockLimit(len(packed)) >= len(zeros) {
			t.Logf("%s packs %d bytes into %d, within the ratio", codec, len(zeros), len(packed))
			continue
		}
		if _, err := decompress(codec, nil, packed); err == nil {
			t.Fatalf("%s: %d bytes expanded to %d", codec, len(packed), len(zeros))
		}
	}
	lie := []byte{0x80, 0x80, 0x80, 0x80, 0x04, 0, 0, 0, 0, 0} // snappy: 1 GiB to come
	if _, err := decompress(CodecSnappy, nil, lie); !errors.Is(err, errTooLarge) {
		t.Fatal(err)
	}
}

func TestBlockLargerThanTheFirstGuessIsRead(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 100_000)
	packed, err := compress(CodecZstd, 1, nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := decompress(CodecZstd, nil, packed)
	if err != nil || string(out) != text {
		t.Fatalf("%d bytes, %v", len(out), err)
	}
}

func TestSchemaOfAJavaFileIsPrintedAsItWas(t *testing.T) {
	data, err := os.ReadFile("testdata/manifest-zstandard")
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSchema(r.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != string(r.Schema()) {
		t.Errorf("got  %s\nwant %s", s, r.Schema())
	}
}

func TestNamedTypesAreDefinedOnceAndNeverMixedUp(t *testing.T) {
	text := `{"type":"record","name":"a.b.R","fields":[
		{"name":"x","type":{"type":"fixed","name":"F","size":4}},
		{"name":"y","type":["null","F"]},
		{"name":"z","type":{"type":"map","values":{"type":"enum","name":"E","symbols":["P","Q"]}}},
		{"name":"l","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"when"}]}`
	s, err := ParseSchema([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if l := s.Fields[3].Type.Logical(); l != "timestamp-millis" {
		t.Errorf("logical type %q", l)
	}
	// The same name with another definition, as when records of two files meet.
	other := &Schema{Kind: Fixed, Name: "F", Namespace: "a.b", Size: 9}
	s.Fields = append(s.Fields, Field{Name: "o", Type: other})
	printed := s.String()
	again, err := ParseSchema([]byte(printed))
	if err != nil {
		t.Fatalf("%s: %v", printed, err)
	}
	if again.Fields[1].Type.Branches[1].Size != 4 || again.Fields[4].Type.Size != 9 || again.Fields[3].Props[0].Value != `"when"` {
		t.Error(printed)
	}
	if _, err := twmb.Parse(printed); err != nil {
		t.Errorf("another library: %v", err)
	}
}

func TestHostileSchemasAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, 200) + `"int"` + strings.Repeat("}", 200)
	doubling := `{"type":"record","name":"r0","fields":[{"name":"a","type":"int"}]}`
	for i := 1; i < 40; i++ {
		doubling = fmt.Sprintf(`{"type":"record","name":"r%d","fields":[{"name":"a","type":%s},{"name":"b","type":"r%d"}]}`, i, doubling, i-1)
	}
	for name, text := range map[string]string{
		"empty": "", "number": "7", "no type": "{}", "unknown": `"frob"`, "deep": deep, "doubling": doubling,
		"itself":    `{"type":"record","name":"r","fields":[{"name":"a","type":["null","r"]}]}`,
		"twice":     `{"type":"record","name":"r","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`,
		"fixed":     `{"type":"fixed","name":"f","size":-1}`,
		"unions":    `[["null"],"int"]`,
		"no union":  `[]`,
		"defined 2": `{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"fixed","name":"r","size":1}}]}`,
	} {
		if s, err := ParseSchema([]byte(text)); err == nil {
			t.Errorf("%s: parsed as %v", name, s.Kind)
		}
	}
}

func TestSkipPassesOverEveryKind(t *testing.T) {
	text := `{"type":"record","name":"r","fields":[
		{"name":"a","type":"null"},{"name":"b","type":"boolean"},{"name":"c","type":"int"},{"name":"d","type":"float"},
		{"name":"e","type":"double"},{"name":"f","type":"bytes"},{"name":"g","type":{"type":"fixed","name":"F","size":3}},
		{"name":"h","type":{"type":"enum","name":"E","symbols":["P","Q"]}},{"name":"i","type":["null","string"]},
		{"name":"j","type":{"type":"array","items":"long"}},{"name":"k","type":{"type":"map","values":"F"}},
		{"name":"l","type":{"type":"array","items":"null"}}]}`
	s, err := ParseSchema([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	value := map[string]any{"a": nil, "b": true, "c": 7, "d": float32(1), "e": 2.0, "f": []byte("xyz"), "g": [3]byte{1, 2, 3},
		"h": "Q", "i": "text", "j": []int64{1, 2, 3}, "k": map[string]any{"m": [3]byte{}}, "l": []any{nil, nil}}
	b, err := twmb.MustParse(text).Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(append(b, 0xAA))
	d.Skip(s)
	if d.Err() != nil || d.Left() != 1 {
		t.Fatalf("%d bytes left, %v", d.Left(), d.Err())
	}
	huge := NewDecoder(AppendLong(nil, 1<<60)) // of nothing: must neither loop nor allocate
	huge.Skip(&Schema{Kind: Array, Items: &Schema{Kind: Null}})
	if huge.Err() == nil {
		t.Fatal("array without an end")
	}
}

func TestPrimitivesComeBack(t *testing.T) {
	b := AppendLong(nil, -1<<63)
	b = AppendLong(b, 1<<63-1)
	b = AppendBool(AppendBool(b, true), false)
	b = AppendDouble(AppendFloat(b, 1.5), -2.25)
	b = AppendBytes(b, []byte{})
	d := NewDecoder(b)
	if d.Long() != -1<<63 || d.Long() != 1<<63-1 || !d.Bool() || d.Bool() || d.Float() != 1.5 || d.Double() != -2.25 {
		t.Fatal("values differ")
	}
	if v := d.Bytes(); v == nil || len(v) != 0 || d.Err() != nil || d.Left() != 0 {
		t.Fatal(v, d.Err())
	}
	if d.Long(); !errors.Is(d.Err(), errShort) {
		t.Fatal(d.Err())
	}
}

func FuzzReader(f *testing.F) {
	for _, codec := range []string{CodecNull, CodecDeflate, CodecSnappy, CodecZstd} {
		f.Add(writePairs(f, codec, 5))
	}
	data, err := os.ReadFile("testdata/manifest-zstandard")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := NewReader(data)
		if err != nil {
			return
		}
		s, err := ParseSchema(r.Schema())
		if err != nil {
			return
		}
		for {
			block, n, err := r.Next(nil)
			if err != nil {
				return
			}
			d := NewDecoder(block)
			for ; n > 0 && d.Err() == nil && d.Left() > 0; n-- {
				d.Skip(s)
			}
		}
	})
}

func FuzzSchemaPrintsAsItParses(f *testing.F) {
	f.Add([]byte(pairSchema))
	f.Add([]byte(`["null",{"type":"array","items":["null",{"type":"fixed","name":"n.F","size":2}]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseSchema(text)
		if err != nil {
			return
		}
		printed := s.String()
		again, err := ParseSchema([]byte(printed))
		if err != nil {
			t.Fatalf("%s: %v", printed, err)
		}
		if again.String() != printed {
			t.Fatalf("%s became %s", printed, again)
		}
	})
}
