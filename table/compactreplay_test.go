package table_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// compactingSteps reads a case that compacts and does nothing but write besides,
// nil for others.
func compactingSteps(t *testing.T, dir string) (steps []step, full []bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "steps.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	compacts := false
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
	if replayed < 4 {
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
	if err := table.Create(ctx, st, java.Schema()); err != nil {
		return err
	}
	ours := reopen(t, st)
	w, err := ours.NewWriter(ctx, table.WriterOptions{User: "replay", WaitCompaction: true})
	if err != nil {
		return err
	}
	defer w.Close()
	for i, s := range steps[1:] {
		if s.Op != "compact" {
			err = act(t, ours, w, s, int64(i+1))
		} else {
			_, err = ours.Compact(ctx, table.CompactOptions{Full: full[i+1]})
		}
		if err != nil {
			return err
		}
	}
	sound(t, ours)
	sameLines(t, filepath.Join(dir, "expected.jsonl"), lines(t, ours, table.ScanOptions{}))
	if got, want := levels(t, ours), levels(t, java); got != want {
		t.Errorf("files lie on levels %s, Java's on %s", got, want)
	}
	return nil
}
