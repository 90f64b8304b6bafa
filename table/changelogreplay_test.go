package table_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/table"
)

// Tables with a producer of changelogs, given what real Paimon got, make the
// same snapshots with the same changes, in the same order for each key.
func TestChangelogsAreThoseThatJavaMakes(t *testing.T) {
	dir := golden(t)
	cases, err := filepath.Glob(filepath.Join(dir, "cases", "*"))
	if err != nil {
		t.Fatal(err)
	}
	replayed := 0
	for _, c := range cases {
		steps, full := anySteps(t, c)
		name := filepath.Base(c)
		if steps == nil || steps[0].Schema.Options["changelog-producer"] == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			err := replayChangelog(t, filepath.Join(dir, "warehouse", "fx.db", name), c, steps, full)
			if errors.Is(err, table.ErrUnsupported) {
				t.Skip(err)
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

// anySteps reads a case that creates, writes and compacts, nil for others.
func anySteps(t *testing.T, dir string) (steps []changelogStep, full []bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "steps.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var s changelogStep
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		switch s.Op {
		case "create", "write", "compact":
		default:
			return nil, nil
		}
		steps, full = append(steps, s), append(full, s.Full)
	}
	return steps, full
}

type changelogStep struct {
	step
	Full   bool
	Schema struct {
		PK      []string
		Options map[string]string
	}
}

func replayChangelog(t *testing.T, javaDir, dir string, steps []changelogStep, full []bool) error {
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
		if s.Op == "compact" {
			_, err = ours.Compact(ctx, table.CompactOptions{Full: full[i+1]})
		} else {
			err = act(t, ours, w, s.step, int64(i+1))
		}
		if err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	sound(t, ours)
	sameLines(t, filepath.Join(dir, "expected.jsonl"), lines(t, ours, table.ScanOptions{}))
	data, err := os.ReadFile(filepath.Join(dir, "expected-stream.jsonl"))
	if err != nil {
		return err
	}
	var got []string
	for s, err := range ours.Snapshots().All(ctx) {
		if err != nil {
			return err
		}
		got = append(got, storedChanges(t, ours, s.ID)...)
	}
	want := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if d := gocmp.Diff(byKey(t, want, steps[0].Schema.PK), byKey(t, got, steps[0].Schema.PK)); d != "" {
		t.Errorf("changes (-Java +ours):\n%s", d)
	}
	return nil
}

// byKey are lines of changes, in their order, by snapshot and key.
func byKey(t *testing.T, lines []string, key []string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, line := range lines {
		var cells map[string]json.RawMessage
		if err := json.Unmarshal([]byte(line), &cells); err != nil {
			t.Fatal(err)
		}
		name := string(cells["_snapshot"])
		for _, k := range key {
			name += " " + string(cells[k])
		}
		out[name] = append(out[name], line)
	}
	return out
}
