package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/table"
)

// inspectCommands show a table's metadata, one kind a command.
func inspectCommands(a *app) []*cobra.Command {
	var at int64
	one := func(use, short string, show func(cmd *cobra.Command, t *table.Table, l *listing) error) *cobra.Command {
		return &cobra.Command{Use: use + " DB.T", Short: short, Args: cobra.ExactArgs(1), Example: "  tidelake " + use + " shop.orders",
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
					if cmd.Flags().Changed("snapshot") && at <= 0 {
						return usage("--snapshot takes the id of a snapshot, from 1")
					}
					if at > 0 {
						if _, err := t.Scan(cmd.Context(), table.ScanOptions{Snapshot: at}); err != nil {
							return err // no such snapshot
						}
					}
					l := a.listing()
					return errors.Join(show(cmd, t, l), l.flush())
				})
			}}
	}
	atSnapshot := func(c *cobra.Command) *cobra.Command {
		c.Flags().Int64Var(&at, "snapshot", 0, "look at this snapshot instead of the newest")
		return c
	}
	return []*cobra.Command{
		one("snapshots", "List the snapshots, oldest first", a.snapshots),
		one("schemas", "List the schemas, oldest first", a.schemas),
		one("options", "List the options that are set", func(_ *cobra.Command, t *table.Table, _ *listing) error { return a.options(t.Schema()) }),
		atSnapshot(one("files", "List the live data files", func(cmd *cobra.Command, t *table.Table, l *listing) error { return a.files(cmd, t, l, at) })),
		atSnapshot(one("manifests", "List the manifests", func(cmd *cobra.Command, t *table.Table, l *listing) error { return a.manifests(cmd, t, l, at) })),
		atSnapshot(one("partitions", "List the partitions", func(cmd *cobra.Command, t *table.Table, l *listing) error { return a.partitions(cmd, t, l, at) })),
	}
}

func when(millis int64) time.Time { return time.UnixMilli(millis) }

// written is the wall clock of the writer of a file, which has no zone.
func written(millis int64) any {
	if millis == manifest.NoCreationTime {
		return nil
	}
	return clock(time.UnixMilli(millis).UTC())
}

func (a *app) snapshots(cmd *cobra.Command, t *table.Table, l *listing) error {
	for s, err := range t.Snapshots().All(cmd.Context()) {
		if err != nil {
			return err
		}
		if err := l.row(cell{"snapshot", s.ID}, cell{"kind", string(s.CommitKind)}, cell{"time", when(s.TimeMillis)},
			cell{"schema", s.SchemaID}, cell{"user", s.CommitUser}, cell{"identifier", s.CommitIdentifier},
			cell{"total_rows", s.TotalRecordCount}, cell{"delta_rows", s.DeltaRecordCount}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) schemas(cmd *cobra.Command, t *table.Table, l *listing) error {
	for s, err := range t.Schemas(cmd.Context()) {
		if err != nil {
			return err
		}
		columns := make([]string, len(s.Fields))
		for i, f := range s.Fields {
			columns[i] = f.Name + " " + f.Type.String()
		}
		if err := l.row(cell{"schema", s.ID}, cell{"time", when(s.TimeMillis)}, cell{"primary_key", s.PrimaryKeys},
			cell{"partition_by", s.PartitionKeys}, cell{"columns", columns}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) files(cmd *cobra.Command, t *table.Table, l *listing, at int64) error {
	for f, err := range t.Files(cmd.Context(), at) {
		if err != nil {
			return err
		}
		if err := l.row(cell{"partition", f.Partition}, cell{"bucket", f.Bucket}, cell{"level", f.Level}, cell{"rows", f.Rows},
			cell{"deletes", f.DeleteRows}, cell{"bytes", f.Size}, cell{"min_sequence", f.MinSequence}, cell{"max_sequence", f.MaxSequence},
			cell{"schema", f.SchemaID}, cell{"created", written(f.CreationTime)}, cell{"file", f.Path}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) manifests(cmd *cobra.Command, t *table.Table, l *listing, at int64) error {
	for m, err := range t.Manifests(cmd.Context(), at) {
		if err != nil {
			return err
		}
		if err := l.row(cell{"manifest", m.Name}, cell{"bytes", m.Size}, cell{"added", m.Added}, cell{"deleted", m.Deleted}, cell{"schema", m.SchemaID}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) partitions(cmd *cobra.Command, t *table.Table, l *listing, at int64) error {
	for p, err := range t.Partitions(cmd.Context(), at) {
		if err != nil {
			return err
		}
		if err := l.row(cell{"partition", p.Partition}, cell{"files", p.Files}, cell{"rows", p.Rows}, cell{"bytes", p.Bytes}, cell{"last_modified", written(p.LastModified)}); err != nil {
			return err
		}
	}
	return nil
}

func checkCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "check DB.T", Short: "Prove that every file of every snapshot is what the metadata says", Args: cobra.ExactArgs(1),
		Long: `Walk every snapshot of a table and prove that every file exists, parses, and
has the rows, key ranges and order that its metadata says. Changes nothing.
Problems are printed one a line; finding any is exit code 1.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				p := a.progress("checking")
				report, err := t.Check(cmd.Context(), func(r table.CheckReport) { p.show("%d files, %d rows", r.Files, r.Rows) })
				p.done()
				if err != nil {
					return err
				}
				return a.sayCheck(t, report)
			})
		}}
}

func (a *app) sayCheck(t *table.Table, r table.CheckReport) error {
	for _, p := range r.Problems {
		if a.json {
			if err := printJSON(a.out, []cell{{"snapshot", p.Snapshot}, {"file", p.File}, {"problem", p.Fact}}); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintln(a.out, p); err != nil {
			return err
		}
	}
	problems := "no problems"
	if n := len(r.Problems); n > 0 {
		problems = count(n, "problem")
	}
	sentence := fmt.Sprintf("%s: %s, %s, %s, %s: %s", t.Name(), count(r.Snapshots, "snapshot"), count(r.Manifests, "manifest"),
		count(r.Files, "data file"), count(r.Rows, "row"), problems)
	if err := a.say(sentence, cell{"snapshots", r.Snapshots}, cell{"manifests", r.Manifests}, cell{"files", r.Files}, cell{"rows", r.Rows}, cell{"problems", len(r.Problems)}); err != nil {
		return err
	}
	if len(r.Problems) > 0 {
		return fmt.Errorf("%s: %s found", t.Name(), count(len(r.Problems), "problem"))
	}
	return nil
}
