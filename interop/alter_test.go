//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/schema"
)

var update = flag.Bool("update", false, "write what Java answers into the test data of the packages")

// alterCase is one case of schema/testdata/alter.json.
type alterCase struct {
	Name    string          `json:"name"`
	Table   json.RawMessage `json:"table"`
	Row     string          `json:"row"`
	Changes json.RawMessage `json:"changes"`
	Error   string          `json:"error,omitempty"`
	Differs string          `json:"differs,omitempty"`
	Want    json.RawMessage `json:"want,omitempty"`
}

// TestJavaAltersAsRecorded alters tables with Java as the unit tests of package
// schema do, and compares with what is recorded there.
func TestJavaAltersAsRecorded(t *testing.T) {
	const file = "../schema/testdata/alter.json"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []alterCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	p := &peer{server: run.java.take(t), dir: t.TempDir()}
	for i := range cases {
		c := &cases[i]
		got := javaAlters(t, p, c)
		if *update {
			c.Want = got
			continue
		}
		if len(got) == 0 != (len(c.Want) == 0) || len(got) > 0 && !reflect.DeepEqual(untimed(t, got), untimed(t, c.Want)) {
			t.Errorf("%s: java made\n%s\nrecorded\n%s", c.Name, got, c.Want)
		}
		if c.Differs == "" && (c.Error != "") != (len(got) == 0) {
			t.Errorf("%s: java refuses: %v; we: %q", c.Name, len(got) == 0, c.Error)
		}
	}
	if !*update {
		return
	}
	var out bytes.Buffer
	for i, c := range cases {
		out.WriteString([]string{",\n", "[\n"}[btoi(i == 0)])
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(c); err != nil {
			t.Fatal(err)
		}
		out.Truncate(out.Len() - 1)
	}
	out.WriteString("\n]\n")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// javaAlters is the schema after the changes, nil where Java refuses them.
func javaAlters(t *testing.T, p *peer, c *alterCase) []byte {
	t.Helper()
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	must := func(_ []string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
	}
	table := strings.NewReplacer(`"primary-key":`, `"pk":`, `"partition-by":`, `"partition":`).Replace(compact(t, c.Table))
	must(p.run("a.t", "create", "--schema", put("table", []byte(table)), "--replace"))
	if c.Row != "" {
		must(p.run("a.t", "write", "--input", put("rows", []byte(c.Row))))
	}
	if _, err := p.run("a.t", "alter", "--changes", put("changes", c.Changes)); err != nil {
		t.Logf("%s: %v", c.Name, err)
		return nil
	}
	data, err := os.ReadFile(filepath.Join(p.dir, "a.db", "t", "schema", "schema-1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.ParseTable(data); err != nil {
		t.Fatal(err)
	}
	return []byte(compact(t, data))
}

func compact(t *testing.T, data []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, data); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func untimed(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "timeMillis")
	return m
}
