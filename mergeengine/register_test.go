package mergeengine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

var ctx = context.Background()

func defined(t *testing.T, definition string) *schema.Table {
	t.Helper()
	def, err := schema.ParseDefinition([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	sc, err := def.Table(0)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// made is a table whose every batch of arrow arrays is accounted for.
func made(t *testing.T, definition string) *table.Table {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	st := store.NewMem()
	if err := table.Create(ctx, st, defined(t, definition)); err != nil {
		t.Fatal(err)
	}
	tab, err := table.Open(ctx, st, "t", table.Settings{}, table.Components{Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// commit writes lines of JSON as one commit.
func commit(t *testing.T, tab *table.Table, lines ...string) error {
	t.Helper()
	w, err := tab.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	dec, err := rowjson.NewDecoder(tab.Schema().Fields, rowjson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if err := dec.Row([]byte(l)); err != nil {
			t.Fatal(err)
		}
	}
	rec, kinds := dec.Flush()
	defer rec.Release()
	if err := w.WriteKinds(ctx, rec, kinds); err != nil {
		return err
	}
	return w.CommitNext(ctx)
}

func rows(t *testing.T, tab *table.Table) (lines []string) {
	t.Helper()
	s, err := tab.Scan(ctx, table.ScanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	enc, err := rowjson.NewEncoder(s.Fields())
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := range s.Batches(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Bind(rec); err != nil {
			t.Fatal(err)
		}
		for r := range int(rec.NumRows()) {
			lines = append(lines, strings.TrimSpace(string(enc.AppendRow(nil, r))))
		}
	}
	slices.Sort(lines)
	return lines
}

func expect(t *testing.T, tab *table.Table, want ...string) {
	t.Helper()
	if got := rows(t, tab); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// trail writes down what it is asked to do.
type trail struct{ steps []string }

func (a *trail) Reset() { a.steps = nil }

func (a *trail) note(verb string, col arrow.Array, row int) error {
	if text := col.(*array.String).Value(row); text == "no" {
		return errors.New("it says no")
	} else if col.IsValid(row) {
		a.steps = append(a.steps, verb+text)
	}
	return nil
}

func (a *trail) Add(col arrow.Array, row int) error     { return a.note("", col, row) }
func (a *trail) AddLate(col arrow.Array, row int) error { return a.note("<", col, row) }
func (a *trail) Retract(col arrow.Array, row int) error { return a.note("-", col, row) }

func (a *trail) Append(b array.Builder) error {
	b.(*array.StringBuilder).Append(strings.Join(a.steps, " "))
	return nil
}

// plain is a trail that cannot take anything back and knows nothing of late values.
type plain struct{ mergeengine.Aggregator }

// twice appends two values.
type twice struct{ trail }

func (a *twice) Append(b array.Builder) error {
	return errors.Join(a.trail.Append(b), a.trail.Append(b))
}

var names atomic.Int64

// fresh is a name that nothing has.
func fresh() string { return fmt.Sprintf("test.fresh-%d", names.Add(1)) }

// register adds test functions once.
var register = sync.OnceValue(func() error {
	text := func(a mergeengine.Aggregator) func(schema.Field) (mergeengine.Aggregator, error) {
		return func(schema.Field) (mergeengine.Aggregator, error) { return a, nil }
	}
	return errors.Join(
		mergeengine.RegisterAggregate("test.trail", func(schema.Field) (mergeengine.Aggregator, error) { return &trail{}, nil }),
		mergeengine.RegisterAggregate("test.plain", func(schema.Field) (mergeengine.Aggregator, error) { return plain{&trail{}}, nil }),
		mergeengine.RegisterAggregate("test.twice", text(&twice{})),
		mergeengine.RegisterAggregate("test.first-letter", mergeengine.FoldOf(func(acc, in string) string { return min(acc, in) })),
		mergeengine.RegisterAggregate("test.join", mergeengine.FoldOf(func(acc, in []byte) []byte { return append(append([]byte{}, acc...), in...) })),
		mergeengine.RegisterAggregate("test.day", mergeengine.FoldOf(func(acc, in arrow.Date32) arrow.Date32 { return max(acc, in) })),
		mergeengine.RegisterEngine("test.mixed", newMixed),
	)
})

func aggregated(t *testing.T, function, typ string, options ...string) *table.Table {
	t.Helper()
	if err := register(); err != nil {
		t.Fatal(err)
	}
	return made(t, fmt.Sprintf(`
columns: [{name: k, type: INT NOT NULL}, {name: v, type: %q}]
primary-key: [k]
options: {bucket: 1, write-only: true, merge-engine: aggregation, fields.v.aggregate-function: %s%s}`, typ, function, strings.Join(options, "")))
}

func TestARegisteredFunctionFoldsInBuffersAndFiles(t *testing.T) {
	tab := aggregated(t, "test.trail", "STRING")
	for _, lines := range [][]string{
		{`{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`, `{"k":2,"v":"x"}`},
		{`{"k":1,"v":"c"}`, `{"k":1,"v":null}`, `{"_kind":"-D","k":1,"v":"b"}`},
	} {
		if err := commit(t, tab, lines...); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, tab, `{"k":1,"v":"a b c -b"}`, `{"k":2,"v":"x"}`)
}

func TestAFunctionWithoutRetractionRefusesItByName(t *testing.T) {
	lines := []string{`{"k":1,"v":"a"}`, `{"_kind":"-D","k":1,"v":"b"}`}
	err := commit(t, aggregated(t, "test.plain", "STRING"), lines...)
	if !errors.Is(err, table.ErrInvalid) || !strings.Contains(err.Error(), "test.plain") || !strings.Contains(err.Error(), "column v") {
		t.Errorf("%v", err)
	}
	tab := aggregated(t, "test.plain", "STRING", ", fields.v.ignore-retract: true")
	if err := commit(t, tab, lines...); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, `{"k":1,"v":"a"}`)
}

func TestFailuresOfAFunctionNameColumnAndFunction(t *testing.T) {
	for function, line := range map[string]string{"test.trail": `{"k":1,"v":"no"}`, "test.twice": `{"k":1,"v":"b"}`} {
		err := commit(t, aggregated(t, function, "STRING"), `{"k":1,"v":"a"}`, line)
		if !errors.Is(err, table.ErrInvalid) || !strings.Contains(err.Error(), function) || !strings.Contains(err.Error(), "column v") {
			t.Errorf("%s: %v", function, err)
		}
	}
}

func TestAFoldOfTwoValuesTakesItsTypeOnly(t *testing.T) {
	days := aggregated(t, "test.day", "DATE")
	if err := commit(t, days, `{"k":1,"v":"2024-02-01"}`, `{"k":1,"v":null}`, `{"k":1,"v":"2024-01-31"}`, `{"k":2,"v":null}`, `{"k":2,"v":null}`); err != nil {
		t.Fatal(err)
	}
	expect(t, days, `{"k":1,"v":"2024-02-01"}`, `{"k":2,"v":null}`)
	bytes := aggregated(t, "test.join", "BYTES")
	if err := commit(t, bytes, `{"k":1,"v":"61"}`, `{"k":1,"v":"62"}`); err != nil {
		t.Fatal(err)
	}
	expect(t, bytes, `{"k":1,"v":"6162"}`)
	sc := defined(t, `{columns: [{name: k, type: INT NOT NULL}, {name: v, type: INT}], primary-key: [k],
options: {bucket: 1, merge-engine: aggregation, fields.v.aggregate-function: test.day}}`)
	err := table.Create(ctx, store.NewMem(), sc)
	if !errors.Is(err, table.ErrInvalid) || !strings.Contains(err.Error(), "INT") || !strings.Contains(err.Error(), "arrow.Date32") {
		t.Errorf("a fold of dates over INT: %v", err)
	}
}

func TestSequenceGroupsTellAFunctionOfLateValues(t *testing.T) {
	if err := register(); err != nil {
		t.Fatal(err)
	}
	for function, want := range map[string]string{"test.trail": "a <b c", "test.plain": "a b c"} {
		tab := made(t, `
columns: [{name: k, type: INT NOT NULL}, {name: s, type: INT}, {name: v, type: STRING}]
primary-key: [k]
options: {bucket: 1, write-only: true, merge-engine: partial-update, fields.s.sequence-group: v, fields.v.aggregate-function: `+function+`}`)
		if err := commit(t, tab, `{"k":1,"s":2,"v":"a"}`, `{"k":1,"s":1,"v":"b"}`, `{"k":1,"s":3,"v":"c"}`); err != nil {
			t.Fatal(err)
		}
		expect(t, tab, `{"k":1,"s":3,"v":"`+want+`"}`)
	}
}

func TestNamesThatAreNotRegisteredAreRefusedWithWhatToDo(t *testing.T) {
	for option, call := range map[string]string{
		"merge-engine: aggregation, fields.v.aggregate-function: nobody.knows": "RegisterAggregate",
		"merge-engine: nobody.knows": "RegisterEngine",
	} {
		sc := defined(t, `{columns: [{name: k, type: INT NOT NULL}, {name: v, type: INT}], primary-key: [k], options: {bucket: 1, `+option+`}}`)
		st := store.NewMem()
		err := table.Create(ctx, st, sc)
		if !errors.Is(err, table.ErrUnsupported) || !strings.Contains(err.Error(), "nobody.knows") || !strings.Contains(err.Error(), call) {
			t.Errorf("create: %v", err)
		}
		data, err := sc.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if err := st.CreateIfAbsent(ctx, "schema/schema-0", data); err != nil {
			t.Fatal(err)
		}
		_, err = table.Open(ctx, st, "t", table.Settings{}, table.Components{})
		if !errors.Is(err, table.ErrUnsupported) || !strings.Contains(err.Error(), "nobody.knows") || !strings.Contains(err.Error(), call) {
			t.Errorf("open: %v", err)
		}
	}
}

func TestNamesAreOnesOwnAndTakenOnce(t *testing.T) {
	fold := mergeengine.FoldOf(func(acc, _ int32) int32 { return acc })
	engine := func(*schema.Table) (mergeengine.RowMerger, error) { return nil, nil }
	for _, name := range []string{"", "sum", "mine", ".mine", "mine.", "my own.sum", "a.b,c"} {
		if err := mergeengine.RegisterAggregate(name, fold); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("function %q: %v", name, err)
		}
		if err := mergeengine.RegisterEngine(name, engine); !errors.Is(err, table.ErrInvalid) {
			t.Errorf("engine %q: %v", name, err)
		}
	}
	name := fresh()
	if err := mergeengine.RegisterAggregate(name, fold); err != nil {
		t.Error(err)
	}
	if err := mergeengine.RegisterAggregate(name, fold); !errors.Is(err, table.ErrExists) {
		t.Errorf("registered again: %v", err)
	}
	if err := mergeengine.RegisterEngine(name, engine); err != nil {
		t.Errorf("an engine of a function's name: %v", err)
	}
}

func TestNothingIsNoFunctionToRegister(t *testing.T) {
	for _, err := range []error{mergeengine.RegisterAggregate("test.nothing", nil), mergeengine.RegisterEngine("test.nothing", nil)} {
		if !errors.Is(err, table.ErrInvalid) || !strings.Contains(err.Error(), "test.nothing") {
			t.Errorf("registered: %v", err)
		}
	}
}

func TestRegisteringIsSafeBesideOpening(t *testing.T) {
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				name := fresh()
				if err := mergeengine.RegisterAggregate(name, mergeengine.FoldOf(func(acc, in int32) int32 { return acc + in })); err != nil {
					t.Error(err)
				}
				tab := made(t, `{columns: [{name: k, type: INT NOT NULL}, {name: v, type: INT}], primary-key: [k],
options: {bucket: 1, merge-engine: aggregation, fields.v.aggregate-function: `+name+`}}`)
				if tab.Schema() == nil {
					t.Error("no table")
				}
			}
		})
	}
	all.Wait()
}
