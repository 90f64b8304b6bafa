package table

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/lsm"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// CompactTask is one compaction of one bucket. It is a plain value that any
// process can run; MarshalCompactTasks and UnmarshalCompactTasks carry it.
type CompactTask struct {
	Snapshot     int64                 `json:"snapshot"`  // planned on this one
	Partition    []byte                `json:"partition"` // BinaryRow body
	Bucket       int                   `json:"bucket"`
	TotalBuckets int                   `json:"totalBuckets"`
	Output       int                   `json:"outputLevel"`
	Top          int                   `json:"topLevel"` // the bucket's highest level
	DropDeletes  bool                  `json:"dropDeletes"`
	Apart        bool                  `json:"apart,omitempty"`   // each file is rewritten alone
	Files        []manifest.DataFile   `json:"files"`             // in and out, moved ones included
	Above        []manifest.DataFile   `json:"above,omitempty"`   // of the levels above the output, where keys are looked up
	Vectors      []manifest.IndexEntry `json:"vectors,omitempty"` // the bucket's index files of deletion vectors
	Bytes        int64                 `json:"bytes"`             // size of the files that will be read
	Rows         int64                 `json:"rows"`              // rows of these files
	Reads        int                   `json:"reads"`             // their number
}

// MarshalCompactTasks encodes tasks for another process.
func MarshalCompactTasks(tasks []CompactTask) ([]byte, error) { return json.Marshal(tasks) }

// UnmarshalCompactTasks is the reverse of MarshalCompactTasks.
func UnmarshalCompactTasks(data []byte) ([]CompactTask, error) {
	var tasks []CompactTask
	if err := strictJSON(data, &tasks); err != nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Op: "read compaction tasks", Err: err}
	}
	return tasks, nil
}

// PlanCompaction finds what Compact would do, in the order of partition and
// bucket. Progress plays no part in it.
func (t *Table) PlanCompaction(ctx context.Context, o CompactOptions) ([]CompactTask, error) {
	tasks, err := t.planCompaction(ctx, o, func(bucketKey) bool { return true })
	return tasks, t.wrap("plan compaction", err)
}

// CheckCompact says whether the table can be compacted here: nil, or
// ErrUnsupported naming what stands against it.
func (t *Table) CheckCompact() error {
	o := *t.options
	o.WriteOnly = false // which only speaks of writers
	return t.wrap("compact", o.CheckWrite(t.schema))
}

func (t *Table) planCompaction(ctx context.Context, o CompactOptions, wanted func(bucketKey) bool) ([]CompactTask, error) {
	if err := t.CheckCompact(); err != nil {
		return nil, err
	}
	if o.MaxBytes < 0 || o.IdleFor < 0 {
		return nil, fault.Invalid("a negative bound of bytes, or of idle time")
	}
	at, err := t.newest(ctx)
	if err != nil || at == nil {
		return nil, err
	}
	entries, err := t.filesToCompact(ctx, at, o)
	if err != nil {
		return nil, err
	}
	index, err := t.indexAt(ctx, at)
	if err != nil {
		return nil, err
	}
	var tasks []CompactTask
	for _, b := range t.bucketsOf(entries) {
		if b.key.bucket < 0 || !wanted(b.key) {
			continue
		}
		b.index = t.bucketIndexOf(b.key, index)
		found, err := t.planBucket(ctx, b, o.Full)
		if err != nil {
			return nil, err
		}
		for i := range found {
			found[i].Snapshot, found[i].TotalBuckets, found[i].Vectors = at.ID, b.total, b.index.files
		}
		tasks = append(tasks, found...)
	}
	return within(tasks, o.MaxBytes), nil
}

// filesToCompact are the live files of the partitions that the options name.
func (t *Table) filesToCompact(ctx context.Context, at *snapshot.Snapshot, o CompactOptions) ([]manifest.Entry, error) {
	filter := &manifest.Filter{}
	if o.Partition != "" {
		fields := t.schema.PartitionFields()
		where, err := predicate.Parse(o.Partition, fields, t.settings.TimeZone)
		if err != nil {
			return nil, fmt.Errorf("of the partition columns (%s): %w", strings.Join(t.schema.PartitionKeys, ", "), err)
		}
		filter.Partition = partitionTest(where, fields)
		filter.PartitionStats = func(columns manifest.ColumnFunc, entries int64) bool { return where.MayMatch(columns, entries) }
	}
	entries, err := t.liveFiles(ctx, at, filter)
	return t.idle(entries, o.IdleFor), err
}

// bucketFiles are the live files of one bucket.
type bucketFiles struct {
	key   bucketKey
	total int // buckets of its partition
	files []manifest.DataFile
	index *bucketIndex
}

// bucketsOf arranges entries by bucket.
func (t *Table) bucketsOf(entries []manifest.Entry) []bucketFiles {
	at := make(map[bucketKey]int)
	var out []bucketFiles
	for _, e := range entries {
		key := bucketKey{string(e.Partition), e.Bucket}
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, bucketFiles{key: key, total: e.TotalBuckets})
		}
		out[i].files = append(out[i].files, e.File)
	}
	slices.SortFunc(out, func(a, b bucketFiles) int { return t.compareBuckets(a.key, b.key) })
	return out
}

// idle leaves out the files of partitions that got one not long ago.
func (t *Table) idle(entries []manifest.Entry, since time.Duration) []manifest.Entry {
	if since <= 0 {
		return entries
	}
	newest := make(map[string]int64)
	for i := range entries {
		p := string(entries[i].Partition)
		newest[p] = max(newest[p], entries[i].File.CreationTime)
	}
	before := wallClock(t.world.Clock().Add(-since), t.settings.TimeZone)
	return slices.DeleteFunc(entries, func(e manifest.Entry) bool { return newest[string(e.Partition)] > before })
}

// within keeps the tasks that read no more than so many bytes together.
func within(tasks []CompactTask, bytes int64) []CompactTask {
	if bytes == 0 {
		return tasks
	}
	return slices.DeleteFunc(tasks, func(task CompactTask) bool {
		if task.Bytes > bytes {
			return true
		}
		bytes -= task.Bytes
		return false
	})
}

// planBucket finds the tasks of one bucket.
func (t *Table) planBucket(ctx context.Context, b bucketFiles, full bool) ([]CompactTask, error) {
	if len(t.schema.PrimaryKeys) == 0 {
		return t.planAppend(b, full), nil
	}
	tree, err := t.newMergeTree(b.key, b.files)
	if err != nil {
		return nil, err
	}
	unit, ok, err := tree.unit(ctx, full, t.world.Clock().In(t.settings.TimeZone), b.index)
	if err != nil || !ok {
		return nil, err
	}
	c := tree.compaction(unit)
	task := CompactTask{Partition: c.partition, Bucket: c.bucket, Output: unit.Output, Top: c.top, DropDeletes: c.dropDeletes, Apart: unit.Apart, Files: unit.Files}
	if t.options.NeedsLookup() {
		task.Above = c.above
	}
	for _, step := range c.steps() {
		for _, section := range step.Rewrite {
			for _, run := range section {
				task.reads(run)
			}
		}
	}
	return []CompactTask{task}, nil
}

func (task *CompactTask) reads(files []manifest.DataFile) {
	task.Reads += len(files)
	task.Bytes += sizeOf(files)
	for i := range files {
		task.Rows += files[i].Rows
	}
}

// RunCompaction does a task and returns the message to commit. It writes files
// and changes nothing else; Abort removes them.
func (t *Table) RunCompaction(ctx context.Context, task CompactTask) (CommitMessage, error) {
	m, err := t.runCompaction(ctx, &task, nil)
	return m, t.wrap("compact", err)
}

func (t *Table) runCompaction(ctx context.Context, task *CompactTask, progress func(rows int64)) (CommitMessage, error) {
	if err := t.checkTask(task); err != nil {
		return CommitMessage{}, err
	}
	index := t.bucketIndexOf(bucketKey{string(task.Partition), task.Bucket}, task.Vectors)
	view, err := index.view(&compactResult{})
	if err != nil {
		return CommitMessage{}, err
	}
	do := t.appendWork(task, view, progress)
	if len(t.schema.PrimaryKeys) > 0 {
		c := &compaction{table: t, above: task.Above, view: view, partition: task.Partition, bucket: task.Bucket, top: task.Top, dropDeletes: task.DropDeletes,
			unit: lsm.Unit{Output: task.Output, Files: task.Files, Apart: task.Apart}, progress: progress}
		do = c.run
	}
	m := CommitMessage{Partition: task.Partition, Bucket: task.Bucket, TotalBuckets: task.TotalBuckets}
	err = inTurn(ctx, func() error {
		r, err := do(ctx)
		m.CompactBefore, m.CompactAfter, m.CompactChangelog, m.CompactBase = r.before, r.after, r.changelog, r.base
		if err == nil {
			m.CompactIndex, err = index.publish(ctx, &r)
		}
		return err
	})
	if err != nil {
		return CommitMessage{}, errors.Join(err, t.abort(context.WithoutCancel(ctx), compactionsOf([]CommitMessage{m})))
	}
	return m, nil
}

// checkTask refuses a task that cannot be of this table: it may come from elsewhere.
func (t *Table) checkTask(task *CompactTask) error {
	if err := t.CheckCompact(); err != nil {
		return err
	}
	if len(task.Files) == 0 || task.Output < 0 || task.Output > max(task.Top, 0) {
		return fault.Invalid(fmt.Sprintf("compaction task: %d files to level %d of %d", len(task.Files), task.Output, task.Top))
	}
	m := CommitMessage{Partition: task.Partition, Bucket: task.Bucket, TotalBuckets: task.TotalBuckets,
		CompactBefore: slices.Concat(task.Files, task.Above), CompactIndex: task.Vectors}
	return t.checkMessage(&m)
}

// appendOrder is the order of the rows of a table without a key.
func appendOrder(a, b manifest.DataFile) int {
	return cmp.Or(cmp.Compare(a.MinSequence, b.MinSequence), cmp.Compare(a.CreationTime, b.CreationTime), cmp.Compare(a.Name, b.Name))
}

// unaware tells that files need no order among each other.
func (t *Table) unaware() bool { return t.schema.BucketMode() == schema.BucketUnaware }
