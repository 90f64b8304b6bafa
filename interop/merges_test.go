//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// mergeTrace is a table and rows whose order matters, each in a commit of its
// own: what random tables leave out because it depends on when versions are
// merged. Nothing is compacted.
type mergeTrace struct {
	name    string
	columns string // name type, …
	options string // key=value;…
	rows    []string
}

var mergeTraces = []mergeTrace{
	{"late rows of a sequence group are added to a sum and stand before a first value", "k INT, a INT, b STRING, g INT, h INT",
		"merge-engine=partial-update;fields.g,h.sequence-group=a,b;fields.a.aggregate-function=sum;fields.b.aggregate-function=first_value",
		[]string{`{"k":1,"a":1,"b":"x","g":5,"h":null}`, `{"k":1,"a":10,"b":"y","g":5,"h":1}`, `{"k":1,"a":100,"b":"late","g":4,"h":9}`,
			`{"k":1,"a":1000,"b":"no","g":null,"h":null}`, `{"_kind":"+I","k":2,"a":1,"b":"one","g":1,"h":1}`}},
	{"a row that begins with deletes", "k INT, a INT, b STRING, g INT, c INT",
		"merge-engine=partial-update;fields.g.sequence-group=a,b;fields.a.aggregate-function=sum",
		[]string{`{"_kind":"-D","k":1,"a":5,"b":"gone","g":3,"c":7}`, `{"_kind":"-D","k":1,"a":2,"b":"old","g":1,"c":8}`, `{"k":1,"a":1,"b":"new","g":4,"c":null}`,
			`{"_kind":"-D","k":2,"a":5,"b":"gone","g":null,"c":7}`, `{"k":2,"a":1,"b":"late","g":2,"c":null}`}},
	{"a removal by a group keeps what it brought", "k INT, a INT, g INT, b INT, h INT, c STRING",
		"merge-engine=partial-update;fields.g.sequence-group=a;fields.h.sequence-group=b;partial-update.remove-record-on-sequence-group=h;fields.b.aggregate-function=first_value;fields.b.ignore-retract=true",
		[]string{`{"k":1,"a":1,"g":1,"b":1,"h":1,"c":"x"}`, `{"_kind":"-D","k":1,"a":2,"g":9,"b":2,"h":2,"c":"del"}`, `{"k":1,"a":3,"g":3,"b":3,"h":3,"c":null}`,
			`{"k":2,"a":1,"g":1,"b":1,"h":5,"c":"x"}`, `{"_kind":"-D","k":2,"a":2,"g":2,"b":2,"h":4,"c":"del"}`, `{"_kind":"-U","k":2,"a":7,"g":3,"b":7,"h":7,"c":"u"}`}},
	{"a delete that removes and an update after it", "k INT, a INT, b STRING", "merge-engine=partial-update;partial-update.remove-record-on-delete=true",
		[]string{`{"k":1,"a":1,"b":"x"}`, `{"_kind":"-D","k":1,"a":2,"b":"del"}`, `{"_kind":"-U","k":1,"a":3,"b":"before"}`,
			`{"k":2,"a":1,"b":"x"}`, `{"_kind":"-D","k":2,"a":2,"b":"del"}`, `{"k":2,"a":null,"b":"y"}`, `{"k":3,"a":1,"b":"x"}`, `{"_kind":"-D","k":3,"a":1,"b":"x"}`}},
	{"sums wrap, and a sum of DECIMAL outgrows its digits", "k INT, t TINYINT, s SMALLINT, i INT, l BIGINT, d DECIMAL(10,2), e DECIMAL(20,2)",
		"merge-engine=aggregation;fields.default-aggregate-function=sum",
		[]string{`{"k":1,"t":127,"s":32767,"i":2147483647,"l":9223372036854775807,"d":"90000000.00","e":"999999999999999999.99"}`,
			`{"k":1,"t":1,"s":1,"i":1,"l":1,"d":"9000000.00","e":"0.01"}`, `{"_kind":"-D","k":1,"t":null,"s":5,"i":null,"l":5,"d":null,"e":"7.25"}`,
			`{"_kind":"-U","k":2,"t":-128,"s":1,"i":-2147483648,"l":1,"d":"1.50","e":"2.50"}`, `{"_kind":"-U","k":2,"t":1,"s":1,"i":1,"l":1,"d":"1.50","e":"2.50"}`}},
	{"products are rounded and taken back", "k INT, i INT, f DOUBLE, d DECIMAL(10,3), e DECIMAL(24,3)", "merge-engine=aggregation;fields.default-aggregate-function=product",
		[]string{`{"k":1,"i":7,"f":3,"d":"1.005","e":"-1.005"}`, `{"k":1,"i":3,"f":0.5,"d":"0.500","e":"0.500"}`, `{"_kind":"-D","k":1,"i":2,"f":4,"d":"2.000","e":"0.800"}`,
			`{"_kind":"-D","k":2,"i":2,"f":4,"d":"2.000","e":"0.800"}`, `{"k":2,"i":2,"f":4,"d":"2.000","e":"0.800"}`}},
	{"greatest and least, and what is first after a removal", "k INT, a STRING, b DOUBLE, c TIMESTAMP(6), d BOOLEAN, e INT, f INT",
		"merge-engine=aggregation;aggregation.remove-record-on-delete=true;fields.a.aggregate-function=max;fields.b.aggregate-function=min;fields.c.aggregate-function=max;" +
			"fields.d.aggregate-function=bool_and;fields.e.aggregate-function=first_value;fields.f.aggregate-function=first_non_null_value",
		[]string{`{"k":1,"a":"b","b":0.0,"c":"2020-01-01T00:00:00.000001","d":true,"e":null,"f":null}`, `{"k":1,"a":"ab","b":-1.5,"c":"2020-01-01T00:00:00","d":null,"e":1,"f":1}`,
			`{"k":2,"a":"b","b":1,"c":null,"d":true,"e":1,"f":null}`, `{"_kind":"-D","k":2,"a":"a","b":2,"c":null,"d":false,"e":2,"f":2}`, `{"k":2,"a":"c","b":3,"c":null,"d":true,"e":3,"f":3}`,
			`{"_kind":"-D","k":3,"a":"a","b":2,"c":null,"d":false,"e":2,"f":2}`, `{"k":3,"a":"c","b":3,"c":null,"d":true,"e":3,"f":3}`}},
	{"sequence fields order aggregates", "k INT, v INT, w STRING, g INT", "merge-engine=aggregation;fields.v.aggregate-function=last_value;fields.w.aggregate-function=first_non_null_value;sequence.field=g",
		[]string{`{"k":1,"v":1,"w":"c","g":5}`, `{"k":1,"v":2,"w":null,"g":3}`, `{"k":1,"v":3,"w":"a","g":4}`, `{"k":2,"v":1,"w":"c","g":1}`, `{"k":2,"v":null,"w":"d","g":1}`}},
}

func (c mergeTrace) definition(key string) string {
	options := map[string]string{"bucket": "1", "write-only": "true"}
	for _, o := range strings.Split(c.options, ";") {
		name, value, _ := strings.Cut(o, "=")
		options[name] = value
	}
	var columns []map[string]string
	for i, column := range strings.Split(c.columns, ", ") {
		name, typ, _ := strings.Cut(column, " ")
		if i == 0 {
			typ += " NOT NULL"
		}
		columns = append(columns, map[string]string{"name": name, "type": typ})
	}
	b, err := json.Marshal(map[string]any{"columns": columns, key: []string{"k"}, "options": options})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestOrdersThatMatterMergeAsInJava writes each trace by Java, by us and by
// both in turn; whoever wrote, both read the same rows.
func TestOrdersThatMatterMergeAsInJava(t *testing.T) {
	dir := t.TempDir()
	cat, err := catalog.Open(context.Background(), dir, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	if err := cat.CreateDatabase(context.Background(), "r"); err != nil {
		t.Fatal(err)
	}
	java := &peer{server: run.java.take(t), dir: dir}
	for i, c := range mergeTraces {
		t.Run(c.name, func(t *testing.T) {
			var first []string
			for j, who := range []string{"java", "go", "turns"} {
				w := &world{t: t, dir: dir, cat: cat, java: java, rand: &randomTable{}, id: catalog.Identifier{Database: "r", Table: fmt.Sprintf("merge%d%s", i, who)}}
				rows := c.written(w, who)
				if j == 0 {
					first = rows
				} else if !slices.Equal(first, rows) {
					t.Errorf("written by %s: %q, by Java %q", who, rows, first)
				}
			}
		})
	}
}

func (c mergeTrace) written(w *world, who string) []string {
	w.t.Helper()
	if who == "java" {
		w.javaRuns("create", "--schema", w.file([]string{c.definition("pk")}))
	} else {
		def, err := schema.ParseDefinition([]byte(c.definition("primary-key")))
		w.must(err)
		_, err = w.cat.CreateTable(context.Background(), w.id, def)
		w.must(err)
	}
	for i, row := range c.rows {
		w.write(who == "go" || who == "turns" && i%2 == 0, []string{row})
	}
	return w.agree("written by "+who, table.ScanOptions{})
}
