package table

import (
	"context"

	"github.com/tidelake/tidelake/internal/fault"
)

// A scan holds a snapshot without telling anybody. When that expires before the
// scan is done, files are missing, and which file is no help to anyone.

// whyMissing makes an error about a missing file say that the snapshot has
// expired, or is just expiring; others it leaves as they are.
func (s *Scan) whyMissing(ctx context.Context, err error) error {
	if !isNotFound(err) || s.snapshot == nil {
		return err
	}
	if s.tag != "" {
		return s.whyTagMissing(ctx, err)
	}
	id := s.snapshot.ID
	there, existErr := s.table.chain.Exists(ctx, id)
	if existErr != nil {
		return err
	}
	if !there {
		return &fault.Error{Class: fault.ErrNotFound, Snapshot: id, Err: err, Detail: "it expired while it was read",
			Hint: "scan again; where scans take longer, raise snapshot.time-retained or snapshot.num-retained.min, or keep a tag"}
	}
	latest, latestErr := s.table.chain.Latest(ctx)
	if latestErr != nil || latest == nil || latest.ID == id {
		return err // nothing that is newest expires
	}
	return &fault.Error{Class: fault.ErrNotFound, Snapshot: id, Err: err, Detail: "it is expiring and some of its files have gone already",
		Hint: "read a newer snapshot, such as " + itoa(latest.ID) + "; if this stays so, Check tells whether newer ones lack files too"}
}

// whyTagMissing is whyMissing of a scan that a tag has chosen.
func (s *Scan) whyTagMissing(ctx context.Context, err error) error {
	tag, tagErr := s.table.chain.Tag(ctx, s.tag)
	if tagErr == nil && tag.Same(s.snapshot) || tagErr != nil && !isNotFound(tagErr) {
		return err
	}
	return &fault.Error{Class: fault.ErrNotFound, Snapshot: s.snapshot.ID, Err: err, Detail: "tag " + s.tag + " was deleted or replaced while it was read",
		Hint: "list the tags for those there are"}
}
