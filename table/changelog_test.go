package table_test

import (
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
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
