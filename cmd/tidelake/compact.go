package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

type compactFlags struct {
	full, plan, watch bool
	partition         string
	idleFor, every    time.Duration
	maxBytes          int64
	tasks, shard      string

	list bytes.Buffer                   // of planned tasks, for --plan --tasks
	mine map[string][]table.CompactTask // of a list, by table; nil without --tasks
}

func compactCommand(a *app) *cobra.Command {
	var f compactFlags
	cmd := &cobra.Command{Use: "compact DB.T", Short: "Merge the files of tables", Args: cobra.ExactArgs(1),
		Long: `Merge the files of a table, or of all tables that match a pattern.

Without --full every bucket takes one step by the table's own rules, as writers
of the table would take it; with --full each bucket becomes one sorted run
without deletes. Tables that are write-only are compacted all the same. Writers
and other compactors may work beside: what they overtake is planned again.
Where there is nothing to do no snapshot is made.

To spread a compaction over machines, let one of them write a list of tasks
with --plan --tasks FILE, and each run a part of it with --tasks FILE --shard
I/N. They commit what they do by themselves. Tasks that are done already, or
overtaken by others, are passed over, so a part that failed is just run again.`,
		Example: `  tidelake compact shop.orders
  tidelake compact shop.orders --full --partition "dt = '2026-01-01'"
  tidelake compact 'shop.*' --idle-for 1h --max-bytes 10000000000
  tidelake compact 'shop.*' --watch --every 30s
  tidelake compact shop.orders --full --plan --tasks tasks.jsonl
  tidelake compact shop.orders --tasks tasks.jsonl --shard 1/3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(cmd.Flags().Changed); err != nil {
				return err
			}
			return a.compact(cmd.Context(), args[0], &f)
		}}
	fl := cmd.Flags()
	fl.BoolVar(&f.full, "full", false, "merge everything, deletes included")
	fl.StringVar(&f.partition, "partition", "", "only partitions for which this filter over partition columns is true")
	fl.DurationVar(&f.idleFor, "idle-for", 0, "leave out partitions that got a file within this time")
	fl.Int64Var(&f.maxBytes, "max-bytes", 0, "read no more than so many bytes of files of a table (default no bound)")
	fl.BoolVar(&f.plan, "plan", false, "show what would be done, and do nothing")
	fl.StringVar(&f.tasks, "tasks", "", "a file of tasks (- for standard input or output): with --plan to write, otherwise to run")
	fl.StringVar(&f.shard, "shard", "", "with --tasks: run the I-th of N parts of the list, as in 1/3")
	fl.BoolVar(&f.watch, "watch", false, "go on until interrupted, looking again and again")
	fl.DurationVar(&f.every, "every", 10*time.Second, "with --watch: the time between two looks")
	return cmd
}

func (f *compactFlags) check(set func(string) bool) error {
	switch {
	case f.plan && f.watch:
		return usage("--plan does nothing, so there is nothing to --watch")
	case f.shard != "" && (f.tasks == "" || f.plan):
		return usage("--shard goes with --tasks FILE to run")
	case f.tasks != "" && f.watch:
		return usage("--tasks does what a list says once, so there is nothing to --watch")
	case f.tasks != "" && !f.plan && (f.full || f.partition != "" || set("idle-for") || set("max-bytes")):
		return usage("what --tasks runs was chosen by the --plan that made the list: leave --full, --partition, --idle-for and --max-bytes out")
	case set("every") && !f.watch:
		return usage("--every goes with --watch")
	case f.every <= 0 && f.watch:
		return usage("--every takes a positive time, such as 30s")
	case f.idleFor < 0:
		return usage("--idle-for takes a positive time, such as 1h")
	case set("max-bytes") && f.maxBytes <= 0:
		return usage("--max-bytes takes a positive number; leave it out for no bound")
	}
	return nil
}

func (f *compactFlags) options() table.CompactOptions {
	return table.CompactOptions{Full: f.full, Partition: f.partition, IdleFor: f.idleFor, MaxBytes: f.maxBytes}
}

func (a *app) compact(ctx context.Context, name string, f *compactFlags) error {
	return a.with(ctx, func(c *catalog.Catalog) error {
		if !f.watch {
			return a.compactAll(ctx, c, name, f)
		}
		a.said = &saidNotes{}
		for {
			a.said.nextRound()
			if err := a.compactAll(ctx, c, name, f); err != nil && ctx.Err() == nil {
				a.note("%s", errorText(err)) // the next look may find it mended
			}
			if err := a.sleep(ctx, f.every); err != nil {
				return nil // interrupted, which is how a watch ends
			}
		}
	})
}

func (a *app) sleep(ctx context.Context, d time.Duration) error {
	if a.world.Sleep != nil {
		return a.world.Sleep(ctx, d)
	}
	return snapshot.Sleep(ctx, d)
}

// compactAll compacts the tables that a name or a pattern means.
func (a *app) compactAll(ctx context.Context, c *catalog.Catalog, name string, f *compactFlags) error {
	names, pattern, err := matching(ctx, c, name)
	if err != nil {
		return err
	}
	if err := a.takeTasks(f, names); err != nil {
		return err
	}
	l := a.listing()
	err = a.eachTable(ctx, c, names, func(t *table.Table) error {
		if !f.plan {
			return f.badPartition(a.compactTable(ctx, t, f))
		}
		return f.badPartition(a.planCompaction(ctx, t, f, l, pattern))
	})
	if f.plan && f.tasks != "" && err == nil {
		err = a.saveTasks(f.tasks, f.list.Bytes())
	}
	return errors.Join(err, l.flush())
}

// badPartition says of an error which flag it is about.
func (f *compactFlags) badPartition(err error) error {
	if f.partition != "" && errors.Is(err, table.ErrInvalid) {
		return usage("--partition %q: %w", f.partition, err)
	}
	return err
}

// eachTable opens tables one after the other. One that fails does not keep the
// others from their turn, an interrupt does.
func (a *app) eachTable(ctx context.Context, c *catalog.Catalog, names []string, do func(*table.Table) error) error {
	var errs []error
	for _, name := range names {
		id, err := identifier(name)
		if err != nil {
			return err
		}
		t, err := a.openTable(ctx, c, id)
		if err == nil {
			err = do(t)
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// takeTasks reads the list of --tasks, all of whose tables must be among the names.
func (a *app) takeTasks(f *compactFlags, names []string) error {
	if f.tasks == "" || f.plan {
		return nil
	}
	mine, err := partOf("shard", cmp.Or(f.shard, "1/1"))
	if err != nil {
		return err
	}
	if f.mine, err = a.loadTasks(f.tasks, mine); err != nil {
		return err
	}
	for name := range f.mine {
		if !slices.Contains(names, name) {
			return usage("%s has tasks of table %s: name it, or a pattern that matches it", f.tasks, name)
		}
	}
	return nil
}

// matching are the tables that a name means; one with *, ? or [ is a pattern.
func matching(ctx context.Context, c *catalog.Catalog, name string) (names []string, pattern bool, err error) {
	if !strings.ContainsAny(name, "*?[") {
		return []string{name}, false, nil
	}
	if _, err := path.Match(name, ""); err != nil {
		return nil, true, usage("%q is no pattern: %w", name, err)
	}
	all, err := allTables(ctx, c)
	if err != nil {
		return nil, true, err
	}
	for _, t := range all {
		if ok, _ := path.Match(name, t); ok {
			names = append(names, t)
		}
	}
	if len(names) == 0 {
		return nil, true, fmt.Errorf("no table matches %q: %w", name, table.ErrNotFound)
	}
	return names, true, nil
}

func (a *app) compactTable(ctx context.Context, t *table.Table, f *compactFlags) error {
	p := a.progress("compacting " + t.Name())
	o := f.options()
	o.Progress = func(now table.CompactProgress) {
		p.show("%s %d of %s, %d of %d rows", bar(now.RowsDone, now.Rows), now.TasksDone, count(now.Tasks, "task"), now.RowsDone, now.Rows)
	}
	run := func() (table.CompactReport, error) { return t.Compact(ctx, o) }
	if f.mine != nil {
		run = func() (table.CompactReport, error) { return t.CompactTasks(ctx, f.mine[t.Name()], o.Progress) }
	}
	r, err := run()
	p.done()
	if r.Snapshots == 0 && (err != nil || f.watch) {
		return err // not a word of an idle watch
	}
	sentence := f.nothing(t)
	switch {
	case r.Snapshots == 0 && r.Overtaken > 0:
		sentence = fmt.Sprintf("%s: nothing left to compact, %s done already or overtaken", t.Name(), count(r.Overtaken, "task"))
	case r.Snapshots > 0:
		sentence = fmt.Sprintf("compacted %s: %s of %s became %s of %s", t.Name(),
			count(r.FilesBefore, "file"), count(r.BytesBefore, "byte"), count(r.FilesAfter, "file"), count(r.BytesAfter, "byte"))
	}
	return errors.Join(err, a.say(sentence, cell{"table", t.Name()}, cell{"tasks", r.Tasks}, cell{"overtaken", r.Overtaken}, cell{"snapshots", r.Snapshots},
		cell{"files_before", r.FilesBefore}, cell{"bytes_before", r.BytesBefore}, cell{"files_after", r.FilesAfter}, cell{"bytes_after", r.BytesAfter}))
}

// nothing is what is said when there is nothing to do.
func (f *compactFlags) nothing(t *table.Table) string {
	if f.partition != "" || f.idleFor > 0 || f.maxBytes > 0 {
		return t.Name() + ": nothing to compact within the bounds given"
	}
	return t.Name() + ": nothing to compact"
}

// bar draws how much is done.
func bar(done, all int64) string {
	const width = 20
	n := int(width * min(done, all) / max(all, 1))
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", width-n) + "]"
}

// planCompaction lists what compact would do; one line a task.
func (a *app) planCompaction(ctx context.Context, t *table.Table, f *compactFlags, l *listing, named bool) error {
	tasks, err := t.PlanCompaction(ctx, f.options())
	if err != nil {
		return err
	}
	if f.tasks != "" {
		if err := appendTasks(&f.list, t.Name(), tasks); err != nil || f.tasks == "-" {
			return err
		}
	}
	if len(tasks) == 0 && !a.json {
		fmt.Fprintln(a.err, f.nothing(t))
	}
	for i := range tasks {
		task := &tasks[i]
		where, err := t.PartitionText(task.Partition)
		if err != nil {
			return err
		}
		cells := []cell{{"partition", where}, {"bucket", task.Bucket}, {"output_level", task.Output}, {"files", len(task.Files)},
			{"read", task.Reads}, {"rows", task.Rows}, {"bytes", task.Bytes}}
		if named {
			cells = append([]cell{{"table", t.Name()}}, cells...)
		}
		if err := l.row(cells...); err != nil {
			return err
		}
	}
	return nil
}
