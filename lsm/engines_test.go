package lsm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/mergeengine"
	"github.com/tidelake/tidelake/schema"
)

// foldRow is a version of a row for the model of the folding engines.
type foldRow struct {
	key, seq []any
	number   int64
	kind     int8
	rank     int
	cells    []modelCell
}

// compare orders the versions of a key.
func (r foldRow) compare(o foldRow, desc bool) int {
	return cmp.Or(compareSeq(r.seq, o.seq, desc), cmp.Compare(r.number, o.number), cmp.Compare(o.rank, r.rank))
}

// mergeAll merges versions key by key.
func (e *modelEngine) mergeAll(rows []foldRow, desc bool) (out []foldRow, err error) {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b foldRow) int { return cmp.Or(compareKeys(a.key, b.key), a.compare(b, desc)) })
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && compareKeys(rows[0].key, rows[n].key) == 0 {
			n++
		}
		row, err := e.merge(rows[:n])
		if err != nil {
			return nil, err
		}
		out, rows = append(out, row), rows[n:]
	}
	return out, nil
}

// newEngine gives the world's columns random roles in a random engine.
func (w *world) newEngine(t testing.TB) *modelEngine {
	t.Helper()
	options := map[string]string{"merge-engine": []string{"aggregation", "partial-update"}[w.rng.IntN(2)], "bucket": "1"}
	sc := &schema.Table{PrimaryKeys: w.key, Options: options}
	var free []string
	for i, f := range w.schema.Fields() {
		typ, err := schema.FromArrow(f.Type, f.Nullable)
		if err != nil {
			t.Fatal(err)
		}
		sc.Fields = append(sc.Fields, schema.Field{ID: i, Name: f.Name, Type: typ})
		if !slices.Contains(w.key, f.Name) && !slices.Contains(w.seq, f.Name) {
			free = append(free, f.Name)
		}
	}
	if len(w.seq) > 0 {
		options["sequence.field"] = strings.Join(w.seq, ",")
	}
	if options["merge-engine"] == "aggregation" {
		if w.rng.IntN(3) == 0 {
			options["aggregation.remove-record-on-delete"] = "true"
		}
		for _, name := range free {
			w.function(sc, options, name)
		}
	} else {
		w.partialOptions(sc, options, free)
	}
	return w.engineOf(t, sc)
}

func (w *world) engineOf(t testing.TB, sc *schema.Table) *modelEngine {
	t.Helper()
	o, err := schema.ParseOptions(sc.Options)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := mergeengine.New(sc, o)
	if err != nil {
		t.Fatalf("%v: %v", sc.Options, err)
	}
	return &modelEngine{sc, o, w.schema, engine}
}

func (w *world) partialOptions(sc *schema.Table, options map[string]string, free []string) {
	var sequence, data []string
	for _, name := range free {
		f, _ := sc.Field(name)
		if !f.Type.Kind.Nested() && w.rng.IntN(2) == 0 {
			sequence = append(sequence, name)
		} else {
			data = append(data, name)
		}
	}
	if len(sequence) == 0 || len(data) == 0 || w.rng.IntN(3) == 0 {
		options[[]string{"ignore-delete", "partial-update.remove-record-on-delete", "x"}[w.rng.IntN(3)]] = "true"
		return
	}
	n := 1 + w.rng.IntN(len(sequence))
	groups := [][2][]string{{sequence[:n], nil}, {sequence[n:], nil}}
	for _, name := range data {
		g := w.rng.IntN(3)
		if g == 2 || len(groups[g][0]) == 0 {
			continue
		}
		groups[g][1] = append(groups[g][1], name)
		if w.rng.IntN(2) == 0 {
			w.function(sc, options, name)
		}
	}
	for _, g := range groups {
		if len(g[1]) == 0 {
			continue
		}
		options["fields."+strings.Join(g[0], ",")+".sequence-group"] = strings.Join(g[1], ",")
		if w.rng.IntN(3) == 0 {
			options["partial-update.remove-record-on-sequence-group"] = g[0][w.rng.IntN(len(g[0]))]
		}
	}
	if w.rng.IntN(4) == 0 && options["partial-update.remove-record-on-sequence-group"] == "" {
		options["ignore-delete"] = "true"
	}
}

// function gives a column a function that takes its type.
func (w *world) function(sc *schema.Table, options map[string]string, name string) {
	f, _ := sc.Field(name)
	names := []string{"last_value", "last_non_null_value", "first_value", "first_non_null_value"}
	switch k := f.Type.Kind; {
	case k == schema.Boolean:
		names = append(names, "bool_and", "bool_or")
	case slices.Contains([]schema.Kind{schema.TinyInt, schema.SmallInt, schema.Int, schema.BigInt, schema.Float, schema.Double, schema.Decimal}, k):
		names = append(names, "sum", "product", "sum", "max", "min")
	case !k.Nested():
		names = append(names, "max", "min")
	}
	options["fields."+name+".aggregate-function"] = names[w.rng.IntN(len(names))]
	if options["aggregation.remove-record-on-delete"] == "" && w.rng.IntN(3) > 0 {
		options["fields."+name+".ignore-retract"] = "true"
	}
}

// foldRows makes random rows and adds them to b.
func (w *world) foldRows(t testing.TB, b *Buffer, firstSeq int64, retracts int) (rows []foldRow) {
	t.Helper()
	for range 1 + w.rng.IntN(4) {
		rec, values := w.batch([]int{1, 10, 100}[w.rng.IntN(3)])
		kinds := make([]int8, rec.NumRows())
		for i := range kinds {
			kinds[i] = int8(w.rng.IntN(2) * 2)
			if retracts > 0 && w.rng.IntN(retracts) == 0 {
				kinds[i] = int8(1 + w.rng.IntN(2)*2)
			}
		}
		if retracts == 0 && w.rng.IntN(2) == 0 {
			kinds = nil
		}
		if err := b.Add(rec, kinds, nil); err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			r := foldRow{number: firstSeq + int64(len(rows))}
			if kinds != nil {
				r.kind = kinds[i]
			}
			for c, text := range cellTexts(rec, 0, i) {
				cell := modelCell{values[i][c], text}
				if rec.Column(c).IsNull(i) {
					cell = nullCell
				} else if cell.v == nil {
					cell.v = text // nested
				} else if raw, ok := cell.v.([]byte); ok {
					cell.v = string(raw)
				}
				r.cells = append(r.cells, cell)
			}
			for _, k := range w.key {
				r.key = append(r.key, values[i][w.schema.FieldIndices(k)[0]])
			}
			for _, k := range w.seq {
				r.seq = append(r.seq, r.cells[w.schema.FieldIndices(k)[0]].v)
			}
			rows = append(rows, r)
		}
		rec.Release()
	}
	return rows
}

func TestFoldsAreWhatTheRowAtATimeModelSays(t *testing.T) {
	for seed := range uint64(150) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			checkFold(t, newWorld(seed+1000, mem))
		})
	}
}

// Deletes that are ignored and stand alone count as none: the row that is left of
// them has no number, as Java's has, and comes before all others.
func TestWhatIsLeftOfIgnoredDeletesComesFirst(t *testing.T) {
	for _, seed := range []uint64{1002041, 1002728} {
		checkFold(t, newWorld(seed, memory.DefaultAllocator))
	}
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	w := &world{schema: tinySchema}
	e := w.engineOf(t, &schema.Table{PrimaryKeys: []string{"k"}, Options: map[string]string{"bucket": "1", "merge-engine": "partial-update", "ignore-delete": "true"},
		Fields: []schema.Field{{ID: 0, Name: "k", Type: schema.Type{Kind: schema.BigInt}}, {ID: 1, Name: "v", Type: schema.Type{Kind: schema.VarChar, Length: schema.MaxLength, Nullable: true}}}})
	b, err := NewBuffer(BufferSpec{Schema: tinySchema, Key: []string{"k"}, OmitKeys: true, Engine: e.engine, Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	deletes := stored(t, mem, "1 1 0 a", "1 2 0 b", "2 3 0 c")
	defer deletes.Release()
	rows := array.NewRecordBatch(tinySchema, deletes.Columns()[:2], 3)
	defer rows.Release()
	if err := b.Add(rows, []int8{3, 3, 3}, nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	if _, err := b.Flush(7, func(rec arrow.RecordBatch) error {
		for i := range int(rec.NumRows()) {
			got = append(got, fmt.Sprint(cellTexts(rec, 0, i)))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"[0 3 1 a]", "[9 3 2 c]"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzFolds(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		checkFold(t, newWorld(seed, mem))
	})
}

// checkFold flushes buffers and merges what they give; where the model takes
// the rows, so must the engine, and where it does not, there must be an error.
func checkFold(t testing.TB, w *world) {
	e := w.newEngine(t)
	spec := w.bufferSpec()
	spec.OmitKeys, spec.Engine = true, e.engine
	retracts := []int{0, 0, 4, 12}[w.rng.IntN(4)]
	var runs []Run
	var stored []foldRow
	next := int64(0)
	count := 1 + w.rng.IntN(5)
	for i := range count {
		b, err := NewBuffer(spec)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		rows := w.foldRows(t, b, next, retracts)
		rows, expect := e.mergeAll(rows, w.desc)
		run := &sliceRun{name: fmt.Sprint("run ", i), rank: count - i}
		defer run.release()
		if next, err = b.Flush(next, func(rec arrow.RecordBatch) error {
			w.cut(run, rec)
			return nil
		}); (err == nil) != (expect == nil) {
			t.Fatalf("%v: flush: %v, the model %v", e.table.Options, err, expect)
		}
		if err != nil {
			if !errors.Is(err, fault.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for j := range rows {
			rows[j].rank = count - i
		}
		w.checkFolded(t, e, run.recs, rows, nil)
		stored = append(stored, rows...)
		runs = append(runs, run)
	}
	w.mergeFolded(t, e, runs, stored)
}

func (w *world) mergeFolded(t testing.TB, e *modelEngine, runs []Run, stored []foldRow) {
	t.Helper()
	want, expect := e.mergeAll(stored, w.desc)
	drop := w.rng.IntN(2) == 0
	if drop {
		want = slices.DeleteFunc(want, func(r foldRow) bool { return mergeengine.Retracts(r.kind) })
	}
	names := []string{}
	for _, f := range w.schema.Fields() {
		if w.rng.IntN(4) > 0 {
			names = append(names, f.Name)
		}
	}
	spec := MergeSpec{Schema: w.schema, Key: w.key, Sequence: w.seq, SequenceDescending: w.desc, Engine: e.engine,
		Output: names, WithSequence: true, WithKind: true, DropDeletes: drop,
		BatchRows: []int{0, 1, 10, 200}[w.rng.IntN(4)], Parallel: w.rng.IntN(4), Alloc: w.mem}
	runs, release := w.joinSome(t, runs, &spec)
	defer release()
	m, err := NewMerge(runs, spec)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var out []arrow.RecordBatch
	defer func() { releaseAll(out) }()
	for rec, err := range batches(m) {
		if err != nil {
			if expect == nil || !errors.Is(err, fault.ErrInvalid) {
				t.Fatalf("%v: %v", e.table.Options, err)
			}
			return
		}
		out = append(out, rec)
	}
	// A column that is left out cannot fail.
	if expect == nil {
		w.checkFolded(t, e, out, want, names)
	} else if len(names) == w.schema.NumFields() {
		t.Fatalf("%v: no error", e.table.Options)
	}
}

// checkFolded compares stored rows with the model's; names are the columns
// that they have, nil for all.
func (w *world) checkFolded(t testing.TB, e *modelEngine, recs []arrow.RecordBatch, want []foldRow, names []string) {
	t.Helper()
	at := 0
	for _, rec := range recs {
		seqs, kinds := rec.Column(0).(*array.Int64), rec.Column(1).(*array.Int8)
		for i := range int(rec.NumRows()) {
			if at >= len(want) {
				t.Fatalf("%v: more than the %d rows of the model", e.table.Options, len(want))
			}
			m := want[at]
			at++
			var cells []string
			for c, f := range w.schema.Fields() {
				if names == nil || slices.Contains(names, f.Name) {
					cells = append(cells, m.cells[c].text)
				}
			}
			if got := cellTexts(rec, 2, i); !slices.Equal(got, cells) || seqs.Value(i) != m.number || kinds.Value(i) != m.kind {
				t.Fatalf("%v\nrow %d: got %v #%d kind %d, model has %v #%d kind %d", e.table.Options, at-1, got, seqs.Value(i), kinds.Value(i), cells, m.number, m.kind)
			}
		}
	}
	if at != len(want) {
		t.Fatalf("%v: %d rows, model has %d", e.table.Options, at, len(want))
	}
}
