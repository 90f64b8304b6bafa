package table_test

import (
	"context"
	"fmt"

	"github.com/tidelake/tidelake/table"
)

// A job compacts a write-only table; what it did is told in numbers.
func ExampleTable_Compact() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for _, name := range []string{"Ada", "Ada King", "Ada Lovelace"} {
		w.Put(ctx, table.Row{"id": 1, "name": name})
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
	report, err := t.Compact(ctx, table.CompactOptions{Full: true})
	if err != nil {
		panic(err)
	}
	fmt.Println(report.FilesBefore, "files became", report.FilesAfter)
	report, err = t.Compact(ctx, table.CompactOptions{Full: true})
	fmt.Println("again:", report.Snapshots, "snapshots", err)
	// Output:
	// 3 files became 1
	// again: 0 snapshots <nil>
}

// Tasks are plain values: plan here, run anywhere, commit once.
func ExampleTable_PlanCompaction() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for i := range 2 {
		w.Put(ctx, table.Row{"id": i, "name": "x"})
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
	tasks, err := t.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil {
		panic(err)
	}
	var msgs []table.CommitMessage
	for _, task := range tasks {
		fmt.Println(task.Reads, "files,", task.Rows, "rows to level", task.Output)
		m, err := t.RunCompaction(ctx, task) // perhaps in another process
		if err != nil {
			panic(err)
		}
		msgs = append(msgs, m)
	}
	c, err := t.NewCommitter(ctx, "")
	if err != nil {
		panic(err)
	}
	fmt.Println(c.Commit(ctx, 1, msgs))
	// Output:
	// 2 files, 2 rows to level 5
	// <nil>
}

// A list of tasks is run in parts, by as many processes as there are parts.
func ExampleTable_CompactTasks() {
	ctx := context.Background()
	t := newUsers(ctx)
	w, err := t.NewWriter(ctx, table.WriterOptions{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	for i := range 2 {
		w.Put(ctx, table.Row{"id": i, "name": "x"})
		if err := w.CommitNext(ctx); err != nil {
			panic(err)
		}
	}
	tasks, err := t.PlanCompaction(ctx, table.CompactOptions{Full: true})
	if err != nil {
		panic(err)
	}
	for range 2 { // the second time there is nothing left to do
		report, err := t.CompactTasks(ctx, tasks, nil)
		fmt.Println(report.Tasks, "done,", report.Overtaken, "passed over", err)
	}
	// Output:
	// 1 done, 0 passed over <nil>
	// 0 done, 1 passed over <nil>
}
