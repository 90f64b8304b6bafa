package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/catalog"
	"github.com/tidelake/tidelake/table"
)

func expireCommand(a *app) *cobra.Command {
	var o table.ExpireOptions
	var keep int
	var olderThan string
	cmd := &cobra.Command{Use: "expire DB.T", Short: "Take old snapshots away, and the files that only they need", Args: cobra.ExactArgs(1),
		Long: `Take old snapshots of a table away, and the files that only they need. What
tags, other branches and consumers need stays. Without flags the options of
the table say what is old: snapshot.num-retained.min, .max and
snapshot.time-retained. A pattern such as 'shop.*' means several tables.`,
		Example: `  tidelake expire shop.orders --dry-run
  tidelake expire shop.orders --retain-last 10
  tidelake expire shop.orders --older-than "2026-01-31 12:00:00" --retain-last 3`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			set := cmd.Flags().Changed
			if set("retain-last") && keep < 1 || set("max") && o.Limit < 1 {
				return usage("--retain-last and --max take positive numbers")
			}
			if o.RetainMin = keep; !set("older-than") {
				o.RetainMax = keep
			} else if o.OlderThan, err = a.parseTime("older-than", olderThan); err != nil {
				return err
			}
			return a.withTables(cmd.Context(), args[0], func(t *table.Table) error { return a.expire(cmd.Context(), t, o) })
		}}
	fl := cmd.Flags()
	fl.IntVar(&keep, "retain-last", 0, "keep so many snapshots, whatever their age; alone, or else those that --older-than spares too")
	fl.StringVar(&olderThan, "older-than", "", "take away what was committed before this time, as --as-of of read takes it")
	fl.IntVar(&o.Limit, "max", 0, "take no more snapshots away than this, the oldest first (default no bound)")
	fl.BoolVar(&o.DryRun, "dry-run", false, "list the files that would go, and do nothing")
	return cmd
}

// tellFiles lists files that go in a dry run.
func (a *app) tellFiles(on bool) (each func(table.RemovedFile), end func() error) {
	if !on {
		return nil, func() error { return nil }
	}
	l := a.listing()
	var failed error
	return func(f table.RemovedFile) {
		failed = errors.Join(failed, l.row(cell{"bytes", f.Bytes}, cell{"file", f.Path}))
	}, func() error { return errors.Join(failed, l.flush()) }
}

func (a *app) expire(ctx context.Context, t *table.Table, o table.ExpireOptions) error {
	each, end := a.tellFiles(o.DryRun)
	o.Each = each
	r, err := t.Expire(ctx, o)
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	verb, held := "took", ""
	if o.DryRun {
		verb = "would take"
	}
	if r.HeldBy != "" {
		held = "; consumer " + r.HeldBy + " has still to read the rest"
	}
	sentence := fmt.Sprintf("%s: %s away %s, %s, %s of %s; snapshots begin with %d%s", t.Name(), verb, count(r.Snapshots, "snapshot"),
		count(r.Changelogs, "changelog"), count(r.Files, "file"), count(r.Bytes, "byte"), r.Earliest, held)
	return a.say(sentence, cell{"table", t.Name()}, cell{"snapshots", r.Snapshots}, cell{"changelogs", r.Changelogs}, cell{"files", r.Files}, cell{"bytes", r.Bytes},
		cell{"earliest", r.Earliest}, cell{"held_by", r.HeldBy}, cell{"dry_run", o.DryRun})
}

func cleanCommand(a *app) *cobra.Command {
	var o table.CleanOptions
	cmd := &cobra.Command{Use: "clean DB.T", Short: "Find files that nothing names, and delete them if asked", Args: cobra.ExactArgs(1),
		Long: `Find files that no snapshot, tag or changelog of any branch names, which
crashed writers leave. They are listed, and deleted with --delete. Younger files may
belong to a commit that is still to come. Nothing is deleted of a table some of
whose metadata cannot be read. A pattern such as 'shop.*' means several tables.`,
		Example: `  tidelake clean shop.orders
  tidelake clean 'shop.*' --older-than 72h --delete`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.OlderThan <= 0 {
				return usage("--older-than takes a positive time, such as 24h")
			}
			return a.withTables(cmd.Context(), args[0], func(t *table.Table) error { return a.clean(cmd.Context(), t, o) })
		}}
	cmd.Flags().DurationVar(&o.OlderThan, "older-than", 24*time.Hour, "spare files younger than this")
	cmd.Flags().BoolVar(&o.Delete, "delete", false, "delete the files")
	return cmd
}

// withTables opens the tables that a name or a pattern means, one after the other.
func (a *app) withTables(ctx context.Context, name string, do func(*table.Table) error) error {
	return a.with(ctx, func(c *catalog.Catalog) error {
		names, _, err := matching(ctx, c, name)
		if err != nil {
			return err
		}
		return a.eachTable(ctx, c, names, do)
	})
}

func (a *app) clean(ctx context.Context, t *table.Table, o table.CleanOptions) error {
	each, end := a.tellFiles(!o.Delete)
	o.Each = each
	r, err := t.Clean(ctx, o)
	if err := errors.Join(err, end()); err != nil {
		return err
	}
	verb := "found"
	if o.Delete {
		verb = "deleted"
	}
	return a.say(fmt.Sprintf("%s: %s %s of %s that nothing names", t.Name(), verb, count(r.Files, "file"), count(r.Bytes, "byte")),
		cell{"table", t.Name()}, cell{"files", r.Files}, cell{"bytes", r.Bytes}, cell{"deleted", o.Delete})
}
