package table_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// evolve publishes the next schema as an ALTER would.
func evolve(t *testing.T, st store.Store, change func(sc *schema.Table)) *table.Table {
	t.Helper()
	old := reopen(t, st).Schema()
	data, err := old.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	sc, err := schema.ParseTable(data)
	if err != nil {
		t.Fatal(err)
	}
	sc.ID++
	change(sc)
	if data, err = sc.Marshal(); err != nil {
		t.Fatal(err)
	}
	if err := st.CreateIfAbsent(ctx, fmt.Sprintf("schema/schema-%d", sc.ID), data); err != nil {
		t.Fatal(err)
	}
	return reopen(t, st)
}

func parsed(t *testing.T, text string) schema.Type {
	t.Helper()
	typ, err := schema.ParseType(text)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// retype changes a column's type.
func retype(t *testing.T, name, text string) func(sc *schema.Table) {
	return func(sc *schema.Table) { sc.Fields[sc.Index(name)].Type = parsed(t, text) }
}

const evolving = `
columns: [{name: k, type: INT NOT NULL}, {name: a, type: INT}, {name: s, type: STRING}]
primary-key: [k]
options: {bucket: 1}`

func TestColumnsAreFoundByIDAcrossSchemas(t *testing.T) {
	for _, key := range []bool{true, false} {
		yaml := evolving
		if !key {
			yaml = "columns: [{name: k, type: INT NOT NULL}, {name: a, type: INT}, {name: s, type: STRING}]\noptions: {bucket: -1}"
		}
		st := store.NewMem()
		create(t, st, yaml)
		load(t, reopen(t, st), `{"k":1,"a":10,"s":"one"}`, `{"k":2,"a":20,"s":"two"}`)

		// s is renamed and moved to the front, a is dropped, another a is added.
		tab := evolve(t, st, func(sc *schema.Table) {
			sc.Fields = []schema.Field{sc.Fields[2], sc.Fields[0], {ID: 3, Name: "a", Type: parsed(t, "DOUBLE")}}
			sc.Fields[0].Name, sc.HighestFieldID = "text", 3
		})
		expect(t, tab, table.ScanOptions{}, `{"text":"one","k":1,"a":null}`, `{"text":"two","k":2,"a":null}`)
		load(t, tab, `{"k":2,"text":"zwei","a":2.5}`, `{"k":3,"text":"drei","a":10}`)
		want := []string{`{"text":"one","k":1,"a":null}`, `{"text":"zwei","k":2,"a":2.5}`, `{"text":"drei","k":3,"a":10}`}
		if !key {
			want = append(want, `{"text":"two","k":2,"a":null}`)
		}
		expect(t, tab, table.ScanOptions{}, want...)
		// Filters use today's columns, and never the statistics of the dropped one.
		expect(t, tab, table.ScanOptions{Where: "a = 10", Columns: []string{"k"}}, `{"k":3}`)
		expect(t, tab, table.ScanOptions{Where: "text = 'one'", Columns: []string{"k"}}, `{"k":1}`)
		expect(t, tab, table.ScanOptions{Where: "a IS NULL AND k < 2", Columns: []string{"text"}}, `{"text":"one"}`)
		// The first snapshot is read as it was.
		expect(t, tab, table.ScanOptions{Snapshot: 1, Where: "a = 10"}, `{"k":1,"a":10,"s":"one"}`)
		sound(t, tab)
	}
}

func TestWidenedTypesReadOldFiles(t *testing.T) {
	for _, c := range []struct{ from, to, old, read, added, where string }{
		{"TINYINT", "SMALLINT", "-5", "-5", "300", "v < 0"},
		{"SMALLINT", "INT", "-5", "-5", "100000", "v < 0"},
		{"INT", "BIGINT", "-5", "-5", "10000000000", "v < 0"},
		{"FLOAT", "DOUBLE", "1.5", "1.5", "0.1", "v > 1"},
		{"VARCHAR(3)", "STRING", `"abc"`, `"abc"`, `"a long text"`, "v = 'abc'"},
		{"CHAR(3)", "VARCHAR(10)", `"abc"`, `"abc"`, `"abcdef"`, "v = 'abc'"},
		{"DECIMAL(5, 2)", "DECIMAL(12, 4)", `"1.25"`, `"1.2500"`, `"12345678.1234"`, "v < 2"},
		{"TIMESTAMP(0)", "TIMESTAMP(6)", `"2026-01-31T10:00:00"`, `"2026-01-31T10:00:00.000000"`, `"2026-01-31T10:00:00.000001"`, "v < '2026-01-31 10:00:00.000001'"},
		{"INT NOT NULL", "INT", "7", "7", "null", "v = 7"},
		{"ARRAY<INT>", "ARRAY<BIGINT>", "[1,null]", "[1,null]", "[10000000000]", "k = 1"},
		{"MAP<STRING, INT>", "MAP<STRING, BIGINT>", `[["a",1]]`, `[["a",1]]`, `[["b",10000000000]]`, "k = 1"},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			st := store.NewMem()
			create(t, st, fmt.Sprintf("columns: [{name: k, type: INT NOT NULL}, {name: v, type: \"%s\"}]\nprimary-key: [k]\noptions: {bucket: 1}", c.from))
			load(t, reopen(t, st), fmt.Sprintf(`{"k":1,"v":%s}`, c.old), fmt.Sprintf(`{"k":3,"v":%s}`, c.old))
			tab := evolve(t, st, retype(t, "v", c.to))
			load(t, tab, fmt.Sprintf(`{"k":2,"v":%s}`, c.added), fmt.Sprintf(`{"k":3,"v":%s}`, c.added))
			expect(t, tab, table.ScanOptions{}, fmt.Sprintf(`{"k":1,"v":%s}`, c.read), fmt.Sprintf(`{"k":2,"v":%s}`, c.added), fmt.Sprintf(`{"k":3,"v":%s}`, c.added))
			expect(t, tab, table.ScanOptions{Where: c.where, Columns: []string{"k"}}, `{"k":1}`)
			sound(t, tab)
		})
	}
}

func TestCastsReadOldFiles(t *testing.T) {
	for _, c := range []struct{ from, to, old, read, added, where string }{
		{"INT", "STRING", "12", `"12"`, `"text"`, "v = '12'"},
		{"BIGINT", "TINYINT", "383", "127", "5", "v = 127"},
		{"STRING", "INT", `"7.9"`, "7", "8", "v = 7"},
		{"DOUBLE", "INT", "2.75", "2", "3", "v < 3"},
		{"STRING", "VARCHAR(2)", `"abc"`, `"ab"`, `"xy"`, "v = 'ab'"},
		{"DECIMAL(5, 2)", "DECIMAL(3, 1)", `"999.99"`, "null", `"1.5"`, "v IS NULL"},
		{"DECIMAL(5, 2)", "DECIMAL(5, 1)", `"1.25"`, `"1.3"`, `"1.5"`, "v < 1.4"},
		{"TIMESTAMP(6)", "DATE", `"2026-01-31T10:00:00.000001"`, `"2026-01-31"`, `"2026-02-01"`, "v < '2026-02-01'"},
		{"DATE", "TIMESTAMP(3)", `"2026-01-31"`, `"2026-01-31T00:00:00.000"`, `"2026-01-31T00:00:00.001"`, "v = '2026-01-31 00:00:00'"},
		{"INT", "BOOLEAN", "2", "true", "false", "v = true"},
		{"ARRAY<INT>", "ARRAY<STRING>", "[1,null]", `["1",null]`, `["x"]`, "k = 1"},
		{"ARRAY<INT>", "STRING", "[1,null]", `"[1, null]"`, `"x"`, "v = '[1, null]'"},
		{"MAP<INT, ARRAY<DOUBLE>>", "MAP<INT, ARRAY<BIGINT>>", `[[1,[2.5]]]`, `[[1,[2]]]`, `[]`, "k = 1"},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			st := store.NewMem()
			create(t, st, fmt.Sprintf("columns: [{name: k, type: INT NOT NULL}, {name: v, type: \"%s\"}]\nprimary-key: [k]\noptions: {bucket: 1}", c.from))
			load(t, reopen(t, st), fmt.Sprintf(`{"k":1,"v":%s}`, c.old), fmt.Sprintf(`{"k":3,"v":%s}`, c.old))
			tab := evolve(t, st, retype(t, "v", c.to))
			old := fmt.Sprintf(`{"k":1,"v":%s}`, c.read)
			if c.where != "k = 1" {
				expect(t, tab, table.ScanOptions{Where: c.where}, old, fmt.Sprintf(`{"k":3,"v":%s}`, c.read))
			}
			load(t, tab, fmt.Sprintf(`{"k":2,"v":%s}`, c.added), fmt.Sprintf(`{"k":3,"v":%s}`, c.added))
			expect(t, tab, table.ScanOptions{}, old, fmt.Sprintf(`{"k":2,"v":%s}`, c.added), fmt.Sprintf(`{"k":3,"v":%s}`, c.added))
			expect(t, tab, table.ScanOptions{Where: c.where, Columns: []string{"k"}}, `{"k":1}`)
			sound(t, tab)
		})
	}
}

func TestValuesThatAreNoneOfTheNewTypeAreNamed(t *testing.T) {
	st := store.NewMem()
	create(t, st, "columns: [{name: k, type: INT NOT NULL}, {name: v, type: STRING}]\nprimary-key: [k]\noptions: {bucket: 1}")
	load(t, reopen(t, st), `{"k":1,"v":"seven"}`)
	tab := alter(t, st, "type v INT")
	_, err := scanLines(ctx, tab, table.ScanOptions{})
	failsWith(t, err, table.ErrInvalid, `"v"`, "seven", "alter it back")
	expect(t, tab, table.ScanOptions{Columns: []string{"k"}}, `{"k":1}`)
	expect(t, alter(t, st, "type v STRING"), table.ScanOptions{}, `{"k":1,"v":"seven"}`)
	// Two alterations can lead from one type to another that have no cast, in Paimon too.
	alter(t, st, "add d DATE")
	load(t, reopen(t, st), `{"k":2,"v":"x","d":"2026-01-31"}`)
	alter(t, st, "type d TIMESTAMP(3)")
	tab = alter(t, st, "type d BIGINT")
	_, err = scanLines(ctx, tab, table.ScanOptions{})
	failsWith(t, err, table.ErrUnsupported, `"d"`, "DATE", "BIGINT")
}

// Sequence columns may change their type; versions are compared as today's.
func TestASequenceColumnChangesItsType(t *testing.T) {
	st := store.NewMem()
	create(t, st, "columns: [{name: k, type: INT NOT NULL}, {name: s, type: STRING}, {name: v, type: INT}]\nprimary-key: [k]\noptions: {bucket: 1, sequence.field: s}")
	load(t, reopen(t, st), `{"k":1,"s":"9","v":1}`, `{"k":2,"s":"9","v":1}`)
	load(t, reopen(t, st), `{"k":1,"s":"10","v":2}`, `{"k":2,"s":"8","v":2}`)
	expect(t, reopen(t, st), table.ScanOptions{}, `{"k":1,"s":"9","v":1}`, `{"k":2,"s":"9","v":1}`)
	tab := alter(t, st, "type s INT")
	expect(t, tab, table.ScanOptions{}, `{"k":1,"s":10,"v":2}`, `{"k":2,"s":9,"v":1}`)
	load(t, tab, `{"k":2,"s":100,"v":3}`)
	expect(t, alter(t, st, "rename s seq"), table.ScanOptions{}, `{"k":1,"seq":10,"v":2}`, `{"k":2,"seq":100,"v":3}`)
}

// Statistics of old files are looked at through the casts that keep order, and
// a column that a file does not have is null in all its rows.
func TestOldFilesArePrunedThroughTheNewSchema(t *testing.T) {
	st := store.NewMem()
	create(t, st, "columns: [{name: a, type: INT}, {name: b, type: \"DECIMAL(5, 2)\"}, {name: c, type: BIGINT}]\noptions: {bucket: -1}")
	load(t, reopen(t, st), `{"a":5,"b":"1.50","c":383}`)
	tab := alter(t, st, "type a BIGINT", "type b DECIMAL(9, 4)", "type c TINYINT", "rename a first", "add n INT")
	for where, files := range map[string]int{
		"first = 5": 1, "first > 5": 0, "first = 10000000000": 0, "b = 1.5": 1, "b > 1.5": 0, "b < 1.4999": 0,
		"c = 127": 1, "c < 0": 1, // nothing is known through a cast that wraps
		"n = 1": 0, "n IS NOT NULL": 0, "n IS NULL": 1,
	} {
		s, err := tab.Scan(ctx, table.ScanOptions{Where: where})
		if err != nil {
			t.Fatal(err)
		}
		splits, err := s.Plan(ctx)
		if err != nil || len(splits) != files {
			t.Errorf("%s: %d splits, %v; want %d", where, len(splits), err, files)
		}
	}
	expect(t, tab, table.ScanOptions{Where: "c = 127 AND n IS NULL"}, `{"first":5,"b":"1.5000","c":127,"n":null}`)
}

func TestNestedMembersEvolveByID(t *testing.T) {
	st := store.NewMem()
	create(t, st, `
columns: [{name: k, type: INT NOT NULL}, {name: r, type: "ROW<a INT, b ROW<c STRING, d INT>>"}, {name: l, type: "ARRAY<ROW<x INT, y INT>>"}, {name: m, type: "MAP<STRING, ROW<p INT, q INT>>"}]
primary-key: [k]
options: {bucket: 1}`)
	load(t, reopen(t, st),
		`{"k":1,"r":{"a":1,"b":{"c":"x","d":5}},"l":[{"x":1,"y":2},null,{"x":3,"y":4}],"m":[["one",{"p":1,"q":2}],["two",null]]}`,
		`{"k":2,"r":null,"l":null,"m":null}`, `{"k":3,"r":{"a":null,"b":null},"l":[],"m":[]}`,
		`{"k":4,"r":{"a":4,"b":{"c":"z","d":null}},"l":[{"x":9,"y":8}],"m":[["k",{"p":7,"q":6}]]}`)
	tab := evolve(t, st, func(sc *schema.Table) {
		r := &sc.Fields[1].Type
		r.Fields[0].Name, r.Fields[0].Type = "alpha", parsed(t, "BIGINT") // renamed and widened
		inner := &r.Fields[1].Type
		inner.Fields = inner.Fields[1:] // c is gone
		next := sc.HighestFieldID + 1
		r.Fields = slices.Insert(r.Fields, 0, schema.Field{ID: next, Name: "fresh", Type: parsed(t, "STRING")})
		l := sc.Fields[2].Type.Elem
		slices.Reverse(l.Fields)
		m := sc.Fields[3].Type.Elem
		m.Fields = append(m.Fields[1:], schema.Field{ID: next + 1, Name: "p", Type: parsed(t, "STRING")}) // another p
		sc.HighestFieldID = next + 1
	})
	want := []string{
		`{"k":1,"r":{"fresh":null,"alpha":1,"b":{"d":5}},"l":[{"y":2,"x":1},null,{"y":4,"x":3}],"m":[["one",{"q":2,"p":null}],["two",null]]}`,
		`{"k":2,"r":null,"l":null,"m":null}`, `{"k":3,"r":{"fresh":null,"alpha":null,"b":null},"l":[],"m":[]}`,
		`{"k":4,"r":{"fresh":null,"alpha":4,"b":{"d":null}},"l":[{"y":8,"x":9}],"m":[["k",{"q":6,"p":null}]]}`}
	expect(t, tab, table.ScanOptions{}, want...)
	expect(t, tab, table.ScanOptions{BatchRows: 1}, want...)
	newRow := `{"k":1,"r":{"fresh":"f","alpha":10000000000,"b":null},"l":[{"y":1,"x":1}],"m":[["n",{"q":1,"p":"s"}]]}`
	load(t, tab, newRow)
	want[0] = newRow
	expect(t, tab, table.ScanOptions{}, want...)
	expect(t, tab, table.ScanOptions{BatchRows: 2, Where: "k <> 3"}, want[0], want[1], want[3])
	sound(t, tab)
}

// A table that another engine alters while it is open here: what changes how
// rows merge ends reading until it is opened again.
func TestAlteredOptionsAreNoticed(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, evolving)
	load(t, tab, `{"k":1,"a":10,"s":"one"}`)
	fresh := evolve(t, st, func(sc *schema.Table) { sc.Options["sequence.field"] = "a" })
	load(t, fresh, `{"k":1,"a":5,"s":"lower"}`)
	expect(t, fresh, table.ScanOptions{}, `{"k":1,"a":10,"s":"one"}`)
	_, err := tab.Scan(ctx, table.ScanOptions{})
	failsWith(t, err, table.ErrInvalid, "schema-1", "open the table again")
	expect(t, tab, table.ScanOptions{Snapshot: 1}, `{"k":1,"a":10,"s":"one"}`)
	newer := evolve(t, st, func(sc *schema.Table) { sc.Options["snapshot.num-retained.min"] = "3" })
	load(t, newer, `{"k":2,"a":1,"s":"two"}`)
	expect(t, fresh, table.ScanOptions{Columns: []string{"k"}}, `{"k":1}`, `{"k":2}`)
}

// A commit names the newest schema that was known a minute ago, and never an
// older one than its files or the snapshot before it.
func TestSnapshotsNeverNameAnOlderSchema(t *testing.T) {
	st := store.NewMem()
	old := create(t, st, evolving)
	w := newWriter(t, old, "old")
	commit(t, w, old, `{"k":1}`)
	fresh := evolve(t, st, func(sc *schema.Table) { sc.Comment = "altered" })
	load(t, fresh, `{"k":2}`)
	commit(t, w, old, `{"k":3}`)
	for id, want := range map[int64]int64{1: 0, 2: 1, 3: 1} {
		if s, err := old.Snapshots().Get(ctx, id); err != nil || s.SchemaID != want {
			t.Errorf("snapshot %d: %+v, %v; want schema %d", id, s, err, want)
		}
	}
	expect(t, old, table.ScanOptions{Columns: []string{"k"}}, `{"k":1}`, `{"k":2}`, `{"k":3}`)
}
