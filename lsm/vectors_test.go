package lsm

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/mergeengine"
)

type mergeCase struct {
	Name    string
	Columns []string
	Types   []string
	Options string
	Input   [][]any
	EachRow [][]any `json:"each_row"`
	AtOnce  [][]any `json:"at_once"`
}

func (c *mergeCase) option(key string) string {
	for _, o := range strings.Split(c.Options, ";") {
		if k, v, ok := strings.Cut(o, "="); ok && k == key {
			return v
		}
	}
	return ""
}

// TestPaimonsResultsOfMerging replays recorded results. Descending sequence
// fields are the exception: up to 1.4 the write buffer ignored them, merging
// did not, so what one flush gives is held against what files give.
func TestPaimonsResultsOfMerging(t *testing.T) {
	data, err := os.ReadFile("testdata/merge.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []mergeCase }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 7 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			want := c.AtOnce
			if c.option("sequence.field.sort-order") == "descending" {
				want = c.EachRow
			}
			c.check(t, mem, len(c.Input), want)
			c.check(t, mem, 1, c.EachRow)
		})
	}
}

// check flushes perFile rows at a time and merges the results.
func (c *mergeCase) check(t *testing.T, mem memory.Allocator, perFile int, want [][]any) {
	schema := c.schema(t)
	engine, err := mergeengine.New("deduplicate", c.option("ignore-delete") == "true")
	if err != nil {
		t.Fatal(err)
	}
	var seq []string
	if s := c.option("sequence.field"); s != "" {
		seq = strings.Split(s, ",")
	}
	desc := c.option("sequence.field.sort-order") == "descending"
	var runs []Run
	next := int64(0)
	for input := c.Input; len(input) > 0; {
		n := min(perFile, len(input))
		rec, kinds := c.batch(mem, schema, input[:n])
		input = input[n:]
		b, err := NewBuffer(BufferSpec{Schema: schema, Key: c.Columns[:1], Sequence: seq, SequenceDescending: desc, Engine: engine, Alloc: mem})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(rec, kinds, nil); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		run := &sliceRun{name: "file", rank: len(input)}
		defer run.release()
		if next, err = b.Flush(next, func(rec arrow.RecordBatch) error {
			rec.Retain()
			run.recs = append(run.recs, rec)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		runs = append(runs, run)
	}
	m, err := NewMerge(runs, MergeSpec{Schema: schema, Key: c.Columns[:1], Sequence: seq, SequenceDescending: desc,
		Engine: engine, Output: c.Columns, DropDeletes: true, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	out := collect(t, m)
	defer releaseAll(out)
	var got, expect []string
	for _, rec := range out {
		for i := range int(rec.NumRows()) {
			got = append(got, strings.Join(cellTexts(rec, 0, i), " "))
		}
	}
	for _, row := range want {
		var cells []string
		for _, v := range row[1:] {
			if v == nil {
				v = array.NullValueStr
			}
			cells = append(cells, fmt.Sprint(v))
		}
		expect = append(expect, strings.Join(cells, " "))
	}
	if !slices.Equal(got, expect) {
		t.Errorf("%d rows a file: got %q, want %q", perFile, got, expect)
	}
}

func (c *mergeCase) schema(t *testing.T) *arrow.Schema {
	var fields []arrow.Field
	for i, name := range c.Columns {
		f := arrow.Field{Name: name, Nullable: i > 0}
		switch c.Types[i] {
		case "INT":
			f.Type = arrow.PrimitiveTypes.Int32
		case "STRING":
			f.Type = arrow.BinaryTypes.String
		default:
			t.Fatalf("type %s", c.Types[i])
		}
		fields = append(fields, f)
	}
	return arrow.NewSchema(fields, nil)
}

// batch leaves out what the options keep from the buffer.
func (c *mergeCase) batch(mem memory.Allocator, s *arrow.Schema, input [][]any) (arrow.RecordBatch, []int8) {
	b := array.NewRecordBuilder(mem, s)
	defer b.Release()
	var kinds []int8
	for _, row := range input {
		kind := int8(slices.Index([]string{"+I", "-U", "+U", "-D"}, row[0].(string)))
		if c.option("ignore-delete") == "true" && mergeengine.Retracts(kind) || c.option("ignore-update-before") == "true" && kind == 1 {
			continue
		}
		kinds = append(kinds, kind)
		for i, v := range row[1:] {
			switch v := v.(type) {
			case nil:
				b.Field(i).AppendNull()
			case float64:
				b.Field(i).(*array.Int32Builder).Append(int32(v))
			case string:
				b.Field(i).(*array.StringBuilder).Append(v)
			}
		}
	}
	return b.NewRecordBatch(), kinds
}
