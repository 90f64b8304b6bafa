//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// TestBothAlterInTurn alters random tables by either side between the writes
// and compactions of both; both read the same after every step.
func TestBothAlterInTurn(t *testing.T) {
	each(t, run.java, 15, func(w *world) {
		e := newEvolving(w)
		w.create(w.half())
		for range 6 {
			w.write(w.half(), w.rand.batch(nil))
			if w.half() {
				w.compact(w.half(), w.half())
			}
			e.alter(w.half())
			w.agree("after an alteration", table.ScanOptions{})
		}
		w.write(w.half(), w.rand.batch(nil))
		w.agree("at the end", table.ScanOptions{})
		for range 4 {
			w.ask(w.question(2))
		}
		w.verify()
	}, "FLOAT") // Java before 19 prints some floats with more digits
}

// evolving makes alterations that leave every value readable, and keeps the
// source of rows in step with them.
type evolving struct {
	*world
	made int
	nest int // step of the nested column
	// retyped are the columns whose type has changed: a second change can leave
	// old files without a cast, in Paimon too.
	retyped map[string]bool
}

// nests are the shapes that the nested column goes through, by one alteration each.
var nests = []struct {
	change string // a path, what to do there
	value  maker
}{
	{"", func(r *rand.Rand) string {
		return fmt.Sprintf(`{"a":%d,"l":[%d,null],"m":[["x",{"p":%d}]]}`, r.IntN(9), r.IntN(9), r.IntN(9))
	}},
	{`{"action":"addColumn","fieldNames":["nest","b"],"dataType":"STRING","move":{"fieldName":"b","type":"FIRST"}}`, func(r *rand.Rand) string {
		return fmt.Sprintf(`{"b":"s%d","a":%d,"l":[],"m":[["y",null]]}`, r.IntN(9), r.IntN(9))
	}},
	{`{"action":"updateColumnType","fieldNames":["nest","l","element"],"newDataType":"STRING"}`, func(r *rand.Rand) string {
		return fmt.Sprintf(`{"b":"s%d","a":%d,"l":["t"],"m":[["y",{"p":3}]]}`, r.IntN(9), r.IntN(9))
	}},
	{`{"action":"updateColumnType","fieldNames":["nest","m","value","p"],"newDataType":"BIGINT"}`, func(r *rand.Rand) string {
		return fmt.Sprintf(`{"b":null,"a":%d,"l":null,"m":[["y",{"p":30000000000}]]}`, r.IntN(9))
	}},
	{`{"action":"renameColumn","fieldNames":["nest","m","value","p"],"newName":"q"}`, func(r *rand.Rand) string {
		return fmt.Sprintf(`{"b":null,"a":%d,"l":["u",null],"m":[["z",{"q":4}]]}`, r.IntN(9))
	}},
	{`{"action":"dropColumn","fieldNames":["nest","a"]}`, func(r *rand.Rand) string {
		return fmt.Sprintf(`{"b":"n%d","l":["u",null],"m":[]}`, r.IntN(9))
	}},
}

func newEvolving(w *world) *evolving {
	w.rand.columns = append(w.rand.columns, randomColumn{name: "nest", typ: "ROW<a INT, l ARRAY<INT>, m MAP<STRING, ROW<p INT>>>", value: nests[0].value})
	for key := range w.rand.options {
		if strings.HasSuffix(key, ".stats-mode") { // Java does not let it follow a column
			delete(w.rand.options, key)
		}
	}
	return &evolving{world: w, retyped: make(map[string]bool)}
}

// retypings are casts under which the values of the random tables stay values, and
// come out alike on every JVM.
var retypings = map[string][]string{
	"TINYINT": {"SMALLINT", "BIGINT", "STRING", "DECIMAL(9, 2)", "DOUBLE"}, "SMALLINT": {"INT", "TINYINT", "STRING"},
	"INT": {"BIGINT", "SMALLINT", "STRING", "BOOLEAN", "DECIMAL(18, 4)", "TIMESTAMP(3)"}, "BIGINT": {"INT", "STRING", "DECIMAL(30, 10)"},
	"BOOLEAN": {"INT", "STRING"}, "DOUBLE": {"BIGINT", "INT"}, "STRING": {"BYTES", "CHAR(8)", "VARCHAR(30)"}, "VARCHAR(30)": {"STRING", "CHAR(8)"},
	"CHAR(8)": {"STRING"}, "BYTES": {"BINARY(4)", "VARBINARY(20)"}, "DECIMAL(9, 2)": {"DECIMAL(18, 4)", "BIGINT", "STRING", "DOUBLE"},
	"DECIMAL(18, 4)": {"DECIMAL(30, 10)", "INT"}, "DATE": {"TIMESTAMP(3)", "STRING"}, "TIMESTAMP(3)": {"TIMESTAMP(6)", "DATE", "BIGINT", "TIMESTAMP(0)"},
	"TIMESTAMP(6)": {"TIMESTAMP(3)", "STRING"}, "TIMESTAMP(3) WITH LOCAL TIME ZONE": {"TIMESTAMP(3)", "DATE"},
}

// alter makes a few changes at once.
func (e *evolving) alter(byGo bool) {
	e.t.Helper()
	r := e.rand.r
	var changes []string
	for range 1 + r.IntN(3) {
		if c := e.change(); c != "" {
			changes = append(changes, c)
		}
	}
	if len(changes) == 0 {
		return
	}
	list := "[" + strings.Join(changes, ",\n") + "]"
	e.t.Logf("alter, by Go %v: %s", byGo, list)
	if !byGo {
		e.javaRuns("alter", "--changes", e.file([]string{list}))
		return
	}
	parsed, err := schema.ParseChanges([]byte(list))
	e.must(err)
	_, err = e.cat.AlterTable(context.Background(), e.id, parsed, table.AlterOptions{})
	e.must(err)
}

// free are the value columns that no option speaks of.
func (e *evolving) free() []int {
	var out []int
	for i, c := range e.rand.columns {
		if strings.Contains(c.name, "c") && c.name != "nest" && !slices.Contains(e.rand.keys, c.name) && !slices.Contains(e.rand.parts, c.name) && !c.notNull && !e.named(c.name) {
			out = append(out, i)
		}
	}
	return out
}

// named tells that an option speaks of a column.
func (e *evolving) named(column string) bool {
	for key, value := range e.rand.options {
		if strings.Contains(key, "fields."+column+".") || strings.HasSuffix(key, "#"+column) || slices.Contains(strings.Split(value, ","), column) {
			return true
		}
	}
	return false
}

func (e *evolving) change() string {
	r, t := e.rand.r, e.rand
	free := e.free()
	kind := r.IntN(6)
	if len(free) == 0 {
		kind = 0
	}
	at := 0
	if kind > 0 && kind < 5 {
		at = pick(r, free...)
	}
	switch kind {
	case 0:
		e.made++
		s := pick(r, scalars...)
		c := randomColumn{name: fmt.Sprintf("c_new%d", e.made), typ: s.typ, value: s.value}
		if slices.ContainsFunc(t.without, func(out string) bool { return strings.Contains(c.typ, out) }) {
			return ""
		}
		t.columns = append(t.columns, c)
		return fmt.Sprintf(`{"action":"addColumn","fieldNames":[%q],"dataType":%q,"move":{"fieldName":%q,"type":"LAST"}}`, c.name, c.typ, c.name)
	case 1:
		name := t.columns[at].name
		t.columns = slices.Delete(t.columns, at, at+1)
		return fmt.Sprintf(`{"action":"dropColumn","fieldNames":[%s]}`, text(name))
	case 2:
		e.made++
		old := t.columns[at].name
		t.columns[at].name = fmt.Sprintf("c_named%d", e.made)
		delete(t.seen, old)
		e.retyped[t.columns[at].name] = e.retyped[old]
		return fmt.Sprintf(`{"action":"renameColumn","fieldNames":[%s],"newName":%q}`, text(old), t.columns[at].name)
	case 3:
		c := &t.columns[at]
		to := retypings[c.typ]
		if len(to) == 0 || c.byDefault != "" || e.retyped[c.name] {
			return ""
		}
		e.retyped[c.name] = true
		c.typ = pick(r, to...)
		c.value = scalarOf(c.typ).value
		delete(t.seen, c.name)
		return fmt.Sprintf(`{"action":"updateColumnType","fieldNames":[%s],"newDataType":%q,"keepNullability":true}`, text(c.name), c.typ)
	case 4:
		if at == 0 {
			return ""
		}
		c := t.columns[at]
		t.columns = slices.Insert(slices.Delete(t.columns, at, at+1), 0, c)
		return fmt.Sprintf(`{"action":"updateColumnPosition","move":{"fieldName":%s,"type":"FIRST"}}`, text(c.name))
	}
	if e.nest+1 == len(nests) {
		return ""
	}
	e.nest++
	i := slices.IndexFunc(t.columns, func(c randomColumn) bool { return c.name == "nest" })
	t.columns[i].value = nests[e.nest].value
	return nests[e.nest].change
}

func text(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
