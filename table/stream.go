package table

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// StartMode says where a stream begins. The names are Paimon's.
type StartMode string

// The ways to begin.
const (
	// LatestFull: all rows of the newest snapshot, then the changes of those behind it.
	LatestFull StartMode = "latest-full"
	// Latest: the changes of snapshots that are yet to come.
	Latest StartMode = "latest"
	// CompactedFull: all rows of the newest snapshot that a compaction made (of the
	// newest one, if none did), which are read faster, then the changes behind it.
	CompactedFull StartMode = "compacted-full"
	// FromSnapshot: the changes of StreamOptions.Snapshot, or of the snapshot that
	// StreamOptions.Tag names, and then of those behind it.
	FromSnapshot StartMode = "from-snapshot"
	// FromSnapshotFull: all rows of that snapshot, then the changes of those behind it.
	FromSnapshotFull StartMode = "from-snapshot-full"
	// FromTimestamp: the changes of the first snapshot that was committed at or
	// after StreamOptions.Time, and then of those behind it.
	FromTimestamp StartMode = "from-timestamp"
	// FromCreationTimestamp: as FromTimestamp; but where all snapshots that are
	// left are younger, or none is, all rows of those files of the newest
	// snapshot that were made at or after StreamOptions.Time come first.
	FromCreationTimestamp StartMode = "from-creation-timestamp"
	// FromFileCreationTime: all rows of those files of the newest snapshot that
	// were made at or after StreamOptions.Time, then the changes of those behind it.
	FromFileCreationTime StartMode = "from-file-creation-time"
)

// OverwriteMode says what a stream tells of overwrites.
type OverwriteMode int

// What becomes of overwrites.
const (
	// OverwritesByTable does what the table's options streaming-read-overwrite
	// and streaming-read-append-overwrite say.
	OverwritesByTable OverwriteMode = iota
	// DeliverOverwrites tells rows that an overwrite removed, as deletes, and then those that it added.
	DeliverOverwrites
	// SkipOverwrites tells nothing of them.
	SkipOverwrites
)

// StreamOptions says what a stream tells. The zero value is every row of the
// newest snapshot and then every change, for good.
type StreamOptions struct {
	// Columns are the columns to return, in this order; nil returns all.
	Columns []string
	// Where keeps the changes for whose row it is true, as text: "a > 3 AND dt = '2026-01-01'".
	Where string
	// Filter is the same as a built expression; both must hold when both are given.
	Filter predicate.Expr

	// Token goes on where another stream of the same table was: see Stream.Token.
	// It takes the place of the fields up to Time.
	Token string
	// Mode says where to begin. Default FromSnapshot if only Snapshot is given,
	// FromSnapshotFull if only Tag is, else what the table's options say of
	// scan.mode and its kin, which is LatestFull unless set.
	Mode StartMode
	// Snapshot begins there. One that has expired begins at the oldest one that
	// is left, with a warning to the logger.
	Snapshot int64
	// Tag begins at the tag's snapshot, which may have expired for a full start.
	Tag string
	// Time begins there.
	Time time.Time

	// Consumer is the id under which the stream's progress is kept with the
	// table: see Stream.Acknowledge. A consumer that is known goes on where it
	// was, whatever the fields from Mode to Time say; a Token goes before it.
	// Streams of one id must not run at the same time. Default: the table's consumer-id.
	Consumer string
	// ConsumerMode says when snapshots count as done. Default: the table's
	// consumer.mode, which is ExactlyOnce unless set.
	ConsumerMode ConsumerMode
	// IgnoreProgress begins as if the consumer were new.
	IgnoreProgress bool

	// UntilSnapshot is the last snapshot to tell of; 0 goes on for good.
	UntilSnapshot int64
	// Until ends the stream before the first snapshot committed after it, or
	// when it has passed and there is no other snapshot. Zero goes on for good.
	Until time.Time
	// UntilWatermark ends the stream before the first snapshot of a greater
	// watermark. Default: the table's scan.bounded.watermark.
	UntilWatermark *int64

	// Limit ends an iteration after so many rows, wherever that is; 0 is no limit.
	Limit int64

	// SequenceNumbers and CommitTimes add columns: see Stream.Schema.
	SequenceNumbers, CommitTimes bool
	// Overwrites says what is told of overwrites. Default: what the table says.
	Overwrites OverwriteMode
	// FullChangelog makes whole changes of what a table without a changelog
	// producer, or with input, was written: +I of a key that was not there, -U
	// and +U of one whose row has changed, -D with the whole row. See Stream.
	FullChangelog bool
	// Share and Shares divide a stream between processes: each takes the
	// buckets of share Share, from 0, of Shares. Default: the whole stream.
	Share, Shares int
	// Delay reads snapshots only when they are so old. Default: the table's
	// streaming.read.snapshot.delay.
	Delay time.Duration
	// PollCeiling is the longest time between two looks for the next snapshot.
	// Default: that of snapshot.FollowOptions.
	PollCeiling time.Duration
	// BatchRows bounds the rows of a batch. Default: as for scans.
	BatchRows int
}

// Stream tells the changes of a table, snapshot by snapshot: first, perhaps,
// the whole picture, then every change once and in order.
//
//	snapshot 5 in full ─► changes of 6 ─► 7 (a compaction: none) ─► 8 ─► waits for 9 …
//	                                    ▲                       ▲
//	                                    └─ tokens name these ───┘
//
// The changes of a snapshot are the rows of its changelog where the table has
// a changelog producer; without one they are the rows that were written, as
// they were written: new rows and deletes, with nothing of the rows before.
// Rows of one key come in their order. Rows of one bucket come in the order of
// its files, buckets one after the other, and snapshots strictly so.
//
// With FullChangelog the changes of a snapshot are instead what its commit has
// changed in the rows of the table, as the merge engine makes them: each row
// fits what was told before, by key, from a full start on or from the table that
// was there. Keys of a bucket come in their order, a key once or as -U and +U,
// which share a batch (BatchRows counts as 2 at least). Rows that did not change
// in the columns of the result are not told. A filter chooses among rows: one
// that no longer matches is -D, one that does at last is +I. Keys are looked up
// in the table before the commit and after it, through a cache on local disk that
// the table's options lookup.cache-max-disk-size and -memory-size bound; the
// snapshot itself must not have expired, the one before may.
//
// All rows have the columns of the table's newest schema when it was opened.
// What a full start sees fits the changes behind it: with producer lookup rows
// above level 0 and with full-compaction those of the top level, because the
// changelog will tell the others; elsewhere all. Rows there carry the kind
// they are stored with, +I or +U.
//
// A stream may be iterated again: it goes on where it was. Between iterations
// it holds nothing and needs no Close. While one runs, the next snapshots are
// read ahead within a few batches. Token and Stats may be called at any time,
// everything else by one goroutine at a time.
type Stream struct {
	table    *Table
	options  StreamOptions
	base     Scan // schema, columns and filter of every read
	identity uint64
	follower *snapshot.Follower
	consumer *streamConsumer // nil without one
	keptLong bool            // the last snapshot was read from the long-lived changelogs

	mu      sync.Mutex
	running bool
	at      position
}

// Stream finds out where to begin; snapshots that are committed from then on
// are not missed. Errors: ErrInvalid (columns, filter, options that do not go
// together, a token of another table), ErrNotFound (no such tag; a snapshot
// that the table never had).
func (t *Table) Stream(ctx context.Context, o StreamOptions) (*Stream, error) {
	s, err := t.newStream(ctx, o)
	return s, t.wrap("stream", err)
}

func (t *Table) newStream(ctx context.Context, o StreamOptions) (*Stream, error) {
	told := o.told(ctx, t)
	if err := o.check(t); err != nil {
		return nil, err
	}
	o.BatchRows = cmp.Or(o.BatchRows, t.options.ReadBatchSize)
	s := &Stream{table: t, options: o, base: Scan{scanned: scanned{table: t, schema: t.schema}, options: ScanOptions{
		Columns: o.Columns, Where: o.Where, Filter: o.Filter, BatchRows: o.BatchRows}}}
	if err := s.base.project(); err != nil {
		return nil, err
	}
	if err := s.base.visibility(); err != nil {
		return nil, err
	}
	if o.Shares > 1 {
		s.base.keep = s.isMine
	}
	s.options.resolve(t)
	err := s.options.resolveConsumer(t)
	if err != nil {
		return nil, err
	}
	if s.identity, err = t.identity(ctx); err != nil {
		return nil, err
	}
	s.follower = snapshot.NewFollower(t.chain, snapshot.FollowOptions{Ceiling: o.PollCeiling, Clock: t.world.Clock, Sleep: s.sleep})
	begin := s.begin
	if told != nil { // which is no matter to a consumer that is known
		begin = func(context.Context) (position, error) { return position{}, told }
	}
	if o.Token != "" {
		begin = func(ctx context.Context) (position, error) { return s.resume(ctx, o.Token) }
	}
	if s.options.Consumer != "" {
		return s, s.beginConsumer(ctx, begin)
	}
	s.at, err = begin(ctx)
	return s, err
}

// check refuses what cannot go together.
func (o *StreamOptions) check(t *Table) error {
	switch {
	case o.Token != "" && (o.Mode != "" || o.Snapshot != 0 || o.Tag != "" || !o.Time.IsZero()):
		return fault.Invalid("a stream begins at a token or where its mode says, not both")
	case o.Snapshot != 0 && o.Tag != "":
		return fault.Invalid("a stream begins at a snapshot or at a tag, not both")
	case o.Shares < 0 || o.Share < 0 || o.Share > 0 && o.Share >= o.Shares:
		return fault.Invalid(fmt.Sprintf("share %d of %d: shares are numbered from 0", o.Share, o.Shares))
	case o.UntilSnapshot < 0 || o.Snapshot < 0:
		return fault.Invalid("snapshot ids begin at 1")
	case o.Delay < 0 || o.BatchRows < 0 || o.Limit < 0:
		return fault.Invalid("a stream takes no negative delay and no negative number of rows")
	case o.Overwrites == DeliverOverwrites && deliverable(t.options) != nil:
		return deliverable(t.options)
	}
	if o.FullChangelog {
		if err := o.checkFullChangelog(t); err != nil {
			return err
		}
	}
	return o.checkMode()
}

// deliverable refuses overwrites to be told where compactions tell changes.
func deliverable(o *schema.Options) error {
	if o.ChangelogProducer != "lookup" && o.ChangelogProducer != "full-compaction" {
		return nil
	}
	return &fault.Error{Class: fault.ErrInvalid, Detail: "overwrites of a table with changelog-producer " + o.ChangelogProducer +
		" cannot be delivered: its compactions tell changes again", Hint: "skip them, and begin in full again behind one"}
}

// errPartsInFull refuses to begin a full changelog with a part of the table.
var errPartsInFull = &fault.Error{Class: fault.ErrInvalid, Detail: "from-creation-timestamp can begin with the rows of some files only, which a full changelog does not fit",
	Hint: "begin with latest-full, or with from-timestamp"}

func (o *StreamOptions) checkFullChangelog(t *Table) error {
	switch producer := t.options.ChangelogProducer; {
	case len(t.schema.PrimaryKeys) == 0:
		return &fault.Error{Class: fault.ErrInvalid, Detail: "a table without a primary key has no full changelog", Hint: "its stream tells all rows that are added: leave FullChangelog out"}
	case producer != "none" && producer != "input":
		return &fault.Error{Class: fault.ErrInvalid, Detail: "the changelog of a table with changelog-producer " + producer + " is full", Hint: "leave FullChangelog out"}
	case t.postponed():
		return &fault.Error{Class: fault.ErrUnsupported, Detail: "a full changelog made by the reader, of a table whose rows wait for their buckets (bucket -2)",
			Hint: "set changelog-producer to lookup, which tells rows when they have got their buckets"}
	case o.Mode == FromCreationTimestamp:
		return errPartsInFull
	}
	return nil
}

func (o *StreamOptions) checkMode() error {
	atSnapshot, atTime := o.Snapshot != 0 || o.Tag != "", !o.Time.IsZero()
	switch o.Mode {
	case "":
		if atTime {
			return fault.Invalid("a time is given to a stream, but no mode: say from-timestamp or from-creation-timestamp")
		}
		return nil
	case LatestFull, Latest, CompactedFull:
		if atSnapshot || atTime {
			return fault.Invalid("a stream that starts " + string(o.Mode) + " takes no snapshot, tag or time")
		}
	case FromSnapshot, FromSnapshotFull:
		if !atSnapshot || atTime {
			return fault.Invalid("a stream that starts " + string(o.Mode) + " takes a snapshot or a tag")
		}
	case FromTimestamp, FromCreationTimestamp, FromFileCreationTime:
		if atSnapshot || !atTime {
			return fault.Invalid("a stream that starts " + string(o.Mode) + " takes a time")
		}
	default:
		return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("start mode %q is not known", o.Mode),
			Hint: "use latest-full, latest, compacted-full, from-snapshot, from-snapshot-full, from-timestamp, from-creation-timestamp or from-file-creation-time"}
	}
	return nil
}

// resolve fills in what the table's options say.
func (o *StreamOptions) resolve(t *Table) {
	says := t.options.Stream
	if o.UntilWatermark == nil {
		o.UntilWatermark = says.BoundedWatermark
	}
	if o.Delay == 0 {
		o.Delay = says.Delay
	}
	if o.Overwrites == OverwritesByTable {
		o.Overwrites = SkipOverwrites
		if says.Overwrites && len(t.schema.PrimaryKeys) > 0 || says.AppendOverwrites && len(t.schema.PrimaryKeys) == 0 {
			o.Overwrites = DeliverOverwrites
		}
	}
	if o.Mode == "" {
		switch {
		case o.Tag != "":
			o.Mode = FromSnapshotFull
		case o.Snapshot != 0:
			o.Mode = FromSnapshot
		default:
			o.Mode = LatestFull
		}
	}
}

// columns are those that stand before the table's own.
func (s *Stream) columns() systemColumns {
	return systemColumns{snapshot: true, sequence: s.options.SequenceNumbers, time: s.options.CommitTimes}
}

// Fields are the columns of the table that the stream returns.
func (s *Stream) Fields() []schema.Field { return s.base.fields }

// Schema is the Arrow schema of the batches: _VALUE_KIND (int8: 0 +I, 1 -U,
// 2 +U, 3 -D), _SNAPSHOT_ID (int64), then _SEQUENCE_NUMBER (int64, null without
// a primary key) and _COMMIT_TIME (timestamp of milliseconds, UTC) if they were
// asked for, then the columns of the table.
func (s *Stream) Schema() *arrow.Schema {
	c := s.columns()
	return arrow.NewSchema(append(c.fields(), s.base.arrow.Fields()...), nil)
}

// Token is a short printable text that says how far the stream has come: what
// was handed out by then, the batch at hand included, counts as read. Another
// process, on another machine, goes on there by StreamOptions.Token: nothing
// comes twice, nothing is left out.
//
// A token that is taken when all batches of a snapshot were read suits every
// stream of the table. One that is taken before that only suits a stream of the
// same filter, share and way with overwrites, at the same state of the
// table's options; columns and other system columns may differ.
func (s *Stream) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.token(s.identity)
}

// NextSnapshot is the oldest snapshot that has not been read to its end.
// Consumers are set to it.
func (s *Stream) NextSnapshot() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at.next
}

// Stats reads the counters of waiting for snapshots.
func (s *Stream) Stats() snapshot.FollowStats { return s.follower.Stats() }

// Changes are what a stream tells of one snapshot.
type Changes struct {
	// Snapshot is where the changes come from. It is shared: do not change it.
	Snapshot *snapshot.Snapshot
	// Full says that the rows are all those of the table as of the snapshot.
	Full bool

	run  *streamRun
	head *streamItem // read, not handed out
	over bool
}

// Snapshots yields one snapshot after the other, those without changes too, as
// they are committed; it waits for the next one until ctx ends, and itself ends
// where the options say. A snapshot is yielded when its first batch is there:
// read its batches before the next step, which passes over those that are left.
// Breaking off the loop releases everything. An error ends the sequence, ctx's
// too; the stream may be iterated again from where it was.
// Errors: ErrNotFound with a snapshot.OutOfRange as its cause when snapshots
// have expired that were not read yet, or the table was rolled back.
func (s *Stream) Snapshots(ctx context.Context) iter.Seq2[*Changes, error] {
	return func(yield func(*Changes, error) bool) {
		run, err := s.start(ctx)
		if err != nil {
			yield(nil, s.table.wrap("stream", err))
			return
		}
		defer run.stop()
		for {
			head, err := run.next()
			if head == nil && err == nil {
				err = s.handled(ctx, true)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if head == nil {
				return
			}
			c := &Changes{Snapshot: head.snapshot, Full: head.full, run: run, head: head}
			if !yield(c, nil) {
				c.release()
				return
			}
			for _, err := range c.Batches() { // what was not read
				if err != nil {
					yield(nil, err)
					return
				}
			}
			if err := s.handled(ctx, false); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// Batches yields the batches of the snapshot that were not read yet. A batch is
// borrowed until the next step: Retain it to keep it.
func (c *Changes) Batches() iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for !c.over {
			item, err := c.head, error(nil)
			c.head = nil
			if item == nil {
				item, err = c.run.next()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if item == nil {
				c.over = true
				return
			}
			c.run.stream.reached(item.at)
			if item.rec == nil {
				c.over = true
				return
			}
			more := yield(item.rec, nil)
			item.rec.Release()
			if !more {
				return
			}
		}
	}
}

func (c *Changes) release() {
	if c.head != nil && c.head.rec != nil {
		c.head.rec.Release()
	}
	c.head = nil
}

func (s *Stream) reached(at position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = at
}

// Batches yields the batches of one snapshot after the other: Snapshots
// without the snapshots.
func (s *Stream) Batches(ctx context.Context) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for c, err := range s.Snapshots(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			for rec, err := range c.Batches() {
				if !yield(rec, err) || err != nil {
					return
				}
			}
		}
	}
}
