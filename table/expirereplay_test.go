package table_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/io/store/storetest"
	"github.com/tidelake/tidelake/table"
)

// What real Paimon's expiry left of its tables is what ours leaves of ours, file
// for file, given the same steps.
func TestExpiryOfJavaReplayed(t *testing.T) {
	dir := golden(t)
	for _, name := range []string{"expired_snapshots", "changelog_decoupled"} {
		t.Run(name, func(t *testing.T) {
			cases := filepath.Join(dir, "cases", name)
			local, err := store.NewLocal(filepath.Join(dir, "warehouse", "fx.db", name))
			if err != nil {
				t.Fatal(err)
			}
			java := reopen(t, local)
			st := store.NewMem()
			if err := table.Create(ctx, st, java.Schema()); err != nil {
				t.Fatal(err)
			}
			ours := reopen(t, st)
			replayWithTags(t, st, ours, filepath.Join(cases, "steps.jsonl"))
			if d := cmp.Diff(kindsOfFiles(t, local), kindsOfFiles(t, st)); d != "" {
				t.Errorf("files (-Java's +ours):\n%s", d)
			}
			tidy(t, st, ours)
			sound(t, ours)
			for id, rows := range states(t, ours) {
				sameLines(t, filepath.Join(cases, fmt.Sprintf("expected-snapshot-%d.jsonl", id)), rows)
			}
			tags, err := ours.Snapshots().TagNames(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range tags {
				sameLines(t, filepath.Join(cases, "expected-tag-"+tag+".jsonl"), lines(t, ours, table.ScanOptions{Tag: tag}))
			}
		})
	}
}

func replayWithTags(t *testing.T, st store.Store, tab *table.Table, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w, err := tab.NewWriter(ctx, table.WriterOptions{User: "replay", WaitCompaction: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	id := int64(0)
	for line := range strings.Lines(string(data)) {
		var s struct {
			step
			Name, Text string
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		id++
		switch s.Op {
		case "create":
		case "write":
			if err := act(t, tab, w, s.step, id); err != nil {
				t.Fatal(err)
			}
		case "tag":
			latest, err := tab.Snapshots().LatestID(ctx)
			if err != nil {
				t.Fatal(err)
			}
			setTag(t, st, "", s.Name, latest)
		case "note":
			var n int
			if _, err := fmt.Sscanf(s.Text, "expire, retain %d", &n); err != nil {
				t.Fatal(err)
			}
			expired(t, tab, last(n))
		default:
			t.Fatalf("step %s", s.Op)
		}
	}
}

// kindsOfFiles counts the files of a table by their names without what is random in them.
func kindsOfFiles(t *testing.T, st store.Store) map[string]any {
	t.Helper()
	random := regexp.MustCompile(`^(data|changelog|manifest-list|manifest|index-manifest|index)-[0-9a-f]+-.*?(\.[a-z.]+)?$`)
	out := map[string]any{}
	for _, key := range storetest.Tree(t, st, "") {
		if strings.HasSuffix(key, "/") {
			continue
		}
		if base := path.Base(key); base == "LATEST" || base == "EARLIEST" {
			data, err := st.ReadAll(ctx, key)
			if err != nil {
				t.Fatal(err)
			}
			out[key] = string(data)
			continue
		}
		kind := path.Join(path.Dir(key), random.ReplaceAllString(path.Base(key), "$1$2"))
		n, _ := out[kind].(int)
		out[kind] = n + 1
	}
	return out
}
