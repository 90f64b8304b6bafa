package main

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tidelake/tidelake/snapshot"
	"github.com/tidelake/tidelake/table"
)

type tailFlags struct {
	from, columns, where, format, overwrites, share, consumer string
	until, limit                                              int64
	duration                                                  time.Duration
	full                                                      bool
}

var tailFormats = []string{"jsonl", "csv", "debezium-json", "table"}

func tailCommand(a *app) *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{Use: "tail DB.T", Short: "Print rows and then every change, as they are committed", Args: cobra.ExactArgs(1),
		Long: `Print the rows of a table and then every change, as they are committed, until
interrupted. Each row carries the snapshot that it came with (_snapshot) and what
it did (_kind): +I inserted, -U was before an update, +U is after it, -D deleted.
Tables without a changelog producer do not tell rows before: --full-changelog
looks them up.

In the end a line on standard error says how to go on from there.

  --from full          all rows first (the default, unless scan.mode of the
                       table and its kin say another)
  --from latest        changes from now on
  --from compacted     all rows of the newest compaction, then the changes behind it
  --from snapshot:7    the changes of snapshot 7, and those behind it
  --from tag:T         all rows that the tag holds, then the changes behind it
  --from time:X        changes committed at or after a time, written as for --as-of of read
  --from tl1-…         where another tail was: the text that it ended with`,
		Example: `  tidelake tail shop.orders
  tidelake tail shop.orders --from latest --where "amount > 100" --format table
  tidelake tail shop.orders --from snapshot:7 --until-snapshot 9
  tidelake tail shop.orders --consumer search-index >> changes.jsonl
  tidelake tail shop.orders --format debezium-json | tidelake write copy.orders - --format debezium-json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := a.streamOptions(cmd, f)
			if err != nil {
				return err
			}
			return a.withTable(cmd.Context(), args[0], func(t *table.Table) error { return a.tail(cmd.Context(), t, o, f) })
		}}
	fl := cmd.Flags()
	fl.StringVar(&f.from, "from", "", "where to begin: full, latest, compacted, snapshot:N, tag:T, time:X or the text that another tail ended with (default as the table says, which is full)")
	fl.Int64Var(&f.until, "until-snapshot", 0, "end when this snapshot was printed (default never)")
	fl.DurationVar(&f.duration, "for", 0, "end after this time (default never)")
	fl.Int64Var(&f.limit, "limit", 0, "end after this many rows (default never)")
	fl.StringVar(&f.columns, "select", "", "columns to print, separated by commas (default all); also --columns")
	fl.StringVar(&f.where, "where", "", "print only rows for which this is true")
	fl.StringVar(&f.overwrites, "overwrites", "", "deliver or skip what overwrites removed and added (default as the table says)")
	fl.BoolVar(&f.full, "full-changelog", false, "look up how rows were before and are after, where the table has no changelog producer or input: +I, -U and +U, -D with whole rows")
	fl.StringVar(&f.share, "share", "", "only the I-th of N shares of the buckets, as in 1/3: so many processes tell the whole")
	fl.StringVar(&f.consumer, "consumer", "", "keep the progress with the table under this id, and go on from it whatever --from says but a token; its snapshots do not expire unread")
	fl.StringVar(&f.format, "format", "jsonl", strings.Join(tailFormats, ", "))
	fl.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "columns" {
			name = "select"
		}
		return pflag.NormalizedName(name)
	})
	formats(cmd, "format", tailFormats)
	formats(cmd, "overwrites", []string{"deliver", "skip"})
	return cmd
}

// streamOptions checks the flags and turns them into a stream.
func (a *app) streamOptions(cmd *cobra.Command, f tailFlags) (table.StreamOptions, error) {
	o := table.StreamOptions{Where: f.where, UntilSnapshot: f.until, Limit: f.limit, Consumer: f.consumer, FullChangelog: f.full}
	set := cmd.Flags().Changed
	switch {
	case set("limit") && f.limit <= 0:
		return o, usage("--limit takes a positive number; leave it out for all rows")
	case set("until-snapshot") && f.until <= 0:
		return o, usage("--until-snapshot takes the id of a snapshot, from 1")
	case set("for") && f.duration <= 0:
		return o, usage("--for takes a time such as 30s; leave it out to go on until interrupted")
	case set("where") && strings.TrimSpace(f.where) == "":
		return o, usage("--where is empty")
	case set("from") && f.from == "":
		return o, usage("--from is empty")
	case set("consumer") && f.consumer == "":
		return o, usage("--consumer is empty")
	case !slices.Contains(tailFormats, f.format):
		return o, usage("--format %q: use %s", f.format, strings.Join(tailFormats, ", "))
	}
	var err error
	if set("select") {
		if o.Columns, err = selected(f.columns); err != nil {
			return o, err
		}
	}
	switch f.overwrites {
	case "":
	case "deliver":
		o.Overwrites = table.DeliverOverwrites
	case "skip":
		o.Overwrites = table.SkipOverwrites
	default:
		return o, usage("--overwrites %q: use deliver or skip", f.overwrites)
	}
	if set("share") {
		mine, err := partOf("share", f.share)
		if err != nil {
			return o, err
		}
		o.Share, o.Shares = mine.number-1, mine.of
	}
	return o, a.streamStart(&o, f.from)
}

// streamStart reads --from.
func (a *app) streamStart(o *table.StreamOptions, from string) (err error) {
	way, rest, _ := strings.Cut(from, ":")
	switch {
	case from == "": // the table says
	case table.IsStreamToken(from):
		o.Token = from
	case from == "full":
		o.Mode = table.LatestFull
	case from == "latest":
		o.Mode = table.Latest
	case from == "compacted":
		o.Mode = table.CompactedFull
	case way == "snapshot":
		o.Mode = table.FromSnapshot
		if o.Snapshot, err = strconv.ParseInt(rest, 10, 64); err != nil || o.Snapshot < 1 {
			return usage("--from %q: a snapshot has a number, from 1", from)
		}
	case way == "tag" && rest != "":
		o.Mode, o.Tag = table.FromSnapshotFull, rest
	case way == "time" && rest != "":
		o.Mode = table.FromTimestamp
		if o.Time, err = a.parseTime("from", rest); err != nil {
			return usage("--from %q: write time:2026-01-31 12:00:00 (in quotes), with an offset or in --time-zone, or epoch milliseconds", from)
		}
	default:
		return usage("--from %q: use full, latest, compacted, snapshot:N, tag:T, time:X or the text that another tail ended with", from)
	}
	return nil
}

// tail prints a stream until it ends, is interrupted or fails.
func (a *app) tail(ctx context.Context, t *table.Table, o table.StreamOptions, f tailFlags) error {
	s, err := t.Stream(ctx, o)
	if errors.Is(err, table.ErrInvalid) && !errors.Is(err, table.ErrCorrupt) {
		return usageError{err} // --select, --where, --from
	}
	if err != nil {
		return err
	}
	a.noteUntold(t)
	out := bufio.NewWriterSize(a.out, 1<<16)
	p, err := newTailPrinter(out, t, s, f.format)
	if err != nil {
		return err
	}
	reading := ctx
	if f.duration > 0 {
		var cancel context.CancelFunc
		reading, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	consumer := f.consumer != "" || t.Schema().Options["consumer-id"] != ""
	token, err := printChanges(reading, s, p, consumer)
	if reading.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		err = nil // interrupted, which is how a tail ends
	}
	if err == nil && p.waits() {
		token, err = p.pairUp(context.WithoutCancel(ctx), t, s, o)
	}
	switch failed := p.flush(); {
	case errors.Is(failed, errPipeClosed):
		return nil // head and its like have what they wanted; what they did not take is not done
	case failed != nil:
		return failed // and nobody knows from where to go on
	}
	if lost := new(snapshot.OutOfRange); !errors.As(err, &lost) {
		a.note("go on with --from %s", token)
	}
	return err
}

// printChanges prints snapshot after snapshot. What was handed out is
// acknowledged for a consumer, interrupted or not. It returns where to go on
// without missing anything.
func printChanges(ctx context.Context, s *table.Stream, p *tailPrinter, consumer bool) (token string, err error) {
	token = s.Token()
	for c, err := range s.Snapshots(ctx) {
		if err != nil {
			return token, err
		}
		for rec, err := range c.Batches() {
			if err == nil {
				err = p.batch(c, rec)
			}
			if err != nil {
				return token, err
			}
			if !p.waits() {
				token = s.Token()
			}
		}
		if s.NextSnapshot() <= c.Snapshot.ID {
			return token, nil // the limit is within it
		}
		if err := p.endSnapshot(c); err != nil {
			return token, err
		}
		token = s.Token()
		if consumer {
			if err := s.Acknowledge(context.WithoutCancel(ctx)); err != nil {
				return token, err
			}
		}
	}
	return s.Token(), nil
}
