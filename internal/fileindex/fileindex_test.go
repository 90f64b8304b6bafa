package fileindex

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func vector[T any](t testing.TB, name string) (v T) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func container(t testing.TB) []byte {
	return unhex(t, vector[struct{ Hex string }](t, "fileindex_container.json").Hex)
}

func TestContainerOfJava(t *testing.T) {
	x, err := Parse(container(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := x.blooms["col"]; !bytes.Equal(got, []byte{1, 2, 3}) || len(x.blooms) != 1 {
		t.Errorf("filters %x", x.blooms)
	}
	if b, err := x.Bloom("c2"); b != nil || err != nil {
		t.Errorf("a filter of c2: %v, %v", b, err)
	}
	if _, err := x.Bloom("col"); err == nil || !strings.Contains(err.Error(), `column "col": 3 bytes are no filter`) {
		t.Errorf("filter of three bytes: %v", err)
	}
}

// column holds values of a type as JSON has them.
func column(t *testing.T, typ, values string) arrow.Array {
	t.Helper()
	var dt arrow.DataType
	switch typ {
	case "INT":
		dt = arrow.PrimitiveTypes.Int32
	case "STRING":
		dt = arrow.BinaryTypes.String
	case "DOUBLE":
		dt = arrow.PrimitiveTypes.Float64
	case "TIMESTAMP(6)":
		b := array.NewTimestampBuilder(memory.DefaultAllocator, &arrow.TimestampType{Unit: arrow.Microsecond})
		b.Append(1715646896789123)
		return b.NewArray()
	default:
		t.Fatal("type", typ)
	}
	a, _, err := array.FromJSON(memory.DefaultAllocator, dt, strings.NewReader(values))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestBloomFiltersOfJava(t *testing.T) {
	others := map[string]string{
		"INT": `[0, 4, 5, -1, 1000, 77777]`, "STRING": `["b", "hell", "helloo", "A"]`, "DOUBLE": `[1.25, 2, -1.5]`,
	}
	vectors := vector[[]struct {
		Type   string
		Values json.RawMessage
		Body   string `json:"body_hex"`
	}](t, "bloom.json")
	for _, v := range vectors {
		b, err := parseBloom(unhex(t, v.Body))
		if err != nil {
			t.Fatal(v.Type, err)
		}
		set := 0
		for col, row := column(t, v.Type, string(v.Values)), 0; row < col.Len(); row++ {
			if col.IsValid(row) && !b.MayHold(col, row) {
				t.Errorf("%s: %v is not there", v.Type, col.ValueStr(row))
			}
			if col.IsValid(row) {
				set++
			}
		}
		if others[v.Type] == "" {
			continue
		}
		for col, row := column(t, v.Type, others[v.Type]), 0; row < col.Len(); row++ {
			if b.MayHold(col, row) {
				t.Errorf("%s: %v is there", v.Type, col.ValueStr(row))
			}
		}
		if set == 0 {
			t.Errorf("%s: no value", v.Type)
		}
	}
	if len(vectors) != 4 {
		t.Errorf("%d vectors", len(vectors))
	}
}

// A filter without a bit set tells whether it was asked at all.
func TestValuesWithTwinsAreNotAsked(t *testing.T) {
	empty := &Bloom{probes: 3, bits: make([]byte, 8)}
	floats := column(t, "DOUBLE", `[0, -0.0, 1]`)
	for row, may := range []bool{true, true, false} {
		if empty.MayHold(floats, row) != may {
			t.Errorf("%s: the filter says %v", floats.ValueStr(row), !may)
		}
	}
	b := array.NewBooleanBuilder(memory.DefaultAllocator)
	b.Append(true)
	if !empty.MayHold(b.NewArray(), 0) {
		t.Error("booleans have no filters")
	}
}

func TestTimesHashAsMillisecondsOrMicroseconds(t *testing.T) {
	for _, c := range []struct {
		unit    arrow.TimeUnit
		v, want int64
	}{{arrow.Second, 5, 5000}, {arrow.Millisecond, 5, 5}, {arrow.Microsecond, -7, -7}, {arrow.Nanosecond, 1999, 1}, {arrow.Nanosecond, -1, -1}} {
		if got := instant(c.unit, c.v); got != c.want {
			t.Errorf("%v %d: %d, want %d", c.unit, c.v, got, c.want)
		}
	}
}

func TestColumnNamesAreJavas(t *testing.T) {
	if got := modified("aé\x00😀"); got != "a\xc3\xa9\xc0\x80\xed\xa0\xbd\xed\xb8\x80" {
		t.Errorf("%x", got)
	}
}

func TestDamagedContainersAreTold(t *testing.T) {
	good := container(t)
	put := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	for want, data := range map[string][]byte{
		"too short":              good[:15],
		"magic number":           put(0, 1),
		"version 2":              put(8, 2),
		"said to take":           put(12, 1000),
		"ends within a value":    put(16, 1<<30),
		"lie outside the bodies": good[:len(good)-1],
	} {
		if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, body := range []string{"00000000ff", "00010000ff", "ffffffffff"} {
		if _, err := parseBloom(unhex(t, body)); err == nil {
			t.Errorf("filter %s is taken", body)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(container(f))
	f.Add(unhex(f, "00054e4ed01a35ae000000010000003500000001000163000000010000"))
	col := array.NewInt64Builder(memory.DefaultAllocator)
	col.Append(42)
	key := col.NewArray()
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := Parse(data)
		if err != nil {
			return
		}
		total := 0
		for name := range x.blooms {
			if b, err := parseBloom(x.blooms[name]); err == nil {
				b.MayHold(key, 0)
				total = max(total, b.Bytes())
			}
		}
		if total > len(data) {
			t.Errorf("a filter of %d bytes in %d", total, len(data))
		}
	})
}
