package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/table"
)

func branchCommand(a *app) *cobra.Command {
	onBranch := func(name, short, done string, do func(*table.Table, context.Context, string) error) *cobra.Command {
		return &cobra.Command{Use: name + " DB.T BRANCH", Short: short, Args: cobra.ExactArgs(2), Example: "  tidelake branch " + name + " shop.orders dev",
			RunE: func(cmd *cobra.Command, args []string) error {
				return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
					if err := do(t, cmd.Context(), args[1]); err != nil {
						return wrongUse(err)
					}
					return a.say(fmt.Sprintf(done, args[1], t.Name()), cell{"table", t.Name()}, cell{"branch", args[1]})
				})
			}}
	}
	return group("branch", "Other states of a table, written and read as DB.T$branch_NAME",
		branchListCommand(a), branchCreateCommand(a),
		onBranch("delete", "Delete a branch with its snapshots, schemas and tags", "deleted branch %s of %s", (*table.Table).DeleteBranch),
		onBranch("fast-forward", "Make the table what a branch is, from the branch's oldest snapshot on", "fast-forwarded %[2]s to branch %[1]s", (*table.Table).FastForward),
		branchRenameCommand(a))
}

func branchListCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "list DB.T", Short: "List the branches", Args: cobra.ExactArgs(1), Example: "  tidelake branch list shop.orders",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				names, err := t.Branches(cmd.Context())
				if err != nil {
					return err
				}
				l := a.listing()
				for _, name := range names {
					if err := l.row(cell{"branch", name}); err != nil {
						return err
					}
				}
				return l.flush()
			})
		}}
}

func branchCreateCommand(a *app) *cobra.Command {
	var o table.BranchOptions
	cmd := &cobra.Command{Use: "create DB.T BRANCH", Short: "Create a branch, empty or from a tag or a snapshot", Args: cobra.ExactArgs(2),
		Long: `Create a branch, empty or from a tag or a snapshot. No data is copied. Other
engines forget, when they expire snapshots, that a branch needs its files unless
a tag holds them: prefer --tag where others expire, and keep the tag.`,
		Example: "  tidelake branch create shop.orders dev --tag month-end\n  tidelake write 'shop.orders$branch_dev' fixes.csv",
		RunE: func(cmd *cobra.Command, args []string) error {
			set := cmd.Flags().Changed
			switch {
			case set("tag") && set("snapshot"):
				return usage("--tag and --snapshot exclude each other")
			case set("snapshot") && o.Snapshot <= 0:
				return usage("--snapshot takes the id of a snapshot, from 1")
			case set("tag") && o.Tag == "":
				return usage("--tag is empty")
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				if err := t.CreateBranch(cmd.Context(), args[1], o); err != nil {
					return wrongUse(err)
				}
				return a.say(fmt.Sprintf("created branch %s of %s", args[1], t.Name()), cell{"table", t.Name()}, cell{"branch", args[1]})
			})
		}}
	cmd.Flags().StringVar(&o.Tag, "tag", "", "begin with the snapshot that this tag holds")
	cmd.Flags().Int64Var(&o.Snapshot, "snapshot", 0, "begin with this snapshot")
	return cmd
}

func branchRenameCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "rename DB.T BRANCH NEW", Short: "Give a branch another name", Args: cobra.ExactArgs(3), Example: "  tidelake branch rename shop.orders dev next",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				if err := t.RenameBranch(cmd.Context(), args[1], args[2]); err != nil {
					return wrongUse(err)
				}
				return a.say(fmt.Sprintf("renamed branch %s of %s to %s", args[1], t.Name(), args[2]), cell{"table", t.Name()}, cell{"branch", args[2]})
			})
		}}
}

func rollbackCommand(a *app) *cobra.Command {
	var o table.RollbackOptions
	var at string
	cmd := &cobra.Command{Use: "rollback DB.T (--snapshot N | --tag T | --time TIME)", Short: "Go back to an older state and forget what came after", Args: cobra.ExactArgs(1),
		Long: `Go back to an older state. Every snapshot, changelog and tag that is newer is
taken away for good; data files are left for the cleaning of orphans. Schemas
stay. Nothing may write to the table meanwhile.`,
		Example: "  tidelake rollback shop.orders --snapshot 12\n  tidelake rollback shop.orders --tag month-end\n  tidelake rollback shop.orders --time \"2026-01-31 12:00:00\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			ways := 0
			for _, flag := range []string{"snapshot", "tag", "time"} {
				if cmd.Flags().Changed(flag) {
					ways++
				}
			}
			if ways != 1 || cmd.Flags().Changed("tag") && o.Tag == "" || cmd.Flags().Changed("snapshot") && o.Snapshot <= 0 {
				return usage("say what to go back to: --snapshot N, --tag T or --time TIME, one of them")
			}
			if at != "" {
				var err error
				if o.AsOf, err = a.parseTime("time", at); err != nil {
					return err
				}
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				s, err := t.Rollback(cmd.Context(), o)
				if err != nil {
					return wrongUse(err)
				}
				return a.say(fmt.Sprintf("rolled %s back to snapshot %d", t.Name(), s.ID), cell{"table", t.Name()}, cell{"snapshot", s.ID})
			})
		}}
	fl := cmd.Flags()
	fl.Int64Var(&o.Snapshot, "snapshot", 0, "go back to this snapshot")
	fl.StringVar(&o.Tag, "tag", "", "go back to the snapshot that this tag holds, which may have expired")
	fl.StringVar(&at, "time", "", "go back to the newest snapshot at this time: \"2026-01-31 12:00:00\", with an offset or in --time-zone, or epoch milliseconds")
	return cmd
}
