package manifest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/internal/fault"
)

func TestEntriesCrossProcessesAsJSON(t *testing.T) {
	for _, f := range javaFiles(t, "manifest") {
		entries, err := entryCodec.read(f.name, f.data, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		entries[0].Extra = []Unknown{{Name: "_X", Schema: `["null","long"]`, Value: []byte{2, 84}}}
		text, err := json.Marshal(entries)
		if err != nil {
			t.Fatal(err)
		}
		var got []Entry
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(entries, got); d != "" {
			t.Fatal(d)
		}
	}
	for _, f := range javaFiles(t, "index-manifest") {
		entries, err := indexCodec.read(f.name, f.data, -1, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(entries)
		if err != nil {
			t.Fatal(err)
		}
		var got []IndexEntry
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(entries, got); d != "" {
			t.Fatal(d)
		}
	}
}

func TestWrongJSONIsRefused(t *testing.T) {
	for _, text := range []string{`{}`, `{"kind":"MAYBE","file":{"name":"f"}}`, `{"kind":"ADD","file":{"name":""}}`,
		`{"kind":"ADD","file":{"name":"f","newer":1}}`, `{"kind":"ADD","file":{"name":"f"},"extra":[{"name":"x","schema":"\"long\"","value":"AA=="}]}`,
		`{"kind":"ADD","file":{"name":"f"},"extra":[{"name":"x","schema":"[\"null\",\"long\"]","value":"AgI="}]}` + "x",
		`{"kind":"ADD","file":{"name":"f"},"extra":[{"name":"x","schema":"[\"null\",\"long\"]","value":"Ag=="}]}`} {
		if err := json.Unmarshal([]byte(text), new(Entry)); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
	if err := json.Unmarshal([]byte(`{"kind":"ADD","name":""}`), new(IndexEntry)); !errors.Is(err, fault.ErrInvalid) {
		t.Error(err)
	}
	if _, err := json.Marshal(Entry{File: DataFile{Name: "\xff"}}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Error(err)
	}
	if _, err := json.Marshal(IndexEntry{Name: "\xff"}); err == nil {
		t.Error("index entry with a broken name")
	}
}
