package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/table"
)

// golden unpacks the tables that real Paimon wrote.
func golden(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Open("../../table/testdata/paimon-1.4.2.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, filepath.Clean(h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(to, 0o755)
		} else {
			var data []byte
			if data, err = io.ReadAll(tr); err == nil {
				err = os.WriteFile(to, data, 0o644)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// runTail runs a command line and returns what it printed.
func runTail(t *testing.T, ctx context.Context, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{in: strings.NewReader(""), out: &out, err: &errs}
	code = a.run(ctx, args)
	return out.String(), errs.String(), code
}

// TestTailPrintsWhatJavaStreams compares tail with streams of real Paimon, row
// for row in bytes; real Paimon's are sorted within a snapshot.
func TestTailPrintsWhatJavaStreams(t *testing.T) {
	ctx := context.Background()
	dir := golden(t)
	warehouse := filepath.Join(dir, "warehouse")
	c, err := catalog.Open(ctx, warehouse, table.Settings{}, table.Components{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	files, err := filepath.Glob(filepath.Join(dir, "cases", "*", "expected-stream*.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, file := range files {
		name := filepath.Base(filepath.Dir(file))
		tab, err := c.Table(ctx, catalog.Identifier{Database: "fx", Table: name})
		if errors.Is(err, table.ErrUnsupported) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		first, err := tab.Snapshots().Earliest(ctx)
		if err != nil || first == nil {
			continue
		}
		last, err := tab.Snapshots().LatestID(ctx)
		if err != nil {
			t.Fatal(err)
		}
		from := "snapshot:" + strconv.FormatInt(first.ID, 10)
		if query := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "expected-"), ".jsonl"); query != "stream" {
			from = queryStart(t, filepath.Dir(file), query)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, stderr, code := runTail(t, ctx, "--warehouse", warehouse, "tail", "fx."+name, "--from", from, "--until-snapshot", strconv.FormatInt(last, 10))
		if strings.Contains(stderr, "not supported") {
			continue
		}
		if code != 0 {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
		if d := cmp.Diff(sortedLines(string(want)), sortedLines(got)); d != "" {
			t.Errorf("%s %s (-want +got):\n%s", name, from, d)
		}
		compared++
	}
	if compared < 115 {
		t.Errorf("only %d streams are compared", compared)
	}
}

func queryStart(t *testing.T, dir, query string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "queries.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ From string }
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if from := all[query].From; from != "full" {
		return "snapshot:" + from
	}
	return "full"
}

func sortedLines(text string) []string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return lines
}

// stopper ends a context when a text was printed.
type stopper struct {
	bytes.Buffer
	at   string
	stop context.CancelFunc
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.Buffer.Write(p)
	if strings.Contains(s.String(), s.at) {
		s.stop()
	}
	return n, err
}

// An interrupt is how a tail ends: what it printed last goes on with nothing
// twice and nothing left out.
func TestAnInterruptedTailSaysWhereToGoOn(t *testing.T) {
	t.Chdir(t.TempDir())
	s := newScript(".")
	for _, line := range []string{"tidelake db create d", "tidelake table create d.t --schema t.yaml", "tidelake write d.t one.jsonl"} {
		for name, text := range map[string]string{
			"t.yaml":    "columns: [{name: k, type: INT NOT NULL}]\nprimary-key: [k]\noptions: {bucket: 1}\n",
			"one.jsonl": `{"k":1}` + "\n", "two.jsonl": `{"k":2}` + "\n",
		} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.command(t, line); strings.Contains(got, "exit") {
			t.Fatal(got)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out, errs := &stopper{at: `"k":1`, stop: cancel}, &bytes.Buffer{}
	a := &app{in: strings.NewReader(""), out: out, err: errs}
	if code := a.run(ctx, []string{"tail", "d.t"}); code != 0 {
		t.Errorf("exit %d: %s", code, errs)
	}
	token := regexp.MustCompile(`--from (tl1-\S+)`).FindStringSubmatch(errs.String())
	if token == nil {
		t.Fatalf("no token: %s", errs)
	}
	s.command(t, "tidelake write d.t two.jsonl")
	got, stderr, code := runTail(t, context.Background(), "tail", "d.t", "--from", token[1], "--until-snapshot", "2")
	if got != `{"_snapshot":2,"_kind":"+I","k":2}`+"\n" || code != 0 {
		t.Errorf("%d: %s%s", code, got, stderr)
	}
}
