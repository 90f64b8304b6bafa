package table

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tidelake/tidelake/internal/fault"
)

// CompactOptions say what a compaction job does. The zero value takes one
// step in every bucket that needs one.
type CompactOptions struct {
	// Full merges everything: each bucket becomes one run without deletes.
	// Default: one pick by the table's rules, as its writers would do.
	Full bool
	// Partition keeps to partitions for which it is true, a filter over the
	// partition columns: "dt < '2026-01-01'". Default: all.
	Partition string
	// IdleFor leaves out partitions that got a file within this time. Default: none.
	IdleFor time.Duration
	// MaxBytes bounds the size of the files that the tasks of a plan read
	// together; tasks that do not fit are left for another time. 0 is no bound.
	MaxBytes int64
	// Progress, if set, is told how far the job is. It is called from several
	// goroutines, one at a time, and should return soon.
	Progress func(CompactProgress)
}

// CompactProgress is how far a compaction job is.
type CompactProgress struct {
	Tasks, TasksDone int
	Rows, RowsDone   int64 // rows to read, and read
}

// CompactReport is what a compaction job did.
type CompactReport struct {
	Tasks       int   // done and committed
	Overtaken   int   // tasks that another compactor was faster with
	FilesBefore int   // files taken out, moved ones included
	FilesAfter  int   // files put in
	BytesBefore int64 // of these files
	BytesAfter  int64
	Snapshots   int // made; 0 when there was nothing to do
}

const (
	// commitEvery bounds the bytes whose compaction a crash can cost.
	commitEvery = 1 << 30
	// compactRounds is how often tasks that were overtaken are planned anew.
	compactRounds = 4
)

// Compact plans compactions on the newest snapshot, runs them here and commits
// them. It works on write-only tables, and beside writers and other
// compactors: a task that another one has overtaken is dropped and its bucket
// planned again; nobody else notices. Work is committed as it is done, so a
// job that was stopped goes on where it was when it is called again. Nothing
// to do makes no snapshot. In a table with bucket -2 it begins with
// CompactPostponed, which MaxBytes does not bound.
//
// To spread the work over machines, give each a part of what PlanCompaction
// finds to run with CompactTasks, or take RunCompaction and Committer.Commit apart.
func (t *Table) Compact(ctx context.Context, o CompactOptions) (CompactReport, error) {
	j := &compactJob{table: t, options: o}
	err := j.run(ctx)
	return j.report, t.wrap("compact", err)
}

// compactJob is a call of Compact.
type compactJob struct {
	table   *Table
	options CompactOptions
	commits *Committer

	mu       sync.Mutex // guards what follows
	progress CompactProgress
	report   CompactReport
	waiting  []CommitMessage // done and not committed
	bytes    int64           // read for them
	lost     []CommitMessage
}

func (j *compactJob) run(ctx context.Context) error {
	if j.table.postponed() {
		moved, err := j.table.compactPostponed(ctx, j.options)
		if err != nil {
			return err
		}
		if moved.Files > 0 {
			j.report.FilesBefore += moved.Files
			j.report.Snapshots++
		}
	}
	tasks, err := j.table.PlanCompaction(ctx, j.options)
	if err != nil || len(tasks) == 0 {
		return err
	}
	if err := j.begin(ctx); err != nil {
		return err
	}
	for range compactRounds {
		if err := j.runTasks(ctx, tasks); err != nil || len(j.lost) == 0 {
			return err
		}
		again := make(map[bucketKey]bool)
		for i := range j.lost {
			again[bucketKey{string(j.lost[i].Partition), j.lost[i].Bucket}] = true
		}
		j.report.Overtaken += len(j.lost)
		j.lost = nil
		if err := j.commits.outdated(ctx); err != nil {
			return err
		}
		if tasks, err = j.table.planCompaction(ctx, j.options, func(key bucketKey) bool { return again[key] }); err != nil {
			return err
		}
	}
	return nil
}

// begin makes the committer of a job that has something to do.
func (j *compactJob) begin(ctx context.Context) (err error) {
	if j.commits, err = j.table.NewCommitter(ctx, ""); err == nil {
		j.commits.expiry.on = true // a job does for write-only writers what they leave out
		j.commits.lost = func(msgs []CommitMessage) { j.lost = append(j.lost, msgs...) }
	}
	return err
}

// runTasks runs tasks, several at once. One that fails does not stop the
// others: what is done is committed before the error is returned.
func (j *compactJob) runTasks(ctx context.Context, tasks []CompactTask) error {
	j.plan(tasks)
	var group errgroup.Group
	group.SetLimit(cap(compactions))
	errs := make([]error, len(tasks))
	for i := range tasks {
		group.Go(func() error {
			if ctx.Err() != nil {
				errs[i] = ctx.Err()
				return nil
			}
			m, err := j.table.runCompaction(ctx, &tasks[i], j.tell)
			if err != nil {
				errs[i] = err
				return nil
			}
			errs[i] = j.done(ctx, m, tasks[i].Bytes)
			return nil
		})
	}
	_ = group.Wait()
	// What is done is worth committing even when the job is to end.
	return errors.Join(append(errs, j.commit(context.WithoutCancel(ctx)))...)
}

func (j *compactJob) plan(tasks []CompactTask) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.progress.Tasks += len(tasks)
	for i := range tasks {
		j.progress.Rows += tasks[i].Rows
	}
	j.show()
}

// tell counts rows that were read.
func (j *compactJob) tell(rows int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.progress.RowsDone += rows
	j.show()
}

func (j *compactJob) show() {
	if j.options.Progress != nil {
		j.options.Progress(j.progress)
	}
}

// done takes in a finished task.
func (j *compactJob) done(ctx context.Context, m CommitMessage, bytes int64) error {
	j.mu.Lock()
	j.progress.TasksDone++
	j.show()
	if !m.empty() {
		j.waiting = append(j.waiting, m)
		j.bytes += bytes
	}
	due := j.bytes >= commitEvery
	j.mu.Unlock()
	if due {
		return j.commit(ctx)
	}
	return nil
}

// commit publishes what is done.
func (j *compactJob) commit(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	msgs := j.waiting
	j.waiting, j.bytes = nil, 0
	if len(msgs) == 0 {
		return nil
	}
	id, err := j.commits.NextIdentifier(ctx)
	if err != nil {
		return errors.Join(err, j.table.abort(context.WithoutCancel(ctx), msgs))
	}
	lost := len(j.lost)
	if _, err := j.commits.commitSurely(ctx, id, msgs); err != nil {
		if !errors.Is(err, fault.ErrUncertain) {
			err = errors.Join(err, j.table.abort(context.WithoutCancel(ctx), msgs))
		}
		return err
	}
	kept := without(msgs, j.lost[lost:])
	for i := range kept {
		if m := &kept[i]; !m.empty() {
			j.report.Tasks++
			j.report.FilesBefore += len(m.CompactBefore)
			j.report.FilesAfter += len(m.CompactAfter)
			j.report.BytesBefore += sizeOf(m.CompactBefore)
			j.report.BytesAfter += sizeOf(m.CompactAfter)
		}
	}
	if len(j.lost)-lost < len(msgs) {
		j.report.Snapshots++
	}
	return nil
}
