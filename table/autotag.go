package table

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// autoTags are the tags that a committer makes and deletes by itself after its
// commits, as the table's options tag.* say. It remembers which snapshots it has
// looked at, so that a commit costs at most one small read for it.
type autoTags struct {
	table   *Table
	options *schema.TagOptions
	zone    *time.Location
	on      bool // the table is not write-only

	known bool      // what follows is
	from  int64     // first snapshot that was not looked at
	next  time.Time // begin of the period whose tag is the next, zero without any tag

	looked    time.Time             // for tags whose time is over
	deadlines map[tagFile]time.Time // of tags, zero for good
}

// tagFile tells a tag from the one that replaces it, where the store keeps times.
type tagFile struct {
	name     string
	bytes    int64
	modified time.Time
}

// tagLookEvery is how often a committer looks for tags whose time is over.
const tagLookEvery = time.Minute

func newAutoTags(t *Table) (autoTags, error) {
	o := &t.options.Tags
	zone, err := o.Zone()
	return autoTags{table: t, options: o, zone: cmp.Or(zone, t.settings.TimeZone), on: !t.options.WriteOnly}, errors.Join(err, o.Check())
}

// after does what is to be done after a commit that made some snapshots. The
// commit stands whatever becomes of that; the next one tries again.
func (a *autoTags) after(ctx context.Context, identifier int64, ids []int64) {
	if !a.on || len(ids) == 0 || ctx.Err() != nil {
		return
	}
	if err := errors.Join(a.make(ctx, identifier, slices.Max(ids)), a.expire(ctx)); err != nil {
		a.known = false
		a.table.world.Logger.Warn("tags were not made or deleted; the next commit tries again", "table", a.table.name, "error", err)
	}
}

func (a *autoTags) make(ctx context.Context, identifier, newest int64) error {
	switch a.options.Creation {
	case "process-time", "watermark":
		return a.periods(ctx, newest)
	case "batch":
		if identifier == BatchIdentifier {
			return a.batch(ctx, newest)
		}
	}
	return nil
}

// periods goes through the snapshots since the last time and tags those that
// are the first after the end of a period.
func (a *autoTags) periods(ctx context.Context, newest int64) error {
	if !a.known {
		if err := a.resume(ctx); err != nil {
			return err
		}
	}
	for a.from <= newest {
		s, err := a.table.chain.Get(ctx, a.from)
		if isNotFound(err) { // expired
			first, err := a.table.chain.Earliest(ctx)
			if err != nil {
				return err
			}
			if first == nil || first.ID <= a.from {
				return nil
			}
			a.from = first.ID
			continue
		}
		if err == nil {
			err = a.period(ctx, s)
		}
		if err != nil {
			return err
		}
		a.from++
	}
	return nil
}

// resume finds out where others, or an earlier process, stopped.
func (a *autoTags) resume(ctx context.Context) error {
	tags, err := a.made(ctx)
	if err != nil {
		return err
	}
	a.next, a.from = time.Time{}, 1
	if n := len(tags); n > 0 {
		begin, _ := a.begin(tags[n-1].Name)
		a.next, a.from = begin.Add(a.options.Period), tags[n-1].ID+1
	} else if first, err := a.table.chain.Earliest(ctx); err != nil {
		return err
	} else if first != nil {
		a.from = first.ID
	}
	a.known = true
	return nil
}

// made are the tags of periods, by snapshot.
func (a *autoTags) made(ctx context.Context) ([]*snapshot.Tag, error) {
	tags, err := a.table.chain.Tags(ctx)
	return slices.DeleteFunc(tags, func(tag *snapshot.Tag) bool {
		_, is := a.begin(tag.Name)
		return !is
	}), err
}

// begin is when the period of a tag begins; others than those of periods have none.
func (a *autoTags) begin(name string) (time.Time, bool) {
	if a.options.Period == 24*time.Hour {
		name, _, _ = strings.Cut(name, " ")
	}
	at, err := time.Parse(a.options.Layout, name)
	return at, err == nil
}

// period tags a snapshot if a period has ended since the last tag. Times are
// readings of a clock on the wall, kept as if they were UTC.
func (a *autoTags) period(ctx context.Context, s *snapshot.Snapshot) error {
	millis := s.TimeMillis
	if a.options.Creation == "watermark" {
		if s.Watermark == nil || *s.Watermark == math.MinInt64 {
			return nil
		}
		millis = *s.Watermark
	}
	now, period := onWall(time.UnixMilli(millis), a.zone), a.options.Period
	if !a.next.IsZero() && now.Add(-a.options.Delay).Before(a.next.Add(period)) {
		return nil
	}
	ended := time.UnixMilli(now.UnixMilli() / period.Milliseconds() * period.Milliseconds()).UTC().Add(-period)
	if a.options.Complete && !a.next.IsZero() {
		ended = a.next
	}
	tag := a.table.tagOf(ended.Format(a.options.Layout), s, 0)
	if err := a.table.publishTag(ctx, tag); err != nil && !errors.Is(err, fault.ErrExists) {
		return err
	}
	a.next = ended.Add(period)
	if a.options.Max == 0 {
		return nil
	}
	tags, err := a.made(ctx)
	if err != nil {
		return err
	}
	return a.prune(ctx, tags)
}

// prune deletes the oldest of tags that are too many.
func (a *autoTags) prune(ctx context.Context, tags []*snapshot.Tag) error {
	for len(tags) > a.options.Max {
		if err := a.table.deleteTag(ctx, tags[0].Name); err != nil && !isNotFound(err) {
			return err
		}
		tags = tags[1:]
	}
	return nil
}

const batchTagPrefix = "batch-write-"

// batch tags the snapshot of a batch commit, in the place of an earlier tag of
// that name.
func (a *autoTags) batch(ctx context.Context, newest int64) error {
	s, err := a.table.chain.Get(ctx, newest)
	if err != nil {
		return err
	}
	tag := a.table.tagOf(cmp.Or(a.options.Batch, batchTagPrefix+onWall(time.UnixMilli(s.TimeMillis), a.zone).Format(time.DateOnly)), s, 0)
	if err := a.table.deleteTag(ctx, tag.Name); err != nil && !isNotFound(err) {
		return err
	}
	if err := a.table.publishTag(ctx, tag); err != nil || a.options.Max == 0 {
		return err
	}
	tags, err := a.table.chain.Tags(ctx)
	if err != nil {
		return err
	}
	return a.prune(ctx, slices.DeleteFunc(tags, func(t *snapshot.Tag) bool {
		return t.Name != tag.Name && !strings.HasPrefix(t.Name, batchTagPrefix)
	}))
}

// onWall is what a clock on the wall of a zone shows, as if that were UTC.
func onWall(at time.Time, zone *time.Location) time.Time {
	_, offset := at.In(zone).Zone()
	return at.UTC().Add(time.Duration(offset) * time.Second)
}

// expire deletes tags whose time is over, looking now and then.
func (a *autoTags) expire(ctx context.Context) error {
	now := a.table.world.Clock()
	if !a.options.Expire || !a.looked.IsZero() && now.Sub(a.looked) < tagLookEvery {
		return nil
	}
	files, err := a.table.chain.TagFiles(ctx)
	if err != nil {
		return err
	}
	a.looked = now
	wall, before := a.table.wallClock(), a.deadlines
	a.deadlines = make(map[tagFile]time.Time, len(files))
	for _, info := range files {
		file := tagFile{info.Name, info.Size, info.ModTime}
		deadline, known := before[file]
		if !known || info.ModTime.IsZero() || !deadline.IsZero() && wall.After(deadline) { // it may be another one by now
			tag, err := a.table.chain.Tag(ctx, file.name)
			if isNotFound(err) {
				continue
			}
			if err != nil {
				return err
			}
			deadline = tagDeadline(tag)
		}
		if a.deadlines[file] = deadline; deadline.IsZero() || !wall.After(deadline) {
			continue
		}
		if err := a.table.deleteTag(ctx, file.name); err != nil && !isNotFound(err) {
			return err
		}
		delete(a.deadlines, file)
	}
	return nil
}

// tagDeadline is the time on the wall until which a tag lives, zero for good.
func tagDeadline(tag *snapshot.Tag) time.Time {
	if tag.Retained == nil || tag.Created.IsZero() {
		return time.Time{}
	}
	return tag.Created.Add(*tag.Retained)
}
