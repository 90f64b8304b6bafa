package table_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

// TestAlteredTablesAreReplayed gives our alterations and our writer the steps
// that real Paimon got, and compares the schemas and the rows of every snapshot.
func TestAlteredTablesAreReplayed(t *testing.T) {
	dir := golden(t)
	for _, name := range []string{"evolve_append_parquet", "evolve_pk_avro", "evolve_pk_parquet", "evolve_types"} {
		t.Run(name, func(t *testing.T) {
			c := filepath.Join(dir, "cases", name)
			data, err := os.ReadFile(filepath.Join(c, "steps.jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			st := store.NewMem()
			snapshots := 0
			lines := bufio.NewScanner(bytes.NewReader(data))
			for lines.Buffer(nil, len(data)+1); lines.Scan(); {
				if replayStep(t, st, lines.Bytes()) {
					snapshots++
					sameLines(t, filepath.Join(c, fmt.Sprintf("expected-snapshot-%d.jsonl", snapshots)), linesOf(t, st))
				}
			}
			if snapshots < 2 {
				t.Fatal("too few steps")
			}
			sameLines(t, filepath.Join(c, "expected.jsonl"), linesOf(t, st))
			sound(t, reopen(t, st))
			java := filepath.Join(dir, "warehouse", "fx.db", name)
			local, err := store.NewLocal(java)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := table.Open(ctx, local, "java", table.Settings{}, table.Components{})
			if err != nil {
				t.Fatal(err)
			}
			if ours := reopen(t, st).Schema(); ours.ID != theirs.Schema().ID || !reflect.DeepEqual(ours.Fields, theirs.Schema().Fields) || ours.HighestFieldID != theirs.Schema().HighestFieldID {
				t.Errorf("schema %d %v, java %d %v", ours.ID, ours.Fields, theirs.Schema().ID, theirs.Schema().Fields)
			}
		})
	}
}

func linesOf(t *testing.T, st store.Store) []string {
	return lines(t, reopen(t, st), table.ScanOptions{})
}

// replayStep does one step, and tells whether it made a snapshot.
func replayStep(t *testing.T, st store.Store, line []byte) bool {
	t.Helper()
	var s struct {
		Op, Change string
		Rows       []json.RawMessage
		Schema     json.RawMessage
	}
	if err := json.Unmarshal(line, &s); err != nil {
		t.Fatal(err)
	}
	switch s.Op {
	case "create":
		def := strings.NewReplacer(`"pk":`, `"primary-key":`, `"partition":`, `"partition-by":`).Replace(string(s.Schema))
		parsed, err := schema.ParseDefinition([]byte(def))
		if err != nil {
			t.Fatal(err)
		}
		sc, err := parsed.Table(0)
		if err != nil {
			t.Fatal(err)
		}
		if err := table.Create(ctx, st, sc); err != nil {
			t.Fatal(err)
		}
	case "alter":
		alter(t, st, changesOf(s.Change)...)
	case "write":
		tab := reopen(t, st)
		rows := make([]string, len(s.Rows))
		for i, r := range s.Rows {
			rows[i] = plainNumbers(t, tab.Schema().Fields, r)
		}
		load(t, tab, rows...)
		return true
	default:
		t.Fatalf("step %s", s.Op)
	}
	return false
}

// changesOf splits "type a BIGINT, b DECIMAL(18, 4), drop c (in words)"; a verb holds on.
func changesOf(text string) []string {
	text, _, _ = strings.Cut(text, " (same")
	text = strings.ReplaceAll(text, "add s STRING", "add s STRING AFTER a") // which the step does not say
	var out []string
	verb, depth, from := "", 0, 0
	for i, r := range text + "," {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		}
		if r != ',' || depth > 0 {
			continue
		}
		c := strings.TrimSpace(text[from:i])
		from = i + 1
		switch first, _, _ := strings.Cut(c, " "); first {
		case "add", "drop", "rename", "type":
			verb = first
		default:
			c = verb + " " + c
		}
		out = append(out, c)
	}
	return out
}
