package table

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/internal/rowjson/literal"
	"github.com/tidelake/tidelake/snapshot"
)

// travels tells that the options choose a snapshot other than the newest.
func (o *ScanOptions) travels() (ways int) {
	for _, set := range []bool{o.Snapshot != 0, !o.AsOf.IsZero(), o.Tag != "", o.Watermark != nil} {
		if set {
			ways++
		}
	}
	return ways
}

// travel finds the snapshot that the options choose, nil when they leave it at
// the newest (streaming format, section 8.1).
func (t *Table) travel(ctx context.Context, o ScanOptions) (*snapshot.Snapshot, error) {
	switch {
	case o.travels() > 1:
		return nil, fault.Invalid("a scan takes one of a snapshot id, a time, a tag and a watermark")
	case o.Snapshot < 0:
		return nil, fault.Invalid(fmt.Sprintf("snapshot %d: snapshot ids begin at 1", o.Snapshot))
	case o.Snapshot != 0:
		at, err := t.chain.Get(ctx, o.Snapshot)
		if isNotFound(err) {
			err = t.noSuchSnapshot(ctx, o.Snapshot)
		}
		return at, err
	case !o.AsOf.IsZero():
		return t.snapshotAsOf(ctx, o.AsOf)
	case o.Tag != "":
		tag, err := t.tag(ctx, o.Tag)
		if err != nil {
			return nil, err
		}
		return &tag.Snapshot, nil
	case o.Watermark != nil:
		return t.snapshotAtWatermark(ctx, *o.Watermark)
	}
	return nil, nil
}

func (t *Table) noSuchSnapshot(ctx context.Context, id int64) error {
	e := &fault.Error{Class: fault.ErrNotFound, Snapshot: id, Detail: "it was never made, or has expired"}
	first, err1 := t.chain.Earliest(ctx)
	last, err2 := t.chain.Latest(ctx)
	if err1 == nil && err2 == nil && first != nil && last != nil {
		e.Hint = "snapshots " + itoa(first.ID) + " to " + itoa(last.ID) + " can be read"
	}
	return e
}

func (t *Table) snapshotAsOf(ctx context.Context, at time.Time) (*snapshot.Snapshot, error) {
	s, err := t.chain.AtOrBefore(ctx, at.UnixMilli())
	if err == nil && s == nil {
		err = &fault.Error{Class: fault.ErrNotFound, Detail: "no snapshot at or before " + at.Format(time.RFC3339Nano), Hint: "list the snapshots for the times that are left"}
	}
	return s, err
}

func (t *Table) snapshotAtWatermark(ctx context.Context, watermark int64) (*snapshot.Snapshot, error) {
	s, err := t.chain.AtWatermark(ctx, watermark)
	if err == nil && s == nil {
		err = &fault.Error{Class: fault.ErrNotFound, Detail: fmt.Sprintf("no snapshot has a watermark of %d or later", watermark),
			Hint: "list the snapshots for the watermarks that are left"}
	}
	return s, err
}

// tag reads a tag; when it is not there the error says what may be meant.
func (t *Table) tag(ctx context.Context, name string) (*snapshot.Tag, error) {
	tag, err := t.chain.Tag(ctx, name)
	if !isNotFound(err) {
		return tag, err
	}
	names, listErr := t.chain.TagNames(ctx)
	return nil, errors.Join(&fault.Error{Class: fault.ErrNotFound, Detail: fmt.Sprintf("tag %q%s", name, literal.DidYouMean(name, names)),
		Hint: "list the tags for those there are; a tag that ran out or was deleted cannot be read any more"}, listErr)
}
