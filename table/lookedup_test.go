package table_test

import (
	"slices"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/table"
)

const summed = `
columns: [{name: k, type: BIGINT NOT NULL}, {name: v, type: BIGINT}]
primary-key: [k]
options: {bucket: 1, write-only: true, merge-engine: aggregation, fields.v.aggregate-function: sum, changelog-producer: lookup,
  commit.min-retry-wait: 1 ms, commit.max-retry-wait: 2 ms}
`

// Two compactions that read different files of level 0 looked the same older
// row up. The one that comes second may not hide what the first made of it.
func TestCompactionsBesideEachOtherLoseNoSums(t *testing.T) {
	for name, second := range map[string]func(t *testing.T, tab *table.Table){
		"what was looked up is replaced": func(t *testing.T, tab *table.Table) {
			a := level(t, tab, 0)
			late := compactOnly(t, tab, a, -1)
			load(t, tab, `{"k":1,"v":100}`)
			all := fullTask(t, tab).Files
			notA := slices.DeleteFunc(slices.Clone(all), func(f manifest.DataFile) bool { return f.Name == a[0].Name })
			early := compactOnly(t, tab, notA, 0)
			inOrder(t, tab, early, late)
		},
		"what was looked up by another lies below": func(t *testing.T, tab *table.Table) {
			if err := committer(t, tab, "x").Commit(ctx, 1, compactOnly(t, tab, level(t, tab, 0), -1)); err != nil {
				t.Fatal(err)
			}
			load(t, tab, `{"k":1,"v":100}`)
			early := compactOnly(t, tab, level(t, tab, 0), -2)
			c := level(t, tab, 0)[0].Name
			load(t, tab, `{"k":1,"v":1000}`)
			task := fullTask(t, tab)
			late := compactOnly(t, tab, slices.DeleteFunc(slices.Clone(task.Files), func(f manifest.DataFile) bool {
				return f.Name == c || f.Level == task.Top
			}), -1)
			inOrder(t, tab, early, late)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tab := create(t, store.NewMem(), summed)
			load(t, tab, `{"k":1,"v":1}`)
			if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
				t.Fatal(err)
			}
			load(t, tab, `{"k":1,"v":10}`)
			second(t, tab)
		})
	}
}

// inOrder commits two compactions, of which the second is refused, and proves
// that each way to the table's rows tells the same.
func inOrder(t *testing.T, tab *table.Table, early, late []table.CommitMessage) {
	t.Helper()
	if err := committer(t, tab, "early").Commit(ctx, 1, early); err != nil {
		t.Fatal(err)
	}
	before := lines(t, tab, table.ScanOptions{})
	failsWith(t, committer(t, tab, "late").Commit(ctx, 1, late), table.ErrConflict)
	expect(t, tab, table.ScanOptions{}, before...)
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true}); err != nil {
		t.Fatal(err)
	}
	expect(t, tab, table.ScanOptions{}, before...)
	clean(t, tab)
}

// fullTask is the compaction of all files.
func fullTask(t *testing.T, tab *table.Table) table.CompactTask {
	t.Helper()
	tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil || len(tasks) != 1 {
		t.Fatal(len(tasks), err)
	}
	return tasks[0]
}

// level are the files of one level.
func level(t *testing.T, tab *table.Table, level int) []manifest.DataFile {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(fullTask(t, tab).Files), func(f manifest.DataFile) bool { return f.Level != level })
}

// compactOnly is the work of a process that knows of some files only, and of
// those above its output: a level counted from the top.
func compactOnly(t *testing.T, tab *table.Table, files []manifest.DataFile, output int) []table.CommitMessage {
	t.Helper()
	task := fullTask(t, tab)
	for _, f := range task.Files {
		if f.Level > task.Top+output {
			task.Above = append(task.Above, f)
		}
	}
	task.Files, task.Output, task.DropDeletes = files, task.Top+output, output == 0
	m, err := tab.RunCompaction(ctx, task)
	if err != nil {
		t.Fatal(err)
	}
	return []table.CommitMessage{m}
}
