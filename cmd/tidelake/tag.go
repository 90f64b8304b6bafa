package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

func tagCommand(a *app) *cobra.Command {
	return group("tag", "Names for snapshots that stay readable",
		tagListCommand(a), tagSetCommand(a, "create"), tagSetCommand(a, "replace"), tagRenameCommand(a), tagDeleteCommand(a), tagExpireCommand(a))
}

func tagListCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "list DB.T", Short: "List the tags, by snapshot", Args: cobra.ExactArgs(1), Example: "  tidelake tag list shop.orders",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				tags, err := t.Tags(cmd.Context())
				if err != nil {
					return err
				}
				l := a.listing()
				for _, tag := range tags {
					made, kept := tagTimes(tag)
					if err := l.row(cell{"tag", tag.Name}, cell{"snapshot", tag.ID}, cell{"committed", when(tag.TimeMillis)},
						cell{"total_rows", tag.TotalRecordCount}, cell{"created", made}, cell{"retained", kept}); err != nil {
						return err
					}
				}
				return l.flush()
			})
		}}
}

// tagTimes are when a tag was made and how long it is kept, where it says so.
func tagTimes(tag *snapshot.Tag) (made, kept any) {
	if !tag.Created.IsZero() {
		made = clock(tag.Created)
	}
	if tag.Retained != nil {
		kept = tag.Retained.String()
	}
	return made, kept
}

// tagSetCommand creates or replaces a tag.
func tagSetCommand(a *app, verb string) *cobra.Command {
	var id int64
	var asOf, retained string
	short, done := "Name a snapshot", "created"
	if verb == "replace" {
		short, done = "Let a tag hold another snapshot", "replaced"
	}
	cmd := &cobra.Command{Use: verb + " DB.T TAG", Short: short + ": the newest, or one of an id or a time", Args: cobra.ExactArgs(2),
		Example: "  tidelake tag " + verb + " shop.orders month-end\n  tidelake tag " + verb + " shop.orders audit --snapshot 3 --retain 720h",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.tagOptions(cmd, id, asOf, retained)
			if err != nil {
				return err
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				set := t.CreateTag
				if verb == "replace" {
					set = t.ReplaceTag
				}
				tag, err := set(cmd.Context(), args[1], o)
				if err != nil {
					return wrongUse(err)
				}
				return a.say(fmt.Sprintf("%s tag %s of %s: snapshot %d", done, tag.Name, t.Name(), tag.ID),
					cell{"table", t.Name()}, cell{"tag", tag.Name}, cell{"snapshot", tag.ID})
			})
		}}
	fl := cmd.Flags()
	fl.Int64Var(&id, "snapshot", 0, "this snapshot instead of the newest")
	fl.StringVar(&asOf, "as-of", "", "the newest snapshot at this time: \"2026-01-31 12:00:00\", with an offset or in --time-zone, or epoch milliseconds")
	fl.StringVar(&retained, "retain", "", "how long the tag lives, such as 720h, or \"forever\" (default: table option tag.default-time-retained, or forever)")
	return cmd
}

func (a *app) tagOptions(cmd *cobra.Command, id int64, asOf, retained string) (table.TagOptions, error) {
	o := table.TagOptions{Snapshot: id}
	set := cmd.Flags().Changed
	switch {
	case set("snapshot") && set("as-of"):
		return o, usage("--snapshot and --as-of exclude each other")
	case set("snapshot") && id <= 0:
		return o, usage("--snapshot takes the id of a snapshot, from 1")
	case retained == "forever":
		o.Retained = -1
	case set("retain"):
		d, err := time.ParseDuration(retained)
		if err != nil || d <= 0 {
			return o, usage("--retain %q is no time to live: write hours such as 720h, or forever", retained)
		}
		o.Retained = d
	}
	var err error
	if set("as-of") {
		o.AsOf, err = a.parseTime("as-of", asOf)
	}
	return o, err
}

// wrongUse makes what the user wrote wrong a usage error.
func wrongUse(err error) error {
	if errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrCorrupt) && !errors.Is(err, table.ErrUnsupported) {
		return usageError{err}
	}
	return err
}

func tagRenameCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "rename DB.T TAG NEW", Short: "Give a tag another name", Args: cobra.ExactArgs(3), Example: "  tidelake tag rename shop.orders audit audit-2026",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				if err := t.RenameTag(cmd.Context(), args[1], args[2]); err != nil {
					return wrongUse(err)
				}
				return a.say(fmt.Sprintf("renamed tag %s of %s to %s", args[1], t.Name(), args[2]), cell{"table", t.Name()}, cell{"tag", args[2]})
			})
		}}
}

func tagDeleteCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "delete DB.T TAG...", Short: "Delete tags", Args: cobra.MinimumNArgs(2), Example: "  tidelake tag delete shop.orders audit",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				for _, name := range args[1:] {
					if err := t.DeleteTag(cmd.Context(), name); err != nil {
						return wrongUse(err)
					}
					if err := a.sayDeletedTag(t, name); err != nil {
						return err
					}
				}
				return nil
			})
		}}
}

func (a *app) sayDeletedTag(t *table.Table, name string) error {
	return a.say(fmt.Sprintf("deleted tag %s of %s", name, t.Name()), cell{"table", t.Name()}, cell{"tag", name}, cell{"deleted", true})
}

func tagExpireCommand(a *app) *cobra.Command {
	var before string
	cmd := &cobra.Command{Use: "expire DB.T", Short: "Delete the tags whose time is over", Args: cobra.ExactArgs(1),
		Example: "  tidelake tag expire shop.orders\n  tidelake tag expire shop.orders --older-than \"2026-01-31 12:00:00\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			var at time.Time
			if cmd.Flags().Changed("older-than") {
				var err error
				if at, err = a.parseTime("older-than", before); err != nil {
					return err
				}
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error { return a.expireTags(cmd.Context(), t, at) })
		}}
	cmd.Flags().StringVar(&before, "older-than", "", "also delete those made before this time, whatever theirs is")
	return cmd
}

func (a *app) expireTags(ctx context.Context, t *table.Table, before time.Time) error {
	gone, err := t.ExpireTags(ctx, before)
	for _, name := range gone {
		err = errors.Join(err, a.sayDeletedTag(t, name))
	}
	if len(gone) == 0 && err == nil && !a.json {
		return a.say("no tag of " + t.Name() + " is out of time")
	}
	return err
}
