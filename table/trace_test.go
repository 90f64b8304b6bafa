package table_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// traceCase is one table with several traces of the same rows that end in
// different tables: commits, each a list of rows, and full compactions between.
type traceCase struct {
	Name    string
	Inexact bool // the model has exact numbers without end
	Table   json.RawMessage
	Traces  []struct {
		Steps []json.RawMessage
		Rows  []json.RawMessage
	}
}

func texts(raw []json.RawMessage) []string {
	var out []string
	for _, r := range raw {
		out = append(out, string(r))
	}
	return out
}

// docs/merging.md lists results that depend on when versions were merged, in
// Paimon too. With a fixed trace each has one result, and Java's.
func TestResultsThatDependOnWhenVersionsAreMerged(t *testing.T) {
	data, err := os.ReadFile("testdata/traces.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []traceCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/merging.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if !strings.Contains(strings.Join(strings.Fields(string(page)), " "), strings.ToUpper(c.Name[:1])+c.Name[1:]) {
				t.Error("docs/merging.md does not speak of it")
			}
			for i, trace := range c.Traces {
				c.check(t, trace.Steps, texts(trace.Rows))
				if i > 0 && cmp.Equal(texts(trace.Rows), texts(c.Traces[0].Rows)) {
					t.Error("its traces do not differ")
				}
			}
		})
	}
}

func (c traceCase) check(t *testing.T, steps []json.RawMessage, want []string) {
	t.Helper()
	def, err := schema.ParseDefinition(c.Table)
	if err != nil {
		t.Fatal(err)
	}
	def.PrimaryKey, def.Options["bucket"], def.Options["write-only"] = []string{"k"}, "1", "true"
	sc, err := def.Table(1)
	if err != nil {
		t.Fatal(err)
	}
	st := store.NewMem()
	if err := table.Create(ctx, st, sc); err != nil {
		t.Fatal(err)
	}
	tab, m := reopen(t, st), model.New(sc)
	for _, s := range steps {
		var rows []json.RawMessage
		if json.Unmarshal(s, &rows) != nil {
			if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
				t.Fatal(err)
			}
			if err := m.Merge(0); err != nil {
				t.Fatal(err)
			}
			continue
		}
		load(t, tab, texts(rows)...)
		m.Write(texts(rows)...)
		if err := m.Merge(1); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, tab, table.ScanOptions{}, want...)
	for i, line := range want {
		_, row := m.Decode(line)
		want[i] = m.Line(row, sc.Fields)
	}
	rows, err := m.Rows()
	var got []string
	for _, row := range rows {
		got = append(got, m.Line(row, sc.Fields))
	}
	if slices.Sort(got); !c.Inexact && (err != nil || strings.Join(want, "") != strings.Join(got, "")) {
		t.Errorf("the model has %q, %v; want %q", got, err, want)
	}
}
