package table

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/manifest"
	"github.com/tidelake/tidelake/predicate"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// Where reads begin that do not say it is for the table's options to say: those
// of scan.mode and its kin (streaming format, sections 8.1 and 8.2). Writes,
// lookups and differences pay no heed to them.

// chosen is the snapshot to read, nil for none. own says that it is read with
// its own schema: it was chosen as a state of the table, not as the newest of
// some kind.
func (s *Scan) chosen(ctx context.Context) (at *snapshot.Snapshot, own bool, err error) {
	o, t := s.options, s.table
	if s.told && o.travels() == 0 {
		switch say := &t.options.Start; say.Mode {
		case "compacted-full":
			at, err = t.newestCompacted(ctx)
			return at, false, err
		case "from-file-creation-time", "from-creation-timestamp":
			at, err = s.madeSince(ctx)
			return at, false, err
		default:
			if err := t.startAtState(ctx, &o); err != nil {
				return nil, false, err
			}
		}
	}
	s.tag = o.Tag
	if at, err = t.travel(ctx, o); err != nil || at != nil {
		return at, true, err
	}
	at, err = t.newest(ctx)
	return at, false, err
}

// startAtState fills in the state of the table that its options choose.
func (t *Table) startAtState(ctx context.Context, o *ScanOptions) error {
	say := &t.options.Start
	switch say.Mode {
	case "from-timestamp":
		at, err := t.startTime()
		o.AsOf = at
		return err
	case "from-snapshot", "from-snapshot-full":
		o.Snapshot, o.Tag, o.Watermark = say.Snapshot, say.Tag, say.Watermark
		if err := t.startVersion(ctx, o); err != nil {
			return err
		}
		if o.travels() != 1 {
			return fault.Invalid("scan.mode " + say.Mode + " takes exactly one of scan.snapshot-id, scan.tag-name, scan.watermark and scan.version")
		}
	}
	return nil
}

// startVersion fills in what scan.version means: a tag of that name, if there is one.
func (t *Table) startVersion(ctx context.Context, o *ScanOptions) error {
	version := t.options.Start.Version
	if version == "" {
		return nil
	}
	_, err := t.chain.Tag(ctx, version)
	switch watermark, marked := strings.CutPrefix(version, "watermark-"); {
	case err == nil:
		o.Tag = version
	case !isNotFound(err):
		return err
	case marked:
		n, err := strconv.ParseInt(watermark, 10, 64)
		if err != nil {
			return fault.Invalid(fmt.Sprintf("scan.version %q is not watermark-N", version))
		}
		o.Watermark = &n
	default:
		if o.Snapshot, err = strconv.ParseInt(version, 10, 64); err != nil {
			_, err := t.tag(ctx, version)
			return err
		}
	}
	return nil
}

// startTime is the time that scan.mode takes.
func (t *Table) startTime() (time.Time, error) {
	say := &t.options.Start
	switch {
	case say.Millis != nil:
		return time.UnixMilli(*say.Millis), nil
	case say.Mode != "from-timestamp" || say.Timestamp == "":
		return time.Time{}, fault.Invalid("scan.mode " + say.Mode + " needs a time: set the option that it goes with, or reset it")
	}
	v, err := predicate.CastLiteral(say.Timestamp, schema.Type{Kind: schema.TimestampLTZ, Precision: 3}, t.settings.TimeZone)
	if err != nil {
		return time.Time{}, fault.Invalid("scan.timestamp: " + err.Error())
	}
	return time.UnixMilli(v.(schema.TimestampValue).Millis), nil
}

// madeSince is the snapshot of modes that ask for what was made since a time:
// the first one since then if it can be told, else the newest one's files.
func (s *Scan) madeSince(ctx context.Context) (*snapshot.Snapshot, error) {
	t := s.table
	since, err := t.startTime()
	if err != nil {
		return nil, err
	}
	newest, err := t.chain.Latest(ctx)
	if err != nil || newest == nil {
		return newest, err
	}
	if t.options.Start.Mode == "from-creation-timestamp" {
		before, err := t.chain.AtOrBefore(ctx, since.UnixMilli()-1)
		if err != nil {
			return nil, err
		}
		if before != nil && before.ID < newest.ID {
			return t.chain.Get(ctx, before.ID+1)
		}
	}
	s.keep = t.filesSince(since)
	return newest, nil
}

// newestCompacted is the newest snapshot that a compaction made, a full one
// where the table makes them regularly, and the newest of all if none did.
func (t *Table) newestCompacted(ctx context.Context) (*snapshot.Snapshot, error) {
	newest, err := t.chain.Latest(ctx)
	if err != nil || newest == nil {
		return newest, err
	}
	earliest, err := t.chain.Earliest(ctx)
	if err != nil || earliest == nil {
		return newest, err
	}
	every := int64(t.options.Compaction.FullDeltaCommits)
	if every == 0 && t.options.ChangelogProducer == "full-compaction" {
		every = 1
	}
	for id := newest.ID; id >= earliest.ID; id-- {
		at, err := t.chain.Get(ctx, id)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if at.CommitKind == snapshot.Compact && (every == 0 || at.CommitIdentifier%every == 0 || at.CommitIdentifier == math.MaxInt64) {
			return at, nil
		}
	}
	return newest, nil
}

// filesSince chooses files by when they were made.
func (t *Table) filesSince(since time.Time) func(*manifest.Entry) bool {
	from := wallClock(since, t.settings.TimeZone)
	return func(e *manifest.Entry) bool { return e.File.CreationTime >= from }
}

// told fills in where a stream begins that does not say so; at an error it is
// left open. Paimon's streams begin at no tag and no watermark, because the
// snapshots there may be gone.
func (o *StreamOptions) told(ctx context.Context, t *Table) error {
	if o.Token != "" || o.Mode != "" || o.Snapshot != 0 || o.Tag != "" || !o.Time.IsZero() {
		return nil
	}
	mode := StartMode(t.options.Start.Mode)
	var err error
	switch mode {
	case FromTimestamp, FromCreationTimestamp, FromFileCreationTime:
		o.Time, err = t.startTime()
	case FromSnapshot, FromSnapshotFull:
		var at ScanOptions
		if err = t.startAtState(ctx, &at); err == nil && at.Snapshot == 0 {
			err = &fault.Error{Class: fault.ErrInvalid, Detail: "the table's options begin reads at a tag or a watermark, where streams do not begin",
				Hint: "say where the stream begins; StreamOptions.Tag begins with all rows of a tag"}
		}
		o.Snapshot = at.Snapshot
	}
	if err == nil {
		o.Mode = mode
	}
	return err
}
