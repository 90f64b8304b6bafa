//go:build interop

package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestJavaHasTheSameRules makes tables with Java as the unit tests of package
// schema do: what we refuse Java refuses, unless the case says why not.
func TestJavaHasTheSameRules(t *testing.T) {
	data, err := os.ReadFile("../schema/testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Error, Differs string
		Table                json.RawMessage
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	p := &peer{server: run.java.take(t), dir: t.TempDir()}
	for _, c := range cases {
		file := filepath.Join(t.TempDir(), "table")
		table := strings.NewReplacer(`"primary-key":`, `"pk":`, `"partition-by":`, `"partition":`).Replace(compact(t, c.Table))
		if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := p.run("a.t", "create", "--schema", file, "--replace")
		if (err != nil) != (c.Error != "" && c.Differs == "") {
			t.Errorf("%s: java says %v; we %q, differing: %q", c.Name, err, c.Error, c.Differs)
		}
	}
}
