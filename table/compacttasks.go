package table

import (
	"context"
	"slices"
)

// CompactTasks runs tasks that PlanCompaction found, in this process or another
// one, and commits them as Compact does: work is committed as it is done. Tasks
// that were overtaken meanwhile, by another compactor or by an earlier run of the
// same list, are counted and left out without being read, so a list may be run
// again after a failure, and parts of one list by several processes at once. It
// never plans anew. Progress may be nil; see CompactOptions.
//
// Errors: ErrInvalid for tasks that cannot be of this table, before anything is
// done; otherwise those of Compact.
func (t *Table) CompactTasks(ctx context.Context, tasks []CompactTask, progress func(CompactProgress)) (CompactReport, error) {
	j := &compactJob{table: t, options: CompactOptions{Progress: progress}}
	err := j.runPlanned(ctx, tasks)
	return j.report, t.wrap("compact", err)
}

func (j *compactJob) runPlanned(ctx context.Context, tasks []CompactTask) error {
	for i := range tasks {
		if err := j.table.checkTask(&tasks[i]); err != nil {
			return err
		}
	}
	if len(tasks) == 0 {
		return nil
	}
	current, err := j.table.stillDue(ctx, tasks)
	if err != nil {
		return err
	}
	j.report.Overtaken = len(tasks) - len(current)
	if len(current) == 0 {
		return nil
	}
	if err := j.begin(ctx); err != nil {
		return err
	}
	err = j.runTasks(ctx, current)
	j.report.Overtaken += len(j.lost)
	return err
}

// stillDue are the tasks all of whose files are in the newest snapshot.
func (t *Table) stillDue(ctx context.Context, tasks []CompactTask) ([]CompactTask, error) {
	msgs := make([]CommitMessage, len(tasks))
	for i := range tasks {
		msgs[i] = CommitMessage{Partition: tasks[i].Partition, Bucket: tasks[i].Bucket, CompactBefore: slices.Concat(tasks[i].Files, tasks[i].Above)}
	}
	late, _, err := t.overtaken(ctx, msgs)
	if err != nil {
		return nil, err
	}
	gone := make(map[string]bool, len(late))
	for i := range late {
		gone[late[i].compaction()] = true
	}
	var due []CompactTask
	for i := range tasks {
		if !gone[msgs[i].compaction()] {
			due = append(due, tasks[i])
		}
	}
	return due, nil
}
