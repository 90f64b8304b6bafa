package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidelake/tidelake/table"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/*.txt")

// A script is a text file of commands and what they print:
//
//	-- rows.jsonl          a file, up to the line --
//	{"id":1}
//	--
//	$ tidelake write shop.orders rows.jsonl
//	wrote 1 row into shop.orders in 1 commit
//	$ tidelake read shop.gone
//	stderr: tidelake: table shop.gone: not found in ./warehouse
//	exit 1
//
// A command may end in "< file", "> file" or "| head N". "cat file" shows a file,
// "age file" makes it two days old. Lines before the
// first command, and those that begin with # after a blank line, are comments.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			path, err := filepath.Abs(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fixtures, err := filepath.Abs("../../cdc/testdata")
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("TIDELAKE_WAREHOUSE", "")
			t.Chdir(t.TempDir())
			s := newScript(fixtures)
			got := s.run(t, string(want))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("run with -update to accept (-want +got):\n%s", diff)
			}
		})
	}
}

// script runs commands in a world whose clock and names are always the same.
type script struct {
	fixtures string
	now      time.Time
	ids      atomic.Int64 // files are named by goroutines at one time
}

func newScript(fixtures string) *script {
	return &script{fixtures: fixtures, now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
}

func (s *script) world() table.Components {
	return table.Components{
		Clock: func() time.Time { return s.now },
		NewID: func() string {
			return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.ids.Add(1))
		},
	}
}

// run runs every command and returns the script with what they printed.
func (s *script) run(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	lines := strings.SplitAfter(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSuffix(lines[i], "\n")
		switch {
		case strings.HasPrefix(line, "-- "):
			from := i
			for i++; i < len(lines) && lines[i] != "--\n"; i++ {
			}
			if i == len(lines) {
				t.Fatalf("file %q has no end", line)
			}
			if err := os.WriteFile(strings.TrimPrefix(line, "-- "), []byte(strings.Join(lines[from+1:i], "")), 0o600); err != nil {
				t.Fatal(err)
			}
			out.WriteString(strings.Join(lines[from:i+1], ""))
		case strings.HasPrefix(line, "$ "):
			out.WriteString(lines[i])
			out.WriteString(s.command(t, strings.TrimPrefix(line, "$ ")))
			for i+1 < len(lines) && !strings.HasPrefix(lines[i+1], "$ ") && !strings.HasPrefix(lines[i+1], "-- ") &&
				!(lines[i] == "\n" && strings.HasPrefix(lines[i+1], "#")) {
				i++ // the old output
			}
			if i+1 < len(lines) && lines[i] == "\n" && !strings.HasPrefix(lines[i+1], "$ ") {
				out.WriteString("\n") // a blank line before a comment or a file stays
			}
		default:
			out.WriteString(lines[i])
		}
	}
	return out.String()
}

var (
	masks = []struct {
		re *regexp.Regexp
		to string
	}{
		{regexp.MustCompile(`"bytes":\d+`), `"bytes":N`}, // sizes follow the encoder
		{regexp.MustCompile(`\d+ bytes`), `N bytes`},
		{regexp.MustCompile(`"recorded":"[^"]*"`), `"recorded":"T"`},                                   // the file system's clock
		{regexp.MustCompile(`00000000-0000-4000-8000-\d{12}`), `00000000-0000-0000-0000-000000000000`}, // how often the library asks for one is its own affair
		{regexp.MustCompile(`(manifest-list-[0-9-]{36})-\d+`), `$1-N`},                                 // those of a commit are written at one time
		{regexp.MustCompile(`tl1-[\w-]{20,}`), `tl1-TOKEN`},                                            // they hold digests of such names
		{regexp.MustCompile(`data-[0-9a-f-]{36}-(\d+)`), `data-UUID-$1`},
		{regexp.MustCompile(`manifest-[0-9a-f-]{36}-(\d+)`), `manifest-UUID-$1`},
	}
	redirect = regexp.MustCompile(`^(.*?)(?: < (\S+))?(?: > (\S+))?(?: \| head (\d+))?$`)
)

// command runs one command line and returns what it printed.
func (s *script) command(t *testing.T, line string) string {
	t.Helper()
	m := redirect.FindStringSubmatch(line)
	args := words(t, m[1])
	var stdin io.Reader = strings.NewReader("")
	if m[2] != "" {
		data, err := os.ReadFile(s.path(m[2]))
		if err != nil {
			t.Fatal(err)
		}
		stdin = bytes.NewReader(data)
	}
	s.now = s.now.Add(time.Second)
	for i := range args {
		args[i] = s.path(args[i])
	}
	if args[0] == "cat" {
		data, err := os.ReadFile(args[1])
		if err != nil {
			return "stderr: " + err.Error() + "\n"
		}
		return string(data)
	}
	if args[0] == "age" {
		if err := os.Chtimes(args[1], time.Time{}, s.now.Add(-48*time.Hour)); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	var stdout, stderr bytes.Buffer
	a := &app{in: stdin, out: &stdout, err: &stderr, world: s.world()}
	code := a.run(context.Background(), args[1:])
	if m[3] != "" {
		if err := os.WriteFile(m[3], stdout.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout.Reset()
	}
	if n, _ := strconv.Atoi(m[4]); n > 0 {
		lines := strings.SplitAfter(stdout.String(), "\n")
		stdout.Reset()
		stdout.WriteString(strings.Join(lines[:min(n, len(lines))], ""))
	}
	got := stdout.String()
	if got != "" && !strings.HasSuffix(got, "\n") {
		got += "\n"
	}
	for _, line := range strings.SplitAfter(stderr.String(), "\n") {
		if line != "" {
			got += "stderr: " + line
		}
	}
	if code != 0 {
		got += fmt.Sprintf("exit %d\n", code)
	}
	if strings.Contains(stderr.String(), "not supported") != (code == exitRefused) && !strings.Contains(stderr.String(), "note:") {
		t.Errorf("%s: exit %d, but it says %s", line, code, stderr.String())
	}
	got = strings.ReplaceAll(got, s.fixtures, "@")
	for _, mask := range masks {
		got = mask.re.ReplaceAllString(got, mask.to)
	}
	return trimRight(got)
}

// trimRight takes away the blanks at the ends of lines, which editors do too.
func trimRight(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// path puts the directory of recorded change events in the place of @.
func (s *script) path(arg string) string {
	if rest, ok := strings.CutPrefix(arg, "@/"); ok {
		return filepath.Join(s.fixtures, rest)
	}
	return arg
}

// words splits a command line as a shell does, for blanks and quotes.
func words(t *testing.T, line string) []string {
	t.Helper()
	var out []string
	var word strings.Builder
	quote, in := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, in = r, true
		case r == ' ':
			if in {
				out = append(out, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if quote != 0 {
		t.Fatalf("%s: a quote has no end", line)
	}
	if in {
		out = append(out, word.String())
	}
	return out
}
