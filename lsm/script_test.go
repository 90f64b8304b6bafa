package lsm

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/manifest"
)

var rewriteScripts = flag.Bool("rewrite", false, "replace the expected output in testdata/*.txt by what is printed now")

// script is a text file of commands, their input and what they print. One
// starts with a command line, goes on with lines of input, and has its output
// after a line of four dashes, up to an empty line.
type script struct {
	t       *testing.T
	levels  *Levels
	picker  *Picker
	options PickOptions
	now     time.Time
}

func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	var out []string
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		if strings.HasPrefix(block, "#") {
			out = append(out, block)
			continue
		}
		given, want, _ := strings.Cut(block, "\n----")
		got := strings.TrimSuffix(s.run(strings.Split(given, "\n")), "\n")
		if want = strings.TrimPrefix(want, "\n"); got != want && !*rewriteScripts {
			t.Errorf("%s\ngot\n%s\nwant\n%s", given, got, want)
		}
		out = append(out, strings.TrimSuffix(given+"\n----\n"+got, "\n"))
	}
	if *rewriteScripts {
		if err := os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *script) run(lines []string) string {
	words := strings.Fields(lines[0])
	args := map[string]string{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		args[k] = v
	}
	switch words[0] {
	case "options":
		s.options = pickOptions(s.t, args)
		s.picker = NewPicker(s.options)
		return ""
	case "levels":
		var err error
		if s.levels, err = NewLevels(compareText, s.files(lines[1:]), s.number(args, "n", 6)); err != nil {
			return err.Error()
		}
		return s.show()
	case "update":
		for _, l := range lines[1:] {
			f := s.files([]string{l[1:]})
			if l[0] == '-' {
				s.levels.Update(f, nil)
			} else {
				s.levels.Update(nil, f)
			}
		}
		return s.show()
	case "pick":
		s.now = s.now.Add(time.Duration(s.number(args, "minutes", 0)) * time.Minute)
		u, ok := s.picker.Pick(s.levels, s.now)
		return s.unit(u, ok)
	case "full":
		stale := strings.Split(args["stale"], ",")
		u, ok := PickFull(s.levels, func(f *manifest.DataFile) bool { return contains(stale, f.Name) })
		return s.unit(u, ok)
	case "steps":
		return s.steps(args, s.files(lines[1:]))
	}
	s.t.Fatalf("no command %q", words[0])
	return ""
}

func (s *script) number(args map[string]string, key string, otherwise int) int {
	text, ok := args[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func pickOptions(t *testing.T, args map[string]string) PickOptions {
	o := PickOptions{Trigger: 5, SizeAmplification: 200, SizeRatio: 1, OffPeakStart: -1, OffPeakEnd: -1}
	for key, text := range args {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		switch key {
		case "trigger":
			o.Trigger = int(n)
		case "amplification":
			o.SizeAmplification = int(n)
		case "ratio":
			o.SizeRatio = int(n)
		case "interval":
			o.FullInterval = time.Duration(n) * time.Minute
		case "total":
			o.TotalSize = &n
		case "incremental":
			o.IncrementalSize = &n
		case "offpeak-from":
			o.OffPeakStart = int(n)
		case "offpeak-to":
			o.OffPeakEnd = int(n)
		case "offpeak-ratio":
			o.OffPeakRatio = int(n)
		case "force":
			o.ForceLevel0, o.ForceEvery = true, int(n)
		default:
			t.Fatalf("no option %q", key)
		}
	}
	return o
}

// files reads lines "name@level size=10 keys=a-c seq=1-5".
func (s *script) files(lines []string) []manifest.DataFile {
	var out []manifest.DataFile
	for _, line := range lines {
		words := strings.Fields(line)
		name, level, _ := strings.Cut(words[0], "@")
		f := manifest.DataFile{Name: name, Level: s.number(map[string]string{"level": level}, "level", 0), Size: 10, MinKey: []byte("a"), MaxKey: []byte("z")}
		for _, w := range words[1:] {
			k, v, _ := strings.Cut(w, "=")
			from, to, _ := strings.Cut(v, "-")
			switch k {
			case "size":
				f.Size = int64(s.number(map[string]string{k: v}, k, 0))
			case "keys":
				f.MinKey, f.MaxKey = []byte(from), []byte(to)
			case "seq":
				f.MinSequence = int64(s.number(map[string]string{k: from}, k, 0))
				f.MaxSequence = int64(s.number(map[string]string{k: to}, k, 0))
			case "made":
				f.CreationTime = int64(s.number(map[string]string{k: v}, k, 0))
			default:
				s.t.Fatalf("what is %q", w)
			}
		}
		out = append(out, f)
	}
	return out
}

func (s *script) show() string {
	var b strings.Builder
	for _, r := range s.levels.Runs() {
		fmt.Fprintf(&b, "L%d %s (%d)\n", r.Level, fileNames(r.Files), r.Size())
	}
	fmt.Fprintf(&b, "runs=%d highest=%d max=%d\n", s.levels.RunCount(), s.levels.Highest(), s.levels.Max())
	return b.String()
}

func fileNames(files []manifest.DataFile) string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = f.Name
	}
	return strings.Join(out, " ")
}

func (s *script) unit(u Unit, ok bool) string {
	if !ok {
		return "nothing"
	}
	text := fmt.Sprintf("%s -> L%d", fileNames(u.Files), u.Output)
	if u.DropsDeletes(s.levels, false) {
		text += " dropping deletes"
	}
	if u.Apart {
		text += " each alone"
	}
	return text
}

func (s *script) steps(args map[string]string, files []manifest.DataFile) string {
	u := Unit{Output: s.number(args, "output", 5), Files: files, Apart: args["apart"] != ""}
	anew := strings.Split(args["rewrite"], ",")
	o := StepOptions{Small: int64(s.number(args, "small", 70)), Rewrite: func(f *manifest.DataFile) bool { return contains(anew, f.Name) }}
	var b strings.Builder
	for _, step := range u.Steps(compareText, o) {
		for _, f := range step.Upgrade {
			fmt.Fprintf(&b, "upgrade %s\n", f.Name)
		}
		if len(step.Rewrite) > 0 {
			b.WriteString("rewrite")
			for _, section := range step.Rewrite {
				var runs []string
				for _, run := range section {
					runs = append(runs, fileNames(run))
				}
				fmt.Fprintf(&b, " [%s]", strings.Join(runs, " | "))
			}
			b.WriteString("\n")
		}
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

func compareText(a, b []byte) int { return strings.Compare(string(a), string(b)) }

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
