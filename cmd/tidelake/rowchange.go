package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidelake/tidelake/table"
)

// rowFlags choose the rows that delete and update change.
type rowFlags struct {
	where    string
	all, dry bool
	set      []string
}

func (f *rowFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.where, "where", "", "the rows for which this is true")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "say what would change and change nothing")
}

func deleteCommand(a *app) *cobra.Command {
	var f rowFlags
	cmd := &cobra.Command{Use: "delete DB.T --where FILTER", Short: "Delete rows", Args: cobra.ExactArgs(1),
		Long: `Delete the rows that a filter chooses, in one commit.

A table without a primary key gets deletion vectors where it has
deletion-vectors.enabled, and otherwise the files with such rows are written
again. A table with one gets a delete for the key of every row.
The filter is that of "tidelake read".`,
		Example: "  tidelake delete shop.orders --where \"dt < '2020-01-01'\" --dry-run",
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(f.where) == "" {
				return usage("--where FILTER is required")
			}
			return a.change(cmd.Context(), args[0], "deleted", f, func(t *table.Table) (table.ChangeReport, error) {
				return t.Delete(cmd.Context(), table.ChangeOptions{Where: f.where, DryRun: f.dry})
			})
		}}
	f.add(cmd)
	return cmd
}

func updateCommand(a *app) *cobra.Command {
	var f rowFlags
	cmd := &cobra.Command{Use: "update DB.T --set COLUMN=VALUE --where FILTER", Short: "Give columns of rows new values", Args: cobra.ExactArgs(1),
		Long: `Give columns of the rows that a filter chooses new values, in one commit.

A value is a literal as in filters (text and times in single quotes, NULL), or
the name of another column. The filter is that of "tidelake read"; --all stands
for every row.`,
		Example: "  tidelake update shop.orders --set \"state='closed'\" --set closed_by=owner --where \"dt < '2020-01-01'\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := f.assignments()
			if err != nil {
				return err
			}
			if f.all == (strings.TrimSpace(f.where) != "") {
				return usage("give --where FILTER, or --all for every row")
			}
			return a.change(cmd.Context(), args[0], "updated", f, func(t *table.Table) (table.ChangeReport, error) {
				return t.Update(cmd.Context(), set, table.ChangeOptions{Where: f.where, DryRun: f.dry})
			})
		}}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "every row")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "COLUMN=VALUE, may be repeated")
	return cmd
}

func (f *rowFlags) assignments() ([]table.Assignment, error) {
	if len(f.set) == 0 {
		return nil, usage("--set COLUMN=VALUE is required")
	}
	var out []table.Assignment
	for _, s := range f.set {
		name, value, ok := strings.Cut(s, "=")
		if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || name == "" || value == "" {
			return nil, usage("--set %q: write COLUMN=VALUE, text in single quotes", s)
		}
		out = append(out, table.Assignment{Name: name, Expr: value})
	}
	return out, nil
}

// change runs a delete or an update and says what it did.
func (a *app) change(ctx context.Context, name, done string, f rowFlags, do func(*table.Table) (table.ChangeReport, error)) error {
	return a.withTable(ctx, name, func(t *table.Table) error {
		r, err := do(t)
		if errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrCorrupt) {
			return usageError{err} // --where or --set
		}
		if err != nil {
			return err
		}
		return a.say(f.sentence(t, done, r), cell{"table", t.Name()}, cell{"rows", r.Rows}, cell{"files", r.Files},
			cell{"rewrote", r.Rewrote}, cell{"vectors", r.Vectors}, cell{done, !f.dry && r.Rows > 0})
	})
}

func (f *rowFlags) sentence(t *table.Table, done string, r table.ChangeReport) string {
	if f.dry {
		done = "would have " + done
	}
	text := fmt.Sprintf("%s %s of %s", done, count(r.Rows, "row"), t.Name())
	switch {
	case r.Rows == 0:
		text += ": no snapshot made"
	case r.Vectors > 0:
		text += fmt.Sprintf("; marked in the deletion vectors of %s", count(r.Vectors, "file"))
	case r.Files > 0:
		text += fmt.Sprintf("; wrote %d of %s again", r.Rewrote, count(r.Files, "file"))
	}
	return text
}
