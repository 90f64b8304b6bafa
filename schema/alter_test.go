package schema

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// alterCase is one alteration of testdata/alter.json: a table, what is to be
// done to it, and the schema that Java made of it (see interop). Where the two
// differ on purpose, differs says how.
type alterCase struct {
	Name    string
	Table   json.RawMessage
	Row     string // the table has been written where it is not empty
	Changes json.RawMessage
	Error   string
	Differs string
	Want    json.RawMessage
}

func alterCases(t *testing.T) []alterCase {
	t.Helper()
	data, err := os.ReadFile("testdata/alter.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []alterCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestAlterationsEqualJava(t *testing.T) {
	for _, c := range alterCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			def, err := ParseDefinition(c.Table)
			if err != nil {
				t.Fatal(err)
			}
			before, err := def.Table(1)
			if err != nil {
				t.Fatal(err)
			}
			old, _ := before.Marshal()
			changes, err := ParseChanges(c.Changes)
			if err != nil {
				t.Fatal(err)
			}
			after, err := before.Alter(changes, c.Row != "", 2)
			if again, _ := before.Marshal(); string(again) != string(old) {
				t.Errorf("the schema before was changed:\n%s\n%s", old, again)
			}
			if c.Error != "" {
				if err == nil || !strings.Contains(err.Error(), c.Error) {
					t.Fatalf("got %v, want %s", err, c.Error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if after.ID != 1 || after.TimeMillis != 2 {
				t.Errorf("id %d at %d", after.ID, after.TimeMillis)
			}
			if c.Differs != "" && len(c.Want) == 0 {
				return
			}
			got, err := after.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(untimed(t, got), untimed(t, c.Want)) {
				t.Errorf("got\n%s\nJava made\n%s", got, c.Want)
			}
		})
	}
}

func untimed(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	delete(m, "timeMillis")
	return m
}

func TestChangesAsText(t *testing.T) {
	seven, quoted := "7", "it's"
	for _, c := range []struct {
		verb, text string
		want       []Change
	}{
		{"add", "c INT", []Change{AddColumn{Path: Path{"c"}, Type: Type{Kind: Int, Nullable: true}}}},
		{"add", "`a.b` INT NOT NULL COMMENT 'x y' FIRST", []Change{AddColumn{Path{"a.b"}, Type{Kind: Int}, "x y", First()}}},
		{"add", "r.x bigint default 7 after `the y`", []Change{}},
		{"add", "x bigint default -7.5 after `the y`", []Change{
			AddColumn{Path: Path{"x"}, Type: Type{Kind: BigInt, Nullable: true}, Position: After("the y")}, UpdateColumnDefaultValue{"x", ptr("-7.5")}}},
		{"drop", "r.x", []Change{DropColumn{Path{"r", "x"}}}},
		{"rename", "a b", []Change{RenameColumn{Path{"a"}, "b"}}},
		{"rename", "a to", []Change{RenameColumn{Path{"a"}, "to"}}},
		{"rename", "a.x TO `b c`", []Change{RenameColumn{Path{"a", "x"}, "b c"}}},
		{"type", "l.element BIGINT", []Change{UpdateColumnType{Path{"l", "element"}, Type{Kind: BigInt, Nullable: true}, true}}},
		{"type", "v BIGINT NOT NULL", []Change{UpdateColumnType{Path{"v"}, Type{Kind: BigInt}, false}}},
		{"type", "v BIGINT NULL", []Change{UpdateColumnType{Path{"v"}, Type{Kind: BigInt, Nullable: true}, false}}},
		{"nullable", "v", []Change{UpdateColumnNullability{Path{"v"}, true}}},
		{"not-null", "v", []Change{UpdateColumnNullability{Path{"v"}, false}}},
		{"default", "v 7", []Change{UpdateColumnDefaultValue{"v", &seven}}},
		{"default", "v 'it''s'", []Change{UpdateColumnDefaultValue{"v", &quoted}}},
		{"default", "v", []Change{UpdateColumnDefaultValue{"v", nil}}},
		{"default", "v NULL", []Change{UpdateColumnDefaultValue{"v", nil}}},
		{"comment", "r.v 'it''s'", []Change{UpdateColumnComment{Path{"r", "v"}, quoted}}},
		{"move", "v LAST", []Change{UpdateColumnPosition{Path{"v"}, Last()}}},
		{"move", "v before w", []Change{UpdateColumnPosition{Path{"v"}, Before("w")}}},
		{"move", "v", []Change{}},
		{"add", "c", []Change{}},
		{"add", "c INT AFTER a LAST", []Change{}},
		{"drop", "", []Change{}},
		{"drop", "a b", []Change{}},
		{"comment", "v two words", []Change{}},
	} {
		got, err := ParseChange(c.verb, c.text)
		if len(c.want) == 0 {
			if err == nil {
				t.Errorf("%s %q: %v", c.verb, c.text, got)
			}
		} else if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s %q: %#v %v, want %#v", c.verb, c.text, got, err, c.want)
		}
	}
}

func ptr(s string) *string { return &s }

func TestPathsAsText(t *testing.T) {
	for text, want := range map[string]Path{"a": {"a"}, "a.b c.element": {"a", "b c", "element"}, "`a.b`.c": {"a.b", "c"}, "`a``b`": {"a`b"}} {
		got, err := ParsePath(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q %v", text, got, err)
		}
		if again, err := ParsePath(got.String()); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s: %q %v", got, again, err)
		}
	}
	for _, bad := range []string{"", "a.", ".a", "`a", "`a`b", "a..b"} {
		if got, err := ParsePath(bad); err == nil {
			t.Errorf("%q: %q", bad, got)
		}
	}
}

func TestChangesThatAreNone(t *testing.T) {
	for text, part := range map[string]string{
		`{}`:                                          "cannot unmarshal",
		`[{"action":"x"}]`:                            "unknown",
		`[{"action":"dropColumn"}]`:                   "fieldNames is missing",
		`[{"action":"x","what":1}]`:                   "unknown field",
		`[{"action":"updateColumnPosition"}]`:         "move is missing",
		`[{"action":"addColumn","fieldNames":["a"]}]`: "dataType is missing",
		`[{"action":"addColumn","fieldNames":["a"],"dataType":"INTT"}]`:                           "INTT",
		`[{"action":"addColumn","fieldNames":["a"],"dataType":"INT","move":{"type":"SIDEWAYS"}}]`: "SIDEWAYS",
		`[{"action":"updateColumnDefaultValue","fieldNames":["a","b"]}]`:                          "whole column",
	} {
		if got, err := ParseChanges([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v %v, want %s", text, got, err, part)
		}
	}
}

func TestOptionsThatNameAColumnFollowItsRename(t *testing.T) {
	def, err := ParseDefinition([]byte(`{"columns": [{"name": "k", "type": "INT NOT NULL"}, {"name": "v", "type": "INT"}, {"name": "s", "type": "INT"}],
		"primary-key": ["k"], "options": {"bucket": "1", "merge-engine": "partial-update", "fields.s.sequence-group": "v",
		"partial-update.remove-record-on-sequence-group": "s", "changelog-producer": "lookup", "changelog-producer.row-deduplicate-ignore-fields": "v,s"}}`))
	if err != nil {
		t.Fatal(err)
	}
	before, err := def.Table(1)
	if err != nil {
		t.Fatal(err)
	}
	after, err := before.Alter([]Change{RenameColumn{Path{"s"}, "seq"}}, true, 2)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"fields.seq.sequence-group": "v", "partial-update.remove-record-on-sequence-group": "seq", "changelog-producer.row-deduplicate-ignore-fields": "v,seq",
	} {
		if got := after.Options[key]; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}
