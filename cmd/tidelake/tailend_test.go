package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// inTable makes table d.t in a warehouse of the test's own and writes commits to it.
func inTable(t *testing.T, options string, commits ...string) {
	t.Helper()
	t.Chdir(t.TempDir())
	s := newScript(".")
	put := func(name, text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(line string) {
		if got := s.command(t, line); strings.Contains(got, "exit") {
			t.Fatal(got)
		}
	}
	put("t.yaml", "columns: [{name: k, type: INT NOT NULL}, {name: v, type: STRING}]\nprimary-key: [k]\noptions: {bucket: 1"+options+"}\n")
	run("tidelake db create d")
	run("tidelake table create d.t --schema t.yaml")
	for _, rows := range commits {
		put("rows.jsonl", rows)
		run("tidelake write d.t rows.jsonl")
	}
}

var goOn = regexp.MustCompile(`--from (tl1-\S+)`)

// tokenOf is where to go on behind a tail.
func tokenOf(t *testing.T, stderr string) string {
	t.Helper()
	m := goOn.FindStringSubmatch(stderr)
	if m == nil {
		t.Fatalf("no token: %s", stderr)
	}
	return m[1]
}

// A limit that falls between the row before an update and the one after it
// must not make the update a delete.
func TestALimitWithinAnUpdateTellsNoDelete(t *testing.T) {
	inTable(t, ", changelog-producer: lookup", `{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`+"\n"+`{"k":2,"v":"c"}`)
	ctx := context.Background()
	got, stderr, code := runTail(t, ctx, "tail", "d.t", "--from", "snapshot:4", "--limit", "1", "--format", "debezium-json")
	if want := `{"before":{"k":1,"v":"a"},"after":{"k":1,"v":"b"},"op":"u"`; code != 0 || !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("exit %d: %s%s", code, got, stderr)
	}
	got, stderr, code = runTail(t, ctx, "tail", "d.t", "--from", tokenOf(t, stderr), "--until-snapshot", "4", "--format", "debezium-json")
	if want := `{"before":null,"after":{"k":2,"v":"c"},"op":"c"`; code != 0 || !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("exit %d: %s%s", code, got, stderr)
	}
}

// A row that leaves the filter with its update is deleted for who follows it,
// wherever a limit falls.
func TestALimitBehindARowThatLeavesTheFilterTellsTheDelete(t *testing.T) {
	inTable(t, ", changelog-producer: lookup", `{"k":1,"v":"a"}`, `{"k":1,"v":"b"}`)
	got, stderr, code := runTail(t, context.Background(), "tail", "d.t", "--from", "snapshot:4", "--where", "v = 'a'", "--limit", "1", "--format", "debezium-json")
	if want := `{"before":{"k":1,"v":"a"},"after":null,"op":"d"`; code != 0 || !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("exit %d: %s%s", code, got, stderr)
	}
}

// What was read when an interrupt came is printed or is read again.
func TestATailInterruptedWithinASnapshotLosesNoRow(t *testing.T) {
	const rows = 80_000
	var all strings.Builder
	for k := range rows {
		fmt.Fprintf(&all, `{"k":%d,"v":"r"}`+"\n", k)
	}
	inTable(t, "", all.String())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, errs := &stopper{at: "_kind", stop: cancel}, &bytes.Buffer{}
	a := &app{in: strings.NewReader(""), out: out, err: errs}
	if code := a.run(ctx, []string{"tail", "d.t", "--format", "table"}); code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
	rest, stderr, code := runTail(t, context.Background(), "tail", "d.t", "--from", tokenOf(t, errs.String()), "--until-snapshot", "1", "--format", "table")
	if code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	first := strings.Count(out.String(), "+I")
	if got := first + strings.Count(rest, "+I"); got != rows || first == rows {
		t.Errorf("%d rows at first, %d in all", first, got)
	}
}

// A history that is gone cannot be gone on with, so nothing says that it can.
func TestATailOfALostHistoryDoesNotSayWhereToGoOn(t *testing.T) {
	inTable(t, "", `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	ctx := context.Background()
	_, stderr, _ := runTail(t, ctx, "tail", "d.t", "--until-snapshot", "2")
	token := tokenOf(t, stderr)
	newScript(".").command(t, "tidelake rollback d.t --snapshot 1")
	_, stderr, code := runTail(t, ctx, "tail", "d.t", "--from", token)
	if code != exitFailure || strings.Contains(stderr, "go on with") || !strings.Contains(stderr, "rolled back") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// fullDisk takes some bytes and no more.
type fullDisk struct{ left int }

func (w *fullDisk) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

// Nobody knows which rows came out before the output failed, so a tail does
// not say that one could go on behind them, even if it was interrupted besides.
func TestATailWhoseOutputFailsDoesNotSayWhereToGoOn(t *testing.T) {
	inTable(t, "", `{"k":1,"v":"a"}`)
	for _, format := range slices.Sorted(slices.Values(tailFormats)) {
		ctx, cancel := context.WithCancel(context.Background())
		var errs bytes.Buffer
		a := &app{in: strings.NewReader(""), out: writeThen{&fullDisk{}, cancel}, err: &errs}
		if code := a.run(ctx, []string{"tail", "d.t", "--format", format}); code != exitFailure || strings.Contains(errs.String(), "go on") || !strings.Contains(errs.String(), "no space") {
			t.Errorf("%s: exit %d: %s", format, code, errs.String())
		}
		cancel()
	}
}

// writeThen does something behind every write.
type writeThen struct {
	io.Writer
	do func()
}

func (w writeThen) Write(p []byte) (int, error) {
	defer w.do()
	return w.Writer.Write(p)
}

// A column of a name that the output has for itself is refused, not printed twice.
func TestAColumnNamedLikeOneOfOursIsNotPrintedTwice(t *testing.T) {
	t.Chdir(t.TempDir())
	s := newScript(".")
	for name, text := range map[string]string{
		"t.yaml":     "columns: [{name: k, type: INT NOT NULL}, {name: _kind, type: STRING}]\nprimary-key: [k]\noptions: {bucket: 1}\n",
		"rows.jsonl": `{"k":1,"_kind":"x"}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"db create d", "table create d.t --schema t.yaml", "write d.t rows.jsonl"} {
		if got := s.command(t, "tidelake "+line); strings.Contains(got, "exit") {
			t.Fatal(got)
		}
	}
	for line, want := range map[string]string{
		"tail d.t --until-snapshot 1":            "column _kind",
		"diff d.t 0 1":                           "column _kind",
		"tail d.t --until-snapshot 1 --select k": "go on",
	} {
		if _, stderr, _ := runTail(t, context.Background(), strings.Fields(line)...); !strings.Contains(stderr, want) {
			t.Errorf("%s: %s", line, stderr)
		}
	}
}

// A table may name the consumer of its readers: what tail printed is done then,
// too, and does not hold back expiry for good.
func TestATailUnderTheTablesConsumerRecordsWhatItPrinted(t *testing.T) {
	inTable(t, ", consumer-id: all", `{"k":1,"v":"a"}`, `{"k":2,"v":"b"}`)
	for _, want := range []int{2, 0} {
		got, stderr, code := runTail(t, context.Background(), "tail", "d.t", "--from", "snapshot:1", "--until-snapshot", "2")
		if code != 0 || strings.Count(got, "\n") != want {
			t.Errorf("exit %d, want %d rows: %s%s", code, want, got, stderr)
		}
	}
	if got, stderr, _ := runTail(t, context.Background(), "consumer", "list", "d.t", "--json"); !strings.Contains(got, `"next_snapshot":3`) {
		t.Error(got, stderr)
	}
}
