package table_test

import (
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// patched is a table whose groups (g) and (h) hold a and b, and s and m with functions.
const patched = `
columns: [{name: k, type: INT}, {name: free, type: STRING}, {name: a, type: INT}, {name: b, type: STRING}, {name: g, type: INT}, {name: s, type: INT}, {name: m, type: "ARRAY<INT>"}, {name: h, type: INT}]
primary-key: [k]
options: {bucket: 1, write-only: true, merge-engine: partial-update, fields.g.sequence-group: "a,b", fields.h.sequence-group: "s,m",
  fields.s.aggregate-function: sum, fields.m.aggregate-function: collect}
`

func TestAnUpdateOfPartialUpdateLeavesSumsAlone(t *testing.T) {
	tab := create(t, store.NewMem(), patched)
	load(t, tab, `{"k":1,"free":"x","a":1,"b":"y","g":5,"s":10,"m":[1],"h":1}`)
	load(t, tab, `{"k":1,"free":null,"a":null,"b":null,"g":null,"s":4,"m":[2],"h":2}`, `{"k":2,"free":"q","a":7,"b":"z","g":1,"s":1,"m":[9],"h":1}`)
	set := []table.Assignment{{Name: "free", Value: "new"}, {Name: "b", Expr: "NULL"}, {Name: "a", Expr: "g"}}
	if got := changed(t)(tab.Update(ctx, set, table.ChangeOptions{Where: "s = 14"})); got.Rows != 1 {
		t.Errorf("%+v", got)
	}
	changed(t)(tab.Update(ctx, []table.Assignment{{Name: "g", Value: 3}, {Name: "b", Value: "later"}}, table.ChangeOptions{Where: "k = 2"}))
	want := []string{`{"k":1,"free":"new","a":5,"b":null,"g":5,"s":14,"m":[1,2],"h":2}`, `{"k":2,"free":"q","a":7,"b":"later","g":3,"s":1,"m":[9],"h":1}`}
	expect(t, tab, table.ScanOptions{}, want...)
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, want...)
	sound(t, tab)
}

func TestAnUpdateThatMergingWouldNotKeepIsRefused(t *testing.T) {
	set := func(name, expr string) []table.Assignment { return []table.Assignment{{Name: name, Expr: expr}} }
	st := store.NewMem()
	tab := create(t, st, patched)
	load(t, tab, `{"k":1,"free":"x","a":1,"b":"y","g":5,"s":10,"m":[1],"h":1}`, `{"k":2,"free":null,"a":null,"b":null,"g":null,"s":1,"m":[9],"h":1}`)
	for _, c := range []struct {
		set   []table.Assignment
		facts []string
	}{
		{set("free", "NULL"), []string{"column free", "null", "sequence group"}},
		{set("a", "8"), []string{"column a", "sequence column g is null"}},
		{set("g", "NULL"), []string{"column g", "sequence column g is null"}},
		{set("s", "8"), []string{"column s", "sum"}},
		{set("m", "NULL"), []string{"column m", "collect"}},
	} {
		for _, dry := range []bool{true, false} {
			_, err := tab.Update(ctx, c.set, table.ChangeOptions{DryRun: dry})
			failsWith(t, err, table.ErrUnsupported, c.facts...)
		}
	}
	if id, err := tab.Snapshots().LatestID(ctx); id != 1 || err != nil || len(orphans(t, st, tab)) > 0 {
		t.Errorf("snapshot %d, %v, orphans %q", id, err, orphans(t, st, tab))
	}
	for engine, fact := range map[string]string{"aggregation": "aggregation", "first-row": "first-row"} {
		_, err := create(t, store.NewMem(), stock, "merge-engine="+engine).Update(ctx, set("a", "1"), table.ChangeOptions{})
		failsWith(t, err, table.ErrUnsupported, "UPDATE", fact)
	}
}

func TestDeletesRemoveRowsWhereTheEngineLetsThem(t *testing.T) {
	group := []string{"merge-engine=partial-update", "fields.g.sequence-group=a,b", "partial-update.remove-record-on-sequence-group=g"}
	for name, options := range map[string][]string{
		"partial-update": {"merge-engine=partial-update", "partial-update.remove-record-on-delete=true"},
		"group":          group,
		"aggregation":    {"merge-engine=aggregation", "fields.a.aggregate-function=sum", "aggregation.remove-record-on-delete=true"},
	} {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), stock, options...)
			load(t, tab, `{"k":1,"a":1,"b":"x","g":1}`, `{"k":2,"a":2,"b":"y","g":1}`)
			load(t, tab, `{"k":1,"a":1,"b":"z","g":2}`)
			if got := changed(t)(tab.Delete(ctx, table.ChangeOptions{Where: "b = 'z'"})); got.Rows != 1 {
				t.Errorf("%+v", got)
			}
			expect(t, tab, table.ScanOptions{}, `{"k":2,"a":2,"b":"y","g":1}`)
			load(t, tab, `{"k":1,"a":7,"b":"w","g":1}`)
			expect(t, tab, table.ScanOptions{Columns: []string{"k", "a"}, Where: "k = 2"}, `{"k":2,"a":2}`)
			sound(t, tab)
		})
	}
	tab := create(t, store.NewMem(), stock, group...)
	load(t, tab, `{"k":1,"a":1,"b":"x","g":null}`)
	_, err := tab.Delete(ctx, table.ChangeOptions{Where: "k = 1"})
	failsWith(t, err, table.ErrUnsupported, "sequence columns are null")
	for _, options := range [][]string{
		{"merge-engine=partial-update"}, {"merge-engine=aggregation"}, {"merge-engine=partial-update", "fields.g.sequence-group=a"},
	} {
		_, err := create(t, store.NewMem(), stock, options...).Delete(ctx, table.ChangeOptions{Where: "k = 1"})
		failsWith(t, err, table.ErrUnsupported, "DELETE", "remove-record-on-")
	}
	_, err = create(t, store.NewMem(), stock, "merge-engine=first-row").Delete(ctx, table.ChangeOptions{Where: "k = 1"})
	failsWith(t, err, table.ErrUnsupported, "first-row", "drop partitions")
}
