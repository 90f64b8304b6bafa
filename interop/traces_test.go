//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/table"
)

// TestTracesEndAsJavaEndsThem does the traces of docs/merging.md with Java, and
// in turn with both sides: their results depend on when versions were merged,
// and on nothing else.
func TestTracesEndAsJavaEndsThem(t *testing.T) {
	data, err := os.ReadFile("../table/testdata/traces.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name   string
		Table  map[string]any
		Traces []struct{ Steps, Rows []json.RawMessage }
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cat, err := catalog.Open(context.Background(), dir, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer cat.Close()
	if err := cat.CreateDatabase(context.Background(), "r"); err != nil {
		t.Fatal(err)
	}
	for n, c := range cases {
		c.Table["pk"] = []string{"k"}
		options := c.Table["options"].(map[string]any)
		options["bucket"], options["write-only"] = "1", "true"
		definition, err := json.Marshal(c.Table)
		if err != nil {
			t.Fatal(err)
		}
		for i, trace := range c.Traces {
			for _, alone := range []bool{true, false} {
				name := fmt.Sprintf("%s/%d/alone=%v", c.Name, i, alone)
				t.Run(name, func(t *testing.T) {
					w := &world{t: t, dir: dir, cat: cat, id: catalog.Identifier{Database: "r", Table: fmt.Sprintf("t%d_%d_%v", n, i, alone)}, rand: &randomTable{}}
					w.java = &peer{server: run.java.take(t), dir: dir}
					w.javaRuns("create", "--schema", w.file([]string{string(definition)}))
					for k, s := range trace.Steps {
						w.traceStep(s, alone || k%2 == 0)
					}
					var want []string
					for _, row := range trace.Rows {
						want = append(want, string(row))
					}
					w.same("rows", "expected", want, "both", w.agree("rows", table.ScanOptions{}))
				})
			}
		}
	}
}

func (w *world) traceStep(s json.RawMessage, byJava bool) {
	w.t.Helper()
	var rows []json.RawMessage
	if json.Unmarshal(s, &rows) != nil {
		w.perform(!byJava, step{kind: strings.Trim(string(s), `"`)})
		return
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, string(row))
	}
	w.write(!byJava, lines)
}
