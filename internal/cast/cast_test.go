package cast_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/cast"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/schema"
)

// vector is what Java made of values of one type through another; the interop
// test of the same name records it.
type vector struct {
	From, To, Zone string
	In, Out        []json.RawMessage
}

func TestCastsEqualJava(t *testing.T) {
	file, err := os.Open("testdata/casts.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	values := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var v vector
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		for i := range v.In {
			values++
			got := castOne(t, v, i)
			name := fmt.Sprintf("%s to %s in %s: %s", v.From, v.To, v.Zone, v.In[i])
			if java := string(v.Out[i]); !sameText(got, java) && !beyond(v, i, got, java) {
				t.Errorf("%s: %s, java %s", name, got, java)
			}
		}
	}
	if values < 2000 {
		t.Errorf("only %d values", values)
	}
}

// sameText compares JSON by its value.
func sameText(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// beyond tells of values that are beyond what one of the sides can say.
func beyond(v vector, i int, got, java string) bool {
	to := schemaKind(v.To)
	switch {
	case to == schema.Decimal && java == `"error"` && got == "null":
		return true // Java's row says that the value is there, and then it is null
	case to == schema.Timestamp || to == schema.TimestampLTZ:
		switch {
		case strings.HasPrefix(v.To, "TIMESTAMP(9)") && got == `"error"`:
			return true // nanoseconds of 64 bits end in 2262
		case regexp.MustCompile(`^"[0-9]{5,}-`).MatchString(java):
			return true // Java prints such years without a sign, and wraps
		}
		return v.From == "TIME(3)" && strings.HasPrefix(java, strings.TrimSuffix(got, `"`)) // milliseconds in a TIMESTAMP(0)
	}
	return to == schema.Time && strings.Contains(java, "-") // a negative time of day, which Java prints with a sign
}

func schemaKind(text string) schema.Kind {
	typ, _ := schema.ParseType(text)
	return typ.Kind
}

func castOne(t *testing.T, v vector, i int) string {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	from, to := field(t, v.From), field(t, v.To)
	zone, err := time.LoadLocation(v.Zone)
	if err != nil {
		t.Fatal(err)
	}
	f, err := cast.New(from.Type, to.Type, zone)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := rowjson.NewDecoder([]schema.Field{from}, rowjson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`{"c":null}`, `{"c":` + string(v.In[i]) + `}`} {
		if err := dec.Row([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	rec, _ := dec.Flush()
	defer rec.Release()
	cut := rec.NewSlice(1, 2) // casts see windows of columns
	defer cut.Release()
	out, err := f(cut.Column(0), mem)
	if err != nil {
		return `"error"`
	}
	defer out.Release()
	return strings.TrimSuffix(strings.TrimPrefix(show(t, to, out), `{"c":`), "}")
}

func field(t *testing.T, text string) schema.Field {
	t.Helper()
	typ, err := schema.ParseType(text)
	if err != nil {
		t.Fatal(err)
	}
	for i := range typ.Fields {
		typ.Fields[i].ID = i + 1
	}
	return schema.Field{Name: "c", Type: typ}
}

func show(t *testing.T, f schema.Field, col arrow.Array) string {
	t.Helper()
	sc, err := schema.ArrowSchema([]schema.Field{f})
	if err != nil {
		t.Fatal(err)
	}
	if !arrow.TypeEqual(sc.Field(0).Type, col.DataType()) {
		t.Fatalf("%s, want %s", col.DataType(), sc.Field(0).Type)
	}
	rec := array.NewRecordBatch(sc, []arrow.Array{col}, int64(col.Len()))
	defer rec.Release()
	enc, err := rowjson.NewEncoder([]schema.Field{f})
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.Bind(rec); err != nil {
		t.Fatal(err)
	}
	return string(enc.AppendRow(nil, 0))
}
