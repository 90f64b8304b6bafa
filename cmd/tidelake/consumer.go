package main

import (
	"context"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

func consumerCommand(a *app) *cobra.Command {
	return group("consumer", "Readers of changes that keep their progress with the table",
		consumerListCommand(a), consumerResetCommand(a), consumerDeleteCommand(a), consumerExpireCommand(a))
}

func consumerListCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "list DB.T", Short: "List a table's consumers and how far they are", Args: cobra.ExactArgs(1),
		Example: "  tidelake consumer list shop.orders",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				all, err := t.Consumers(cmd.Context())
				if err != nil {
					return err
				}
				newest, err := t.Snapshots().LatestID(cmd.Context())
				if err != nil {
					return err
				}
				l := a.listing()
				for _, c := range all {
					behind := any(newest + 1 - c.Next)
					if c.Next == snapshot.Stranded {
						behind = nil // the table was rolled back behind it
					}
					if err := l.row(cell{"consumer", c.ID}, cell{"next_snapshot", c.Next}, cell{"behind", behind}, cell{"recorded", recorded(c)}); err != nil {
						return err
					}
				}
				return l.flush()
			})
		}}
}

// recorded is when a consumer's progress was recorded, where the store says it.
func recorded(c table.Consumer) any {
	if c.Time.IsZero() {
		return nil
	}
	return c.Time
}

func consumerResetCommand(a *app) *cobra.Command {
	var to string
	cmd := &cobra.Command{Use: "reset DB.T CONSUMER --to SNAPSHOT", Short: "Set where a consumer goes on when it is started anew", Args: cobra.ExactArgs(2),
		Long: `Set where a consumer goes on, and make it if there is none of that name. Stop
its reader before: it would record its own progress over it.

  --to 12         with the changes of snapshot 12
  --to earliest   with those of the oldest snapshot there is
  --to latest     with those of snapshots that are yet to come`,
		Example: `  tidelake consumer reset shop.orders search-index --to 12
  tidelake consumer reset shop.orders search-index --to earliest`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				next, err := snapshotNamed(cmd.Context(), t, to)
				if err != nil {
					return err
				}
				if err := t.ResetConsumer(cmd.Context(), args[1], next); err != nil {
					return err
				}
				return a.say("consumer "+args[1]+" of "+t.Name()+" goes on with snapshot "+strconv.FormatInt(next, 10),
					cell{"table", t.Name()}, cell{"consumer", args[1]}, cell{"next_snapshot", next})
			})
		}}
	cmd.Flags().StringVar(&to, "to", "", "the first snapshot to read: an id, earliest or latest")
	return cmd
}

// snapshotNamed is the first snapshot to read.
func snapshotNamed(ctx context.Context, t *table.Table, name string) (int64, error) {
	switch name {
	case "":
		return 0, usage("say where the consumer goes on: --to with the id of a snapshot, earliest or latest (to forget a consumer: consumer delete)")
	case "latest":
		id, err := t.Snapshots().LatestID(ctx)
		return id + 1, err
	case "earliest":
		s, err := t.Snapshots().Earliest(ctx)
		if err != nil || s == nil {
			return 1, err
		}
		return s.ID, nil
	}
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil || id < 1 {
		return 0, usage("--to %q is no snapshot: use an id from 1 on, earliest or latest", name)
	}
	return id, nil
}

func consumerDeleteCommand(a *app) *cobra.Command {
	var matching, except string
	var dryRun bool
	cmd := &cobra.Command{Use: "delete DB.T [CONSUMER...]", Short: "Forget consumers", Args: cobra.MinimumNArgs(1),
		Long: `Forget consumers, by name or all those whose whole name a regular expression
matches. Snapshots that only they had still to read may expire from then on, and
a reader that is started under such a name again begins like a new one.`,
		Example: `  tidelake consumer delete shop.orders search-index
  tidelake consumer delete shop.orders --matching 'test-.*' --except 'test-keep' --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			match, err := consumersChosen(args[1:], matching, except)
			if err != nil {
				return err
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				for _, id := range args[1:] {
					if err := a.forgetConsumer(cmd.Context(), t, id, dryRun); err != nil {
						return err
					}
				}
				if match == nil {
					return nil
				}
				gone, err := t.DeleteConsumers(cmd.Context(), match, dryRun)
				return a.sayForgotten(t, gone, dryRun, err)
			})
		}}
	f := cmd.Flags()
	f.StringVar(&matching, "matching", "", "forget the consumers whose name matches this regular expression")
	f.StringVar(&except, "except", "", "with --matching: but not those whose name matches this one")
	f.BoolVar(&dryRun, "dry-run", false, "only say which consumers would be forgotten")
	return cmd
}

// consumersChosen is what --matching and --except choose, nil without them.
func consumersChosen(names []string, matching, except string) (func(table.Consumer) bool, error) {
	switch {
	case matching == "" && except != "":
		return nil, usage("--except leaves out some of what --matching chooses")
	case matching == "" && len(names) == 0:
		return nil, usage("which consumers? name them, or choose them with --matching")
	case matching != "" && len(names) > 0:
		return nil, usage("name the consumers or choose them with --matching, not both")
	case matching == "":
		return nil, nil
	}
	in, err := wholeName("--matching", matching)
	if err != nil {
		return nil, err
	}
	out, err := wholeName("--except", except)
	if err != nil {
		return nil, err
	}
	return func(c table.Consumer) bool { return in.MatchString(c.ID) && (except == "" || !out.MatchString(c.ID)) }, nil
}

func wholeName(flag, pattern string) (*regexp.Regexp, error) {
	re, err := regexp.Compile("^(?:" + pattern + ")$")
	if err != nil {
		return nil, usage("%s: %w", flag, err)
	}
	return re, nil
}

func (a *app) forgetConsumer(ctx context.Context, t *table.Table, id string, dryRun bool) error {
	c := table.Consumer{ID: id}
	var err error
	if dryRun {
		c, err = t.Consumer(ctx, id)
	} else {
		err = t.DeleteConsumer(ctx, id)
	}
	if err != nil {
		return err
	}
	return a.sayForgotten(t, []table.Consumer{c}, dryRun, nil)
}

// sayForgotten names the consumers that went, before the failure if there was one.
func (a *app) sayForgotten(t *table.Table, gone []table.Consumer, dryRun bool, failure error) error {
	verb := "forgot"
	if dryRun {
		verb = "would forget"
	}
	for _, c := range gone {
		if err := a.say(verb+" consumer "+oneLine(c.ID)+" of "+t.Name(),
			cell{"table", t.Name()}, cell{"consumer", c.ID}, cell{"deleted", !dryRun}); err != nil {
			return err
		}
	}
	if failure != nil {
		return failure
	}
	if len(gone) == 0 && !a.json {
		return a.say("no consumer of " + t.Name() + " is to be forgotten")
	}
	return nil
}

func consumerExpireCommand(a *app) *cobra.Command {
	var idle time.Duration
	var dryRun bool
	cmd := &cobra.Command{Use: "expire DB.T", Short: "Forget consumers that have recorded nothing for long", Args: cobra.ExactArgs(1),
		Long: `Forget the consumers that have recorded nothing for longer than --idle, or than
the table's option consumer.expiration-time. Readers that only wait record that
they are there, so none of those that run is forgotten.`,
		Example: `  tidelake consumer expire shop.orders --idle 72h --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("idle") && idle <= 0 {
				return usage("--idle takes a time such as 72h")
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error {
				gone, err := t.ExpireConsumers(cmd.Context(), table.ExpireConsumersOptions{Idle: idle, DryRun: dryRun})
				return a.sayForgotten(t, gone, dryRun, err)
			})
		}}
	cmd.Flags().DurationVar(&idle, "idle", 0, "how long ago a consumer recorded last (default: the table's consumer.expiration-time)")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say which consumers would be forgotten")
	return cmd
}
