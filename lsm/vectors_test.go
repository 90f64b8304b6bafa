package lsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// mergeCase is what Paimon made of some rows. A result that is a text is the
// beginning of an error.
type mergeCase struct {
	Name    string
	Columns []string
	Types   []string
	Options string
	Input   [][]any
	EachRow json.RawMessage `json:"each_row"`
	AtOnce  json.RawMessage `json:"at_once"`
}

func (c *mergeCase) table(t *testing.T) (*schema.Table, *schema.Options) {
	t.Helper()
	def := schema.Definition{PrimaryKey: c.Columns[:1], Options: map[string]string{"bucket": "1"}}
	for i, name := range c.Columns {
		typ, err := schema.ParseType(c.Types[i])
		if err != nil {
			t.Fatal(err)
		}
		def.Columns = append(def.Columns, schema.Column{Name: name, Type: typ})
	}
	for _, o := range strings.Split(c.Options, ";") {
		if k, v, ok := strings.Cut(o, "="); ok {
			def.Options[k] = v
		}
	}
	sc, err := def.Table(0)
	if err != nil {
		t.Fatal(err)
	}
	options, err := schema.ParseOptions(sc.Options)
	if err != nil {
		t.Fatal(err)
	}
	return sc, options
}

// TestPaimonsResultsOfMerging replays recorded results. Two are beside the
// point: descending sequence fields, which up to 1.4 the write buffer ignored
// and merging did not, so what one flush gives is held against what files
// give; and first-row, whose rows show only after a compaction there.
func TestPaimonsResultsOfMerging(t *testing.T) {
	data, err := os.ReadFile("testdata/merge.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []mergeCase }
	if err := unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			sc, options := c.table(t)
			engine, err := mergeengine.New(sc, options)
			if errors.Is(err, fault.ErrUnsupported) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			replayed++
			atOnce := c.AtOnce
			if options.SequenceDescending {
				atOnce = c.EachRow
			}
			if options.MergeEngine == "first-row" {
				return
			}
			c.check(t, sc, options, engine, len(c.Input), atOnce)
			c.check(t, sc, options, engine, 1, c.EachRow)
		})
	}
	if replayed < len(file.Cases) {
		t.Errorf("only %d of %d cases", replayed, len(file.Cases))
	}
}

func unmarshal(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}

// check flushes perFile rows at a time and merges the results.
func (c *mergeCase) check(t *testing.T, sc *schema.Table, o *schema.Options, engine mergeengine.Engine, perFile int, want json.RawMessage) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	got, err := c.merge(t, mem, sc, o, engine, perFile)
	var rows [][]any
	if unmarshal(want, &rows) != nil {
		if !errors.Is(err, fault.ErrInvalid) {
			t.Errorf("%d rows a file: got %q and error %v, want %s", perFile, got, err, want)
		}
		return
	}
	if err != nil {
		t.Fatalf("%d rows a file: %v", perFile, err)
	}
	expect := c.lines(t, mem, sc, rows)
	if orderIsOpen(o) {
		got, expect = sortedArrays(t, got), sortedArrays(t, expect)
	}
	if !slices.Equal(got, expect) {
		t.Errorf("%d rows a file: got %q, want %q", perFile, got, expect)
	}
}

// orderIsOpen tells of functions whose elements come in the order of Java's
// hash tables there and in that of their first versions here.
func orderIsOpen(o *schema.Options) bool {
	for _, f := range o.Engine.Fields {
		switch f.Function {
		case "collect", "nested_update", "nested_partial_update":
			return true
		}
	}
	return false
}

func sortedArrays(t *testing.T, lines []string) (out []string) {
	t.Helper()
	for _, line := range lines {
		var v any
		if err := unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, text(t, sortArrays(t, v)))
	}
	return out
}

func sortArrays(t *testing.T, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = sortArrays(t, v[name])
		}
	case []any:
		slices.SortFunc(v, func(a, b any) int { return strings.Compare(text(t, a), text(t, b)) })
	}
	return v
}

func text(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (c *mergeCase) merge(t *testing.T, mem memory.Allocator, sc *schema.Table, o *schema.Options, engine mergeengine.Engine, perFile int) ([]string, error) {
	arrowSchema, err := schema.ArrowSchema(sc.Fields)
	if err != nil {
		t.Fatal(err)
	}
	var runs []Run
	next := int64(0)
	for input := c.Input; len(input) > 0; {
		n := min(perFile, len(input))
		rec, kinds := c.batch(t, mem, sc, o, input[:n])
		input = input[n:]
		if rec == nil {
			continue
		}
		b, err := NewBuffer(BufferSpec{Schema: arrowSchema, Key: c.Columns[:1], Sequence: o.SequenceFields, SequenceDescending: o.SequenceDescending, Engine: engine, Alloc: mem})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
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
			return nil, err
		}
		runs = append(runs, run)
	}
	m, err := NewMerge(runs, MergeSpec{Schema: arrowSchema, Key: c.Columns[:1], Sequence: o.SequenceFields, SequenceDescending: o.SequenceDescending,
		Engine: engine, Output: c.Columns, DropDeletes: true, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var lines []string
	for rec, err := range batches(m) {
		if err != nil {
			return nil, err
		}
		lines = append(lines, printed(t, sc, rec)...)
		rec.Release()
	}
	return lines, nil
}

// batch leaves out what the options keep from the buffer.
func (c *mergeCase) batch(t *testing.T, mem memory.Allocator, sc *schema.Table, o *schema.Options, input [][]any) (arrow.RecordBatch, []int8) {
	a, err := rowjson.NewAppender(sc.Fields, mem)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range input {
		kind, err := schema.ParseRowKind(row[0].(string))
		if err != nil {
			t.Fatal(err)
		}
		if o.IgnoreDelete && mergeengine.Retracts(int8(kind)) || o.IgnoreUpdateBefore && kind == 1 {
			continue
		}
		if err := a.Append(kind, row[1:]); err != nil {
			t.Fatal(err)
		}
	}
	return a.Flush()
}

// lines are rows as JSON.
func (c *mergeCase) lines(t *testing.T, mem memory.Allocator, sc *schema.Table, rows [][]any) []string {
	rec, _ := c.batch(t, mem, sc, &schema.Options{}, rows)
	if rec == nil {
		return nil
	}
	defer rec.Release()
	return printed(t, sc, rec)
}

func printed(t *testing.T, sc *schema.Table, rec arrow.RecordBatch) (lines []string) {
	e, err := rowjson.NewEncoder(sc.Fields)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Bind(rec); err != nil {
		t.Fatal(err)
	}
	for i := range int(rec.NumRows()) {
		lines = append(lines, string(e.AppendRow(nil, i)))
	}
	return lines
}
