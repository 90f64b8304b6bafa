package schema

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/internal/fault"
)

// TestRulesAreThoseOfJava holds the rules for making a table to
// testdata/rules.json, and those for altering one too: what may not be made may
// not come of a change of options either. The interop tests ask Java the same.
// Where Java differs on purpose, differs says how.
func TestRulesAreThoseOfJava(t *testing.T) {
	data, err := os.ReadFile("testdata/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name  string
		Table json.RawMessage
		Error string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		def, err := ParseDefinition(c.Table)
		if err != nil {
			t.Fatal(err)
		}
		_, err = def.Table(1)
		judge(t, c.Name, c.Error, err)
		if plain := without(&def); plain != nil && len(def.Options) > 0 {
			judge(t, c.Name+", altered", c.Error, set(plain, def.Options))
		}
	}
}

func judge(t *testing.T, name, want string, err error) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: got %v, want %q", name, err, want)
	case want != "" && !errors.Is(err, fault.ErrInvalid):
		t.Errorf("%s: %v is not invalid input", name, err)
	}
}

// without is the same table with no options but its buckets; nil when that is none.
func without(def *Definition) *Table {
	plain := *def
	plain.Options = map[string]string{}
	for _, key := range []string{"bucket", "bucket-key"} {
		if value, given := def.Options[key]; given {
			plain.Options[key] = value
		}
	}
	table, err := plain.Table(1)
	if err != nil {
		return nil
	}
	return table
}

func set(table *Table, options map[string]string) error {
	var changes []Change
	for _, key := range sortedKeys(options) {
		changes = append(changes, SetOption{key, options[key]})
	}
	_, err := table.Alter(changes, false, 2)
	return err
}
