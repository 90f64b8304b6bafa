//go:build interop

package interop

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

// between are the changes of a stretch of history, as sorted lines with their kinds.
func (w *world) between(b table.Between) (lines []string) {
	w.t.Helper()
	ctx := context.Background()
	d, err := w.open().Diff(ctx, table.ScanOptions{Between: &b})
	w.must(err)
	changes, err := newChangeLines(d.Fields())
	w.must(err)
	for rec, err := range d.Batches(ctx) {
		w.must(err)
		lines, err = changes.of(lines, rec)
		w.must(err)
	}
	for i, line := range lines {
		_, change, _ := strings.Cut(line, ",") // without the snapshot, which Java does not tell
		lines[i] = "{" + change
	}
	return sorted(lines)
}

// stretch is a part of a table's history as both sides name it.
type stretch struct {
	table.Between
	whole    bool // it begins before the first snapshot
	replaces bool // rows were overwritten on the way
	java     []string
}

// compares tells that both versions are compared.
func (s *stretch) compares() bool {
	return s.Mode == table.ChangesDiff || s.Mode == table.ChangesAuto && s.From.Tag != ""
}

// stretches draws one between snapshots, one between times and one between tags.
func (w *world) stretches() []stretch {
	w.t.Helper()
	ctx := context.Background()
	ends := []int64{w.rand.r.Int64N(w.latest() + 1), w.rand.r.Int64N(w.latest() + 1)}
	slices.Sort(ends)
	snapshots := stretch{java: []string{"--start", strconv.FormatInt(ends[0], 10), "--end", strconv.FormatInt(ends[1], 10)}}
	snapshots.From.Snapshot, snapshots.To.Snapshot = ends[0], ends[1]
	if ends[1] == 0 {
		return nil
	}
	times := stretch{java: []string{"--timestamps", "true"}}
	tags := stretch{}
	snapshots.whole, times.whole = ends[0] == 0, ends[0] == 0
	for i, flag := range []string{"--start", "--end"} {
		at, err := w.open().Snapshots().Get(ctx, max(ends[i], 1))
		w.must(err)
		millis := at.TimeMillis
		if ends[i] == 0 {
			millis -= 60_000
		}
		name := fmt.Sprintf("end%d", i)
		w.tag(w.half(), "create", name, at.ID)
		tags.java = append(tags.java, flag, name)
		times.java = append(times.java, flag, strconv.FormatInt(millis, 10))
		if i == 0 {
			times.From.Time, tags.From.Tag = time.UnixMilli(millis), name
		} else {
			times.To.Time, tags.To.Tag = time.UnixMilli(millis), name
		}
	}
	all := []stretch{snapshots, times, tags}
	for id := ends[0] + 1; id <= ends[1]; id++ {
		at, err := w.open().Snapshots().Get(ctx, id)
		w.must(err)
		for i := range all {
			all[i].replaces = all[i].replaces || at.CommitKind == snapshot.Overwrite
		}
	}
	return all
}

// TestChangesBetweenVersionsAreJavas reads what changed between snapshots, times
// and tags in every mode, as rows and through the system tables of changes.
func TestChangesBetweenVersionsAreJavas(t *testing.T) {
	each(t, run.java, 4, func(w *world) {
		if w.half() {
			w.draw(func(t *randomTable) bool { return t.changelogs(pick(t.r, producers...)) })
		}
		w.create(w.half())
		w.writeSome(w.half())
		for range 4 + w.rand.r.IntN(4) {
			w.perform(w.half(), w.step())
		}
		for _, s := range w.stretches() {
			for _, mode := range []table.ChangeMode{table.ChangesAuto, table.ChangesDelta, table.ChangesChangelog, table.ChangesDiff} {
				s.Mode = mode
				w.sameStretch(s)
			}
		}
		for _, name := range []string{"audit_log", "binlog", "ro"} {
			w.sameView(name, table.ScanOptions{}, "scan")
		}
	})
}

func (w *world) sameStretch(s stretch) {
	w.t.Helper()
	if w.javaErrs(s) {
		return
	}
	o, compares := w.rand.options, s.compares()
	java := append(slices.Clone(s.java), "--mode", string(s.Mode))
	if s.From.Tag != "" && !compares {
		java = append(java, "--options", "incremental-between-tag-to-snapshot=true")
	}
	got := w.between(s.Between)
	if compares { // Java hides what retracts
		got = slices.DeleteFunc(got, retracts)
	}
	w.same(fmt.Sprintf("changes %v", java), "java", sorted(w.javaRuns("incremental", java...)), "go", got)
	views := table.ScanOptions{Between: &s.Between}
	w.sameView("audit_log", views, append([]string{"incremental"}, java...)...)
	compared := o["changelog-producer"] == "lookup" || o["changelog-producer"] == "full-compaction"
	if compares || !(compared && s.Mode != table.ChangesDelta) && slices.ContainsFunc(got, retracts) {
		return // Java fails, and packs what follows together with a -U that was written without a +U
	}
	w.sameView("binlog", views, append([]string{"incremental"}, java...)...)
}

func retracts(line string) bool {
	return strings.HasPrefix(line, `{"_kind":"-`)
}

// javaErrs tells that Java does not read these changes, or others.
func (w *world) javaErrs(s stretch) bool {
	engine := w.rand.options["merge-engine"]
	if s.compares() {
		// Java needs a snapshot to begin with; and it compares what the changed files
		// alone make, without the rows in those that both versions have; and it tells
		// nothing of a row whose sequence number is lower than that of the row before,
		// as it is where an overwrite began to count anew.
		return s.whole || s.replaces || engine == "partial-update" || engine == "aggregation" || w.rand.options["sequence.field"] != ""
	}
	// Java does not look where the changes are: on level 0, and in the bucket of rows that wait.
	return engine == "first-row" || w.rand.options["deletion-vectors.enabled"] == "true" || w.rand.options["bucket"] == "-2"
}

// sameView compares a system table of rows or changes.
func (w *world) sameView(name string, o table.ScanOptions, java ...string) {
	w.t.Helper()
	want, err := w.java.run(w.id.String()+"$"+name, java[0], java[1:]...)
	w.must(err)
	for i, line := range want {
		want[i] = strings.Replace(line, `"_kind":"+I",`, "", 1)
	}
	got := w.system(name, o)
	if name == "binlog" {
		want, got = w.rand.settledVersions(want), w.rand.settledVersions(got)
	}
	w.same(fmt.Sprintf("$%s %v", name, java), "java", sorted(want), "go", sorted(got))
}
