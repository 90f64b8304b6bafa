package table_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tidelake/tidelake/table"
)

// scanLine is a line of testdata/scans.txt: what Paimon read.
type scanLine struct {
	text, producer, read, want string
	options                    map[string]string
}

var (
	scanLineText = regexp.MustCompile(`^(none|lookup) (.*?) \{(.*?)\} => ?(.*)$`)
	scanRowText  = regexp.MustCompile(`([-+][IUD])\(([^()]*)\)`)
	scanPlanText = regexp.MustCompile(`\[([^|\]]*)\|next=(\d+)\]`)
)

func paimonScans(t *testing.T) (out []scanLine) {
	t.Helper()
	data, err := os.ReadFile("testdata/scans.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "#") || !strings.Contains(line, "=>") {
			continue // the history itself is compared elsewhere
		}
		m := scanLineText.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			t.Fatalf("cannot read %q", line)
		}
		l := scanLine{text: strings.TrimSpace(line), producer: m[1], read: m[2], want: m[4], options: map[string]string{}}
		for _, option := range strings.Split(m[3], ", ") {
			key, value, _ := strings.Cut(option, "=")
			l.options[key] = value
		}
		out = append(out, l)
	}
	return out
}

// between is the stretch of history that a line names.
func (l scanLine) between(t *testing.T) *table.Between {
	version := func(text string) table.Version {
		if strings.HasPrefix(text, "t") {
			return table.Version{Tag: text}
		}
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return table.Version{Snapshot: id}
	}
	from, to, there := strings.Cut(l.options["incremental-between"], ",")
	if !there {
		return nil
	}
	return &table.Between{From: version(from), To: version(to), Mode: table.ChangeMode(l.options["incremental-between-scan-mode"])}
}

// TestReadsAreThoseOfPaimon reads a table in every way in which Paimon has.
func TestReadsAreThoseOfPaimon(t *testing.T) {
	tables := map[string]*table.Table{}
	for producer, options := range map[string][]string{"none": nil, "lookup": {"changelog-producer=lookup", "write-only=false"}} {
		_, tables[producer] = history(t, options...)
		_, tables[producer+" after overwrite"] = history(t, options...)
		rescale(t, tables[producer+" after overwrite"], nil, `{"k":5,"v":"ow"}`)
	}
	for _, l := range paimonScans(t) {
		t.Run(l.text, func(t *testing.T) {
			tab := tables[l.producer]
			read, later := strings.CutPrefix(l.read, "after overwrite")
			if later {
				tab = tables[l.producer+" after overwrite"]
			}
			switch word, _, _ := strings.Cut(read, " "); word {
			case "batch", "ro", "incr", "audit", "binlog":
				l.readsRows(t, tab, word)
			default:
				l.streams(t, tab)
			}
		})
	}
}

// readsRows compares rows whatever their order: it is Paimon's order of files.
func (l scanLine) readsRows(t *testing.T, tab *table.Table, word string) {
	var want, got []string
	for _, m := range scanRowText.FindAllStringSubmatch(strings.NewReplacer("{", "[", "}", "]").Replace(l.want), -1) {
		want = append(want, m[1]+" "+m[2])
	}
	o := table.ScanOptions{Between: l.between(t)}
	switch word {
	case "batch", "ro": // plain rows have no kind
		for i := range want {
			want[i] = "+I" + want[i][2:]
		}
		rows := lines(t, tab, o)
		if word == "ro" {
			rows = systemLines(t, tab, "ro", o)
		}
		for _, row := range rows {
			got = append(got, "+I "+cellsOf(row))
		}
	case "incr":
		changes, err := diffLines(tab, o)
		if err != nil {
			t.Fatal(err)
		}
		mode := o.Between.Mode
		for _, row := range changes {
			kind, cells, _ := strings.Cut(cellsOf(row), ",")
			if kind != "-D" || mode == table.ChangesDelta || mode == table.ChangesAuto || mode == table.ChangesChangelog { // Paimon shows deletes of a comparison in audit_log only
				got = append(got, kind+" "+cells)
			}
		}
	default:
		for _, row := range systemLines(t, tab, map[string]string{"audit": "audit_log"}[word]+strings.TrimPrefix(word, "audit"), o) {
			got = append(got, "+I "+cellsOf(row))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

var cellsText = regexp.MustCompile(`"[a-z_]+":|["{}]`)

// cellsOf are the values of a row of JSON, with commas between.
func cellsOf(row string) string { return cellsText.ReplaceAllString(row, "") }

// streams compares what is told snapshot by snapshot, and where the stream is then.
func (l scanLine) streams(t *testing.T, tab *table.Table) {
	o := table.StreamOptions{Mode: table.StartMode(l.options["scan.mode"])}
	if id := l.options["scan.snapshot-id"]; id != "" {
		o.Snapshot, _ = strconv.ParseInt(id, 10, 64)
	}
	if l.options["streaming-read-overwrite"] == "true" {
		o.Overwrites = table.DeliverOverwrites
	}
	newest, err := tab.Snapshots().LatestID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	o.UntilSnapshot = newest
	var want []string
	next := int64(0)
	for _, plan := range scanPlanText.FindAllStringSubmatch(l.want, -1) {
		next, _ = strconv.ParseInt(plan[2], 10, 64)
		for _, m := range scanRowText.FindAllStringSubmatch(plan[1], -1) {
			want = append(want, fmt.Sprintf("%d:%s %s", next-1, m[1], strings.ReplaceAll(m[2], ",", " ")))
		}
	}
	s, err := tab.Stream(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	got, err := collect(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, shorten(got), cmpopts.EquateEmpty()); d != "" || s.NextSnapshot() != next {
		t.Errorf("next is %d, want %d (-want +got):\n%s", s.NextSnapshot(), next, d)
	}
}
