package partition_test

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/internal/binaryrow/rowtest"
	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/partition"
	"github.com/tidelake/tidelake/schema"
)

func column(t testing.TB, text string) []schema.Field {
	return []schema.Field{{Name: "dt", Type: rowtest.Types(t, text)[0]}}
}

func TestPathsAreThoseOfJava(t *testing.T) {
	var file []struct{ Value, Path string }
	rowtest.Load(t, "testdata/partition_path.json", &file)
	p := partition.New(column(t, "STRING"), "", true, nil)
	for _, v := range file {
		got, err := p.Dir([]any{v.Value})
		if err != nil || got+"/" != v.Path {
			t.Errorf("%q: %q, want %q: %v", v.Value, got, v.Path, err)
		}
		if back := unescape(strings.TrimPrefix(got, "dt=")); back != v.Value {
			t.Errorf("%q came back as %q", v.Value, back)
		}
	}
}

func TestTextsAreThoseOfJava(t *testing.T) {
	var file []struct {
		Type, Value string
		Legacy      bool   `json:"partition.legacy-name"`
		Text        string `json:"part_string"`
	}
	rowtest.Load(t, "testdata/partition_value.json", &file)
	for _, v := range file {
		fields := column(t, v.Type)
		p := partition.New(fields, "", v.Legacy, time.UTC)
		got, err := p.Text([]any{value(t, fields[0].Type, v.Value)})
		if err != nil || got[0] != v.Text {
			t.Errorf("%s %s legacy=%v: %q, want %q: %v", v.Type, v.Value, v.Legacy, got, v.Text, err)
		}
	}
}

// value reads the vectors' texts: ISO timestamps, "bytes AB", "null".
func value(t testing.TB, typ schema.Type, text string) any {
	switch typ.Kind {
	case schema.Timestamp, schema.TimestampLTZ:
		for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04"} {
			if at, err := time.Parse(layout, text); err == nil {
				return schema.TimestampValue{Millis: at.UnixMilli(), Nanos: int32(at.Nanosecond() % 1_000_000)}
			}
		}
		t.Fatalf("timestamp %q", text)
	case schema.Boolean:
		return text == "true"
	case schema.VarBinary:
		return []byte(strings.TrimPrefix(text, "bytes "))
	}
	if text == "null" {
		return nil
	}
	return rowtest.Value(t, typ, text)
}

func TestMoreTexts(t *testing.T) {
	at := func(text string) schema.TimestampValue {
		x, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return schema.TimestampValue{Millis: x.UnixMilli(), Nanos: int32(x.Nanosecond() % 1_000_000)}
	}
	tokyo := time.FixedZone("JST", 9*3600)
	for _, c := range []struct {
		typ    string
		value  any
		legacy bool
		want   string
	}{
		{"TIMESTAMP(9)", at("2024-05-14T01:02:03.000000001Z"), true, "2024-05-14T01:02:03.000000001"},
		{"TIMESTAMP(9)", at("2024-05-14T01:02:00.5Z"), true, "2024-05-14T01:02:00.500"},
		{"TIMESTAMP(3)", at("1969-12-31T23:59:59.999Z"), false, "1969-12-31 23:59:59.999"},
		{"TIMESTAMP(3)", at("0001-01-01T00:00:00Z"), true, "0001-01-01T00:00"},
		{"TIMESTAMP(3)", schema.TimestampValue{Millis: 253402300800000}, true, "+10000-01-01T00:00"},
		{"TIMESTAMP_LTZ(3)", at("2024-05-14T00:34:56.789Z"), false, "2024-05-14 09:34:56.789"},
		{"TIMESTAMP_LTZ(3)", at("2024-05-14T00:34:56.789Z"), true, "2024-05-14T00:34:56.789"},
		{"TIME(3)", int32(45296000), false, "12:34:56.0"},
		{"TIME(3)", int32(45296700), false, "12:34:56.7"},
		{"DATE", int32(-1), false, "1969-12-31"},
		{"DOUBLE", 0.001, true, "0.001"},
		{"DOUBLE", 0.0001, true, "1.0E-4"},
		{"DOUBLE", 9999999.0, true, "9999999.0"},
		{"DOUBLE", 1.25e7, true, "1.25E7"},
		{"DOUBLE", math.Copysign(0, -1), true, "-0.0"},
		{"DOUBLE", math.Inf(-1), true, "-Infinity"},
		{"FLOAT", float32(0.1), true, "0.1"},
		{"FLOAT", float32(math.NaN()), true, "NaN"},
		{"BIGINT", int64(-5), true, "-5"},
		{"STRING", "\u00a0", true, "\u00a0"},
		{"STRING", "\u2003\t", true, "none"},
		{"STRING", "", true, "none"},
		{"BIGINT", nil, true, "none"},
	} {
		p := partition.New(column(t, c.typ), "none", c.legacy, tokyo)
		if got, err := p.Text([]any{c.value}); err != nil || got[0] != c.want {
			t.Errorf("%s %v: %q, want %q: %v", c.typ, c.value, got, c.want, err)
		}
	}
	for text, want := range map[string]string{"-0.05": "-0.05", "12345678901234567890123456789012345.678": "12345678901234567890123456789012345.678"} {
		typ := "DECIMAL(38,3)"
		if text == "-0.05" {
			typ = "DECIMAL(4,2)"
		}
		fields := column(t, typ)
		p := partition.New(fields, "", true, nil)
		if got, err := p.Text(rowtest.Values(t, []schema.Type{fields[0].Type}, []any{text})); err != nil || got[0] != want {
			t.Errorf("%s: %q: %v", text, got, err)
		}
	}
}

func TestBinaryPartitions(t *testing.T) {
	legacy := partition.New(column(t, "BYTES"), "", true, nil)
	if _, err := legacy.Dir([]any{[]byte("x")}); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("legacy: %v", err)
	}
	if dir, err := legacy.Dir([]any{nil}); err != nil || dir != "dt=__DEFAULT_PARTITION__" {
		t.Errorf("null: %q %v", dir, err)
	}
	plain := partition.New(column(t, "BYTES"), "", false, nil)
	if _, err := plain.Dir([]any{[]byte{0xff}}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("not UTF-8: %v", err)
	}
	if _, err := plain.Dir([]any{"text"}); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("wrong type: %v", err)
	}
	if _, err := plain.Dir(nil); !errors.Is(err, fault.ErrInvalid) {
		t.Errorf("no values: %v", err)
	}
}

func TestColumnNamesAreEscaped(t *testing.T) {
	fields := []schema.Field{{Name: "a/b", Type: schema.Type{Kind: schema.Int}}, {Name: "c", Type: schema.Type{Kind: schema.Int}}}
	dir, err := partition.New(fields, "", true, nil).Dir([]any{int32(1), int32(2)})
	if err != nil || dir != "a%2Fb=1/c=2" {
		t.Errorf("%q %v", dir, err)
	}
	if dir, err := partition.New(nil, "", true, nil).Dir(nil); err != nil || dir != "" {
		t.Errorf("no partitions: %q %v", dir, err)
	}
}

// unescape is the reverse of Escape.
func unescape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		if s[0] == '%' && len(s) > 2 {
			if c, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
				b.WriteRune(rune(c))
				s = s[3:]
				continue
			}
		}
		b.WriteByte(s[0])
		s = s[1:]
	}
	return b.String()
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a/b", "100%", "%41", "\x00\x7f", "../..", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := partition.Escape(s)
		if strings.ContainsAny(e, "/\\") {
			t.Errorf("%q escapes to %q", s, e)
		}
		if back := unescape(e); back != s {
			t.Errorf("%q came back as %q", s, back)
		}
	})
}

func Example() {
	p := partition.New([]schema.Field{
		{Name: "dt", Type: schema.Type{Kind: schema.Date}},
		{Name: "city", Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength}},
	}, "", true, time.UTC)
	dir, err := p.Dir([]any{int32(19857), "a/b"})
	fmt.Println(dir, err)
	// Output: dt=19857/city=a%2Fb <nil>
}
