package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// tell runs a benchmark on a table and returns its lines.
func tell(t *testing.T, dir, args string) (lines []map[string]any) {
	t.Helper()
	var told bytes.Buffer
	out = &told
	fields := strings.Fields(args)
	if err := run(context.Background(), append(fields, "--warehouse", dir, "--table", "bench.t")); err != nil {
		t.Fatal(args, err)
	}
	for line := range strings.Lines(told.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

const shape = " --rows 3000 --keys 1000 --cols 10 --commits 3 --no-warmup"

// digestOf is what a scan says of the table's rows.
func digestOf(t *testing.T, dir string) any {
	t.Helper()
	lines := tell(t, dir, "scan --repeat 1 --warmup 0 --warm-seconds 0 --digest")
	return lines[len(lines)-1]["digest"]
}

// However a table is written and compacted, the rows are the same, and the
// changes of a changelog lead to them.
func TestBenchmarksAgreeOnTheRows(t *testing.T) {
	dirs := [...]string{t.TempDir(), t.TempDir(), t.TempDir()}
	tell(t, dirs[0], "ingest --options write-only=true"+shape)
	compacted := tell(t, dirs[1], "compact"+shape)[0]
	tell(t, dirs[2], "ingest --wait-each --options write-only=false,changelog-producer=lookup"+shape)
	want := digestOf(t, dirs[0])
	for _, dir := range dirs[1:] {
		if got := digestOf(t, dir); got != want {
			t.Errorf("digest %v, want %v", got, want)
		}
	}
	if compacted["files_out"] != 1.0 || compacted["rows_out"].(float64) >= compacted["rows_in"].(float64) {
		t.Errorf("compacted: %v", compacted)
	}
	told := tell(t, dirs[2], "changes --repeat 1 --warmup 0 --digest")
	if len(told) != 2 || told[0]["rows"] != told[1]["rows"] || told[0]["rows"].(float64) <= 1000 {
		t.Errorf("changes: %v", told)
	}
	if found := tell(t, dirs[2], "lookup --keys 1000 --lookups 2000 --repeat 1")[0]; found["hits"].(float64) < 1800 {
		t.Errorf("lookups: %v", found)
	}
}

func TestBenchmarksOfPartitions(t *testing.T) {
	dir := t.TempDir()
	tell(t, dir, "ingest --partition c09 --rows 100 --keys 100 --cols 10 --commits 2 --no-warmup")
	planned := tell(t, dir, "plan --repeat 1 --warmup 0")[0]
	if planned["splits"].(float64) < 80 || planned["files"].(float64) < planned["splits"].(float64) {
		t.Errorf("planned: %v", planned)
	}
}

// Rows of many nulls change what partial-update makes of them.
func TestBenchmarksOfNulls(t *testing.T) {
	dirs := [...]string{t.TempDir(), t.TempDir()}
	tell(t, dirs[0], "ingest --options merge-engine=partial-update --nulls 50"+shape)
	tell(t, dirs[1], "ingest --nulls 50"+shape)
	if digestOf(t, dirs[0]) == digestOf(t, dirs[1]) {
		t.Error("partial-update of rows with nulls tells what deduplicate does")
	}
}
