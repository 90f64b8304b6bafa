package table_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/internal/rowjson"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// metaRun does the steps of a case with the engine and with the model.
type metaRun struct {
	metaCase
	random  *rand.Rand // of the reads
	store   store.Store
	parts   table.Components
	alloc   *memory.CheckedAllocator
	table   *table.Table
	writers []*table.Writer
	commits int
	model   *model.Table
	then    map[int64][]string // the rows of each snapshot
	dir     string             // of local files
}

// run does a case, and says where engine and model part, or why it could not go on.
func (c metaCase) run(dir string) (err error) {
	m := &metaRun{metaCase: c, random: rand.New(rand.NewPCG(c.Seed, 2)), store: store.NewMem(), then: map[int64][]string{}, dir: dir}
	m.alloc = memory.NewCheckedAllocator(memory.NewGoAllocator())
	m.parts = virtual(m.alloc)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	defer func() {
		err = errors.Join(err, m.close())
		if n := m.alloc.CurrentAlloc(); err == nil && n != 0 {
			err = fmt.Errorf("%d bytes of Arrow memory were not given back", n)
		}
	}()
	if err := m.create(); err != nil {
		return err
	}
	for i, s := range c.Steps {
		if err := m.step(s); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.Do, err)
		}
		if err := m.look(i == len(c.Steps)-1); err != nil {
			return fmt.Errorf("after step %d, %s: %w", i+1, s.Do, err)
		}
	}
	return m.end()
}

func (m *metaRun) create() error {
	sc, err := m.Table.schema(m.Config.Options)
	if err != nil {
		return err
	}
	m.model = model.New(sc)
	if err := table.Create(ctx, m.store, sc); err != nil {
		return err
	}
	m.table, err = m.open()
	m.writers = make([]*table.Writer, m.Config.Writers)
	return err
}

func (m *metaRun) open() (*table.Table, error) {
	return table.Open(ctx, m.store, "db.t", table.Settings{Parallel: m.Config.Parallel, TempDir: m.dir}, m.parts)
}

func (m *metaRun) close() error {
	var errs []error
	for i := range m.writers {
		errs = append(errs, m.closeWriter(i))
	}
	return errors.Join(errs...)
}

func (m *metaRun) closeWriter(i int) error {
	if m.writers[i] == nil {
		return nil
	}
	err := m.writers[i].Close()
	m.writers[i] = nil
	return err
}

// writer is the one whose turn it is.
func (m *metaRun) writer() (*table.Writer, error) {
	m.commits++
	i := m.commits % len(m.writers)
	if m.Config.Restart > 0 && m.commits%m.Config.Restart == 0 {
		if err := m.closeWriter(i); err != nil {
			return nil, err
		}
	}
	if m.writers[i] != nil {
		return m.writers[i], nil
	}
	tab, err := m.open()
	if err != nil {
		return nil, err
	}
	m.writers[i], err = tab.NewWriter(ctx, table.WriterOptions{User: fmt.Sprintf("w%d", i)})
	return m.writers[i], err
}

func (m *metaRun) step(s metaStep) error {
	switch s.Do {
	case "write":
		m.model.Write(s.Rows...)
		w, err := m.writer()
		if err != nil {
			return err
		}
		if err := m.give(w, s.Rows); err != nil {
			return err
		}
		return w.CommitNext(ctx)
	case "overwrite":
		m.model.Overwrite(s.Inside, s.Rows...)
		return m.overwrite(s)
	case "drop":
		m.model.Drop(s.Inside)
		c, err := m.committer()
		if err != nil {
			return err
		}
		if s.Inside == nil {
			return c.Truncate(ctx, 1)
		}
		return c.DropPartitions(ctx, 1, m.row(s.Inside))
	case "compact":
		tab, err := m.open()
		if err != nil {
			return err
		}
		_, err = tab.Compact(ctx, table.CompactOptions{Full: s.Full})
		return err
	case "alter":
		return m.alter(s)
	}
	return fmt.Errorf("no step %q", s.Do)
}

func (m *metaRun) committer() (*table.Committer, error) {
	tab, err := m.open()
	if err != nil {
		return nil, err
	}
	return tab.NewCommitter(ctx, "")
}

// give gives rows to a writer, some at a time.
func (m *metaRun) give(w *table.Writer, rows []string) error {
	for rows := range slices.Chunk(rows, 1+m.random.IntN(20)) {
		dec, err := rowjson.NewDecoder(m.table.Schema().Fields, rowjson.Options{Alloc: m.alloc})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := dec.Row([]byte(row)); err != nil {
				return err
			}
		}
		rec, kinds := dec.Flush()
		err = w.WriteKinds(ctx, rec, kinds)
		rec.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// overwrite writes with the writer whose turn it is, or with one that was
// opened for it, as dynamic buckets and lookups demand.
func (m *metaRun) overwrite(s metaStep) error {
	w, err := m.writer()
	if err != nil {
		return err
	}
	if m.hidden() || m.Config.Options["bucket"] == "-1" || m.random.IntN(2) == 0 {
		if w, err = m.table.NewWriter(ctx, table.WriterOptions{Overwrite: true}); err != nil {
			return err
		}
		defer w.Close()
	}
	if err := m.give(w, s.Rows); err != nil {
		return err
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		return err
	}
	c, err := m.committer()
	if err != nil {
		return err
	}
	return c.Overwrite(ctx, 1, m.row(s.Inside), msgs)
}

// row turns JSON partition values into Go values.
func (m *metaRun) row(inside map[string]string) table.Row {
	if inside == nil {
		return nil
	}
	row := table.Row{}
	for name, text := range inside {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			panic(err)
		}
		switch x := v.(type) {
		case float64:
			v = int64(x)
		case string:
			if f, _ := m.table.Schema().Field(name); f.Type.Kind == schema.Date {
				v = date(x)
			}
		}
		row[name] = v
	}
	return row
}

// hidden tells that rows are seen only once they are compacted.
func (m *metaRun) hidden() bool {
	return m.model.Schema.Options["merge-engine"] == "first-row" || m.Config.Options["deletion-vectors.enabled"] == "true"
}

// look compares the newest rows, and at the end more ways to read.
func (m *metaRun) look(last bool) error {
	if m.hidden() {
		if _, err := m.table.Compact(ctx, table.CompactOptions{}); err != nil {
			return err
		}
	}
	rows, err := m.model.Rows()
	if err != nil {
		return fmt.Errorf("the model: %w", err)
	}
	snap, err := m.table.Snapshots().Latest(ctx)
	if err != nil {
		return err
	}
	if snap != nil && m.then[snap.ID] == nil { // an alteration makes no snapshot
		m.then[snap.ID] = m.lines(rows, m.model.Schema.Fields)
	}
	if !last && m.random.IntN(2) == 0 {
		return nil
	}
	if m.table, err = m.open(); err != nil {
		return err
	}
	if err := m.compare("rows", table.ScanOptions{}, rows); err != nil {
		return err
	}
	if err := m.get(rows); err != nil || !last {
		return err
	}
	for range 3 {
		where, keeps := drawFilter(m.random, m.model.Schema)
		kept := slices.DeleteFunc(slices.Clone(rows), func(row map[int]any) bool { return keeps(row) != yes })
		if err := m.compare("WHERE "+where, table.ScanOptions{Where: where}, kept); err != nil {
			return err
		}
		o := table.ScanOptions{Columns: m.someColumns()}
		if m.random.IntN(2) == 0 {
			o.Where = where
		} else {
			kept = rows
		}
		if err := m.compare(fmt.Sprintf("%q WHERE %s", o.Columns, o.Where), o, kept); err != nil {
			return err
		}
	}
	return nil
}

func (m *metaRun) someColumns() []string {
	var names []string
	for _, f := range m.model.Schema.Fields {
		if m.random.IntN(2) == 0 {
			names = append(names, f.Name)
		}
	}
	m.random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	if names == nil {
		return []string{m.model.Schema.Fields[0].Name}
	}
	return names
}

// lines are rows of the model as sorted text.
func (m *metaRun) lines(rows []map[int]any, fields []schema.Field) []string {
	return modelLines(m.model, rows, fields...)
}

// modelLines are rows of a model as sorted text, of all columns if none are given.
func modelLines(m *model.Table, rows []map[int]any, fields ...schema.Field) []string {
	if fields == nil {
		fields = m.Schema.Fields
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = m.Line(row, fields)
	}
	slices.Sort(out)
	return out
}

// compare scans and counts.
func (m *metaRun) compare(what string, o table.ScanOptions, want []map[int]any) error {
	fields := m.model.Schema.Fields
	if o.Columns != nil {
		fields, _ = m.model.Schema.FieldsByName(o.Columns)
	}
	if err := m.same(what, o, m.lines(want, fields)); err != nil {
		return err
	}
	s, err := m.table.Scan(ctx, o)
	if err != nil {
		return err
	}
	if n, err := s.Count(ctx); err != nil || n != int64(len(want)) {
		return fmt.Errorf("%s: count is %d, %w; want %d", what, n, err, len(want))
	}
	return nil
}

// same scans and compares with lines of the model.
func (m *metaRun) same(what string, o table.ScanOptions, want []string) error {
	o.BatchRows = m.Config.BatchRows
	got, err := scanLines(ctx, m.table, o)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	s, err := m.table.Scan(ctx, o)
	if err != nil {
		return err
	}
	for i, line := range got {
		got[i] = m.normal(s.Fields(), line)
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" && strings.Join(want, "") != strings.Join(got, "") {
		return fmt.Errorf("%s (-model +engine):\n%s", what, d)
	}
	return nil
}

// end travels through all snapshots and checks the table.
func (m *metaRun) end() error {
	report, err := m.table.Check(ctx, nil)
	if err != nil || len(report.Problems) > 0 {
		return fmt.Errorf("check: %v, %w", report.Problems, err)
	}
	ids := slices.Sorted(maps.Keys(m.then))
	for s, err := range m.table.Snapshots().All(ctx) {
		if err != nil {
			return err
		}
		i, exact := slices.BinarySearch(ids, s.ID)
		if m.hidden() && !exact {
			continue
		}
		if !exact && (i == 0 || s.CommitKind != "COMPACT") {
			i = min(i+1, len(ids)) // the first of two snapshots of one commit
		} else if exact {
			i++
		}
		if err := m.same(fmt.Sprintf("snapshot %d", s.ID), table.ScanOptions{Snapshot: s.ID}, m.then[ids[i-1]]); err != nil {
			return err
		}
	}
	return nil
}

// alter changes the schema; writers are opened anew after it.
func (m *metaRun) alter(s metaStep) error {
	if err := s.alter(m.model); err != nil {
		return err
	}
	changes, err := schema.ParseChange(s.Change[0], s.Change[1])
	if err != nil {
		return err
	}
	if _, err := m.table.Alter(ctx, changes...); err != nil {
		return err
	}
	for i := range m.writers {
		if err := m.closeWriter(i); err != nil {
			return err
		}
	}
	m.table, err = m.open()
	return err
}

// get asks for keys one by one: those of the model's rows and some others.
func (m *metaRun) get(rows []map[int]any) error {
	look, err := m.table.NewLookup(ctx, table.LookupOptions{Dir: m.dir})
	if err != nil {
		return err
	}
	want := map[string]string{}
	for _, row := range rows {
		_, key := m.model.Place(row)
		want[key] = m.model.Line(row, m.model.Schema.Fields)
	}
	var asked []string
	for _, s := range m.Steps {
		asked = append(asked, s.Rows...)
	}
	m.random.Shuffle(len(asked), func(i, j int) { asked[i], asked[j] = asked[j], asked[i] })
	asked = asked[:min(len(asked), 30)]
	if len(asked) > 0 {
		err = m.ask(look, asked, want)
	}
	return errors.Join(err, look.Close())
}

// ask looks up the keys of rows that were written at some time.
func (m *metaRun) ask(look *table.Lookup, asked []string, want map[string]string) error {
	dec, err := rowjson.NewDecoder(look.KeyFields(), rowjson.Options{Alloc: m.alloc})
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, f := range look.KeyFields() {
		names[f.Name] = true
	}
	var keys []string
	for _, row := range asked {
		var cells map[string]json.RawMessage
		if err := json.Unmarshal([]byte(row), &cells); err != nil {
			return err
		}
		maps.DeleteFunc(cells, func(name string, _ json.RawMessage) bool { return !names[name] })
		text, err := json.Marshal(cells)
		if err != nil {
			return err
		}
		if err := dec.Row(text); err != nil {
			return err
		}
		_, decoded := model.New(&schema.Table{Fields: look.KeyFields()}).Decode(string(text))
		_, key := m.model.Place(decoded)
		keys = append(keys, key)
	}
	rec, _ := dec.Flush()
	defer rec.Release()
	found, err := look.GetBatch(ctx, rec)
	if err != nil {
		return err
	}
	defer found.Release()
	enc, err := rowjson.NewEncoder(look.Fields())
	if err != nil {
		return err
	}
	if err := enc.Bind(found.Batch); err != nil {
		return err
	}
	for i, at := range found.At {
		got := ""
		if at >= 0 {
			got = m.normal(look.Fields(), string(enc.AppendRow(nil, int(at))))
		}
		if got != want[keys[i]] {
			return fmt.Errorf("get %s: %s, want %s", keys[i], got, want[keys[i]])
		}
	}
	return nil
}

// normal prints a row of the engine as the model prints its own.
func (m *metaRun) normal(fields []schema.Field, line string) string {
	sc := &schema.Table{Fields: fields, Options: maps.Clone(m.model.Schema.Options)}
	delete(sc.Options, "rowkind.field") // which the columns may leave out
	t := model.New(sc)
	_, row := t.Decode(line)
	return t.Line(row, fields)
}
