package table

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tidelake/tidelake/internal/fault"
	"github.com/tidelake/tidelake/schema"
	"github.com/tidelake/tidelake/snapshot"
)

// ChangeMode says where the changes between two versions of a table are taken
// from. The names are Paimon's.
type ChangeMode string

// The ways to find changes.
const (
	// ChangesAuto is ChangesDiff between two tags, else, for each snapshot,
	// ChangesChangelog where the table had a changelog producer then and
	// ChangesDelta where it had none.
	ChangesAuto ChangeMode = "auto"
	// ChangesDelta: rows as they were written, commit by commit; compactions and
	// overwrites are left out.
	ChangesDelta ChangeMode = "delta"
	// ChangesChangelog: rows of the changelogs, snapshot by snapshot, overwrites left out.
	ChangesChangelog ChangeMode = "changelog"
	// ChangesDiff compares both versions: the row of every key that is new or
	// differs, and a delete for every key that is gone. A row that was written
	// again as it was may be told too: files of both versions are not read.
	ChangesDiff ChangeMode = "diff"
)

// Version names a snapshot of a table by one of its fields.
type Version struct {
	// Snapshot is its id.
	Snapshot int64
	// Tag names a tag, whose snapshot may have expired.
	Tag string
	// Time is when the snapshot was the newest.
	Time time.Time
}

// String says which version it is.
func (v Version) String() string {
	switch {
	case v.Tag != "":
		return "tag " + v.Tag
	case !v.Time.IsZero():
		return v.Time.Format(time.RFC3339Nano)
	}
	return "snapshot " + itoa(v.Snapshot)
}

// at says which version it is and which snapshot that was.
func (v Version) at(id int64) string {
	if v.Tag == "" && v.Time.IsZero() {
		return "snapshot " + itoa(id)
	}
	return v.String() + " (snapshot " + itoa(id) + ")"
}

// Between is a stretch of a table's history: what came after From, up to and
// with To.
type Between struct {
	// From is not included. The zero value is before the first snapshot. A time
	// before all snapshots that are left means before the oldest of them.
	From Version
	// To is included. The zero value is the newest snapshot.
	To Version
	// Mode says where changes are taken from. Default ChangesAuto.
	Mode ChangeMode
}

// stretch is a Between that was looked up.
type stretch struct {
	from, to int64
	before   *snapshot.Snapshot // the version at from, nil before the first one; for ChangesDiff only
	after    *snapshot.Snapshot // the version at to, nil when nothing can have changed
	mode     ChangeMode
	auto     bool // each snapshot by the changelog producer that it was made under
}

// stretchOf finds the snapshots of a Between. The rules are Paimon's (streaming
// format, section 8.5).
func (t *Table) stretchOf(ctx context.Context, b *Between) (*stretch, error) {
	s := &stretch{mode: t.changeMode(b), auto: b.Mode == "" || b.Mode == ChangesAuto}
	if err := b.check(); err != nil {
		return nil, err
	}
	first, err := t.chain.Earliest(ctx)
	if err != nil {
		return nil, err
	}
	last, err := t.chain.Latest(ctx)
	if err != nil || first == nil || last == nil {
		return s, err // nothing was ever written
	}
	if err := t.checkAltered(ctx, last.SchemaID); err != nil {
		return nil, err
	}
	if s.after, err = t.versionAt(ctx, b.To, last); err != nil || s.after == nil {
		return s, err
	}
	s.to = s.after.ID
	if err := t.startAt(ctx, s, b.From, first); err != nil {
		return nil, err
	}
	switch {
	case s.from > s.to:
		return nil, fault.Invalid(fmt.Sprintf("changes go from older to newer: %s is behind %s", b.From.at(s.from), b.To.at(s.to)))
	case s.from == s.to:
		s.after = nil
	case s.mode == ChangesDiff:
		return s, t.sameBuckets(ctx, s)
	case s.from < first.ID-1:
		return nil, t.changesExpired(ctx, s, first.ID)
	case s.to > last.ID:
		return nil, t.noSuchSnapshot(ctx, s.to)
	}
	return s, nil
}

// changesExpired names the snapshots that are missing in a stretch. Incremental
// reads go through snapshots alone, as Paimon's do: changelogs that are kept
// longer are for streams.
func (t *Table) changesExpired(ctx context.Context, s *stretch, first int64) error {
	ids, err := t.chain.LongLivedIDs(ctx)
	if err != nil {
		return err
	}
	gone := fmt.Sprintf("snapshots %d to %d have expired", s.from+1, first-1)
	if s.from+2 == first {
		gone = fmt.Sprintf("snapshot %d has expired", s.from+1)
	}
	e := &fault.Error{Class: fault.ErrNotFound, Detail: fmt.Sprintf("%s, with the changes up to %d", gone, s.to),
		Hint: fmt.Sprintf("read the changes since %d; mode diff compares tags, which are kept longer", first-1)}
	if slices.Contains(ids, s.from+1) {
		e.Hint = fmt.Sprintf("their changelogs are kept for streams: follow the table from snapshot %d until %d, or read the changes since %d", s.from+1, s.to, first-1)
	}
	return e
}

func (t *Table) changeMode(b *Between) ChangeMode {
	switch {
	case b.Mode != "" && b.Mode != ChangesAuto:
		return b.Mode
	case b.From.Tag != "" && b.To.Tag != "":
		return ChangesDiff
	case t.options.ChangelogProducer == "none":
		return ChangesDelta
	}
	return ChangesChangelog
}

func (b *Between) check() error {
	for _, v := range []Version{b.From, b.To} {
		n := 0
		for _, given := range []bool{v.Snapshot != 0, v.Tag != "", !v.Time.IsZero()} {
			if given {
				n++
			}
		}
		if n > 1 || v.Snapshot < 0 {
			return fault.Invalid("a version is a snapshot id, a tag or a time, one of them; snapshot ids begin at 1")
		}
	}
	if !b.From.Time.IsZero() && !b.To.Time.IsZero() && b.From.Time.After(b.To.Time) {
		return fault.Invalid("changes go from older to newer: " + b.From.String() + " is behind " + b.To.String())
	}
	switch b.Mode {
	case "", ChangesAuto, ChangesDelta, ChangesChangelog, ChangesDiff:
		return nil
	}
	return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("mode %q is not known", b.Mode), Hint: "use auto, delta, changelog or diff"}
}

// versionAt is the snapshot that a version names, nil if it is before all of
// them; the zero version is the newest one.
func (t *Table) versionAt(ctx context.Context, v Version, newest *snapshot.Snapshot) (*snapshot.Snapshot, error) {
	switch {
	case v.Tag != "":
		tag, err := t.tag(ctx, v.Tag)
		if err != nil {
			return nil, err
		}
		return &tag.Snapshot, nil
	case !v.Time.IsZero():
		return t.chain.AtOrBefore(ctx, v.Time.UnixMilli())
	case v.Snapshot == 0 || v.Snapshot == newest.ID:
		return newest, nil
	}
	s, err := t.chain.Get(ctx, v.Snapshot)
	if isNotFound(err) {
		err = t.noSuchSnapshot(ctx, v.Snapshot)
	}
	return s, err
}

// startAt finds where a stretch begins. first is the oldest snapshot.
func (t *Table) startAt(ctx context.Context, s *stretch, v Version, first *snapshot.Snapshot) error {
	if v.Tag == "" && v.Time.IsZero() && (v.Snapshot == 0 || s.mode != ChangesDiff) {
		s.from = v.Snapshot
		if v.Snapshot == 0 && s.mode == ChangesDiff && first.ID > 1 {
			return t.noSuchSnapshot(ctx, 0)
		}
		return nil
	}
	at, err := t.versionAt(ctx, v, first)
	if err != nil {
		return err
	}
	if at == nil && first.ID > 1 && s.mode == ChangesDiff {
		at = first
	}
	if s.before = at; at == nil {
		s.from = first.ID - 1
	} else {
		s.from = at.ID
	}
	return nil
}

// sameBuckets refuses to compare versions whose keys lie in other buckets.
func (t *Table) sameBuckets(ctx context.Context, s *stretch) error {
	if s.before == nil || s.before.SchemaID == s.after.SchemaID {
		return nil
	}
	var counts [2]int
	for i, at := range []*snapshot.Snapshot{s.before, s.after} {
		sc, err := t.schemas.get(ctx, at.SchemaID)
		if err != nil {
			return err
		}
		o, err := schema.ParseOptions(sc.Options)
		if err != nil {
			return err
		}
		counts[i] = o.Bucket
	}
	if counts[0] != counts[1] {
		return &fault.Error{Class: fault.ErrInvalid, Detail: fmt.Sprintf("snapshots %d and %d have %d and %d buckets and cannot be compared", s.from, s.to, counts[0], counts[1]),
			Hint: "compare versions on one side of the change, or read the delta or the changelog"}
	}
	return nil
}
