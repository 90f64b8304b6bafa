package table

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/snapshot"
)

// TagOptions say what a tag holds, and for how long. The zero value is the
// newest snapshot, for as long as the table option tag.default-time-retained says.
type TagOptions struct {
	// Snapshot tags this snapshot, or what another tag holds of it.
	Snapshot int64
	// AsOf tags the newest snapshot committed at or before this time.
	AsOf time.Time
	// Retained is how long the tag lives; then it is deleted by the next commit or
	// ExpireTags. A negative one is for good. Default: tag.default-time-retained,
	// or for good.
	Retained time.Duration
}

// Tags lists the table's tags, by snapshot and name.
func (t *Table) Tags(ctx context.Context) ([]*snapshot.Tag, error) {
	tags, err := t.chain.Tags(ctx)
	return tags, t.wrap("list tags", err)
}

// CreateTag gives a snapshot a name under which it can be read for good: expiry
// leaves the files that it needs. Errors: ErrExists for a name that is taken,
// ErrInvalid for one that no tag can have or a table without snapshots,
// ErrNotFound without the snapshot, or where it expires meanwhile: then there is
// no tag.
func (t *Table) CreateTag(ctx context.Context, name string, o TagOptions) (*snapshot.Tag, error) {
	tag, err := t.newTag(ctx, name, o)
	if err == nil {
		err = t.publishTag(ctx, tag)
	}
	if err != nil {
		return nil, t.wrap("create tag", err)
	}
	return tag, nil
}

// ReplaceTag lets a tag that is there hold another snapshot. What only the old
// one needed is left for the cleaning of orphans, as Paimon leaves it. For a
// moment a second tag holds the snapshot; one that a crash leaves behind runs out
// after an hour. Errors: those of CreateTag, and ErrNotFound without the tag.
func (t *Table) ReplaceTag(ctx context.Context, name string, o TagOptions) (*snapshot.Tag, error) {
	tag, err := t.replaceTag(ctx, name, o)
	return tag, t.wrap("replace tag", err)
}

func (t *Table) replaceTag(ctx context.Context, name string, o TagOptions) (*snapshot.Tag, error) {
	if _, err := t.tag(ctx, name); err != nil {
		return nil, err
	}
	tag, err := t.newTag(ctx, name, o)
	if err != nil {
		return nil, err
	}
	// What the tag held is lost once it is overwritten, so the snapshot must be
	// held before.
	second := t.tagOf(name+".replacing-"+t.world.NewID(), &tag.Snapshot, time.Hour)
	if err := t.publishTag(ctx, second); err != nil {
		return nil, err
	}
	err = t.store.Write(ctx, t.chain.TagPath(name), tag.Marshal())
	after, cancel := afterwards(ctx)
	defer cancel()
	return tag, errors.Join(err, t.deleteTag(after, second.Name))
}

// RenameTag gives a tag a name that is free. For a moment it has both. Errors:
// ErrNotFound, ErrExists, ErrInvalid.
func (t *Table) RenameTag(ctx context.Context, from, to string) error {
	return t.wrap("rename tag", t.renameTag(ctx, from, to))
}

func (t *Table) renameTag(ctx context.Context, from, to string) error {
	if err := t.options.Tags.CheckMade(); err != nil {
		return err
	}
	tag, err := t.tag(ctx, from)
	if err != nil {
		return err
	}
	if err := snapshot.CheckTagName(to); err != nil {
		return err
	}
	tag.Name = to
	if err := t.publishTag(ctx, tag); err != nil {
		return err
	}
	return t.store.Delete(ctx, t.chain.TagPath(from))
}

// newTag makes a tag that is not written yet.
func (t *Table) newTag(ctx context.Context, name string, o TagOptions) (*snapshot.Tag, error) {
	if err := errors.Join(snapshot.CheckTagName(name), t.options.Tags.CheckMade()); err != nil {
		return nil, err
	}
	at, err := t.travel(ctx, ScanOptions{Snapshot: o.Snapshot, AsOf: o.AsOf})
	if isNotFound(err) && o.Snapshot != 0 {
		at, err = t.taggedSnapshot(ctx, o.Snapshot, err)
	}
	if err == nil && at == nil {
		at, err = t.newest(ctx)
	}
	if err != nil {
		return nil, err
	}
	if at == nil {
		return nil, &fault.Error{Class: fault.ErrInvalid, Detail: "the table has no snapshot to tag", Hint: "write rows first"}
	}
	return t.tagOf(name, at, o.Retained), nil
}

// tagOf is a tag of a snapshot. The time of its creation is the wall clock's in
// the session's time zone, as Java has it.
func (t *Table) tagOf(name string, at *snapshot.Snapshot, retained time.Duration) *snapshot.Tag {
	tag := &snapshot.Tag{Name: name, Snapshot: *at}
	switch {
	case retained > 0:
		tag.Retained = &retained
	case retained == 0:
		tag.Retained = t.options.Tags.Retained
	}
	if tag.Retained != nil {
		tag.Created = t.wallClock()
	}
	return tag
}

// wallClock is what a clock on the wall shows, as if that were UTC.
func (t *Table) wallClock() time.Time {
	return onWall(t.world.Clock(), t.settings.TimeZone)
}

// taggedSnapshot is the snapshot of an id that a tag holds; cause is the error
// where none does.
func (t *Table) taggedSnapshot(ctx context.Context, id int64, cause error) (*snapshot.Snapshot, error) {
	tags, err := t.chain.Tags(ctx)
	if err != nil {
		return nil, err
	}
	for _, tag := range tags {
		if tag.ID == id {
			return &tag.Snapshot, nil
		}
	}
	return nil, cause
}

// publishTag writes a tag whose name is free, and takes it back where files of
// its snapshot may be going.
func (t *Table) publishTag(ctx context.Context, tag *snapshot.Tag) error {
	if err := t.putTag(ctx, tag); err != nil {
		return err
	}
	return t.confirm(ctx, &tag.Snapshot, tag.Name, func(ctx context.Context) error { return t.deleteTag(ctx, tag.Name) })
}

// putTag writes a tag whose name is free. Of two that make it one wins.
func (t *Table) putTag(ctx context.Context, tag *snapshot.Tag) error {
	data, key := tag.Marshal(), t.chain.TagPath(tag.Name)
	err := t.store.CreateIfAbsent(ctx, key, data)
	if err == nil {
		return nil
	}
	if same, readErr := t.sameFile(ctx, key, data); readErr == nil && same && !errors.Is(err, fault.ErrExists) {
		return nil // the answer was lost
	}
	if errors.Is(err, fault.ErrExists) {
		return &fault.Error{Class: fault.ErrExists, Detail: fmt.Sprintf("tag %q", tag.Name), Hint: "choose another name, or replace it"}
	}
	return err
}

// DeleteTag removes a tag and then, if its snapshot has expired, the files that
// only the tag held. When it is broken off in between they are left for Clean.
// Errors: ErrNotFound without the tag.
func (t *Table) DeleteTag(ctx context.Context, name string) error {
	err := t.options.Tags.CheckMade()
	if err == nil {
		err = t.deleteTag(ctx, name)
	}
	return t.wrap("delete tag", err)
}

// ExpireTags deletes the tags whose time is over and returns their names. With
// olderThan, which may be zero, also those that were made before, whatever their
// time; for a tag that does not say when it was made the time of its file counts.
func (t *Table) ExpireTags(ctx context.Context, olderThan time.Time) ([]string, error) {
	gone, err := t.expireTags(ctx, olderThan)
	return gone, t.wrap("expire tags", err)
}

func (t *Table) expireTags(ctx context.Context, olderThan time.Time) (gone []string, err error) {
	if err := t.options.Tags.CheckMade(); err != nil {
		return nil, err
	}
	tags, err := t.chain.Tags(ctx)
	if err != nil {
		return nil, err
	}
	now := t.wallClock()
	for _, tag := range tags {
		deadline := tagDeadline(tag)
		over := !deadline.IsZero() && now.After(deadline)
		if !over && !olderThan.IsZero() {
			made, err := t.tagMade(ctx, tag)
			if err != nil {
				return gone, err
			}
			over = made.Before(olderThan)
		}
		if !over {
			continue
		}
		if err := t.deleteTag(ctx, tag.Name); err != nil && !isNotFound(err) {
			return gone, err
		}
		gone = append(gone, tag.Name)
	}
	return gone, nil
}

// tagMade is when a tag was made.
func (t *Table) tagMade(ctx context.Context, tag *snapshot.Tag) (time.Time, error) {
	if c := tag.Created; !c.IsZero() && tag.Retained != nil {
		return time.Date(c.Year(), c.Month(), c.Day(), c.Hour(), c.Minute(), c.Second(), c.Nanosecond(), t.settings.TimeZone), nil
	}
	info, err := t.store.Stat(ctx, t.chain.TagPath(tag.Name))
	return info.ModTime, err
}
