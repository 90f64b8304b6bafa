package table_test

import (
	"fmt"
	"testing"

	"github.com/tidelake/tidelake/io/store"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/table"
)

const dailyCounts = `
columns: [{name: dt, type: INT NOT NULL}, {name: k, type: INT NOT NULL}, {name: v, type: INT}]
primary-key: [dt, k]
partition-by: [dt]
options: {bucket: 1, write-only: true}
`

func TestATaskListIsRunInPartsAndAgain(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, dailyCounts)
	var want []string
	for _, v := range []int{1, 2} {
		want = want[:0]
		for dt := range 4 {
			want = append(want, fmt.Sprintf(`{"dt":%d,"k":1,"v":%d}`, dt, v))
		}
		load(t, tab, want...)
	}
	tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil || len(tasks) != 4 {
		t.Fatal(len(tasks), err)
	}
	data, err := table.MarshalCompactTasks(tasks)
	if err != nil {
		t.Fatal(err)
	}
	if tasks, err = table.UnmarshalCompactTasks(data); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Compact(ctx, table.CompactOptions{Full: true, Partition: "dt = 0"}); err != nil { // overtakes the first
		t.Fatal(err)
	}
	for i, c := range []struct {
		tasks           []table.CompactTask
		done, overtaken int
	}{{tasks[:2], 1, 1}, {tasks[1:], 2, 1}, {tasks, 0, 4}, {nil, 0, 0}} {
		told := 0
		r, err := reopen(t, st).CompactTasks(ctx, c.tasks, func(p table.CompactProgress) { told = p.TasksDone })
		if err != nil || r.Tasks != c.done || r.Overtaken != c.overtaken || r.Snapshots != min(c.done, 1) || told != c.done {
			t.Errorf("run %d: %+v, %v, %d done", i, r, err, told)
		}
	}
	expect(t, tab, table.ScanOptions{}, want...)
	if left := orphans(t, st, tab); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	sound(t, tab)
}

func TestTasksOfAnotherTableAreRefusedBeforeAnythingIsDone(t *testing.T) {
	tab := create(t, store.NewMem(), dailyCounts)
	load(t, tab, `{"dt":1,"k":1,"v":1}`)
	load(t, tab, `{"dt":1,"k":1,"v":2}`)
	tasks, err := tab.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	tasks = append(tasks, tasks[0])
	tasks[1].Partition = []byte{1, 2, 3}
	_, err = tab.CompactTasks(ctx, tasks, nil)
	failsWith(t, err, table.ErrCorrupt, "partition")
	if id, err := tab.Snapshots().LatestID(ctx); id != 2 || err != nil {
		t.Errorf("snapshot %d, %v", id, err)
	}
}

// What may not be made may not come of an alteration: functions know their types.
func TestAnAlterationToAnEngineThatCannotBeIsRefused(t *testing.T) {
	st := store.NewMem()
	tab := create(t, st, stock, "merge-engine=aggregation")
	for _, option := range [][2]string{{"fields.b.aggregate-function", "sum"}, {"fields.a.aggregate-function", "listagg"}} {
		_, err := tab.Alter(ctx, schema.SetOption{Key: option[0], Value: option[1]})
		failsWith(t, err, table.ErrInvalid, "column", option[1])
	}
}
