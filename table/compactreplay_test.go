package table_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// beside are cases that only write, and whose files Java compacted beside it.
var beside = []string{"data_directory", "dv_pk_32", "dv_pk_64", "first_row", "first_row_ignore_delete", "changelog_first_row", "thin_mode"}

// compactingSteps reads a case that compacts and does nothing but write besides,
// nil for others.
func compactingSteps(t *testing.T, dir string) (steps []step, full []bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "steps.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	compacts := slices.Contains(beside, filepath.Base(dir))
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for lines.Scan() {
		var s struct {
			step
			Branch string
			Full   bool
		}
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if s.Branch != "" || !slices.Contains([]string{"create", "write", "overwrite", "drop-partition", "compact"}, s.Op) {
			return nil, nil
		}
		compacts = compacts || s.Op == "compact"
		steps, full = append(steps, s.step), append(full, s.Full)
	}
	if !compacts {
		return nil, nil
	}
	return steps, full
}

// Cases that real Paimon wrote and compacted have the same rows, on the same
// levels, when this library does the same steps.
func TestCompactionsOfJavaReplayed(t *testing.T) {
	dir := golden(t)
	cases, err := filepath.Glob(filepath.Join(dir, "cases", "*"))
	if err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, c := range cases {
		steps, full := compactingSteps(t, c)
		if steps == nil {
			continue
		}
		t.Run(filepath.Base(c), func(t *testing.T) {
			err := replayCompactions(t, filepath.Join(dir, "warehouse", "fx.db", filepath.Base(c)), c, steps, full)
			if errors.Is(err, table.ErrUnsupported) {
				return // a feature of a later time
			}
			if err != nil {
				t.Fatal(err)
			}
			replayed++
		})
	}
	if replayed < 11 {
		t.Errorf("%d cases replayed", replayed)
	}
}

func replayCompactions(t *testing.T, javaDir, dir string, steps []step, full []bool) error {
	local, err := store.NewLocal(javaDir)
	if err != nil {
		return err
	}
	java, err := table.Open(ctx, local, "java", table.Settings{}, table.Components{})
	if err != nil {
		return err
	}
	st := store.NewMem()
	sc := *java.Schema()
	sc.Options = maps.Clone(sc.Options)
	if sc.Options["merge-engine"] == "first-row" {
		delete(sc.Options, "changelog-producer") // which changes no data file
	}
	if err := table.Create(ctx, st, &sc); err != nil {
		return err
	}
	ours := reopen(t, st)
	w, err := ours.NewWriter(ctx, table.WriterOptions{User: "replay", WaitCompaction: true})
	if err != nil {
		return err
	}
	defer w.Close()
	for i, s := range steps[1:] {
		if filepath.Base(dir) == "first_row_ignore_delete" && i == len(steps)-2 { // its last rows wait on level 0
			ours = alter(t, st, "set write-only=true")
			w = newWriter(t, ours, "replay")
		}
		if s.Op != "compact" {
			err = act(t, ours, w, s, int64(i+1))
		} else {
			_, err = ours.Compact(ctx, table.CompactOptions{Full: full[i+1]})
		}
		if err != nil {
			return err
		}
		if slices.Contains(beside, filepath.Base(dir)) {
			sameSnapshots(t, dir, java, ours)
		}
	}
	sound(t, ours)
	sameLines(t, filepath.Join(dir, "expected.jsonl"), lines(t, ours, table.ScanOptions{}))
	if got, want := levels(t, ours), levels(t, java); got != want {
		t.Errorf("files lie on levels %s, Java's on %s", got, want)
	}
	return nil
}

// sameSnapshots compares each snapshot so far with Java's of the same id: its
// kind, its rows, and what lies on which level with how many rows marked.
func sameSnapshots(t *testing.T, dir string, java, ours *table.Table) {
	t.Helper()
	for s, err := range ours.Snapshots().All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		want, err := java.Snapshots().Get(ctx, s.ID)
		if err != nil || want.CommitKind != s.CommitKind {
			t.Fatalf("snapshot %d is %s; Java's is %+v, %v", s.ID, s.CommitKind, want, err)
		}
		sameLines(t, filepath.Join(dir, fmt.Sprintf("expected-snapshot-%d.jsonl", s.ID)), lines(t, ours, table.ScanOptions{Snapshot: s.ID}))
		if d := gocmp.Diff(marked(t, java, s.ID), marked(t, ours, s.ID)); d != "" {
			t.Errorf("snapshot %d (-Java +ours):\n%s", s.ID, d)
		}
	}
}

// marked says of every file where it lies, what it holds, and how many of its
// rows a deletion vector marks.
func marked(t *testing.T, tab *table.Table, id int64) []string {
	t.Helper()
	index, err := tab.IndexFiles(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	gone := map[string]int64{}
	for _, e := range index {
		for _, r := range e.Ranges {
			gone[r.File] = *r.Cardinality
		}
	}
	var out []string
	for f, err := range tab.Files(ctx, id) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("bucket %d level %d: sequence numbers %d to %d, %d rows, %d marked", f.Bucket, f.Level, f.MinSequence, f.MaxSequence, f.Rows, gone[f.Name]))
	}
	slices.Sort(out)
	return out
}
