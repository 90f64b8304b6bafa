package table_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tidelake/tidelake/internal/model"
	"github.com/tidelake/tidelake/schema"
)

// metaStep is one thing done to the table.
type metaStep struct {
	Do     string            // write, overwrite, drop, compact, alter, delete, update
	Change []string          `json:",omitempty"` // of alter: verb and text
	Where  *metaAtom         `json:",omitempty"` // of delete and update
	Set    []string          `json:",omitempty"` // of update: column and value as JSON
	Rows   []string          `json:"-"`
	Inside map[string]string `json:",omitempty"` // partition values as JSON
	Full   bool              `json:",omitempty"` // of compact
}

// stepText is a step whose rows are JSON and not text that holds JSON.
type stepText struct {
	metaPlain
	Rows []json.RawMessage `json:",omitempty"`
}

type metaPlain metaStep

// MarshalJSON prints the step.
func (s metaStep) MarshalJSON() ([]byte, error) {
	text := stepText{metaPlain: metaPlain(s)}
	for _, row := range s.Rows {
		text.Rows = append(text.Rows, json.RawMessage(row))
	}
	return json.Marshal(text)
}

// UnmarshalJSON reads what MarshalJSON prints.
func (s *metaStep) UnmarshalJSON(data []byte) error {
	var text stepText
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*s = metaStep(text.metaPlain)
	for _, row := range text.Rows {
		s.Rows = append(s.Rows, string(row))
	}
	return nil
}

// apply does a step with the model.
func (s metaStep) apply(m *model.Table) error {
	switch s.Do {
	case "write":
		m.Write(s.Rows...)
	case "overwrite":
		m.Overwrite(s.Inside, s.Rows...)
	case "drop":
		m.Drop(s.Inside)
	case "delete", "update":
		rows, err := s.changed(m)
		m.Write(rows...)
		return err
	case "alter":
		changes, err := schema.ParseChange(s.Change[0], s.Change[1])
		if err != nil {
			return err
		}
		next, err := m.Schema.Alter(changes, true, 1)
		if err == nil {
			m.Alter(next)
		}
		return err
	}
	return nil
}

// changed are the rows that a delete or an update writes.
func (s metaStep) changed(m *model.Table) ([]string, error) {
	rows, err := m.Rows()
	var out []string
	for _, row := range rows {
		if m.Schema.Index(s.Where.Column) < 0 {
			return nil, fmt.Errorf("no column %q", s.Where.Column)
		}
		if s.Where.holds(m.Schema, row) != yes {
			continue
		}
		kind := "-D"
		if s.Set != nil {
			kind = "+U"
			i := m.Schema.Index(s.Set[0])
			if i < 0 {
				return nil, fmt.Errorf("no column %q", s.Set[0])
			}
			row = maps.Clone(row)
			row[m.Schema.Fields[i].ID] = valueOf(m.Schema.Fields[i], s.Set[1])
		}
		out = append(out, fmt.Sprintf(`{"_kind":%q,%s`, kind, m.Line(row, m.Schema.Fields)[1:]))
	}
	slices.Sort(out)
	return out, err
}

// valueOf is a JSON value as the model has it.
func valueOf(f schema.Field, text string) any {
	_, cells := model.New(&schema.Table{Fields: []schema.Field{f}}).Decode(fmt.Sprintf("{%q:%s}", f.Name, text))
	return cells[f.ID]
}

// drawRows draws rows that the rules allow.
func drawRows(r *rand.Rand, makers map[string]maker, rule *rules, inside map[string]string) []string {
	var out []string
	for range oneOf(r, 1, 3, 10, 40) {
		kind := "+I"
		if r.IntN(4) == 0 {
			kind = oneOf(r, "-D", "-D", "-U", "+U")
		}
		cells := []string{fmt.Sprintf(`"_kind":%q`, kind)}
		if rule.option("rowkind.field") != "" {
			cells = nil
		}
		for _, c := range rule.model.Schema.Fields {
			text, fixed := inside[c.Name]
			switch {
			case fixed:
			case rule.empty(kind, c.Name):
				text = "null"
			default:
				text = makers[c.Name](r)
			}
			cells = append(cells, fmt.Sprintf("%q:%s", c.Name, text))
		}
		if row := "{" + strings.Join(cells, ",") + "}"; rule.allow(row) {
			out = append(out, row)
		}
	}
	return out
}

// drawSteps draws what is done to a table.
func drawSteps(r *rand.Rand, m metaTable, makers map[string]maker) ([]metaStep, error) {
	rule, err := newRules(m)
	if err != nil {
		return nil, err
	}
	var steps []metaStep
	for range 2 + r.IntN(10) {
		s := metaStep{Do: "write"}
		switch n := r.IntN(16); {
		case n < 3 && n > 0 && m.crosses(): // its rows cannot be overwritten by others
		case n == 0 && len(m.Partition) > 0:
			s = metaStep{Do: "drop", Inside: map[string]string{"p": makers["p"](r)}}
		case n == 0:
			s.Do = "drop"
		case n == 1:
			s.Do = "overwrite"
		case n == 2 && len(m.Partition) > 0:
			s = metaStep{Do: "overwrite", Inside: map[string]string{"p": makers["p"](r)}}
		case n < 6:
			s = metaStep{Do: "compact", Full: r.IntN(2) == 0}
		case n == 6:
			if change := drawChange(r, rule.model.Schema, makers); change != nil {
				s = metaStep{Do: "alter", Change: change}
			}
		case n < 9 && rule.option("rowkind.field") == "":
			s = drawChangeOfRows(r, rule, makers)
		}
		if err := rule.begin(s); err != nil && s.Where != nil {
			continue
		} else if err != nil {
			return nil, err
		}
		if s.Do == "write" || s.Do == "overwrite" {
			s.Rows = drawRows(r, makers, rule, s.Inside)
		}
		if err := rule.end(s); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// drawChangeOfRows draws a delete or an update by predicate where the merge
// engine leaves of the new versions what was asked for, otherwise a write.
func drawChangeOfRows(r *rand.Rand, rule *rules, makers map[string]maker) metaStep {
	sc, engine := rule.model.Schema, rule.option("merge-engine")
	where := drawAtom(r, sc)
	f := sc.Fields[r.IntN(len(sc.Fields))]
	fixed := slices.Contains(sc.PrimaryKeys, f.Name) || slices.Contains(sc.PartitionKeys, f.Name)
	deletes := engine == "" && rule.option("ignore-delete") == "" || rule.option(engine+".remove-record-on-delete") == "true"
	switch {
	case deletes && (fixed || engine != "" || r.IntN(2) == 0):
		return metaStep{Do: "delete", Where: &where}
	case engine == "" && !fixed:
		return metaStep{Do: "update", Where: &where, Set: []string{f.Name, makers[f.Name](r)}}
	}
	return metaStep{Do: "write"}
}

// wider are the types that a column may be given.
var wider = map[string][]string{
	"TINYINT": {"SMALLINT", "INT", "BIGINT", "STRING"}, "SMALLINT": {"INT", "BIGINT", "DOUBLE"}, "INT": {"BIGINT", "STRING", "DOUBLE"}, "BIGINT": {"STRING"},
	"FLOAT": {"DOUBLE"}, "DECIMAL(9, 2)": {"DECIMAL(30, 2)"},
}

// drawChange draws an alteration that leaves keys, sequences and functions
// alone; nil if there is nothing to change. Makers follow.
func drawChange(r *rand.Rand, sc *schema.Table, makers map[string]maker) []string {
	free := func(name string) bool {
		plain := name[0] == 'c' || name[0] == 'n'
		for key, value := range sc.Options {
			plain = plain && !strings.HasPrefix(key, "fields."+name+".") && !slices.Contains(strings.Split(value, ","), name)
		}
		return plain
	}
	fresh := fmt.Sprintf("n%d", r.IntN(10_000))
	fields := slices.DeleteFunc(slices.Clone(sc.Fields), func(f schema.Field) bool { return !free(f.Name) })
	if r.IntN(3) == 0 || len(fields) == 0 {
		typ := oneOf(r, metaScalars...)
		makers[fresh] = orNull(valuesOf(typ))
		return []string{"add", fresh + " " + typ + oneOf(r, "", " FIRST", " AFTER "+sc.Fields[r.IntN(len(sc.Fields))].Name)}
	}
	f := oneOf(r, fields...)
	switch r.IntN(4) {
	case 0:
		return []string{"drop", f.Name}
	case 1:
		makers[fresh] = makers[f.Name]
		return []string{"rename", f.Name + " TO " + fresh}
	case 2:
		if to := wider[typeName(f.Type)]; to != nil {
			typ := oneOf(r, to...)
			makers[f.Name] = orNull(valuesOf(typ))
			return []string{"type", f.Name + " " + typ}
		}
	}
	if f.Name == sc.Fields[0].Name {
		return []string{"move", f.Name + " LAST"}
	}
	return []string{"move", f.Name + " FIRST"}
}
