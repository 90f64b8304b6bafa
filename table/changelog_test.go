package table_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

const withInput = "columns: [{name: k, type: INT NOT NULL}, {name: v, type: STRING}]\nprimary-key: [k]\noptions: {bucket: 1, changelog-producer: input}"

// changelogFiles are the files of changelogs that lie in the store.
func changelogFiles(t *testing.T, st store.Store) (out []string) {
	t.Helper()
	for _, path := range dataFiles(t, st) {
		if strings.Contains(path, "/changelog-") {
			out = append(out, path)
		}
	}
	return out
}

func TestAnAbortedCommitTakesItsChangelogAlong(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, withInput)
	w := newWriter(t, tab, "")
	if err := write(t, w, tab, `{"k":1,"v":"a"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil || len(changelogFiles(t, st)) != 1 {
		t.Fatal(changelogFiles(t, st), err)
	}
	if err := tab.Abort(ctx, msgs); err != nil {
		t.Fatal(err)
	}
	if left := dataFiles(t, st); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Java's overwrites publish no changelog either: readers of changes see by the
// kind of the snapshot that rows were replaced.
func TestAnOverwriteHasNoChangelog(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, withInput)
	load(t, tab, `{"k":1,"v":"a"}`)
	w := newWriter(t, tab, "u")
	if err := write(t, w, tab, `{"k":2,"v":"b"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tab.NewCommitter(ctx, "u")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Overwrite(ctx, 1, nil, msgs); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, `{"k":2,"v":"b"}`)
	if files := changelogFiles(t, st); len(files) != 1 {
		t.Errorf("changelog files: %q, want that of the first commit only", files)
	}
	sound(t, tab)
}

func TestMessagesCarryChangelogsToOtherProcesses(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, withInput)
	w := newWriter(t, tab, "")
	if err := write(t, w, tab, `{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`); err != nil {
		t.Fatal(err)
	}
	msgs, err := w.Prepare(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := table.MarshalMessages(msgs)
	if err != nil {
		t.Fatal(err)
	}
	if msgs, err = table.UnmarshalMessages(data); err != nil {
		t.Fatal(err)
	}
	c, err := reopen(t, st).NewCommitter(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Commit(ctx, 1, msgs); err != nil {
		t.Fatal(err)
	}
	if got := storedChanges(t, tab, 1); len(got) != 2 {
		t.Errorf("changes: %q", got)
	}
	sound(t, tab)
}

func TestCheckProvesChangelogFiles(t *testing.T) {
	for fact, spoil := range map[string]func(f *manifest.DataFile){
		"holds 3 rows, its manifest says 2":                       func(f *manifest.DataFile) { f.Rows-- },
		"holds 1 deletes, its manifest says 0":                    func(f *manifest.DataFile) { *f.DeleteRows = 0 },
		"holds sequence numbers 0 to 2, its manifest says 0 to 9": func(f *manifest.DataFile) { f.MaxSequence = 9 },
		"its first or last key is not the one its manifest says":  func(f *manifest.DataFile) { f.MinKey = otherKey(t, -5) },
	} {
		tab := create(t, store.NewMem(), withInput)
		w := newWriter(t, tab, "")
		if err := write(t, w, tab, `{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`, `{"_kind":"-D","k":3}`); err != nil {
			t.Fatal(err)
		}
		msgs, err := w.Prepare(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		spoil(&msgs[0].NewChangelog[0])
		publish(t, tab, msgs)
		finds(t, tab, msgs[0].NewChangelog[0].Name, fact)
	}
}

// madeOfChanges is the table that all changes since its beginning make, by keys
// of one column k.
func madeOfChanges(t *testing.T, tab *table.Table) (rows []string) {
	t.Helper()
	state := map[string]string{}
	for s, err := range tab.Snapshots().All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range storedChanges(t, tab, s.ID) {
			var cells struct {
				Kind string `json:"_kind"`
				K    json.Number
			}
			if err := json.Unmarshal([]byte(line), &cells); err != nil {
				t.Fatal(err)
			}
			kind, err := schema.ParseRowKind(cells.Kind)
			if err != nil {
				t.Fatal(err)
			}
			_, row, _ := strings.Cut(line, `","`)
			if row = `{"` + row; kind.Retracts() {
				delete(state, cells.K.String())
			} else {
				state[cells.K.String()] = row
			}
		}
	}
	return slices.Sorted(maps.Values(state))
}
